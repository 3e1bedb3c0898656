/* SPDX-License-Identifier: MIT */
/* Which processes have a file of the mounted tree open: /proc tells by the inode number, and asks nobody. */
#include "fs/opened.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "fs/handle.h"

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The inode number of an open file (proc(5), fdinfo); 0: unknown. */
static uint64_t inode_of(pid_t pid, const char *fd)
{
	char path[64], text[1024];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", (int)pid, fd);
	if (process_read_file(path, text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nino:");
	return line ? strtoull(line + strlen("\nino:"), NULL, 10) : 0;
}

static bool is_lock_of(uint64_t number, struct lock_target target)
{
	struct node node = node_of(number);
	const struct entry *entry = node_entry(node);

	return entry && entry->lockable && lock_target_same(entry_lock_target(entry, node.id), target);
}

int opened_locks(void *userdata, pid_t pid, int64_t stack_id, int64_t name_id)
{
	struct lock_target target = { stack_id, name_id };
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;
	char path[64];
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && is_lock_of(inode_of(pid, entry->d_name), target))
			count++;
	return count;
}
