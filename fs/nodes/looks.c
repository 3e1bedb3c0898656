/* SPDX-License-Identifier: MIT */
/* Files of a stack whose reading looks at things, by a process of who reads: `validate`, `coverage`, each as
 * text and as JSON. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/coverage.h"
#include "engine/validate.h"
#include "fs/handle.h"
#include "fs/nodes/nodes.h"

/* What was seen becomes the content: as text where the file has the name `text`. */
static void answer(struct request *request, const json_t *report, const struct fault *fault, const char *text,
	void (*show)(const json_t *report, FILE *out))
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	FILE *out = report ? buffer_stream_open(&content) : NULL;
	int r = report ? 0 : -fault->code;

	if (!report)
		request->fault = *fault;
	else if (!out)
		r = -ENOMEM;
	else if (!strcmp(request->handle->entry->name, text))
		show(report, out);
	else
		show_json(out, report);
	if (out && buffer_stream_close(out, &content) < 0)
		r = -ENOMEM;
	request_content(request, r, &content);
}

static void validated(void *userdata, const json_t *report, const struct fault *fault)
{
	answer(userdata, report, fault, "validate", validate_show);
}

static void validate_taken_back(struct request *request)
{
	validate_cancel(request->pending);
}

int validate_ask(struct view *view, struct buffer *ret_content)
{
	struct validation *validation;
	int r = validate_start(view->engine, view->tree->runners,
		&(struct validate_order){ .caller = view->caller,
			.stack_id = view->id,
			.done = validated,
			.userdata = view->request },
		&validation);

	return r < 0 ? r : request_later(view->request, validate_taken_back, validation);
}

static void coverage_seen(void *userdata, const json_t *report, const struct fault *fault)
{
	answer(userdata, report, fault, "coverage", coverage_show);
}

static void coverage_taken_back(struct request *request)
{
	coverage_cancel(request->pending);
}

int coverage_ask(struct view *view, struct buffer *ret_content)
{
	struct coverage *coverage;
	int r = coverage_start(view->engine, view->tree->runners,
		&(struct coverage_order){ .caller = view->caller,
			.stack_id = view->id,
			.done = coverage_seen,
			.userdata = view->request },
		&coverage);

	return r < 0 ? r : request_later(view->request, coverage_taken_back, coverage);
}
