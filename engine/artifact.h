/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Artifacts: files that tasks of a run keep with it. A row says which task has kept what under which path;
 * the bytes are a file in the daemon's home, artifacts/RUN/ID.
 *
 * A row is there before its bytes are, and nobody sees it until its task has succeeded: that is one change
 * with the task's new state. A path belongs to one task of a run.
 *
 * Files come and go outside of transactions: one that has no row is left over, and is removed by
 * artifact_collect() after the commit, or when the daemon starts.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "engine/engine.h"

enum {
	ARTIFACT_PATH_MAX = 1024,   /* bytes with the NUL */
	ARTIFACT_DEPTH_MAX = 32,    /* folders above a file */
	ARTIFACT_COUNT_MAX = 10000, /* files of a run */
};

struct artifact {
	int64_t id, run_id, task_id;
	mode_t mode; /* permission bits */
	int64_t size, received;
	int64_t kept_ms; /* 0: its task is not done */
	char path[ARTIFACT_PATH_MAX];
};

/* How much a run has already. */
struct artifact_sum {
	int64_t count, size;
};
int artifact_sum(struct engine *engine, int64_t run_id, struct artifact_sum *ret_sum);

/* A new one of a task whose try goes on; counted in `sum`. In a change. -EINVAL (the path), -EFBIG, -EDQUOT
 * (limits), -EEXIST (the path is another's). */
int artifact_add(struct engine *engine, const struct artifact *wanted, struct artifact_sum *sum,
	struct fault *fault, int64_t *ret_id);

/* One of the run whose bytes are coming. -EPROTO: there is none. */
int artifact_coming(struct engine *engine, int64_t run_id, int64_t id, struct artifact *ret_artifact);
/* Only its owner may read it, from now on. In a change. */
int artifact_narrow(struct engine *engine, const struct artifact *artifact);

/* Bytes of it, in order; the last ones put it on disk. In a change. -EPROTO when they are not what was
 * announced, or not of this run. */
int artifact_receive(
	struct engine *engine, int64_t run_id, int64_t id, int64_t offset, const void *data, size_t size);

/* The task has succeeded: what its try saved is there now. -EPROTO: not all of it has come. In a change. */
int artifact_keep(struct engine *engine, int64_t run_id, int64_t task_id);
/* The try has failed; the run is over. In a change. */
int artifact_drop(struct engine *engine, int64_t task_id);
int artifact_drop_all(struct engine *engine, int64_t run_id);
/* What a task of another run has kept becomes this one's. In a change. */
int artifact_take_over(struct engine *engine, int64_t from_task_id, int64_t run_id, int64_t task_id);

/* Removes the files of a run that no row names, after a commit; those of all runs. */
void artifact_collect(struct engine *engine, int64_t run_id);
void artifact_collect_all(struct engine *engine);

/* -ENOENT also for one that is not kept yet. */
int artifact_get(struct engine *engine, int64_t id, struct artifact *ret_artifact);
/* The kept ones of a run (task_id 0) or of one task whose paths begin with `prefix`, by path, until `each`
 * returns non-zero. */
int artifact_each(struct engine *engine, int64_t run_id, int64_t task_id, const char *prefix,
	int (*each)(void *userdata, const struct artifact *artifact), void *userdata);
/* The one of that path among them. -ENOENT. */
int artifact_find(struct engine *engine, int64_t run_id, int64_t task_id, const char *path,
	struct artifact *ret_artifact);

/* Like pread(2). -EBADMSG: its file is gone or is shorter than it was. */
ssize_t artifact_read(
	struct engine *engine, const struct artifact *artifact, int64_t offset, char *ret_data, size_t size);
