/* SPDX-License-Identifier: MIT */
#pragma once
/* The files of artifacts in the daemon's home: artifacts/RUN/ID, 0600. For artifact.c alone. */
#include "engine/artifact.h"

/* An empty one; what an undone change left there is gone. */
int artifact_file_make(struct engine *engine, int64_t run_id, int64_t id, struct fault *fault);

/* Bytes at `artifact->received`. With the last ones all of it is on disk. -ENOSPC and what pwrite(2) gives.
 */
int artifact_file_write(
	struct engine *engine, const struct artifact *artifact, const void *data, size_t size);

/* The same file for another run. -EBADMSG: it is gone. */
int artifact_file_link(struct engine *engine, const struct artifact *artifact, int64_t run_id, int64_t id);

/* The names in a run's folder are on disk. */
int artifact_files_sync(struct engine *engine, int64_t run_id);
