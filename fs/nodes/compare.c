/* SPDX-License-Identifier: MIT */
/*
 * stacks/S/snapshots/compare/A..B and A..B.json: what differs between two versions.
 *
 * A pair of versions of a stack does not fit into the number of a node: those that were asked for last have a
 * slot each, whose number stands for them. Whoever comes back after it was given to others looks the name up
 * again, because names of this folder are not cached.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compare.h"
#include "fs/nodes/versions.h"

enum { SLOTS = 1024 };

struct comparison {
	int64_t id; /* 0: free; id % SLOTS is the slot */
	int64_t stack_id, from, to;
};

struct comparisons {
	int64_t last;
	struct comparison slots[SLOTS];
};

void comparisons_free(struct tree *tree)
{
	free(tree->comparisons);
}

static int slot_take(struct tree *tree, int64_t stack_id, int64_t from, int64_t to, int64_t *ret_id)
{
	struct comparisons *all = tree->comparisons;
	struct comparison *slot;

	if (!all) {
		all = tree->comparisons = calloc(1, sizeof(*all));
		if (!all)
			return -ENOMEM;
	}
	for (size_t i = 0; i < SLOTS; i++) {
		slot = &all->slots[i];
		if (slot->id && slot->stack_id == stack_id && slot->from == from && slot->to == to) {
			*ret_id = slot->id;
			return 0;
		}
	}
	all->last++;
	slot = &all->slots[all->last % SLOTS];
	*slot = (struct comparison){ all->last, stack_id, from, to };
	*ret_id = slot->id;
	return 0;
}

static int slot_get(struct view *view, struct comparison *ret_comparison)
{
	struct comparisons *all = view->tree->comparisons;

	if (!all || all->slots[view->id % SLOTS].id != view->id)
		return -ENOENT;
	*ret_comparison = all->slots[view->id % SLOTS];
	return 0;
}

static int comparison_object(struct view *view, struct object *ret_object)
{
	struct view of = *view;
	struct comparison comparison;
	int r = slot_get(view, &comparison);

	if (r < 0)
		return r;
	of.id = comparison.stack_id;
	return object_stack_or_destroyed(&of, ret_object);
}

/* "v1..v9", "good..current": names of versions have no ".." in them. */
static int pair_find(struct view *folder, const char *name, size_t size, int64_t *ret_id)
{
	const char *dots = strstr(name, "..");
	struct version from, to;
	char text[256];
	int r;

	if (!dots || size >= sizeof(text) || (size_t)(dots - name) + 2 >= size || dots == name)
		return fault_set(folder->fault, ENOENT,
			"compare/%.100s: two versions with .. between them: compare/v1..v9, "
			"compare/good..current",
			name);
	memcpy(text, name, size);
	text[size] = '\0';
	text[dots - name] = '\0';
	r = snapshot_resolve(folder->engine, folder->id, text, folder->fault, &from);
	if (r == 0)
		r = snapshot_resolve(
			folder->engine, folder->id, text + (dots - name) + 2, folder->fault, &to);
	return r < 0 ? r : slot_take(folder->tree, folder->id, from.number, to.number, ret_id);
}

static bool is_json(const char *name, size_t size)
{
	return size > 5 && !strcmp(name + size - 5, ".json");
}

static int text_find(struct view *folder, const char *name, int64_t *ret_id)
{
	size_t size = strlen(name);

	return is_json(name, size) ? -ENOENT : pair_find(folder, name, size, ret_id);
}

static int json_find(struct view *folder, const char *name, int64_t *ret_id)
{
	size_t size = strlen(name);

	return is_json(name, size) ? pair_find(folder, name, size - 5, ret_id) : -ENOENT;
}

static int pair_each(struct view *folder, node_emit *emit, void *userdata)
{
	return 0; /* found, not listed */
}

static int changes_get(struct view *view, json_t **ret_changes)
{
	struct comparison comparison;
	int r = slot_get(view, &comparison);

	return r < 0 ? r
		     : version_compare(view->engine, comparison.stack_id, comparison.from, comparison.to,
			       view->fault, ret_changes);
}

static int text_show(struct view *view, FILE *out)
{
	json_auto_t *changes = NULL;
	int r = changes_get(view, &changes);

	if (r == 0)
		compare_show(changes, out);
	return r;
}

static int json_show(struct view *view, FILE *out)
{
	json_auto_t *changes = NULL;
	int r = changes_get(view, &changes);

	return r < 0 ? r : show_json(out, changes);
}

/* clang-format off */
static const struct entry compare_entries[] = {
	{ .help = "A..B: what differs, a line each", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .object = comparison_object, .show = text_show, .find = text_find, .each = pair_each },
	{ .help = "A..B.json: the same as JSON", .kind = KIND_TEXT, .mode = 0444, .fleeting = true,
	  .object = comparison_object, .show = json_show, .find = json_find, .each = pair_each },
};
/* clang-format on */

const struct directory compare_directory = DIRECTORY(compare_entries);
