/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Quotas: what one user may have, so that a flood of his is not everybody's. A row of one table each (its
 * setting, how it is counted, what to do about it). Root and the daemon's own user have none: they have other
 * ways to fill the machine.
 *
 * What is stored is counted by a statement whenever it is asked for. What lives in memory is counted when it
 * comes and goes (quota_use()). Keys are too many to be counted often: see quota_keys_check().
 */
#include <jansson.h>

#include "engine/engine.h"

struct quota_table;

int quota_table_new(struct quota_table **ret_table);
void quota_table_free(struct quota_table *table);

/* Whether the user may have `more` of it: 0, or -EDQUOT, -EAGAIN, -EMFILE with the sentence that has the
 * limit and what to do. */
int quota_check(struct engine *engine, uid_t uid, enum quota quota, int64_t more, struct fault *fault);

/* Something that lives in memory, or a key, came (more than 0) or went. */
void quota_use(struct engine *engine, uid_t uid, enum quota quota, int64_t more);

/* The keys of all stacks and namespaces that are the user's. What was counted last is carried on, and counted
 * anew when it is old, or has come to the limit: then at most once a second. */
int quota_keys_check(struct engine *engine, uid_t uid, struct fault *fault);

/*
 * Bytes of what is stored, versions, logs and artifacts included. It takes long to count, and is done by a
 * child of the daemon (upkeep.h); until the next count all that is written is added. So a limit may be passed
 * by what is written while that goes on, and by what runs tell that had begun; and one who only writes over
 * what there is may have to wait for a count, a second or so.
 */
int quota_store(struct engine *engine, uid_t uid, int64_t bytes, struct fault *fault);
/* The same of what cannot be refused any more. */
void quota_stored(struct engine *engine, uid_t uid, int64_t bytes);
/* Who begins the count (0: it goes on), and tells what came of it; `counts`: bytes by uid, NULL: nothing. */
void quota_on_count(struct engine *engine, int (*count)(void *userdata), void *userdata);
void quota_count_begun(struct engine *engine);
void quota_counted(struct engine *engine, const json_t *counts);
/* The count itself. */
int quota_count(struct store *store, json_t **ret_counts);

/* What a user has, and what he may have (-1: as much as he likes). */
int64_t quota_used(struct engine *engine, uid_t uid, enum quota quota);
int64_t quota_limit(const struct engine *engine, uid_t uid, enum quota quota);
/* "stacks" */
const char *quota_name(enum quota quota);

/* All users who have something, in the order of their numbers. */
int quota_each_user(struct engine *engine, int (*each)(void *userdata, uid_t uid), void *userdata);
