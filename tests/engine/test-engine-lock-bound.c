/* SPDX-License-Identifier: MIT */
/* Locks that end with a process, and processes whose fencing token is out of date. */
#include "tests/engine/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/lock.h"
#include "engine/output.h"
#include "engine/run.h"

static pid_t sleeper(char *const environment[])
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, 02000000 /* O_CLOEXEC */), 0);
	pid = fork();
	if (pid == 0) {
		execve("/bin/sleep", (char *[]){ (char *)"sleep", (char *)"1000", NULL }, environment);
		_exit(127);
	}
	close(ready[1]);
	/* The end of the pipe is the exec. */
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int pidfds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		char target[256] = "";

		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0)
			count += strstr(target, "pidfd") != NULL;
	}
	closedir(dir);
	return count;
}

static bool is_locked(struct fixture *f, int64_t id)
{
	struct lock lock;

	return lock_get(f->engine, lock_of_stack(id), &lock) == 1;
}

static int bind_to(struct fixture *f, struct caller *caller, int64_t id, pid_t pid)
{
	struct lock_request request = { .kind = LOCK_DURABLE, .bound_pid = pid };
	int64_t token;

	f->fault = (struct fault){ 0 };
	return lock_acquire(f->engine, caller, lock_of_stack(id), &request, &f->fault, &token);
}

static void test_ends_with_its_process(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	pid_t pid = sleeper(environ);

	assert_int_equal(bind_to(f, &f->root, id, pid), 0);
	fixture_turn(f);
	assert_int_equal(pidfds(), 1);
	assert_true(is_locked(f, id));
	end(pid);
	while (is_locked(f, id))
		ev_run(f->loop, EVRUN_ONCE);
	fixture_turn(f);
	assert_int_equal(pidfds(), 0);
	assert_int_equal(bind_to(f, &f->root, id, pid), -ESRCH);
	assert_int_equal(bind_to(f, &f->alice, id, getppid()), -EPERM);
}

static void test_watched_is_what_is_there(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct store_change change = { 0 };
	pid_t pid = sleeper(environ);

	assert_int_equal(engine_turn_end(f->engine), 0);
	/* Undone: nothing is watched. */
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(bind_to(f, &f->root, id, pid), 0);
	store_change_cancel(&change);
	fixture_turn(f);
	assert_int_equal(pidfds(), 0);
	/* Released, renewed without it, destroyed: nothing any more. */
	assert_int_equal(bind_to(f, &f->root, id, pid), 0);
	fixture_turn(f);
	assert_int_equal(pidfds(), 1);
	assert_int_equal(lock_release(f->engine, &f->root, lock_of_stack(id), 0, &f->fault), 0);
	fixture_turn(f);
	assert_int_equal(pidfds(), 0);
	assert_int_equal(bind_to(f, &f->root, id, pid), 0);
	assert_int_equal(bind_to(f, &f->root, id, 0), 0);
	fixture_turn(f);
	assert_int_equal(pidfds(), 0);
	assert_int_equal(bind_to(f, &f->root, id, pid), 0);
	fixture_turn(f);
	assert_int_equal(stack_destroy(f->engine, &f->root, id, &f->fault), 0);
	fixture_turn(f);
	assert_int_equal(pidfds(), 0);
	end(pid);
}

static void test_over_a_restart(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b");
	pid_t stays = sleeper(environ), goes = sleeper(environ);

	assert_int_equal(bind_to(f, &f->root, a, stays), 0);
	assert_int_equal(bind_to(f, &f->root, b, goes), 0);
	assert_int_equal(engine_turn_end(f->engine), 0);
	engine_free(f->engine);
	assert_int_equal(pidfds(), 0);
	end(goes);
	assert_int_equal(engine_new(f->home, f->loop, &f->fault, &f->engine), 0);
	while (is_locked(f, b))
		ev_run(f->loop, EVRUN_ONCE);
	fixture_turn(f);
	assert_true(is_locked(f, a));
	end(stays);
	while (is_locked(f, a))
		ev_run(f->loop, EVRUN_ONCE);
	fixture_turn(f);
}

static void test_token_of_the_environment(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "web"), token = 0;
	struct lock_request request = { .kind = LOCK_DURABLE };
	pid_t mine = sleeper((char *[]){ (char *)"SLOTH_STACK=web", (char *)"SLOTH_LOCK_TOKEN=1", NULL });
	pid_t others = sleeper((char *[]){ (char *)"SLOTH_STACK=api", (char *)"SLOTH_LOCK_TOKEN=1", NULL });
	pid_t many = sleeper((char *[]){ (char *)"SLOTH_LOCKS=locks/web=9 stacks/api=7 stacks/web=1", NULL });
	struct caller process = f->alice;

	process.pid = mine;
	assert_int_equal(
		lock_acquire(f->engine, &f->alice, lock_of_stack(id), &request, &f->fault, &token), 0);
	assert_int_equal(token, 1);
	assert_int_equal(lock_check(f->engine, &process, id, &f->fault), 0);
	assert_int_equal(lock_release(f->engine, &f->alice, lock_of_stack(id), 0, &f->fault), 0);
	assert_int_equal(lock_check(f->engine, &process, id, &f->fault), -ESTALE);
	assert_contains(f->fault.text, "token 1 of stack web");
	process.pid = many;
	assert_int_equal(lock_check(f->engine, &process, id, &f->fault), -ESTALE);
	process.pid = others;
	assert_int_equal(lock_check(f->engine, &process, id, &f->fault), 0);
	end(mine);
	end(others);
	end(many);
}

/* A process of a run, though its environment says nothing. */
static void test_token_of_the_run(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "web"), token = 0;
	struct lock_request request = { .kind = LOCK_RUN };
	json_auto_t *value = json_true();
	struct run run;

	assert_int_equal(run_create(f->engine, &f->alice, "x.sloth", id, "x", 1, &run), 0);
	assert_int_equal(run_set_process(f->engine, run.id, getpid(), "s", ""), 0);
	request.owner = (uint64_t)run.id;
	request.pid = getpid();
	assert_int_equal(
		lock_acquire(f->engine, &f->alice, lock_of_stack(id), &request, &f->fault, &token), 0);
	assert_int_equal(run_set_lock(f->engine, run.id, token, true), 0);
	assert_int_equal(output_set(f->engine, &f->alice, id, "key", value, &f->fault), 0);
	assert_int_equal(lock_force(f->engine, &f->root, lock_of_stack(id), "stuck", NULL, &f->fault), 0);
	assert_int_equal(output_set(f->engine, &f->alice, id, "key", value, &f->fault), -ESTALE);
	assert_contains(f->fault.text, "run 1 holds the token 1 of stack web");
	/* Whoever does not come from the run goes on. */
	assert_int_equal(output_set(f->engine, &f->bob, id, "key", value, &f->fault), 0);
}

static void test_maintenance(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "web"), token = 0;
	struct lock_request request = { .kind = LOCK_MAINTENANCE, .reason = "disk swap" };
	pid_t task = sleeper((char *[]){ (char *)"SLOTH_RUN=4", NULL });
	struct caller process = f->alice;
	struct lock lock;

	assert_int_equal(lock_check_automation(f->engine, id, &f->fault), 0);
	assert_int_equal(
		lock_acquire(f->engine, &f->alice, lock_of_stack(id), &request, &f->fault, &token), 0);
	assert_int_equal(lock_get(f->engine, lock_of_stack(id), &lock), 1);
	assert_int_equal(lock.expires_ms, 0);
	assert_int_equal(lock_check_automation(f->engine, id, &f->fault), -EBUSY);
	assert_contains(f->fault.text, "under maintenance by 54321 (uid 54321): \"disk swap\"");
	assert_int_equal(lock_check(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(lock_check(f->engine, &f->bob, id, &f->fault), -EBUSY);
	process.pid = task;
	assert_int_equal(lock_check(f->engine, &process, id, &f->fault), -EBUSY);
	end(task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ends_with_its_process),
		TEST(test_watched_is_what_is_there),
		TEST(test_over_a_restart),
		TEST(test_token_of_the_environment),
		TEST(test_token_of_the_run),
		TEST(test_maintenance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
