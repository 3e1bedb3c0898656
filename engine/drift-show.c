/* SPDX-License-Identifier: MIT */
/* Drift for people, and as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine/auto-fix.h"
#include "engine/drift-internal.h"
#include "engine/drift-report.h"
#include "engine/watch.h"

static const char rule[] = "━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━";

/* How words of the rows are called in a report. */
static const struct {
	const char *word, *title;
} titles[] = {
	{ "configuration", "Configuration Drift" },
	{ "resource", "Resource Drift" },
	{ "state", "State Drift" },
	{ "dependency", "Dependency Drift" },
	{ "low", "LOW" },
	{ "medium", "MEDIUM" },
	{ "high", "HIGH" },
	{ "critical", "CRITICAL" },
};

static const char *title_of(const char *word)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (!strcmp(titles[i].word, word))
			return titles[i].title;
	return word;
}

/* A value as it would be said: a text without quotes. */
static void write_value(FILE *out, const char *json)
{
	json_auto_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

	if (!value || json_is_null(value))
		fputs("(none)", out);
	else
		text_write_safe(out, json_is_string(value) ? json_string_value(value) : json);
}

static void write_line(FILE *out, const char *title, const char *text)
{
	if (!*text)
		return;
	fprintf(out, "  %-10s ", title);
	text_write_safe(out, text);
	fputc('\n', out);
}

static void write_time(FILE *out, const char *title, int64_t ms)
{
	char text[32];

	if (ms)
		fprintf(out, "  %-10s %s\n", title, time_format(ms, text));
}

/* "acknowledged by alice: will be mended on Monday" */
static void write_status(FILE *out, const struct finding *finding)
{
	char text[32];

	if (!strcmp(finding->status, "pending"))
		return;
	fprintf(out, "  %-10s %s", "Status:", finding->status);
	if (finding->until_ms)
		fprintf(out, " until %s", time_format(finding->until_ms, text));
	if (finding->uid >= 0)
		fprintf(out, " by %s", caller_login((uid_t)finding->uid));
	if (*finding->reason) {
		fputs(": ", out);
		text_write_safe(out, finding->reason);
	}
	fputc('\n', out);
}

static void write_flapping(FILE *out, const struct finding *finding)
{
	char text[32];

	if (finding->flapping_ms)
		fprintf(out,
			"  %-10s since %s: it comes and goes, and is fixed by nobody but people until it is "
			"acknowledged\n",
			"Flapping:", time_format(finding->flapping_ms, text));
}

/* "Changed:   by alice (uid 1000), vi (/usr/bin/vi), process 4711" */
static void write_changer(FILE *out, const struct finding *finding)
{
	json_auto_t *by = *finding->changed_by ? json_loads(finding->changed_by, 0, NULL) : NULL;
	const json_t *uid = json_object_get(by, "uid");
	const char *command = json_string_value(json_object_get(by, "command"));
	const char *exe = json_string_value(json_object_get(by, "exe"));

	if (!by)
		return;
	fprintf(out, "  %-10s by ", "Changed:");
	if (uid)
		fprintf(out, "%s (uid %lld), ", caller_login((uid_t)json_integer_value(uid)),
			(long long)json_integer_value(uid));
	text_write_safe(out, command ? command : "");
	if (exe) {
		fputs(" (", out);
		text_write_safe(out, exe);
		fputc(')', out);
	}
	fprintf(out, "%sprocess %lld\n", command || exe ? ", " : "",
		(long long)json_integer_value(json_object_get(by, "pid")));
}

static void write_finding(FILE *out, const struct finding *finding)
{
	fputs("\nAttribute: ", out);
	text_write_safe(out, *finding->property ? finding->property : "(the whole resource)");
	fprintf(out, "\n  %-10s ", "Expected:");
	write_value(out, finding->expected);
	fprintf(out, "\n  %-10s ", "Actual:");
	write_value(out, finding->actual);
	fputc('\n', out);
	write_line(out, "Impact:", finding->impact);
	if (!strcmp(finding->cause, "unapplied"))
		write_line(out, "Cause:", "it is asked for, and was not brought about yet");
	write_time(out, "Since:", finding->first_seen_ms);
	write_changer(out, finding);
	if (finding->times > 1)
		fprintf(out, "  %-10s %" PRId64 " times\n", "Found:", finding->times);
	write_flapping(out, finding);
	write_status(out, finding);
}

/* Each different suggestion once, below all attributes. */
static void write_fixes(FILE *out, const struct finding *list, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		bool said = !*list[i].fix;

		for (size_t j = 0; j < i && !said; j++)
			said = !strcmp(list[j].fix, list[i].fix);
		if (said)
			continue;
		fputs(any ? "  " : "\nSuggested Fix:\n  ", out);
		any = true;
		text_write_safe(out, list[i].fix);
		fputc('\n', out);
	}
}

/* What is found of one resource. */
static void write_block(FILE *out, const struct finding *list, size_t count)
{
	const struct finding *worst = list;

	for (size_t i = 1; i < count; i++)
		if (drift_severity(list[i].severity) > drift_severity(worst->severity))
			worst = &list[i];
	fputs("Resource: ", out);
	text_write_safe(out, list->name);
	fprintf(out, " (%s)\nType: %s\nSeverity: %s\n", list->type, title_of(worst->kind),
		title_of(worst->severity));
	for (size_t i = 0; i < count; i++)
		write_finding(out, &list[i]);
	write_fixes(out, list, count);
}

/* Those at the list's begin that are of one resource. */
static size_t block_size(const struct finding *list, size_t count)
{
	size_t n = 1;

	while (n < count && !strcmp(list[n].type, list->type) && !strcmp(list[n].name, list->name))
		n++;
	return n;
}

/* What is ignored stands in a list of its own. */
static bool is_told(const struct finding *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (finding_counts(&list[i]))
			return true;
	return false;
}

static void write_blocks(FILE *out, const struct finding *list, size_t count)
{
	while (count) {
		size_t n = block_size(list, count);

		if (is_told(list, n)) {
			fprintf(out, "\n%s\n\n", rule);
			write_block(out, list, n);
		}
		list += n;
		count -= n;
	}
}

static void write_summary(FILE *out, const struct drift_summary *summary)
{
	const struct {
		const char *title;
		int64_t count;
		bool always;
	} rows[] = {
		{ "Drifted Resources:", summary->drifted, true },
		{ "In Sync Resources:", summary->in_sync, true },
		{ "Unapplied Resources:", summary->unapplied, false },
		{ "Failed Resources:", summary->failed, false },
		{ "Unknown Resources:", summary->unknown, false },
		{ "Total Resources:", summary->total, true },
		{ "Ignored Findings:", summary->ignored, false },
	};

	fputs("\nSummary:\n", out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].always || rows[i].count)
			fprintf(out, "  %-21s %" PRId64 "\n", rows[i].title, rows[i].count);
}

static void write_head(
	FILE *out, struct engine *engine, const struct stack *row, const struct drift_summary *summary)
{
	const char *stack = row->name;
	char text[32];

	fprintf(out, "Drift Report for: %s\n", stack);
	if (summary->checked_ms)
		fprintf(out, "Generated: %s\n", time_format(summary->checked_ms, text));
	else
		fprintf(out, "Generated: never (echo detect > stacks/%s/drift looks)\n", stack);
	watch_show(engine, row->id, summary, out);
	write_summary(out, summary);
}

/* Resources that say more than that they differ: why they can't be read, or brought about. */
static const struct {
	const char *status, *title, *otherwise;
} troubles[] = {
	{ "unknown", "Unknown", "it can't be read" },
	{ "failed", "Failed", "it could not be brought about" },
};

static int write_trouble(void *userdata, const struct resource *resource)
{
	FILE *out = userdata;

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		if (strcmp(resource->status, troubles[i].status) != 0)
			continue;
		fprintf(out, "\n%s\n\nResource: ", rule);
		text_write_safe(out, resource->name);
		fprintf(out, " (%s)\n%s: ", resource->type, troubles[i].title);
		text_write_safe(out, *resource->error ? resource->error : troubles[i].otherwise);
		fputc('\n', out);
	}
	return 0;
}

struct rules_out {
	FILE *out;
	bool more;
};

static int write_ignored(void *userdata, const struct drift_ignored *ignored)
{
	struct rules_out *rules = userdata;
	char text[32];

	if (!rules->more)
		fprintf(rules->out, "\n%s\n\nIgnored:\n", rule);
	rules->more = true;
	fprintf(rules->out, "  %s/", ignored->type);
	text_write_safe(rules->out, ignored->name);
	fputs(*ignored->property ? "/" : "", rules->out);
	text_write_safe(rules->out, ignored->property);
	if (ignored->until_ms)
		fprintf(rules->out, " until %s%s", time_format(ignored->until_ms, text),
			ignored->until_ms <= time_now_ms() ? " (over)" : "");
	fprintf(rules->out, " by %s", caller_login((uid_t)ignored->uid));
	fputs(*ignored->reason ? ": " : "", rules->out);
	text_write_safe(rules->out, ignored->reason);
	fputc('\n', rules->out);
	return 0;
}

int drift_show(struct engine *engine, int64_t stack_id, FILE *out)
{
	struct finding *list = NULL;
	struct drift_summary summary;
	struct stack stack;
	size_t count = 0;
	int r = stack_get(engine, stack_id, &stack);

	if (r == 0)
		r = drift_summarise(engine, stack_id, &summary);
	if (r == 0)
		r = finding_list(engine, stack_id, NULL, NULL, &list, &count);
	if (r < 0)
		return r;
	write_head(out, engine, &stack, &summary);
	r = auto_fix_show(engine, &stack, out);
	write_blocks(out, list, count);
	finding_list_free(list, count);
	if (r == 0 && (summary.unknown || summary.failed))
		r = resource_each(engine, stack_id, NULL, write_trouble, out);
	return r < 0 ? r
		     : drift_ignored_each(engine, stack_id, write_ignored, &(struct rules_out){ out, false });
}

int drift_show_resource(struct engine *engine, const struct resource *resource, FILE *out)
{
	struct finding *list = NULL;
	size_t count = 0;
	int r = finding_list(engine, resource->stack_id, resource->type, resource->name, &list, &count);

	if (r == 0 && count)
		write_block(out, list, count);
	finding_list_free(list, count);
	return r;
}

struct plan_out {
	FILE *out;
	int count;
};

/* "• /etc/motd: mode from 0666 to 0644". What a resource lacks elsewhere is not mended here. */
static int write_action(void *userdata, const struct finding *finding)
{
	struct plan_out *plan = userdata;

	if (!finding_counts(finding) || !strcmp(finding->kind, "dependency"))
		return 0;
	fputs(plan->count++ ? "" : "\nThe following actions will be performed:\n\n", plan->out);
	fputs("  • ", plan->out);
	text_write_safe(plan->out, finding->name);
	fputs(": ", plan->out);
	text_write_safe(plan->out, finding->property);
	fputs(*finding->property ? " from " : "from ", plan->out);
	write_value(plan->out, finding->actual);
	fputs(" to ", plan->out);
	write_value(plan->out, finding->expected);
	fputc('\n', plan->out);
	return 0;
}

int drift_show_plan(struct engine *engine, int64_t stack_id, int64_t resource_id, FILE *out)
{
	CLEANUP(resource_done) struct resource resource = { 0 };
	struct plan_out plan = { .out = out };
	struct stack stack;
	int r = stack_get(engine, stack_id, &stack);

	if (r == 0 && resource_id)
		r = resource_get(engine, resource_id, &resource);
	if (r < 0)
		return r;
	fprintf(out, "Drift Fix Plan for: %s\n", stack.name);
	return finding_each(engine, stack_id, resource.type, resource.name, write_action, &plan);
}

/* A line: when it was over, how, what, and how long it had been. */
static int write_past(void *userdata, const struct finding *finding)
{
	FILE *out = userdata;
	char when[32], duration[32];

	fprintf(out, "%s %-9s %s/", time_format(finding->resolved_ms, when), finding->resolution,
		finding->type);
	text_write_safe(out, finding->name);
	fputs(*finding->property ? " " : "", out);
	text_write_safe(out, finding->property);
	fputs(" (expected: ", out);
	write_value(out, finding->expected);
	fputs(", actual: ", out);
	write_value(out, finding->actual);
	fprintf(out, ") after %s", duration_format(finding->resolved_ms - finding->first_seen_ms, duration));
	if (finding->uid >= 0)
		fprintf(out, " by %s", caller_login((uid_t)finding->uid));
	if (finding->run_id)
		fprintf(out, " run %" PRId64, finding->run_id);
	fputc('\n', out);
	return 0;
}

int drift_show_history(struct engine *engine, int64_t stack_id, FILE *out)
{
	return finding_history_each(engine, stack_id, write_past, out);
}

/* JSON */

static int add_finding(void *userdata, const struct finding *finding)
{
	json_t *value = finding_json(finding);

	return value ? json_array_append_new(userdata, value) : -ENOMEM;
}

/* The lists of the object are called like the status. */
static int add_trouble(void *userdata, const struct resource *resource)
{
	json_t *lists = userdata, *list = json_object_get(lists, resource->status);

	if (!list)
		return 0;
	return json_array_append_new(list,
		json_pack("{s:s, s:s, s:o, s:s}", "type", resource->type, "name", resource->name, "path",
			json_sprintf("%s/%s", resource->type, resource->entry), "error", resource->error));
}

static int add_ignored(void *userdata, const struct drift_ignored *ignored)
{
	json_t *list = userdata;
	char until[32], since[32];

	json_array_append_new(list,
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s}", "type", ignored->type, "name", ignored->name,
			"property", ignored->property, "reason", ignored->reason, "until",
			ignored->until_ms ? json_string(time_format(ignored->until_ms, until)) : json_null(),
			"user", caller_login((uid_t)ignored->uid), "since",
			time_format(ignored->created_ms, since)));
	return 0;
}

json_t *drift_summary_json(const struct drift_summary *summary)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "failed", (json_int_t)summary->failed,
		"total", (json_int_t)summary->total, "in_sync", (json_int_t)summary->in_sync, "drifted",
		(json_int_t)summary->drifted, "unapplied", (json_int_t)summary->unapplied, "unknown",
		(json_int_t)summary->unknown, "findings", (json_int_t)summary->findings, "ignored",
		(json_int_t)summary->ignored);
}

int drift_json(struct engine *engine, int64_t stack_id, json_t **ret_value)
{
	json_auto_t *value = json_pack("{s:[], s:[]}", "unknown", "failed");
	json_t *findings = json_array(), *ignored = json_array(), *fixes;
	struct drift_summary summary;
	struct stack stack;
	char text[32];
	int r = stack_get(engine, stack_id, &stack);

	json_object_set_new(value, "findings", findings);
	json_object_set_new(value, "ignored", ignored);
	if (r == 0)
		r = drift_summarise(engine, stack_id, &summary);
	if (r == 0)
		r = finding_each(engine, stack_id, NULL, NULL, add_finding, findings);
	if (r == 0 && (summary.unknown || summary.failed))
		r = resource_each(engine, stack_id, NULL, add_trouble, value);
	if (r == 0)
		r = drift_ignored_each(engine, stack_id, add_ignored, ignored);
	if (r < 0)
		return r;
	r = auto_fix_json(engine, &stack, &fixes);
	if (r < 0)
		return r;
	json_object_set_new(value, "auto_fix", fixes);
	json_object_set_new(value, "stack", json_string(stack.name));
	json_object_set_new(value, "checked",
		summary.checked_ms ? json_string(time_format(summary.checked_ms, text)) : json_null());
	json_object_set_new(value, "summary", drift_summary_json(&summary));
	json_object_set_new(value, "watching", watch_json(engine, stack_id, &summary));
	*ret_value = json_incref(value);
	return 0;
}

int drift_history_json(struct engine *engine, int64_t stack_id, json_t **ret_list)
{
	json_t *list = json_array();
	int r = finding_history_each(engine, stack_id, add_finding, list);

	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret_list = list;
	return 0;
}
