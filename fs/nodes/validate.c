/* SPDX-License-Identifier: MIT */
/* The files `validate` and `validate.json` of a stack: reading them does the checks. */
#include "engine/validate.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/handle.h"
#include "fs/nodes/nodes.h"

static void validated(void *userdata, const json_t *report, const struct fault *fault)
{
	struct request *request = userdata;
	CLEANUP(buffer_done) struct buffer content = { 0 };
	FILE *out = report ? buffer_stream_open(&content) : NULL;
	int r = report ? 0 : -fault->code;

	if (!report)
		request->fault = *fault;
	else if (!out)
		r = -ENOMEM;
	else if (!strcmp(request->handle->entry->name, "validate"))
		validate_show(report, out);
	else
		show_json(out, report);
	if (out && buffer_stream_close(out, &content) < 0)
		r = -ENOMEM;
	request_content(request, r, &content);
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
