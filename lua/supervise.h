/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * A supervisor: a process that keeps one command running on machines where no systemd does, outside of the
 * run that started it and of the daemon. Its folder, which is its user's alone, has
 *
 *     spec.json     what is to be run, and how (lua/lib/supervised.lua writes it before the start)
 *     status.json   what became of it: whoever wants to know reads it, and looks whether (pid, start) still
 * live log, log.1    what the command says lock          held as long as the supervisor lives
 *
 * SIGTERM ends it, with all that descends from it; SIGHUP is passed on.
 */

/* Returns when it is over: the exit status of this process. */
int supervise(const char *folder);
