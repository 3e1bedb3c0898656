/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who a process is; and, where root asks for it (`watch_exact`), who each process was that opened something
 * in a watched folder: it is held (FAN_OPEN_PERM, fanotify(7)) until /proc was looked at, so that one which
 * ends at once is known by its name, too.
 *
 * A thread of its own answers, as the process that watches computes and opens such files itself. It opens
 * nothing but files of /proc, holds nobody for longer than HOLD_MS in all of what came together (the rest is
 * answered first and looked at then), and when it dies, by whatever, the kernel lets all go.
 */
#include <stdint.h>
#include <sys/types.h>

struct openers;

/* As far as known. */
struct process_face {
	pid_t pid;
	int64_t uid; /* -1 */
	char command[64], exe[1024];
};

/* As it is now. */
void face_read(pid_t pid, struct process_face *ret_face);

/* 0 or -errno: it needs root's rights (CAP_SYS_ADMIN). */
int openers_start(struct openers **ret_openers);
void openers_end(struct openers *openers);

/* From now on, for as long as `openers` lives. */
void openers_mark(struct openers *openers, const char *folder);

/* Adds what is not known of `face` any more, but was when it opened something a moment ago. */
void openers_complete(struct openers *openers, struct process_face *face);
