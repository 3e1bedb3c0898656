/* SPDX-License-Identifier: MIT */
/* Findings: rows, finding and listing. */
#include "engine/finding.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/resource.h"

/* The texts of a row, in the order of its columns from the third. */
static const char **finding_text(struct finding *finding, size_t i)
{
	const char **texts[] = { &finding->type, &finding->name, &finding->property, &finding->kind,
		&finding->severity, &finding->expected, &finding->actual, &finding->cause, &finding->impact,
		&finding->fix, &finding->status, &finding->reason, &finding->resolution,
		&finding->changed_by };

	return i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : NULL;
}

enum { FIRST_TEXT = 2, FIRST_NUMBER = 16 };

static void finding_load(struct query *query, struct finding *ret_finding)
{
	const char **text;

	*ret_finding = (struct finding){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.until_ms = query_int(query, FIRST_NUMBER),
		.first_seen_ms = query_int(query, FIRST_NUMBER + 1),
		.last_seen_ms = query_int(query, FIRST_NUMBER + 2),
		.resolved_ms = query_int(query, FIRST_NUMBER + 3),
		.times = query_int(query, FIRST_NUMBER + 4),
		.run_id = query_int(query, FIRST_NUMBER + 5),
		.uid = query_int(query, FIRST_NUMBER + 6),
		.flapping_ms = query_int(query, FIRST_NUMBER + 7),
	};
	for (size_t i = 0; (text = finding_text(ret_finding, i)); i++)
		*text = query_text(query, FIRST_TEXT + (int)i);
	if (!strcmp(ret_finding->status, "ignored") && ret_finding->until_ms &&
		ret_finding->until_ms <= time_now_ms()) {
		ret_finding->lapsed = true;
		ret_finding->status = "pending";
		ret_finding->reason = "";
		ret_finding->until_ms = 0;
	}
}

void finding_done(struct finding *finding)
{
	buffer_done(&finding->memory);
}

/* Makes the texts the finding's own. */
static int finding_keep(struct finding *finding)
{
	const char **text, *p;
	int r = 0;

	for (size_t i = 0; r == 0 && (text = finding_text(finding, i)); i++)
		r = buffer_append(&finding->memory, *text, strlen(*text) + 1);
	if (r < 0) {
		finding_done(finding);
		return r;
	}
	p = finding->memory.data;
	for (size_t i = 0; (text = finding_text(finding, i)); i++) {
		*text = p;
		p += strlen(p) + 1;
	}
	return 0;
}

bool finding_counts(const struct finding *finding)
{
	return strcmp(finding->status, "ignored") != 0 && strcmp(finding->status, "resolved") != 0;
}

int finding_find(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	const char *property, struct finding *ret_finding)
{
	CLEANUP(query_endp)
	struct query *query =
		query_begin(engine->store, SQL_FINDING_FIND, "isss", stack_id, type, name, property);
	struct finding finding;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	finding_load(query, &finding);
	r = finding_keep(&finding);
	if (r == 0)
		*ret_finding = finding;
	return r;
}

static int query_each(
	struct query *query, int (*each)(void *userdata, const struct finding *finding), void *userdata)
{
	struct finding finding;
	int r;

	while ((r = query_step(query)) > 0) {
		finding_load(query, &finding);
		r = each(userdata, &finding);
		if (r != 0)
			break;
	}
	query_end(query);
	return r;
}

int finding_each(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	int (*each)(void *userdata, const struct finding *finding), void *userdata)
{
	return query_each(
		type ? query_begin(engine->store, SQL_FINDING_OF_RESOURCE, "iss", stack_id, type, name)
		     : query_begin(engine->store, SQL_FINDING_EACH, "i", stack_id),
		each, userdata);
}

int finding_history_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct finding *finding), void *userdata)
{
	return query_each(query_begin(engine->store, SQL_FINDING_HISTORY, "i", stack_id), each, userdata);
}

struct collection {
	struct finding *items;
	size_t count, room;
};

static int collect(void *userdata, const struct finding *finding)
{
	struct collection *all = userdata;

	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 8;
		struct finding *items = realloc(all->items, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		all->items = items;
		all->room = room;
	}
	all->items[all->count] = *finding;
	int r = finding_keep(&all->items[all->count]);

	if (r == 0)
		all->count++;
	return r;
}

int finding_list(struct engine *engine, int64_t stack_id, const char *type, const char *name,
	struct finding **ret_list, size_t *ret_count)
{
	struct collection all = { 0 };
	int r = finding_each(engine, stack_id, type, name, collect, &all);

	if (r < 0) {
		finding_list_free(all.items, all.count);
		return r;
	}
	*ret_list = all.items;
	*ret_count = all.count;
	return 0;
}

void finding_list_free(struct finding *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		finding_done(&list[i]);
	free(list);
}

static json_t *time_or_null(int64_t ms)
{
	char text[32];

	return ms ? json_string(time_format(ms, text)) : json_null();
}

static json_t *value_or_null(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	return value ? value : json_null();
}

/* With the user's name. */
static json_t *changer_or_null(const struct finding *finding)
{
	json_t *by = value_or_null(finding->changed_by);
	const json_t *uid = json_object_get(by, "uid");

	if (json_is_integer(uid))
		json_object_set_new(by, "user", json_string(caller_login((uid_t)json_integer_value(uid))));
	return by;
}

json_t *finding_json(const struct finding *finding)
{
	char entry[RESOURCE_ENTRY_SIZE];

	resource_entry_name(finding->name, entry);
	return json_pack(
		"{s:I, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, "
		"s:o, s:o, s:I, s:o, s:o, s:o, s:o}",
		"id", (json_int_t)finding->id, "type", finding->type, "name", finding->name, "path",
		json_sprintf("%s/%s", finding->type, entry), "property", finding->property, "kind",
		finding->kind, "severity", finding->severity, "expected", value_or_null(finding->expected),
		"actual", value_or_null(finding->actual), "cause", finding->cause, "impact", finding->impact,
		"fix", finding->fix, "status", finding->status, "reason", finding->reason, "resolution",
		finding->resolution, "until", time_or_null(finding->until_ms), "first_seen",
		time_or_null(finding->first_seen_ms), "last_seen", time_or_null(finding->last_seen_ms),
		"resolved", time_or_null(finding->resolved_ms), "times", (json_int_t)finding->times, "run",
		finding->run_id ? json_integer(finding->run_id) : json_null(), "user",
		finding->uid >= 0 ? json_string(caller_login((uid_t)finding->uid)) : json_null(), "flapping",
		time_or_null(finding->flapping_ms), "changed_by", changer_or_null(finding));
}
