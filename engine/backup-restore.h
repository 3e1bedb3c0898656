/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Taking a backup in the database's place, in two steps. First a database is prepared in HOME/restore: a
 * verified copy of the backup with the schema of today, the event `backup.restored`, and fencing tokens above
 * all that were given before. That blocks for as long as it takes: it is for children of the daemon, see
 * upkeep.h. Then, with the database closed and its lock held, the files change places; what was there is kept
 * as HOME/sloth.db-before-restore-TIME. From when it is promised until it is done it outlives a crash.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"

int backup_restore_prepare(const char *home, int64_t number, uid_t uid, struct fault *fault);

/* From now on the next who opens HOME's database finds what was prepared, also when this process is killed.
 */
int backup_restore_promise(const char *home, struct fault *fault);

/* Before the database is opened: does what was promised and not done. What can't be done is dropped, with
 * words in the log. */
void backup_restore_resume(const char *home);

/* Whoever calls this holds the lock of HOME/sloth.db (store_lock()), and nobody has it open. */
int backup_restore_swap(const char *home, struct fault *fault);

/* All of it at once, where there is no daemon. -EBUSY: there is one. */
int backup_restore_alone(const char *home, int64_t number, uid_t uid, struct fault *fault);

/* Removes what was prepared, and what a killed child left. */
void backup_restore_clean(const char *home);
