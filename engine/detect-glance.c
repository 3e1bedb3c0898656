/* SPDX-License-Identifier: MIT */
/* What was as it is asked for when it was seen last: whether it still is can be said in few words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/detect-internal.h"
#include "engine/resource.h"

enum {
	GLANCE_ROWS = 500,	  /* of a frame */
	GLANCE_BYTES = 128 << 10, /* … or so many bytes */
	GLANCES_MAX = 2,	  /* frames under way */
	ROWS_AHEAD = 1000,	  /* that are found on the way, for providers, before some of them are sent */
};

/* A frame that is under way. */
struct glance {
	STAILQ_ENTRY(glance) glances;
	size_t count;
	int64_t ids[GLANCE_ROWS];
};

static int append_text(struct buffer *body, const char *text)
{
	return buffer_append(body, text, strlen(text) + 1);
}

/* 1: it is in the body now; 0: its provider has to look; -errno. */
static int add_row(struct detection *detection, int64_t id, struct buffer *body)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(detection->of->engine->store, SQL_RESOURCE_SETTLED, "i", id);
	const struct stack stack = { .uid = detection->uid };
	struct resource resource = { 0 };
	int r = query_step(query);

	if (r <= 0)
		return r;
	resource.uid = query_int(query, 3);
	if (!resource_is_trusted(&resource, &stack))
		return 0;
	for (int i = 0; r >= 0 && i < 3; i++)
		r = append_text(body, query_text(query, i));
	return r < 0 ? r : 1;
}

static bool may_go_on(const struct detection *detection)
{
	return detection->next < detection->count && detection->rows - detection->at < ROWS_AHEAD;
}

/* Takes the next ids; those that a provider looks at stay in the list, at its beginning. */
static int fill(struct detection *detection, struct glance *glance, struct buffer *body)
{
	while (may_go_on(detection) && glance->count < GLANCE_ROWS && body->size < GLANCE_BYTES) {
		int64_t id = detection->ids[detection->next++];
		int r = add_row(detection, id, body);

		if (r < 0)
			return r;
		if (r > 0)
			glance->ids[glance->count++] = id;
		else
			detection->ids[detection->rows++] = id;
	}
	return 0;
}

static int send_one(struct detection *detection)
{
	static const char head[] = "{\"op\":\"glance\"}";
	CLEANUP(cleanup_free) struct glance *glance = calloc(1, sizeof(*glance));
	CLEANUP(buffer_done) struct buffer body = { 0 };
	int r = glance ? fill(detection, glance, &body) : -ENOMEM;

	if (r < 0 || !glance->count)
		return r;
	r = conn_send(&detection->conn, head, strlen(head), body.data, body.size);
	if (r < 0)
		return r;
	detection->glance_count++;
	STAILQ_INSERT_TAIL(&detection->glances, glance, glances);
	TAKE(glance);
	return 0;
}

int detect_glances_send(struct detection *detection)
{
	int r = 0;

	while (r == 0 && may_go_on(detection) && detection->glance_count < GLANCES_MAX)
		r = send_one(detection);
	return r;
}

static void remove_first(struct detection *detection)
{
	struct glance *glance = STAILQ_FIRST(&detection->glances);

	STAILQ_REMOVE_HEAD(&detection->glances, glances);
	detection->glance_count--;
	free(glance);
}

void detect_glances_done(struct detection *detection)
{
	while (!STAILQ_EMPTY(&detection->glances))
		remove_first(detection);
}

int detect_glances_take(struct detection *detection, const json_t *head, struct fault *fault)
{
	const struct glance *glance = STAILQ_FIRST(&detection->glances);
	json_auto_t *nothing = json_array();
	json_t *other;
	size_t i, last = 0;

	if (!glance)
		return fault_set(fault, EIO, "the process that was to look for drift told what nobody asked");
	/* In their order, so each of them once. */
	json_array_foreach (json_object_get(head, "others"), i, other) {
		size_t at = (size_t)json_integer_value(other);

		if (at < last || at >= glance->count)
			break;
		detection->ids[detection->rows++] = glance->ids[at];
		last = at + 1;
	}
	remove_first(detection);
	/* They are as they were; what is new is the time. */
	return nothing ? drift_take(detection->of->engine, &detection->caller, detection->stack_id, nothing)
		       : -ENOMEM;
}
