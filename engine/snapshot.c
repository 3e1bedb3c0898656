/* SPDX-License-Identifier: MIT */
/* Snapshots: taking, naming and deleting them. */
#include "engine/snapshot.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "engine/collect.h"
#include "engine/event.h"
#include "engine/stack.h"
#include "engine/words.h"

static const char *const trigger_names[SNAPSHOT_TRIGGER_COUNT] = {
	[SNAPSHOT_MANUAL] = "manual",
	[SNAPSHOT_BEFORE_DEPLOYMENT] = "before_deployment",
	[SNAPSHOT_BEFORE_DESTROY] = "before_destroy",
	[SNAPSHOT_ON_DRIFT_FIX] = "on_drift_fix",
	[SNAPSHOT_BEFORE_RESTORE] = "before_restore",
};

static const struct {
	const char *name;
	size_t offset;
} words[] = {
	{ "description", offsetof(struct snapshot_request, description) },
	{ "creator", offsetof(struct snapshot_request, creator) },
	{ "tags", offsetof(struct snapshot_request, tags) },
	{ "name", offsetof(struct snapshot_request, name) },
};

static int word_store(const char *word, struct fault *fault, struct snapshot_request *request)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *value = words_value(word, words[i].name);

		if (!value)
			continue;
		if (strlen(value) >= SNAPSHOT_TEXT_MAX)
			return fault_set(
				fault, EINVAL, "%s has up to %d bytes", words[i].name, SNAPSHOT_TEXT_MAX - 1);
		snprintf((char *)request + words[i].offset, SNAPSHOT_TEXT_MAX, "%s", value);
		return 0;
	}
	return fault_set(fault, EINVAL,
		"%.100s: the words are description= creator= tags= name=, their values in quotes where there "
		"are blanks",
		word);
}

int snapshot_parse(const char *line, size_t size, struct fault *fault, struct snapshot_request *ret_request)
{
	struct snapshot_request request = { 0 };
	char text[WORDS_LINE_MAX], word[WORDS_LINE_MAX];
	const char *rest = text;
	int r;

	while (size && isspace((unsigned char)line[size - 1]))
		size--;
	if (size >= sizeof(text) || !text_is_utf8(line, size))
		return fault_set(fault, EINVAL, "a snapshot takes one line of text, up to %d bytes",
			WORDS_LINE_MAX - 1);
	memcpy(text, line, size);
	text[size] = '\0';
	if (words_assign(text)) {
		while ((r = words_next(&rest, word)) > 0) {
			r = word_store(word, fault, &request);
			if (r < 0)
				return r;
		}
		if (r < 0)
			return fault_set(fault, EINVAL, "a quote is not closed: %.200s", rest);
	} else if (size >= SNAPSHOT_TEXT_MAX) {
		return fault_set(fault, EINVAL, "a description has up to %d bytes", SNAPSHOT_TEXT_MAX - 1);
	} else {
		memcpy(request.description, text, size + 1);
	}
	*ret_request = request;
	return 0;
}

/* Tags have the shape of names; blanks beside the commas are dropped. */
static int tags_check(const char *tags, struct fault *fault, char ret_tags[SNAPSHOT_TEXT_MAX])
{
	size_t n = 0;

	for (const char *p = tags; *p;) {
		char tag[SNAPSHOT_TEXT_MAX];
		size_t size;

		p += strspn(p, ", ");
		size = strcspn(p, ", ");
		if (!size)
			break;
		memcpy(tag, p, size);
		tag[size] = '\0';
		if (name_check(tag) < 0)
			return fault_set(fault, EINVAL,
				"%.100s: a tag begins with a letter or digit, and has only those, '.', '_' "
				"and '-'",
				tag);
		n += (size_t)snprintf(ret_tags + n, SNAPSHOT_TEXT_MAX - n, "%s%s", n ? "," : "", tag);
		p += size;
	}
	ret_tags[n] = '\0';
	return 0;
}

static int line_check(const char *name, const char *text, struct fault *fault)
{
	if (!text_is_line(text, strlen(text)))
		return fault_set(fault, EINVAL, "%s is one line of text, without control characters", name);
	return 0;
}

/* Snapshots go on while somebody holds the lock. */
static int may_write(struct engine *engine, struct caller *caller, int64_t stack_id, struct fault *fault,
	struct stack *ret_stack)
{
	int r = stack_get(engine, stack_id, ret_stack);

	return r < 0 ? fault_set(fault, -r, "the stack is gone") : stack_may_write(caller, ret_stack, fault);
}

/* Ends a change of what is kept: event, commit, notice. */
static int changed(struct engine *engine, struct caller *caller, struct store_change *change,
	const struct stack *stack, const char *type, json_t *data)
{
	int r = event_add(engine, caller, type, stack->id, stack->name, 0, data);

	if (r == 0)
		r = store_change_end(change);
	if (r == 0)
		engine_note(engine, SUBJECT_STACK, stack->id, ASPECT_VERSIONS);
	return r;
}

static int snapshot_add(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t version_id,
	enum snapshot_trigger trigger, const struct snapshot_request *request)
{
	const char *creator = request->creator;

	if (!*creator)
		creator = caller ? caller_login(caller->uid) : "system";
	return store_run(engine->store, SQL_SNAPSHOT_ADD, "iissss", version_id, stack_id,
		trigger_names[trigger], request->description, creator, request->tags);
}

int snapshot_create(struct engine *engine, struct caller *caller, int64_t stack_id,
	const struct snapshot_request *request, struct fault *fault, int64_t *ret_number)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct snapshot_request wanted = *request;
	struct version version;
	struct stack stack;
	int64_t number, unused;
	int r;

	r = may_write(engine, caller, stack_id, fault, &stack);
	if (r == 0)
		r = line_check("the description", wanted.description, fault);
	if (r == 0)
		r = line_check("creator", wanted.creator, fault);
	if (r == 0)
		r = tags_check(request->tags, fault, wanted.tags);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = version_begin(engine, caller, stack_id, "snapshot", &number);
	if (r == 0)
		r = version_find(engine, stack_id, number, &version);
	if (r == 0)
		r = snapshot_add(engine, caller, stack_id, version.id, SNAPSHOT_MANUAL, &wanted);
	FAILPOINT("snapshot.added");
	if (r == 0 && *wanted.name)
		r = snapshot_pin(engine, caller, stack_id, wanted.name, number, fault, &unused);
	if (r == 0)
		r = changed(engine, caller, &change, &stack, "snapshot.created",
			json_pack("{s:I, s:s, s:s}", "version", (json_int_t)number, "description",
				wanted.description, "trigger", trigger_names[SNAPSHOT_MANUAL]));
	if (r == 0)
		*ret_number = number;
	return r;
}

int snapshot_keep(struct engine *engine, struct caller *caller, int64_t stack_id,
	enum snapshot_trigger trigger, const char *description)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct snapshot_request request = { 0 };
	struct version version;
	struct stack stack;
	int64_t number;
	int r;

	snprintf(request.description, sizeof(request.description), "%s", description);
	r = stack_get(engine, stack_id, &stack);
	if (r == 0)
		r = version_last(engine, stack_id, &number);
	if (r == 0)
		r = version_find(engine, stack_id, number, &version);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = snapshot_add(engine, caller, stack_id, version.id, trigger, &request);
	/* It is kept already: the words of before hold. */
	if (r == 0 && store_changed_rows(engine->store) == 0)
		return store_change_end(&change);
	return r < 0 ? r
		     : changed(engine, caller, &change, &stack, "snapshot.created",
			       json_pack("{s:I, s:s, s:s}", "version", (json_int_t)number, "description",
				       description, "trigger", trigger_names[trigger]));
}

int snapshot_auto(struct engine *engine, struct caller *caller, int64_t stack_id,
	enum snapshot_trigger trigger, const char *description)
{
	struct config config;
	int r = stack_config(engine, stack_id, &config);

	if (r < 0)
		return r;
	if (!config.auto_snapshot || !(config.snapshot_triggers & 1 << trigger))
		return 0;
	return snapshot_keep(engine, caller, stack_id, trigger, description);
}

/* The current version and those with names stay. */
static int may_delete(
	struct engine *engine, const struct stack *stack, const struct version *version, struct fault *fault)
{
	CLEANUP(buffer_done) struct buffer names = { 0 };
	int64_t last;
	int r = version_last(engine, stack->id, &last);

	if (r == 0)
		r = snapshot_names(engine, version->id, &names);
	if (r < 0)
		return r;
	if (version->number == last)
		return fault_set(fault, EPERM,
			"v%" PRId64 " is what stack %s is now: it can't be deleted before something changes",
			version->number, stack->name);
	if (names.size)
		return fault_set(fault, EPERM,
			"v%" PRId64 " of stack %s is pinned by its name %s: remove the name first (rm "
			"stacks/%s/snapshots/NAME)",
			version->number, stack->name, names.data, stack->name);
	return 0;
}

int snapshot_delete(struct engine *engine, struct caller *caller, int64_t version_id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct version version;
	struct stack stack;
	int r = version_get(engine, version_id, &version);

	if (r < 0)
		return r;
	r = may_write(engine, caller, version.stack_id, fault, &stack);
	if (r == 0)
		r = may_delete(engine, &stack, &version, fault);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_SNAPSHOT_DELETE, "i", version_id);
	if (r == 0)
		r = store_run(engine->store, SQL_VERSION_DROP, "i", version_id);
	FAILPOINT("snapshot.dropped");
	engine_note(engine, SUBJECT_VERSION, version_id, ASPECT_ALL);
	collector_wake(engine->collector);
	return r < 0 ? r
		     : changed(engine, caller, &change, &stack, "snapshot.deleted",
			       json_pack("{s:I}", "version", (json_int_t)version.number));
}

static bool number_text(const char *text, int64_t *ret_number)
{
	return parse_int64(*text == 'v' ? text + 1 : text, ret_number) == 0 && *ret_number > 0;
}

int snapshot_resolve(struct engine *engine, int64_t stack_id, const char *text, struct fault *fault,
	struct version *ret_version)
{
	struct snapshot_name name;
	int64_t number;
	int r;

	if (!strcmp(text, "latest") || !strcmp(text, "current"))
		r = version_last(engine, stack_id, &number);
	else if (number_text(text, &number))
		r = 0;
	else if ((r = snapshot_name_find(engine, stack_id, text, &name)) == 0)
		number = name.number;
	if (r == 0)
		r = version_find(engine, stack_id, number, ret_version);
	if (r == -ENOENT)
		return fault_set(fault, ENOENT,
			"%.140s: there is no such version of the stack (any more), and no name of one. "
			"snapshots/list has those that are kept, `history` all",
			text);
	return r;
}

int snapshot_pin(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	int64_t number, struct fault *fault, int64_t *ret_id)
{
	static const char *const taken[] = { "new", "restore", "latest", "current", "list", "list.json",
		"compare" };
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct version version;
	struct stack stack;
	int64_t id, unused;
	int r = may_write(engine, caller, stack_id, fault, &stack);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (!strcmp(name, taken[i]))
			return fault_set(fault, EEXIST, "%s has a meaning of its own here", name);
	if (name_check(name) < 0 || number_text(name, &unused) || strstr(name, ".."))
		return fault_set(fault, EINVAL,
			"%.140s: the name of a version begins with a letter or digit, has only those, '.', "
			"'_' and '-', and does not read like a number of a version",
			name);
	r = version_find(engine, stack_id, number, &version);
	if (r == -ENOENT)
		return fault_set(fault, ENOENT, "stack %s has no version v%" PRId64, stack.name, number);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_insert(engine->store, &id, SQL_SNAPSHOT_NAME_ADD, "isii", stack_id, name,
			version.id, time_now_ms());
	if (r == -EEXIST)
		return fault_set(fault, EEXIST, "stack %s has a version named %s already", stack.name, name);
	if (r == 0)
		r = changed(engine, caller, &change, &stack, "snapshot.named",
			json_pack("{s:I, s:s}", "version", (json_int_t)number, "name", name));
	if (r == 0)
		*ret_id = id;
	return r;
}

int snapshot_unpin(struct engine *engine, struct caller *caller, int64_t name_id, struct fault *fault)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct snapshot_name name;
	struct stack stack;
	int r = snapshot_name_get(engine, name_id, &name);

	if (r == 0)
		r = may_write(engine, caller, name.stack_id, fault, &stack);
	if (r == 0)
		r = store_change_begin(engine->store, &change);
	if (r == 0)
		r = store_run(engine->store, SQL_SNAPSHOT_NAME_DELETE, "i", name_id);
	return r < 0 ? r
		     : changed(engine, caller, &change, &stack, "snapshot.unnamed",
			       json_pack(
				       "{s:I, s:s}", "version", (json_int_t)name.number, "name", name.name));
}

static void name_load(struct query *query, void *ret)
{
	struct snapshot_name *ret_name = ret;

	*ret_name = (struct snapshot_name){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.version_id = query_int(query, 3),
		.number = query_int(query, 4),
		.created_ms = query_int(query, 5),
	};
	snprintf(ret_name->name, sizeof(ret_name->name), "%s", query_text(query, 2));
}

int snapshot_name_find(
	struct engine *engine, int64_t stack_id, const char *name, struct snapshot_name *ret_name)
{
	return query_one(query_begin(engine->store, SQL_SNAPSHOT_NAME_FIND, "is", stack_id, name), name_load,
		ret_name);
}

int snapshot_name_get(struct engine *engine, int64_t id, struct snapshot_name *ret_name)
{
	return query_one(query_begin(engine->store, SQL_SNAPSHOT_NAME_GET, "i", id), name_load, ret_name);
}

int snapshot_name_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct snapshot_name *name), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_SNAPSHOT_NAME_EACH, "i", stack_id);
	struct snapshot_name name;
	int r;

	while ((r = query_step(query)) > 0) {
		name_load(query, &name);
		r = each(userdata, &name);
		if (r != 0)
			break;
	}
	return r;
}

int snapshot_names(struct engine *engine, int64_t version_id, struct buffer *ret_names)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_SNAPSHOT_NAME_OF, "i", version_id);
	int r;

	while ((r = query_step(query)) > 0) {
		if (ret_names->size)
			r = buffer_append_text(ret_names, " ");
		if (r >= 0)
			r = buffer_append_text(ret_names, query_text(query, 2));
		if (r < 0)
			break;
	}
	return r;
}

static const char *text_or_empty(struct query *query, int column)
{
	return query_null(query, column) ? "" : query_text(query, column);
}

int snapshot_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct snapshot *snapshot), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_SNAPSHOT_EACH, "i", stack_id);
	int r;

	while ((r = query_step(query)) > 0) {
		struct snapshot snapshot = {
			.on_purpose = !query_null(query, 9),
			.trigger = text_or_empty(query, 9),
			.description = text_or_empty(query, 10),
			.creator = text_or_empty(query, 11),
			.tags = text_or_empty(query, 12),
		};

		version_row(query, &snapshot.version);
		r = each(userdata, &snapshot);
		if (r != 0)
			break;
	}
	return r;
}
