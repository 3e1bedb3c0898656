/* SPDX-License-Identifier: MIT */
/* Runs, tasks and the files of workflows, as rows. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/event.h"
#include "engine/run.h"
#include "engine/transition.h"

static int64_t new_run(struct fixture *f, int64_t stack_id)
{
	struct run run;

	assert_int_equal(run_create(f->engine, &f->alice, "deploy.sloth", stack_id, "text", 4, &run), 0);
	return run.id;
}

static void test_create(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t stack = fixture_stack(f, "a"), other = fixture_stack(f, "b"), id = new_run(f, 0), count;
	struct run run;

	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_int_equal(run.status, RUN_QUEUED);
	assert_string_equal(run.file, "deploy.sloth");
	/* Without a stack it is the submitter's alone. */
	assert_int_equal(run.owner_uid, f->alice.uid);
	assert_int_equal(run.mode, 0700);
	assert_int_equal(run_text(f->engine, id, RUN_WORKFLOW, &text), 0);
	assert_string_equal(buffer_text(&text), "text");
	assert_int_equal(run_text(f->engine, id, RUN_PLAN, &text), 0);
	assert_int_equal(text.size, 0);
	assert_int_equal(run_text(f->engine, 999, RUN_PLAN, &text), -ENOENT);
	assert_int_equal(run_set_stack(f->engine, id, stack), 0);
	assert_int_equal(run_set_stack(f->engine, id, stack), 0);
	assert_int_equal(run_set_stack(f->engine, id, other), -EINVAL);
	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_string_equal(run.stack, "a");
	assert_int_equal(run.mode, 0777);
	assert_int_equal(run_count_unfinished(f->engine, stack, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(run_set_retry(f->engine, id, 5), 0);
	assert_int_equal(run_set_parent(f->engine, id, 4, 2), 0);
	assert_int_equal(run_set_lock(f->engine, id, 17, true), 0);
	assert_int_equal(run_set_seq(f->engine, id, 3), 0);
	assert_int_equal(run_set_process(f->engine, id, getpid(), "secret", ""), 0);
	assert_int_equal(run_set_process(f->engine, 999, getpid(), "secret", ""), -ENOENT);
	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_int_equal(run.retry_of, 5);
	assert_int_equal(run.depth, 2);
	assert_int_equal(run.lock_token, 17);
	assert_true(run.holds_lock);
	assert_int_equal(run.last_seq, 3);
	assert_int_equal(run.pid, getpid());
	assert_true(run.pid_start > 0);
	assert_int_equal(strlen(run.boot_id), 36);
	assert_string_equal(run.secret, "secret");
	assert_int_equal(run_create(f->engine, &f->alice, "../x.sloth", 0, "", 0, &run), -EINVAL);
	assert_int_equal(run_create(f->engine, &f->alice, "x.sloth", 999, "", 0, &run), -ENOENT);
}

static int collect(void *userdata, const struct run *run)
{
	char *p = (char *)userdata + strlen(userdata);

	sprintf(p, "%d ", (int)run->id);
	return 0;
}

/* What decides who sees it is the same as in the run itself. */
static int judge(void *userdata, const struct run *listed)
{
	struct run run;

	assert_int_equal(run_get(userdata, listed->id, &run), 0);
	assert_int_equal(listed->stack_id, run.stack_id);
	assert_int_equal(listed->uid, run.uid);
	assert_int_equal(listed->owner_uid, run.owner_uid);
	assert_int_equal(listed->owner_gid, run.owner_gid);
	assert_int_equal(listed->mode, run.mode);
	return 0;
}

static void test_lists(void **state)
{
	struct fixture *f = *state;
	int64_t stack = fixture_stack(f, "a"), a = new_run(f, stack), b = new_run(f, 0),
		c = new_run(f, stack);
	char seen[64] = "";

	assert_int_equal(run_each(f->engine, 0, 0, collect, seen), 0);
	assert_string_equal(seen, "3 2 1 ");
	assert_int_equal(run_each(f->engine, 0, 0, judge, f->engine), 0);
	seen[0] = '\0';
	assert_int_equal(run_each(f->engine, stack, c, collect, seen), 0);
	assert_string_equal(seen, "1 ");
	seen[0] = '\0';
	assert_int_equal(run_each(f->engine, -1, 0, collect, seen), 0);
	assert_string_equal(seen, "2 ");
	assert_int_equal(run_set_status(f->engine, b, RUN_CANCELLED, NULL), 0);
	seen[0] = '\0';
	assert_int_equal(run_each_unfinished(f->engine, collect, seen), 0);
	assert_string_equal(seen, "1 3 ");
	assert_true(a < b);
}

/* DESIGN's line, as rows: from, to. Everything that is not here is refused. */
static const char *const run_edges[] = {
	"queued waiting",
	"queued running",
	"queued failed",
	"queued cancelled",
	"queued interrupted",
	"waiting running",
	"waiting failed",
	"waiting cancelled",
	"waiting timed_out",
	"waiting interrupted",
	"running success",
	"running failed",
	"running cancelled",
	"running timed_out",
	"running interrupted",
	"running rolling_back",
	"failed rolling_back",
	"rolling_back rolled_back",
	"rolling_back rollback_failed",
	"rolling_back interrupted",
};

static void test_run_transitions(void **state)
{
	size_t allowed = 0;

	for (int from = 0; from < RUN_STATUS_COUNT; from++)
		for (int to = 0; to < RUN_STATUS_COUNT; to++)
			allowed += run_status_follows((enum run_status)from, (enum run_status)to);
	assert_int_equal(allowed, sizeof(run_edges) / sizeof(run_edges[0]));
	for (size_t i = 0; i < allowed; i++) {
		char from[32], to[32];

		assert_int_equal(sscanf(run_edges[i], "%31s %31s", from, to), 2);
		assert_true(run_status_follows(
			(enum run_status)run_status_parse(from), (enum run_status)run_status_parse(to)));
	}
	assert_int_equal(run_status_parse("nonsense"), -EINVAL);
	assert_int_equal(task_status_parse("nonsense"), -EINVAL);
	/* What is final for a task stays. */
	for (int from = 0; from < TASK_STATUS_COUNT; from++)
		for (int to = 0; to < TASK_STATUS_COUNT; to++)
			if (task_status_final((enum task_status)from))
				assert_false(
					task_status_follows((enum task_status)from, (enum task_status)to));
	assert_false(task_status_follows(TASK_READY, TASK_SUCCESS));
	assert_false(task_status_follows(TASK_RUNNING, TASK_READY));
	assert_true(task_status_follows(TASK_RETRY_WAIT, TASK_RUNNING));
}

static int count_type(void *userdata, const struct event *event)
{
	char *seen = userdata;

	strcat(strcat(seen, event->type), " ");
	return 0;
}

static void test_status(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t stack_id = fixture_stack(f, "a"), id = new_run(f, stack_id);
	char seen[512] = "";
	struct stack stack;
	struct run run;

	assert_int_equal(run_set_status(f->engine, id, RUN_SUCCESS, NULL), -EINVAL);
	assert_int_equal(run_set_status(f->engine, id, RUN_WAITING, NULL), 0);
	assert_int_equal(run_set_status(f->engine, id, RUN_RUNNING, NULL), 0);
	assert_int_equal(stack_get(f->engine, stack_id, &stack), 0);
	assert_int_equal(stack.status, STACK_RUNNING);
	assert_int_equal(stack.run_count, 1);
	assert_int_equal(stack.last_run, id);
	assert_int_equal(run_set_status(f->engine, id, RUN_FAILED, "it broke"), 0);
	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_true(run.started_ms && run.finished_ms);
	assert_int_equal(run_text(f->engine, id, RUN_ERROR, &text), 0);
	assert_string_equal(buffer_text(&text), "it broke");
	assert_int_equal(run_set_status(f->engine, id, RUN_ROLLING_BACK, NULL), 0);
	assert_int_equal(run_set_status(f->engine, id, RUN_ROLLED_BACK, NULL), 0);
	assert_int_equal(run_set_status(f->engine, id, RUN_RUNNING, NULL), -EINVAL);
	assert_int_equal(stack_get(f->engine, stack_id, &stack), 0);
	assert_int_equal(stack.status, STACK_FAILED);
	event_each(f->engine, 0, stack_id, count_type, seen);
	assert_string_equal(seen,
		"stack.created run.submitted stack.execution.started stack.execution.failed "
		"stack.execution.failed ");
	/* A run that never started leaves its stack as it is. */
	id = new_run(f, stack_id);
	assert_int_equal(run_set_status(f->engine, id, RUN_FAILED, "no such task"), 0);
	assert_int_equal(stack_get(f->engine, stack_id, &stack), 0);
	assert_int_equal(stack.run_count, 1);
}

static void test_delete(void **state)
{
	struct fixture *f = *state;
	int64_t id = new_run(f, 0), task;
	struct workflow_file file;
	struct run run;

	assert_int_equal(task_add(f->engine, id, 0, "t", &task), 0);
	assert_int_equal(
		log_append(f->engine, id, &(struct log_origin){ .task_id = task, .time_ms = 0 }, "x\n", 2),
		0);
	assert_int_equal(workflow_file_set(f->engine, 0, "deploy.sloth", id), 0);
	assert_int_equal(run_delete(f->engine, &f->alice, id, &f->fault), -EBUSY);
	assert_int_equal(run_set_status(f->engine, id, RUN_CANCELLED, NULL), 0);
	assert_int_equal(run_delete(f->engine, &f->bob, id, &f->fault), -EPERM);
	assert_int_equal(run_delete(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(run_delete(f->engine, &f->alice, id, &f->fault), -ENOENT);
	assert_int_equal(run_get(f->engine, id, &run), -ENOENT);
	assert_int_equal(workflow_file_find(f->engine, 0, "deploy.sloth", &file), -ENOENT);
	assert_int_equal(store_check(f->engine->store, &f->fault), 0);
}

static void test_answers(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t id = new_run(f, 0);

	assert_int_equal(run_keep_answer(f->engine, id, 4, "four"), 0);
	assert_int_equal(run_keep_answer(f->engine, id, 5, "five"), 0);
	assert_int_equal(run_drop_answers(f->engine, id, 5), 0);
	assert_int_equal(run_find_answer(f->engine, id, 4, &text), -ENOENT);
	assert_int_equal(run_find_answer(f->engine, id, 5, &text), 0);
	assert_string_equal(buffer_text(&text), "five");
}

static int names(void *userdata, const struct task *task)
{
	strcat(userdata, task->name);
	return 0;
}

static void test_tasks(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *attempts = NULL;
	int64_t id = new_run(f, 0), b, a;
	char seen[16] = "";
	struct task task;

	assert_int_equal(task_add(f->engine, id, 1, "a", &a), 0);
	assert_int_equal(task_add(f->engine, id, 0, "b", &b), 0);
	assert_int_equal(task_add(f->engine, id, 2, "b", &b), -EEXIST);
	assert_int_equal(task_add(f->engine, id, 2, "", &b), -EINVAL);
	assert_int_equal(task_each(f->engine, id, names, seen), 0);
	assert_string_equal(seen, "ba");
	assert_int_equal(task_set_status(f->engine, a, TASK_READY, 0, NULL, NULL), 0);
	assert_int_equal(task_set_status(f->engine, a, TASK_RUNNING, 1, NULL, NULL), 0);
	assert_int_equal(task_set_status(f->engine, a, TASK_RETRY_WAIT, 1, "exit\n1", NULL), 0);
	assert_int_equal(task_set_status(f->engine, a, TASK_SUCCESS, 1, NULL, NULL), -EINVAL);
	assert_int_equal(task_set_status(f->engine, a, TASK_RUNNING, 2, NULL, NULL), 0);
	assert_int_equal(task_set_status(f->engine, a, TASK_SUCCESS, 2, "", "{\"x\":1}"), 0);
	assert_int_equal(task_find(f->engine, id, "a", &task), 0);
	assert_int_equal(task.tries, 2);
	assert_true(task.finished_ms > 0);
	assert_int_equal(task_output(f->engine, a, &text), 0);
	assert_string_equal(buffer_text(&text), "{\"x\":1}");
	assert_int_equal(task_error(f->engine, a, &text), 0);
	assert_string_equal(buffer_text(&text), "");
	attempts = SHOWN(task_show_attempts(f->engine, a, out));
	assert_true(!strncmp(attempts, "1 failed 20", 11));
	assert_contains(attempts, "Z exit\\n1\n2 success 20");
	assert_int_equal(task_finish_all(f->engine, id, TASK_LOST), 0);
	assert_int_equal(task_find(f->engine, id, "b", &task), 0);
	assert_int_equal(task.status, TASK_LOST);
	assert_int_equal(task_find(f->engine, id, "a", &task), 0);
	assert_int_equal(task.status, TASK_SUCCESS);
	assert_int_equal(task_find(f->engine, id, "c", &task), -ENOENT);
}

static void assert_transitions(struct fixture *f, int64_t id, const char *const *parts)
{
	char text[4096], rest[4096], *line = text;
	ssize_t size = transition_read(f->engine, id, 0, text, sizeof(text) - 1);

	assert_true(size > 0);
	assert_int_equal(transition_size(f->engine, id), size);
	text[size] = '\0';
	for (ssize_t at = 0; at < size; at += 7) {
		assert_int_equal(transition_read(f->engine, id, at, rest, sizeof(rest)), size - at);
		assert_memory_equal(rest, text + at, size - at);
	}
	assert_int_equal(transition_read(f->engine, id, size, rest, sizeof(rest)), 0);
	for (; *parts; parts++) {
		char *end = strchr(line, '\n');

		assert_non_null(end);
		*end = '\0';
		if (!strstr(line, *parts))
			fail_msg("not in \"%s\": %s", line, *parts);
		line = end + 1;
	}
	assert_string_equal(line, "");
}

static void test_transitions(void **state)
{
	static const char *const lines[] = {
		"{\"duration_ms\":null,\"error\":null,\"from\":null,\"run\":1,\"task\":null,\"time\":\"2",
		"\"from\":\"queued\",\"run\":1,\"task\":null,",
		"\"to\":\"running\",\"try\":0}",
		"\"from\":\"pending\",\"run\":1,\"task\":\"a\",",
		"\"error\":\"exit\\n1\",\"from\":\"running\"",
		"\"from\":\"retry_wait\"",
		"\"error\":null,\"from\":\"running\"",
		"\"task\":\"b\"",
		"\"to\":\"failed\",\"try\":0}",
		NULL,
	};
	struct fixture *f = *state;
	int64_t id = new_run(f, 0), other = new_run(f, 0), a, b;
	struct store_change change = { 0 };
	char text[4096];
	ssize_t n;

	task_add(f->engine, id, 0, "a", &a);
	task_add(f->engine, id, 1, "b", &b);
	assert_int_equal(run_set_status(f->engine, id, RUN_WAITING, NULL), 0);
	assert_int_equal(run_set_status(f->engine, id, RUN_RUNNING, NULL), 0);
	assert_int_equal(task_set_status(f->engine, a, TASK_RUNNING, 1, NULL, NULL), 0);
	assert_int_equal(task_set_status_at(f->engine, a, TASK_RETRY_WAIT, 1, "exit\n1", NULL,
				 &(struct task_moment){ .until_ms = 1 }),
		0);
	assert_int_equal(task_set_status(f->engine, a, TASK_RUNNING, 2, NULL, NULL), 0);
	/* What is undone was never told. */
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(task_set_status(f->engine, a, TASK_FAILED, 2, "no", NULL), 0);
	store_change_cancel(&change);
	assert_int_equal(task_set_status(f->engine, a, TASK_SUCCESS, 2, NULL, NULL), 0);
	assert_int_equal(task_finish_all(f->engine, id, TASK_UPSTREAM_FAILED), 0);
	assert_int_equal(run_set_status(f->engine, id, RUN_FAILED, "a failed"), 0);
	assert_transitions(f, id, lines);
	n = transition_read(f->engine, id, 0, text, sizeof(text) - 1);
	text[n] = '\0';
	assert_contains(text, ",\"until\":\"1970-01-01T00:00:00.001Z\"}\n");
	assert_contains(text, "\"to\":\"upstream_failed\"");
	assert_int_equal(transition_read(f->engine, id, -1, text, 1), -EINVAL);
	assert_int_equal(transition_read(f->engine, 999, 0, text, 1), 0);
	/* Of another run, from anew. */
	memset(f->engine->transition_ends, 0, sizeof(f->engine->transition_ends));
	assert_int_equal(run_set_status(f->engine, other, RUN_CANCELLED, NULL), 0);
	n = transition_read(f->engine, other, 0, text, sizeof(text) - 1);
	assert_int_equal(transition_size(f->engine, other), n);
}

static int file_names(void *userdata, const struct workflow_file *file)
{
	strcat(strcat(userdata, file->name), " ");
	return 0;
}

static void test_workflow_files(void **state)
{
	struct fixture *f = *state;
	int64_t one = new_run(f, 0), two = new_run(f, 0), stack = fixture_stack(f, "a"), id;
	struct workflow_file file;
	char seen[64] = "";

	assert_int_equal(workflow_file_set(f->engine, 0, "b.sloth", one), 0);
	assert_int_equal(workflow_file_find(f->engine, 0, "b.sloth", &file), 0);
	id = file.id;
	assert_int_equal(workflow_file_set(f->engine, 0, "b.sloth", two), 0);
	assert_int_equal(workflow_file_set(f->engine, 0, "a.lua", one), 0);
	assert_int_equal(workflow_file_set(f->engine, stack, "b.sloth", one), 0);
	assert_int_equal(workflow_file_get(f->engine, id, &file), 0);
	assert_int_equal(file.run_id, two);
	assert_int_equal(file.uid, f->alice.uid);
	assert_int_equal(workflow_file_each(f->engine, 0, file_names, seen), 0);
	assert_string_equal(seen, "a.lua b.sloth ");
	assert_int_equal(workflow_file_set(f->engine, 0, "x.sloth", 999), -ENOENT);
	assert_int_equal(workflow_file_set(f->engine, 0, "x y.sloth", one), -EINVAL);
	assert_int_equal(workflow_file_delete(f->engine, id), 0);
	assert_int_equal(workflow_file_delete(f->engine, id), -ENOENT);
	assert_int_equal(stack_destroy(f->engine, &f->alice, stack, NULL), 0);
	assert_int_equal(workflow_file_find(f->engine, stack, "b.sloth", &file), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_lists),
		TEST(test_run_transitions),
		TEST(test_status),
		TEST(test_delete),
		TEST(test_answers),
		TEST(test_tasks),
		TEST(test_transitions),
		TEST(test_workflow_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
