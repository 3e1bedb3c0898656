/* SPDX-License-Identifier: MIT */
/* Renames: objects get other names, drafts become documents, editors put documents aside. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fs/handle.h"
#include "fs/names.h"

/* A rename from one name to another of the same sort: a stack gets a new name. */
static int rename_object(struct tree *tree, struct request *request, struct view *view,
	const struct entry *entry, const char *new_name)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = names_check(request, new_name);

	if (r == 0)
		r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = entry->rename(view, new_name);
	return r < 0 ? r : store_change_end(&change);
}

/* Drafts of a file that is renamed before it is closed count as its content. They are committed under the new
 * name only: under the old one nobody wants them any more. */
static int settle_drafts(struct tree *tree, struct scratch *scratch)
{
	struct handle *handle;
	int r = 0;

	TAILQ_FOREACH (handle, &tree->drafts, drafts) {
		if (handle->node.table != TABLE_SCRATCH || handle->node.id != scratch->id || !handle->dirty)
			continue;
		r = buffer_truncate(&scratch->content, 0);
		if (r == 0)
			r = buffer_append(&scratch->content, handle->content.data, handle->content.size);
		if (r < 0)
			return r;
		scratch->mtime_ms = time_now_ms();
	}
	return 0;
}

/* What the rename has committed is not committed again when its file is closed. */
static void drafts_done(struct tree *tree, int64_t scratch_id)
{
	struct handle *handle;

	TAILQ_FOREACH (handle, &tree->drafts, drafts)
		if (handle->node.table == TABLE_SCRATCH && handle->node.id == scratch_id)
			handle->dirty = false;
}

/* The scratch file has become the document. */
static void replaced(struct request *request, ssize_t result)
{
	struct tree *tree = request->tree;
	struct node node = node_of(request->number);
	struct scratch *scratch = scratch_get(tree->scratch, node.id);

	if (result >= 0 && scratch && !scratch->forward)
		scratch_forward(tree->scratch, scratch, request->target);
}

/* An editor's temporary file is renamed onto a document: its content is committed, and that may take a while.
 */
static int replace_document(
	struct tree *tree, struct request *request, struct scratch *scratch, struct node target)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct view view = tree_view(tree, request, target);
	const struct entry *entry = node_entry(target);
	struct attr attr;
	int r, r2;

	/* Neither may a command wait while the kernel holds the folder for the rename, nor be larger than one
	 * that is written. */
	if (entry->waits)
		return fault_set(&request->fault, EPERM, "a lock can't be replaced: write the command to it");
	if (entry->kind == KIND_CONTROL && scratch->content.size > CONTROL_MAX)
		return fault_set(&request->fault, EFBIG, "a command is a line of at most 64 KiB");
	r = tree_attr(tree, &view, &attr);
	if (r == 0)
		r = caller_access(&request->caller, attr.uid, attr.gid, attr.mode, MAY_WRITE);
	if (r == 0)
		r = store_change_begin(tree->engine->store, &change);
	if (r < 0)
		return r;
	request->number = node_number((struct node){ .id = scratch->id, .table = TABLE_SCRATCH });
	request->target = node_number(target);
	request->after = replaced;
	if (entry->kind == KIND_CONTROL)
		r = entry->write(
			&view, buffer_text(&scratch->content), strcspn(buffer_text(&scratch->content), "\n"));
	else
		r = entry->commit(&view, buffer_text(&scratch->content), scratch->content.size);
	if (r < 0 && r != LATER && !request->started_run) {
		request->after = NULL;
		return r;
	}
	r2 = store_change_end(&change);
	if (r == 0)
		r = r2;
	if (r != LATER) {
		request->after = NULL;
		replaced(request, r);
	}
	return r;
}

/* A scratch file gets another name; if that is a document's, its content makes the document. */
static int move_scratch(struct tree *tree, struct request *request, struct scratch *scratch,
	struct view *folder, const struct entry *folder_entry, const char *new_name)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct view view =
		tree_view(tree, request, (struct node){ .id = scratch->id, .table = TABLE_SCRATCH });
	struct scratch before = *scratch;
	int r, r2;

	snprintf(scratch->name, sizeof(scratch->name), "%s", new_name);
	scratch->folder = node_number(folder->node);
	scratch->maker = names_putting_row(folder_entry->directory, new_name, &scratch->maker_row);
	scratch->maker_table = directory_table(folder_entry->directory);
	if (!scratch->maker || !scratch->content.size)
		return 0;
	r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = node_entry(view.node)->commit(
			&view, buffer_text(&scratch->content), scratch->content.size);
	if (r < 0 && r != LATER && !request->started_run) {
		/* It keeps the name that it had. */
		memcpy(scratch->name, before.name, sizeof(scratch->name));
		scratch->folder = before.folder;
		scratch->maker = before.maker;
		scratch->maker_row = before.maker_row;
		scratch->maker_table = before.maker_table;
		return r;
	}
	r2 = store_change_end(&change);
	return r == 0 ? r2 : r;
}

/* Where a scratch file may be renamed to: a name that is free for scratch, or a document. */
static int rename_settled(struct tree *tree, struct request *request, struct scratch *scratch,
	struct view *folder, const struct entry *folder_entry, const char *new_name, bool noreplace)
{
	struct scratch *other;
	struct node target;
	bool hidden;
	int r;

	r = tree_find_child(tree, folder, folder_entry, new_name, &target);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && noreplace)
		return -EEXIST;
	hidden = r == -ENOENT && names_find_hidden(tree, folder, folder_entry, new_name, &target);
	if (r == 0 || hidden)
		r = names_may_replace(tree, request, folder, target);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT && !hidden) {
		r = names_may_create(request, folder_entry->directory, new_name);
		return r < 0 ? r : move_scratch(tree, request, scratch, folder, folder_entry, new_name);
	}
	if (target.table == TABLE_SCRATCH) {
		other = scratch_get(tree->scratch, target.id);
		if (other && other != scratch)
			scratch_remove(tree->scratch, other);
		return move_scratch(tree, request, scratch, folder, folder_entry, new_name);
	}
	switch (node_entry(target)->kind) {
	case KIND_DOCUMENT:
	case KIND_CONTROL:
		r = replace_document(tree, request, scratch, target);
		if (hidden && (r == 0 || r == LATER))
			scratch_unhide(tree->scratch, node_number(target));
		return r;
	case KIND_DIRECTORY:
		return -EISDIR;
	default:
		return fault_set(&request->fault, EPERM, "%s can't be replaced", new_name);
	}
}

static int rename_scratch(struct tree *tree, struct request *request, struct scratch *scratch,
	struct view *folder, const struct entry *folder_entry, const char *new_name, bool noreplace)
{
	int64_t id = scratch->id;
	int r = settle_drafts(tree, scratch);

	if (r == 0)
		r = rename_settled(tree, request, scratch, folder, folder_entry, new_name, noreplace);
	if (r == 0 || r == LATER)
		drafts_done(tree, id);
	return r;
}

/* An editor keeps what it replaces under another name: a copy, and the document is hidden until it is made
 * anew. */
static int rename_document_away(struct tree *tree, struct request *request, struct view *view,
	const struct entry *entry, struct view *folder, const struct entry *folder_entry,
	const char *new_name)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct attr attr, before;
	struct scratch *scratch;
	struct node target;
	int r;

	if (!folder_entry->directory->scratch)
		return -EPERM;
	r = tree_find_child(tree, folder, folder_entry, new_name, &target);
	if (r == 0) {
		if (target.table != TABLE_SCRATCH)
			return fault_set(
				&request->fault, EPERM, "%s can't be replaced by another document", new_name);
		r = names_may_replace(tree, request, folder, target);
		if (r < 0)
			return r;
		scratch_remove(tree->scratch, scratch_get(tree->scratch, target.id));
	} else if (r != -ENOENT) {
		return r;
	}
	r = entry_render(view, entry, &content);
	if (r == 0)
		r = entry_attr(view, entry, &before);
	if (r == 0)
		r = names_create_scratch(
			tree, request, folder, folder_entry->directory, new_name, before.mode & 0777, &attr);
	if (r < 0)
		return r;
	scratch = scratch_get(tree->scratch, node_of(attr.number).id);
	/* It stays whose it was: who may rename a file need not be one who may read it. */
	scratch->uid = before.uid;
	scratch->gid = before.gid;
	r = buffer_append(&scratch->content, content.data, content.size);
	if (r < 0) {
		scratch_remove(tree->scratch, scratch);
		return r;
	}
	scratch_hide(tree->scratch, node_number(view->node));
	return 0;
}

int tree_rename(struct tree *tree, struct request *request, uint64_t parent, const char *name,
	uint64_t new_parent, const char *new_name, bool noreplace)
{
	const struct entry *folder_entry, *new_entry, *entry;
	struct view folder, new_folder, view;
	struct node target;
	int r;

	r = names_find_removable(tree, request, parent, name, &folder, &folder_entry, &view);
	if (r < 0)
		return r;
	r = tree_open_folder(tree, request, new_parent, MAY_WRITE | MAY_EXECUTE, &new_folder, &new_entry);
	if (r < 0)
		return r;
	if (strlen(new_name) > 255)
		return -ENAMETOOLONG;
	if (node_number(folder.node) == node_number(new_folder.node) && !strcmp(name, new_name))
		return noreplace ? -EEXIST : 0;
	entry = node_entry(view.node);
	if (view.node.table == TABLE_SCRATCH) {
		r = rename_scratch(tree, request, scratch_get(tree->scratch, view.id), &new_folder, new_entry,
			new_name, noreplace);
	} else if (entry->rename) {
		if (node_number(folder.node) != node_number(new_folder.node))
			return -EXDEV;
		if (tree_find_child(tree, &folder, folder_entry, new_name, &target) == 0)
			return fault_set(&request->fault, EEXIST, "%s exists", new_name);
		r = rename_object(tree, request, &view, entry, new_name);
	} else if (entry->unlinkable) {
		r = rename_document_away(tree, request, &view, entry, &new_folder, new_entry, new_name);
	} else {
		r = fault_set(&request->fault, EPERM, "%s belongs to the tree: it can't be renamed", name);
	}
	if (r == 0) {
		names_tell_gone(tree, parent, name);
		names_tell_gone(tree, new_parent, new_name);
	}
	return r;
}
