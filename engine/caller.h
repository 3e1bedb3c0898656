/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who asks. Made by a door from what the kernel vouches for (fuse_ctx, SO_PEERCRED), never from what the
 * client says. Also the one place where permission bits are judged.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MAY_EXECUTE = 1, MAY_WRITE = 2, MAY_READ = 4 };

struct caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;    /* 0: unknown (another pid namespace, or a client that is gone) */
	pid_t opener; /* who opened the file that is used now; 0: nobody else. `flock 9` in a script is a
		       * child that ends at once: the lock belongs to the script, which opened descriptor 9 */
	mode_t umask;
	int64_t run_id; /* a run acts for the user, and its fencing token has been checked; 0: no run */
	/* Supplementary groups, fetched when first needed, and owned by the caller struct. */
	gid_t *groups;
	size_t group_count;
	bool groups_known;
	/* Fetches them; NULL: there are none. Gets the struct itself; fills groups and group_count
	 * (malloc'ed). */
	void (*fetch_groups)(struct caller *caller);
	void *door; /* for fetch_groups() */
};

void caller_done(struct caller *caller);

/* A deep copy, with the groups fetched: for what outlives the request. 0 or -ENOMEM. */
int caller_copy(struct caller *caller, struct caller *ret_copy);

bool caller_in_group(struct caller *caller, gid_t gid);

/* Unix rules: owner's bits for the owner, else group's, else others'; root may all (execute on a file needs
 * one x bit, of no concern here). `want` is of MAY_*; 0 or -EACCES. */
int caller_access(struct caller *caller, uid_t uid, gid_t gid, mode_t mode, int want);

/* chown(2): an owner may give a thing to a group that he is in; all else is root's. */
bool caller_may_give(struct caller *caller, uid_t uid, gid_t gid, uid_t new_uid, gid_t new_gid);

/* Root, or the user `uid`. */
bool caller_owns(const struct caller *caller, uid_t uid);

/* "alice (uid 1000)"; the buffer is the caller's. The name comes from getpwuid_r(3), looked up once per uid
 * and remembered, because a slow name service must not hold up the loop twice. */
const char *caller_user_name(uid_t uid, char *ret_text, size_t size);

/* "alice"; the number where there is no name. Valid until the next call. */
const char *caller_login(uid_t uid);
/* The same of a group. */
const char *caller_group(gid_t gid);
