/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Secrets: named bytes of one user. Stored sealed (seal.h, as "secret:NAME"); read and written by their owner
 * and root alone. Each change and, where it is handed out, each reading leaves an event.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/text.h"
#include "engine/caller.h"
#include "engine/engine.h"

enum { SECRET_SIZE_MAX = 64 << 10 };

struct secret {
	int64_t id;
	char name[NAME_SIZE];
	uid_t uid;
	gid_t gid;
	int64_t created_ms, updated_ms;
};

int secret_each(
	struct engine *engine, int (*each)(void *userdata, const struct secret *secret), void *userdata);
/* -ENOENT. */
int secret_find(struct engine *engine, const char *name, struct secret *ret_secret);
int secret_get(struct engine *engine, int64_t id, struct secret *ret_secret);

/* The bytes, for the owner and root (-EACCES); -ENOKEY, -EBADMSG as of seal_open(). Who hands them out says
 * so by secret_note_read(), in a change. The buffer is buffer_wipe()d by its owner. */
int secret_value(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault,
	struct buffer *ret_value);
/* `stack_id` and `stack`: of the run that reads, or 0 and NULL. */
int secret_note_read(
	struct engine *engine, struct caller *caller, int64_t id, int64_t stack_id, const char *stack);

/* Makes it, owned by the caller, or sets it anew. -EFBIG above SECRET_SIZE_MAX. */
int secret_set(struct engine *engine, struct caller *caller, const char *name, const void *value, size_t size,
	struct fault *fault, int64_t *ret_id);
int secret_rename(
	struct engine *engine, struct caller *caller, int64_t id, const char *name, struct fault *fault);
/* Root only, but for a group that the owner is in. */
int secret_chown(struct engine *engine, struct caller *caller, int64_t id, uid_t uid, gid_t gid);
int secret_delete(struct engine *engine, struct caller *caller, int64_t id, struct fault *fault);
