/* SPDX-License-Identifier: MIT */
/* What the process that looks for drift is asked, in parts, and what it tells. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "engine/adopt.h"
#include "engine/detect-given.h"
#include "engine/detect-internal.h"
#include "engine/resource-secret.h"
#include "engine/resource.h"
#include "engine/run-undo.h"

enum {
	PART_ROWS = 100,	/* resources of a frame */
	PART_BYTES = 256 << 10, /* … or so many bytes */
	WORKFLOW_MS = 12000,	/* for the workflow's text */
};

static const size_t memory_bytes = 256 << 20;

/* What is asked. */

static int add_id(struct detection *detection, int64_t id)
{
	int64_t *ids = detection->ids;

	/* A power of two: it is full. */
	if ((detection->count & (detection->count - 1)) == 0)
		ids = realloc(ids, (detection->count ? 2 * detection->count : 1) * sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	detection->ids = ids;
	ids[detection->count++] = id;
	return 0;
}

int detect_rows_begin(struct detection *detection)
{
	CLEANUP(query_endp) struct query *query = NULL;
	int r;

	STAILQ_INIT(&detection->glances);
	detection->asked = json_object();
	if (!detection->asked)
		return -ENOMEM;
	if (detection->resource_id)
		return add_id(detection, detection->resource_id);
	query = query_begin(detection->of->engine->store, SQL_RESOURCE_IDS, "i", detection->stack_id);
	while ((r = query_step(query)) > 0) {
		r = add_id(detection, query_int(query, 0));
		if (r < 0)
			return r;
	}
	return r;
}

void detect_rows_done(struct detection *detection)
{
	detect_glances_done(detection);
	free(detection->ids);
	json_decref(detection->asked);
}

/* Only the owner's and root's: it is loaded with the owner's rights. */
static int trusted_workflow(struct detection *detection, struct run *ret_run, struct buffer *ret_text)
{
	struct engine *engine = detection->of->engine;
	int64_t id;
	int r = store_get_int(engine->store, &id, SQL_RUN_TRUSTED, "iisss", detection->stack_id,
		(int64_t)detection->uid, DRIFT_FIX_FILE, ADOPT_FILE, RUN_UNDO_FILE);

	if (r == 0)
		r = run_get(engine, id, ret_run);
	if (r == 0)
		r = run_text(engine, id, RUN_WORKFLOW, ret_text);
	return r;
}

static json_t *values_of(struct engine *engine, int64_t run_id)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	json_t *values = NULL;

	if (run_id && run_text(engine, run_id, RUN_VALUES, &text) == 0 && text.size)
		values = json_loadb(text.data, text.size, 0, NULL);
	return values ? values : json_object();
}

int detect_rows_order(
	struct detection *detection, const char *work, json_t **ret_head, struct buffer *ret_text)
{
	struct engine *engine = detection->of->engine;
	json_auto_t *imports = NULL;
	struct run run = { 0 };
	struct stack stack;
	int r = stack_get(engine, detection->stack_id, &stack);

	if (r == 0)
		r = trusted_workflow(detection, &run, ret_text);
	if (r < 0 && r != -ENOENT)
		return r;
	if (run.id)
		imports = run_imports(engine, run.id);
	*ret_head = json_pack("{s:s, s:s, s:s, s:o, s:s, s:O?, s:{s:i, s:I, s:i}}", "op", "detect", "stack",
		stack.name, "file", *run.file ? run.file : "workflow", "values", values_of(engine, run.id),
		"workdir", work, "imports", imports, "limits", "max_parallel_tasks", 1, "memory_bytes",
		(json_int_t)memory_bytes, "loading_ms", WORKFLOW_MS);
	return *ret_head ? 0 : -ENOMEM;
}

json_t *detect_row_json(const struct resource *resource)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o}", "id", (json_int_t)resource->id, "type",
		resource->type, "name", resource->name, "module", resource->module, "desired",
		json_loads(resource->desired, 0, NULL), "applied",
		*resource->applied ? json_loads(resource->applied, 0, NULL) : json_null());
}

/* Whom the daemon looks for what it gives with a row: the owner, of whom the groups are known only when it
 * was he who asked. */
static json_t *given(struct detection *detection, const struct resource *resource)
{
	struct caller owner = { .uid = detection->uid, .gid = (gid_t)-1, .groups_known = true };

	return detect_given(detection->of->engine,
		detection->caller.uid == detection->uid ? &detection->caller : &owner, resource);
}

const char *detect_id_text(int64_t id, char ret_text[24])
{
	snprintf(ret_text, 24, "%" PRId64, id);
	return ret_text;
}

/* What somebody else asks for is not read with the owner's rights. */
static void why_refused(const struct resource *resource, char *ret_text, size_t size)
{
	char who[64] = "somebody";

	if (resource->uid >= 0)
		caller_user_name((uid_t)resource->uid, who, sizeof(who));
	snprintf(ret_text, size,
		"it was %s who asked for it, not the stack's owner: it is not read with the owner's rights "
		"before "
		"a workflow of the owner or of root asks for the same",
		who);
}

static int refuse_row(struct detection *detection, const struct resource *resource, const char *text)
{
	json_auto_t *rows = NULL;

	rows = json_pack("[{s:I, s:s, s:s, s:s, s:s, s:[]}]", "id", (json_int_t)resource->id, "type",
		resource->type, "name", resource->name, "state", "unknown", "error", text, "findings");
	return rows ? drift_take(detection->of->engine, &detection->caller, detection->stack_id, rows)
		    : -ENOMEM;
}

/* One that is gone is passed over. 0 or -errno. */
static int add_row(struct detection *detection, int64_t id, json_t *rows, size_t *ret_size)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	const struct stack stack = { .uid = detection->uid };
	struct fault fault = { 0 };
	char text[24], why[512];
	int r = resource_get(detection->of->engine, id, &resource);
	json_t *row, *more;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!resource_is_trusted(&resource, &stack)) {
		why_refused(&resource, why, sizeof(why));
		return refuse_row(detection, &resource, why);
	}
	row = detect_row_json(&resource);
	if (!row)
		return -EBADMSG;
	if (resource_is_secret(&resource))
		r = resource_secret_fill(detection->of->engine, &resource, detection->uid, row, &fault);
	if (r < 0) {
		json_decref(row);
		return fault.code ? refuse_row(detection, &resource, fault.text) : r;
	}
	more = given(detection, &resource);
	if (more)
		json_object_set_new(row, "given", more);
	*ret_size += strlen(resource.desired) + strlen(resource.applied);
	json_object_set_new(detection->asked, detect_id_text(id, text), json_integer(time_now_ms()));
	return json_array_append_new(rows, row) < 0 ? -ENOMEM : 0;
}

/* Whether there are no more. */
static bool all_sent(const struct detection *detection)
{
	return detection->next == detection->count && detection->glance_count == 0 &&
	       detection->at == detection->rows;
}

static int send_part(struct detection *detection)
{
	json_auto_t *rows = json_array();
	json_auto_t *head = NULL;
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size = 0;
	int r = rows ? 0 : -ENOMEM;

	while (r == 0 && detection->at < detection->rows && json_array_size(rows) < PART_ROWS &&
		size < PART_BYTES)
		r = add_row(detection, detection->ids[detection->at++], rows, &size);
	if (r < 0)
		return r;
	detection->last = all_sent(detection);
	head = json_pack("{s:s, s:O, s:b}", "op", "resources", "resources", rows, "last", detection->last);
	text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	return text ? conn_send(&detection->conn, text, strlen(text), NULL, 0) : -ENOMEM;
}

int detect_rows_send(struct detection *detection)
{
	int r = detect_glances_send(detection);

	while (r == 0 && json_object_size(detection->asked) < PART_ROWS &&
		(detection->at < detection->rows || (!detection->last && all_sent(detection))))
		r = send_part(detection);
	return r;
}

bool detect_rows_over(const struct detection *detection)
{
	return all_sent(detection) && json_object_size(detection->asked) == 0;
}

/* What is told. */

/* Rows of what was asked for, once each, with the moment when the daemon read them. The process is its
 * owner's, and may say what it likes. */
static json_t *asked_rows(struct detection *detection, const json_t *told)
{
	json_t *rows = json_array(), *row, *read_ms;
	char text[24];
	size_t i;

	json_array_foreach (told, i, row) {
		detect_id_text(json_integer_value(json_object_get(row, "id")), text);
		read_ms = json_object_get(detection->asked, text);
		if (!read_ms)
			continue;
		json_object_set(row, "read_ms", read_ms);
		json_object_del(row, "changed_by");
		json_array_append(rows, row);
		json_object_del(detection->asked, text);
	}
	return rows;
}

int detect_rows_take(struct detection *detection, const json_t *head, struct fault *fault)
{
	uint64_t failures = memory_failures();
	json_auto_t *rows = asked_rows(detection, json_object_get(head, "resources"));
	const char *text = json_string_value(json_object_get(head, "text"));
	int r = 0;

	if (text)
		return fault_set(fault, EIO, "%s", text);
	if (failures != memory_failures())
		return fault_set(fault, ENOMEM, "out of memory");
	if (json_array_size(rows))
		r = drift_take(detection->of->engine, &detection->caller, detection->stack_id, rows);
	if (r == -EINVAL)
		return fault_set(fault, EIO, "the process that was to look for drift told what is no report");
	return r < 0 ? fault_set(fault, -r, "what was seen could not be stored: %s", strerror(-r)) : 0;
}
