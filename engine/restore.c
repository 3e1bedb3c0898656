/* SPDX-License-Identifier: MIT */
/* Restoring: what differs from an old version is made as it was, item by item, in one change. */
#include "engine/restore.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/event.h"
#include "engine/restore-items.h"
#include "engine/run.h"
#include "engine/snapshot.h"
#include "engine/stack.h"
#include "engine/words.h"

/* What `only=` knows. */
static const struct {
	const char *word;
	enum version_kind kind;
	const char *name; /* of the one item; NULL: all of the kind */
} choices[] = {
	{ "resources", VERSION_RESOURCE },
	{ "outputs", VERSION_OUTPUT },
	{ "state", VERSION_STATE },
	{ "tags", VERSION_TAG },
	{ "deps", VERSION_DEP },
	{ "config", VERSION_TEXT, "config" },
	{ "values", VERSION_TEXT, "values" },
	{ "workflow", VERSION_TEXT, "workflow" },
	{ "description", VERSION_TEXT, "description" },
	{ "version", VERSION_TEXT, "version" },
	{ "meta", VERSION_META, "meta" },
};

enum { CHOICES = sizeof(choices) / sizeof(choices[0]) };

static const unsigned kinds_by_default = ~(1U << VERSION_META);

/* "output/url" and "outputs/url", "resource/file/motd". */
static int item_choose(const char *text, struct fault *fault, struct restore *restore)
{
	const char *slash = strchr(text, '/');
	size_t size = (size_t)(slash - text);

	for (enum version_kind kind = 0; kind < VERSION_KIND_COUNT; kind++) {
		const char *name = version_kind_name(kind);

		if (strlen(name) + 1 == size && text[size - 1] == 's')
			size--;
		if (strlen(name) != size || strncmp(name, text, size) != 0)
			continue;
		if (restore->name[0])
			return fault_set(fault, EINVAL, "only=: one item at a time");
		snprintf(restore->name, sizeof(restore->name), "%s", slash + 1);
		restore->kinds |= 1U << kind;
		return 0;
	}
	return fault_set(
		fault, EINVAL, "only=%.200s: the kinds of items are output, state, tag, dep, resource", text);
}

static int choose(const char *text, struct fault *fault, struct restore *restore)
{
	if (strchr(text, '/'))
		return item_choose(text, fault, restore);
	for (size_t i = 0; i < CHOICES; i++) {
		if (strcmp(choices[i].word, text) != 0)
			continue;
		restore->kinds |= 1U << choices[i].kind;
		if (choices[i].name)
			restore->texts |= 1U << i;
		return 0;
	}
	return fault_set(fault, EINVAL,
		"only=%.100s: it takes resources, outputs, state, tags, deps, config, values, workflow, "
		"description, "
		"version, meta, or one item as KIND/NAME",
		text);
}

static int only_parse(const char *value, struct fault *fault, struct restore *restore)
{
	char text[WORDS_LINE_MAX], *save = NULL;
	int r = 0;

	snprintf(text, sizeof(text), "%s", value);
	restore->kinds = 0;
	for (char *word = strtok_r(text, ",", &save); word && r == 0; word = strtok_r(NULL, ",", &save))
		r = choose(word, fault, restore);
	if (r == 0 && !restore->kinds)
		return fault_set(fault, EINVAL, "only= takes what is to be restored: only=outputs,values");
	if (r == 0 && restore->name[0] && (restore->kinds & (restore->kinds - 1) || restore->texts))
		return fault_set(fault, EINVAL, "only=: either one item (KIND/NAME) or kinds");
	return r;
}

/* Counts back over versions that changed something, beside the numbers at which items came and went: one pass
 * over each, however many there are. */
struct steps {
	struct query *points; /* descending */
	int64_t point;	      /* the newest that was not passed yet, 0: none is left */
	int64_t above, left, number;
};

static int next_point(struct steps *steps)
{
	int r = query_step(steps->points);

	steps->point = r > 0 ? query_int(steps->points, 0) : 0;
	return r < 0 ? r : 0;
}

static int step_back(void *userdata, const struct version *version)
{
	struct steps *steps = userdata;
	bool differs = false;
	int r = 0;

	while (r == 0 && steps->point > version->number) {
		differs |= steps->above && steps->point <= steps->above;
		r = next_point(steps);
	}
	if (r < 0)
		return r;
	steps->above = version->number;
	if (differs && --steps->left == 0) {
		steps->number = version->number;
		return 1;
	}
	return 0;
}

static int undo_resolve(
	struct engine *engine, int64_t stack_id, int64_t count, struct fault *fault, int64_t *ret_number)
{
	CLEANUP(query_endp)
	struct query *points = query_begin(engine->store, SQL_ITEM_POINTS, "i", stack_id);
	struct steps steps = { .points = points, .left = count };
	int r = next_point(&steps);

	if (r == 0)
		r = version_each(engine, stack_id, INT64_MAX, step_back, &steps);
	if (r < 0)
		return r;
	if (!steps.number)
		return fault_set(fault, ENOENT,
			"the stack does not have %" PRId64 " earlier change%s to go back to", count,
			count == 1 ? "" : "s");
	*ret_number = steps.number;
	return 0;
}

/* The version, from the first word or two. *ret_rest is what comes after. */
static int target_parse(struct engine *engine, int64_t stack_id, const char *line, struct fault *fault,
	const char **ret_rest, struct restore *restore)
{
	char word[WORDS_LINE_MAX];
	struct version version;
	int64_t count = 1;
	int r;

	if (words_next(&line, word) <= 0)
		return fault_set(fault, EINVAL, "write a version: v35, a name of one, or \"undo\"");
	if (strcmp(word, "undo") != 0) {
		*ret_rest = line;
		r = snapshot_resolve(engine, stack_id, word, fault, &version);
		if (r == 0)
			restore->number = version.number;
		return r;
	}
	*ret_rest = line;
	if (words_next(&line, word) > 0 && isdigit((unsigned char)*word)) {
		if (parse_int64(word, &count) < 0 || count < 1)
			return fault_set(fault, EINVAL, "undo %.20s: how many changes?", word);
		*ret_rest = line;
	}
	return undo_resolve(engine, stack_id, count, fault, &restore->number);
}

int restore_parse(struct engine *engine, int64_t stack_id, const char *line, size_t size, struct fault *fault,
	struct restore *ret_restore)
{
	struct restore restore = { .kinds = kinds_by_default };
	char text[WORDS_LINE_MAX], word[WORDS_LINE_MAX];
	const char *rest;
	int r;

	if (size >= sizeof(text) || !text_is_utf8(line, size))
		return fault_set(fault, EINVAL, "a line of %zu bytes is none that restores something", size);
	memcpy(text, line, size);
	text[size] = '\0';
	r = target_parse(engine, stack_id, text, fault, &rest, &restore);
	while (r == 0 && (r = words_next(&rest, word)) > 0) {
		r = 0;
		if (!strcmp(word, "dry-run"))
			restore.dry_run = true;
		else if (words_value(word, "only"))
			r = only_parse(words_value(word, "only"), fault, &restore);
		else
			r = fault_set(fault, EINVAL, "%.100s: after the version come dry-run and only=KIND,…",
				word);
	}
	if (r == 0)
		*ret_restore = restore;
	return r == -EINVAL ? fault_default(fault, EINVAL, "a quote is not closed") : r;
}

/* One item that is another in the old version. */
struct difference {
	enum version_kind kind;
	char *name;
	bool done;
};

struct work {
	struct engine *engine;
	struct caller *caller;
	const struct restore *restore;
	struct fault *fault;
	struct stack stack;
	int64_t last;
	struct difference *list;
	size_t count, capacity;
};

static void work_done(struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		free(work->list[i].name);
	free(work->list);
}

/* As it stands in the tree, or as a comparison shows it to people. */
static bool is_named(const char *wanted, enum version_kind kind, const char *name)
{
	CLEANUP(cleanup_free) char *readable = NULL;

	if (!strcmp(wanted, name))
		return true;
	readable = kind == VERSION_RESOURCE ? name_readable(name) : NULL;
	return readable && !strcmp(wanted, readable);
}

static bool wanted(const struct restore *restore, enum version_kind kind, const char *name)
{
	if (!(restore->kinds & 1U << kind) || (restore->name[0] && !is_named(restore->name, kind, name)))
		return false;
	if (kind != VERSION_TEXT || !restore->texts)
		return true;
	for (size_t i = 0; i < CHOICES; i++)
		if (restore->texts & 1U << i && choices[i].kind == kind && !strcmp(choices[i].name, name))
			return true;
	return false;
}

/* 0: not there. */
static int content_of(
	struct work *work, enum version_kind kind, const char *name, int64_t number, int64_t *ret_content)
{
	struct version_item item;
	int r = version_item_find(work->engine, work->stack.id, kind, name, number, &item);

	*ret_content = r == 0 ? item.content_id : 0;
	return r == -ENOENT ? 0 : r;
}

static int difference_put(struct work *work, enum version_kind kind, const char *name)
{
	if (work->count == work->capacity) {
		size_t capacity = work->capacity ? 2 * work->capacity : 64;
		struct difference *list = realloc(work->list, capacity * sizeof(*list));

		if (!list)
			return -ENOMEM;
		work->list = list;
		work->capacity = capacity;
	}
	work->list[work->count] = (struct difference){ .kind = kind, .name = strdup(name) };
	return work->list[work->count++].name ? 0 : -ENOMEM;
}

/* Of what had changed from the version to `until`: 0: it had not, or stays for another reason; 1: it had. */
static int had_changed(struct work *work, enum version_kind kind, const char *name, int64_t now, int64_t then)
{
	CLEANUP(cleanup_free) char *readable = NULL;
	int64_t changed;
	int r = content_of(work, kind, name, work->restore->until, &changed);

	if (r < 0 || changed == then)
		return r;
	if (changed == now || work->restore->force)
		return 1;
	if (work->restore->standing)
		return 0;
	if (kind == VERSION_TEXT && !strcmp(name, "workflow"))
		return 0; /* the one that ran last */
	readable = name_readable(name);
	return fault_set(work->fault, ESTALE,
		"the %s %.200s of stack %s was changed again since: undo that first, or force it",
		version_kind_name(kind), readable ? readable : name, work->stack.name);
}

static int difference_add(void *userdata, enum version_kind kind, const char *name)
{
	struct work *work = userdata;
	int64_t now, then;
	int r;

	if (!wanted(work->restore, kind, name))
		return 0;
	r = content_of(work, kind, name, work->last, &now);
	if (r == 0)
		r = content_of(work, kind, name, work->restore->number, &then);
	if (r < 0 || now == then)
		return r;
	if (work->restore->until) {
		r = had_changed(work, kind, name, now, then);
		if (r <= 0)
			return r;
	}
	return difference_put(work, kind, name);
}

static int differences_find(struct work *work)
{
	int r = version_last(work->engine, work->stack.id, &work->last);

	return r < 0 ? r
		     : version_changed_each(work->engine, work->stack.id, work->restore->number, work->last,
			       difference_add, work);
}

/* In a change of its own, so that what is refused can be tried again later. */
static int apply(struct work *work, const struct difference *difference)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct version_item item;
	bool there;
	int r;

	r = version_item_find(work->engine, work->stack.id, difference->kind, difference->name,
		work->restore->number, &item);
	there = r == 0;
	if (there)
		r = version_item_read(work->engine, &item, work->fault, &content);
	if (r < 0 && r != -ENOENT)
		return r;
	r = store_change_begin(work->engine->store, &change);
	if (r == 0)
		r = restore_item(work->engine, work->caller, &work->stack, difference->kind, difference->name,
			there ? &content : NULL, work->fault);
	return r < 0 ? r : store_change_end(&change);
}

/* What others refer to comes first. */
static const enum version_kind order[] = { VERSION_META, VERSION_TEXT, VERSION_TAG, VERSION_DEP,
	VERSION_RESOURCE, VERSION_OUTPUT, VERSION_STATE };

/* All of one kind. What depends on another that has its turn later is refused at first: as long as something
 * moves, it is tried again. */
static int apply_kind(struct work *work, enum version_kind kind)
{
	bool moved;
	int refused;

	do {
		moved = false;
		refused = 0;
		for (size_t i = 0; i < work->count; i++) {
			struct difference *difference = &work->list[i];
			int r = difference->kind != kind || difference->done ? 1 : apply(work, difference);

			difference->done |= r == 0;
			moved |= r == 0;
			if (r < 0 && r != -ELOOP && r != -ENOENT)
				return r;
			refused = r < 0 ? r : refused;
		}
	} while (refused && moved);
	return refused;
}

/* Whether it is now what it was then: else nothing is changed at all. */
static int verify(struct work *work)
{
	int64_t number = 0;
	int r = version_last(work->engine, work->stack.id, &number);

	for (size_t i = 0; r == 0 && i < work->count; i++) {
		int64_t now, then;

		r = content_of(work, work->list[i].kind, work->list[i].name, number, &now);
		if (r == 0)
			r = content_of(
				work, work->list[i].kind, work->list[i].name, work->restore->number, &then);
		if (r == 0 && now != then)
			return fault_set(work->fault, EIO,
				"v%" PRId64
				" of stack %s can't be restored: its %s %s does not become what it "
				"was. Nothing was changed; only= restores the rest",
				work->restore->number, work->stack.name,
				version_kind_name(work->list[i].kind), work->list[i].name);
	}
	return r;
}

static int work_do(struct work *work, int64_t *ret_number)
{
	char what[64];
	int r;

	snprintf(what, sizeof(what), "before the restore of v%" PRId64, work->restore->number);
	r = snapshot_keep(work->engine, work->caller, work->stack.id, SNAPSHOT_BEFORE_RESTORE, what);
	snprintf(what, sizeof(what), "restored v%" PRId64, work->restore->number);
	FAILPOINT("restore.kept");
	if (r == 0)
		r = version_begin(work->engine, work->caller, work->stack.id, what, ret_number);
	for (size_t i = 0; r == 0 && i < sizeof(order) / sizeof(order[0]); i++)
		r = apply_kind(work, order[i]);
	FAILPOINT("restore.applied");
	if (r == 0)
		r = verify(work);
	return r < 0 ? r
		     : event_add(work->engine, work->caller, "snapshot.restored", work->stack.id,
			       work->stack.name, 0,
			       json_pack("{s:I, s:I, s:I, s:I}", "from", (json_int_t)work->last, "to",
				       (json_int_t)work->restore->number, "version", (json_int_t)*ret_number,
				       "changes", (json_int_t)work->count));
}

static int may_restore(struct work *work, int64_t stack_id)
{
	struct version version;
	int64_t runs = 0;
	int r = stack_get(work->engine, stack_id, &work->stack);

	if (r < 0)
		return fault_set(work->fault, -r, "the stack is gone");
	r = stack_may_change(work->engine, work->caller, &work->stack, work->fault);
	if (r == 0)
		r = run_count_unfinished(work->engine, stack_id, &runs);
	if (r == 0 && runs > (work->restore->by_run != 0))
		return fault_set(work->fault, EBUSY,
			"stack %s has %" PRId64
			" unfinished run%s, which would go on from what is no more: wait for "
			"%s, or cancel (runs/ID/ctl)",
			work->stack.name, runs, runs == 1 ? "" : "s", runs == 1 ? "it" : "them");
	if (r == 0)
		r = version_find(work->engine, stack_id, work->restore->number, &version);
	if (r == -ENOENT)
		return fault_set(work->fault, ENOENT, "stack %s has no version v%" PRId64, work->stack.name,
			work->restore->number);
	return r;
}

static int live_add(void *userdata, const struct version_item *item)
{
	return difference_put(userdata, item->kind, item->name);
}

/* What was refused to the end is dropped. */
static int refused_drop(struct work *work)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->count; i++)
		if (!work->list[i].done)
			r = version_drop(work->engine, work->caller, work->stack.id, work->list[i].kind,
				work->list[i].name);
	return r;
}

int restore_check(struct engine *engine, int64_t stack_id, const struct restore *restore, struct fault *fault)
{
	int64_t unused;

	return restore_count(engine, stack_id, restore, fault, &unused);
}

int restore_count(struct engine *engine, int64_t stack_id, const struct restore *restore, struct fault *fault,
	int64_t *ret_count)
{
	CLEANUP(work_done) struct work work = { .engine = engine, .restore = restore, .fault = fault };
	struct version version;
	int r = stack_get(engine, stack_id, &work.stack);

	if (r == 0)
		r = version_find(engine, stack_id, restore->number, &version);
	if (r == -ENOENT)
		return fault_set(fault, ENOENT, "stack %s has no version v%" PRId64 " any more",
			work.stack.name, restore->number);
	if (r == 0)
		r = differences_find(&work);
	if (r == 0)
		*ret_count = (int64_t)work.count;
	return r;
}

void restore_all(int64_t number, struct restore *ret_restore)
{
	*ret_restore = (struct restore){ .number = number, .kinds = kinds_by_default };
}

int restore_live(struct engine *engine, const struct stack *stack, int64_t number, struct fault *fault)
{
	struct restore restore;
	CLEANUP(work_done)
	struct work work = { .engine = engine, .restore = &restore, .fault = fault, .stack = *stack };
	int r = 0;

	restore_all(number, &restore);
	for (size_t i = 1; r == 0 && i < sizeof(order) / sizeof(order[0]); i++)
		r = version_item_each(engine, stack->id, number, order[i], NULL, live_add, &work);
	for (size_t i = 1; r == 0 && i < sizeof(order) / sizeof(order[0]); i++) {
		r = apply_kind(&work, order[i]);
		if (r == -ENOENT || r == -ELOOP)
			r = 0;
	}
	return r < 0 ? r : refused_drop(&work);
}

int restore_version(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct restore *restore, struct fault *fault, int64_t *ret_count, int64_t *ret_number)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(work_done)
	struct work work = { .engine = engine, .caller = caller, .restore = restore, .fault = fault };
	int64_t number = 0;
	int r = may_restore(&work, stack_id);

	if (r == 0)
		r = differences_find(&work);
	if (r < 0)
		return r;
	number = work.last;
	if (work.count && !restore->dry_run) {
		r = store_change_begin(engine->store, &change);
		if (r == 0)
			r = work_do(&work, &number);
		if (r == 0)
			r = store_change_end(&change);
		if (r < 0)
			return r;
		engine_note(engine, SUBJECT_STACK, stack_id, ASPECT_ALL);
	}
	if (ret_count)
		*ret_count = (int64_t)work.count;
	if (ret_number)
		*ret_number = number;
	return 0;
}
