/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A short look at files, folders and links, without their providers: whether each is still what was seen of
 * it when it was as it is asked for. Then it is so now, and nobody has to know what that was; of all others
 * the providers say what differs. What reads the same here as there: lib/on_disk.lua, of what drift.settled()
 * in lib/drift.lua allows.
 *
 * The folder and the names of owners are kept between two looks, until glance_forget().
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { GLANCE_FILE_MAX = 1 << 20 }; /* bytes; of larger files nothing is said */

struct glance_owner {
	bool known;
	id_t id;
	char name[64];
};

struct glance {
	int fd;		       /* of the folder, -1: none */
	char folder[PATH_MAX]; /* its path, with a slash at its end */
	struct glance_owner user, group;
	unsigned char *bytes; /* GLANCE_FILE_MAX + 1 */
	size_t read;	      /* bytes of files so far */
};

/* 0 or -ENOMEM. */
int glance_init(struct glance *glance);
void glance_done(struct glance *glance);
void glance_forget(struct glance *glance);

/* `type`: of the resource; `actual`: what was seen, as canonical JSON. false: it is something else, or
 * nothing is known of it here. */
bool glance_same(struct glance *glance, const char *type, const char *path, const char *actual);
