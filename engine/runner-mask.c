/* SPDX-License-Identifier: MIT */
/*
 * What runs may not tell: the values that were handed to them are masked in their logs, errors, outputs,
 * results and events, before any of these is stored. The values stand sealed in the database until the run is
 * over, so that a daemon that takes the run up knows them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/artifact.h"
#include "engine/mask.h"
#include "engine/runner-internal.h"
#include "engine/seal.h"

enum { LINE_HELD_MAX = 64 << 10 };

/* The end of what a task said in one stream, held back because it may be the beginning of a value. */
struct held {
	SLIST_ENTRY(held) list;
	char *task; /* NULL: of the run itself */
	char *stream;
	struct log_origin origin; /* its stream is the one above */
	struct buffer text;
};

static void held_free(struct held *held)
{
	buffer_wipe(&held->text);
	free(held->task);
	free(held->stream);
	free(held);
}

void runner_mask_free(struct runner *runner)
{
	struct held *held;

	while ((held = SLIST_FIRST(&runner->held))) {
		SLIST_REMOVE_HEAD(&runner->held, list);
		held_free(held);
	}
	mask_free(runner->mask);
	runner->mask = NULL;
	runner->mask_known = false;
}

static const char *what_is(const struct runner *runner, char ret_what[SEAL_WHAT_SIZE])
{
	snprintf(ret_what, SEAL_WHAT_SIZE, "run:%lld", (long long)runner->run_id);
	return ret_what;
}

static int load_values(struct runner *runner)
{
	struct engine *engine = runner->of->engine;
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_RUN_SECRET_EACH, "i", runner->run_id);
	struct fault fault = { 0 };
	char what[SEAL_WHAT_SIZE];
	int r;

	while ((r = query_step(query)) > 0) {
		CLEANUP(buffer_wipe) struct buffer value = { 0 };

		if (!runner->mask && !(runner->mask = mask_new()))
			return -ENOMEM;
		r = seal_open(engine, what_is(runner, what), query_text(query, 0), &fault, &value);
		if (r == 0)
			r = mask_add(runner->mask, value.data, value.size);
		if (r < 0) {
			log_warning(
				"run %lld: its secrets can't be masked, so nothing that it says is kept: %s",
				(long long)runner->run_id, fault.code ? fault.text : strerror(-r));
			return r;
		}
	}
	return r;
}

/* 0, with runner->mask NULL when there is nothing to mask. A failure means that nothing may be told. */
static int load_mask(struct runner *runner)
{
	int r;

	if (runner->mask_known)
		return 0;
	mask_free(runner->mask);
	runner->mask = NULL;
	r = load_values(runner);
	runner->mask_known = r == 0;
	runner->mask_undo_count = store_undo_count(runner->of->engine->store);
	return r;
}

int runner_hand(struct runner *runner, const char *value, size_t size, struct fault *fault)
{
	struct engine *engine = runner->of->engine;
	CLEANUP(cleanup_free) char *sealed = NULL;
	char what[SEAL_WHAT_SIZE];
	int64_t id;
	int r;

	/* What was undone may have been the row of a value that is known here. */
	if (runner->mask_undo_count != store_undo_count(engine->store))
		runner->mask_known = false;
	r = load_mask(runner);
	if (r < 0)
		return r;
	if (!runner->mask && !(runner->mask = mask_new()))
		return -ENOMEM;
	if (size < MASK_SIZE_MIN || mask_knows(runner->mask, value, size))
		return 0;
	r = mask_add(runner->mask, value, size);
	if (r == -ENOSPC)
		return fault_set(fault, EDQUOT,
			"a run may be handed secrets of %d lines: this one would be more than can be masked",
			MASK_COUNT_MAX);
	if (r == 0)
		r = seal_make(engine, what_is(runner, what), value, size, fault, &sealed);
	return r < 0 ? r : store_insert(engine->store, &id, SQL_RUN_SECRET_ADD, "is", runner->run_id, sealed);
}

int runner_hand_json(struct runner *runner, const json_t *value, struct fault *fault)
{
	CLEANUP(cleanup_free) char *number = NULL;
	const char *key;
	json_t *item;
	size_t i;
	int r = 0;

	if (json_is_string(value))
		return runner_hand(runner, json_string_value(value), json_string_length(value), fault);
	if (json_is_number(value)) {
		number = json_dumps(value, JSON_ENCODE_ANY);
		return number ? runner_hand(runner, number, strlen(number), fault) : -ENOMEM;
	}
	json_array_foreach (value, i, item)
		if (r == 0)
			r = runner_hand_json(runner, item, fault);
	json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
		if (r == 0)
			r = runner_hand_json(runner, item, fault);
	}
	return r;
}

bool runner_knows(struct runner *runner, const json_t *value)
{
	return load_mask(runner) < 0 || (runner->mask && mask_hits_json(runner->mask, value));
}

bool runner_has_secrets(struct runner *runner)
{
	return load_mask(runner) < 0 || runner->mask;
}

json_t *runner_masked(struct runner *runner, json_t *value)
{
	if (load_mask(runner) < 0)
		return json_string(SEAL_SHOWN);
	return runner->mask ? mask_json(runner->mask, value) : json_incref(value);
}

/* These take values as they are: what a workflow keeps for itself, and what may be a secret. The words of all
 * other calls are masked like its log. */
static bool verbatim(json_t *head)
{
	static const char *const names[] = { "state.", "stack.set_output", "secret.", "image." };
	const char *op = json_string_value(json_object_get(head, "op"));
	const char *fn = json_string_value(json_object_get(head, "fn"));

	if (!op || strcmp(op, "call") != 0)
		return false;
	for (size_t i = 0; fn && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(names[i], fn, strlen(names[i])))
			return true;
	return false;
}

/* What would be another thing without the value says so ("intact"), and learns that it was in there. */
static void tell_masked(json_t *head, const json_t *before)
{
	json_t *args = json_object_get(head, "args");

	if (json_is_true(json_object_get(args, "intact")) && !json_equal(args, before))
		json_object_set_new(args, "masked", json_true());
}

/* Takes the values out of the members that have a secret in them. A new reference. */
static json_t *take_secrets(struct runner *runner, json_t *object)
{
	json_t *taken = json_object(), *value;
	const char *key;

	json_object_foreach (object, key, value)
		if (mask_hits_json(runner->mask, value)) {
			json_object_set(taken, key, value);
			json_object_set_new(object, key, json_string(SEAL_SHOWN));
		}
	return taken;
}

/* Resources may have secrets in their properties: these come apart from the rest, and are sealed. */
static json_t *seal_frame(struct runner *runner, json_t *args)
{
	static const char *const states[][2] = { { "properties", "sealed" }, { "applied", "sealed_applied" },
		{ "actual", "sealed_actual" } };
	json_t *sealed = json_object();

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		json_auto_t *taken = take_secrets(runner, json_object_get(args, states[i][0]));

		if (json_object_size(taken))
			json_object_set(sealed, states[i][1], taken);
	}
	if (json_object_get(args, "error"))
		json_object_set_new(args, "error", runner_masked(runner, json_object_get(args, "error")));
	return sealed;
}

static bool is_resource_call(const json_t *head)
{
	static const char prefix[] = "resource.";
	const char *fn = json_string_value(json_object_get(head, "fn"));

	return fn && !strncmp(fn, prefix, sizeof(prefix) - 1);
}

void runner_mask_frame(struct runner *runner, json_t *head)
{
	/* What a workflow can put words into; the others are names that the plan has. */
	static const char *const members[] = { "error", "text", "message", "outputs", "result", "args" };

	json_auto_t *args = json_incref(json_object_get(head, "args"));
	json_auto_t *image = NULL, *sealed = NULL;

	if ((load_mask(runner) == 0 && !runner->mask) || verbatim(head))
		return;
	/* What a thing was before stays what it was: nobody else is told (engine/image.h). */
	image = json_incref(json_object_get(args, "image"));
	json_object_del(args, "image");
	if (runner->mask && is_resource_call(head))
		sealed = seal_frame(runner, args);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *value = json_object_get(head, members[i]);

		if (value && !json_is_null(value))
			json_object_set_new(head, members[i], runner_masked(runner, value));
	}
	tell_masked(head, args);
	if (image)
		json_object_set(json_object_get(head, "args"), "image", image);
	if (sealed)
		json_object_update(json_object_get(head, "args"), sealed);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static struct held *held_find(struct runner *runner, const char *task, const char *stream)
{
	struct held *held;

	SLIST_FOREACH(held, &runner->held, list)
	if (same_text(held->task, task) && same_text(held->stream, stream))
		return held;
	held = calloc(1, sizeof(*held));
	if (!held)
		return NULL;
	held->task = task ? strdup(task) : NULL;
	held->stream = stream ? strdup(stream) : NULL;
	if ((task && !held->task) || (stream && !held->stream)) {
		held_free(held);
		return NULL;
	}
	SLIST_INSERT_HEAD(&runner->held, held, list);
	return held;
}

/* How many bytes are told now. A line whose end is held back is held back as one, so that it stays one line
 * in the log; unless it is too long. */
static size_t lines_size(const struct held *held, size_t left)
{
	const char *text = held->text.data, *newline = left ? memrchr(text, '\n', held->text.size) : NULL;
	size_t size = newline ? (size_t)(newline + 1 - text) : 0;

	return left && held->text.size - size <= LINE_HELD_MAX ? size : held->text.size - left;
}

/* What is held, as far as it is settled; `more`: more of it may come. */
static int held_tell(struct runner *runner, struct held *held, bool more)
{
	CLEANUP(buffer_done) struct buffer masked = { 0 };
	size_t left = 0, size = held->text.size;
	int r = more ? mask_text(runner->mask, held->text.data, size, true, &masked, &left) : 0;

	if (left || !more) {
		size = lines_size(held, left);
		buffer_truncate(&masked, 0);
		r = mask_text(runner->mask, held->text.data, size, false, &masked, NULL);
	}
	if (r == 0)
		r = log_append(
			runner->of->engine, runner->run_id, &held->origin, buffer_text(&masked), masked.size);
	if (r == 0)
		buffer_consume(&held->text, size);
	return r;
}

int runner_log(struct runner *runner, json_t *head, int64_t task_id, const char *text, size_t size)
{
	static const char withheld[] = SEAL_SHOWN "\n";
	const struct log_origin origin = {
		.task_id = task_id,
		.try = (int)json_integer_value(json_object_get(head, "try")),
		.stream = json_string_value(json_object_get(head, "stream")),
		.time_ms = json_integer_value(json_object_get(head, "time")),
	};
	struct engine *engine = runner->of->engine;
	struct held *held;
	int r;

	if (load_mask(runner) < 0)
		return log_append(engine, runner->run_id, &origin, withheld, strlen(withheld));
	if (!runner->mask)
		return log_append(engine, runner->run_id, &origin, text, size);
	held = held_find(runner, json_string_value(json_object_get(head, "task")),
		json_string_value(json_object_get(head, "stream")));
	if (!held)
		return -ENOMEM;
	held->origin = origin;
	held->origin.stream = held->stream;
	r = buffer_append(&held->text, text, size);
	return r < 0 ? r : held_tell(runner, held, true);
}

int runner_log_end(struct runner *runner, const char *task)
{
	struct held *held, *next;
	int r = 0;

	for (held = SLIST_FIRST(&runner->held); held && r == 0; held = next) {
		next = SLIST_NEXT(held, list);
		if (task && !same_text(held->task, task))
			continue;
		if (runner->mask)
			r = held_tell(runner, held, false);
		if (r < 0)
			return r;
		SLIST_REMOVE(&runner->held, held, held, list);
		held_free(held);
	}
	return r;
}

/* With the end of what has come before: a value may stand over the edge. */
static int artifact_tells(struct runner *runner, const struct artifact *artifact, const char *data,
	size_t size, bool *ret_tells)
{
	CLEANUP(buffer_wipe) struct buffer text = { 0 };
	size_t before = mask_reach(runner->mask);
	ssize_t n;
	int r;

	if ((int64_t)before > artifact->received)
		before = (size_t)artifact->received;
	r = buffer_reserve(&text, before + size);
	if (r < 0)
		return r;
	n = artifact_read(
		runner->of->engine, artifact, artifact->received - (int64_t)before, text.data, before);
	if (n < 0)
		return (int)n;
	text.size = (size_t)n;
	r = buffer_append(&text, data, size);
	if (r == 0)
		*ret_tells = mask_hits(runner->mask, text.data, text.size);
	return r;
}

static int warn_of_artifact(struct runner *runner, const struct artifact *artifact)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	struct engine *engine = runner->of->engine;
	struct task task;
	int r = task_get(engine, artifact->task_id, &task);
	const struct log_origin origin = {
		.task_id = artifact->task_id, .try = task.tries, .stream = "log", .time_ms = time_now_ms()
	};

	if (r == 0)
		r = buffer_append_text(&text, "warning: the artifact ");
	if (r == 0)
		r = runner->mask ? mask_text(runner->mask, artifact->path, strlen(artifact->path), false,
					   &text, NULL)
				 : buffer_append_text(&text, SEAL_SHOWN);
	if (r == 0)
		r = buffer_append_text(
			&text, " has a secret in it that the run was handed: only its owner may read it\n");
	return r < 0 ? r : log_append(engine, runner->run_id, &origin, text.data, text.size);
}

int runner_guard_artifact(struct runner *runner, int64_t id, const char *data, size_t size)
{
	struct engine *engine = runner->of->engine;
	bool tells = load_mask(runner) < 0;
	struct artifact artifact;
	int r;

	if (!tells && !runner->mask)
		return 0;
	r = artifact_coming(engine, runner->run_id, id, &artifact);
	if (r < 0 || !(artifact.mode & (S_IRWXG | S_IRWXO)))
		return r;
	if (!tells)
		r = artifact_tells(runner, &artifact, data, size, &tells);
	if (r < 0 || !tells)
		return r;
	r = artifact_narrow(engine, &artifact);
	return r < 0 ? r : warn_of_artifact(runner, &artifact);
}

int runner_forget_secrets(struct runner *runner)
{
	return store_run(runner->of->engine->store, SQL_RUN_SECRET_DELETE, "i", runner->run_id);
}
