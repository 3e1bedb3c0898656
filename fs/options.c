/* SPDX-License-Identifier: MIT */
/* The extended attributes of the tree: user.sloth.NAME, by the tables of the rows. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/handle.h"

static const char prefix[] = "user.sloth.";

enum { VALUE_MAX = 64 << 10 }; /* bytes, as of the kernel: XATTR_SIZE_MAX */

/* What follows the prefix, or NULL. */
static const char *own_name(const char *name)
{
	return strncmp(name, prefix, sizeof(prefix) - 1) ? NULL : name + sizeof(prefix) - 1;
}

static const struct attribute *find_attribute(const struct entry *entry, const char *name)
{
	const struct attribute *attribute = entry->attributes;

	while (attribute && attribute->name && strcmp(attribute->name, name))
		attribute++;
	return attribute && attribute->name ? attribute : NULL;
}

bool tree_has_options(struct tree *tree, uint64_t number, const char *name)
{
	const struct entry *entry = node_entry(node_resolve(tree, number));

	return entry && entry->attributes && (!name || own_name(name));
}

/* The row, when the caller has this right to it. */
static int open_row(struct view *view, int want, const struct entry **ret_entry)
{
	const struct entry *entry = node_entry(view->node);
	struct attr attr;
	int r;

	if (!entry)
		return -ESTALE;
	r = entry_rights(view, entry, &attr);
	if (r == 0)
		r = caller_access(view->caller, attr.uid, attr.gid, attr.mode, want);
	if (r == 0)
		*ret_entry = entry;
	return r;
}

static int unknown_name(struct view *view, const struct entry *entry, const char *name)
{
	CLEANUP(buffer_done) struct buffer known = { 0 };

	for (const struct attribute *attribute = entry->attributes; attribute->name; attribute++)
		if (buffer_append_text(&known, known.size ? ", user.sloth." : "user.sloth.") < 0 ||
			buffer_append_text(&known, attribute->name) < 0)
			return -ENOMEM;
	return fault_set(
		view->fault, ENOTSUP, "%.64s is unknown here; there is %s", name, buffer_text(&known));
}

static int set_attribute(struct view *view, const struct attribute *attribute, const char *value, size_t size)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	CLEANUP(buffer_done) struct buffer copy = { 0 };
	int r = value ? buffer_append(&copy, value, size) : 0;

	if (r == 0)
		r = store_change_begin(view->engine->store, &change);
	if (r == 0)
		r = attribute->set(view, value ? buffer_text(&copy) : NULL, size);
	return r < 0 ? r : store_change_end(&change);
}

int tree_set_option(struct tree *tree, struct request *request, uint64_t number, const char *name,
	const char *value, size_t size)
{
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const char *own = own_name(name);
	const struct attribute *attribute;
	const struct entry *entry;
	int r = open_row(&view, MAY_WRITE, &entry);

	if (r < 0)
		return r;
	if (!own || (!entry->attributes && !entry->set_option))
		return value ? -ENOTSUP : -ENODATA;
	if (size > VALUE_MAX)
		return -E2BIG;
	if (!entry->attributes)
		return value ? entry->set_option(&view, NULL, own, value, size) : -ENODATA;
	attribute = find_attribute(entry, own);
	if (!attribute)
		return value ? unknown_name(&view, entry, name) : -ENODATA;
	return set_attribute(&view, attribute, value, size);
}

static int get_attribute(struct view *view, const struct attribute *attribute, struct buffer *ret_value)
{
	FILE *out = buffer_stream_open(ret_value);
	int r, r2;

	if (!out)
		return -ENOMEM;
	r = attribute->get(view, out);
	r2 = buffer_stream_close(out, ret_value);
	return r < 0 ? r : r2;
}

int tree_get_option(struct tree *tree, struct request *request, uint64_t number, const char *name,
	struct buffer *ret_value)
{
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const char *own = own_name(name);
	const struct attribute *attribute;
	const struct entry *entry;
	int r;

	if (!own)
		return -ENODATA;
	r = open_row(&view, MAY_READ, &entry);
	if (r < 0)
		return r;
	attribute = find_attribute(entry, own);
	if (!attribute)
		return -ENODATA;
	r = get_attribute(&view, attribute, ret_value);
	return r == -ENOENT ? -ESTALE : r;
}

int tree_list_options(struct tree *tree, struct request *request, uint64_t number, struct buffer *ret_names)
{
	struct view view = tree_view(tree, request, node_resolve(tree, number));
	const struct attribute *attribute;
	const struct entry *entry;
	int r = open_row(&view, MAY_READ, &entry);

	/* Who may not read them sees none. */
	if (r < 0)
		return r == -EACCES ? 0 : r;
	for (attribute = entry->attributes; attribute && attribute->name; attribute++) {
		CLEANUP(buffer_done) struct buffer value = { 0 };

		r = get_attribute(&view, attribute, &value);
		if (r == -ENODATA)
			continue;
		if (r == 0)
			r = buffer_append_text(ret_names, prefix);
		if (r == 0)
			r = buffer_append(ret_names, attribute->name, strlen(attribute->name) + 1);
		if (r < 0)
			return r == -ENOENT ? -ESTALE : r;
	}
	return 0;
}
