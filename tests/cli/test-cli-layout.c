/* SPDX-License-Identifier: MIT */
/* What is shown of a run while it goes on: the model, the layout, and how wide text is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/layout.h"
#include "cli/text-width.h"

static void model_plan(struct run_model *model, const char *tasks)
{
	json_auto_t *plan = json_pack("{s:s, s:o}", "workflow", "w", "tasks", json_loads(tasks, 0, NULL));

	assert_non_null(plan);
	assert_int_equal(model_set_plan(model, plan), 0);
}

static int apply(struct run_model *model, const char *line, struct model_change *ret_change)
{
	json_t *object = json_loads(line, JSON_DECODE_ANY, NULL);
	struct model_change change;
	int r = model_apply(model, object, &change);

	if (r == 0 && ret_change)
		*ret_change = (struct model_change){ .task = change.task, .duration_ms = change.duration_ms };
	json_decref(object);
	return r;
}

static void test_model(void **state)
{
	CLEANUP(model_done) struct run_model model = { 0 };
	struct model_change change;
	struct model_task *task;

	model_plan(&model, "[{\"name\": \"a\"}, {\"name\": \"b\", \"depends\": [\"a\", \"gone\"]}]");
	assert_int_equal(model.count, 2);
	assert_int_equal(model.tasks[1].depends_count, 1);
	assert_int_equal(
		apply(&model, "{\"task\": null, \"to\": \"running\", \"time\": \"1970-01-01T00:00:01Z\"}",
			NULL),
		0);
	assert_int_equal(model.started_ms, 1000);
	assert_int_equal(apply(&model,
				 "{\"task\": \"a\", \"from\": \"pending\", \"to\": \"running\", \"try\": 1, "
				 "\"time\": \"1970-01-01T00:00:02Z\"}",
				 NULL),
		0);
	assert_int_equal(
		apply(&model,
			"{\"task\": \"a\", \"from\": \"running\", \"to\": \"retry_wait\", \"try\": 1, "
			"\"error\": \"no\", \"time\": \"1970-01-01T00:00:03Z\", "
			"\"until\": \"1970-01-01T00:00:09Z\", \"duration_ms\": 1000}",
			&change),
		0);
	task = model_find(&model, "a");
	assert_ptr_equal(change.task, task);
	assert_int_equal(change.duration_ms, 1000);
	assert_int_equal(task->status, MODEL_RETRY_WAIT);
	assert_int_equal(task->until_ms, 9000);
	assert_string_equal(task->error, "no");
	assert_int_equal(apply(&model,
				 "{\"task\": \"a\", \"to\": \"running\", \"try\": 2, \"time\": "
				 "\"1970-01-01T00:00:09Z\"}",
				 NULL),
		0);
	assert_int_equal(apply(&model,
				 "{\"task\": \"a\", \"to\": \"success\", \"try\": 2, \"time\": "
				 "\"1970-01-01T00:00:10Z\"}",
				 NULL),
		0);
	assert_int_equal(task->first_ms, 2000);
	assert_int_equal(task->started_ms, 9000);
	assert_int_equal(task->ended_ms, 10000);
	assert_null(task->error);
	assert_int_equal(model_over(&model), 1);
	assert_int_equal(model.with_status[MODEL_PENDING], 1);
	assert_int_equal(apply(&model, "{\"task\": \"c\", \"to\": \"running\"}", NULL), -ENOENT);
	assert_int_equal(apply(&model, "{\"task\": \"a\"}", NULL), -EINVAL);
	assert_int_equal(apply(&model, "null", NULL), -EINVAL);
	/* A status that we do not know is no reason to wait. */
	assert_int_equal(apply(&model, "{\"task\": \"b\", \"to\": \"vanished\"}", NULL), 0);
	assert_int_equal(model_over(&model), 2);
}

static char *laid_out(const struct run_model *model, int columns, int rows)
{
	struct layout layout = { .columns = columns, .rows = rows, .now_ms = 12000 };
	struct buffer text = { 0 };

	assert_int_equal(layout_make(&layout, model, &text), 0);
	return text.data;
}

#define RUNS(name, second)                                                                                   \
	"{\"task\": \"" name "\", \"from\": \"pending\", \"to\": \"running\", \"try\": 1, \"time\": "        \
	"\"1970-01-01T00:00:" second "Z\"}"

static void test_layout(void **state)
{
	CLEANUP(model_done) struct run_model model = { 0 };
	CLEANUP(cleanup_free) char *text = NULL;
	CLEANUP(cleanup_free) char *narrow = NULL;
	CLEANUP(cleanup_free) char *low = NULL;

	model_plan(&model, "[{\"name\": \"build\"}, {\"name\": \"test\"}, {\"name\": \"deploy\", "
			   "\"depends\": [\"build\", \"test\"]}, "
			   "{\"name\": \"free\"}, {\"name\": \"n1\"}, {\"name\": \"n2\"}]");
	apply(&model, "{\"task\": null, \"to\": \"running\", \"time\": \"1970-01-01T00:00:01Z\"}", NULL);
	apply(&model, RUNS("test", "02"), NULL);
	apply(&model, RUNS("build", "04"), NULL);
	text = laid_out(&model, 80, 24);
	assert_string_equal(text, "  ⠋ test      10.0s\n"
				  "  ⠋ build     8.0s\n"
				  "  · deploy    after build, test\n"
				  "  · free      for a slot\n"
				  "    … and 2 more wait\n"
				  "  running · 0/6 tasks · 11.0s\n");
	narrow = laid_out(&model, 20, 24);
	assert_string_equal(narrow, "  ⠋ test      10.0s\n"
				    "  ⠋ build     8.0s\n"
				    "  · deploy    afte…\n"
				    "  · free      for …\n"
				    "    … and 2 more w…\n"
				    "  running · 0/6 ta…\n");
	/* As many lines as there is room for: the cursor has one of its own. */
	low = laid_out(&model, 80, 4);
	assert_string_equal(low, "  ⠋ test      10.0s\n"
				 "  ⠋ build     8.0s\n"
				 "  running · 0/6 tasks · 11.0s\n");
	free(low);
	low = laid_out(&model, 80, 3);
	assert_string_equal(low, "    … and 2 more run\n"
				 "  running · 0/6 tasks · 11.0s\n");
	free(low);
	low = laid_out(&model, 80, 2);
	assert_string_equal(low, "  running · 0/6 tasks · 11.0s\n");
	free(low);
	low = laid_out(&model, 1, 1);
	assert_string_equal(low, "\n");
}

static void test_layout_of_waiting(void **state)
{
	CLEANUP(model_done) struct run_model model = { 0 };
	struct layout layout = { .columns = 80, .rows = 24, .waiting = "waits for the lock" };
	CLEANUP(buffer_done) struct buffer text = { 0 };

	assert_int_equal(layout_make(&layout, &model, &text), 0);
	assert_string_equal(text.data, "  queued: waits for the lock\n");
}

static void assert_fit(const char *text, int columns, const char *expected, int used)
{
	char fitting[256];

	assert_int_equal(text_fit(text, columns, fitting, sizeof(fitting)), used);
	assert_string_equal(fitting, expected);
}

static void test_width(void **state)
{
	char small[64];

	assert_int_equal(text_columns("a写b", 5), 4);
	assert_int_equal(text_columns("\033[1;31mred\033[0m", 14), 3);
	assert_int_equal(text_columns("a\nb", 3), 6);
	assert_fit("abc", 3, "abc", 3);
	assert_fit("abcd", 3, "ab…", 3);
	assert_fit("写字", 4, "写字", 4);
	assert_fit("写字字", 4, "写…", 3);
	assert_fit("写", 1, "…", 1);
	assert_fit("a", 0, "", 0);
	assert_fit("a\033b", 9, "a\\x1bb", 6);
	assert_fit("a\xff", 9, "a\\xff", 5);
	/* A combining character goes with the one before it. */
	assert_fit("e\xcc\x81x", 2, "e\xcc\x81x", 2);
	/* What the buffer has no room for is cut off, too. */
	assert_true(
		text_fit("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			200, small, sizeof(small)) < 64);
	assert_true(strlen(small) < sizeof(small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_layout_of_waiting),
		cmocka_unit_test(test_width),
	};

	setenv("LC_ALL", "C", 1);
	text_width_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
