/* SPDX-License-Identifier: MIT */
/* The stack's side of undoing a run. */
#include "engine/undo.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/image.h"
#include "engine/resource-secret.h"
#include "engine/resource.h"
#include "engine/restore.h"

/* What was known of a thing before the run changed it for the first time. */
struct row {
	char *type, *name;
	json_t *known;
};

struct rows {
	json_t *seen; /* set of "TYPE/NAME" */
	json_t *ids;  /* of their first images */
};

static int add_first(void *userdata, const struct image *image)
{
	struct rows *rows = userdata;
	json_auto_t *label = json_sprintf("%s/%s", image->type, image->name);

	if (!label)
		return -ENOMEM;
	if (json_object_get(rows->seen, json_string_value(label)))
		return 0;
	json_object_set_new(rows->seen, json_string_value(label), json_true());
	return json_array_append_new(rows->ids, json_integer((json_int_t)image->id)) < 0 ? -ENOMEM : 0;
}

static void row_done(struct row *row)
{
	free(row->type);
	free(row->name);
	json_decref(row->known);
}

static int take_row(void *userdata, const struct image *image, json_t *data)
{
	struct row *row = userdata;

	row->type = strdup(image->type);
	row->name = strdup(image->name);
	row->known = json_incref(json_object_get(data, "row"));
	return row->type && row->name ? 0 : -ENOMEM;
}

/* The older sealed values: the wish, which is what it was, does not tell them from the newer ones. */
static int set_secrets(struct engine *engine, struct caller *caller, int64_t id, const json_t *secrets)
{
	struct fault fault = { 0 };

	if (!secrets)
		return 0;
	return resource_secret_put(engine, id, caller->uid, NULL, json_object_get(secrets, "desired"),
		json_object_get(secrets, "applied"), &fault);
}

static int set_row(struct engine *engine, struct caller *caller, int64_t stack_id, const struct row *row)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	const char *checksum = json_string_value(json_object_get(row->known, "checksum"));
	json_auto_t *nothing = json_null();
	json_t *applied = json_object_get(row->known, "applied");
	const struct resource_draft draft = {
		.type = row->type,
		.name = row->name,
		.protect = -1,
		.status = json_string_value(json_object_get(row->known, "status")),
		.applied = applied ? applied : nothing,
		.applied_ms = json_integer_value(json_object_get(row->known, "applied_ms")),
		.update = true,
	};
	enum resource_result result;
	struct fault fault = { 0 };
	int64_t id;
	int r = resource_find(engine, stack_id, row->type, row->name, &id);

	if (r == 0)
		r = resource_get(engine, id, &resource);
	if (r == -ENOENT || (r == 0 && (!checksum || strcmp(checksum, resource.checksum))))
		return 0;
	if (r == 0)
		r = set_secrets(engine, caller, id, json_object_get(row->known, "secrets"));
	return r < 0 ? r : resource_put(engine, caller, stack_id, &draft, &fault, &result, &id);
}

int undo_resource_rows(struct engine *engine, struct caller *caller, int64_t stack_id, int64_t run_id)
{
	json_auto_t *seen = json_object();
	json_auto_t *ids = json_array();
	struct rows rows = { seen, ids };
	json_t *id;
	size_t i;
	int r = image_each(engine, run_id, add_first, &rows);

	json_array_foreach (ids, i, id) {
		CLEANUP(row_done) struct row row = { 0 };
		struct fault damaged = { 0 };

		if (r == 0)
			r = image_get(engine, json_integer_value(id), &damaged, take_row, &row);
		if (r == -EBADMSG)
			r = 0; /* nothing is known of it: the next look at the world says */
		else if (r == 0)
			r = set_row(engine, caller, stack_id, &row);
	}
	return r;
}

/* From which version to which. 0: the run has changed nothing of the stack; 1: it has. */
static int find_restore(struct engine *engine, const struct run *run, bool force, struct fault *fault,
	struct restore *ret_restore)
{
	int64_t before = 0, until = 0;
	int r = store_get_int(engine->store, &until, SQL_VERSION_OF_RUN, "ii", run->stack_id, run->id);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = run_before(engine, run->id, &before);
	if (r == 0 && !before)
		return fault_set(fault, ENOENT, "what stack %s was before run %" PRId64 " is not known",
			run->stack, run->id);
	if (r < 0)
		return r;
	restore_all(before, ret_restore);
	ret_restore->until = until;
	ret_restore->force = force;
	return 1;
}

int undo_stack_check(struct engine *engine, const struct run *run, bool force, struct fault *fault)
{
	struct restore restore;
	int r = find_restore(engine, run, force, fault, &restore);

	return r <= 0 ? r : restore_check(engine, run->stack_id, &restore, fault);
}

int undo_stack_left(struct engine *engine, const struct run *run, int64_t *ret_count)
{
	struct fault unknown = { 0 };
	struct restore restore;
	int r = find_restore(engine, run, false, &unknown, &restore);

	restore.standing = true;
	if (r > 0)
		return restore_count(engine, run->stack_id, &restore, &unknown, ret_count);
	*ret_count = 0;
	return r == -ENOENT ? 0 : r;
}

int undo_stack(struct engine *engine, struct caller *caller, const struct run *run, int64_t by_run,
	bool force, struct fault *fault, int64_t *ret_count, int64_t *ret_number)
{
	struct restore restore;
	int r = find_restore(engine, run, force, fault, &restore);

	*ret_count = 0;
	if (r == 0)
		r = version_last(engine, run->stack_id, ret_number);
	else if (r > 0) {
		restore.by_run = by_run;
		r = restore_version(engine, caller, run->stack_id, &restore, fault, ret_count, ret_number);
	}
	return r < 0 ? r : undo_resource_rows(engine, caller, run->stack_id, run->id);
}
