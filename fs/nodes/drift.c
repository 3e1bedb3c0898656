/* SPDX-License-Identifier: MIT */
/* The files drift, drift.json, drift.d/ and drift.history of a stack, and the commands about drift. */
#include "engine/drift.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/adopt.h"
#include "engine/detect.h"
#include "engine/words.h"
#include "fs/handle.h"
#include "fs/nodes/nodes.h"

int drift_node_show(struct view *view, FILE *out)
{
	return drift_show(view->engine, view->id, out);
}

int drift_json_node_show(struct view *view, FILE *out)
{
	json_auto_t *value = NULL;
	int r = drift_json(view->engine, view->id, &value);

	return r < 0 ? r : show_json(out, value);
}

int drift_history_node_show(struct view *view, FILE *out)
{
	return drift_show_history(view->engine, view->id, out);
}

int drift_history_json_node_show(struct view *view, FILE *out)
{
	json_auto_t *list = NULL;
	int r = drift_history_json(view->engine, view->id, &list);

	return r < 0 ? r : show_json(out, list);
}

/* Commands */

struct command {
	struct view *view;
	char name[WORDS_LINE_MAX];     /* "": none was said */
	char selector[WORDS_LINE_MAX]; /* of things that are to be adopted; "": none was said */
	char reason[WORDS_LINE_MAX];
	int64_t until_ms;
	json_t *options; /* of what is adopted */
};

enum {
	WORD_NAME = 1 << 0,
	WORD_NAME_NEEDED = 1 << 1,
	WORD_REASON = 1 << 2,
	WORD_UNTIL = 1 << 3,
	WORD_SELECTOR = 1 << 4,
};

static const char *name_or_all(const struct command *command)
{
	return *command->name ? command->name : NULL;
}

static void detected(void *userdata, const struct drift_summary *summary, const struct fault *fault)
{
	struct request *request = userdata;

	if (!summary)
		request->fault = *fault;
	request_finish(request, summary ? (ssize_t)request->size : -fault->code);
}

static void detect_taken_back(struct request *request)
{
	drift_forget(request->tree->runners, request);
}

static int run_detect(struct command *command)
{
	struct view *view = command->view;
	int64_t id;
	int r = 0;

	if (*command->name)
		r = drift_find_resource(view->engine, view->id, command->name, view->fault, &id);
	if (r == 0)
		r = drift_detect(view->tree->runners, view->caller, view->id, name_or_all(command), detected,
			view->request);
	return r < 0 ? r : request_later(view->request, detect_taken_back, NULL);
}

/* Which run it is can be read behind the command. */
static int tell_run(struct view *view, int64_t run_id)
{
	char text[64];

	if (view->request)
		view->request->started_run = run_id;
	snprintf(text, sizeof(text), "run %lld\n", (long long)run_id);
	return view->answer ? buffer_append_text(view->answer, text) : 0;
}

static int run_fix(struct command *command)
{
	struct view *view = command->view;
	int64_t run_id = 0;
	int r = drift_fix(view->tree->runners, view->caller, view->id, name_or_all(command), false,
		view->fault, &run_id);

	return r < 0 ? r : tell_run(view, run_id);
}

/* What a fix would do can be read behind the command. */
static int run_plan(struct command *command)
{
	struct view *view = command->view;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	FILE *out;
	int64_t id = 0;
	int r = 0, r2;

	if (*command->name)
		r = drift_find_resource(view->engine, view->id, command->name, view->fault, &id);
	if (r == 0)
		r = drift_fix(view->tree->runners, view->caller, view->id, name_or_all(command), true,
			view->fault, &(int64_t){ 0 });
	if (r < 0 || !view->answer)
		return r;
	out = buffer_stream_open(&text);
	if (!out)
		return -ENOMEM;
	r = drift_show_plan(view->engine, view->id, id, out);
	r2 = buffer_stream_close(out, &text);
	if (r == 0)
		r = r2;
	return r < 0 ? r : buffer_append(view->answer, text.data, text.size);
}

static int target_of(struct command *command, struct drift_target *ret_target)
{
	return drift_find_target(
		command->view->engine, command->view->id, command->name, command->view->fault, ret_target);
}

static int run_ignore(struct command *command)
{
	struct view *view = command->view;
	struct drift_target target;
	int r = target_of(command, &target);

	return r < 0 ? r
		     : drift_ignore(view->engine, view->caller, view->id, &target, command->reason,
			       command->until_ms, view->fault);
}

static int run_unignore(struct command *command)
{
	struct view *view = command->view;
	struct drift_target target;
	int r = target_of(command, &target);

	return r < 0 ? r : drift_unignore(view->engine, view->caller, view->id, &target, view->fault);
}

static int run_acknowledge(struct command *command)
{
	struct view *view = command->view;
	struct drift_target target;
	int r = target_of(command, &target);

	return r < 0 ? r
		     : drift_acknowledge(
			       view->engine, view->caller, view->id, &target, command->reason, view->fault);
}

/* Things that are not the stack's yet. */
static int run_adopt_things(struct command *command)
{
	struct view *view = command->view;
	int64_t run_id = 0;
	int r = -ENOTSUP;

	if (view->tree->runners)
		r = adopt_start(view->tree->runners, view->caller, view->id,
			&(struct adopt_order){ command->name, command->selector, command->options },
			view->fault, &run_id);
	return r < 0 ? r : tell_run(view, run_id);
}

static int run_adopt(struct command *command)
{
	struct view *view = command->view;
	struct drift_target target;
	int r;

	if (*command->selector)
		return run_adopt_things(command);
	r = target_of(command, &target);

	return r < 0 ? r : drift_adopt(view->engine, view->caller, view->id, &target, view->fault);
}

static const struct verb {
	const char *name;
	unsigned words;
	bool needs_runners;
	int (*run)(struct command *command);
	const char *usage;
} verbs[] = {
	{ "detect", WORD_NAME, true, run_detect, "detect [NAME]" },
	{ "plan", WORD_NAME, true, run_plan, "plan [NAME]" },
	{ "fix", WORD_NAME, true, run_fix, "fix [NAME]" },
	{ "adopt", WORD_NAME_NEEDED | WORD_SELECTOR, false, run_adopt,
		"adopt NAME[/PROPERTY], or adopt TYPE SELECTOR [dry_run] [force] [exact] [PROPERTY=VALUE]" },
	{ "ignore", WORD_NAME_NEEDED | WORD_REASON | WORD_UNTIL, false, run_ignore,
		"ignore NAME[/PROPERTY] [until=TIME] [reason=TEXT]" },
	{ "unignore", WORD_NAME_NEEDED, false, run_unignore, "unignore NAME[/PROPERTY]" },
	{ "acknowledge", WORD_NAME_NEEDED | WORD_REASON, false, run_acknowledge,
		"acknowledge NAME[/PROPERTY] [reason=TEXT]" },
};

enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]) };

static const struct verb *find_verb(const char *name, struct fault *fault)
{
	const char *names[VERB_COUNT], *nearest;

	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	nearest = text_nearest(name, names, VERB_COUNT);
	fault_set(fault, EINVAL,
		"there is no command \"%.64s\"%s%s%s. There are detect, plan, fix, adopt, ignore, unignore "
		"and "
		"acknowledge",
		name, nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
	return NULL;
}

/* "14d" from now, or the moment that is named. */
static int parse_until(const char *text, struct fault *fault, int64_t *ret_ms)
{
	int64_t ms;

	if (duration_parse(text, &ms) == 0)
		ms += time_now_ms();
	else if (past_parse(text, &ms) < 0)
		return fault_set(fault, EINVAL,
			"until=%.100s is no time: a duration like until=12h, or a date like until=2030-01-31",
			text);
	*ret_ms = ms;
	return 0;
}

/* What comes after the type: which of them, and options. */
static int take_adopted(struct command *command, const char *word)
{
	const char *equals = strchr(word, '=');
	CLEANUP(cleanup_free) char *name = equals ? strndup(word, (size_t)(equals - word)) : strdup(word);

	if (!*command->selector) {
		snprintf(command->selector, sizeof(command->selector), "%s", word);
		return 0;
	}
	if (!command->options)
		command->options = json_object();
	if (!name || !command->options)
		return -ENOMEM;
	return json_object_set_new(command->options, name, equals ? json_string(equals + 1) : json_true()) < 0
		       ? -EINVAL
		       : 0;
}

/* "file", "directory,file" */
static bool could_be_types(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-,", *p))
			return false;
	return true;
}

static int take_word(struct command *command, const struct verb *verb, const char *word)
{
	const char *reason = verb->words & WORD_REASON ? words_value(word, "reason") : NULL;
	const char *until = verb->words & WORD_UNTIL ? words_value(word, "until") : NULL;

	if (reason) {
		snprintf(command->reason, sizeof(command->reason), "%s", reason);
		return 0;
	}
	if (until)
		return parse_until(until, command->view->fault, &command->until_ms);
	if (*command->name && *word && (verb->words & WORD_SELECTOR) && could_be_types(command->name))
		return take_adopted(command, word);
	if (!*command->name && *word && (verb->words & (WORD_NAME | WORD_NAME_NEEDED))) {
		snprintf(command->name, sizeof(command->name), "%s", word);
		return 0;
	}
	return fault_set(command->view->fault, EINVAL,
		"\"%.200s\" is too much: %s. A name or a reason with blanks stands in quotes", word,
		verb->usage);
}

static int take_words(struct command *command, const char *line, const struct verb **ret_verb)
{
	const struct verb *verb = NULL;
	char word[WORDS_LINE_MAX];
	int r;

	while ((r = words_next(&line, word)) > 0) {
		if (!verb) {
			verb = find_verb(word, command->view->fault);
			r = verb ? 0 : -EINVAL;
		} else {
			r = take_word(command, verb, word);
		}
		if (r < 0)
			return r;
	}
	if (r < 0)
		return fault_set(command->view->fault, EINVAL, "a quote is not closed");
	if (verb && (verb->words & WORD_NAME_NEEDED) && !*command->name)
		return fault_set(command->view->fault, EINVAL, "whom? %s", verb->usage);
	*ret_verb = verb;
	return 0;
}

int drift_node_write(struct view *view, const char *line, size_t size)
{
	CLEANUP(cleanup_free) char *copy = strndup(line, size);
	CLEANUP(cleanup_free) struct command *command = calloc(1, sizeof(*command));
	const struct verb *verb;
	int r;

	if (!copy || !command)
		return -ENOMEM;
	if (size >= WORDS_LINE_MAX)
		return fault_set(view->fault, EINVAL, "a command has up to %d bytes", WORDS_LINE_MAX - 1);
	command->view = view;
	r = take_words(command, copy, &verb);
	if (r == 0 && verb)
		r = verb->needs_runners && !view->tree->runners ? -ENOTSUP : verb->run(command);
	json_decref(command->options);
	return r;
}

/* drift.d/: TYPE:ENTRY, as two types may have the same names. */

static int found_one(void *userdata, const struct finding *finding)
{
	return 1;
}

static int drifted_find(struct view *folder, const char *name, int64_t *ret_id)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	const char *colon = strchr(name, ':');
	char type[NAME_SIZE];
	unsigned type_id;
	int64_t id;
	int r = -ENOENT;

	if (!colon || colon == name || (size_t)(colon - name) >= sizeof(type))
		return -ENOENT;
	snprintf(type, sizeof(type), "%.*s", (int)(colon - name), name);
	if (name_check(type) == 0)
		r = resource_type_find(folder->engine, type, &type_id);
	if (r == 0)
		r = resource_find_entry(folder->engine, folder->id, type_id, colon + 1, &id);
	if (r == 0)
		r = resource_get(folder->engine, id, &resource);
	if (r == 0)
		r = finding_each(folder->engine, folder->id, resource.type, resource.name, found_one, NULL);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_id = id;
	return 0;
}

static int emit_drifted(struct view *folder, const struct finding *finding, node_emit *emit, void *userdata)
{
	char entry[RESOURCE_ENTRY_SIZE], name[NAME_SIZE + 1 + RESOURCE_ENTRY_SIZE];
	int64_t id;

	if (resource_find(folder->engine, folder->id, finding->type, finding->name, &id) < 0)
		return 0;
	resource_entry_name(finding->name, entry);
	snprintf(name, sizeof(name), "%s:%s", finding->type, entry);
	return emit(userdata, name, id);
}

static int drifted_each(struct view *folder, node_emit *emit, void *userdata)
{
	struct finding *list = NULL;
	size_t count = 0;
	int r = finding_list(folder->engine, folder->id, NULL, NULL, &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (!i || strcmp(list[i].type, list[i - 1].type) || strcmp(list[i].name, list[i - 1].name))
			r = emit_drifted(folder, &list[i], emit, userdata);
	finding_list_free(list, count);
	return r;
}

static int drifted_show(struct view *view, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	int r = resource_get(view->engine, view->id, &resource);

	return r < 0 ? r : drift_show_resource(view->engine, &resource, out);
}

/* clang-format off */
static const struct entry drift_entries[] = {
	{ .help = "a resource that differs, and how", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .subject = SUBJECT_RESOURCE, .aspects = ASPECT_DRIFT | ASPECT_RESOURCES, .object = object_resource,
	  .find = drifted_find, .each = drifted_each, .show = drifted_show },
};
/* clang-format on */

const struct directory drift_directory = DIRECTORY(drift_entries);
