/* SPDX-License-Identifier: MIT */
/*
 * metrics and metrics.json: the daemon's own numbers, and those that workflows have set; of these a caller
 * sees what stacks show him. stacks/S/metrics: a stack's alone. In Prometheus' text format, version 0.0.4.
 *
 * Both forms are made of one list: [{ name, type, help, samples: [{ name, labels, value }] }].
 */
#include "engine/metric.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "build.h"
#include "engine/figures.h"
#include "engine/runner.h"
#include "engine/stack.h"
#include "fs/nodes/nodes.h"

static int add_sample(json_t *samples, const char *name, json_t *labels, double value)
{
	json_t *sample = json_pack(
		"{ss so sf}", "name", name, "labels", labels ? labels : json_object(), "value", value);

	return json_array_append_new(samples, sample) < 0 ? -ENOMEM : 0;
}

/* The daemon's own. */

struct own_view {
	struct view *view;
	struct figures figures;
};

struct own {
	const char *name, *type, *help;
	const char *label; /* of `counts` */
	/* Either of these: one number, or how many of each word. */
	double (*number)(const struct own_view *own);
	json_t *(*counts)(const struct own_view *own); /* borrowed */
};

static double one(const struct own_view *own)
{
	return 1;
}

static double start_time(const struct own_view *own)
{
	return (double)own->view->tree->started_ms / 1000;
}

static double healthy(const struct own_view *own)
{
	return !own->view->engine->turn_error;
}

static double waiters(const struct own_view *own)
{
	return (double)own->figures.waiters;
}

static double events(const struct own_view *own)
{
	return (double)own->figures.events;
}

static double archived(const struct own_view *own)
{
	return (double)own->figures.archived;
}

static double commits(const struct own_view *own)
{
	return (double)own->figures.commits;
}

static double failed_commits(const struct own_view *own)
{
	return (double)own->figures.failed_commits;
}

static double database_bytes(const struct own_view *own)
{
	return (double)own->figures.database_bytes;
}

static double wal_bytes(const struct own_view *own)
{
	return (double)own->figures.wal_bytes;
}

static json_t *stacks(const struct own_view *own)
{
	return own->figures.stacks;
}

static json_t *runs(const struct own_view *own)
{
	return own->figures.runs;
}

static json_t *locks(const struct own_view *own)
{
	return own->figures.locks;
}

/* A field of /proc/self/stat, counted from 1 as in proc(5), above 2. */
static double stat_field(int wanted)
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/stat", "re");
	char text[1024] = "", *p;

	if (!file || !fgets(text, sizeof(text), file) || !(p = strrchr(text, ')')))
		return 0;
	for (int field = 2; p && field < wanted; field++)
		p = strchr(p + 1, ' ');
	return p ? strtod(p, NULL) : 0;
}

static double cpu_seconds(const struct own_view *own)
{
	return (stat_field(14) + stat_field(15)) / (double)sysconf(_SC_CLK_TCK);
}

static double resident_bytes(const struct own_view *own)
{
	return stat_field(24) * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(const struct own_view *own)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 3; /* ".", "..", and the folder itself */
}

static const struct own rows[] = {
	{ "sloth_build_info", "gauge", "Which version this is.", .number = one, .label = "version" },
	{ "sloth_start_time_seconds", "gauge", "When the daemon began, in seconds since 1970.",
		.number = start_time },
	{ "sloth_healthy", "gauge", "1: what is changed is stored, 0: it can't be.", .number = healthy },
	{ "sloth_stacks", "gauge", "Stacks, by their status.", "status", .counts = stacks },
	{ "sloth_runs", "gauge", "Runs that are known, by their status.", "status", .counts = runs },
	{ "sloth_locks", "gauge", "Locks that are held, of stacks and named ones, by what ends them.", "kind",
		.counts = locks },
	{ "sloth_lock_waiters", "gauge", "Requests that wait for a lock.", .number = waiters },
	{ "sloth_events_total", "counter", "Events of the audit trail, from its beginning.",
		.number = events },
	{ "sloth_events_archived_total", "counter", "Those of them that stand in archives.",
		.number = archived },
	{ "sloth_commits_total", "counter", "Transactions that were put on disk since the daemon began.",
		.number = commits },
	{ "sloth_failed_commits_total", "counter", "Transactions that could not be.",
		.number = failed_commits },
	{ "sloth_database_size_bytes", "gauge", "Size of the database.", .number = database_bytes },
	{ "sloth_wal_size_bytes", "gauge", "Size of its write-ahead log.", .number = wal_bytes },
	{ "process_cpu_seconds_total", "counter", "Processor time of the daemon.", .number = cpu_seconds },
	{ "process_resident_memory_bytes", "gauge", "Memory of the daemon.", .number = resident_bytes },
	{ "process_open_fds", "gauge", "Its open file descriptors.", .number = open_fds },
};

static int add_own(json_t *families, const struct own_view *own, const struct own *row)
{
	json_t *samples = json_array(), *counts = row->counts ? row->counts(own) : NULL, *count;
	const char *word;
	int r = 0;

	if (row->number)
		r = add_sample(samples, row->name,
			row->label ? json_pack("{ss}", row->label, SLOTH_VERSION) : NULL, row->number(own));
	json_object_foreach (counts, word, count)
		if (r == 0)
			r = add_sample(samples, row->name, json_pack("{ss}", row->label, word),
				json_number_value(count));
	if (r == 0)
		r = json_array_append_new(
			families, json_pack("{ss ss ss sO}", "name", row->name, "type", row->type, "help",
					  row->help, "samples", samples));
	json_decref(samples);
	return r < 0 ? -ENOMEM : 0;
}

static int add_all_own(struct view *view, json_t *families)
{
	struct own_view own = { .view = view };
	int r = figures_get(view->engine, &own.figures);

	for (size_t i = 0; r == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
		r = add_own(families, &own, &rows[i]);
	figures_done(&own.figures);
	return r;
}

/* Those of workflows. */

struct customs {
	struct view *view;
	json_t *families, *samples; /* of the family that is under way; borrowed */
	char family[256];
};

static int add_bucket(struct customs *customs, const json_t *labels, double bound, json_int_t count)
{
	char le[32] = "+Inf", name[300];
	json_t *all = json_deep_copy(labels);

	if (isfinite(bound))
		snprintf(le, sizeof(le), "%.15g", bound);
	json_object_set_new(all, "le", json_string(le));
	snprintf(name, sizeof(name), "%s_bucket", customs->family);
	return add_sample(customs->samples, name, all, (double)count);
}

static int add_histogram(
	struct customs *customs, const struct metric *metric, json_t *labels, const json_t *value)
{
	const double *bounds;
	size_t count = metric_bounds(metric->type, &bounds);
	const json_t *buckets = json_object_get(value, "buckets");
	json_int_t sum = 0;
	char name[300];
	int r = 0;

	for (size_t i = 0; r == 0 && i <= count; i++) {
		sum += json_integer_value(json_array_get(buckets, i));
		r = add_bucket(customs, labels, i < count ? bounds[i] : INFINITY, sum);
	}
	snprintf(name, sizeof(name), "%s_sum", customs->family);
	if (r == 0)
		r = add_sample(customs->samples, name, json_incref(labels),
			json_number_value(json_object_get(value, "sum")));
	snprintf(name, sizeof(name), "%s_count", customs->family);
	return r < 0 ? r
		     : add_sample(customs->samples, name, json_incref(labels),
			       json_number_value(json_object_get(value, "count")));
}

static int begin_family(struct customs *customs, const struct metric *metric)
{
	bool histogram = strcmp(metric->type, "gauge") != 0 && strcmp(metric->type, "counter") != 0;

	if (!strcmp(customs->family, metric->family))
		return 0;
	snprintf(customs->family, sizeof(customs->family), "%s", metric->family);
	customs->samples = json_array();
	return json_array_append_new(
		       customs->families, json_pack("{ss ss ss so}", "name", metric->family, "type",
						  histogram ? "histogram" : metric->type, "help",
						  "Set by workflows.", "samples", customs->samples)) < 0
		       ? -ENOMEM
		       : 0;
}

static int add_custom(void *userdata, const struct metric *metric)
{
	struct customs *customs = userdata;
	json_auto_t *labels = NULL, *value = NULL;
	int r;

	if (!stack_visible(customs->view->engine, customs->view->caller, metric->stack_id))
		return 0;
	labels = json_loads(metric->tags, 0, NULL);
	value = json_loads(metric->value, 0, NULL);
	if (!labels || !value)
		return -EBADMSG;
	json_object_set_new(labels, "stack", json_string(metric->stack));
	r = begin_family(customs, metric);
	if (r < 0)
		return r;
	if (json_object_get(value, "buckets"))
		return add_histogram(customs, metric, labels, value);
	return add_sample(customs->samples, metric->family, json_incref(labels),
		json_number_value(json_object_get(value, "value")));
}

static int add_customs(struct view *view, int64_t stack_id, json_t *families)
{
	struct customs customs = { .view = view, .families = families };

	return metric_each(view->engine, stack_id, add_custom, &customs);
}

/* The text. */

static void write_number(double number, FILE *out)
{
	char text[40];

	snprintf(text, sizeof(text), "%.15g", number);
	if (strtod(text, NULL) != number)
		snprintf(text, sizeof(text), "%.17g", number);
	fputs(text, out);
}

static void write_label(const char *name, const char *value, char before, FILE *out)
{
	size_t size = strlen(value), n;

	fprintf(out, "%c%s=\"", before, name);
	for (size_t i = 0; i < size; i += n) {
		bool harmless;

		n = text_character(value + i, size - i, &harmless);
		if (value[i] == '\n')
			fputs("\\n", out);
		else if (value[i] == '"' || value[i] == '\\')
			fprintf(out, "\\%c", value[i]);
		else if (harmless)
			fwrite(value + i, 1, n, out);
		else /* the format has no escapes for these: the value has a backslash then */
			for (size_t k = 0; k < n; k++)
				fprintf(out, "\\\\x%02x", (unsigned char)value[i + k]);
	}
	fputc('"', out);
}

static void write_sample(json_t *sample, FILE *out)
{
	json_t *labels = json_object_get(sample, "labels"), *value;
	const char *name;
	char before = '{';

	fputs(json_string_value(json_object_get(sample, "name")), out);
	json_object_foreach (labels, name, value) {
		write_label(name, json_string_value(value), before, out);
		before = ',';
	}
	fputs(before == ',' ? "} " : " ", out);
	write_number(json_number_value(json_object_get(sample, "value")), out);
	fputc('\n', out);
}

static void write_families(const json_t *families, FILE *out)
{
	json_t *family, *sample;
	size_t i, k;

	json_array_foreach (families, i, family) {
		const char *name = json_string_value(json_object_get(family, "name"));

		fprintf(out, "# HELP %s %s\n", name, json_string_value(json_object_get(family, "help")));
		fprintf(out, "# TYPE %s %s\n", name, json_string_value(json_object_get(family, "type")));
		json_array_foreach (json_object_get(family, "samples"), k, sample)
			write_sample(sample, out);
	}
}

/* What the four files show; of a stack its own alone. */
int metrics_show(struct view *view, FILE *out)
{
	json_auto_t *families = json_array();
	const char *name = node_entry(view->node)->name;
	int r = families ? 0 : -ENOMEM;

	if (r == 0 && !view->id)
		r = add_all_own(view, families);
	if (r == 0)
		r = add_customs(view, view->id, families);
	if (r < 0)
		return r;
	if (strstr(name, ".json"))
		return show_json(out, families);
	write_families(families, out);
	return 0;
}

/* delete NAME; clear */
int metrics_write(struct view *view, const char *line, size_t size)
{
	CLEANUP(cleanup_free) char *command = strndup(line, size);
	const char *name = NULL;
	int64_t count = 0;
	int r;

	if (!command)
		return -ENOMEM;
	if (!strncmp(command, "delete ", 7))
		name = command + 7;
	else if (strcmp(command, "clear") != 0)
		return fault_set(view->fault, EINVAL,
			"\"%.100s\" is no command for metrics: there are \"delete NAME\" and \"clear\"",
			command);
	r = metric_remove(view->engine, view->caller, view->id, name, view->fault, &count);
	if (r == 0 && name && !count)
		r = fault_set(view->fault, ENOENT, "the stack has no metric %.100s", name);
	return r;
}
