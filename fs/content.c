/* SPDX-License-Identifier: MIT */
/* Which open files the kernel may serve from its page cache. A direct-mapped table: a collision costs a
 * round trip, never a wrong byte. */
#include "fs/content.h"

#include <stdlib.h>

enum { SLOTS = 4096 };

struct slot {
	uint64_t number;
	uint64_t hash;
	uint32_t opens;
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

bool content_open(struct content_table *table, uint64_t number, const char *data, size_t size, bool *ret_same)
{
	struct slot *slot = slot_of(table, number);
	uint64_t hash;

	if (size > CONTENT_CACHED_MAX)
		return false;
	hash = content_hash(data, size);
	if (slot->opens && (slot->number != number || slot->hash != hash))
		return false;
	*ret_same = slot->number == number && slot->hash == hash;
	slot->number = number;
	slot->hash = hash;
	slot->opens++;
	return true;
}

void content_close(struct content_table *table, uint64_t number)
{
	struct slot *slot = slot_of(table, number);

	if (slot->number == number && slot->opens)
		slot->opens--;
}
