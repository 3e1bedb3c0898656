/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A file gets another content at once: what is new is written beside it, under a name of its own and with all
 * that the old one has (mode, owner, access list, attributes), is on the disk before it takes the old one's
 * place, and nobody ever sees a half of it. Between the two steps somebody may look at the new one
 * (file_ops's `validate`).
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/fault.h"

struct replacement {
	const char *path;    /* what gets it; a symbolic link there is replaced itself */
	const char *content; /* NULL: that of the file `source` */
	size_t size;
	const char *source;
	bool has_mode;
	mode_t mode; /* also for a moment it has no other */
	uid_t uid;   /* -1: as it was, or the caller's */
	gid_t gid;
};

/* Writes the new one. `ret_spare` gets its path (malloc'ed), `ret_in_place` whether the old one's owner or
 * attributes can't be given to it: then its content has to go into the old file. 0, or -errno with the
 * sentence. */
int replace_stage(
	const struct replacement *replacement, char **ret_spare, bool *ret_in_place, struct fault *fault);

/* Puts it there; the spare one is gone then. 0, or -errno with the sentence, and it is still there. */
int replace_commit(const char *spare, const char *path, bool in_place, struct fault *fault);
