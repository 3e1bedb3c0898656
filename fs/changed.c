/* SPDX-License-Identifier: MIT */
/* What a change means to those who look: what the kernel keeps is stale, who waits for it is woken. */
#include "fs/handle.h"
#include "fs/nodes/nodes.h"
#include "fs/tree.h"

static bool node_shows(struct node node, const struct entry *entry, const struct change *change)
{
	return entry->subject == change->subject && (entry->aspects & change->aspects) &&
	       (change->subject == SUBJECT_SYSTEM || node.id == change->id);
}

static bool handle_shows(const struct handle *handle, const struct change *change)
{
	return node_shows(handle->node, handle->entry, change);
}

static bool watch_sees(const struct watch *watch, const struct change *change)
{
	struct node node = node_of(watch->place);

	return watch->handle ? handle_shows(watch->handle, change)
			     : node_entry(node) && node_shows(node, node_entry(node), change);
}

/* Reads of wait files that have become answerable. */
static void wake_readers(struct tree *tree, const struct change *change)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&tree->waits); request; request = next) {
		struct handle *handle = request->handle;
		ssize_t n;

		next = TAILQ_NEXT(request, waiting);
		if (!handle || handle->entry->kind != KIND_WAIT || handle->entry->ask ||
			!handle_shows(handle, change))
			continue;
		n = tree_read(tree, request, handle, request->offset, request->data, request->size);
		if (n != LATER)
			request_finish(request, n);
	}
}

/* What a row shows, its time included: without one of its own that is the object's, which changes with nearly
 * all. */
static unsigned shown_aspects(const struct entry *entry)
{
	const unsigned timeless = ASPECT_LOCK | ASPECT_EVENTS | ASPECT_LOG;

	return entry->stamp ? entry->aspects : entry->aspects | (ASPECT_ALL & ~timeless);
}

bool tree_is_settled(const struct tree *tree, uint64_t number)
{
	const struct engine *engine = tree->engine;
	struct node node = node_of(number);
	const struct entry *entry = node_entry(node);

	if (!entry || entry->opened || store_turn_failed(engine->store))
		return false;
	for (size_t i = 0; i < engine->change_count; i++) {
		const struct change *change = &engine->changes[i];

		/* Names and rights of whatever: who finds this, and who may use it, is told by others, too.
		 */
		if ((change->aspects & (ASPECT_META | ASPECT_NAMES)) ||
			(entry->subject == change->subject && (shown_aspects(entry) & change->aspects) &&
				(change->subject == SUBJECT_SYSTEM || change->id == node.id)))
			return false;
	}
	return true;
}

void tree_changed(void *userdata, const struct change *change)
{
	struct tree *tree = userdata;
	struct watch *watch, *next;

	for (uint8_t table = 0; tree->stale && table < TABLE_COUNT; table++) {
		const struct directory *directory = directories[table];

		for (size_t row = 0; directory && row < directory->count; row++) {
			const struct entry *entry = &directory->entries[row];

			if (entry->subject == change->subject && (shown_aspects(entry) & change->aspects) &&
				!entry->fleeting)
				tree->stale(tree->userdata,
					node_number((struct node){
						.id = change->id, .table = table, .row = (uint8_t)row }));
		}
	}
	/* A stack's mode, the stack of a run, the namespaces that there are, a top folder's mode: who sees
	 * which events. */
	if ((change->subject == SUBJECT_STACK && (change->aspects & ASPECT_META)) ||
		(change->subject == SUBJECT_RUN && (change->aspects & ASPECT_META) &&
			change->aspects != ASPECT_ALL) ||
		(change->subject == SUBJECT_LOCK && (change->aspects & ASPECT_META)) ||
		(change->subject == SUBJECT_SYSTEM && (change->aspects & (ASPECT_STATE | ASPECT_META))))
		tree->access_generation++;
	stack_list_changed(tree->stack_list, change);
	wake_readers(tree, change);
	for (watch = TAILQ_FIRST(&tree->watches); watch; watch = next) {
		next = TAILQ_NEXT(watch, watches);
		if (watch_sees(watch, change))
			watch->wake(watch);
	}
}
