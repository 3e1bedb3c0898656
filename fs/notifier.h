/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Tells the kernel that names are gone, from a thread of its own: the kernel takes the folder's lock for
 * that, which another process may hold while it waits for an answer of ours.
 */
#include <stdint.h>

struct fuse_session;
struct notifier;

int notifier_new(struct fuse_session *session, struct notifier **ret_notifier);
void notifier_free(struct notifier *notifier);
/* Returns at once. */
void notifier_forget_name(struct notifier *notifier, uint64_t parent, const char *name);
