/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Names in the file system that somebody wants to hear of: each change of what stands there, and of the way
 * to it. Watched is the folder (inotify(7)): what is renamed over a file ends a watch of its own. On the way,
 * each folder says when it is moved or removed, and the one above it, too, which knows it first (somebody may
 * be at work in a folder that was removed), and where a link or nothing stands, its folder says when that
 * becomes another. So a name is also heard of that comes into being later, with folders that are not there
 * yet.
 *
 * One thread; it owns its descriptors. Folders are held and links followed as in anchor.h, with the rights of
 * this process.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct place;
struct places;

/* A name. Owned by who asked for it. */
struct spot {
	LIST_ENTRY(spot) names; /* of those with the same hash */
	LIST_ENTRY(spot) of_place;
	struct place *place;
	char *name; /* "": anything in it */
	void *userdata;
};

struct places_callbacks {
	/* Something happened there. */
	void (*touched)(struct spot *spot);
	/* It is heard of now, or is not any more: see spot_why(). */
	void (*settled)(struct spot *spot);
	/* A folder is watched for its names. `fd` is O_PATH. */
	void (*folder)(void *userdata, uint64_t folder, int fd);
	/* … and is not any more. */
	void (*left)(void *userdata, uint64_t folder);
	/* File systems came or went. */
	void (*mounted)(void *userdata);
	/* Events were lost: anything may have happened. */
	void (*overflow)(void *userdata);
	/* After some of the above. */
	void (*turn)(void *userdata);
};

enum { PLACES_ROWS = 1024 };

struct places {
	struct ev_loop *loop;
	const struct places_callbacks *callbacks;
	void *userdata;
	int fd;	   /* -1: none could be had, for the reason `error` */
	int error; /* errno */
	ev_io readable;
	bool unsure;	       /* a way changed faster than it could be walked */
	ev_timer rest;	       /* between two readings: a busy folder costs so much and no more */
	int mounts, mountinfo; /* an epoll descriptor, readable when file systems come or go; -1 */
	ev_io mounted;
	uint64_t last; /* number of a folder */
	LIST_HEAD(, folder) folders[PLACES_ROWS], numbers[PLACES_ROWS];
	LIST_HEAD(, place) by_path[PLACES_ROWS];
	LIST_HEAD(, spot) names[4 * PLACES_ROWS];
	TAILQ_HEAD(, place) stale;
};

void places_init(struct places *places, struct ev_loop *loop, const struct places_callbacks *callbacks,
	void *userdata);
/* All spots are freed before. */
void places_done(struct places *places);

/* "/etc/motd"; "/etc/" is anything in the folder. NULL: no absolute path, or no memory. */
struct spot *spot_new(struct places *places, const char *path, void *userdata);
void spot_free(struct places *places, struct spot *spot);
/* NULL: the kernel tells of it. Else why it does not, until the place is freed or tried again. */
const char *spot_why(const struct spot *spot);
/* Looks anew at the way to it, soon. */
void spot_again(struct places *places, struct spot *spot);

/* Looks anew at all ways, soon. */
void places_again(struct places *places);

/* Calls each() for those that this name in this folder (places_callbacks.folder) is. Whether there is one. */
bool places_each(struct places *places, uint64_t folder, const char *name,
	void (*each)(void *userdata, struct spot *spot), void *userdata);
