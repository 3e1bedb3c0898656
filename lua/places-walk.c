/* SPDX-License-Identifier: MIT */
/* The ways to places: which folders are watched for them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "lua/anchor.h"
#include "lua/places-internal.h"

enum { WALKS_MAX = 5 };

/* Folders. */

struct folder *folder_find(struct places *places, int wd)
{
	struct folder *folder;

	LIST_FOREACH (folder, &places->folders[(size_t)wd % PLACES_ROWS], folders)
		if (folder->wd == wd)
			return folder;
	return NULL;
}

void folder_forget(struct folder *folder)
{
	if (folder->wd >= 0)
		LIST_REMOVE(folder, folders);
	folder->wd = -1;
}

static void folder_check(struct places *places, struct folder *folder)
{
	if (!folder || folder->held || !LIST_EMPTY(&folder->steps) || !LIST_EMPTY(&folder->places))
		return;
	if (folder->wd >= 0)
		inotify_rm_watch(places->fd, folder->wd);
	folder_forget(folder);
	LIST_REMOVE(folder, numbers);
	if (folder->whole)
		places->callbacks->left(places->userdata, folder->number);
	free(folder);
}

static struct folder *folder_new(struct places *places, int wd)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (!folder)
		return NULL;
	folder->wd = wd;
	folder->number = ++places->last;
	LIST_INIT(&folder->steps);
	LIST_INIT(&folder->places);
	LIST_INSERT_HEAD(&places->folders[(size_t)wd % PLACES_ROWS], folder, folders);
	LIST_INSERT_HEAD(&places->numbers[folder->number % PLACES_ROWS], folder, numbers);
	return folder;
}

/* One walk along the way to a place. */
struct walker {
	struct places *places;
	struct place *place;
	bool fresh;    /* a folder was not watched so before: what happened until then is not known */
	bool changed;  /* the way is another one */
	int error;     /* -errno: of what could not be watched */
	char path[64]; /* of the descriptor */
};

static void walker_fault(struct walker *walker, int error)
{
	if (!walker->error)
		walker->error = error;
}

static struct folder *folder_watch(struct walker *walker, int fd, uint32_t mask)
{
	struct places *places = walker->places;
	struct folder *folder;
	int wd;

	snprintf(walker->path, sizeof(walker->path), "/proc/self/fd/%d", fd);
	wd = places->fd < 0 ? -1
			    : inotify_add_watch(places->fd, walker->path, mask | IN_MASK_ADD | IN_ONLYDIR);
	if (wd < 0) {
		walker_fault(walker, places->fd < 0 ? -places->error : -errno);
		return NULL;
	}
	folder = folder_find(places, wd);
	if (!folder) {
		folder = folder_new(places, wd);
		if (!folder) {
			inotify_rm_watch(places->fd, wd);
			walker_fault(walker, -ENOMEM);
			return NULL;
		}
	}
	walker->fresh |= (mask & ~folder->mask) != 0;
	folder->mask |= mask;
	return folder;
}

/* Steps. */

static void step_free(struct places *places, struct step *step)
{
	LIST_REMOVE(step, of_place);
	LIST_REMOVE(step, of_folder);
	folder_check(places, step->folder);
	free(step->name);
	free(step);
}

static void steps_free(struct places *places, struct step_list *steps)
{
	while (!LIST_EMPTY(steps))
		step_free(places, LIST_FIRST(steps));
}

static void add_step(struct walker *walker, struct folder *folder, const char *name)
{
	struct step *step = calloc(1, sizeof(*step));

	if (step && name)
		step->name = strdup(name);
	if (!step || (name && !step->name)) {
		free(step);
		folder_check(walker->places, folder);
		walker_fault(walker, -ENOMEM);
		return;
	}
	step->folder = folder;
	step->place = walker->place;
	LIST_INSERT_HEAD(&folder->steps, step, of_folder);
	LIST_INSERT_HEAD(&walker->place->steps, step, of_place);
}

static void visit(void *userdata, enum anchor_step kind, int fd, const char *name)
{
	static const uint32_t masks[] = { [ANCHOR_FOLDER] = OF_SELF,
		[ANCHOR_NAME] = OF_GOING,
		[ANCHOR_LINK] = OF_NAMES,
		[ANCHOR_MISSING] = OF_NAMES };
	struct walker *walker = userdata;
	struct folder *folder = folder_watch(walker, fd, masks[kind]);

	if (folder)
		add_step(walker, folder, kind == ANCHOR_FOLDER ? NULL : name);
}

/* Places. */

static void place_leave_folder(struct places *places, struct place *place)
{
	struct folder *folder = place->folder;

	if (!folder)
		return;
	LIST_REMOVE(place, of_folder);
	place->folder = NULL;
	folder_check(places, folder);
}

static void place_enter(struct walker *walker, int fd)
{
	struct folder *folder = folder_watch(walker, fd, OF_ALL);

	if (!folder)
		return;
	walker->place->folder = folder;
	LIST_INSERT_HEAD(&folder->places, walker->place, of_folder);
	if (!folder->whole)
		walker->places->callbacks->folder(walker->places->userdata, folder->number, fd);
	folder->whole = true;
}

/* Why not, for people. */
static char *why_not(const struct walker *walker, const struct fault *fault)
{
	char *text = NULL;
	int r;

	if (walker->error == -ENOSPC)
		r = asprintf(
			&text, "there are no more watches than fs.inotify.max_user_watches allows a user");
	else if (walker->error == -EMFILE)
		r = asprintf(&text, "fs.inotify.max_user_instances allows this user no more watching");
	else if (walker->error)
		r = asprintf(&text, "%s: the way to it can't be watched: %s", walker->place->path,
			strerror(-walker->error));
	else
		r = asprintf(&text, "%s", fault->text);
	return r < 0 ? NULL : text;
}

/* One walk: what was watched before is given back when the new way is held. */
static void place_walk(struct walker *walker)
{
	struct places *places = walker->places;
	struct place *place = walker->place;
	struct step_list before = place->steps;
	struct folder *folder = place->folder;
	struct fault fault = { 0 };
	CLEANUP(cleanup_fd) int fd = -1;

	/* The first of the old ones knows the head that it hangs from. */
	if (!LIST_EMPTY(&before))
		LIST_FIRST(&before)->of_place.le_prev = &LIST_FIRST(&before);
	LIST_INIT(&place->steps);
	if (folder) {
		LIST_REMOVE(place, of_folder);
		folder->held = true;
	}
	place->folder = NULL;
	walker->fresh = false;
	walker->error = 0;
	fd = anchor_folder(place->path, visit, walker, &fault);
	if (fd >= 0)
		place_enter(walker, fd);
	steps_free(places, &before);
	walker->changed |= walker->fresh || place->folder != folder;
	if (folder)
		folder->held = false;
	folder_check(places, folder);
	free(place->why);
	place->why = NULL;
	/* Where something is missing its coming is heard of. */
	if (walker->error || (fd < 0 && fd != -ENOENT && fd != -ENOTDIR))
		place->why = why_not(walker, &fault);
}

/* Again, where a folder was not watched so before: between the opening and the watching it may have been
 * moved, or what was missing in it may have come. */
bool place_resolve(struct places *places, struct place *place)
{
	struct walker walker = { .places = places, .place = place };
	struct spot *spot;

	for (int i = 0; i < WALKS_MAX && (!i || walker.fresh); i++)
		place_walk(&walker);
	places->unsure |= walker.fresh;
	LIST_FOREACH (spot, &place->spots, of_place)
		places->callbacks->settled(spot);
	return walker.changed;
}

void place_leave(struct places *places, struct place *place)
{
	place_leave_folder(places, place);
	steps_free(places, &place->steps);
}
