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

/* Of the numbers of one file: which are taken, and which of them by the user who asks. */
struct numbers {
	bool used[256], own[256];
	unsigned own_count;
	uint8_t last_own;
};

/* Nobody takes so many that others have to stand behind him: who has his share gets a number of his own
 * again, and a few are kept for root, who may have to end it all. */
enum { OF_ONE_USER = 128, OF_ALL_USERS = 240 };

static void number_use(struct numbers *numbers, const struct handle *handle, const struct caller *caller)
{
	uint8_t instance = handle->node.instance;

	numbers->used[instance] = true;
	if (handle->uid != caller->uid || numbers->own[instance])
		return;
	numbers->own[instance] = true;
	numbers->own_count++;
	numbers->last_own = instance;
}

/* Marks the numbers on which a write waits, or may begin to wait, and those that others were given just now.
 * What this process was given before is what it means to open: 1, with that. */
static int numbers_used(struct tree *tree, struct node node, const struct caller *caller,
	struct numbers *numbers, uint8_t *ret_before)
{
	int64_t now = time_now_ms();
	struct request *request;
	struct handle *handle;
	int r = 0;

	TAILQ_FOREACH (request, &tree->waits, waiting)
		if (request->handle && request->data && same_row(request->handle->node, node))
			number_use(numbers, request->handle, caller);
	TAILQ_FOREACH (handle, &tree->handles, handles)
		if (handle_writes(handle) && same_row(handle->node, node))
			number_use(numbers, handle, caller);
	for (size_t i = 0; i < LOOKED_UP; i++) {
		const struct looked_up *one = &tree->looked_up[i];

		if (!same_row(one->node, node) || now - one->ms >= LOOKUP_TO_OPEN_MS)
			continue;
		if (one->pid != caller->pid) {
			numbers->used[one->node.instance] = true;
		} else if (!numbers->used[one->node.instance]) {
			*ret_before = one->node.instance;
			r = 1;
		}
	}
	return r;
}

static uint8_t number_free(const struct numbers *numbers, const struct caller *caller)
{
	unsigned first = 0, last = caller->uid == 0 ? 255 : OF_ALL_USERS - 1;

	if (caller->uid != 0 && numbers->own_count >= OF_ONE_USER)
		return numbers->last_own;
	while (first < last && numbers->used[first])
		first++;
	return (uint8_t)first;
}

/* A number of a lock file on which no write waits, and may begin to wait: the kernel holds an inode's lock
 * while a write waits for its answer, so whoever comes next must be given another inode. Between a look-up
 * and its open nothing is known: who comes within that time is given another one, but for the same process,
 * which looks (stat) before it opens (cp -a). */
uint8_t handle_free_instance(struct tree *tree, struct node node, const struct caller *caller)
{
	struct numbers numbers = { 0 };

	if (numbers_used(tree, node, caller, &numbers, &node.instance) == 0)
		node.instance = number_free(&numbers, caller);
	tree->looked_up[tree->next_looked_up++ % LOOKED_UP] =
		(struct looked_up){ node, caller->pid, time_now_ms() };
	return node.instance;
}
