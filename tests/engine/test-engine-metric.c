/* SPDX-License-Identifier: MIT */
/* Metrics of workflows: what a number does, names, tags, limits, what Prometheus sees. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/metric.h"

/* In a change of its own. */
static int record_value(struct fixture *f, int64_t stack, const char *type, const char *name, json_t *tags,
	double number, double *ret_value)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(f->engine->store, &change);

	if (r == 0)
		r = metric_record(f->engine, stack, type, name, tags, number, &f->fault, ret_value);
	return r < 0 ? r : store_change_end(&change);
}

static int remove_all(
	struct fixture *f, struct caller *caller, int64_t stack, const char *name, int64_t *ret_count)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(f->engine->store, &change);

	if (r == 0)
		r = metric_remove(f->engine, caller, stack, name, &f->fault, ret_count);
	return r < 0 ? r : store_change_end(&change);
}

/* The tags are stolen. */
static int record(
	struct fixture *f, int64_t stack, const char *type, const char *name, json_t *tags, double number)
{
	double value;
	int r = record_value(f, stack, type, name, tags, number, &value);

	json_decref(tags);
	return r;
}

static void assert_recorded(
	struct fixture *f, int64_t stack, const char *type, const char *name, double number, double result)
{
	double value = NAN;

	assert_int_equal(record_value(f, stack, type, name, NULL, number, &value), 0);
	assert_true(value == result);
}

#define assert_refused(f, r, errno_, words)                                                                  \
	do {                                                                                                 \
		assert_int_equal(r, -(errno_));                                                              \
		assert_contains((f)->fault.text, words);                                                     \
	} while (0)

static int print(void *userdata, const struct metric *metric)
{
	fprintf(userdata, "%s %s %s %s %s %s\n", metric->stack, metric->family, metric->name, metric->type,
		metric->tags, metric->value);
	return 0;
}

static void assert_all(struct fixture *f, int64_t stack, const char *text)
{
	char *seen = SHOWN(assert_int_equal(metric_each(f->engine, stack, print, out), 0));

	assert_string_equal(seen, text);
	free(seen);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b");

	assert_recorded(f, a, "gauge", "g", 5, 5);
	assert_recorded(f, a, "gauge", "g", -2.5, -2.5);
	assert_recorded(f, a, "counter", "c", 1, 1);
	assert_recorded(f, a, "counter", "c", 2.5, 3.5);
	assert_recorded(f, a, "counter", "c", 0, 3.5);
	/* Another stack's is another series. */
	assert_recorded(f, b, "counter", "c", 7, 7);
	assert_recorded(f, b, "counter", "x_total", 1, 1);
	fixture_restart(f);
	assert_recorded(f, a, "counter", "c", 1, 4.5);
	assert_all(f, a, "a c_total c counter {} {\"value\":4.5}\na g g gauge {} {\"value\":-2.5}\n");
	assert_all(f, 0,
		"a c_total c counter {} {\"value\":4.5}\nb c_total c counter {} {\"value\":7.0}\n"
		"a g g gauge {} {\"value\":-2.5}\nb x_total x_total counter {} {\"value\":1.0}\n");
}

/* The bucket whose bound the number does not exceed; the last one has what is above all. */
static int bucket_of(struct fixture *f, const char *type, const char *name, double number, double *ret_bound)
{
	const double *bounds;
	size_t count = metric_bounds(type, &bounds), i = 0;
	int64_t stack = fixture_stack(f, name);
	json_auto_t *value = NULL;
	json_t *buckets;
	char *text;

	assert_int_equal(record(f, stack, type, name, NULL, number), 0);
	text = SHOWN(assert_int_equal(metric_each(f->engine, stack, print, out), 0));
	value = json_loads(strrchr(text, '{'), 0, NULL);
	free(text);
	buckets = json_object_get(value, "buckets");
	assert_int_equal(json_array_size(buckets), count + 1);
	while (!json_integer_value(json_array_get(buckets, i)))
		i++;
	*ret_bound = i < count ? bounds[i] : INFINITY;
	return (int)i;
}

static void test_histograms(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a");
	const double *bounds;
	double bound;

	assert_int_equal(metric_bounds("gauge", &bounds), 0);
	assert_int_equal(metric_bounds("counter", &bounds), 0);
	for (const char *const *type = (const char *const[]){ "histogram", "timer", NULL }; *type; type++)
		for (size_t i = 1; i < metric_bounds(*type, &bounds); i++)
			assert_true(bounds[i - 1] < bounds[i]);
	/* What is told is the sum. */
	assert_recorded(f, a, "histogram", "h", 3, 3);
	assert_recorded(f, a, "histogram", "h", -1, 2);
	assert_recorded(f, a, "histogram", "h", 200, 202);
	assert_recorded(f, a, "timer", "t", 0.2, 0.2);
	assert_all(f, a,
		"a h h histogram {} "
		"{\"buckets\":[1,0,0,1,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,0],\"count\":3,\"last\":200.0,"
		"\"max\":200.0,\"min\":-1.0,\"sum\":202.0}\n"
		"a t_seconds t timer {} "
		"{\"buckets\":[0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0],\"count\":1,\"last\":0.20000000000000001,"
		"\"max\":0.20000000000000001,\"min\":0.20000000000000001,\"sum\":0.20000000000000001}\n");
	assert_int_equal(bucket_of(f, "histogram", "least", -5, &bound), 0);
	bucket_of(f, "histogram", "equal", 100, &bound);
	assert_true(bound == 100);
	bucket_of(f, "histogram", "above", 100.5, &bound);
	assert_true(bound == 250);
	bucket_of(f, "timer", "long", 1801, &bound);
	assert_true(isinf(bound));
}

static void test_tags(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a");
	json_t *many = json_object();
	char large[METRIC_VALUE_MAX + 2];

	assert_int_equal(record(f, a, "gauge", "g", json_pack("{ss ss}", "b", "2", "a", "1"), 1), 0);
	/* Their order makes no other series; other values do. */
	assert_int_equal(record(f, a, "gauge", "g", json_pack("{ss ss}", "a", "1", "b", "2"), 3), 0);
	assert_int_equal(record(f, a, "gauge", "g", json_pack("{ss ss}", "a", "1", "b", ""), 4), 0);
	assert_int_equal(record(f, a, "gauge", "g", json_object(), 5), 0);
	assert_int_equal(record(f, a, "gauge", "g", NULL, 6), 0);
	assert_all(f, a,
		"a g g gauge {\"a\":\"1\",\"b\":\"\"} {\"value\":4.0}\na g g gauge {\"a\":\"1\",\"b\":\"2\"} "
		"{\"value\":3.0}\n"
		"a g g gauge {} {\"value\":6.0}\n");
	assert_refused(f, record(f, a, "gauge", "g", json_pack("{ss}", "stack", "x"), 1), EINVAL,
		"the tag stack is set by the daemon");
	assert_refused(f, record(f, a, "histogram", "h", json_pack("{ss}", "le", "x"), 1), EINVAL,
		"the tag le is set");
	assert_refused(
		f, record(f, a, "gauge", "g", json_pack("{ss}", "__a", "x"), 1), EINVAL, "no name of a tag");
	assert_refused(
		f, record(f, a, "gauge", "g", json_pack("{ss}", "a:b", "x"), 1), EINVAL, "no name of a tag");
	assert_refused(
		f, record(f, a, "gauge", "g", json_pack("{ss}", "", "x"), 1), EINVAL, "no name of a tag");
	assert_refused(
		f, record(f, a, "gauge", "g", json_pack("{si}", "a", 1), 1), EINVAL, "has to be a text");
	memset(large, 'x', sizeof(large));
	large[METRIC_VALUE_MAX + 1] = '\0';
	assert_refused(
		f, record(f, a, "gauge", "g", json_pack("{ss}", "a", large), 1), EINVAL, "up to 256 bytes");
	large[METRIC_VALUE_MAX] = '\0';
	assert_int_equal(record(f, a, "gauge", "g", json_pack("{ss}", "a", large), 1), 0);
	for (int i = 0; i < METRIC_TAGS_MAX; i++) {
		snprintf(large, sizeof(large), "t%d", i);
		json_object_set_new(many, large, json_string("x"));
	}
	assert_int_equal(record(f, a, "gauge", "g", json_incref(many), 1), 0);
	json_object_set_new(many, "last", json_string("x"));
	assert_refused(f, record(f, a, "gauge", "g", many, 1), EINVAL, "up to 10 tags, not 11");
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b");
	const char *bad[] = { "", "1a", "a b", "a-b", "é", "a{" };
	char large[METRIC_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(f, record(f, a, "gauge", bad[i], NULL, 1), EINVAL, "is no name of a metric");
	memset(large, 'x', sizeof(large));
	large[METRIC_NAME_MAX + 1] = '\0';
	assert_refused(f, record(f, a, "gauge", large, NULL, 1), EINVAL, "up to 128 bytes");
	large[METRIC_NAME_MAX] = '\0';
	assert_int_equal(record(f, a, "timer", large, NULL, 1), 0);
	assert_int_equal(record(f, a, "gauge", "Ns:_9", NULL, 1), 0);
	assert_refused(f, record(f, a, "gauge", "sloth_stacks", NULL, 1), EINVAL, "the daemon's own");
	assert_refused(f, record(f, a, "gauge", "process_x", NULL, 1), EINVAL, "the daemon's own");
	assert_refused(f, record(f, a, "thing", "x", NULL, 1), EINVAL, "no type of metrics \"thing\"");
	/* A name has one type, and a family one name. */
	assert_int_equal(record(f, a, "gauge", "x_total", NULL, 1), 0);
	assert_refused(
		f, record(f, a, "counter", "x_total", NULL, 1), EEXIST, "is a gauge, and can't be a counter");
	assert_refused(f, record(f, b, "counter", "x", NULL, 1), EEXIST,
		"shown as x_total, which is the name of a gauge");
	assert_int_equal(record(f, a, "timer", "d", NULL, 1), 0);
	assert_refused(f, record(f, b, "gauge", "d_seconds", NULL, 1), EEXIST, "name of a timer");
	assert_refused(f, record(f, b, "gauge", "d_seconds_sum", NULL, 1), EEXIST, "choose another name");
	assert_int_equal(record(f, b, "gauge", "e_count", NULL, 1), 0);
	assert_refused(f, record(f, a, "histogram", "e", NULL, 1), EEXIST, "choose another name");
}

static void test_numbers(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a");

	assert_refused(f, record(f, a, "gauge", "g", NULL, INFINITY), ERANGE, "no number that can be kept");
	assert_refused(f, record(f, a, "gauge", "g", NULL, NAN), ERANGE, "no number that can be kept");
	assert_refused(f, record(f, a, "counter", "c", NULL, -1), EINVAL, "only goes up, and not by -1");
	assert_refused(f, record(f, a, "timer", "t", NULL, -0.1), EINVAL, "only goes up");
	assert_int_equal(record(f, a, "counter", "c", NULL, 1e308), 0);
	assert_refused(f, record(f, a, "counter", "c", NULL, 1e308), ERANGE, "its sum is too large");
	assert_all(f, a, "a c_total c counter {} {\"value\":1e308}\n");
}

static void test_limit_and_removal(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), count;

	for (int i = 0; i < METRIC_SERIES_MAX; i++)
		assert_int_equal(record(f, a, "gauge", i ? "many" : "one",
					 i ? json_pack("{so}", "n", json_sprintf("%d", i)) : NULL, i),
			0);
	assert_refused(f, record(f, a, "gauge", "other", NULL, 1), EDQUOT,
		"has 1000 series of metrics, which is the limit");
	/* What is there goes on; others have their own number. */
	assert_recorded(f, a, "gauge", "one", 3, 3);
	assert_recorded(f, b, "gauge", "one", 4, 4);
	assert_int_equal(stack_chmod(f->engine, &f->alice, a, 0755, NULL), 0);
	assert_int_equal(remove_all(f, &f->bob, a, "one", &count), -EACCES);
	assert_int_equal(remove_all(f, &f->alice, a, "none", &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(remove_all(f, &f->alice, a, "many", &count), 0);
	assert_int_equal(count, METRIC_SERIES_MAX - 1);
	assert_all(f, 0, "a one one gauge {} {\"value\":3.0}\nb one one gauge {} {\"value\":4.0}\n");
	assert_int_equal(remove_all(f, &f->alice, a, NULL, &count), 0);
	assert_int_equal(count, 1);
	assert_all(f, 0, "b one one gauge {} {\"value\":4.0}\n");
	assert_int_equal(stack_destroy(f->engine, &f->alice, b, &f->fault), 0);
	assert_all(f, 0, "");
}

static int give_json(void *userdata, const struct metric *metric)
{
	*(json_t **)userdata = metric_json(metric);
	return 7;
}

static void test_json(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a");
	json_t *seen = NULL;
	char *text;

	assert_int_equal(record(f, a, "histogram", "h", json_pack("{ss}", "k", "v"), 1), 0);
	assert_int_equal(record(f, a, "histogram", "h", json_pack("{ss}", "k", "v"), 2), 0);
	assert_int_equal(metric_each(f->engine, a, give_json, &seen), 7);
	assert_true(json_is_string(json_object_get(seen, "timestamp")));
	json_object_del(seen, "timestamp");
	text = json_dumps(seen, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
		"{\"avg\":1.5,\"count\":2,\"last\":2.0,\"max\":2.0,\"min\":1.0,\"name\":\"h\",\"sum\":3.0,"
		"\"tags\":{\"k\":\"v\"},\"type\":\"histogram\"}");
	free(text);
	json_decref(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_histograms),
		TEST(test_tags),
		TEST(test_names),
		TEST(test_numbers),
		TEST(test_limit_and_removal),
		TEST(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
