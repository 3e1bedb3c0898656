/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The store: one SQLite database, one connection, one thread. Nothing outside engine/store/ says sqlite3_.
 *
 * A turn of the loop is a transaction. The first change in a turn opens it (store_change_begin() does so by
 * itself); store_turn_end() commits it with one fsync. Every request's changes stand in a change of their own
 * inside of it, which is undone alone when that request fails.
 *
 *     CLEANUP(store_change_cancel) struct store_change change = { 0 };
 *     r = store_change_begin(store, &change);
 *     …
 *     return store_change_end(&change);
 *
 * Changes nest. Values are always bound. Statements are rows of the table in statements.c, prepared once when
 * the database is opened, and named by enum statement.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "engine/store/statements.h"

struct store;

struct store_change {
	struct store *store; /* NULL: not begun, or ended */
	int depth;
	uint64_t memory_failures; /* so far, when it began */
};

/* Opens (and creates, 0600, or migrates) the database at `path`, and takes the lock file `path`-lock. Faults:
 * EBUSY (another daemon has it: its pid is named), EBADMSG (damaged, or no database of ours), ENOTSUP (newer
 * schema than this program knows), and what open(2) gives. */
int store_open(const char *path, struct fault *fault, struct store **ret_store);
/* The same; an older schema is changed only after `before` has kept a copy: it gets the path and the version
 * that the schema still has. What it refuses is not opened. */
typedef int store_before_upgrade(const char *path, int64_t version, struct fault *fault);
int store_open_guarded(
	const char *path, store_before_upgrade *before, struct fault *fault, struct store **ret_store);
/* For reading alone, also while a daemon has it, or when its schema is older: statements that it has no place
 * for give -ENOTSUP then. */
int store_open_read(const char *path, struct fault *fault, struct store **ret_store);
int64_t store_schema_of(const struct store *store); /* of one that was opened so */
/* The lock file alone, for who changes the file of the database: its descriptor. */
int store_lock(const char *path, struct fault *fault, int *ret_fd);
/* Closes the database, but gives the lock away: the descriptor. */
int store_take_lock(struct store *store);
void store_close(struct store *store);
static inline void store_closep(struct store **store)
{
	store_close(*store);
}

/* 0 or -errno: EIO, ENOSPC, EBADMSG, ENOMEM. A change during which memory ran out (base/memory.h) does not
 * end: what it stored may lack a part. */
int store_change_begin(struct store *store, struct store_change *change);
int store_change_end(struct store_change *change);
/* The whole turn is given up, if there was a change in it: its end says -error, and undoes all. */
void store_fail(struct store *store, int error);
/* Undoes; nothing to do after store_change_end(). */
void store_change_cancel(struct store_change *change);

/* Whether something was changed in this turn that is not on disk yet: then every reply waits for the turn's
 * end. */
bool store_turn_dirty(const struct store *store);
/* Whether it can't be stored any more. */
bool store_turn_failed(const struct store *store);

/* How often changes were undone so far, alone or with their turn: a copy of rows in memory is good while this
 * number stays. */
uint64_t store_undo_count(const struct store *store);

/* Rows that were written so far: where it stays the same, nothing was. */
uint64_t store_write_count(const struct store *store);

/* Turns that were committed since it was opened. */
uint64_t store_commit_count(const struct store *store);

/* The number of the outermost change that is open, or was last: what belongs together has the same. */
uint64_t store_change_serial(const struct store *store);

/* Commits. On failure (-errno) all changes of the turn are gone and every reply of the turn must say so. */
int store_turn_end(struct store *store);

/* A running statement. Only one query per statement can be open at a time (an assert says so). */
struct query;

/* Binds by `types`, a letter a parameter: i int64_t, s const char * (NULL gives NULL), b const void *, size_t
 * (blob), t const char *, size_t (text of that length), n NULL (takes no argument). Pointers must live until
 * query_end(). Never fails by itself: errors come from query_step(). */
struct query *query_begin(struct store *store, enum statement statement, const char *types, ...);

/* 1: a row; 0: done; -errno. */
int query_step(struct query *query);

/* Columns of the current row, from 0. Texts and blobs are borrowed until the next step; NULL for NULL. */
int64_t query_int(struct query *query, int column);
const char *query_text(struct query *query, int column);
const void *query_blob(struct query *query, int column, size_t *ret_size);
bool query_null(struct query *query, int column);

/* Resets it; NULL is fine. */
void query_end(struct query *query);
static inline void query_endp(struct query **query)
{
	query_end(*query);
}

/* The first row, as `load` makes it into what `ret` points to, and the query's end. -ENOENT, and `ret`
 * untouched, when there is none. */
int query_one(struct query *query, void (*load)(struct query *query, void *ret), void *ret);

/* Runs a statement that gives no rows, or whose first row's first integer is wanted. The row variant gives
 * -ENOENT when there is no row. */
int store_run(struct store *store, enum statement statement, const char *types, ...);
int store_get_int(struct store *store, int64_t *ret_value, enum statement statement, const char *types, ...);

/* Runs an INSERT of one row and gives the id that it got. The statement does not say RETURNING, for which
 * SQLite builds a table in memory each time; a backend that needs it adds it here. */
int store_insert(struct store *store, int64_t *ret_id, enum statement statement, const char *types, ...);

/* Rows that the last store_run() changed. */
int64_t store_changed_rows(const struct store *store);

/* A consistent copy of the database at `path`, which may be in use, as a new file `copy`, 0600, on disk. What
 * a failure leaves of it is for the caller to remove. */
int store_copy(const char *path, const char *copy, struct fault *fault);

/* Looks for damage; `deep` reads every page and takes its time. Calls `each` at the begin of every check with
 * NULL, and for each complaint, until it returns non-zero, which is returned. 0, also when there were
 * complaints; -errno when the database cannot be read for another reason. */
int store_examine(struct store *store, bool deep,
	int (*each)(void *userdata, const char *name, const char *complaint), void *userdata);
/* The quick way: 0, or -EBADMSG with the first complaint in the fault. */
int store_check(struct store *store, struct fault *fault);

/* quick_check alone, for callers that must not block: the answer may be a minute old, and -ETIMEDOUT says
 * that the database is too large to be looked at in passing. */
int store_check_quickly(struct store *store, struct fault *fault);
