/* SPDX-License-Identifier: MIT */
/* What was acknowledged is there after SIGKILL; what was not, is not or is there whole. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/event.h"
#include "engine/audit.h"
#include "engine/kv.h"
#include "engine/lock.h"

enum { ENOUGH = 25 };

/* Each turn a stack, its lock and a key; its number goes through the pipe when it is on disk. For ever. */
static void child(const char *home, int fd)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct caller root = { .groups_known = true, .pid = getpid() };
	struct lock_request request = { .kind = LOCK_DURABLE };
	struct lock_request session = { .kind = LOCK_SESSION, .owner = 1 };
	struct engine *engine;

	if (engine_new(home, loop, NULL, &engine) < 0)
		_exit(1);
	for (int i = 0;; i++) {
		struct stack stack;
		int64_t token;
		char name[32];
		json_t *value = json_integer(i);

		snprintf(name, sizeof(name), "s%d", i);
		if (stack_create(engine, &root, name, 0700, NULL, &stack) < 0 ||
			lock_acquire(engine, &root, lock_of_stack(stack.id), i % 2 ? &request : &session,
				NULL, &token) < 0 ||
			kv_set(engine, (struct kv_scope){ stack.id, 0 }, "key", value, 0) < 0 ||
			engine_turn_end(engine) < 0)
			_exit(1);
		json_decref(value);
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(0);
	}
}

static int read_last(int fd, pid_t pid)
{
	int i, last = -1;

	while (read(fd, &i, sizeof(i)) == sizeof(i)) {
		last = i;
		if (i == ENOUGH)
			kill(pid, SIGKILL);
	}
	return last;
}

static void test_kill(void **state)
{
	struct fixture *f = *state;
	int fds[2], last, status;
	pid_t pid;

	engine_free(f->engine);
	f->engine = NULL;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child(f->home, fds[1]);
	}
	close(fds[1]);
	last = read_last(fds[0], pid);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(last >= ENOUGH);

	assert_int_equal(engine_new(f->home, f->loop, &f->fault, &f->engine), 0);
	for (int i = 0; i <= last; i++) {
		struct stack stack;
		struct lock lock;
		char name[32];
		json_t *value;

		snprintf(name, sizeof(name), "s%d", i);
		assert_int_equal(stack_find(f->engine, name, &stack), 0);
		assert_int_equal(stack.token, 1);
		/* Durable locks stay, those of open files are gone with the daemon. */
		assert_int_equal(lock_get(f->engine, lock_of_stack(stack.id), &lock), i % 2);
		assert_int_equal(
			kv_find(f->engine, (struct kv_scope){ stack.id, 0 }, "key", NULL, &value), 0);
		assert_int_equal(json_integer_value(value), i);
		json_decref(value);
	}
	assert_int_equal(event_verify(f->engine, &f->fault), 0);
	assert_int_equal(store_check(f->engine->store, &f->fault), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
