/* SPDX-License-Identifier: MIT */
/* The critical path of a run, and what its tasks took and waited. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/run-report.h"

/* name, from, to, and what it depends on, by name; from 0: it never began. */
struct row {
	const char *name;
	int64_t from, to;
	const char *depends;
};

static void add_row(struct fixture *f, int64_t run, int position, const struct row *row)
{
	struct task_moment begin = { .time_ms = row->from }, end = { .time_ms = row->to };
	int64_t id;

	assert_int_equal(task_add(f->engine, run, position, row->name, &id), 0);
	if (row->from)
		assert_int_equal(task_set_status_at(f->engine, id, TASK_RUNNING, 1, NULL, NULL, &begin), 0);
	if (row->to)
		assert_int_equal(task_set_status_at(f->engine, id, row->from ? TASK_SUCCESS : TASK_SKIPPED,
					 row->from ? 1 : 0, NULL, NULL, &end),
			0);
}

static int64_t make_run(struct fixture *f, const struct row *rows, size_t count)
{
	json_auto_t *plan = json_pack("{s:[]}", "tasks");
	CLEANUP(cleanup_free) char *text = NULL;
	struct run run;

	assert_int_equal(run_create(f->engine, &f->alice, "w.sloth", 0, "text", 4, &run), 0);
	for (size_t i = 0; i < count; i++) {
		json_t *depends = json_array();

		for (const char *p = rows[i].depends; *p; p++)
			json_array_append_new(depends, json_stringn(p, 1));
		json_array_append_new(json_object_get(plan, "tasks"),
			json_pack("{s:s, s:o}", "name", rows[i].name, "depends", depends));
		add_row(f, run.id, (int)i, &rows[i]);
	}
	text = json_dumps(plan, 0);
	assert_int_equal(run_set_text(f->engine, run.id, RUN_PLAN, text, strlen(text)), 0);
	return run.id;
}

static void assert_path(const struct report *report, const char *names)
{
	char seen[32] = "";

	for (size_t i = 0; i < report->path_count; i++)
		strcat(seen, report->tasks[report->path[i]].task.name);
	assert_string_equal(seen, names);
}

#define ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])

static void test_path(void **state)
{
	static const struct row rows[] = {
		{ "a", 1000, 2000, "" },
		{ "b", 1000, 5000, "" },
		{ "c", 2100, 2900, "a" },
		{ "d", 5500, 6000, "bc" }, /* waited half a second, for b */
		{ "e", 3000, 3500, "c" },
		{ "f", 0, 0, "d" },
	};
	struct fixture *f = *state;
	CLEANUP(report_done) struct report report = { 0 };
	json_auto_t *json = NULL;
	const json_t *last;

	assert_int_equal(report_load(f->engine, make_run(f, ROWS(rows)), &report), 0);
	assert_path(&report, "bd");
	assert_int_equal(report_task_ms(&report.tasks[3]), 500);
	assert_int_equal(report_wait_ms(&report.tasks[3]), 500);
	assert_int_equal(report_wait_ms(&report.tasks[2]), 100);
	assert_int_equal(report_task_ms(&report.tasks[5]), -1);
	assert_int_equal(report_wait_ms(&report.tasks[5]), -1);
	json = report_json(&report);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "counts"), "success")), 5);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "counts"), "pending")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "tries")), 5);
	assert_int_equal(json_array_size(json_object_get(json, "slowest")), 5);
	last = json_array_get(json_object_get(json, "slowest"), 0);
	assert_string_equal(json_string_value(json_object_get(last, "task")), "b");
	last = json_array_get(json_object_get(json, "critical_path"), 1);
	assert_string_equal(json_string_value(json_object_get(last, "task")), "d");
	assert_int_equal(json_integer_value(json_object_get(last, "wait_ms")), 500);
}

/* A task that was skipped is waited for, too: until it was decided. */
static void test_path_over_skipped(void **state)
{
	static const struct row rows[] = {
		{ "a", 1000, 2000, "" },
		{ "b", 0, 2500, "a" },
		{ "c", 2600, 3000, "b" },
	};
	struct fixture *f = *state;
	CLEANUP(report_done) struct report report = { 0 };

	assert_int_equal(report_load(f->engine, make_run(f, ROWS(rows)), &report), 0);
	assert_path(&report, "abc");
	assert_int_equal(report_wait_ms(&report.tasks[2]), 100);
	assert_int_equal(report_task_ms(&report.tasks[1]), -1);
}

/* A plan that is damaged, and none at all. */
static void test_odd_plans(void **state)
{
	static const struct row circle[] = { { "a", 1000, 2000, "b" }, { "b", 1500, 2500, "a" },
		{ "c", 1, 2, "x" } };
	struct fixture *f = *state;
	CLEANUP(report_done) struct report report = { 0 }, empty = { 0 };
	int64_t id = make_run(f, ROWS(circle));

	assert_int_equal(report_load(f->engine, id, &report), 0);
	assert_true(report.path_count <= report.count);
	assert_int_equal(report_load(f->engine, make_run(f, NULL, 0), &empty), 0);
	assert_int_equal(empty.path_count, 0);
	assert_int_equal(report_load(f->engine, 999, &empty), -ENOENT);
}

static void test_moments(void **state)
{
	struct fixture *f = *state;
	struct task task;
	struct run run;
	int64_t id, now = time_now_ms();

	assert_int_equal(run_create(f->engine, &f->alice, "w.sloth", 0, "text", 4, &run), 0);
	assert_int_equal(task_add(f->engine, run.id, 0, "a", &id), 0);
	/* A process can't say that something comes to be in the future, */
	assert_int_equal(task_set_status_at(f->engine, id, TASK_RUNNING, 1, NULL, NULL,
				 &(struct task_moment){ .time_ms = now + 3600000 }),
		0);
	assert_int_equal(task_get(f->engine, id, &task), 0);
	assert_true(task.started_ms < now + 3600000);
	/* … or that it ended before it began. */
	assert_int_equal(task_set_status_at(f->engine, id, TASK_SUCCESS, 1, NULL, NULL,
				 &(struct task_moment){ .time_ms = 1 }),
		0);
	assert_int_equal(task_get(f->engine, id, &task), 0);
	assert_int_equal(task.finished_ms, task.started_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_path),
		TEST(test_path_over_skipped),
		TEST(test_odd_plans),
		TEST(test_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
