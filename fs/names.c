/* SPDX-License-Identifier: MIT */
/* Names that come and go: mkdir, create, rmdir, unlink, rename. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fs/handle.h"
#include "fs/scratch.h"

/* The row that makes folders, or files that are there at once, without a content; or NULL. */
static const struct entry *making_row(const struct directory *directory, bool folders, uint8_t *ret_row)
{
	for (size_t i = 0; i < directory->count; i++)
		if (directory->entries[i].make && (directory->entries[i].kind == KIND_DIRECTORY) == folders) {
			*ret_row = (uint8_t)i;
			return &directory->entries[i];
		}
	return NULL;
}

/* The row whose documents have names like this one, or NULL. */
static const struct entry *putting_row(const struct directory *directory, const char *name, uint8_t *ret_row)
{
	for (size_t i = 0; i < directory->count; i++) {
		const struct entry *entry = &directory->entries[i];

		if (entry->put && (entry->takes ? entry->takes(name) : name_check(name) == 0)) {
			*ret_row = (uint8_t)i;
			return entry;
		}
	}
	return NULL;
}

static int check_new_name(struct request *request, const char *name)
{
	int r = name_check(name);

	if (r == -EINVAL)
		return fault_set(&request->fault, EINVAL,
			"\"%.64s\" is no valid name: it begins with a letter or digit, and has letters, "
			"digits, '.', '_' and '-' only",
			name);
	if (r == -ENAMETOOLONG)
		return fault_set(&request->fault, ENAMETOOLONG,
			"the name has %zu characters; the limit is %d", strlen(name), NAME_MAX_LENGTH);
	return r;
}

static int make(struct tree *tree, struct request *request, struct view *folder,
	const struct entry *row_entry, uint8_t row, const struct directory *directory, const char *name,
	mode_t mode, struct attr *ret_attr)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct node node = { .table = directory_table(directory), .row = row };
	struct view view;
	int r;

	r = check_new_name(request, name);
	if (r == 0)
		r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = row_entry->make(folder, name, mode & 07777, &node.id);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	view = tree_view(tree, request, node);
	return tree_attr(tree, &view, ret_attr);
}

int tree_mkdir(struct tree *tree, struct request *request, uint64_t parent, const char *name, mode_t mode,
	struct attr *ret_attr)
{
	const struct entry *entry, *maker;
	struct view folder;
	struct node node;
	uint8_t row;
	int r;

	r = tree_open_folder(tree, request, parent, MAY_WRITE | MAY_EXECUTE, &folder, &entry);
	if (r < 0)
		return r;
	if (tree_find_child(tree, &folder, entry, name, &node) == 0)
		return -EEXIST;
	maker = making_row(entry->directory, true, &row);
	if (!maker)
		return fault_set(&request->fault, EPERM,
			"no folder can be made here: stacks are made in stacks/, namespaces in state/");
	return make(tree, request, &folder, maker, row, entry->directory, name, mode, ret_attr);
}

/* A scratch file; of a name that a document of this folder may have, one that becomes that document. */
static int create_scratch(struct tree *tree, struct request *request, struct view *folder,
	const struct directory *directory, const char *name, mode_t mode, struct attr *ret_attr)
{
	struct object owner = { request->caller.uid, request->caller.gid, mode & 0777, 0 };
	struct scratch *scratch;
	struct view view;
	int r;

	r = scratch_create(tree->scratch, node_number(folder->node), name, &owner,
		tree->engine->config.max_scratch_files, &scratch);
	if (r == -EDQUOT)
		return fault_set(&request->fault, EDQUOT,
			"you have max_scratch_files (%lld) temporary files in the tree: remove some",
			(long long)tree->engine->config.max_scratch_files);
	if (r < 0)
		return r;
	scratch->maker = putting_row(directory, name, &scratch->maker_row);
	scratch->maker_table = directory_table(directory);
	view = tree_view(tree, request, (struct node){ .id = scratch->id, .table = TABLE_SCRATCH });
	return tree_attr(tree, &view, ret_attr);
}

/* Whether a file of this name can be made in the folder at all, with the sentence if not. */
static int may_create(struct request *request, const struct directory *directory, const char *name)
{
	bool documents = false;
	uint8_t row;

	if (!text_is_utf8(name, strlen(name)))
		return fault_set(&request->fault, EINVAL, "a name must be valid UTF-8");
	if (directory->scratch || putting_row(directory, name, &row))
		return 0;
	for (size_t i = 0; i < directory->count; i++)
		documents |= directory->entries[i].put != NULL;
	if (documents)
		return check_new_name(request, name);
	return fault_set(&request->fault, EPERM, "no file can be made here");
}

/* A static document that was unlinked or renamed away by an editor, and is now made anew. */
static bool find_hidden(struct tree *tree, struct view *folder, const struct entry *entry, const char *name,
	struct node *ret_node)
{
	for (size_t i = 0; i < entry->directory->count; i++) {
		const struct entry *child = &entry->directory->entries[i];
		struct node node = {
			.id = folder->id, .table = directory_table(entry->directory), .row = (uint8_t)i
		};

		if (!child->unlinkable)
			continue;
		if (child->name ? strcmp(child->name, name) != 0 : child->find(folder, name, &node.id) != 0)
			continue;
		if (!scratch_hidden(tree->scratch, node_number(node)))
			continue;
		*ret_node = node;
		return true;
	}
	return false;
}

int tree_create(struct tree *tree, struct request *request, uint64_t parent, const char *name, mode_t mode,
	int flags, struct handle **ret_handle, struct attr *ret_attr)
{
	const struct entry *entry, *maker;
	struct view folder, view;
	struct node node;
	uint8_t row;
	int r;

	r = tree_open_folder(tree, request, parent, MAY_EXECUTE, &folder, &entry);
	if (r < 0)
		return r;
	if (strlen(name) > 255)
		return -ENAMETOOLONG;
	if (tree_find_child(tree, &folder, entry, name, &node) == 0) {
		if (flags & O_EXCL)
			return -EEXIST;
		view = tree_view(tree, request, node);
		r = tree_attr(tree, &view, ret_attr);
		return r < 0 ? r : tree_open(tree, request, node_number(node), flags, ret_handle);
	}
	r = tree_open_folder(tree, request, parent, MAY_WRITE | MAY_EXECUTE, &folder, &entry);
	if (r < 0)
		return r;
	maker = making_row(entry->directory, false, &row);
	if (maker) {
		r = make(tree, request, &folder, maker, row, entry->directory, name, mode, ret_attr);
	} else if (find_hidden(tree, &folder, entry, name, &node)) {
		scratch_unhide(tree->scratch, node_number(node));
		view = tree_view(tree, request, node);
		r = tree_attr(tree, &view, ret_attr);
		flags |= O_TRUNC; /* it is a new file for whoever makes it */
	} else {
		r = may_create(request, entry->directory, name);
		if (r == 0)
			r = create_scratch(tree, request, &folder, entry->directory, name, mode, ret_attr);
	}
	if (r < 0)
		return r;
	return handle_open(tree, request, node_of(ret_attr->number), flags, ret_handle);
}

/* The rule of the sticky bit: in such a folder only the owner of the thing or of the folder removes or
 * renames. */
static int may_remove(
	struct tree *tree, struct request *request, struct view *folder, const struct attr *child)
{
	struct attr attr;
	int r;

	r = entry_attr(folder, node_entry(folder->node), &attr);
	if (r < 0)
		return r;
	if (!(attr.mode & S_ISVTX) || caller_owns(&request->caller, attr.uid) ||
		caller_owns(&request->caller, child->uid))
		return 0;
	return fault_set(&request->fault, EPERM, "only its owner may remove or rename this here");
}

/* What unlink, rmdir and rename begin with. */
static int find_removable(struct tree *tree, struct request *request, uint64_t parent, const char *name,
	struct view *ret_folder, const struct entry **ret_folder_entry, struct view *ret_view)
{
	struct node node;
	struct attr attr;
	int r;

	r = tree_open_folder(tree, request, parent, MAY_WRITE | MAY_EXECUTE, ret_folder, ret_folder_entry);
	if (r < 0)
		return r;
	if (strlen(name) > 255)
		return -ENAMETOOLONG;
	r = tree_find_child(tree, ret_folder, *ret_folder_entry, name, &node);
	if (r < 0)
		return r;
	*ret_view = tree_view(tree, request, node);
	r = entry_attr(ret_view, node_entry(node), &attr);
	if (r < 0)
		return r == -ESTALE ? -ENOENT : r;
	return may_remove(tree, request, ret_folder, &attr);
}

static void tell_gone(struct tree *tree, uint64_t parent, const char *name)
{
	if (tree->gone)
		tree->gone(tree->userdata, parent, name);
}

static int remove_entry(struct tree *tree, struct view *view, const struct entry *entry)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = store_change_begin(tree->engine->store, &change);

	if (r < 0)
		return r;
	r = entry->remove ? entry->remove(view) : entry->commit(view, "", 0);
	if (r < 0)
		return r;
	return store_change_end(&change);
}

int tree_rmdir(struct tree *tree, struct request *request, uint64_t parent, const char *name)
{
	const struct entry *folder_entry, *entry;
	struct view folder, view;
	int r;

	r = find_removable(tree, request, parent, name, &folder, &folder_entry, &view);
	if (r < 0)
		return r;
	entry = node_entry(view.node);
	if (entry->kind != KIND_DIRECTORY)
		return -ENOTDIR;
	if (!entry->remove)
		return fault_set(&request->fault, EPERM, "%s belongs to the tree: it can't be removed", name);
	r = remove_entry(tree, &view, entry);
	if (r == 0)
		tell_gone(tree, parent, name);
	return r;
}

int tree_unlink(struct tree *tree, struct request *request, uint64_t parent, const char *name)
{
	const struct entry *folder_entry, *entry;
	struct view folder, view;
	int r;

	r = find_removable(tree, request, parent, name, &folder, &folder_entry, &view);
	if (r < 0)
		return r;
	entry = node_entry(view.node);
	if (entry->kind == KIND_DIRECTORY)
		return -EISDIR;
	if (!entry->remove && !entry->unlinkable)
		return fault_set(&request->fault, EPERM, "%s belongs to the tree: it can't be removed", name);
	r = remove_entry(tree, &view, entry);
	if (r < 0)
		return r;
	/* A document of a fixed name is empty now; its name comes back when somebody makes it, or with the
	 * next daemon. */
	if (!entry->remove)
		scratch_hide(tree->scratch, node_number(view.node));
	tell_gone(tree, parent, name);
	return 0;
}

/* A rename from one name to another of the same sort: a stack gets a new name. */
static int rename_object(struct tree *tree, struct request *request, struct view *view,
	const struct entry *entry, const char *new_name)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	int r = check_new_name(request, new_name);

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

	TAILQ_FOREACH (handle, &tree->handles, handles) {
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

	TAILQ_FOREACH (handle, &tree->handles, handles)
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
	scratch->maker = putting_row(folder_entry->directory, new_name, &scratch->maker_row);
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
	int r;

	r = tree_find_child(tree, folder, folder_entry, new_name, &target);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && noreplace)
		return -EEXIST;
	if (r == -ENOENT && find_hidden(tree, folder, folder_entry, new_name, &target)) {
		scratch_unhide(tree->scratch, node_number(target));
		r = 0;
	}
	if (r == -ENOENT) {
		r = may_create(request, folder_entry->directory, new_name);
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
		return replace_document(tree, request, scratch, target);
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
		scratch_remove(tree->scratch, scratch_get(tree->scratch, target.id));
	} else if (r != -ENOENT) {
		return r;
	}
	r = entry_render(view, entry, &content);
	if (r == 0)
		r = entry_attr(view, entry, &before);
	if (r == 0)
		r = create_scratch(
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

	r = find_removable(tree, request, parent, name, &folder, &folder_entry, &view);
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
		tell_gone(tree, parent, name);
		tell_gone(tree, new_parent, new_name);
	}
	return r;
}

static const struct entry *linking_row(const struct directory *directory, uint8_t *ret_row)
{
	for (size_t i = 0; i < directory->count; i++)
		if (directory->entries[i].link) {
			*ret_row = (uint8_t)i;
			return &directory->entries[i];
		}
	return NULL;
}

int tree_symlink(struct tree *tree, struct request *request, uint64_t parent, const char *name,
	const char *target, struct attr *ret_attr)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	const struct entry *entry, *linker;
	struct view folder, view;
	struct node node;
	uint8_t row;
	int r;

	r = tree_open_folder(tree, request, parent, MAY_WRITE | MAY_EXECUTE, &folder, &entry);
	if (r < 0)
		return r;
	linker = linking_row(entry->directory, &row);
	if (!linker)
		return fault_set(&request->fault, EPERM, "no link can be made here");
	if (tree_find_child(tree, &folder, entry, name, &node) == 0)
		return -EEXIST;
	node = (struct node){ .table = directory_table(entry->directory), .row = row };
	r = check_new_name(request, name);
	if (r == 0)
		r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = linker->link(&folder, name, target, &node.id);
	if (r == 0)
		r = store_change_end(&change);
	if (r < 0)
		return r;
	view = tree_view(tree, request, node);
	return tree_attr(tree, &view, ret_attr);
}
