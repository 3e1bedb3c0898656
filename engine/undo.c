/* SPDX-License-Identifier: MIT */
/* The stack's side of undoing a run. */
#include "engine/undo.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/image.h"
#include "engine/resource.h"

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
