/* SPDX-License-Identifier: MIT */
/* Who has which file of the mounted tree open: by /proc, which tells the inode number and asks nobody, and by
 * our own handles. */
#include "fs/opened.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "fs/handle.h"

enum { LOOKUP_TO_OPEN_MS = 100 };

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

static bool same_row(struct node a, struct node b)
{
	return a.id == b.id && a.table == b.table && a.row == b.row;
}

/* A number of a lock file on which no write waits, and may begin to wait: the kernel holds an inode's lock
 * while a write waits for its answer, so whoever comes next must be given another inode. Between a look-up
 * and its open nothing is known: who comes within that time is given the next one. */
uint8_t handle_free_instance(struct tree *tree, struct node node)
{
	int64_t now = time_now_ms(), since = now - tree->instance_ms;
	struct request *request;
	struct handle *handle;
	bool used[256] = { false };
	unsigned first = since >= 0 && since < LOOKUP_TO_OPEN_MS ? tree->instance + 1U : 0;

	TAILQ_FOREACH (request, &tree->waits, waiting)
		if (request->handle && request->data && same_row(request->handle->node, node))
			used[request->handle->node.instance] = true;
	TAILQ_FOREACH (handle, &tree->handles, handles)
		if (handle_writes(handle) && same_row(handle->node, node))
			used[handle->node.instance] = true;
	for (unsigned i = 0; i < 256; i++)
		if (!used[(first + i) % 256]) {
			first = (first + i) % 256;
			break;
		}
	tree->instance = (uint8_t)first;
	tree->instance_ms = now;
	return tree->instance;
}
