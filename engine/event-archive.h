/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Taking old events out of the audit trail without breaking its chain: they are written into a file of their
 * own (home/archive/events-FIRST-LAST.jsonl.zst), which is read again and compared before a row of
 * event_archives says that the trail begins after them. Then their rows are removed. All of it in slices over
 * the loop; what a daemon did not finish removing, the next one does.
 */
#include "engine/caller.h"
#include "engine/event.h"

struct event_archive {
	struct event_place last; /* its newest event */
	int64_t first_id, first_ms, last_ms, created_ms, size;
	uid_t uid;
	const char *file; /* its name in the folder; borrowed while `each` runs */
};

/* For engine_new() and engine_free(). */
int event_archiving_new(struct engine *engine);
void event_archiving_free(struct event_archiving *archiving);

/* Archives what happened before `before_ms`, and calls done() from the loop: how many events it were, or
 * -errno with the sentence. -EBUSY: it is at it already. */
int event_archive(struct engine *engine, struct caller *caller, int64_t before_ms,
	void (*done)(void *userdata, int64_t result, const struct fault *fault), void *userdata,
	struct fault *fault);
/* Whoever waits for done() waits no more; it goes on. */
void event_archive_forget(struct engine *engine, const void *userdata);

/* In order, those that end after the event `after`. Until `each` returns non-zero, which is returned. */
int event_archive_each(struct engine *engine, int64_t after,
	int (*each)(void *userdata, const struct event_archive *archive), void *userdata);

/* The path of a file in the folder of archives. -ENAMETOOLONG. */
int event_archive_path(struct engine *engine, const char *file, char *ret_path, size_t size);
