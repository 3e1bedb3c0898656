/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Where a daemon keeps its things, and where its socket is: the one rule for the daemon and for its clients.
 *
 *   $SLOTH_HOME set           everything in that folder
 *   root, or a client while   /var/lib/sloth and /run/sloth/socket
 *   the system's daemon runs
 *   everybody else            $XDG_STATE_HOME/sloth (~/.local/state/sloth) and $XDG_RUNTIME_DIR/sloth/socket;
 *                             without a runtime folder the socket is in the state folder
 */
#include <limits.h>
#include <stdbool.h>
#include <sys/un.h>

#include "base/fault.h"

enum { PLACE_SOCKET_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) };

struct place {
	bool system; /* the machine's, not one user's */
	char home[PATH_MAX];
	char socket[PLACE_SOCKET_SIZE]; /* always terminated: it fits into sockaddr_un */
};

/* `for_daemon`: where the caller's own daemon belongs, whoever else serves this machine. 0; -EINVAL (a
 * relative $SLOTH_HOME, no home folder), -ENAMETOOLONG (a socket's path has room for 107 bytes). */
int place_find(struct place *ret_place, bool for_daemon, struct fault *fault);

/* Makes the folders of home and socket where they are missing: 0700, the system's 0755. 0 or -errno. */
int place_make(const struct place *place, struct fault *fault);

/* A connection to the place's socket: the descriptor, or -errno (-ENOENT, -ECONNREFUSED: no daemon). */
int place_connect(const struct place *place);
