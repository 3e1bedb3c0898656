/* SPDX-License-Identifier: MIT */
/* Requests that are answered later: that they wait, and what ends that. */
#include <errno.h>
#include <string.h>

#include "engine/quota.h"
#include "fs/handle.h"
#include "fs/outcome.h"

/* One too many is refused by the loop, as anything else that ends a wait: whoever says LATER has begun
 * something, and is told like that that it is not wanted any more. They stand in front. */
static void refuse(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct tree *tree = timer->data;
	struct request *request;

	while ((request = TAILQ_FIRST(&tree->waits)) && request->refused) {
		struct fault fault = { 0 };
		int r = quota_check(tree->engine, request->caller.uid, QUOTA_WAITS, 0, &fault);

		request->refused = false;
		if (r == 0) { /* others have ended meanwhile */
			TAILQ_REMOVE(&tree->waits, request, waiting);
			TAILQ_INSERT_TAIL(&tree->waits, request, waiting);
			continue;
		}
		if (request->cancel)
			request->cancel(request);
		request->fault = fault;
		request_finish(request, r);
	}
}

void tree_waits_init(struct tree *tree)
{
	TAILQ_INIT(&tree->waits);
	ev_timer_init(&tree->refusing, refuse, 0, 0);
	tree->refusing.data = tree;
}

void tree_waits_done(struct tree *tree)
{
	ev_timer_stop(tree->engine->loop, &tree->refusing);
}

int request_later(struct request *request, void (*cancel)(struct request *request), void *pending)
{
	struct tree *tree = request->tree;

	request->cancel = cancel;
	request->pending = pending;
	if (request->is_waiting)
		return LATER;
	request->is_waiting = true;
	quota_use(tree->engine, request->caller.uid, QUOTA_WAITS, 1);
	/* Who waits for a run that he has submitted waits for a process that is being loaded, and has a quota
	 * of those. */
	request->refused = !request->started_run &&
			   quota_check(tree->engine, request->caller.uid, QUOTA_WAITS, 0, NULL) < 0;
	if (!request->refused) {
		TAILQ_INSERT_TAIL(&tree->waits, request, waiting);
		return LATER;
	}
	TAILQ_INSERT_HEAD(&tree->waits, request, waiting);
	ev_timer_start(tree->engine->loop, &tree->refusing);
	return LATER;
}

void request_finish(struct request *request, ssize_t result)
{
	void (*after)(struct request *, ssize_t) = request->after;

	if (request->is_waiting) {
		TAILQ_REMOVE(&request->tree->waits, request, waiting);
		quota_use(request->tree->engine, request->caller.uid, QUOTA_WAITS, -1);
		request->is_waiting = false;
	}
	request->cancel = NULL;
	request->after = NULL;
	request_waited(request);
	if (after)
		after(request, result);
	request->done(request, result);
}

void request_content(struct request *request, int result, struct buffer *content)
{
	struct handle *handle = request->handle;

	if (result < 0) {
		request_finish(request, result);
		return;
	}
	if (!handle->content_fixed) {
		handle->content = *content;
		*content = (struct buffer){ 0 };
		handle->content_fixed = true;
	}
	request_finish(request,
		tree_read(request->tree, request, handle, request->offset, request->data, request->size));
}

void tree_cancel(struct request *request)
{
	if (!request->is_waiting)
		return;
	if (request->cancel)
		request->cancel(request);
	request_finish(request, fault_set(&request->fault, EINTR, "interrupted"));
}
