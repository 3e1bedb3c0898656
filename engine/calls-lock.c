/* SPDX-License-Identifier: MIT */
/* Named locks for runs: lock.acquire, lock.try, lock.release. They end with the run at the latest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/calls.h"
#include "engine/lock-table.h"
#include "engine/named-lock.h"

/* A call that waits for a lock. */
struct call_wait {
	TAILQ_ENTRY(call_wait) entry;
	struct runner *runner;
	int64_t seq;
	struct lock_wait *wait;
};

static const char *text_of(const struct call *call, const char *key)
{
	return json_string_value(json_object_get(call->args, key));
}

static int name_of(struct call *call, const char **ret_name)
{
	*ret_name = text_of(call, "name");
	return *ret_name ? 0 : fault_set(&call->fault, EINVAL, "the argument \"name\" must be a string");
}

/* Which part of the run asks: a coroutine that the library names, else the task. */
static const char *part_of(const struct call *call)
{
	const char *holder = text_of(call, "holder");

	return holder ? holder : call->task ? call->task : "";
}

static int request_make(struct call *call, struct lock_request *ret_request)
{
	const char *reason = text_of(call, "reason");
	int64_t ttl_ms = json_integer_value(json_object_get(call->args, "ttl_ms"));

	if (ttl_ms < 0)
		return fault_set(&call->fault, EINVAL, "a ttl is not below 0");
	*ret_request = (struct lock_request){
		.kind = LOCK_RUN,
		.owner = (uint64_t)call->run.id,
		.part = part_of(call),
		.pid = call->runner->pid,
		.ttl_ms = ttl_ms,
	};
	snprintf(ret_request->operation, LOCK_WORD_MAX, "%s%.200s", call->task ? "task " : "run",
		call->task ? call->task : "");
	snprintf(ret_request->reason, LOCK_WORD_MAX, "%s", reason ? reason : "");
	return 0;
}

static void call_wait_done(void *userdata, int result, int64_t token, const struct fault *fault)
{
	struct call_wait *wait = userdata;

	TAILQ_REMOVE(&wait->runner->call_waits, wait, entry);
	runner_call_answer(wait->runner, wait->seq, result, fault, result == 0 ? json_integer(token) : NULL);
	free(wait);
}

static int wait_for(struct call *call, struct lock_target target, const struct lock_request *request)
{
	CLEANUP(cleanup_free) struct call_wait *wait = calloc(1, sizeof(*wait));
	int64_t token = 0, wait_ms = json_integer_value(json_object_get(call->args, "wait_ms"));
	int r;

	if (!wait)
		return -ENOMEM;
	*wait = (struct call_wait){ .runner = call->runner, .seq = call->seq };
	r = lock_wait(call->engine, &call->caller, target, request, wait_ms < 0 ? 0 : wait_ms, call_wait_done,
		wait, &call->fault, &token, &wait->wait);
	if (r < 0)
		return r;
	if (!wait->wait) {
		call->value = json_integer(token);
		return 0;
	}
	TAILQ_INSERT_TAIL(&call->runner->call_waits, wait, entry);
	wait = NULL; /* it is in the list now */
	return CALL_LATER;
}

static int lock_begin(struct call *call, struct lock_target *ret_target, struct lock_request *ret_request)
{
	const char *name;
	int64_t id = 0;
	int r = name_of(call, &name);

	if (r == 0)
		r = request_make(call, ret_request);
	if (r == 0)
		r = named_lock_need(call->engine, &call->caller, name, true, &call->fault, &id);
	*ret_target = lock_of_name(id);
	return r;
}

static int call_acquire(struct call *call)
{
	struct lock_request request;
	struct lock_target target;
	int r = lock_begin(call, &target, &request);

	return r < 0 ? r : wait_for(call, target, &request);
}

static int call_try(struct call *call)
{
	struct lock_request request;
	struct lock_target target;
	int64_t token;
	int r = lock_begin(call, &target, &request);

	if (r == 0)
		r = lock_acquire(call->engine, &call->caller, target, &request, &call->fault, &token);
	call->value = r == 0 ? json_integer(token) : json_false();
	return r == -EBUSY ? 0 : r;
}

/* Also takes back a wait: a task that is broken off waits no more, and shall not have it later. */
static int call_release(struct call *call)
{
	CLEANUP(lock_rows_done) struct lock_rows rows = { 0 };
	struct named_lock named;
	const char *name;
	bool found = false;
	int r = name_of(call, &name);

	if (r == 0)
		r = named_lock_find(call->engine, name, &named);
	if (r == 0) {
		struct lock_target target = lock_of_name(named.id);

		found = lock_queue_cancel_run(call->engine->locks, call->run.id, &target, part_of(call)) > 0;
		r = lock_rows_get(call->engine, target, &rows);
	}
	for (size_t i = 0; i < rows.count && r == 0; i++) {
		if (rows.rows[i].kind != LOCK_RUN || (int64_t)rows.rows[i].owner != call->run.id)
			continue;
		found = true;
		r = lock_row_delete(call->engine, &call->caller, &rows.rows[i], "lock.released", "");
	}
	call->value = json_boolean(found);
	return r == -ENOENT ? 0 : r;
}

const struct call_row lock_calls[] = {
	{ "lock.acquire", call_acquire, true },
	{ "lock.try", call_try, true },
	{ "lock.release", call_release, true },
	{ NULL },
};

bool lock_call_waits(struct runner *runner, int64_t seq)
{
	struct call_wait *wait;

	TAILQ_FOREACH (wait, &runner->call_waits, entry)
		if (wait->seq == seq)
			return true;
	return false;
}

void lock_calls_done(struct runner *runner)
{
	struct call_wait *wait;

	while ((wait = TAILQ_FIRST(&runner->call_waits))) {
		TAILQ_REMOVE(&runner->call_waits, wait, entry);
		lock_wait_cancel(wait->wait);
		free(wait);
	}
}
