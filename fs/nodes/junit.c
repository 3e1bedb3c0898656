/* SPDX-License-Identifier: MIT */
/*
 * junit.xml: a run as a test report, for Jenkins, GitLab and what else reads those. A suite is the run, a
 * case is a task. The output of tasks that failed is in it, the end of it where it is long.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/run-report.h"
#include "fs/nodes/nodes.h"
#include "fs/nodes/report.h"

enum {
	TAIL_MAX = 32 << 10,	/* bytes of a task's output */
	TAILS_MAX = 1024 << 10, /* of all in a report */
};

static const char replacement[] = "\xef\xbf\xbd";

/* The bytes of the UTF-8 character that begins here, which XML 1.0 may have; 0: it is none. */
static size_t character_size(const char *text, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;

	if (*p < 0x80)
		return *p >= 0x20 || *p == '\t' || *p == '\n' || *p == '\r';
	for (size_t n = 2; n <= 4 && n <= size; n++)
		if (text_is_utf8(text, n))
			/* U+FFFE and U+FFFF are no characters. */
			return n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe ? 0 : n;
	return 0;
}

static void write_xml(FILE *out, const char *text, size_t size)
{
	static const char *const entities[128] = { ['&'] = "&amp;",
		['<'] = "&lt;",
		['>'] = "&gt;",
		['"'] = "&quot;",
		['\n'] = "&#10;",
		['\r'] = "&#13;",
		['\t'] = "&#9;" };

	while (size) {
		size_t n = character_size(text, size);
		const char *entity = n == 1 ? entities[(unsigned char)*text] : NULL;
		bool harmless;

		text_character(text, size, &harmless);
		if (!n || (!harmless && !entity))
			fputs(replacement, out);
		else if (entity)
			fputs(entity, out);
		else
			fwrite(text, 1, n, out);
		n = n ? n : 1;
		text += n;
		size -= n;
	}
}

static void write_attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	write_xml(out, value, strlen(value));
	fputc('"', out);
}

/* What went wrong: its first line as the message, all of it as the text where there is more. */
static void write_error(FILE *out, const char *element, const char *error, const char *type)
{
	size_t first = strcspn(error, "\n");

	fprintf(out, "\n      <%s message=\"", element);
	write_xml(out, error, first);
	fputc('"', out);
	if (type)
		write_attribute(out, "type", type);
	if (!error[first]) {
		fputs("/>\n", out);
		return;
	}
	fputc('>', out);
	write_xml(out, error, strlen(error));
	fprintf(out, "</%s>\n", element);
}

static void write_seconds(FILE *out, int64_t ms)
{
	ms = ms < 0 ? 0 : ms;
	fprintf(out, " time=\"%" PRId64 ".%03d\"", ms / 1000, (int)(ms % 1000));
}

/* What stands for a status in a test report. */
static const char *const elements[TASK_STATUS_COUNT] = {
	[TASK_PENDING] = "skipped",
	[TASK_READY] = "skipped",
	[TASK_RUNNING] = "skipped",
	[TASK_RETRY_WAIT] = "skipped",
	[TASK_SKIPPED] = "skipped",
	[TASK_CANCELLED] = "skipped",
	[TASK_UPSTREAM_FAILED] = "skipped",
	[TASK_FAILED] = "failure",
	[TASK_TIMED_OUT] = "failure",
	[TASK_LOST] = "error",
};

static size_t count_of(const struct report *report, const char *element)
{
	size_t n = 0;

	for (size_t i = 0; i < report->count; i++) {
		const char *of = elements[report->tasks[i].task.status];

		n += of && !strcmp(of, element);
	}
	return n;
}

static int write_tail(struct view *view, const struct task *task, size_t *left, FILE *out)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t max = *left < TAIL_MAX ? (int64_t)*left : TAIL_MAX;
	int64_t start = task->log_size > max ? task->log_size - max : 0;
	ssize_t n;

	if (task->log_size == 0 || max == 0)
		return 0;
	if (buffer_truncate(&text, (size_t)(task->log_size - start)) < 0)
		return -ENOMEM;
	n = log_read(view->engine, task->run_id, task->id, start, text.data, text.size);
	if (n < 0)
		return (int)n;
	*left -= (size_t)n;
	fputs("      <system-out>", out);
	if (start)
		fprintf(out, "[the first %" PRId64 " bytes are left out]&#10;", start);
	write_xml(out, text.data, (size_t)n);
	fputs("</system-out>\n", out);
	return 0;
}

static int write_case(struct view *view, const struct report *report, const struct report_task *task,
	size_t *left, FILE *out)
{
	const char *element = elements[task->task.status];
	CLEANUP(buffer_done) struct buffer error = { 0 };
	int r;

	fputs("    <testcase", out);
	write_attribute(out, "classname", report->run.file);
	write_attribute(out, "name", task->task.name);
	write_seconds(out, report_task_ms(task));
	if (!element) {
		fputs("/>\n", out);
		return 0;
	}
	r = task_error(view->engine, task->task.id, &error);
	if (r < 0)
		return r;
	fputc('>', out);
	write_error(out, element, error.size ? buffer_text(&error) : task_status_name(task->task.status),
		strcmp(element, "skipped") != 0 ? task_status_name(task->task.status) : NULL);
	r = strcmp(element, "skipped") != 0 ? write_tail(view, &task->task, left, out) : 0;
	fputs("    </testcase>\n", out);
	return r;
}

/* A run that failed, though none of its tasks did: what it says of itself is a case of its own. */
static int write_run_case(struct view *view, const struct report *report, FILE *out)
{
	CLEANUP(buffer_done) struct buffer error = { 0 };
	int r = run_text(view->engine, view->id, RUN_ERROR, &error);

	if (r < 0)
		return r;
	fputs("    <testcase", out);
	write_attribute(out, "classname", report->run.file);
	write_attribute(out, "name", "run");
	fputs(" time=\"0.000\">", out);
	write_error(out, "error", error.size ? buffer_text(&error) : run_status_name(report->run.status),
		run_status_name(report->run.status));
	fputs("    </testcase>\n", out);
	return 0;
}

static bool needs_run_case(const struct report *report)
{
	return run_status_final(report->run.status) && report->run.status != RUN_SUCCESS &&
	       !count_of(report, "failure") && !count_of(report, "error");
}

/* The attributes of both, the list of suites and the one in it. */
static void write_totals(const struct report *report, FILE *out)
{
	size_t extra = needs_run_case(report);
	bool over = report->run.started_ms && report->run.finished_ms;

	write_attribute(out, "name", report->run.file);
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", report->count + extra,
		count_of(report, "failure"), count_of(report, "error") + extra, count_of(report, "skipped"));
	write_seconds(out, over ? report->run.finished_ms - report->run.started_ms : 0);
}

int junit_show(struct view *view, FILE *out)
{
	CLEANUP(report_done) struct report report = { 0 };
	size_t left = TAILS_MAX;
	char time[32];
	int r = report_load(view->engine, view->id, &report);

	if (r < 0)
		return r;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", out);
	write_totals(&report, out);
	fputs(">\n  <testsuite", out);
	write_totals(&report, out);
	/* Without the zone and the milliseconds: the schema's ISO 8601. */
	fprintf(out,
		" id=\"0\" timestamp=\"%.19s\">\n    <properties>\n      <property name=\"run\" "
		"value=\"%" PRId64
		"\"/>\n      <property name=\"status\" value=\"%s\"/>\n      <property name=\"stack\"",
		time_format(report.run.started_ms ? report.run.started_ms : report.run.created_ms, time),
		report.run.id, run_status_name(report.run.status));
	write_attribute(out, "value", report.run.stack);
	fputs("/>\n    </properties>\n", out);
	for (size_t i = 0; r == 0 && i < report.count; i++)
		r = write_case(view, &report, &report.tasks[i], &left, out);
	if (r == 0 && needs_run_case(&report))
		r = write_run_case(view, &report, out);
	fputs("  </testsuite>\n</testsuites>\n", out);
	return r;
}
