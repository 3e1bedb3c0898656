/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Work that would hold up the daemon's loop, done by a child: the same program, called as `slothd --job NAME
 * HOME ARGUMENT…` (see job-child.h). It has nothing of the daemon but its log, opens the database for itself
 * and only to read, prints its answer as one JSON object, and ends; it ends with the daemon, too.
 */
#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/fault.h"

enum { JOBS_MAX = 4 }; /* at once */

struct job;

/* `answer` is borrowed; 0 or the -errno of the job with its sentence. The job is gone when it returns. */
typedef void job_done(void *userdata, int result, const struct fault *fault, json_t *answer);

LIST_HEAD(job_list, job);

struct jobs {
	struct ev_loop *loop;
	const char *program; /* borrowed; "/proc/self/exe" */
	struct job_list list;
	int count;
};

void jobs_init(struct jobs *jobs, struct ev_loop *loop, const char *program);
/* Kills what is under way; nobody is told. */
void jobs_done(struct jobs *jobs);

/* `arguments` are copied by the system; NULL ends them. -EBUSY: JOBS_MAX are under way. */
int job_start(struct jobs *jobs, const char *const *arguments, job_done *done, void *userdata,
	struct fault *fault, struct job **ret_job);
