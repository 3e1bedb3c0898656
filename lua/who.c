/* SPDX-License-Identifier: MIT */
/* Processes that change things. */
#include "lua/who.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/spawner-serve.h"
#include "lua/openers.h"
#include "lua/value.h"

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID AT_REMOVEDIR /* Linux 6.5 */
#endif

enum {
	HANDLE_MAX = 128, /* MAX_HANDLE_SZ */
	READS_MAX = 16,
	EVENT_MAX = 1024, /* bytes: a name has 255 */
	WANTED = FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM |
		 FAN_MOVED_TO | FAN_EVENT_ON_CHILD | FAN_ONDIR,
};

static const ev_tstamp REST = 0.02; /* seconds */

/* What an event names a folder by. */
struct key {
	unsigned char bytes[sizeof(fsid_t) + sizeof(int) + HANDLE_MAX];
	size_t size;
};

struct known_folder {
	LIST_ENTRY(known_folder) by_handle, by_number;
	uint64_t number;
	struct key key;
};

static size_t row_of(const struct key *key)
{
	size_t hash = 14695981039346656037ULL;

	for (size_t i = 0; i < key->size; i++)
		hash = (hash ^ key->bytes[i]) * 1099511628211ULL;
	return hash % WHO_ROWS;
}

static void make_key(const void *fsid, const struct file_handle *handle, struct key *ret_key)
{
	size_t size = handle->handle_bytes < HANDLE_MAX ? handle->handle_bytes : HANDLE_MAX;

	memcpy(ret_key->bytes, fsid, sizeof(fsid_t));
	memcpy(ret_key->bytes + sizeof(fsid_t), &handle->handle_type, sizeof(int));
	memcpy(ret_key->bytes + sizeof(fsid_t) + sizeof(int), handle->f_handle, size);
	ret_key->size = sizeof(fsid_t) + sizeof(int) + size;
}

static struct known_folder *find(const struct who *who, const struct key *key)
{
	struct known_folder *folder;

	LIST_FOREACH (folder, &who->by_handle[row_of(key)], by_handle)
		if (folder->key.size == key->size && !memcmp(folder->key.bytes, key->bytes, key->size))
			return folder;
	return NULL;
}

/* Folders. */

static int key_of(int fd, struct key *ret_key)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + HANDLE_MAX];
	} place = { .handle.handle_bytes = HANDLE_MAX };
	struct statfs fs;
	int mount;

	if (fstatfs(fd, &fs) < 0 ||
		(name_to_handle_at(fd, "", &place.handle, &mount, AT_EMPTY_PATH | AT_HANDLE_FID) < 0 &&
			name_to_handle_at(fd, "", &place.handle, &mount, AT_EMPTY_PATH) < 0))
		return -errno;
	make_key(&fs.f_fsid, &place.handle, ret_key);
	return 0;
}

void who_mark(struct who *who, uint64_t number, int fd)
{
	struct known_folder *folder;
	char path[64];

	if (who->fd < 0)
		return;
	folder = calloc(1, sizeof(*folder));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* The kernel looks whether we may read it. */
	if (!folder || key_of(fd, &folder->key) < 0 ||
		fanotify_mark(who->fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, WANTED, AT_FDCWD, path) < 0) {
		free(folder);
		return;
	}
	if (who->openers)
		openers_mark(who->openers, path);
	folder->number = number;
	LIST_INSERT_HEAD(&who->by_handle[row_of(&folder->key)], folder, by_handle);
	LIST_INSERT_HEAD(&who->by_number[number % WHO_ROWS], folder, by_number);
}

/* The marks stay as long as the folder is in the kernel's memory, or the group is: it is not ours to be found
 * by now. */
void who_forget(struct who *who, uint64_t number)
{
	struct known_folder *folder;

	LIST_FOREACH (folder, &who->by_number[number % WHO_ROWS], by_number)
		if (folder->number == number)
			break;
	if (!folder)
		return;
	LIST_REMOVE(folder, by_handle);
	LIST_REMOVE(folder, by_number);
	free(folder);
}

/* Processes. */

/* What can be said of a process, which may be gone already, or not be shown to us. New reference. */
static json_t *describe(const struct who *who, pid_t pid)
{
	json_t *by = json_pack("{si}", "pid", (int)pid);
	struct process_face face;

	face_read(pid, &face);
	if (who->openers)
		openers_complete(who->openers, &face);
	if (face.uid >= 0) {
		json_object_set_new(by, "uid", json_integer(face.uid));
		json_object_set_new(by, "command", value_text(face.command, strlen(face.command)));
	}
	if (*face.exe)
		json_object_set_new(by, "exe", value_text(face.exe, strlen(face.exe)));
	return by;
}

/* Events. */

struct batch {
	pid_t pid; /* the last one that was described */
	json_t *by;
	bool wanted; /* somebody wanted to know something of it */
};

static void take_event(struct who *who, struct batch *batch, const struct fanotify_event_metadata *event)
{
	const struct fanotify_event_info_fid *info = (const void *)(event + 1);
	const struct file_handle *handle = (const void *)info->handle;
	struct known_folder *folder;
	struct key key;

	if (event->event_len < sizeof(*event) + sizeof(*info) + sizeof(*handle) || event->pid <= 0 ||
		info->hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME)
		return;
	make_key(&info->fsid, handle, &key);
	folder = find(who, &key);
	if (!folder)
		return;
	if (batch->pid != event->pid) {
		json_decref(batch->by);
		batch->by = describe(who, event->pid);
		batch->pid = event->pid;
	}
	batch->wanted |= who->told(who->userdata, folder->number,
		(const char *)handle->f_handle + handle->handle_bytes, batch->by);
}

/* Events are packed: they begin anywhere. */
static void take_packed(struct who *who, struct batch *batch, const char *data, size_t size)
{
	union {
		struct fanotify_event_metadata event;
		char space[EVENT_MAX];
	} aligned;
	uint32_t length;

	for (; size >= sizeof(aligned.event); data += length, size -= length) {
		memcpy(&length, data, sizeof(length)); /* event_len stands first */
		if (length < sizeof(aligned.event) || length > size)
			return;
		if (length > sizeof(aligned))
			continue;
		memcpy(&aligned, data, length);
		take_event(who, batch, &aligned.event);
	}
}

/* Whether somebody wanted to know something of it. Who writes without end is no reason to read without end.
 */
static bool take_all(struct who *who)
{
	struct batch batch = { 0 };
	char space[16384];
	ssize_t n;

	for (int i = 0; i < READS_MAX && (n = read(who->fd, space, sizeof(space))) > 0; i++)
		take_packed(who, &batch, space, (size_t)n);
	json_decref(batch.by);
	return batch.wanted;
}

static void who_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct who *who = io->data;

	if (take_all(who))
		return;
	ev_io_stop(loop, io);
	ev_timer_set(&who->rest, REST, 0);
	ev_timer_start(loop, &who->rest);
}

void who_look(struct who *who)
{
	if (who->fd >= 0)
		take_all(who);
}

static void rest_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct who *who = timer->data;

	ev_io_start(loop, &who->readable);
}

/* Set-up. */

/* Whether the spawner has left a group there. */
static bool is_group(int fd)
{
	static const char group[] = "anon_inode:[fanotify]";
	char path[64], target[64];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	size = readlink(path, target, sizeof(target));
	return size == (ssize_t)strlen(group) && !memcmp(target, group, strlen(group));
}

void who_be_exact(struct who *who)
{
	int r = who->fd < 0 ? -EPERM : openers_start(&who->openers);

	if (r < 0)
		log_warning("watch_exact: who opens files can't be told of: %s", strerror(-r));
}

void who_init(struct who *who, struct ev_loop *loop,
	bool (*told)(void *userdata, uint64_t folder, const char *name, json_t *by), void *userdata)
{
	*who = (struct who){ .loop = loop, .fd = -1, .told = told, .userdata = userdata };
	if (!is_group(SPAWN_GROUP_FD))
		return;
	who->fd = SPAWN_GROUP_FD;
	ev_io_init(&who->readable, who_readable, who->fd, EV_READ);
	ev_timer_init(&who->rest, rest_over, 0, 0);
	who->readable.data = who->rest.data = who;
	ev_io_start(loop, &who->readable);
}

void who_done(struct who *who)
{
	struct known_folder *folder;

	for (size_t i = 0; i < WHO_ROWS; i++)
		while ((folder = LIST_FIRST(&who->by_number[i])))
			who_forget(who, folder->number);
	openers_end(who->openers);
	if (who->fd < 0)
		return;
	ev_io_stop(who->loop, &who->readable);
	ev_timer_stop(who->loop, &who->rest);
	close(who->fd);
}
