/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What /proc tells about other processes (proc(5)). Every answer may be out of date when it arrives:
 * a pid is an identity only together with its start time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Clock ticks since boot at which `pid` started: (pid, start) names a process for ever. 0 or -ENOENT. */
int process_start_time(pid_t pid, uint64_t *ret_start);

/* Now, in the same clock: whatever process a pid is by now, one that started later is another. */
uint64_t process_clock(void);

/* The parent's pid; 0 when there is none or `pid` is gone. */
pid_t process_parent(pid_t pid);

/* Whether `pid` is `ancestor`, or its child, grandchild … */
bool process_descends(pid_t pid, pid_t ancestor);

/* `pid`, its parent, grandparent …: how many there are, `max` at most. */
size_t process_line(pid_t pid, pid_t *ret_pids, size_t max);

/* The command line with blanks between the arguments and '?' for what does not print; the command's name in
 * brackets for kernel threads; "" when the process is gone. Always terminated. */
void process_command(pid_t pid, char *ret_text, size_t size);

/* The supplementary groups; malloc'ed, NULL when there are none. 0 or -errno. */
int process_groups(pid_t pid, gid_t **ret_groups, size_t *ret_count);

/* The session (setsid(2)) of a process; 0 when it is gone. */
pid_t process_session(pid_t pid);

/* Whether a process (or thread) is ending because a signal killed it: it is closing its files. False when it
 * is gone. */
bool process_was_killed(pid_t pid);

/* The kernel's id of this boot: 36 characters and NUL. 0 or -errno. */
int process_boot_id(char ret_id[37]);

/* Processors that are there; asked for once. */
int process_cpus(void);

/* Sends `signal` to every process whose environment has the string `marker` ("SLOTH_RUN=42"), except this one
 * and those that `spares` (NULL: none) names. How many were signalled; what we may not look into is left out.
 */
int process_signal_marked(
	const char *marker, int signal, bool (*spares)(void *userdata, pid_t pid), void *userdata);

/* Variables of the environment that a process was started with (proc(5), environ), cut to their sizes; "" for
 * those that it does not have. One read, since every change of a stack asks. 0 or what open(2) gives. The
 * process itself decides what stands there. */
struct process_variable {
	const char *name;
	char *value;
	size_t size;
};
int process_variables(pid_t pid, const struct process_variable *variables, size_t count);

/* The real user of a process: 0 or -ESRCH. */
int process_user(pid_t pid, uid_t *ret_uid);

/* Reads a small file whole. Bytes read, NUL-terminated, or -errno. */
ssize_t process_read_file(const char *path, char *ret_text, size_t size);
