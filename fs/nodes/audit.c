/* SPDX-License-Identifier: MIT */
/* The audit trail as a whole: whether its chain is intact, and what was taken out of it. */
#include "engine/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/event-archive.h"
#include "fs/nodes/events.h"
#include "fs/nodes/nodes.h"

static int report_show(const struct audit_report *report, struct fault *fault, FILE *out)
{
	char hex[EVENT_HEX_SIZE];

	if (report->misfit)
		return fault_set(fault, EBADMSG, "%s", report->fault.text);
	fprintf(out, "%" PRId64 " events", report->events);
	if (report->archives)
		fprintf(out, " (%" PRId64 " archives with them)", report->archives);
	fprintf(out, ", chain intact, head %s\n", event_hash_hex(report->head.hash, hex));
	return 0;
}

static int report_show_json(const struct audit_report *report, struct fault *fault, FILE *out)
{
	char hex[EVENT_HEX_SIZE];
	json_auto_t *value = json_pack("{s:b, s:I, s:I, s:s, s:I, s:o}", "intact", !report->misfit, "events",
		(json_int_t)report->events, "archives", (json_int_t)report->archives, "head",
		event_hash_hex(report->head.hash, hex), "head_event", (json_int_t)report->head.id, "misfit",
		json_null());

	if (value && report->misfit)
		json_object_set_new(value, "misfit",
			json_pack("{s:I, s:o, s:s, s:s}", "event", (json_int_t)report->event, "time",
				time_json(report->time_ms), "what", event_misfit_name(report->misfit),
				"message", report->fault.text));
	return value ? show_json(out, value) : -ENOMEM;
}

/* That it could not be read says nothing of the trail. */
static int report_failed(const struct audit_report *report, struct fault *fault)
{
	int code = report->fault.code;

	return code && code != EBADMSG ? fault_set(fault, code, "%s", report->fault.text) : 0;
}

/* The four files, by their names. */
static const struct form {
	const char *name;
	bool deep;
	int (*show)(const struct audit_report *report, struct fault *fault, FILE *out);
} forms[] = {
	{ "audit", false, report_show },
	{ "audit.json", false, report_show_json },
	{ "audit.deep", true, report_show },
	{ "audit.deep.json", true, report_show_json },
};

static const struct form *form_find(const char *name)
{
	const struct form *form = forms;

	while (strcmp(form->name, name) != 0)
		form++;
	return form;
}

static int count_archive(void *userdata, const struct event_archive *archive)
{
	++*(int64_t *)userdata;
	return 0;
}

/* What will be read if the chain is intact: so that the size is right before anybody asks. */
int audit_show(struct view *view, FILE *out)
{
	const struct form *form = form_find(node_entry(view->node)->name);
	struct audit_report report = { 0 };
	struct event_place base;
	int r = event_places(view->engine, &base, &report.head);

	if (r == 0 && form->deep)
		r = event_archive_each(view->engine, 0, count_archive, &report.archives);
	report.events = report.head.id - (form->deep ? 0 : base.id);
	return r < 0 ? r : form->show(&report, view->fault, out);
}

static void audit_done(void *userdata, const struct audit_report *report)
{
	struct request *request = userdata;
	const struct form *form = request->pending;
	CLEANUP(buffer_done) struct buffer content = { 0 };
	uint64_t failures = memory_failures();
	FILE *out = buffer_stream_open(&content);
	int r = report_failed(report, &request->fault);

	if (r == 0)
		r = out ? form->show(report, &request->fault, out) : -ENOMEM;
	if (out && (buffer_stream_close(out, &content) < 0 || failures != memory_failures()))
		r = -ENOMEM;
	request_content(request, r, &content);
}

static void audit_taken_back(struct request *request)
{
	audit_forget(request->tree->engine, request);
}

int audit_ask(struct view *view, struct buffer *ret_content)
{
	const struct form *form = form_find(node_entry(view->node)->name);
	int r = audit_wait(view->engine, form->deep, audit_done, view->request);

	return r < 0 ? r : request_later(view->request, audit_taken_back, (void *)(uintptr_t)form);
}

/* What was archived. */

static int show_archive(void *userdata, const struct event_archive *archive)
{
	char first[32], last[32];

	fprintf(userdata, "%s events=%" PRId64 " from=%s to=%s size=%" PRId64 "\n", archive->file,
		archive->last.id - archive->first_id + 1, time_format(archive->first_ms, first),
		time_format(archive->last_ms, last), archive->size);
	return 0;
}

int archives_show(struct view *view, FILE *out)
{
	return event_archive_each(view->engine, 0, show_archive, out);
}

static int add_archive(void *userdata, const struct event_archive *archive)
{
	char hex[EVENT_HEX_SIZE];

	return json_array_append_new(userdata,
		json_pack("{s:s, s:I, s:I, s:o, s:o, s:I, s:s, s:o, s:I}", "file", archive->file, "first",
			(json_int_t)archive->first_id, "last", (json_int_t)archive->last.id, "from",
			time_json(archive->first_ms), "to", time_json(archive->last_ms), "size",
			(json_int_t)archive->size, "hash", event_hash_hex(archive->last.hash, hex),
			"archived", time_json(archive->created_ms), "uid", (json_int_t)archive->uid));
}

int archives_json_show(struct view *view, FILE *out)
{
	json_auto_t *list = json_array();
	int r = list ? event_archive_each(view->engine, 0, add_archive, list) : -ENOMEM;

	return r < 0 ? -ENOMEM : show_json(out, list);
}

static void archived(void *userdata, int64_t result, const struct fault *fault)
{
	struct request *request = userdata;

	if (fault)
		request->fault = *fault;
	request_finish(request, result < 0 ? result : (ssize_t)request->size);
}

static void archiving_taken_back(struct request *request)
{
	event_archive_forget(request->tree->engine, request);
}

static int usage(struct fault *fault)
{
	return fault_set(fault, EINVAL,
		"the command is: archive [before=TIME], with a time like 2026-11-21T14:00:00Z or 30d (that "
		"long ago)");
}

int archives_write(struct view *view, const char *line, size_t size)
{
	int64_t before_ms = INT64_MAX;
	char text[128];
	int n = 0, r;

	if (size >= sizeof(text) || memchr(line, '\0', size))
		return usage(view->fault);
	memcpy(text, line, size);
	text[size] = '\0';
	sscanf(text, " archive%n", &n);
	if (n == 0 || (text[n] && text[n] != ' '))
		return usage(view->fault);
	n += (int)strspn(text + n, " ");
	if (text[n] && (strncmp(text + n, "before=", 7) != 0 || past_parse(text + n + 7, &before_ms) < 0))
		return usage(view->fault);
	r = event_archive(view->engine, view->caller, before_ms, archived, view->request, view->fault);
	return r < 0 ? r : request_later(view->request, archiving_taken_back, NULL);
}
