/* SPDX-License-Identifier: MIT */
/* Listing folders, in parts: a folder may have more names than an answer has room for. The listing is made as
 * a whole when it is begun, so that names that come and go don't shift it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/quota.h"
#include "fs/handle.h"
#include "fs/socket-internal.h"

enum { PART = 1024 }; /* names in an answer */

/* What a client has not asked for yet. */
struct listing {
	struct buffer entries; /* struct entry_head and the name with its NUL, one behind the other */
	size_t count, place;   /* how many; where the next one is */
	int64_t id;
	size_t counted; /* bytes that the client's quota knows of */
};

struct entry_head {
	uint64_t number;
	enum kind kind;
};

static int list_one(void *userdata, const char *name, uint64_t child, enum kind kind)
{
	struct entry_head head = { .number = child, .kind = kind };
	struct listing *listing = userdata;
	int r = buffer_append(&listing->entries, &head, sizeof(head));

	listing->count++;
	return r < 0 ? r : buffer_append(&listing->entries, name, strlen(name) + 1);
}

void listing_end(struct client *client)
{
	struct listing *listing = client->listing;

	if (!listing)
		return;
	quota_use(
		client->door->tree->engine, client->caller.uid, QUOTA_OPEN_SIZE, -(int64_t)listing->counted);
	buffer_done(&listing->entries);
	free(listing);
	client->listing = NULL;
}

/* Of the folder, a new one in the place of what the client has not finished. */
static int listing_begin(struct op *op, const struct attr *folder)
{
	struct client *client = op->client;
	int r;

	listing_end(client);
	client->listing = calloc(1, sizeof(*client->listing));
	if (!client->listing)
		return -ENOMEM;
	client->listing->id = ++client->last_listing;
	r = tree_list(op->request.tree, &op->request, folder->number, list_one, client->listing);
	if (r == 0 && client->listing->count > PART)
		r = handle_quota(op->request.tree, &op->request, false); /* the rest is kept */
	if (r < 0) {
		listing_end(client);
		return r;
	}
	client->listing->counted = client->listing->entries.size;
	quota_use(op->request.tree->engine, client->caller.uid, QUOTA_OPEN_SIZE,
		(int64_t)client->listing->counted);
	return 0;
}

static json_t *entry_json(struct op *op, const struct entry_head *head, const char *name, bool attributes)
{
	json_t *entry = json_pack("{s:s, s:s, s:I}", "name", name, "type", kind_name(head->kind), "ino",
		(json_int_t)head->number);
	struct attr attr;

	if (entry && attributes &&
		tree_getattr(op->request.tree, &op->request, head->number, NULL, &attr) == 0)
		json_object_set_new(entry, "attr", attr_json(&attr));
	return entry;
}

static void listing_part(struct op *op, bool attributes)
{
	struct listing *listing = op->client->listing;
	json_t *entries = json_array();

	for (int i = 0; i < PART && listing->place < listing->entries.size; i++) {
		const char *name = listing->entries.data + listing->place + sizeof(struct entry_head);
		struct entry_head head;

		memcpy(&head, listing->entries.data + listing->place, sizeof(head));
		json_array_append_new(entries, entry_json(op, &head, name, attributes));
		listing->place += sizeof(head) + strlen(name) + 1;
	}
	json_object_set_new(op->answer, "entries", entries);
	if (listing->place < listing->entries.size)
		json_object_set_new(op->answer, "listing", json_integer(listing->id));
	else
		listing_end(op->client);
}

ssize_t do_list(struct op *op, const struct frame *frame)
{
	int64_t id = op_int(op, "listing", 0);
	bool attributes = json_is_true(json_object_get(op->head, "attr"));
	struct attr attr;
	int r = op_node(op, &attr);

	if (r == 0 && attr.kind != KIND_DIRECTORY)
		r = -ENOTDIR;
	if (r == 0 && id && (!op->client->listing || op->client->listing->id != id))
		r = fault_set(&op->request.fault, EBADF,
			"there is no listing %lld to go on with: another one was begun, or it has ended",
			(long long)id);
	if (r == 0 && !id)
		r = listing_begin(op, &attr);
	if (r < 0)
		return r;
	/* Of a folder that one may read and not pass there are names only, as in ls(1). */
	if (caller_access(&op->request.caller, attr.uid, attr.gid, attr.mode, MAY_EXECUTE) < 0)
		attributes = false;
	listing_part(op, attributes);
	return 0;
}
