/* SPDX-License-Identifier: MIT */
/* Which open files the kernel may serve from its page cache. A direct-mapped table: a collision costs a
 * round trip, never a wrong byte. */
#include "fs/content.h"

#include <stdlib.h>

enum { SLOTS = 4096 };

struct slot {
	uint64_t number;
	uint64_t hash;
	int64_t size;	    /* of what was opened last */
	int64_t changed_ms; /* when other bytes than before were seen, or had come to be */
	int64_t opened_ms;
	uint32_t opens;
	uint32_t writers;  /* of any number that has this slot */
	const void *paged; /* the mount where an open of these bytes was cached; NULL: none */
	bool spoiled;	   /* … and the kernel's pages are not what they were then */
};

struct content_table {
	struct slot slots[SLOTS];
};

struct content_table *content_table_new(void)
{
	return calloc(1, sizeof(struct content_table));
}

void content_table_free(struct content_table *table)
{
	free(table);
}

/* FNV-1a, 64 bits, eight bytes at a time would be faster; contents are short. */
static uint64_t content_hash(const char *data, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ size;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3ULL;
	return hash ? hash : 1;
}

static struct slot *slot_of(struct content_table *table, uint64_t number)
{
	return &table->slots[(number * 0x9e3779b97f4a7c15ULL) >> 52];
}

static struct slot slot_new(
	const struct slot *old, uint64_t number, uint64_t hash, size_t size, int64_t age_ms, int64_t now_ms)
{
	return (struct slot){ .number = number,
		.hash = hash,
		.size = (int64_t)size,
		.writers = old->writers,
		.changed_ms = now_ms - (old->number == number ? 0 : age_ms) };
}

bool content_knows(const struct content_table *table, uint64_t number)
{
	return slot_of((struct content_table *)table, number)->number == number;
}

bool content_open(struct content_table *table, uint64_t number, const void *mount, const char *data,
	size_t size, int64_t age_ms, int64_t now_ms, bool *ret_same)
{
	struct slot *slot = slot_of(table, number);
	uint64_t hash;

	if (size > CONTENT_CACHED_MAX)
		return false;
	hash = content_hash(data, size);
	if (slot->number != number || slot->hash != hash) {
		if (slot->opens)
			return false;
		*slot = slot_new(slot, number, hash, size, age_ms, now_ms);
	}
	if (slot->writers)
		return false;
	if (now_ms - slot->changed_ms < CONTENT_REST_MS)
		return false;
	*ret_same = slot->paged == mount && !slot->spoiled;
	slot->paged = mount;
	slot->spoiled = false;
	slot->opened_ms = now_ms;
	slot->opens++;
	return true;
}

bool content_being_read(const struct content_table *table, uint64_t number, int64_t now_ms)
{
	const struct slot *slot = slot_of((struct content_table *)table, number);

	return slot->number == number && slot->opens && now_ms - slot->opened_ms < CONTENT_CUT_MS;
}

int64_t content_size_told(const struct content_table *table, uint64_t number, int64_t size, int64_t now_ms)
{
	const struct slot *slot = slot_of((struct content_table *)table, number);

	if (slot->number == number && slot->opens && now_ms - slot->opened_ms < CONTENT_READING_MS)
		return slot->size;
	return size;
}

void content_told(struct content_table *table, uint64_t number, int64_t size)
{
	struct slot *slot = slot_of(table, number);

	if (slot->number == number && size < slot->size)
		slot->spoiled = true;
}

void content_close(struct content_table *table, uint64_t number)
{
	struct slot *slot = slot_of(table, number);

	if (slot->number == number && slot->opens)
		slot->opens--;
}

void content_write_begin(struct content_table *table, uint64_t number)
{
	slot_of(table, number)->writers++;
}

void content_write_end(struct content_table *table, uint64_t number)
{
	slot_of(table, number)->writers--;
}
