/* SPDX-License-Identifier: MIT */
/* The logs of runs and tasks. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>

#include "engine/run.h"

static int64_t new_run(struct fixture *f)
{
	struct run run;

	assert_int_equal(run_create(f->engine, &f->alice, "deploy.sloth", 0, "text", 4, &run), 0);
	return run.id;
}

static void assert_log(struct fixture *f, int64_t run_id, int64_t task_id, const char *expected)
{
	size_t size = strlen(expected);
	char text[4096];

	/* From every byte on, and in small steps. */
	for (size_t at = 0; at <= size; at++) {
		assert_int_equal(
			log_read(f->engine, run_id, task_id, (int64_t)at, text, sizeof(text)), size - at);
		assert_memory_equal(text, expected + at, size - at);
		assert_int_equal(log_read(f->engine, run_id, task_id, (int64_t)at, text, 1), size > at);
	}
	assert_int_equal(log_read(f->engine, run_id, task_id, (int64_t)size + 99, text, 9), 0);
}

static void say(struct fixture *f, int64_t run_id, int64_t task_id, int64_t time, const char *text)
{
	assert_int_equal(
		log_append(f->engine, run_id, &(struct log_origin){ .task_id = task_id, .time_ms = time },
			text, strlen(text)),
		0);
}

static void test_log(void **state)
{
	struct fixture *f = *state;
	static const char all[] =
		"00:00:01.000 start\n00:00:01.500 [a] one\n00:00:01.500 [a] tw\n00:01:02.000 [b] other\n"
		"01:00:00.000 [a] o\n01:00:00.000 [a] \n";
	int64_t id = new_run(f), a, b;
	struct run run;
	struct task task;

	task_add(f->engine, id, 0, "a", &a);
	task_add(f->engine, id, 1, "b", &b);
	assert_log(f, id, 0, "");
	say(f, id, 0, 1000, "start\n");
	say(f, id, a, 1500, "one\ntw");
	say(f, id, b, 62000, "other\n");
	say(f, id, a, 3600000, "o\n\n");
	say(f, id, a, 3600000, "");
	assert_log(f, id, a, "one\ntwo\n\n");
	assert_log(f, id, b, "other\n");
	assert_log(f, id, 0, all);
	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_int_equal(run.log_size, strlen(all));
	assert_int_equal(task_get(f->engine, a, &task), 0);
	assert_int_equal(task.log_size, 9);
	assert_int_equal(
		log_append(f->engine, id, &(struct log_origin){ .task_id = 999, .time_ms = 0 }, "x", 1),
		-ENOENT);
	assert_int_equal(
		log_append(f->engine, new_run(f), &(struct log_origin){ .task_id = a, .time_ms = 0 }, "x", 1),
		-EINVAL);
	assert_int_equal(
		log_append(f->engine, 999, &(struct log_origin){ .task_id = 0, .time_ms = 0 }, "x", 1),
		-ENOENT);
}

static void test_long_log(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buffer_done) struct buffer text = { 0 }, got = { 0 };
	int64_t id = new_run(f), a;
	struct run run;

	task_add(f->engine, id, 0, "a", &a);
	for (int i = 0; i < 30000; i++)
		buffer_append_text(&text, "0123456789\n");
	assert_int_equal(log_append(f->engine, id, &(struct log_origin){ .task_id = a, .time_ms = 0 },
				 text.data, text.size),
		0);
	assert_int_equal(buffer_truncate(&got, text.size), 0);
	assert_int_equal(log_read(f->engine, id, a, 0, got.data, got.size), text.size);
	assert_memory_equal(got.data, text.data, text.size);
	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_int_equal(run.log_size, text.size + 30000 * strlen("00:00:00.000 [a] "));
	/* One line without an end. */
	memset(text.data, 'x', text.size);
	assert_int_equal(log_append(f->engine, id, &(struct log_origin){ .task_id = a, .time_ms = 0 },
				 text.data, text.size),
		0);
	assert_int_equal(log_read(f->engine, id, a, (int64_t)text.size, got.data, got.size), text.size);
	assert_memory_equal(got.data, text.data, text.size);
}

static void test_log_limit(void **state)
{
	struct fixture *f = *state;
	int64_t id = new_run(f), a;
	char text[512];
	ssize_t n;

	f->engine->config.max_log_size = 64;
	task_add(f->engine, id, 0, "a", &a);
	for (int i = 0; i < 10; i++)
		say(f, id, a, 0, "a line of it\n");
	n = log_read(f->engine, id, 0, 0, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text,
		"00:00:00.000 [a] a line of it\n00:00:00.000 [a] a line of it\n"
		"00:00:00.000 the log is over max_log_size (64 bytes): the rest is dropped\n");
	assert_log(f, id, a, "a line of it\na line of it\n");
	/* Short lines are mostly what stands before them. */
	id = new_run(f);
	task_add(f->engine, id, 0, "a", &a);
	say(f, id, a, 0, "1\n2\n3\n4\n5\n6\n7\n8\n");
	assert_log(f, id, a, "1\n2\n3\n");
	assert_log(f, id, 0,
		"00:00:00.000 [a] 1\n00:00:00.000 [a] 2\n00:00:00.000 [a] 3\n"
		"00:00:00.000 the log is over max_log_size (64 bytes): the rest is dropped\n");
}

static void assert_json(struct fixture *f, int64_t run_id, int64_t task_id, const char *expected)
{
	size_t size = strlen(expected);
	char text[4096];

	for (size_t at = 0; at <= size; at++) {
		assert_int_equal(log_json_read(f->engine, run_id, task_id, (int64_t)at, text, sizeof(text)),
			size - at);
		assert_memory_equal(text, expected + at, size - at);
		assert_int_equal(log_json_read(f->engine, run_id, task_id, (int64_t)at, text, 1), size > at);
	}
	assert_int_equal(log_json_read(f->engine, run_id, task_id, (int64_t)size + 99, text, 9), 0);
}

static void test_log_json(void **state)
{
	static const char
		a_lines[] = "{\"run\":1,\"stream\":\"out\",\"task\":\"a\\\"\",\"text\":\"one\",\"time\":"
			    "\"1970-01-01T00:00:00.001Z\","
			    "\"try\":1}\n"
			    "{\"run\":1,\"stream\":\"out\",\"task\":\"a\\\"\",\"text\":"
			    "\"t\\tw\\\\\\u001b\xc3\xa4\",\"time\":"
			    "\"1970-01-01T00:00:00.001Z\",\"try\":1}\n",
		run_line[] = "{\"run\":1,\"stream\":\"log\",\"task\":null,\"text\":\"said\",\"time\":"
			     "\"1970-01-01T00:00:00.002Z\",\"try\":0}\n",
		a_last[] = "{\"base64\":\"eP/"
			   "D\",\"partial\":true,\"run\":1,\"stream\":\"err\",\"task\":\"a\\\"\",\"text\":"
			   "\"x\\ufffd\\ufffd\",\"time\":\"1970-01-01T00:00:00.003Z\",\"try\":2}\n";
	struct fixture *f = *state;
	struct log_origin origin = { .try = 1, .stream = "out", .time_ms = 1 };
	int64_t id = new_run(f);
	char expected[2048];
	struct task task;
	struct run run;

	assert_int_equal(id, 1);
	task_add(f->engine, id, 0, "a\"", &origin.task_id);
	assert_json(f, id, 0, "");
	assert_int_equal(log_append(f->engine, id, &origin, "one\nt\tw\\\033\xc3\xa4\n", 12), 0);
	assert_int_equal(log_append(f->engine, id, &(struct log_origin){ .stream = "none", .time_ms = 2 },
				 "said\n", 5),
		0);
	origin.try = 2;
	origin.stream = "err";
	origin.time_ms = 3;
	assert_int_equal(log_append(f->engine, id, &origin, "x\xff\xc3", 3), 0);
	snprintf(expected, sizeof(expected), "%s%s%s", a_lines, run_line, a_last);
	assert_json(f, id, 0, expected);
	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_int_equal(run.log_json_size, strlen(expected));
	snprintf(expected, sizeof(expected), "%s%s", a_lines, a_last);
	assert_json(f, id, origin.task_id, expected);
	assert_int_equal(task_get(f->engine, origin.task_id, &task), 0);
	assert_int_equal(task.log_json_size, strlen(expected));
}

/* Each read of log.json looks for its place: many pieces of several tasks, read from anywhere. */
static void test_long_log_json(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buffer_done) struct buffer whole = { 0 }, part = { 0 };
	struct log_origin origin = { .stream = "out" };
	int64_t id = new_run(f), tasks[3];
	struct run run;

	for (int i = 0; i < 3; i++)
		task_add(f->engine, id, i, (char[]){ (char)('a' + i), '\0' }, &tasks[i]);
	for (int i = 0; i < 300; i++) {
		char text[32];

		origin.task_id = tasks[i % 3];
		origin.time_ms = i;
		snprintf(text, sizeof(text), "%.*s\n", i % 20, "abcdefghijklmnopqrstuvwxyz");
		assert_int_equal(log_append(f->engine, id, &origin, text, strlen(text)), 0);
	}
	assert_int_equal(run_get(f->engine, id, &run), 0);
	assert_int_equal(buffer_truncate(&whole, (size_t)run.log_json_size), 0);
	assert_int_equal(buffer_truncate(&part, 512), 0);
	assert_int_equal(log_json_read(f->engine, id, 0, 0, whole.data, whole.size + 1), whole.size);
	for (int64_t at = 0; at < run.log_json_size; at += 97) {
		ssize_t n = log_json_read(f->engine, id, 0, at, part.data, 512);

		assert_int_equal(n, run.log_json_size - at < 512 ? run.log_json_size - at : 512);
		assert_memory_equal(part.data, whole.data + at, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_log),
		TEST(test_long_log),
		TEST(test_log_limit),
		TEST(test_log_json),
		TEST(test_long_log_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
