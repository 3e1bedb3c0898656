/* SPDX-License-Identifier: MIT */
/* Whether a database is in order. */
#include "engine/examine.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/content.h"
#include "engine/event.h"

enum { FOUND_MAX = 20 }; /* complaints kept of one check */

static int add_check(json_t *report, const char *name)
{
	return json_array_append_new(json_object_get(report, "checks"),
		json_pack("{s:s, s:b, s:[]}", "check", name, "ok", 1, "found"));
}

/* To the check that was begun last. */
static int add_complaint(json_t *report, const char *complaint)
{
	json_t *checks = json_object_get(report, "checks");
	json_t *check = json_array_get(checks, json_array_size(checks) - 1);
	json_t *found = json_object_get(check, "found");

	json_object_set_new(report, "ok", json_false());
	json_object_set_new(check, "ok", json_false());
	if (json_array_size(found) < FOUND_MAX)
		json_array_append_new(found, json_string(complaint));
	return 0;
}

static int store_said(void *userdata, const char *name, const char *complaint)
{
	return complaint ? add_complaint(userdata, complaint) : add_check(userdata, name);
}

/* Every content is what its hash says, and so is what it stands on. */
static int contents_verify(struct engine *engine, struct fault *fault)
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_CONTENT_EACH, "");
	int64_t damaged = 0, first = 0;
	int r;

	while ((r = query_step(query)) > 0) {
		CLEANUP(buffer_done) struct buffer content = { 0 };

		r = content_read(engine, query_int(query, 0), &content);
		if (r < 0 && r != -EBADMSG && r != -ENOENT)
			return r;
		if (r < 0 && damaged++ == 0)
			first = query_int(query, 0);
	}
	if (r < 0 || !damaged)
		return r;
	return fault_set(fault, EBADMSG,
		"%lld stored contents are not what was stored; the first of them is number %lld",
		(long long)damaged, (long long)first);
}

/* Checks of the engine's own; each a function that walks all of its rows. -ENOTSUP: an older schema has none.
 */
static const struct {
	const char *name;
	int (*verify)(struct engine *engine, struct fault *fault);
} walks[] = {
	{ "events", event_verify },
	{ "contents", contents_verify },
};

static void coder_freep(struct content_coder **coder)
{
	content_coder_free(*coder);
}

static int walk_all(struct engine *engine, json_t *report)
{
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		struct fault fault = { 0 };
		int r = walks[i].verify(engine, &fault);

		if (r == -ENOTSUP)
			continue;
		add_check(report, walks[i].name);
		if (r < 0)
			add_complaint(report, fault.code ? fault.text : strerror(-r));
	}
	return 0;
}

int examine(const char *path, bool deep, struct fault *fault, json_t **ret_report)
{
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(coder_freep) struct content_coder *coder = content_coder_new();
	json_auto_t *report = NULL;
	struct engine engine = { .contents = coder };
	char time[32], head[2 * EVENT_HASH_SIZE + 1];
	int r = sodium_init() < 0 || !coder ? -ENOMEM : store_open_read(path, fault, &store);

	if (r < 0)
		return fault_default(fault, -r, "%s: cannot be examined: %s", path, strerror(-r));
	engine.store = store;
	report = json_pack("{s:b, s:b, s:s, s:I, s:[]}", "ok", 1, "deep", deep, "time",
		time_format(time_now_ms(), time), "schema", (json_int_t)store_schema_of(store), "checks");
	if (!report)
		return fault_set(fault, ENOMEM, "out of memory");
	r = store_examine(store, deep, store_said, report);
	if (r == 0 && deep)
		r = walk_all(&engine, report);
	if (r < 0)
		return fault_set(fault, -r, "%s: cannot be examined: %s", path, strerror(-r));
	json_object_set_new(report, "events", json_integer(event_last(&engine)));
	json_object_set_new(report, "head", json_string(event_head(&engine, head)));
	*ret_report = json_incref(report);
	return 0;
}

int examine_verdict(const json_t *report, struct fault *fault)
{
	size_t i, count = 0;
	const char *first_check = NULL, *first = NULL;
	json_t *check;

	json_array_foreach (json_object_get(report, "checks"), i, check) {
		json_t *found = json_object_get(check, "found");

		if (!first && json_array_size(found)) {
			first = json_string_value(json_array_get(found, 0));
			first_check = json_string_value(json_object_get(check, "check"));
		}
		count += json_array_size(found);
	}
	if (!count)
		return 0;
	if (count > 1)
		return fault_set(
			fault, EBADMSG, "damaged: %s: %s (and %zu more)", first_check, first, count - 1);
	return fault_set(fault, EBADMSG, "damaged: %s: %s", first_check, first);
}
