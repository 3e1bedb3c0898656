/* SPDX-License-Identifier: MIT */
/* Folders that are watched, and who wants to know. */
#include "lua/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "lua/anchor.h"

static const ev_tstamp REST = 0.005; /* seconds */

enum {
	/* The folder itself is another one, */
	OF_SELF = IN_MOVE_SELF | IN_DELETE_SELF,
	/* … a name in it is, */
	OF_NAMES = OF_SELF | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
	/* … or what the name stands for has changed. */
	OF_ALL = OF_NAMES | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB,
	GONE = IN_MOVE_SELF | IN_DELETE_SELF | IN_UNMOUNT | IN_IGNORED,
	WALKS_MAX = 3,
	READS_MAX = 64,
};

/* A folder that the kernel watches. It lives as long as somebody wants it. */
struct folder {
	LIST_ENTRY(folder) folders, numbers;
	int wd; /* -1: the kernel does not any more */
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

static size_t hash_text(const char *text, size_t hash)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	return hash;
}

static size_t row_of_path(const char *path)
{
	return hash_text(path, 14695981039346656037ULL) % PLACES_ROWS;
}

static size_t row_of_name(const struct place *place, const char *name)
{
	return hash_text(name, (uintptr_t)place >> 4) % (4 * PLACES_ROWS);
}

/* Folders. */

static struct folder *folder_find(struct places *places, int wd)
{
	struct folder *folder;

	LIST_FOREACH (folder, &places->folders[(size_t)wd % PLACES_ROWS], folders)
		if (folder->wd == wd)
			return folder;
	return NULL;
}

static void folder_forget(struct folder *folder)
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
	bool fresh;    /* a folder was not watched before: what happened until then is not known */
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
	if (folder)
		return folder;
	walker->fresh = true;
	folder = folder_new(places, wd);
	if (!folder) {
		inotify_rm_watch(places->fd, wd);
		walker_fault(walker, -ENOMEM);
	}
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
	struct walker *walker = userdata;
	bool self = kind == ANCHOR_FOLDER;
	struct folder *folder = folder_watch(walker, fd, self ? OF_SELF : OF_NAMES);

	if (folder)
		add_step(walker, folder, self ? NULL : name);
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

/* Twice, where a folder was not watched before: between the opening and the watching it may have been moved.
 */
static bool place_resolve(struct places *places, struct place *place)
{
	struct walker walker = { .places = places, .place = place };
	struct spot *spot;

	for (int i = 0; i < WALKS_MAX && (!i || walker.fresh); i++)
		place_walk(&walker);
	LIST_FOREACH (spot, &place->spots, of_place)
		places->callbacks->settled(spot);
	return walker.changed;
}

/* `quiet`: nothing has happened that is known. */
static void place_is_stale(struct places *places, struct place *place, bool quiet)
{
	place->loud |= !quiet;
	if (place->stale)
		return;
	place->stale = true;
	TAILQ_INSERT_TAIL(&places->stale, place, stale_link);
}

static void place_is_fresh(struct places *places, struct place *place)
{
	if (place->stale)
		TAILQ_REMOVE(&places->stale, place, stale_link);
	place->stale = place->loud = false;
}

static void place_free(struct places *places, struct place *place)
{
	place_is_fresh(places, place);
	LIST_REMOVE(place, by_path);
	place_leave_folder(places, place);
	steps_free(places, &place->steps);
	free(place->why);
	free(place->path);
	free(place);
}

static struct place *place_get(struct places *places, const char *path)
{
	struct place *place;

	LIST_FOREACH (place, &places->by_path[row_of_path(path)], by_path)
		if (!strcmp(place->path, path))
			return place;
	place = calloc(1, sizeof(*place));
	if (place)
		place->path = strdup(path);
	if (!place || !place->path) {
		free(place);
		return NULL;
	}
	LIST_INIT(&place->steps);
	LIST_INIT(&place->spots);
	LIST_INSERT_HEAD(&places->by_path[row_of_path(path)], place, by_path);
	place_resolve(places, place);
	return place;
}

/* Spots. */

struct spot *spot_new(struct places *places, const char *path, void *userdata)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(cleanup_free) char *folder = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	struct spot *spot = calloc(1, sizeof(*spot));

	if (spot && folder && *path == '/') {
		spot->name = strdup(slash + 1);
		spot->place = spot->name ? place_get(places, *folder ? folder : "/") : NULL;
	}
	if (!spot || !spot->place) {
		free(spot ? spot->name : NULL);
		free(spot);
		return NULL;
	}
	spot->userdata = userdata;
	LIST_INSERT_HEAD(&spot->place->spots, spot, of_place);
	LIST_INSERT_HEAD(&places->names[row_of_name(spot->place, spot->name)], spot, names);
	return spot;
}

void spot_free(struct places *places, struct spot *spot)
{
	struct place *place;

	if (!spot)
		return;
	place = spot->place;
	LIST_REMOVE(spot, of_place);
	LIST_REMOVE(spot, names);
	if (LIST_EMPTY(&place->spots))
		place_free(places, place);
	free(spot->name);
	free(spot);
}

const char *spot_why(const struct spot *spot)
{
	return spot->place->why;
}

static void rest(struct places *places)
{
	if (ev_is_active(&places->rest))
		return;
	ev_timer_set(&places->rest, REST, 0);
	ev_timer_start(places->loop, &places->rest);
}

void spot_again(struct places *places, struct spot *spot)
{
	place_is_stale(places, spot->place, true);
	rest(places);
}

void places_again(struct places *places)
{
	struct place *place;

	for (size_t i = 0; i < PLACES_ROWS; i++)
		LIST_FOREACH (place, &places->by_path[i], by_path)
			place_is_stale(places, place, true);
	rest(places);
}

static bool each_named(struct place *place, struct places *places, const char *name,
	void (*each)(void *userdata, struct spot *spot), void *userdata)
{
	struct spot *spot;
	bool any = false;

	LIST_FOREACH (spot, &places->names[row_of_name(place, name)], names)
		if (spot->place == place && !strcmp(spot->name, name)) {
			each(userdata, spot);
			any = true;
		}
	return any;
}

static bool folder_each(struct places *places, struct folder *folder, const char *name,
	void (*each)(void *userdata, struct spot *spot), void *userdata)
{
	struct place *place;
	bool any = false;

	LIST_FOREACH (place, &folder->places, of_folder) {
		any |= each_named(place, places, name, each, userdata);
		any |= each_named(place, places, "", each, userdata);
	}
	return any;
}

bool places_each(struct places *places, uint64_t number, const char *name,
	void (*each)(void *userdata, struct spot *spot), void *userdata)
{
	struct folder *folder;

	LIST_FOREACH (folder, &places->numbers[number % PLACES_ROWS], numbers)
		if (folder->number == number)
			return folder_each(places, folder, name, each, userdata);
	return false;
}

/* Events. */

static void touch(void *userdata, struct spot *spot)
{
	((struct places *)userdata)->callbacks->touched(spot);
}

static void touch_all(struct places *places, struct place *place)
{
	struct spot *spot;

	LIST_FOREACH (spot, &place->spots, of_place)
		places->callbacks->touched(spot);
}

static void take_event(struct places *places, const struct inotify_event *event)
{
	struct folder *folder = event->wd >= 0 ? folder_find(places, event->wd) : NULL;
	const char *name = event->len ? event->name : NULL;
	struct place *place;
	struct step *step;

	if (event->mask & IN_Q_OVERFLOW)
		places->callbacks->overflow(places->userdata);
	if (!folder)
		return;
	LIST_FOREACH (step, &folder->steps, of_folder)
		if ((!step->name && (event->mask & GONE)) ||
			(step->name && ((event->mask & GONE) || (name && !strcmp(step->name, name) &&
									(event->mask & OF_NAMES)))))
			place_is_stale(places, step->place, false);
	LIST_FOREACH (place, &folder->places, of_folder)
		if (event->mask & GONE)
			place_is_stale(places, place, false);
		else if (!name)
			touch_all(places, place); /* who may come in is another matter now */
	if (name)
		folder_each(places, folder, name, touch, places);
	if (event->mask & IN_IGNORED)
		folder_forget(folder);
}

static void take_all(struct places *places)
{
	char space[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	/* Who writes without end is no reason to read without end. */
	for (int i = 0; i < READS_MAX && (n = read(places->fd, space, sizeof(space))) > 0; i++)
		for (char *p = space; p < space + n;) {
			const struct inotify_event *event = (const struct inotify_event *)(void *)p;

			take_event(places, event);
			p += sizeof(*event) + event->len;
		}
}

static void resolve_stale(struct places *places)
{
	struct place *place;

	while ((place = TAILQ_FIRST(&places->stale))) {
		bool loud = place->loud;

		place_is_fresh(places, place);
		if (place_resolve(places, place) || loud)
			touch_all(places, place);
	}
}

static void places_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct places *places = io->data;

	take_all(places);
	ev_io_stop(loop, io);
	rest(places);
}

static void rest_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct places *places = timer->data;

	if (places->fd >= 0) {
		take_all(places);
		ev_io_start(loop, &places->readable);
	}
	resolve_stale(places);
	places->callbacks->turn(places->userdata);
}

/* What is mounted over a folder is no event of it. */
static void file_systems_changed(struct ev_loop *loop, ev_io *io, int revents)
{
	struct places *places = io->data;
	struct epoll_event event;

	/* To have it told again. It says nothing itself: mountinfo tells each poll(2) of a change only once,
	 * and the loop's was that. */
	epoll_wait(places->mounts, &event, 1, 0);
	places->callbacks->mounted(places->userdata);
	places_again(places);
}

/* Set-up. */

static void start_mounts(struct places *places)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLET };

	places->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	places->mounts = epoll_create1(EPOLL_CLOEXEC);
	if (places->mountinfo < 0 || places->mounts < 0 ||
		epoll_ctl(places->mounts, EPOLL_CTL_ADD, places->mountinfo, &event) < 0)
		return;
	ev_io_init(&places->mounted, file_systems_changed, places->mounts, EV_READ);
	places->mounted.data = places;
	ev_io_start(places->loop, &places->mounted);
}

void places_init(
	struct places *places, struct ev_loop *loop, const struct places_callbacks *callbacks, void *userdata)
{
	*places = (struct places){ .loop = loop, .callbacks = callbacks, .userdata = userdata };
	TAILQ_INIT(&places->stale);
	ev_timer_init(&places->rest, rest_over, 0, 0);
	places->rest.data = places;
	places->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	places->error = errno;
	start_mounts(places);
	if (places->fd < 0)
		return;
	ev_io_init(&places->readable, places_readable, places->fd, EV_READ);
	places->readable.data = places;
	ev_io_start(loop, &places->readable);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void places_done(struct places *places)
{
	ev_timer_stop(places->loop, &places->rest);
	if (ev_is_active(&places->readable))
		ev_io_stop(places->loop, &places->readable);
	if (ev_is_active(&places->mounted))
		ev_io_stop(places->loop, &places->mounted);
	close_fd(places->fd);
	close_fd(places->mounts);
	close_fd(places->mountinfo);
}
