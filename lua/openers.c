/* SPDX-License-Identifier: MIT */
/* Processes that open things. */
#include "lua/openers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	FACES = 1024,
	FRESH_MS = 5000, /* a pid may be somebody else's later */
	HOLD_MS = 20,
	TOGETHER = 32,		 /* that are held at once; each costs a descriptor */
	STACK_BYTES = 256 << 10, /* of the thread */
};

struct known_face {
	struct process_face face;
	int64_t seen_ms;
};

struct openers {
	int fd, stop;
	pthread_t thread;
	pthread_mutex_t mutex; /* of faces */
	struct known_face faces[FACES];
};

/* Faces. */

/* Of a line "Uid:\t1000\t…" or "Name:\tcat" of /proc/PID/status. */
static void read_status(pid_t pid, struct process_face *face)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "Name:\t", 6))
			snprintf(face->command, sizeof(face->command), "%s", line + 6);
		if (strncmp(line, "Uid:\t", 5) != 0)
			continue;
		face->uid = strtoll(line + 5, NULL, 10);
		break;
	}
	if (file)
		fclose(file);
}

void face_read(pid_t pid, struct process_face *ret_face)
{
	char path[64];
	ssize_t size;

	*ret_face = (struct process_face){ .pid = pid, .uid = -1 };
	read_status(pid, ret_face);
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	size = readlink(path, ret_face->exe, sizeof(ret_face->exe));
	/* One that was cut is not known. */
	ret_face->exe[size > 0 && size < (ssize_t)sizeof(ret_face->exe) ? size : 0] = '\0';
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void keep(struct openers *openers, pid_t pid)
{
	struct known_face *known = &openers->faces[(size_t)pid % FACES];
	struct process_face face;

	face_read(pid, &face);
	if (face.uid < 0)
		return;
	pthread_mutex_lock(&openers->mutex);
	*known = (struct known_face){ face, now_ms() };
	pthread_mutex_unlock(&openers->mutex);
}

/* It may have become another program since it opened the file: then this one's file is not known. */
void openers_complete(struct openers *openers, struct process_face *face)
{
	struct known_face *known = &openers->faces[(size_t)face->pid % FACES];
	int64_t age;

	if (face->exe[0])
		return;
	pthread_mutex_lock(&openers->mutex);
	age = now_ms() - known->seen_ms;
	if (known->face.pid == face->pid && age >= 0 && age <= FRESH_MS &&
		(face->uid < 0 ||
			(face->uid == known->face.uid && !strcmp(face->command, known->face.command))))
		*face = known->face;
	pthread_mutex_unlock(&openers->mutex);
}

/* The thread. */

static void let_go(const struct openers *openers, const struct fanotify_event_metadata *event)
{
	struct fanotify_response response = { .fd = event->fd, .response = FAN_ALLOW };

	/* One that was killed meanwhile waits no more. */
	if (write(openers->fd, &response, sizeof(response)) < 0 && errno != ENOENT)
		return;
}

static void take(struct openers *openers, const struct fanotify_event_metadata *event, int64_t until_ms)
{
	bool ours = event->pid == getpid(), in_time = !ours && now_ms() < until_ms;

	if (event->fd < 0)
		return;
	if (in_time)
		keep(openers, event->pid);
	let_go(openers, event);
	close(event->fd);
	if (!in_time && !ours)
		keep(openers, event->pid);
}

static void take_all(struct openers *openers)
{
	struct fanotify_event_metadata events[TOGETHER];
	ssize_t size = read(openers->fd, events, sizeof(events));
	const struct fanotify_event_metadata *event = events;
	int64_t until_ms = now_ms() + HOLD_MS;

	for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size))
		take(openers, event, until_ms);
}

static void *serve(void *userdata)
{
	struct openers *openers = userdata;
	struct pollfd fds[] = { { openers->fd, POLLIN, 0 }, { openers->stop, POLLIN, 0 } };

	pthread_setname_np(pthread_self(), "sloth-openers");
	/* Of this thread: the rest of the process is nice, and who is held is not to wait for that. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 0);
	for (;;) {
		/* A signal, or no memory: somebody may be held meanwhile, so there is no giving up. */
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return NULL;
		if (fds[0].revents)
			take_all(openers);
	}
}

/* Set-up. */

static int start_thread(struct openers *openers)
{
	pthread_attr_t attributes;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	r = pthread_create(&openers->thread, &attributes, serve, openers);
	pthread_attr_destroy(&attributes);
	return -r;
}

static void release(struct openers *openers)
{
	if (openers->fd >= 0)
		close(openers->fd);
	if (openers->stop >= 0)
		close(openers->stop);
	pthread_mutex_destroy(&openers->mutex);
	free(openers);
}

/* O_NONBLOCK: who reads events opens what they are of, and that may be a pipe. */
int openers_start(struct openers **ret_openers)
{
	struct openers *openers = calloc(1, sizeof(*openers));
	int r;

	if (!openers)
		return -ENOMEM;
	pthread_mutex_init(&openers->mutex, NULL);
	openers->stop = eventfd(0, EFD_CLOEXEC);
	openers->fd = fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK | FAN_CLOEXEC | FAN_UNLIMITED_MARKS,
		O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_LARGEFILE);
	r = openers->stop < 0 || openers->fd < 0 ? -errno : start_thread(openers);
	if (r < 0) {
		release(openers);
		return r;
	}
	*ret_openers = openers;
	return 0;
}

void openers_end(struct openers *openers)
{
	uint64_t one = 1;

	if (!openers)
		return;
	if (write(openers->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(openers->thread, NULL);
	release(openers);
}

void openers_mark(struct openers *openers, const char *folder)
{
	/* Where the kernel knows no such thing (proc(5)) it is best effort. */
	(void)fanotify_mark(openers->fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN_PERM | FAN_EVENT_ON_CHILD,
		AT_FDCWD, folder);
}
