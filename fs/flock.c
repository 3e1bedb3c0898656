/* SPDX-License-Identifier: MIT */
/* flock(2) on the files of locks: session locks, which belong to an open file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "fs/handle.h"

void handle_flock_cancel(struct request *request)
{
	lock_wait_cancel(request->pending);
}

/* Each release stands alone: one that can't be stored now is done again, see lock_turn_ended(). */
int handle_unlock(struct tree *tree, struct handle *handle)
{
	int r = 0;

	for (size_t i = 0; i < handle->target_count; i++) {
		int r2 = lock_release_owner(tree->engine, handle->targets[i], LOCK_SESSION, handle->serial);

		r = r < 0 ? r : r2;
	}
	return r;
}

static void flock_granted(void *userdata, int result, int64_t token, const struct fault *fault)
{
	struct request *request = userdata;

	if (fault)
		request->fault = *fault;
	request_finish(request, result);
}

static bool same_targets(const struct handle *handle, const struct lock_target *targets, size_t count)
{
	for (size_t i = 0; i < count && i < handle->target_count; i++)
		if (!lock_target_same(handle->targets[i], targets[i]))
			return false;
	return handle->target_count == count;
}

/* A handle has one set of locks for its life. */
static int remember_targets(
	struct request *request, struct handle *handle, const struct lock_target *targets, size_t count)
{
	struct lock_target *copy;

	if (handle->targets && !same_targets(handle, targets, count))
		return fault_set(&request->fault, EINVAL, "this open file has locked something else");
	if (handle->targets)
		return 0;
	copy = calloc(count, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, targets, count * sizeof(*copy));
	handle->targets = copy;
	handle->target_count = count;
	return 0;
}

int tree_flock_all(struct tree *tree, struct request *request, struct handle *handle, int operation,
	const struct flock_words *words)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct lock_request wanted = {
		.kind = (operation & LOCK_SH) ? LOCK_SHARED : LOCK_SESSION,
		.owner = handle->serial,
	};
	struct lock_wait *wait = NULL;
	int64_t token;
	int r, r2;

	if (operation & LOCK_UN)
		return handle_unlock(tree, handle);
	snprintf(wanted.operation, sizeof(wanted.operation), "%s", words->operation);
	snprintf(wanted.reason, sizeof(wanted.reason), "%s", words->reason);
	r = remember_targets(request, handle, words->targets, words->count);
	if (r < 0)
		return r;
	request->caller.opener = handle->opener;
	r = store_change_begin(tree->engine->store, &change);
	if (r < 0)
		return r;
	if (operation & LOCK_NB)
		r = lock_acquire_all(tree->engine, &request->caller, words->targets, words->count, &wanted,
			&request->fault, &token);
	else
		r = lock_wait_all(tree->engine, &request->caller, words->targets, words->count, &wanted,
			words->wait_ms, flock_granted, request, &request->fault, &token, &wait);
	if (r < 0)
		return r == -EBUSY ? -EAGAIN : r;
	r2 = store_change_end(&change);
	if (r2 < 0)
		return r2;
	request->handle = handle;
	return wait ? request_later(request, handle_flock_cancel, wait) : 0;
}

int tree_flock(struct tree *tree, struct request *request, struct handle *handle, int operation)
{
	struct lock_target target = entry_lock_target(handle->entry, handle->node.id);

	if (!handle->entry->lockable)
		return fault_set(&request->fault, ENOTSUP,
			"this file is no lock: flock the file `lock` of a stack, or one in locks/");
	return tree_flock_all(
		tree, request, handle, operation, &(struct flock_words){ &target, 1, "", "flock", 0 });
}
