/* SPDX-License-Identifier: MIT */
/* What processes of runs say that nobody would say who means well, and turns that fail while they speak. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "engine/lock.h"
#include "engine/runner-internal.h"
#include "engine/spawner.h"

/* The daemon's end of a conversation, without a process at the other one. */
struct talk {
	struct runner *runner;
	int64_t seq;
	int theirs;
};

static struct talk talk_begin(struct fixture *f, struct runners *runners, enum run_status status)
{
	struct talk talk = { 0 };
	struct run run;
	int fds[2];

	*runners = (struct runners){ .engine = f->engine, .removed = json_array() };
	TAILQ_INIT(&runners->list);
	TAILQ_INIT(&runners->checks);
	assert_int_equal(
		run_create(f->engine, &f->alice, "a.sloth", fixture_stack(f, "a"), "text", 4, &run), 0);
	if (status != RUN_QUEUED) {
		assert_int_equal(run_set_status(f->engine, run.id, RUN_WAITING, NULL), 0);
		assert_int_equal(run_set_status(f->engine, run.id, RUN_RUNNING, NULL), 0);
	}
	assert_int_equal(runner_new(runners, &talk.runner), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	conn_init(&talk.runner->conn, f->loop, fds[0], &runner_conn_callbacks, talk.runner);
	talk.theirs = fds[1];
	talk.runner->connected = true;
	talk.runner->run_id = run.id;
	talk.runner->state = status == RUN_QUEUED ? RUNNER_LOADING : RUNNER_RUNNING;
	talk.runner->submitter = f->alice;
	strcpy(talk.runner->mark, "SLOTH_MARK=of-no-process");
	return talk;
}

static void talk_end(struct talk *talk, struct runners *runners)
{
	if (talk->runner)
		runner_free(talk->runner);
	json_decref(runners->removed);
	close(talk->theirs);
}

/* A frame; `seq` is put in. */
static void say(struct talk *talk, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct talk *talk, const char *format, ...)
{
	char head[1024];
	va_list ap;
	size_t n = (size_t)snprintf(head, sizeof(head), "{\"seq\":%lld,", (long long)++talk->seq);

	va_start(ap, format);
	vsnprintf(head + n, sizeof(head) - n, format, ap);
	va_end(ap);
	runner_conn_callbacks.frame(
		&talk->runner->conn, &(struct frame){ .head = head, .head_size = strlen(head) });
}

/* Who has been told twice to end, and says "pong" and "pong" again, ends nevertheless. */
static void test_pong_puts_nothing_off(void **state)
{
	struct fixture *f = *state;
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_RUNNING);

	talk.runner->cancels = 2;
	runner_deadline(talk.runner, 1);
	say(&talk, "\"op\":\"pong\"}");
	assert_true(ev_timer_remaining(f->loop, &talk.runner->deadline) <= 1);
	talk.runner->asked = true;
	say(&talk, "\"op\":\"pong\"}");
	assert_true(ev_timer_remaining(f->loop, &talk.runner->deadline) <= 1);
	/* After the first cancel what runs in any case may last, where the process was asked. */
	talk.runner->cancels = 1;
	say(&talk, "\"op\":\"pong\"}");
	assert_true(ev_timer_remaining(f->loop, &talk.runner->deadline) <= 1);
	talk.runner->asked = true;
	say(&talk, "\"op\":\"pong\"}");
	assert_true(ev_timer_remaining(f->loop, &talk.runner->deadline) > 1);
	talk_end(&talk, &runners);
}

/* A turn fails, its run was never there, and the next one has its number: what the spawner says of the first
 * process, which it has just started, is not of the second run's. */
static void test_number_given_twice(void **state)
{
	struct fixture *f = *state;
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_QUEUED);

	talk.runner->ticket = talk.runner->run_id + 1;
	runner_spawner_callbacks.started(&runners, talk.runner->run_id, getpid());
	assert_int_equal(talk.runner->pid, 0);
	assert_false(talk.runner->child);
	runner_spawner_callbacks.started(&runners, talk.runner->ticket, getpid());
	assert_int_equal(talk.runner->pid, getpid());
	talk.runner->child = false; /* of ours, who shall live */
	talk.runner->pid = 0;
	talk_end(&talk, &runners);
}

static void test_nothing_after_the_end(void **state)
{
	struct fixture *f = *state;
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_RUNNING);

	talk.runner->submitter = f->root; /* who may make locks */
	say(&talk, "\"op\":\"call\",\"fn\":\"lock.try\",\"args\":{\"name\":\"first\"}}");
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM locks"), 1);
	say(&talk, "\"op\":\"finished\",\"status\":\"success\"}");
	assert_int_equal(talk.runner->state, RUNNER_FINISHED);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM locks"), 0);
	say(&talk, "\"op\":\"call\",\"fn\":\"lock.try\",\"args\":{\"name\":\"second\"}}");
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM locks"), 0);
	/* It is told. */
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(talk.runner->after_commit, 1), "text")),
		"the run is over");
	talk_end(&talk, &runners);
}

/* Who asks and asks, and reads nothing, does not fill the daemon's memory, be it within one turn. */
static void test_answers_are_bounded(void **state)
{
	enum { MIB = 1 << 20 };
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *text = malloc(MIB + 1);
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_RUNNING);
	CLEANUP(buffer_done) struct buffer error = { 0 };
	struct run run;

	assert_non_null(text);
	memset(text, 'x', MIB);
	text[MIB] = '\0';
	assert_int_equal(run_get(f->engine, talk.runner->run_id, &run), 0);
	fixture_output(f, run.stack_id, "big", json_string(text));
	for (int i = 0; i < 100; i++)
		say(&talk, "\"op\":\"call\",\"fn\":\"stack.get_output\",\"args\":{\"name\":\"big\"}}");
	assert_true(talk.runner->drowned);
	assert_true(json_array_size(talk.runner->after_commit) <= 64);
	for (int i = 0; i < 100; i++)
		runner_send(talk.runner, json_pack("{s:s}", "op", "bytes"), text, MIB);
	assert_true(conn_pending(&talk.runner->conn) <= 65 * (size_t)MIB);
	/* Its run says why it was killed. */
	runner_dead(talk.runner);
	assert_int_equal(run_text(f->engine, talk.runner->run_id, RUN_ERROR, &error), 0);
	assert_non_null(strstr(buffer_text(&error), "does not read"));
	talk_end(&talk, &runners);
}

/* A frame that could not be stored while the workflow is loaded is asked for again, and the run is not ended
 * because "30 seconds" were over. */
static void test_stalled_while_loading(void **state)
{
	struct fixture *f = *state;
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_QUEUED);

	talk.runner->stalled = true;
	runner_deadline(talk.runner, STALL_SECONDS);
	runner_deadline_over(f->loop, &talk.runner->deadline, 0);
	assert_int_equal(talk.runner->state, RUNNER_LOADING);
	assert_false(talk.runner->stalled);
	assert_true(conn_pending(&talk.runner->conn) > 0);
	assert_true(ev_timer_remaining(f->loop, &talk.runner->deadline) > STALL_SECONDS);
	runner_deadline_over(f->loop, &talk.runner->deadline, 0);
	assert_int_equal(talk.runner->state, RUNNER_FINISHED);
	talk_end(&talk, &runners);
}

/* What the store refuses whenever it comes is not asked for again for ever. */
static void test_nonsense_is_not_asked_for_again(void **state)
{
	struct fixture *f = *state;
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_QUEUED);

	say(&talk, "\"op\":\"loaded\",\"workflow\":\"a\",\"tasks\":[{\"name\":\"t\"},{\"name\":\"t\"}]}");
	assert_false(talk.runner->stalled);
	assert_int_equal(talk.runner->last_seq, 0);
	/* It is being killed, and heard no more: each time it would be looked for among all processes. */
	talk.seq = 0;
	say(&talk, "\"op\":\"loaded\",\"workflow\":\"a\",\"tasks\":[{\"name\":\"t\"}]}");
	assert_int_equal(talk.runner->last_seq, 0);
	talk_end(&talk, &runners);
}

/* Undoing takes as long as doing did: it has its place among those that run. */
static void test_slot_while_rolled_back(void **state)
{
	struct fixture *f = *state;
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_RUNNING);
	struct run run;

	assert_int_equal(run_set_status(f->engine, talk.runner->run_id, RUN_ROLLING_BACK, NULL), 0);
	assert_int_equal(run_get(f->engine, talk.runner->run_id, &run), 0);
	runner_recall_slot(talk.runner, &run);
	assert_int_equal(talk.runner->slot, SLOT_OWN);
	talk_end(&talk, &runners);
}

/* What its process could not be told would leave the run "running" for ever. */
static void test_values_that_fit_no_frame(void **state)
{
	enum { SIZE = 3 << 20 };
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *text = malloc(SIZE + 16);
	struct runners runners;
	struct talk talk = talk_begin(f, &runners, RUN_QUEUED);
	json_auto_t *values = NULL;
	struct run run;

	assert_non_null(text);
	memset(text, 'x', SIZE);
	text[SIZE] = '\0';
	values = json_pack("{s:s}", "b", text);
	assert_int_equal(run_get(f->engine, talk.runner->run_id, &run), 0);
	assert_int_equal(run_set_options(f->engine, run.id, NULL, values, NULL), 0);
	assert_int_equal(runner_merge_values(talk.runner, run.stack_id, &f->fault), 0);
	memcpy(text, "a: ", 3);
	assert_int_equal(stack_set_text(f->engine, &f->alice, run.stack_id, STACK_VALUES, text, strlen(text),
				 &f->fault),
		0);
	assert_int_equal(runner_merge_values(talk.runner, run.stack_id, &f->fault), -EFBIG);
	assert_contains(f->fault.text, "the values of the stack a, with those of the run, have 6291");
	talk_end(&talk, &runners);
}

/* A daemon that takes up a run whose workflow is still being loaded knows what its submitter asked for. */
static void test_wishes_outlive_the_daemon(void **state)
{
	struct fixture *f = *state;
	json_auto_t *options = json_pack("{s:s}", "wait", "10m"), *kept = NULL, *stack = NULL;
	struct run run;

	assert_int_equal(run_create(f->engine, &f->alice, "a.sloth", 0, "text", 4, &run), 0);
	assert_int_equal(run_set_options(f->engine, run.id, options, NULL, "asked"), 0);
	fixture_restart(f);
	kept = run_options(f->engine, run.id, "options");
	stack = run_options(f->engine, run.id, "stack");
	assert_true(json_equal(kept, options));
	assert_string_equal(json_string_value(stack), "asked");
}

/* A run that was not started yet has no mark, and many a program leaves empty words in its environment. */
static void test_no_mark_is_nobodys(void **state)
{
	char *argv[] = { (char *)"sleep", (char *)"1000", NULL }, *envp[] = { (char *)"", NULL };
	int started[2], met;
	pid_t child;
	char byte;

	assert_int_equal(pipe2(started, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		execve("/bin/sleep", argv, envp);
		_exit(1);
	}
	close(started[1]);
	assert_int_equal(read(started[0], &byte, 1), 0);
	close(started[0]);
	met = process_signal_marked("", 0, NULL, NULL);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(met, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pong_puts_nothing_off),
		TEST(test_number_given_twice),
		TEST(test_nothing_after_the_end),
		TEST(test_answers_are_bounded),
		TEST(test_stalled_while_loading),
		TEST(test_nonsense_is_not_asked_for_again),
		TEST(test_slot_while_rolled_back),
		TEST(test_values_that_fit_no_frame),
		TEST(test_wishes_outlive_the_daemon),
		cmocka_unit_test(test_no_mark_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
