/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The spawner: a small process that starts runners. It is made before the daemon has a database, threads or
 * a mount, so that no runner inherits any of them. It is a sloth-runner that waits, and forks for each run
 * (spawner-serve.h). It ends when the daemon does; the runners go on.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/seed.h"
#include "engine/spawner-serve.h"

struct spawner;

/* What to start. `uid`, `gid` and `groups` are the runner's from its first instruction on. */
struct spawn {
	int64_t ticket; /* not 0: comes back with the answer */
	uid_t uid;
	gid_t gid; /* SPAWN_LOGIN: it and the groups are those that the user database says */
	const gid_t *groups;
	size_t group_count;
	const char *program;
	const char *work;   /* the run's own folder, is made: mode 0700, the user's */
	const char *mark;   /* NAME=VALUE in the environment of everything that descends from it */
	const char *cgroup; /* the run's group, is made, and the runner born in it; "": none */
	bool watches;	    /* it wants to know who changes things */
	int fd;		    /* becomes descriptor 3 of the runner; borrowed */
};

struct spawner_callbacks {
	/* pid > 0, or -errno when it could not be started. */
	void (*started)(void *userdata, int64_t ticket, pid_t pid);
	/* A runner of this spawner ended; `status` as of wait(2). */
	void (*exited)(void *userdata, pid_t pid, int status);
	/* The spawner itself is gone: nothing can be started any more. */
	void (*died)(void *userdata);
};

/* Where sloth-runner is: beside this program in the build tree, or installed. */
void spawner_find_program(char *ret_path, size_t size);

/* Blocks until the process is there. 0 or -errno. */
int spawner_start(struct seed *seed, struct spawner **ret_spawner);
/* From now on answers arrive on the loop. */
void spawner_attach(struct spawner *spawner, struct ev_loop *loop, const struct spawner_callbacks *callbacks,
	void *userdata);
void spawner_free(struct spawner *spawner);

int spawner_spawn(struct spawner *spawner, const struct spawn *spawn);
/* A new one, forked from the spawner, in the place of a seed that is gone. Blocks for a second at most.
 * -ENOTCONN, -EPIPE: the spawner is gone, too. */
int spawner_renew_seed(struct spawner *spawner, struct seed *seed);
/* Removes a run's folder, as its user. */
int spawner_remove(struct spawner *spawner, const char *work, uid_t uid, gid_t gid);
