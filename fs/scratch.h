/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Scratch files: what editors and copiers keep beside the file that they mean (".x.swp", "4913", "sedAb3x",
 * "x.tmp"). They live in memory only and end with the daemon; renaming one onto a document commits its
 * content.
 *
 * Beside them, the documents that are hidden: unlinked or renamed away by an editor that is about to make
 * them anew. A daemon that starts shows them again.
 */
#include <jansson.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "fs/node.h"

struct scratch {
	TAILQ_ENTRY(scratch) files;
	int64_t id;
	uint64_t folder; /* the number of the folder's node */
	char name[256];
	uid_t uid;
	uid_t maker_uid; /* whose limit it counts for: who made it, whoever it belongs to */
	gid_t gid;
	mode_t mode;
	int64_t mtime_ms;
	struct buffer content;
	json_t *options;	   /* extended attributes for the document that this becomes; NULL: none */
	const struct entry *maker; /* the row whose document this becomes at its first commit; NULL: none */
	uint8_t maker_table, maker_row;
	uint64_t forward; /* has become this node: stands for it from now on; 0: a file of its own */
};

struct scratch_table;

int scratch_table_new(struct scratch_table **ret_table);
void scratch_table_free(struct scratch_table *table);

/* NULL: none. A file that was renamed onto a document is found by its id only. */
struct scratch *scratch_get(struct scratch_table *table, int64_t id);
struct scratch *scratch_find(struct scratch_table *table, uint64_t folder, const char *name);
struct scratch *scratch_next(struct scratch_table *table, uint64_t folder, const struct scratch *after);

/* The owner is its maker. -EDQUOT when the user has made `limit` of them already, -ENOMEM. */
int scratch_create(struct scratch_table *table, uint64_t folder, const char *name, const struct object *owner,
	int64_t limit, struct scratch **ret_scratch);
/* A folder is gone, and with it what is in it, and in the folders of the table of its entries: nobody could
 * see its scratch files any more, and they would count for ever. */
void scratch_leave(struct scratch_table *table, struct node folder, uint8_t entries);
void scratch_remove(struct scratch_table *table, struct scratch *scratch);
/* Keeps the inode's meaning for those who still have it. */
void scratch_forward(struct scratch_table *table, struct scratch *scratch, uint64_t number);

void scratch_hide(struct scratch_table *table, uint64_t number);
void scratch_unhide(struct scratch_table *table, uint64_t number);
bool scratch_hidden(const struct scratch_table *table, uint64_t number);

/* The one row behind all of them. */
extern const struct directory scratch_directory;
