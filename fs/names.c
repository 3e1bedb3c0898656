/* SPDX-License-Identifier: MIT */
/* Names that come and go: mkdir, create, symlink, rmdir, unlink. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fs/handle.h"
#include "fs/names.h"
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

const struct entry *names_putting_row(const struct directory *directory, const char *name, uint8_t *ret_row)
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

int names_check(struct request *request, const char *name)
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

	r = names_check(request, name);
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

int names_create_scratch(struct tree *tree, struct request *request, struct view *folder,
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
	scratch->maker = names_putting_row(directory, name, &scratch->maker_row);
	scratch->maker_table = directory_table(directory);
	view = tree_view(tree, request, (struct node){ .id = scratch->id, .table = TABLE_SCRATCH });
	return tree_attr(tree, &view, ret_attr);
}

int names_may_create(struct request *request, const struct directory *directory, const char *name)
{
	bool documents = false;
	uint8_t row;

	if (!text_is_utf8(name, strlen(name)))
		return fault_set(&request->fault, EINVAL, "a name must be valid UTF-8");
	if (directory->scratch || names_putting_row(directory, name, &row))
		return 0;
	for (size_t i = 0; i < directory->count; i++)
		documents |= directory->entries[i].put != NULL;
	if (documents)
		return names_check(request, name);
	return fault_set(&request->fault, EPERM, "no file can be made here");
}

bool names_find_hidden(struct tree *tree, struct view *folder, const struct entry *entry, const char *name,
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
	} else if (names_find_hidden(tree, &folder, entry, name, &node)) {
		/* It is a new file for whoever makes it, but the same document: it may be somebody else's. */
		flags |= O_TRUNC;
		view = tree_view(tree, request, node);
		r = tree_attr(tree, &view, ret_attr);
		if (r == 0)
			r = tree_open(tree, request, node_number(node), flags, ret_handle);
		if (r == 0)
			scratch_unhide(tree->scratch, node_number(node));
		return r;
	} else {
		r = names_may_create(request, entry->directory, name);
		if (r == 0)
			r = names_create_scratch(
				tree, request, &folder, entry->directory, name, mode, ret_attr);
	}
	if (r < 0)
		return r;
	r = handle_open(tree, request, node_of(ret_attr->number), flags, ret_handle);
	if (r == 0)
		(*ret_handle)->made = !maker;
	return r;
}

/* The rule of the sticky bit: in such a folder only the owner of the thing or of the folder removes or
 * renames. */
static int may_remove(struct request *request, struct view *folder, const struct attr *child)
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

int names_find_removable(struct tree *tree, struct request *request, uint64_t parent, const char *name,
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
	return may_remove(request, ret_folder, &attr);
}

int names_may_replace(struct tree *tree, struct request *request, struct view *folder, struct node target)
{
	struct view view = tree_view(tree, request, target);
	struct attr attr;
	int r = entry_attr(&view, node_entry(target), &attr);

	return r < 0 ? r : may_remove(request, folder, &attr);
}

void names_tell_gone(struct tree *tree, uint64_t parent, const char *name)
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

	r = names_find_removable(tree, request, parent, name, &folder, &folder_entry, &view);
	if (r < 0)
		return r;
	entry = node_entry(view.node);
	if (entry->kind != KIND_DIRECTORY)
		return -ENOTDIR;
	if (!entry->remove)
		return fault_set(&request->fault, EPERM, "%s belongs to the tree: it can't be removed", name);
	r = remove_entry(tree, &view, entry);
	if (r < 0)
		return r;
	scratch_leave(tree->scratch, view.node, directory_table(entry->directory));
	names_tell_gone(tree, parent, name);
	return 0;
}

int tree_unlink(struct tree *tree, struct request *request, uint64_t parent, const char *name)
{
	const struct entry *folder_entry, *entry;
	struct view folder, view;
	struct attr attr;
	int r;

	r = names_find_removable(tree, request, parent, name, &folder, &folder_entry, &view);
	if (r < 0)
		return r;
	entry = node_entry(view.node);
	if (entry->kind == KIND_DIRECTORY)
		return -EISDIR;
	if (!entry->remove && !entry->unlinkable)
		return fault_set(&request->fault, EPERM, "%s belongs to the tree: it can't be removed", name);
	r = entry_attr(&view, entry, &attr);
	if (r == 0)
		r = remove_entry(tree, &view, entry);
	if (r < 0)
		return r;
	removed_note(tree, view.node, &attr);
	/* A document of a fixed name is empty now; its name comes back when somebody makes it, or with the
	 * next daemon. */
	if (!entry->remove)
		scratch_hide(tree->scratch, node_number(view.node));
	names_tell_gone(tree, parent, name);
	return 0;
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
	r = names_check(request, name);
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
