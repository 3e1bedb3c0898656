/* SPDX-License-Identifier: MIT */
/* The files `coverage` and `coverage.json` of a stack: reading them looks. */
#include "engine/coverage.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/handle.h"
#include "fs/nodes/nodes.h"

static void looked(void *userdata, const json_t *report, const struct fault *fault)
{
	struct request *request = userdata;
	CLEANUP(buffer_done) struct buffer content = { 0 };
	FILE *out = report ? buffer_stream_open(&content) : NULL;
	int r = report ? 0 : -fault->code;

	if (!report)
		request->fault = *fault;
	else if (!out)
		r = -ENOMEM;
	else if (!strcmp(request->handle->entry->name, "coverage"))
		coverage_show(report, out);
	else
		show_json(out, report);
	if (out && buffer_stream_close(out, &content) < 0)
		r = -ENOMEM;
	request_content(request, r, &content);
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
			.done = looked,
			.userdata = view->request },
		&coverage);

	return r < 0 ? r : request_later(view->request, coverage_taken_back, coverage);
}
