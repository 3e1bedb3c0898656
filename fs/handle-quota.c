/* SPDX-License-Identifier: MIT */
/* What open files count for: of the quotas of who has them open. */
#include <errno.h>

#include "engine/quota.h"
#include "fs/handle.h"

/* What is open counts as its opener's, from handle_open() to its end. */
void handle_count(struct handle *handle)
{
	struct engine *engine = handle->engine;

	quota_use(engine, handle->uid, QUOTA_OPEN_SIZE,
		(int64_t)handle->content.size - (int64_t)handle->counted);
	handle->counted = handle->content.size;
}

int handle_quota(struct tree *tree, struct request *request, bool always)
{
	struct engine *engine = tree->engine;
	uid_t uid = request->caller.uid;
	int64_t spare = always ? quota_limit(engine, uid, QUOTA_OPEN_FILES) : 0;
	int r = quota_check(engine, uid, QUOTA_OPEN_FILES, 1 - spare, &request->fault);

	return r < 0 || always ? r : quota_check(engine, uid, QUOTA_OPEN_SIZE, 0, &request->fault);
}

/* It counts as the writer's, and as the owner's of what is written. */
int handle_storage_quota(struct view *view, const struct handle *handle)
{
	struct engine *engine = view->engine;
	int64_t size = (int64_t)handle->content.size;
	struct attr attr = { .uid = handle->uid };
	int r = entry_rights(view, handle->entry, &attr);

	/* A temporary file that was removed is stored nowhere. */
	if (r == -ESTALE && view->node.table == TABLE_SCRATCH)
		return 0;
	if (r == 0)
		r = quota_store(engine, handle->uid, size, view->fault);
	if (r == 0 && attr.uid != handle->uid)
		r = quota_store(engine, attr.uid, size, view->fault);
	return r;
}
