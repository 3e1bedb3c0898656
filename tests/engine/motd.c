/* SPDX-License-Identifier: MIT */
/* Stacks with a file that drifts, for tests of drift. */
#include "tests/engine/motd.h"

#include <errno.h>
#include <string.h>

#include "engine/event.h"

/* A resource of alice's that a workflow has brought about. */
int64_t motd_applied(struct fixture *f, struct caller *caller, int64_t stack, const char *type,
	const char *name, const char *properties)
{
	json_auto_t *value = json_loads(properties, 0, NULL);
	struct resource_draft draft = { .type = type,
		.name = name,
		.properties = value,
		.applied = value,
		.actual = value,
		.status = "applied",
		.protect = -1 };
	enum resource_result result;
	int64_t id;

	assert_non_null(value);
	assert_int_equal(resource_put(f->engine, caller, stack, &draft, &f->fault, &result, &id), 0);
	return id;
}

/* A stack with the file /etc/motd, mode 0644. */
int64_t motd_new(struct fixture *f, int64_t *ret_stack)
{
	*ret_stack = fixture_stack(f, "a");
	return motd_applied(f, &f->alice, *ret_stack, "file", "/etc/motd",
		"{\"path\": \"/etc/motd\", \"ensure\": \"present\", \"mode\": \"0644\", \"owner\": "
		"\"root\"}");
}

int motd_take(struct fixture *f, struct caller *caller, int64_t stack, const char *rows)
{
	json_error_t error;
	json_auto_t *value = json_loads(rows, 0, &error);

	if (!value)
		fail_msg("%s in %s", error.text, rows);
	return drift_take(f->engine, caller, stack, value);
}

void assert_status(struct fixture *f, int64_t id, const char *status)
{
	CLEANUP(resource_done) struct resource resource = { 0 };

	assert_int_equal(resource_get(f->engine, id, &resource), 0);
	assert_string_equal(resource.status, status);
}

void assert_finding(struct fixture *f, int64_t stack, const char *property, const char *status)
{
	CLEANUP(finding_done) struct finding finding = { 0 };
	int r = finding_find(f->engine, stack, "file", "/etc/motd", property, &finding);

	if (!status) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(finding.status, status);
}

static int last_event(void *userdata, const struct event *event)
{
	snprintf(userdata, 1024, "%s", event->json);
	return 0;
}

void assert_event(struct fixture *f, int64_t stack, const char *part)
{
	char text[1024] = "";

	assert_int_equal(event_each(f->engine, 0, stack, last_event, text), 0);
	assert_contains(text, part);
}

struct drift_summary motd_sum(struct fixture *f, int64_t stack)
{
	struct drift_summary summary;

	assert_int_equal(drift_summarise(f->engine, stack, &summary), 0);
	return summary;
}
