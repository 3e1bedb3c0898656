/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The daemon's care for its database: backups, when somebody asks and every backup_interval; their
 * verification and restoring; checks. Each is done by a child (job.h); who asked is told by `done`, once,
 * from the loop.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

struct upkeep;
struct errand;

typedef void upkeep_done(void *userdata, int result, const struct fault *fault);

/* `program`: see job.h. `restored` is called after `done` when a restore is ready: the daemon has to end its
 * engine, which takes the backup in, and begin anew. */
int upkeep_new(struct engine *engine, const char *program, void (*restored)(void *userdata), void *userdata,
	struct upkeep **ret_upkeep);
void upkeep_free(struct upkeep *upkeep);

/* Something is under way. */
bool upkeep_busy(const struct upkeep *upkeep);

/* 0: under way; *ret_errand is for upkeep_forget(). -EBUSY (too many, or runs are unfinished), -EINVAL,
 * -ENOENT. */
int upkeep_backup(struct upkeep *upkeep, struct caller *caller, const char *reason, upkeep_done *done,
	void *userdata, struct fault *fault, struct errand **ret_errand);
int upkeep_verify(struct upkeep *upkeep, struct caller *caller, int64_t number, upkeep_done *done,
	void *userdata, struct fault *fault, struct errand **ret_errand);
int upkeep_restore(struct upkeep *upkeep, struct caller *caller, int64_t number, upkeep_done *done,
	void *userdata, struct fault *fault, struct errand **ret_errand);
/* -EBADMSG when something is damaged; the report has all of it. */
int upkeep_check(struct upkeep *upkeep, struct caller *caller, bool deep, upkeep_done *done, void *userdata,
	struct fault *fault, struct errand **ret_errand);
/* done() is not called any more; the errand goes on. */
void upkeep_forget(struct errand *errand);

/* Removes a backup, with an event. In a change. */
int upkeep_remove(struct upkeep *upkeep, struct caller *caller, int64_t number, struct fault *fault);

/* The report of the last check (examine.h); borrowed, NULL: there was none. */
json_t *upkeep_report(const struct upkeep *upkeep);
/* The backup that was made, or verified, last in this daemon's life; 0: none. */
int64_t upkeep_made(const struct upkeep *upkeep);
int64_t upkeep_verified(const struct upkeep *upkeep);
