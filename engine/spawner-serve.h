/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The spawner's own side: what it is asked, and what it does. It is linked into sloth-runner, which keeps
 * itself warm: with its libraries loaded it forks for each run, and the child is the runner, at a tenth of
 * what starting the program costs. It has seen nothing of any run; children share its addresses, though, as
 * forks do.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/cgroup.h"

enum { GROUPS_MAX = 4096, PATH_SIZE = 4096 };

/* A gid. */
#define SPAWN_LOGIN ((gid_t)-1)

/* Where a process that watches has a group of fanotify(7) that root has made; or nothing. */
enum { SPAWN_GROUP_FD = 4 };

/* SEED: the passed descriptor is that of a new seed (seed.h); there is no answer but its greeting. */
enum spawner_verb { SPAWN, REMOVE, SEED };

/* One packet (SOCK_SEQPACKET), of groups only as many as there are. */
struct spawn_request {
	/* A gid. */
#define SPAWN_LOGIN ((gid_t)-1)

	enum spawner_verb verb;
	int64_t ticket;
	uid_t uid;
	gid_t gid;
	bool watches;
	uint32_t group_count;
	char program[PATH_SIZE], work[PATH_SIZE], mark[128], cgroup[CGROUP_PATH_SIZE];
	gid_t groups[GROUPS_MAX];
};

struct spawn_answer {
	int64_t ticket; /* 0: this tells of an end */
	pid_t pid;
	int status;
};

/* In the child, which is as `wanted` says by then: descriptor 3 is its socket, `environ` the login
 * environment. Its exit status. */
typedef int (*spawner_run)(void *userdata);

/* Serves descriptor 3 until the daemon is gone. `run` NULL: `program` is executed instead. */
void spawner_serve(spawner_run run, void *userdata) __attribute__((noreturn));
