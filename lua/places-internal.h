/* SPDX-License-Identifier: MIT */
#pragma once
/* Folders that are watched, and the ways to them. Shared by places-walk.c (which folders those are) and
 * places.c (who wants to know, and what the kernel tells). */
#include <sys/inotify.h>

#include "lua/places.h"

enum {
	/* The folder itself is another one, */
	OF_SELF = IN_MOVE_SELF | IN_DELETE_SELF,
	/* … a folder in it goes: it says so itself only when nobody holds it any more, */
	OF_GOING = OF_SELF | IN_DELETE | IN_MOVED_FROM,
	/* … a name in it is another one, or comes, */
	OF_NAMES = OF_SELF | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
	/* … or what the name stands for has changed. */
	OF_ALL = OF_NAMES | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB,
};

/* A folder that the kernel watches. It lives as long as somebody wants it. */
struct folder {
	LIST_ENTRY(folder) folders, numbers;
	int wd;	       /* -1: the kernel does not any more */
	uint32_t mask; /* what it tells of */
	uint64_t number;
	bool whole; /* for all names */
	bool held;  /* a place is about to enter it again */
	LIST_HEAD(, step) steps;
	LIST_HEAD(, place) places;
};

/* A folder on the way to a place. */
struct step {
	LIST_ENTRY(step) of_folder, of_place;
	struct folder *folder;
	struct place *place;
	char *name; /* in it; NULL: the folder itself */
};

LIST_HEAD(step_list, step);

/* The folder of spots, as it was named. */
struct place {
	LIST_ENTRY(place) by_path, of_folder;
	TAILQ_ENTRY(place) stale_link;
	char *path;
	struct folder *folder; /* NULL: there is none, or it can't be watched */
	struct step_list steps;
	LIST_HEAD(, spot) spots;
	bool stale, loud; /* the way to it is to be looked at; because something happened */
	char *why;	  /* not all of the way is watched; NULL: it is */
};

/* The folder of this watch, or NULL. */
struct folder *folder_find(struct places *places, int wd);
/* The kernel does not watch it any more. */
void folder_forget(struct folder *folder);

/* Watches the way to a place. Whether it is another one than it was, or not known to be the same. */
bool place_resolve(struct places *places, struct place *place);
/* Nothing of the way is wanted any more. */
void place_leave(struct places *places, struct place *place);
