/* SPDX-License-Identifier: MIT */
/* Scratch files. Few at any time, so lists. */
#include "fs/scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "fs/tree.h"

enum { FORWARDS_MAX = 256 }; /* oldest are forgotten: their names were looked up anew long ago */
enum { HIDDEN_MAX = 1024 };

TAILQ_HEAD(scratch_list, scratch);

struct scratch_table {
	struct scratch_list files, forwards;
	size_t forward_count;
	int64_t last_id;
	uint64_t hidden[HIDDEN_MAX];
	size_t hidden_count;
};

int scratch_table_new(struct scratch_table **ret_table)
{
	struct scratch_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	TAILQ_INIT(&table->files);
	TAILQ_INIT(&table->forwards);
	/* Inode numbers of a former daemon's scratch files must not come back. */
	table->last_id = time_now_ms() & 0xffffffffff;
	*ret_table = table;
	return 0;
}

static void scratch_free(struct scratch *scratch)
{
	buffer_done(&scratch->content);
	json_decref(scratch->options);
	free(scratch);
}

static void list_free(struct scratch_list *list)
{
	struct scratch *scratch;

	while ((scratch = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, scratch, files);
		scratch_free(scratch);
	}
}

void scratch_table_free(struct scratch_table *table)
{
	if (!table)
		return;
	list_free(&table->files);
	list_free(&table->forwards);
	free(table);
}

struct scratch *scratch_get(struct scratch_table *table, int64_t id)
{
	struct scratch *scratch;

	TAILQ_FOREACH (scratch, &table->files, files)
		if (scratch->id == id)
			return scratch;
	TAILQ_FOREACH (scratch, &table->forwards, files)
		if (scratch->id == id)
			return scratch;
	return NULL;
}

struct scratch *scratch_find(struct scratch_table *table, uint64_t folder, const char *name)
{
	struct scratch *scratch;

	TAILQ_FOREACH (scratch, &table->files, files)
		if (scratch->folder == folder && !strcmp(scratch->name, name))
			return scratch;
	return NULL;
}

struct scratch *scratch_next(struct scratch_table *table, uint64_t folder, const struct scratch *after)
{
	struct scratch *scratch = after ? TAILQ_NEXT(after, files) : TAILQ_FIRST(&table->files);

	while (scratch && scratch->folder != folder)
		scratch = TAILQ_NEXT(scratch, files);
	return scratch;
}

int scratch_create(struct scratch_table *table, uint64_t folder, const char *name, const struct object *owner,
	int64_t limit, struct scratch **ret_scratch)
{
	struct scratch *scratch;
	int64_t count = 0;

	TAILQ_FOREACH (scratch, &table->files, files)
		if (scratch->maker_uid == owner->uid && ++count >= limit)
			return -EDQUOT;
	if (strlen(name) >= sizeof(scratch->name))
		return -ENAMETOOLONG;
	scratch = calloc(1, sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	*scratch = (struct scratch){
		.id = ++table->last_id,
		.folder = folder,
		.uid = owner->uid,
		.maker_uid = owner->uid,
		.gid = owner->gid,
		.mode = owner->mode,
		.mtime_ms = time_now_ms(),
	};
	memcpy(scratch->name, name, strlen(name) + 1);
	TAILQ_INSERT_TAIL(&table->files, scratch, files);
	*ret_scratch = scratch;
	return 0;
}

void scratch_remove(struct scratch_table *table, struct scratch *scratch)
{
	TAILQ_REMOVE(&table->files, scratch, files);
	scratch_free(scratch);
}

void scratch_leave(struct scratch_table *table, struct node folder, uint8_t entries)
{
	struct scratch *scratch, *next;

	for (scratch = TAILQ_FIRST(&table->files); scratch; scratch = next) {
		struct node place = node_of(scratch->folder);

		next = TAILQ_NEXT(scratch, files);
		if (scratch->folder == node_number(folder) ||
			(place.id == folder.id && place.table == entries))
			scratch_remove(table, scratch);
	}
}

void scratch_forward(struct scratch_table *table, struct scratch *scratch, uint64_t number)
{
	struct scratch *oldest;

	TAILQ_REMOVE(&table->files, scratch, files);
	TAILQ_INSERT_TAIL(&table->forwards, scratch, files);
	buffer_done(&scratch->content);
	scratch->forward = number;
	if (++table->forward_count <= FORWARDS_MAX)
		return;
	oldest = TAILQ_FIRST(&table->forwards);
	TAILQ_REMOVE(&table->forwards, oldest, files);
	scratch_free(oldest);
	table->forward_count--;
}

void scratch_hide(struct scratch_table *table, uint64_t number)
{
	if (!scratch_hidden(table, number) && table->hidden_count < HIDDEN_MAX)
		table->hidden[table->hidden_count++] = number;
}

void scratch_unhide(struct scratch_table *table, uint64_t number)
{
	for (size_t i = 0; i < table->hidden_count; i++)
		if (table->hidden[i] == number)
			table->hidden[i--] = table->hidden[--table->hidden_count];
}

bool scratch_hidden(const struct scratch_table *table, uint64_t number)
{
	for (size_t i = 0; i < table->hidden_count; i++)
		if (table->hidden[i] == number)
			return true;
	return false;
}

/* The row. */

static int scratch_object(struct view *view, struct object *ret_object)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);

	if (!scratch)
		return -ENOENT;
	*ret_object = (struct object){ scratch->uid, scratch->gid, scratch->mode, scratch->mtime_ms };
	return 0;
}

static int scratch_show(struct view *view, FILE *out)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);

	if (!scratch)
		return -ENOENT;
	fwrite(buffer_text(&scratch->content), 1, scratch->content.size, out);
	return 0;
}

/* The extended attributes that its writer gave it before it was closed: cp --preserve=xattr, rsync -X. */
static int settle_options(struct view *folder, const struct scratch *scratch, struct node node)
{
	struct view view = tree_view(folder->tree, folder->request, node);
	const struct attribute *attribute = scratch->maker->attributes;
	int r = 0;

	for (; r == 0 && attribute && attribute->name; attribute++) {
		json_t *value = json_object_get(scratch->options, attribute->name);

		if (value)
			r = attribute->set(&view, json_string_value(value), json_string_length(value));
	}
	return r;
}

/* The first content of a document to be: it is made now. */
static int become(struct view *view, struct scratch *scratch, const char *content, size_t size)
{
	struct view folder = tree_view(view->tree, view->request, node_of(scratch->folder));
	struct node node = { .table = scratch->maker_table, .row = scratch->maker_row };
	int r;

	folder.made_mode = scratch->mode;
	r = scratch->maker->put(&folder, scratch->name, content, size, &node.id);

	if (r == 0 && scratch->options)
		r = settle_options(&folder, scratch, node);
	if (node.id && (r >= 0 || !scratch->maker->attributes))
		scratch_forward(view->tree->scratch, scratch, node_number(node));
	return r;
}

static int scratch_commit(struct view *view, const char *content, size_t size)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);

	if (!scratch)
		return 0; /* unlinked while it was open, as temporary files are */
	if (scratch->maker)
		return become(view, scratch, content, size);
	scratch->mtime_ms = time_now_ms();
	buffer_truncate(&scratch->content, 0);
	return buffer_append(&scratch->content, content, size);
}

static int keep_option(struct scratch *scratch, const char *name, const char *value, size_t size)
{
	const struct attribute *attribute = scratch->maker->attributes;

	while (attribute->name && strcmp(attribute->name, name))
		attribute++;
	if (!attribute->name)
		return -ENOTSUP;
	if (!scratch->options)
		scratch->options = json_object();
	return json_object_set_new(scratch->options, name, json_stringn(value, size)) < 0 ? -EINVAL : 0;
}

static int scratch_set_option(
	struct view *view, const char *file, const char *option, const char *value, size_t size)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);
	struct view folder;

	if (scratch && scratch->maker && scratch->maker->attributes)
		return keep_option(scratch, option, value, size);
	if (!scratch || !scratch->maker || !scratch->maker->set_option)
		return -ENOTSUP;
	folder = tree_view(view->tree, view->request, node_of(scratch->folder));
	return scratch->maker->set_option(&folder, scratch->name, option, value, size);
}

static int scratch_unlink(struct view *view)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);

	if (!scratch)
		return -ENOENT;
	scratch_remove(view->tree->scratch, scratch);
	return 0;
}

static int scratch_chmod(struct view *view, mode_t mode)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);

	if (!scratch)
		return -ENOENT;
	if (!caller_owns(view->caller, scratch->uid))
		return -EPERM;
	scratch->mode = mode & 0777;
	return 0;
}

static int scratch_chown(struct view *view, uid_t uid, gid_t gid)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);

	if (!scratch)
		return -ENOENT;
	/* chown(2): to one's own group at most, except for root. */
	if (view->caller->uid != 0 &&
		(scratch->uid != view->caller->uid || (uid != (uid_t)-1 && uid != scratch->uid) ||
			(gid != (gid_t)-1 && !caller_in_group(view->caller, gid))))
		return -EPERM;
	if (uid != (uid_t)-1)
		scratch->uid = uid;
	if (gid != (gid_t)-1)
		scratch->gid = gid;
	return 0;
}

static void scratch_forget_options(struct view *view, const char *file)
{
	struct scratch *scratch = scratch_get(view->tree->scratch, view->id);
	struct view folder;

	if (!scratch || !scratch->maker || !scratch->maker->forget_options)
		return;
	folder = tree_view(view->tree, view->request, node_of(scratch->folder));
	scratch->maker->forget_options(&folder, scratch->name);
}

/* clang-format off */
static const struct entry scratch_entries[] = {
	{ .help = "a temporary file of an editor", .kind = KIND_DOCUMENT, .mode = 0777, .fleeting = true,
	  .unlinkable = true, .object = scratch_object, .show = scratch_show, .commit = scratch_commit,
	  .remove = scratch_unlink, .chmod = scratch_chmod, .chown = scratch_chown, .set_option = scratch_set_option,
	  .forget_options = scratch_forget_options },
};
/* clang-format on */

const struct directory scratch_directory = DIRECTORY(scratch_entries);
