/* SPDX-License-Identifier: MIT */
/* What /proc tells about other processes. */
#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"

ssize_t process_read_file(const char *path, char *ret_text, size_t size)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done + 1 < size) {
		ssize_t n = read(fd, ret_text + done, size - 1 - done);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	ret_text[done] = '\0';
	return (ssize_t)done;
}

/* The fields of /proc/PID/stat after the command, which may itself have blanks and brackets. */
static int stat_fields(pid_t pid, char *text, size_t size, const char **ret_fields)
{
	char path[64];
	char *end;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = process_read_file(path, text, size);
	if (n < 0)
		return (int)n;
	end = strrchr(text, ')');
	if (!end || !end[1])
		return -ENOENT;
	*ret_fields = end + 2;
	return 0;
}

int process_start_time(pid_t pid, uint64_t *ret_start)
{
	char text[1024];
	const char *p = NULL;
	int r;

	r = stat_fields(pid, text, sizeof(text), &p);
	if (r < 0)
		return -ENOENT;
	if (*p == 'Z' || *p == 'X')
		return -ENOENT; /* it has ended, and waits for its parent */
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -ENOENT;
		p++;
	}
	*ret_start = strtoull(p, NULL, 10);
	return 0;
}

uint64_t process_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) /
	       (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool process_was_killed(pid_t pid)
{
	const unsigned long killed = 0x400; /* PF_SIGNALED of the kernel's sched.h; in proc(5): flags */
	unsigned long flags;
	char text[1024];
	const char *p = NULL;

	return stat_fields(pid, text, sizeof(text), &p) == 0 &&
	       sscanf(p, "%*c %*d %*d %*d %*d %*d %lu", &flags) == 1 && (flags & killed);
}

pid_t process_parent(pid_t pid)
{
	char text[1024], state;
	const char *p = NULL;
	int parent;

	if (stat_fields(pid, text, sizeof(text), &p) < 0 || sscanf(p, "%c %d", &state, &parent) != 2)
		return 0;
	return parent;
}

bool process_descends(pid_t pid, pid_t ancestor)
{
	/* A bound, because parents may change while we climb. */
	for (int depth = 0; pid > 0 && depth < 1000; depth++) {
		if (pid == ancestor)
			return true;
		pid = process_parent(pid);
	}
	return false;
}

size_t process_line(pid_t pid, pid_t *ret_pids, size_t max)
{
	size_t count = 0;

	for (; pid > 0 && count < max; pid = process_parent(pid))
		ret_pids[count++] = pid;
	return count;
}

void process_command(pid_t pid, char *ret_text, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	n = process_read_file(path, ret_text, size);
	while (n > 0 && ret_text[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)ret_text[i];

		if (c == '\0')
			ret_text[i] = ' ';
		else if (c < 0x20 || c == 0x7f)
			ret_text[i] = '?';
	}
	ret_text[n > 0 ? n : 0] = '\0';
}

int process_groups(pid_t pid, gid_t **ret_groups, size_t *ret_count)
{
	CLEANUP(cleanup_free) gid_t *groups = NULL;
	char path[64];
	static char text[512 << 10]; /* 65,536 groups are the kernel's limit; one thread reads */
	size_t count = 0;
	char *p, *end;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	n = process_read_file(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	p = strstr(text, "\nGroups:");
	if (!p)
		return -EIO;
	p += strlen("\nGroups:");
	for (;;) {
		while (*p == ' ' || *p == '\t')
			p++;
		unsigned long gid = strtoul(p, &end, 10);
		if (end == p)
			break;
		gid_t *more = realloc(groups, (count + 1) * sizeof(*groups));
		if (!more)
			return -ENOMEM;
		groups = more;
		groups[count++] = (gid_t)gid;
		p = end;
	}
	*ret_groups = TAKE(groups);
	*ret_count = count;
	return 0;
}

pid_t process_session(pid_t pid)
{
	char text[1024], state;
	const char *p = NULL;
	int parent, group, session;

	if (stat_fields(pid, text, sizeof(text), &p) < 0 ||
		sscanf(p, "%c %d %d %d", &state, &parent, &group, &session) != 4)
		return 0;
	return session;
}

int process_boot_id(char ret_id[37])
{
	static char text[64]; /* one boot a process */
	ssize_t n = *text ? 36 : process_read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text));

	if (n < 36)
		return n < 0 ? (int)n : -EIO;
	memcpy(ret_id, text, 36);
	ret_id[36] = '\0';
	return 0;
}

/* One thread reads: of all processes there are, one after the other, without memory for each. */
static char environment[256 << 10];

static ssize_t read_environment(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	return process_read_file(path, environment, sizeof(environment));
}

static bool environment_has(pid_t pid, const char *marker)
{
	ssize_t n = read_environment(pid);

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(environment + i) + 1)
		if (!strcmp(environment + i, marker))
			return true;
	return false;
}

int process_variables(pid_t pid, const struct process_variable *variables, size_t count)
{
	const char *text = environment;
	ssize_t n = read_environment(pid);

	for (size_t k = 0; k < count; k++)
		variables[k].value[0] = '\0';
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text + i) + 1)
		for (size_t k = 0; k < count; k++) {
			size_t length = strlen(variables[k].name);

			if (!variables[k].value[0] && !strncmp(text + i, variables[k].name, length) &&
				text[i + (ssize_t)length] == '=')
				snprintf(variables[k].value, variables[k].size, "%s", text + i + length + 1);
		}
	return n < 0 ? (int)n : 0;
}

int process_user(pid_t pid, uid_t *ret_uid)
{
	char path[64], text[4096];
	unsigned uid;
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (process_read_file(path, text, sizeof(text)) < 0)
		return -ESRCH;
	p = strstr(text, "\nUid:");
	if (!p || sscanf(p, "\nUid: %u", &uid) != 1)
		return -ESRCH;
	*ret_uid = (uid_t)uid;
	return 0;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int process_signal_marked(
	const char *marker, int signal, bool (*spares)(void *userdata, pid_t pid), void *userdata)
{
	/* Without a mark there is nobody: empty words are in many an environment. */
	CLEANUP(cleanup_dir) DIR *dir = *marker ? opendir("/proc") : NULL;
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid() || !environment_has(pid, marker) ||
			(spares && spares(userdata, pid)))
			continue;
		if (kill(pid, signal) == 0)
			count++;
	}
	return count;
}

int process_cpus(void)
{
	static int count;

	if (!count)
		count = (int)sysconf(_SC_NPROCESSORS_ONLN);
	return count > 0 ? count : 1;
}
