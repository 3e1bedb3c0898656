/* SPDX-License-Identifier: MIT */
/* Metrics of workflows: series, and what a number does to one. */
#include "engine/metric.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/event.h"
#include "engine/metric-name.h"
#include "engine/stack.h"

static void metric_load(struct query *query, struct metric *ret_metric)
{
	*ret_metric = (struct metric){
		.id = query_int(query, 0),
		.stack_id = query_int(query, 1),
		.stack = query_text(query, 2),
		.name = query_text(query, 3),
		.family = query_text(query, 4),
		.type = query_text(query, 5),
		.tags = query_text(query, 6),
		.value = query_text(query, 7),
		.updated_ms = query_int(query, 8),
	};
}

int metric_each(struct engine *engine, int64_t stack_id,
	int (*each)(void *userdata, const struct metric *metric), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = stack_id ? query_begin(engine->store, SQL_METRIC_OF_STACK, "i", stack_id)
				       : query_begin(engine->store, SQL_METRIC_EACH, "");
	struct metric metric;
	int r;

	while ((r = query_step(query)) > 0) {
		metric_load(query, &metric);
		r = each(userdata, &metric);
		if (r != 0)
			break;
	}
	return r;
}

/* What a number does to the value. */

static double number_of(const json_t *value, const char *key)
{
	return json_number_value(json_object_get(value, key));
}

static int set_gauge(json_t *value, const char *type, double number)
{
	return json_object_set_new(value, "value", json_real(number));
}

static int add_counter(json_t *value, const char *type, double number)
{
	return json_object_set_new(value, "value", json_real(number_of(value, "value") + number));
}

static int count_bucket(json_t *value, const char *type, double number)
{
	json_t *buckets = json_object_get(value, "buckets");
	const double *bounds;
	size_t count = metric_bounds(type, &bounds), i = 0;

	if (!buckets) {
		buckets = json_array();
		for (size_t k = 0; k <= count; k++)
			json_array_append_new(buckets, json_integer(0));
		if (json_object_set_new(value, "buckets", buckets) < 0)
			return -1;
	}
	while (i < count && number > bounds[i])
		i++;
	return json_array_set_new(
		buckets, i, json_integer(json_integer_value(json_array_get(buckets, i)) + 1));
}

static int add_histogram(json_t *value, const char *type, double number)
{
	json_int_t count = json_integer_value(json_object_get(value, "count"));
	double least = count ? fmin(number, number_of(value, "min")) : number;
	double greatest = count ? fmax(number, number_of(value, "max")) : number;

	if (json_object_set_new(value, "count", json_integer(count + 1)) < 0 ||
		json_object_set_new(value, "sum", json_real(number_of(value, "sum") + number)) < 0 ||
		json_object_set_new(value, "min", json_real(least)) < 0 ||
		json_object_set_new(value, "max", json_real(greatest)) < 0 ||
		json_object_set_new(value, "last", json_real(number)) < 0)
		return -1;
	return count_bucket(value, type, number);
}

static const struct type {
	const char *name;
	int (*apply)(json_t *value, const char *type, double number);
	const char *result; /* the field that the caller is told */
	bool grows;	    /* by nothing below 0 */
} types[] = {
	{ "gauge", set_gauge, "value" },
	{ "counter", add_counter, "value", .grows = true },
	{ "histogram", add_histogram, "sum" },
	{ "timer", add_histogram, "sum", .grows = true },
};

static const struct type *type_find(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

static int check_number(const struct type *type, const char *name, double number, struct fault *fault)
{
	if (!isfinite(number))
		return fault_set(
			fault, ERANGE, "the metric %s: %g is no number that can be kept", name, number);
	if (type->grows && number < 0)
		return fault_set(fault, EINVAL,
			"the %s %s only goes up, and not by %g: what goes down, too, is a gauge", type->name,
			name, number);
	return 0;
}

/* The series: 0 with its id and value, or -ENOENT. */
static int series_find(struct engine *engine, int64_t stack_id, const char *name, const char *tags,
	int64_t *ret_id, json_t **ret_value)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_METRIC_FIND, "iss", stack_id, name, tags);
	struct metric metric;
	int r = query_step(query);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	metric_load(query, &metric);
	*ret_id = metric.id;
	*ret_value = json_loads(metric.value, 0, NULL);
	return *ret_value ? 0 : -EBADMSG;
}

static int series_add(struct engine *engine, int64_t stack_id, const struct type *type, const char *name,
	const char *tags, const char *value, struct fault *fault)
{
	char family[METRIC_FAMILY_SIZE];
	int64_t count;
	int r = metric_family(engine, type->name, name, fault, family);

	if (r == 0)
		r = store_get_int(engine->store, &count, SQL_METRIC_COUNT, "i", stack_id);
	if (r == 0 && count >= METRIC_SERIES_MAX)
		return fault_set(fault, EDQUOT,
			"the stack has %d series of metrics, which is the limit: tags with few different "
			"values keep "
			"them few, and \"delete NAME\", written into its file metrics, removes some",
			METRIC_SERIES_MAX);
	return r < 0 ? r
		     : store_run(engine->store, SQL_METRIC_ADD, "isssssi", stack_id, name, family, type->name,
			       tags, value, time_now_ms());
}

int metric_record(struct engine *engine, int64_t stack_id, const char *type_name, const char *name,
	json_t *tags, double number, struct fault *fault, double *ret_value)
{
	CLEANUP(cleanup_free) char *tags_text = NULL, *text = NULL;
	json_auto_t *value = NULL;
	const struct type *type = type_find(type_name);
	int64_t id = 0;
	int r;

	if (!type)
		return fault_set(fault, EINVAL, "there is no type of metrics \"%.100s\"", type_name);
	r = metric_name_check(name, fault);
	if (r == 0)
		r = metric_tags_text(tags, fault, &tags_text);
	if (r == 0)
		r = check_number(type, name, number, fault);
	if (r == 0)
		r = metric_type_check(engine, stack_id, type->name, name, fault);
	if (r == 0)
		r = series_find(engine, stack_id, name, tags_text, &id, &value);
	if (r == -ENOENT)
		r = (value = json_object()) ? 0 : -ENOMEM;
	if (r < 0)
		return r;
	if (type->apply(value, type->name, number) < 0)
		return fault_set(fault, ERANGE, "the metric %s: its sum is too large", name);
	text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return -ENOMEM;
	*ret_value = number_of(value, type->result);
	return id ? store_run(engine->store, SQL_METRIC_SET, "isi", id, text, time_now_ms())
		  : series_add(engine, stack_id, type, name, tags_text, text, fault);
}

int metric_remove(struct engine *engine, struct caller *caller, int64_t stack_id, const char *name,
	struct fault *fault, int64_t *ret_count)
{
	struct stack stack;
	int r = stack_get(engine, stack_id, &stack);

	if (r == 0 && caller)
		r = stack_may_write(caller, &stack, fault);
	if (r == 0)
		r = name ? store_run(engine->store, SQL_METRIC_DELETE, "is", stack_id, name)
			 : store_run(engine->store, SQL_METRIC_CLEAR, "i", stack_id);
	if (r < 0)
		return r;
	*ret_count = store_changed_rows(engine->store);
	if (!*ret_count)
		return 0;
	return event_add(engine, caller, "metric.deleted", stack_id, stack.name, 0,
		json_pack("{ss* sI}", "name", name, "series", (json_int_t)*ret_count));
}

json_t *metric_json(const struct metric *metric)
{
	json_t *object = json_loads(metric->value, 0, NULL);
	json_int_t count = json_integer_value(json_object_get(object, "count"));
	char time[32];

	if (!object)
		return NULL;
	json_object_del(object, "buckets");
	if (count)
		json_object_set_new(object, "avg", json_real(number_of(object, "sum") / (double)count));
	json_object_set_new(object, "name", json_string(metric->name));
	json_object_set_new(object, "type", json_string(metric->type));
	json_object_set_new(object, "tags", json_loads(metric->tags, 0, NULL));
	json_object_set_new(object, "timestamp", json_string(time_format(metric->updated_ms, time)));
	return object;
}
