/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What the daemon and its jobs give up when they have begun. Runs are not concerned: their processes come
 * from the spawner, which has not (engine/seed.h).
 *
 * Root's daemon keeps the capabilities that it uses, of its bounding set, too; gets no more by executing
 * anything (no_new_privs); and some system calls are refused to it with EPERM (seccomp): those by which a
 * kernel is taken over or another process, and which no program that keeps a database needs. An ordinary
 * user's daemon has no capabilities, and has to mount with fusermount3, which is setuid: nothing of this is
 * for it. Jobs give up the same, whosever they are.
 */

/* 0 or -errno. */
int harden_daemon(void);
int harden_job(void);
