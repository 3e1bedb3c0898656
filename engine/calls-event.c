/* SPDX-License-Identifier: MIT */
/* What runs tell the audit trail. It is kept for ever, and others read it: so there is a limit to each event,
 * and to how many come of one run. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "engine/calls.h"
#include "engine/event.h"

enum {
	DATA_MAX = 16 << 10, /* bytes of an event's data as JSON */
	EVENTS_MAX = 10000,  /* of a run, since its daemon began */
};

/* What the trail says of these, the daemon says. */
static const char *const own_types[] = { "lock.", "stack.", "run.", "output.", "state.", "namespace.",
	"folder.", "config.", "values.", "resource.", "secret.", "keys.", "events.", "snapshot.", "dep.",
	"tag.", "workflow.", "drift.", "backup.created", "backup.deleted", "backup.failed", "backup.restored",
	"check.failed", "metric." };

static int check_type(struct call *call, const char *type)
{
	for (size_t i = 0; i < sizeof(own_types) / sizeof(own_types[0]); i++)
		if (!strncmp(own_types[i], type, strlen(own_types[i])))
			return fault_set(&call->fault, EPERM, "events of the type %s… are the daemon's own",
				own_types[i]);
	if (name_check(type) == 0)
		return 0;
	return fault_set(&call->fault, EINVAL,
		"\"%.150s\" is no type of event: it is one word of letters, digits, '.', '_' and '-', like "
		"deploy.done",
		type);
}

int call_add_event(struct call *call, const char *type, json_t *data)
{
	size_t size = data ? json_dumpb(data, NULL, 0, JSON_COMPACT) : 0;

	if (size > DATA_MAX)
		return fault_set(&call->fault, EFBIG,
			"the data of the event %s has %zu bytes, and the limit is %d", type, size, DATA_MAX);
	if (call->runner->events >= EVENTS_MAX)
		return fault_set(&call->fault, EDQUOT,
			"run %lld has left %d events, which is the limit: the audit trail is kept for ever",
			(long long)call->run.id, EVENTS_MAX);
	call->runner->events++;
	return event_add(call->engine, &call->caller, type, call->run.stack_id, call->run.stack, call->run.id,
		json_incref(data));
}

static int add_event(struct call *call)
{
	json_t *data = json_object_get(call->args, "data");
	const char *type;
	int r = call_need_text(call, "type", &type);

	if (r == 0)
		r = check_type(call, type);
	call->value = json_true();
	return r < 0 ? r : call_add_event(call, type, json_is_object(data) ? data : NULL);
}

const struct call_row event_calls[] = {
	{ "event.add", add_event, true },
	{ NULL },
};
