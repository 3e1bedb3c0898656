/* SPDX-License-Identifier: MIT */
#pragma once
/* One looking for drift. Shared by detect.c (who waits, its process) and detect-rows.c (what is asked, and
 * what comes of it). */
#include <sys/queue.h>

#include "base/conn.h"
#include "engine/detect.h"
#include "engine/resource.h"
#include "engine/runner-internal.h"

struct waiter {
	STAILQ_ENTRY(waiter) waiters;
	void (*done)(void *userdata, const struct drift_summary *summary, const struct fault *fault);
	void *userdata;
};

struct detection {
	TAILQ_ENTRY(detection) detections;
	struct runners *of;
	int64_t id; /* below 0 */
	int64_t stack_id;
	int64_t resource_id;  /* 0: all */
	uid_t uid;	      /* the stack's owner */
	struct caller caller; /* who asked first */
	STAILQ_HEAD(, waiter) waiters;
	struct fault fault; /* it is refused; code 0: it is not */
	bool running, over; /* has a process; everybody has been told */
	struct conn conn;
	char mark[RUNNER_MARK_SIZE];
	int pidfd;
	ev_timer deadline;
	/* detect-rows.c's. Of the resources' ids, those from `next` on were not asked for yet; the first
	 * `rows` are those that providers look at, asked for as far as `at`. */
	int64_t *ids;
	size_t count, next, rows, at;
	bool last;		       /* it was said that there are no more */
	STAILQ_HEAD(, glance) glances; /* detect-glance.c's: under way */
	size_t glance_count;
	json_t *asked; /* id, as text → when its row was read: what the process has not told of yet */
};

/* Which resources there are to look at. 0 or -errno. */
int detect_rows_begin(struct detection *detection);
void detect_rows_done(struct detection *detection);
/* The frame `detect`, and its body: the workflow that the owner or root ran last. */
int detect_rows_order(
	struct detection *detection, const char *work, json_t **ret_head, struct buffer *ret_text);
/* Sends the next ones, as long as few are under way: first those that a short look is enough for. */
int detect_rows_send(struct detection *detection);
/* A frame `detected`. */
int detect_rows_take(struct detection *detection, const json_t *head, struct fault *fault);
/* Those that were settled (resource.h), and a frame `glanced`. */
int detect_glances_send(struct detection *detection);
int detect_glances_take(struct detection *detection, const json_t *head, struct fault *fault);
void detect_glances_done(struct detection *detection);
/* Whether all have been told of. */
bool detect_rows_over(const struct detection *detection);

/* What a process is told of a resource that it shall look at. New reference; NULL: what is stored is no JSON.
 */
json_t *detect_row_json(const struct resource *resource);
/* An id as the key of an object. */
const char *detect_id_text(int64_t id, char ret_text[24]);
