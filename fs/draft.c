/* SPDX-License-Identifier: MIT */
/* Drafts: what was written into open documents and not committed yet, and what their writers see of it. */
#include <errno.h>
#include <sys/stat.h>

#include "base/text.h"
#include "fs/handle.h"

void handle_mark_dirty(struct tree *tree, struct handle *handle)
{
	if (!handle->dirty)
		TAILQ_INSERT_TAIL(&tree->drafts, handle, drafts);
	handle->dirty = true;
}

void handle_mark_clean(struct tree *tree, struct handle *handle)
{
	if (handle->dirty)
		TAILQ_REMOVE(&tree->drafts, handle, drafts);
	handle->dirty = false;
}

static bool same_object(struct node a, struct node b)
{
	return a.id == b.id && a.table == b.table && a.row == b.row;
}

/* Of an open file that only reads: its content is that of the moment when it was opened. */
static void reader_attr(const struct handle *handle, struct attr *attr)
{
	int64_t size = (int64_t)handle->content.size;

	if (!handle->content_fixed || size == attr->size)
		return;
	attr->size = size;
	attr->fleeting = true;
}

/* What is being written shows to its writer: seeking to the end and writing on must not write over it.
 * Everybody else sees what is stored, and who reads what he has opened. The kernel has one size for all: so
 * it must not keep it. */
void draft_attr(struct tree *tree, struct view *view, const struct handle *handle, struct attr *attr)
{
	const struct handle *draft, *own = NULL;

	TAILQ_FOREACH (draft, &tree->drafts, drafts) {
		struct node node = draft->node;

		if (node.table == TABLE_SCRATCH)
			node = node_resolve(tree, node_number(node));
		if (!same_object(node, view->node))
			continue;
		attr->fleeting = true;
		if (handle ? draft == handle : draft->opener == view->caller->pid)
			own = draft;
	}
	if (own)
		attr->size = (int64_t)own->content.size;
	else if (handle && !handle_writes(handle))
		reader_attr(handle, attr);
}

int removed_attr(struct tree *tree, struct node node, struct attr *ret_attr)
{
	const struct handle *handle;

	TAILQ_FOREACH (handle, &tree->handles, handles)
		if (same_object(handle->node, node))
			break;
	if (!handle)
		return -ESTALE;
	*ret_attr = (struct attr){
		.kind = handle->entry->kind,
		.mode = S_IFREG | (handle->entry->mode & 0600),
		.uid = handle->uid,
		.gid = (gid_t)-1,
		.size = (int64_t)handle->content.size,
		.mtime_ms = time_now_ms(),
		.fleeting = true,
		.removed = true,
	};
	return 0;
}
