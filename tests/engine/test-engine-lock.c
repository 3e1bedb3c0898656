/* SPDX-License-Identifier: MIT */
/* Locks: grants, tokens, queues, expiry, who is stopped and what they read. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/event.h"
#include "engine/lock.h"
#include "engine/store/private.h"

static int acquire(struct fixture *f, struct caller *caller, int64_t id, enum lock_kind kind, uint64_t owner)
{
	struct lock_request request = { .kind = kind, .owner = owner };
	int64_t token;

	f->fault = (struct fault){ 0 };
	return lock_acquire(f->engine, caller, lock_of_stack(id), &request, &f->fault, &token);
}

static int64_t token_of(struct fixture *f, int64_t id)
{
	struct lock lock;

	return lock_get(f->engine, lock_of_stack(id), &lock) == 1 ? lock.token : 0;
}

static int last_event(void *userdata, const struct event *event)
{
	snprintf(userdata, 512, "%s", event->line);
	return 0;
}

static void assert_last_event(struct fixture *f, const char *part)
{
	char line[512] = "";

	event_each(f->engine, event_last(f->engine) - 1, 0, last_event, line);
	assert_contains(line, part);
}

static void test_durable(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct lock_request request = {
		.kind = LOCK_DURABLE, .operation = "deploy", .reason = "v2\nforged: yes"
	};
	char holder[128];
	struct lock lock;
	int64_t token;

	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 0);
	assert_int_equal(lock_acquire(f->engine, &f->bob, lock_of_stack(id), &request, &f->fault, &token), 0);
	assert_int_equal(token, 1);
	assert_int_equal(acquire(f, &f->alice, id, LOCK_DURABLE, 0), -EBUSY);
	snprintf(holder, sizeof(holder), "54322 (uid 54322), pid %d, command ", (int)f->bob.pid);
	assert_contains(f->fault.text, holder);
	assert_contains(f->fault.text, "ago)");
	assert_contains(f->fault.text, "operation \"deploy\", reason \"v2\\nforged: yes\"");
	assert_contains(f->fault.text, "token 1");
	assert_contains(f->fault.text, "expires ");
	assert_contains(f->fault.text, "echo 'wait=60s reason=…' > lock");
	assert_contains(f->fault.text, "echo 'force reason=…' > lock");
	/* Again by the holder: the same grant with other words. */
	strcpy(request.reason, "v3");
	request.ttl_ms = 1000000;
	assert_int_equal(lock_acquire(f->engine, &f->bob, lock_of_stack(id), &request, &f->fault, &token), 0);
	assert_int_equal(token, 1);
	assert_last_event(f, "lock.renewed");
	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 1);
	assert_string_equal(lock.reason, "v3");
	assert_in_range(lock.expires_ms - lock.since_ms, 1000000, 1100000);
	assert_int_equal(lock_renew(f->engine, &f->alice, lock_of_stack(id), 0, 0, &f->fault), -EPERM);
	assert_int_equal(lock_renew(f->engine, &f->bob, lock_of_stack(id), 0, 0, &f->fault), 0);
	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 1);
	assert_in_range(lock.expires_ms - lock.since_ms, 3600000, 3700000);
	assert_string_equal(lock.reason, "v3");
	/* Two jobs of his account that say who they are. */
	strcpy(request.by, "ci-1");
	assert_int_equal(lock_acquire(f->engine, &f->bob, lock_of_stack(id), &request, &f->fault, &token), 0);
	strcpy(request.by, "ci-2");
	assert_int_equal(
		lock_acquire(f->engine, &f->bob, lock_of_stack(id), &request, &f->fault, &token), -EBUSY);
	assert_contains(f->fault.text, "as \"ci-1\"");
	fixture_restart(f);
	assert_int_equal(token_of(f, id), 1);
	assert_int_equal(lock_release(f->engine, &f->alice, lock_of_stack(id), 0, &f->fault), -EPERM);
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(id), 0, &f->fault), 0);
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(id), 0, &f->fault), -ENOENT);
	assert_int_equal(lock_renew(f->engine, &f->bob, lock_of_stack(id), 0, 0, &f->fault), -ENOENT);
	assert_int_equal(acquire(f, &f->alice, id, LOCK_DURABLE, 0), 0);
	assert_int_equal(token_of(f, id), 2);
	assert_int_equal(lock_release(f->engine, &f->root, lock_of_stack(id), 0, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0755, NULL), 0);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0), -EACCES);
	assert_int_equal(acquire(f, &f->bob, 999, LOCK_DURABLE, 0), -ENOENT);
}

static void test_tokens_never_fall(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), last = 0;
	struct store_change change = { 0 };

	for (int i = 0; i < 5; i++) {
		assert_int_equal(acquire(f, &f->alice, id, LOCK_SESSION, 1), 0);
		assert_true(token_of(f, id) > last);
		last = token_of(f, id);
		if (i == 2)
			fixture_restart(f);
		assert_int_equal(lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 1), 0);
	}
	/* A grant that was undone never was, and nobody saw its token. */
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(acquire(f, &f->alice, id, LOCK_SESSION, 1), 0);
	store_change_cancel(&change);
	assert_int_equal(token_of(f, id), 0);
	assert_int_equal(acquire(f, &f->alice, id, LOCK_SESSION, 1), 0);
	assert_int_equal(token_of(f, id), last + 1);
}

static void test_session(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(acquire(f, &f->alice, id, LOCK_SHARED, 1), 0);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SHARED, 2), 0);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SESSION, 3), -EBUSY);
	assert_contains(f->fault.text, "(and 1 more)");
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SESSION, 2), -EBUSY); /* alice's is in the way */
	assert_int_equal(lock_release_owner(f->engine, lock_of_stack(id), LOCK_SHARED, 1), 0);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SESSION, 2), 0); /* conversion */
	assert_int_equal(token_of(f, id), 3);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SESSION, 2), 0); /* held already */
	assert_int_equal(token_of(f, id), 3);
	assert_int_equal(acquire(f, &f->alice, id, LOCK_SHARED, 1), -EBUSY);
	/* Only the descriptor, or root. */
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(id), 0, &f->fault), -EPERM);
	assert_int_equal(lock_renew(f->engine, &f->bob, lock_of_stack(id), 0, 0, &f->fault), -EINVAL);
	assert_int_equal(lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 99), 0);
	assert_int_equal(token_of(f, id), 3);
	fixture_restart(f);
	assert_int_equal(token_of(f, id), 0);
	assert_last_event(f, "reason=\"daemon ended\"");
}

static void test_run_lock(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(acquire(f, &f->alice, id, LOCK_RUN, 7), 0);
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), -EBUSY);
	assert_contains(f->fault.text, "run 7 of ");
	assert_int_equal(lock_set_run_pid(f->engine, id, 8, getpid()), -ENOENT);
	assert_int_equal(lock_set_run_pid(f->engine, id, 7, getpid()), 0);
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), 0); /* the runner itself */
	assert_int_equal(lock_check(f->engine, &f->bob, id, &f->fault), -EBUSY);
	assert_int_equal(lock_release(f->engine, &f->root, lock_of_stack(id), 0, &f->fault), -EPERM);
	assert_contains(f->fault.text, "runs/7/ctl");
	fixture_restart(f);
	assert_int_equal(token_of(f, id), 1);
	assert_int_equal(lock_release_owner(f->engine, lock_of_stack(id), LOCK_RUN, 7), 0);
	assert_int_equal(token_of(f, id), 0);
}

static void test_whom_a_session_stops(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), token = 0;
	struct caller child = f->alice;
	int fds[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) != 0);
	}
	child.pid = pid;
	assert_int_equal(acquire(f, &f->alice, id, LOCK_SESSION, 1), 0);
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(lock_check(f->engine, &child, id, &f->fault), 0);
	assert_true(lock_held_by(f->engine, &child, id, &token));
	assert_int_equal(token, 1);
	child.pid = getppid();
	assert_int_equal(lock_check(f->engine, &child, id, &f->fault), -EBUSY);
	assert_false(lock_held_by(f->engine, &child, id, &token));
	assert_int_equal(lock_check(f->engine, NULL, id, &f->fault), 0);
	lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 1);

	/* `flock 9` in a script: the process that locks is gone at once, the one that opened the file is the
	 * holder. */
	child.pid = pid;
	child.opener = getpid();
	assert_int_equal(acquire(f, &child, id, LOCK_SESSION, 1), 0);
	close(fds[1]);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), 0);
	lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 1);

	/* A shared lock stops everybody as soon as there is another. */
	assert_int_equal(acquire(f, &f->alice, id, LOCK_SHARED, 1), 0);
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), 0);
	assert_false(lock_held_by(f->engine, &f->alice, id, &token));
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SHARED, 2), 0);
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), -EBUSY);
}

static void test_force(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct stack stack;

	assert_int_equal(lock_force(f->engine, &f->alice, lock_of_stack(id), "x", NULL, &f->fault), -ENOENT);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SESSION, 1), 0);
	assert_int_equal(lock_force(f->engine, &f->bob, lock_of_stack(id), "x", NULL, &f->fault), -EPERM);
	assert_int_equal(lock_force(f->engine, &f->alice, lock_of_stack(id), "", NULL, &f->fault), -EINVAL);
	assert_int_equal(
		lock_force(f->engine, &f->alice, lock_of_stack(id), "he sleeps", NULL, &f->fault), 0);
	assert_int_equal(token_of(f, id), 0);
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(stack.token, 2);
	assert_last_event(f, "lock.force_released stack=a user=54321");
	assert_last_event(f, "holder=54322");
	assert_last_event(f, "reason=\"he sleeps\"");
	/* Its descriptor is closed later: nothing happens to the next holder. */
	assert_int_equal(acquire(f, &f->alice, id, LOCK_DURABLE, 0), 0);
	assert_int_equal(lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 1), 0);
	assert_int_equal(token_of(f, id), 3);
}

struct waiter {
	int calls, result;
	int64_t token;
	char text[2048];
	struct lock_wait *wait;
	char *order; /* each adds its letter when it is served */
	char letter;
};

static void waited(void *userdata, int result, int64_t token, const struct fault *fault)
{
	struct waiter *waiter = userdata;

	waiter->calls++;
	waiter->result = result;
	waiter->token = token;
	snprintf(waiter->text, sizeof(waiter->text), "%s", fault->text);
	if (waiter->order)
		strncat(waiter->order, &waiter->letter, 1);
}

static int wait_for(struct fixture *f, struct caller *caller, int64_t id, enum lock_kind kind, uint64_t owner,
	int64_t ms, struct waiter *waiter)
{
	struct lock_request request = { .kind = kind, .owner = owner };

	return lock_wait(f->engine, caller, lock_of_stack(id), &request, ms, waited, waiter, &f->fault,
		&waiter->token, &waiter->wait);
}

static void test_queue_order(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	char order[16] = "";
	struct waiter w[5] = { 0 };
	static const enum lock_kind kinds[5] = { LOCK_SESSION, LOCK_SHARED, LOCK_SHARED, LOCK_DURABLE,
		LOCK_SHARED };

	assert_int_equal(acquire(f, &f->alice, id, LOCK_SESSION, 1), 0);
	for (int i = 0; i < 5; i++) {
		w[i].order = order;
		w[i].letter = (char)('a' + i);
		assert_int_equal(
			wait_for(f, i == 3 ? &f->bob : &f->alice, id, kinds[i], 10 + (uint64_t)i, 0, &w[i]),
			0);
		assert_non_null(w[i].wait);
	}
	assert_int_equal(lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 1), 0);
	/* Never from inside, and nobody gets in between. */
	assert_string_equal(order, "");
	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0), -EBUSY);
	fixture_turn(f);
	assert_string_equal(order, "a");
	assert_int_equal(w[0].token, token_of(f, id));
	lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 10);
	fixture_turn(f);
	assert_string_equal(order, "abc"); /* those that share, as far as they stand together */
	lock_release_owner(f->engine, lock_of_stack(id), LOCK_SHARED, 11);
	fixture_turn(f);
	assert_string_equal(order, "abc");
	lock_release_owner(f->engine, lock_of_stack(id), LOCK_SHARED, 12);
	fixture_turn(f);
	assert_string_equal(order, "abcd");
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(id), 0, &f->fault), 0);
	fixture_turn(f);
	assert_string_equal(order, "abcde");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(w[i].calls, 1);
		assert_int_equal(w[i].result, 0);
	}
}

static void test_wait_without_need(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct waiter w = { .wait = (void *)1 };

	assert_int_equal(wait_for(f, &f->alice, id, LOCK_SESSION, 1, 1000, &w), 0);
	assert_null(w.wait);
	assert_int_equal(w.token, 1);
	assert_int_equal(wait_for(f, &f->alice, 999, LOCK_SESSION, 1, 1000, &w), -ENOENT);
	assert_int_equal(w.calls, 0);
}

static void test_wait_cancel(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct waiter exclusive = { 0 }, shared = { 0 };

	assert_int_equal(acquire(f, &f->alice, id, LOCK_SHARED, 1), 0);
	wait_for(f, &f->alice, id, LOCK_SESSION, 2, 0, &exclusive);
	wait_for(f, &f->bob, id, LOCK_SHARED, 3, 0, &shared);
	fixture_turn(f);
	assert_int_equal(shared.calls, 0);
	/* The one in front leaves: the shared one behind has nothing to wait for any more. */
	lock_wait_cancel(exclusive.wait);
	fixture_turn(f);
	assert_int_equal(exclusive.calls, 0);
	assert_int_equal(shared.calls, 1);
	assert_int_equal(shared.result, 0);
}

static void test_conversion_waits(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct waiter w[2] = { { 0 } };

	/* Both share and both want more: were what they have kept, neither would ever get it. */
	assert_int_equal(acquire(f, &f->alice, id, LOCK_SHARED, 1), 0);
	assert_int_equal(acquire(f, &f->bob, id, LOCK_SHARED, 2), 0);
	wait_for(f, &f->alice, id, LOCK_SESSION, 1, 0, &w[0]);
	assert_non_null(w[0].wait);
	wait_for(f, &f->bob, id, LOCK_SESSION, 2, 0, &w[1]);
	assert_null(w[1].wait); /* alone with his now, and so at once */
	fixture_turn(f);
	assert_int_equal(w[0].calls, 0);
	lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 2);
	fixture_turn(f);
	assert_int_equal(w[0].calls, 1);
	assert_int_equal(w[0].result, 0);
}

static void run_until(struct fixture *f, const int *calls)
{
	while (!*calls)
		ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(engine_turn_end(f->engine), 0);
}

static void test_wait_times_out(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct waiter w = { 0 };

	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0), 0);
	assert_int_equal(wait_for(f, &f->alice, id, LOCK_DURABLE, 0, 20, &w), 0);
	run_until(f, &w.calls);
	assert_int_equal(w.result, -ETIMEDOUT);
	assert_contains(w.text, "54322 (uid 54322)");
	assert_int_equal(acquire(f, &f->alice, id, LOCK_DURABLE, 0), -EBUSY);
}

static void test_expiry(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), token;
	struct lock_request request = { .kind = LOCK_DURABLE, .ttl_ms = 30 };
	struct waiter w = { 0 };

	assert_int_equal(lock_acquire(f->engine, &f->bob, lock_of_stack(id), &request, &f->fault, &token), 0);
	assert_int_equal(wait_for(f, &f->alice, id, LOCK_SESSION, 5, 0, &w), 0);
	run_until(f, &w.calls);
	assert_int_equal(w.result, 0);
	assert_int_equal(w.token, 2);
	assert_last_event(f, "lock.acquired");
}

/* The clock runs on while no daemon does. */
static void test_expired_at_start(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(acquire(f, &f->bob, id, LOCK_DURABLE, 0), 0);
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(
		sqlite3_exec(f->engine->store->db, "UPDATE locks SET expires_ms = 1", NULL, NULL, NULL),
		SQLITE_OK);
	fixture_restart(f);
	assert_int_equal(token_of(f, id), 0);
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(acquire(f, &f->alice, id, LOCK_DURABLE, 0), 0);
	assert_int_equal(token_of(f, id), 2);
}

static void test_stack_goes(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct waiter w = { 0 };

	assert_int_equal(acquire(f, &f->alice, id, LOCK_DURABLE, 0), 0);
	wait_for(f, &f->bob, id, LOCK_DURABLE, 0, 0, &w);
	assert_int_equal(stack_destroy(f->engine, &f->bob, id, &f->fault), -EPERM);
	assert_int_equal(stack_destroy(f->engine, &f->root, id, &f->fault), -EBUSY);
	assert_int_equal(stack_destroy(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(w.calls, 0);
	fixture_turn(f);
	assert_int_equal(w.result, -ENOENT);
	assert_contains(w.text, "gone");
}

/* The file is closed and will not be closed again: its lock must go, even when the turn's commit failed. */
static void test_release_survives_a_failed_turn(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(acquire(f, &f->bob, id, LOCK_SESSION, 1), 0);
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(lock_release_owner(f->engine, lock_of_stack(id), LOCK_SESSION, 1), 0);
	sqlite3_exec(f->engine->store->db, "ROLLBACK", NULL, NULL, NULL);
	assert_true(engine_turn_end(f->engine) < 0);
	assert_int_equal(token_of(f, id), 1);
	while (token_of(f, id))
		ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(engine_turn_end(f->engine), 0);
	fixture_restart(f);
	assert_int_equal(token_of(f, id), 0);
}

static void test_show(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), token;
	struct lock_request request = {
		.kind = LOCK_DURABLE, .operation = "deploy", .reason = "a\nuid: 0", .by = "bot"
	};
	CLEANUP(cleanup_free) char *free_text = SHOWN(lock_show(f->engine, lock_of_stack(id), out));
	CLEANUP(cleanup_free) char *free_json = SHOWN(lock_show_json(f->engine, lock_of_stack(id), out));
	CLEANUP(cleanup_free) char *text = NULL, *json = NULL;
	struct waiter w = { 0 };
	char holder[128];
	json_t *object;

	assert_string_equal(free_text, "unlocked\n");
	assert_string_equal(free_json, "{\"locked\":false,\"token\":0}\n");
	assert_int_equal(lock_acquire(f->engine, &f->bob, lock_of_stack(id), &request, &f->fault, &token), 0);
	wait_for(f, &f->alice, id, LOCK_SESSION, 1, 0, &w);
	text = SHOWN(lock_show(f->engine, lock_of_stack(id), out));
	snprintf(holder, sizeof(holder), "locked_by: bot\nuid: 54322\npid: %d\ncommand: ", (int)f->bob.pid);
	assert_contains(text, holder);
	assert_contains(text, "\noperation: deploy\nreason: a\\nuid: 0\ntoken: 1\nkind: durable\nwaiting: "
			      "54321 (uid 54321, pid ");
	json = SHOWN(lock_show_json(f->engine, lock_of_stack(id), out));
	object = json_loads(json, 0, NULL);
	assert_non_null(object);
	assert_true(json_is_true(json_object_get(object, "locked")));
	assert_string_equal(json_string_value(json_object_get(object, "reason")), "a\nuid: 0");
	assert_int_equal(json_array_size(json_object_get(object, "waiting")), 1);
	json_decref(object);
	lock_wait_cancel(w.wait);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_durable),
		TEST(test_tokens_never_fall),
		TEST(test_session),
		TEST(test_run_lock),
		TEST(test_whom_a_session_stops),
		TEST(test_force),
		TEST(test_queue_order),
		TEST(test_wait_without_need),
		TEST(test_wait_cancel),
		TEST(test_conversion_waits),
		TEST(test_wait_times_out),
		TEST(test_expiry),
		TEST(test_expired_at_start),
		TEST(test_stack_goes),
		TEST(test_release_survives_a_failed_turn),
		TEST(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
