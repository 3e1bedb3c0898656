/* SPDX-License-Identifier: MIT */
/* What this machine has for us. */
#include "cli/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool has_in(const char *folders, const char *name)
{
	char path[4096];

	while (*folders) {
		size_t n = strcspn(folders, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)n, folders, name);
		if (n && access(path, X_OK) == 0)
			return true;
		folders += n + (folders[n] == ':');
	}
	return false;
}

bool machine_has_program(const char *name)
{
	const char *path = getenv("PATH");

	return (path && has_in(path, name)) || has_in("/usr/sbin:/usr/bin:/sbin:/bin", name);
}

int machine_check_fuse(struct fault *fault)
{
	if (access("/dev/fuse", F_OK) < 0)
		return fault_set(fault, ENODEV,
			"there is no /dev/fuse: load the kernel's module (modprobe fuse); in a container, "
			"give it "
			"the device "
			"(--device /dev/fuse --cap-add SYS_ADMIN). Without a mount, every command of sloth "
			"works as "
			"well");
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return fault_set(fault, EACCES, "you may not use /dev/fuse: %s (its mode should be 0666)",
			strerror(errno));
	/* root mounts by itself. */
	if (geteuid() != 0 && !machine_has_program("fusermount3"))
		return fault_set(fault, ENOENT,
			"there is no fusermount3, which mounts for users: install the package fuse3");
	return 0;
}

/* mountinfo writes blanks and backslashes as octal numbers (proc(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; to++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
			*to = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*to = *p++;
		}
	}
	*to = '\0';
}

bool machine_is_mounted(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP(cleanup_free) char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		const char *kind = strstr(line, " - ");
		char folder[4096];

		/* id, parent, device, root, folder, options, …, "-", type, source */
		if (!kind || sscanf(line, "%*s %*s %*s %*s %4095s", folder) != 1)
			continue;
		unescape(folder);
		if (!strcmp(folder, path) && !strncmp(kind + 3, "fuse", 4) && strstr(kind, "sloth"))
			return true;
	}
	return false;
}
