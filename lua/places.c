/* SPDX-License-Identifier: MIT */
/* Who wants to know of which names, and what the kernel tells. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "lua/places-internal.h"

static const ev_tstamp REST = 0.005; /* seconds */

enum {
	GONE = IN_MOVE_SELF | IN_DELETE_SELF | IN_UNMOUNT | IN_IGNORED,
	READS_MAX = 64,
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
	place_leave(places, place);
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

static void rest(struct places *places)
{
	if (ev_is_active(&places->rest))
		return;
	ev_timer_set(&places->rest, REST, 0);
	ev_timer_start(places->loop, &places->rest);
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
	if (places->unsure)
		rest(places);
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
	if (places->unsure) {
		places->unsure = false;
		places_again(places);
	}
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
