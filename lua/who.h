/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Who changes things: the processes, as fanotify(7) tells of them. The kernel tells other users' processes
 * only to a group that root has made. So the spawner makes it, and this process, which has the rights of its
 * user alone, marks folders that this user may read. Best effort: a process that has ended is a number, and
 * what is not known is not said. who_be_exact() makes it more than that for those that
 * open what they change.
 */
#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct known_folder;
struct openers;

enum { WHO_ROWS = 1024 };

struct who {
	struct ev_loop *loop;
	int fd;			 /* -1: the kernel does not tell */
	struct openers *openers; /* NULL: not exactly */
	/* It was this process, which did something to a name in a folder (places_callbacks.folder). Whether
	 * somebody wants to know. */
	bool (*told)(void *userdata, uint64_t folder, const char *name, json_t *by);
	void *userdata;
	ev_io readable;
	ev_timer rest; /* between two readings of what nobody wanted to know */
	LIST_HEAD(, known_folder) by_handle[WHO_ROWS], by_number[WHO_ROWS];
};

void who_init(struct who *who, struct ev_loop *loop,
	bool (*told)(void *userdata, uint64_t folder, const char *name, json_t *by), void *userdata);
void who_done(struct who *who);

/* From now on, before any folder is marked: openers.h. For root's own process only, as who is told of a file
 * that is opened is given it, whoever may read it. */
void who_be_exact(struct who *who);

/* Reads what there is now, without waiting for its turn. */
void who_look(struct who *who);

/* What happens in the folder of `fd` (O_PATH) is told from now on. */
void who_mark(struct who *who, uint64_t folder, int fd);
void who_forget(struct who *who, uint64_t folder);
