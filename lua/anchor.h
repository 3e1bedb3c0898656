/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The folder in which a name stands, held by its descriptor: what is done at "/proc/self/fd/N/NAME" is done
 * there, whatever others put into the place of the folders above meanwhile. Symbolic links on the way are
 * followed when they are root's or ours: nobody else can lead us elsewhere.
 */
#include <limits.h>
#include <stdbool.h>

#include "base/fault.h"

/* `path` is absolute, and is no folder's own name for itself ("/", ".."). `make`: folders that are missing
 * are made. The descriptor (O_PATH) is the caller's; or -errno with the sentence. */
int anchor_open(const char *path, bool make, char ret_name[NAME_MAX + 1], struct fault *fault);

/* What the way to a folder is made of: a folder that was entered (`fd` is it), and before it the `name` in
 * the folder `fd` that it was found by; a link `name` in the folder `fd`; a `name` that is not there, or is
 * neither folder nor link: there the way ends. */
enum anchor_step { ANCHOR_FOLDER, ANCHOR_NAME, ANCHOR_LINK, ANCHOR_MISSING };
/* Called for each step while the descriptor (O_PATH) is open. */
typedef void (*anchor_visit)(void *userdata, enum anchor_step step, int fd, const char *name);

/* The folder itself, in the same way; `visit` is told of each step. */
int anchor_folder(const char *folder, anchor_visit visit, void *userdata, struct fault *fault);
