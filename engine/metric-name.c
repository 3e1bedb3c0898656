/* SPDX-License-Identifier: MIT */
/* Names of metrics, by the rules of Prometheus (its data model, and what promtool complains of). */
#include "engine/metric-name.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Seconds; and numbers of which nothing is known. */
static const double timer_bounds[] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800 };
static const double histogram_bounds[] = { .01, .1, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 1e4,
	1e5, 1e6, 1e7, 1e8, 1e9 };

static const struct shape {
	const char *type, *suffix; /* that the family's name has */
	const double *bounds;
	size_t bound_count;
} shapes[] = {
	{ "gauge", "" },
	{ "counter", "_total" },
	{ "histogram", "", histogram_bounds, sizeof(histogram_bounds) / sizeof(histogram_bounds[0]) },
	{ "timer", "_seconds", timer_bounds, sizeof(timer_bounds) / sizeof(timer_bounds[0]) },
};

/* What a histogram shows beside its own name. */
static const char *const parts[] = { "_bucket", "_sum", "_count" };
/* Names that begin so are the daemon's. */
static const char *const own[] = { "sloth_", "process_" };

static const struct shape *shape_of(const char *type)
{
	const struct shape *shape = shapes;

	while (strcmp(shape->type, type) != 0)
		shape++;
	return shape;
}

size_t metric_bounds(const char *type, const double **ret_bounds)
{
	const struct shape *shape = shape_of(type);

	*ret_bounds = shape->bounds;
	return shape->bound_count;
}

static bool fits(const char *name, const char *also)
{
	if (!*name || isdigit((unsigned char)*name) || strlen(name) > METRIC_NAME_MAX)
		return false;
	for (const char *p = name; *p; p++)
		if (!isascii(*p) || (!isalnum((unsigned char)*p) && !strchr(also, *p)))
			return false;
	return true;
}

int metric_name_check(const char *name, struct fault *fault)
{
	if (!fits(name, "_:"))
		return fault_set(fault, EINVAL,
			"\"%.150s\" is no name of a metric: it has to be of letters, digits and _, not begin "
			"with a "
			"digit, and have up to %d bytes",
			name, METRIC_NAME_MAX);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strncmp(name, own[i], strlen(own[i])))
			return fault_set(fault, EINVAL,
				"metrics whose names begin with %s are the daemon's own", own[i]);
	return 0;
}

static int tag_check(const char *name, const json_t *value, struct fault *fault)
{
	if (!fits(name, "_") || !strncmp(name, "__", 2))
		return fault_set(fault, EINVAL,
			"\"%.150s\" is no name of a tag: it has to be of letters, digits and _, and not "
			"begin with a "
			"digit or __",
			name);
	if (!strcmp(name, "stack") || !strcmp(name, "le"))
		return fault_set(fault, EINVAL, "the tag %s is set by the daemon", name);
	if (!json_is_string(value) || json_string_length(value) > METRIC_VALUE_MAX)
		return fault_set(fault, EINVAL, "the tag %s: its value has to be a text of up to %d bytes",
			name, METRIC_VALUE_MAX);
	return 0;
}

int metric_tags_text(json_t *tags, struct fault *fault, char **ret_text)
{
	const char *name;
	json_t *value;
	int r = 0;

	if (json_object_size(tags) > METRIC_TAGS_MAX)
		return fault_set(fault, EINVAL, "a metric has up to %d tags, not %zu", METRIC_TAGS_MAX,
			json_object_size(tags));
	json_object_foreach (tags, name, value)
		if (r == 0)
			r = tag_check(name, value, fault);
	if (r < 0)
		return r;
	*ret_text = json_object_size(tags) ? json_dumps(tags, JSON_COMPACT | JSON_SORT_KEYS) : strdup("{}");
	return *ret_text ? 0 : -ENOMEM;
}

int metric_type_check(
	struct engine *engine, int64_t stack_id, const char *type, const char *name, struct fault *fault)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_METRIC_TYPE, "is", stack_id, name);
	int r = query_step(query);

	if (r <= 0 || !strcmp(query_text(query, 0), type))
		return r < 0 ? r : 0;
	return fault_set(fault, EEXIST, "the metric %s is a %s, and can't be a %s: choose another name", name,
		query_text(query, 0), type);
}

/* Whose a family is: 1 with its type, 0 when it is nobody's. */
static int family_type(
	struct engine *engine, const char *family, const char *name, bool *ret_same, char type[16])
{
	CLEANUP(query_endp) struct query *query = query_begin(engine->store, SQL_METRIC_FAMILY, "s", family);
	int r = query_step(query);

	if (r <= 0)
		return r;
	snprintf(type, 16, "%s", query_text(query, 1));
	*ret_same = !strcmp(query_text(query, 0), name);
	return 1;
}

static int taken(const char *name, const char *family, const char *type, struct fault *fault)
{
	return fault_set(fault, EEXIST,
		"the metric %s would be shown as %s, which is the name of a %s already: choose another name",
		name, family, type);
}

/* A histogram has the names NAME_sum and so on, too, and nobody else may. */
static int check_parts(struct engine *engine, const struct shape *shape, const char *name, const char *family,
	struct fault *fault)
{
	char other[METRIC_FAMILY_SIZE + 8], type[16];
	bool same;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n = strlen(family), m = strlen(parts[i]);

		if (shape->bounds)
			snprintf(other, sizeof(other), "%s%s", family, parts[i]);
		else if (n > m && !strcmp(family + n - m, parts[i]))
			snprintf(other, sizeof(other), "%.*s", (int)(n - m), family);
		else
			continue;
		r = family_type(engine, other, name, &same, type);
		if (r > 0 && (shape->bounds || shape_of(type)->bounds))
			return taken(name, family, type, fault);
		r = r < 0 ? r : 0;
	}
	return r;
}

int metric_family(struct engine *engine, const char *type, const char *name, struct fault *fault,
	char ret_family[METRIC_FAMILY_SIZE])
{
	const struct shape *shape = shape_of(type);
	size_t n = strlen(name), m = strlen(shape->suffix);
	bool has = n > m && !strcmp(name + n - m, shape->suffix), same;
	char other[16];
	int r;

	snprintf(ret_family, METRIC_FAMILY_SIZE, "%s%s", name, has ? "" : shape->suffix);
	r = family_type(engine, ret_family, name, &same, other);
	if (r > 0 && (!same || strcmp(other, type) != 0))
		return taken(name, ret_family, other, fault);
	return r != 0 ? (r < 0 ? r : 0) : check_parts(engine, shape, name, ret_family, fault);
}
