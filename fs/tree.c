/* SPDX-License-Identifier: MIT */
/* The tree: names → nodes, attributes, listings. Open files are handle.c's, names that come and go are
 * names.c's, what a change means to who looks is changed.c's. */
#include "fs/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "fs/content.h"
#include "fs/errors.h"
#include "fs/handle.h"
#include "fs/nodes/nodes.h"
#include "fs/opened.h"
#include "fs/scratch.h"

uint8_t directory_table(const struct directory *directory)
{
	for (uint8_t i = 0; i < TABLE_COUNT; i++)
		if (directories[i] == directory)
			return i;
	return TABLE_COUNT;
}

int tree_new(struct engine *engine, struct tree **ret_tree)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	int r;

	if (!tree)
		return -ENOMEM;
	tree->engine = engine;
	TAILQ_INIT(&tree->handles);
	TAILQ_INIT(&tree->drafts);
	tree_waits_init(tree);
	TAILQ_INIT(&tree->watches);
	TAILQ_INIT(&tree->options);
	tree->started_ms = time_now_ms();
	tree->uid = geteuid();
	tree->gid = getegid();
	tree->errors = errors_new();
	tree->contents = content_table_new();
	r = scratch_table_new(&tree->scratch);
	if (r < 0 || !tree->errors || !tree->contents) {
		tree_free(tree);
		return -ENOMEM;
	}
	engine->changed = tree_changed;
	engine->userdata = tree;
	engine->opened = opened_locks;
	*ret_tree = tree;
	return 0;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	tree_waits_done(tree);
	errors_free(tree->errors);
	stack_list_free(tree->stack_list);
	content_table_free(tree->contents);
	scratch_table_free(tree->scratch);
	workflow_options_free(tree);
	comparisons_free(tree);
	free(tree->event_readers);
	free(tree);
}

struct view tree_view(struct tree *tree, struct request *request, struct node node)
{
	return (struct view){
		.tree = tree,
		.engine = tree->engine,
		.caller = &request->caller,
		.fault = &request->fault,
		.id = node.id,
		.node = node,
		.request = request,
	};
}

/* A scratch file that was renamed onto a document is that document now. */
struct node node_resolve(struct tree *tree, uint64_t number)
{
	struct node node = node_of(number);

	if (node.table == TABLE_SCRATCH) {
		struct scratch *scratch = scratch_get(tree->scratch, node.id);

		if (scratch && scratch->forward)
			node = node_of(scratch->forward);
	}
	return node;
}

int entry_render(struct view *view, const struct entry *entry, struct buffer *ret_content)
{
	uint64_t failures = memory_failures();
	FILE *out = buffer_stream_open(ret_content);
	int r, r2;

	if (!out)
		return -ENOMEM;
	r = entry->show ? entry->show(view, out) : 0;
	r2 = buffer_stream_close(out, ret_content);
	if (r == 0 && failures != memory_failures())
		r = -ENOMEM;
	return r < 0 ? r : r2;
}

/* Its owner's alone, like a secret or a sensitive output. */
static bool is_private(const struct entry *entry, mode_t mode)
{
	return entry->opened && !(mode & 0044);
}

static const mode_t type_bits[] = {
	[KIND_DIRECTORY] = S_IFDIR,
	[KIND_TEXT] = S_IFREG,
	[KIND_CONTROL] = S_IFREG,
	[KIND_DOCUMENT] = S_IFREG,
	[KIND_STREAM] = S_IFREG,
	[KIND_WAIT] = S_IFREG,
	[KIND_LINK] = S_IFLNK,
};

int entry_rights(struct view *view, const struct entry *entry, struct attr *ret_attr)
{
	struct object object;
	mode_t mode;
	int r;

	r = entry->object(view, &object);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	mode = entry->mode & object.mode;
	if (entry->kind == KIND_LINK)
		mode = 0777;
	else if (entry->kind != KIND_DIRECTORY)
		mode &= 0666 | (entry->mode & 0111);
	*ret_attr = (struct attr){
		.number = node_number(view->node),
		.kind = entry->kind,
		.mode = type_bits[entry->kind] | mode,
		.uid = object.uid,
		.gid = object.gid,
		.mtime_ms = object.mtime_ms,
		.fleeting = entry->fleeting || entry->kind == KIND_STREAM || entry->kind == KIND_WAIT ||
			    is_private(entry, mode),
		.renamable = entry->unlinkable || entry->waits || entry->fleeting,
	};
	return 0;
}

int entry_attr(struct view *view, const struct entry *entry, struct attr *ret_attr)
{
	struct attr attr;
	int64_t stamp;
	int r = entry_rights(view, entry, &attr);

	if (r < 0)
		return r;
	stamp = entry->stamp ? entry->stamp(view) : 0;
	if (stamp != 0)
		attr.mtime_ms = stamp;
	*ret_attr = attr;
	return 0;
}

static int known_size(struct view *view, const struct entry *entry, int64_t *ret_size)
{
	int64_t size = entry->size(view);

	if (size < 0)
		return (int)size;
	*ret_size = size;
	return 0;
}

static int rendered_size(struct view *view, const struct entry *entry, int64_t *ret_size)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	int r = entry_render(view, entry, &content);

	if (r == 0)
		*ret_size = (int64_t)content.size;
	return r;
}

static int content_size(struct view *view, const struct entry *entry, int64_t *ret_size)
{
	int r = 0;

	if (entry->stream) {
		int64_t size = entry->stream->size(view);

		if (size < 0)
			return (int)size;
		*ret_size = size;
	} else if (entry->show) {
		r = entry->size ? known_size(view, entry, ret_size) : rendered_size(view, entry, ret_size);
		/* What can't be opened can be listed and removed. */
		if ((r == -ENOKEY || r == -EBADMSG) && entry->opened)
			r = 0;
	}
	return r;
}

/* Who may not read it learns nothing, not even its size. Not of what the kernel may keep the attributes of:
 * it keeps them once for all users, and a reader would find an empty file. */
static bool hides_size(struct view *view, const struct attr *attr)
{
	return attr->fleeting && caller_access(view->caller, attr->uid, attr->gid, attr->mode, MAY_READ) < 0;
}

int tree_attr(struct tree *tree, struct view *view, struct attr *ret_attr)
{
	const struct entry *entry = node_entry(view->node);
	struct attr attr;
	int r;

	if (!entry)
		return -ESTALE;
	r = entry_attr(view, entry, &attr);
	if (r < 0)
		return r;
	if (entry->kind == KIND_LINK || !hides_size(view, &attr))
		r = content_size(view, entry, &attr.size);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	*ret_attr = attr;
	return 0;
}

/* The folder behind a number, which the caller must be allowed to use in this way. */
int tree_open_folder(struct tree *tree, struct request *request, uint64_t number, int want,
	struct view *ret_view, const struct entry **ret_entry)
{
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const struct entry *entry = node_entry(view.node);
	struct attr attr;
	int r;

	if (!entry)
		return -ESTALE;
	if (entry->kind != KIND_DIRECTORY)
		return -ENOTDIR;
	r = entry_rights(&view, entry, &attr);
	if (r < 0)
		return r;
	r = caller_access(&request->caller, attr.uid, attr.gid, attr.mode, want);
	if (r < 0)
		return r;
	*ret_view = view;
	*ret_entry = entry;
	return 0;
}

int tree_find_child(struct tree *tree, struct view *folder, const struct entry *entry, const char *name,
	struct node *ret_node)
{
	const struct directory *directory = entry->directory;
	uint8_t table = directory_table(directory);
	struct scratch *scratch;

	for (size_t i = 0; i < directory->count; i++) {
		const struct entry *child = &directory->entries[i];
		struct node node = { .id = folder->id, .table = table, .row = (uint8_t)i };
		int r = 0;

		if (child->name) {
			if (strcmp(child->name, name))
				continue;
		} else {
			r = child->find(folder, name, &node.id);
			if (r == -ENOENT)
				continue;
		}
		if (r < 0)
			return r;
		if (child->unlinkable && scratch_hidden(tree->scratch, node_number(node)))
			continue;
		if (child->waits)
			node.instance = handle_free_instance(tree, node, folder->caller);
		*ret_node = node;
		return 0;
	}
	/* Also a document that is being made where no temporary files are: O_EXCL has one winner. */
	scratch = scratch_find(tree->scratch, node_number(folder->node), name);
	if (!scratch)
		return -ENOENT;
	*ret_node = (struct node){ .id = scratch->id, .table = TABLE_SCRATCH };
	return 0;
}

int tree_lookup(
	struct tree *tree, struct request *request, uint64_t parent, const char *name, struct attr *ret_attr)
{
	const struct entry *entry;
	struct view folder, view;
	struct node node;
	int r;

	r = tree_open_folder(tree, request, parent, MAY_EXECUTE, &folder, &entry);
	if (r < 0)
		return r;
	if (strlen(name) > 255)
		return -ENAMETOOLONG;
	r = tree_find_child(tree, &folder, entry, name, &node);
	if (r < 0)
		return r;
	view = tree_view(tree, request, node);
	r = tree_attr(tree, &view, ret_attr);
	if (r < 0)
		return r == -ESTALE ? -ENOENT : r;
	draft_attr(tree, &view, NULL, ret_attr);
	content_told(tree->contents, ret_attr->number, ret_attr->size);
	return 0;
}

int tree_walk_parent(struct tree *tree, struct request *request, const char *path, uint64_t *ret_parent,
	const char **ret_name)
{
	uint64_t parent = NODE_ROOT;
	char name[256];

	if (*path != '/')
		return fault_set(&request->fault, EINVAL, "a path in the tree begins with '/': %s", path);
	for (;;) {
		const char *end;
		struct attr attr;
		int r;

		path += strspn(path, "/");
		end = strchrnul(path, '/');
		if (!end[strspn(end, "/")]) {
			*ret_parent = parent;
			*ret_name = path;
			return 0;
		}
		if (end - path > 255)
			return -ENAMETOOLONG;
		memcpy(name, path, (size_t)(end - path));
		name[end - path] = '\0';
		r = tree_lookup(tree, request, parent, name, &attr);
		if (r < 0)
			return r;
		if (attr.kind != KIND_DIRECTORY)
			return -ENOTDIR;
		parent = attr.number;
		path = end;
	}
}

int tree_walk(struct tree *tree, struct request *request, const char *path, struct attr *ret_attr)
{
	const char *name;
	char last[257];
	uint64_t parent;
	size_t size;
	int r;

	r = tree_walk_parent(tree, request, path, &parent, &name);
	if (r < 0)
		return r;
	if (!*name)
		return tree_getattr(tree, request, NODE_ROOT, NULL, ret_attr);
	size = strcspn(name, "/");
	if (size > 255)
		return -ENAMETOOLONG;
	memcpy(last, name, size);
	last[size] = '\0';
	r = tree_lookup(tree, request, parent, last, ret_attr);
	if (r == 0 && name[size] && ret_attr->kind != KIND_DIRECTORY)
		return -ENOTDIR;
	return r;
}

int tree_getattr(struct tree *tree, struct request *request, uint64_t number, struct handle *handle,
	struct attr *ret_attr)
{
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	int r = tree_attr(tree, &view, ret_attr);

	if (r == 0)
		draft_attr(tree, &view, handle, ret_attr);
	else if (r == -ESTALE)
		r = removed_attr(tree, view.node, ret_attr);
	if (r < 0)
		return r;
	ret_attr->number = number;
	content_told(tree->contents, number, ret_attr->size);
	return 0;
}

int tree_chmod(struct tree *tree, struct request *request, uint64_t number, mode_t mode)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const struct entry *entry = node_entry(view.node);
	struct attr attr;
	int r;

	if (!entry)
		return -ESTALE;
	if (!entry->chmod) {
		/* `install` and `cp -p` set the mode of what they wrote. A file's mode is its object's: there
		 * is nothing to keep, and its owner is no reason for these to fail. */
		r = entry_attr(&view, entry, &attr);
		if (r == 0 && !caller_owns(&request->caller, attr.uid))
			r = -EPERM;
		return r;
	}
	r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = entry->chmod(&view, mode & 07777);
	return r < 0 ? r : store_change_end(&change);
}

int tree_chown(struct tree *tree, struct request *request, uint64_t number, uid_t uid, gid_t gid)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const struct entry *entry = node_entry(view.node);
	struct attr attr;
	int r;

	if (!entry)
		return -ESTALE;
	if (!entry->chown) {
		r = entry_attr(&view, entry, &attr);
		if (r < 0)
			return r;
		/* What is so already needs no right. */
		if ((uid == (uid_t)-1 || uid == attr.uid) && (gid == (gid_t)-1 || gid == attr.gid))
			return 0;
		return fault_set(&request->fault, EPERM,
			"the owner of this file is its folder's: chown that one (chown of a stack: its "
			"folder in stacks/)");
	}
	r = store_change_begin(tree->engine->store, &change);
	if (r == 0)
		r = entry->chown(&view, uid, gid);
	return r < 0 ? r : store_change_end(&change);
}

int tree_readlink(struct tree *tree, struct request *request, uint64_t number, struct buffer *ret_target)
{
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const struct entry *entry = node_entry(view.node);
	int r;

	if (!entry)
		return -ESTALE;
	if (entry->kind != KIND_LINK)
		return -EINVAL;
	r = entry_render(&view, entry, ret_target);
	return r == -ENOENT ? -ESTALE : r;
}

struct listing {
	struct tree *tree;
	int (*emit)(void *userdata, const char *name, uint64_t child, enum kind kind);
	void *userdata;
	const struct entry *entry;
	struct node node;
};

static int list_one(void *userdata, const char *name, int64_t id)
{
	struct listing *listing = userdata;

	listing->node.id = id;
	if (listing->entry->unlinkable && scratch_hidden(listing->tree->scratch, node_number(listing->node)))
		return 0;
	return listing->emit(listing->userdata, name, node_number(listing->node), listing->entry->kind);
}

int tree_list(struct tree *tree, struct request *request, uint64_t number,
	int (*emit)(void *userdata, const char *name, uint64_t child, enum kind kind), void *userdata)
{
	struct listing listing = { .tree = tree, .emit = emit, .userdata = userdata };
	const struct entry *entry;
	struct scratch *scratch = NULL;
	struct view folder;
	int r;

	r = tree_open_folder(tree, request, number, MAY_READ, &folder, &entry);
	if (r < 0)
		return r;
	for (size_t i = 0; i < entry->directory->count; i++) {
		const struct entry *child = &entry->directory->entries[i];

		listing.entry = child;
		listing.node = (struct node){ .table = directory_table(entry->directory), .row = (uint8_t)i };
		r = child->name ? list_one(&listing, child->name, folder.id)
				: child->each(&folder, list_one, &listing);
		if (r != 0)
			return r;
	}
	while (entry->directory->scratch &&
		(scratch = scratch_next(tree->scratch, node_number(folder.node), scratch))) {
		struct node node = { .id = scratch->id, .table = TABLE_SCRATCH };

		r = emit(userdata, scratch->name, node_number(node), KIND_DOCUMENT);
		if (r != 0)
			return r;
	}
	return 0;
}
