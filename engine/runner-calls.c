/* SPDX-License-Identifier: MIT */
/* Calls of runs: their stack; and how a call is run and answered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/calls.h"
#include "engine/kv.h"
#include "engine/lock.h"
#include "engine/quota.h"

const char *call_text(struct call *call, const char *key)
{
	return json_string_value(json_object_get(call->args, key));
}

int call_need_text(struct call *call, const char *key, const char **ret_text)
{
	*ret_text = call_text(call, key);
	return *ret_text ? 0 : fault_set(&call->fault, EINVAL, "the argument \"%s\" must be a string", key);
}

int call_may_change(struct call *call)
{
	struct stack stack;
	struct lock lock;
	int r = stack_get(call->engine, call->run.stack_id, &stack);

	if (r < 0)
		return fault_set(&call->fault, ESTALE, "the stack %s is gone", call->run.stack);
	if (stack_access(&call->caller, &stack, MAY_WRITE | MAY_EXECUTE) < 0)
		return fault_set(&call->fault, EACCES, "you may not change the stack %s", stack.name);
	r = quota_store(call->engine, call->run.uid, 0, &call->fault);
	if (r < 0)
		return r;
	/* As the submitter, not as the run: a run's lock is proved by its token only. */
	if (!call->run.lock_token) {
		r = lock_check_automation(call->engine, stack.id, &call->fault);
		return r < 0 ? r : lock_check(call->engine, &call->runner->submitter, stack.id, &call->fault);
	}
	if (lock_get(call->engine, lock_of_stack(stack.id), &lock) == 1 && lock.token == call->run.lock_token)
		return 0;
	return fault_set(&call->fault, ESTALE,
		"the lock with token %lld, under which run %lld changes the stack %s, is gone (the newest "
		"token is %lld)",
		(long long)call->run.lock_token, (long long)call->run.id, stack.name, (long long)stack.token);
}

int call_own_stack(struct call *call, struct stack *ret_stack)
{
	int r = stack_get(call->engine, call->run.stack_id, ret_stack);

	if (r < 0)
		return fault_set(&call->fault, ESTALE, "the stack %s is gone", call->run.stack);
	if (stack_access(&call->caller, ret_stack, MAY_READ | MAY_EXECUTE) < 0)
		return fault_set(&call->fault, EACCES, "you may not read the stack %s", ret_stack->name);
	return 0;
}

int call_stack(struct call *call, struct stack *ret_stack)
{
	const char *name = call_text(call, "stack");
	int r;

	if (!name)
		return call_own_stack(call, ret_stack);
	r = stack_find(call->engine, name, ret_stack);
	if (r == -ENOENT)
		return fault_set(&call->fault, ENOENT, "there is no stack %s", name);
	if (r == 0 && stack_access(&call->caller, ret_stack, MAY_READ | MAY_EXECUTE) < 0)
		return fault_set(&call->fault, EACCES, "you may not read the stack %s", name);
	return r;
}

static int stack_info(struct call *call)
{
	CLEANUP(buffer_done) struct buffer description = { 0 };
	CLEANUP(buffer_done) struct buffer version = { 0 };
	struct stack stack;
	int r = call_stack(call, &stack);

	if (r == 0)
		r = stack_text(call->engine, stack.id, STACK_DESCRIPTION, &description, NULL);
	if (r == 0)
		r = stack_text(call->engine, stack.id, STACK_VERSION, &version, NULL);
	if (r == 0)
		call->value = json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)stack.id, "name",
			stack.name, "status", stack_status_name(stack.status), "description",
			buffer_text(&description), "version", buffer_text(&version));
	return r;
}

static const struct call_row basic_calls[] = {
	{ "stack.info", stack_info, false },
	{ NULL },
};

static const struct call_row *const tables[] = { basic_calls, artifact_calls, event_calls, image_calls,
	lock_calls, metric_calls, output_calls, resource_calls, rollback_calls, secret_calls, state_calls };

static const struct call_row *find_row(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct call_row *row = tables[i]; row->name; row++)
			if (!strcmp(row->name, name))
				return row;
	return NULL;
}

static json_t *answer_json(int64_t seq, int result, const struct fault *fault, json_t *value)
{
	if (result < 0)
		return json_pack("{s:s, s:I, s:s, s:s}", "op", "return", "seq", (json_int_t)seq, "errno",
			fault_errno_name(-result), "text", *fault->text ? fault->text : strerror(-result));
	return json_pack(
		"{s:s, s:I, s:b, s:O?}", "op", "return", "seq", (json_int_t)seq, "ok", 1, "value", value);
}

enum { ANSWER_HEAD = 256 }; /* bytes around a value */

/* The store is out of order: the frame comes again instead of telling the workflow. */
static bool store_failure(int r)
{
	return r == -EIO || r == -ENOSPC || r == -ENOMEM || r == -EBADMSG;
}

/* What does not fit into a frame would never arrive, and the workflow wait for it for ever. */
static int check_size(struct call *call)
{
	size_t size = call->value ? json_dumpb(call->value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0;

	if (size <= FRAME_HEAD_MAX - ANSWER_HEAD)
		return runner_answers(call->runner, ANSWER_HEAD + size) ? 0 : -EPROTO;
	return fault_set(&call->fault, EFBIG,
		"the answer would have %zu bytes, and the limit is %d: ask for less at a time", size,
		FRAME_HEAD_MAX - ANSWER_HEAD);
}

static int run_row(const struct call_row *row, struct call *call)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(call->engine->store, &change);

	if (r == 0)
		r = kv_explain(call->engine, row->run(call), &call->fault);
	if (r == 0)
		r = check_size(call);
	if (r >= 0) {
		int r2 = store_change_end(&change);

		r = r2 < 0 ? r2 : r;
	}
	return r;
}

static int send_kept_answer(struct runner *runner, int64_t seq)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int r = run_find_answer(runner->of->engine, runner->run_id, seq, &text);

	return r < 0 ? r
		     : json_array_append_new(runner->after_commit, json_loadb(text.data, text.size, 0, NULL));
}

static int keep_answer(struct runner *runner, int64_t seq, json_t *answer)
{
	CLEANUP(cleanup_free) char *text = json_dumps(answer, JSON_COMPACT);

	return text ? run_keep_answer(runner->of->engine, runner->run_id, seq, text) : -ENOMEM;
}

/* It leaves after the commit: see turn_ended(). The answer is stolen. */
static int send_answer(struct runner *runner, int64_t seq, bool keep, json_t *answer)
{
	int r = answer ? 0 : -ENOMEM;

	if (r == 0 && keep)
		r = keep_answer(runner, seq, answer);
	if (r < 0) {
		json_decref(answer);
		return r;
	}
	return json_array_append_new(runner->after_commit, answer) == 0 ? 0 : -ENOMEM;
}

int runner_call_answer(
	struct runner *runner, int64_t seq, int result, const struct fault *fault, json_t *value)
{
	json_auto_t *owned = value;

	return send_answer(runner, seq, true, answer_json(seq, result, fault, owned));
}

int runner_call(struct runner *runner, int64_t seq, json_t *head)
{
	struct engine *engine = runner->of->engine;
	const char *name = json_string_value(json_object_get(head, "fn"));
	int64_t got = json_integer_value(json_object_get(head, "got"));
	json_auto_t *value = NULL;
	struct call call = { .runner = runner,
		.engine = engine,
		.seq = seq,
		.task = json_string_value(json_object_get(head, "task")),
		.args = json_object_get(head, "args") };
	const struct call_row *row = name ? find_row(name) : NULL;
	uint64_t before;
	bool again;
	int r;

	if (row && row->changes && (send_kept_answer(runner, seq) == 0 || lock_call_waits(runner, seq)))
		return 0;
	r = run_get(engine, runner->run_id, &call.run);
	call.caller = runner->submitter;
	call.caller.run_id = runner->run_id;
	if (r == 0 && got > 0)
		r = run_drop_answers(engine, runner->run_id, got);
	if (r < 0)
		return r;
	/* What is the run's has ended with it: a lock that it took now would never be released. */
	if (run_status_final(call.run.status))
		return send_answer(runner, seq, false,
			answer_json(seq, -ECANCELED, &(struct fault){ ECANCELED, "the run is over" }, NULL));
	before = store_write_count(engine->store);
	r = row ? run_row(row, &call)
		: fault_set(&call.fault, ENOSYS, "the daemon knows no function %s", name ? name : "");
	value = call.value;
	if (store_failure(r) || r == -EPROTO || r == CALL_LATER)
		return r < 0 ? r : 0;
	/* What wrote nothing may be asked again. */
	again = r == 0 && call.idempotent && store_write_count(engine->store) == before;
	return send_answer(
		runner, seq, row && row->changes && !again, answer_json(seq, r, &call.fault, call.value));
}
