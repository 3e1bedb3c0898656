/* SPDX-License-Identifier: MIT */
/* Walking the chain of events in slices. */
#include "engine/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "engine/event-archive.h"
#include "engine/event-file.h"

struct waiter {
	TAILQ_ENTRY(waiter) waiters;
	void (*done)(void *userdata, const struct audit_report *report);
	void *userdata;
};

/* One walk. */
struct walk {
	struct engine *engine;
	bool in_archives;
	struct event_archive archive; /* that is being read; `file` is not its */
	struct event_file *file;
	struct buffer text;
	struct audit_report report;
};

struct audit {
	struct engine *engine;
	ev_timer slice;
	/* Of each depth; the one with waiters goes on. */
	struct side {
		struct walk *walk;
		TAILQ_HEAD(, waiter) waiters;
	} sides[2];
};

static void walk_free(struct walk *walk)
{
	if (!walk)
		return;
	event_file_close(walk->file);
	buffer_done(&walk->text);
	free(walk);
}

static void walk_freep(struct walk **walk)
{
	walk_free(*walk);
}

static int walk_new(struct engine *engine, bool deep, struct walk **ret_walk)
{
	CLEANUP(walk_freep) struct walk *walk = calloc(1, sizeof(*walk));
	int r = 0;

	if (!walk)
		return -ENOMEM;
	walk->engine = engine;
	walk->in_archives = deep;
	if (!deep)
		r = event_places(engine, &walk->report.head, NULL);
	if (r < 0)
		return r;
	*ret_walk = TAKE(walk);
	return 0;
}

/* The end of a walk: 0, or -ENOMEM, which is no fault of the trail's. */
static int broken(struct walk *walk, enum event_misfit misfit, int64_t event, int64_t time_ms)
{
	if (misfit == EVENT_UNREADABLE)
		return -ENOMEM;
	walk->report.misfit = misfit;
	walk->report.event = event;
	walk->report.time_ms = time_ms;
	event_misfit_fault(&walk->report.fault, misfit, event, time_ms, walk->report.head.id);
	return 0;
}

static int broken_archive(struct walk *walk, const char *file, const char *why)
{
	walk->report.misfit = EVENT_UNREADABLE;
	walk->report.event = walk->report.head.id + 1;
	fault_set(&walk->report.fault, EBADMSG, "event %" PRId64 " is not to be had: archive/%s: %s",
		walk->report.event, file, why);
	return 0;
}

static int take_archive(void *userdata, const struct event_archive *archive)
{
	struct walk *walk = userdata;
	char path[PATH_MAX];
	int r = event_archive_path(walk->engine, archive->file, path, sizeof(path));

	if (r == 0)
		r = event_file_open(path, &walk->file);
	walk->archive = *archive;
	walk->archive.file = NULL;
	if (r == -ENOENT || r == -EBADMSG)
		broken_archive(walk, archive->file, strerror(-r));
	return r < 0 ? r : 1;
}

/* 1: there is one; 0: they are all read. */
static int next_archive(struct walk *walk)
{
	return event_archive_each(walk->engine, walk->report.head.id, take_archive, walk);
}

/* Whole lines of what was unpacked. 1: all fit. */
static int archive_lines(struct walk *walk)
{
	size_t used = 0;
	const char *newline;

	while (used < walk->text.size &&
		(newline = memchr(walk->text.data + used, '\n', walk->text.size - used))) {
		size_t size = (size_t)(newline - walk->text.data) + 1 - used;
		enum event_misfit misfit =
			event_chain_next(&walk->report.head, walk->text.data + used, size, NULL);

		if (misfit != EVENT_FITS)
			return broken(walk, misfit, walk->report.head.id + 1, 0);
		walk->report.events++;
		used += size;
	}
	buffer_consume(&walk->text, used);
	return 1;
}

/* An archive must end with the hash that was kept for it: that tells whether anything in it was changed. */
static int archive_ends(struct walk *walk)
{
	const struct event_place *head = &walk->report.head, *last = &walk->archive.last;

	event_file_close(TAKE(walk->file));
	if (walk->text.size || head->id != last->id || head->line_end != last->line_end ||
		head->json_end != last->json_end || memcmp(head->hash, last->hash, sizeof(head->hash)) != 0) {
		walk->report.misfit = EVENT_HASH;
		walk->report.event = walk->archive.first_id;
		walk->report.time_ms = walk->archive.first_ms;
		fault_set(&walk->report.fault, EBADMSG,
			"the archive of the events %" PRId64 " to %" PRId64
			" does not end with the hash that was kept for it: somebody changed it, or that hash",
			walk->archive.first_id, last->id);
		return 0;
	}
	walk->report.archives++;
	return 1;
}

static int archive_slice(struct walk *walk)
{
	bool end = false;
	int r;

	if (!walk->file) {
		r = next_archive(walk);
		walk->in_archives = r > 0;
		if (r < 0 && !walk->report.misfit)
			return r;
		return r < 0 ? 0 : 1;
	}
	r = event_file_read(walk->file, &walk->text, &end);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r < 0) {
		char file[64];

		snprintf(file, sizeof(file), "events-%" PRId64 "-%" PRId64 ".jsonl.zst",
			walk->archive.first_id, walk->archive.last.id);
		return broken_archive(walk, file, "it is damaged");
	}
	r = archive_lines(walk);
	return r > 0 && end ? archive_ends(walk) : r;
}

static int row_slice(struct walk *walk)
{
	CLEANUP(query_endp) struct query *query = NULL;
	struct event_place base;
	int r = event_places(walk->engine, &base, NULL);

	if (r < 0)
		return r;
	if (walk->report.head.id < base.id) /* archived meanwhile, which verified it */
		walk->report.head = base;
	query = query_begin(walk->engine->store, SQL_EVENT_CHAIN, "i", walk->report.head.id);
	for (int n = 0; n == 0 || n < walk->engine->config.event_batch_size; n++) {
		enum event_misfit misfit;

		r = query_step(query);
		if (r <= 0)
			return r;
		misfit = event_chain_next_row(&walk->report.head, query);
		if (misfit != EVENT_FITS)
			return broken(walk, misfit, query_int(query, 0), query_int(query, 1));
		walk->report.events++;
	}
	return 1;
}

/* 1: it goes on; 0: the report is complete; -errno. */
static int walk_slice(struct walk *walk)
{
	return walk->in_archives ? archive_slice(walk) : row_slice(walk);
}

int audit_now(struct engine *engine, bool deep, struct audit_report *ret_report)
{
	CLEANUP(walk_freep) struct walk *walk = NULL;
	int r = walk_new(engine, deep, &walk);

	while (r == 0 && (r = walk_slice(walk)) > 0)
		r = 0;
	if (r < 0)
		return r;
	*ret_report = walk->report;
	return walk->report.misfit ? -EBADMSG : 0;
}

int event_verify(struct engine *engine, struct fault *fault)
{
	struct audit_report report = { 0 };
	int r = audit_now(engine, false, &report);

	if (r == -EBADMSG && report.misfit)
		return fault_set(fault, EBADMSG, "%s", report.fault.text);
	return r < 0 ? fault_set(fault, -r, "the events cannot be read: %s", strerror(-r)) : 0;
}

/* For those who wait. */

static void tell(struct side *side, const struct audit_report *report)
{
	struct audit_report copy = *report;

	walk_free(TAKE(side->walk));
	while (!TAILQ_EMPTY(&side->waiters)) {
		struct waiter *waiter = TAILQ_FIRST(&side->waiters);
		struct waiter told = *waiter;

		TAILQ_REMOVE(&side->waiters, waiter, waiters);
		free(waiter);
		told.done(told.userdata, &copy);
	}
}

static void side_slice(struct side *side)
{
	struct audit_report report = { .misfit = EVENT_UNREADABLE };
	int r = walk_slice(side->walk);

	if (r > 0)
		return;
	if (r < 0)
		fault_set(&report.fault, -r, "the events cannot be read: %s", strerror(-r));
	else
		report = side->walk->report;
	tell(side, &report);
}

static void slice_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct audit *audit = watcher->data;

	for (size_t i = 0; i < 2; i++) {
		struct side *side = &audit->sides[i];

		if (side->walk && TAILQ_EMPTY(&side->waiters))
			walk_free(TAKE(side->walk)); /* nobody wants to know any more */
		if (side->walk)
			side_slice(side);
	}
	if (audit->sides[0].walk || audit->sides[1].walk) {
		ev_timer_set(watcher, 0, 0);
		ev_timer_start(loop, watcher);
	}
}

int audit_new(struct engine *engine)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	if (!audit)
		return -ENOMEM;
	audit->engine = engine;
	TAILQ_INIT(&audit->sides[0].waiters);
	TAILQ_INIT(&audit->sides[1].waiters);
	ev_timer_init(&audit->slice, slice_fired, 0, 0);
	audit->slice.data = audit;
	engine->audit = audit;
	return 0;
}

void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	ev_timer_stop(audit->engine->loop, &audit->slice);
	for (size_t i = 0; i < 2; i++) {
		struct waiter *waiter;

		while ((waiter = TAILQ_FIRST(&audit->sides[i].waiters))) {
			TAILQ_REMOVE(&audit->sides[i].waiters, waiter, waiters);
			free(waiter);
		}
		walk_free(audit->sides[i].walk);
	}
	free(audit);
}

int audit_wait(struct engine *engine, bool deep,
	void (*done)(void *userdata, const struct audit_report *report), void *userdata)
{
	struct side *side = &engine->audit->sides[deep];
	struct waiter *waiter = malloc(sizeof(*waiter));
	int r = waiter ? 0 : -ENOMEM;

	if (r == 0 && !side->walk)
		r = walk_new(engine, deep, &side->walk);
	if (r < 0) {
		free(waiter);
		return r;
	}
	*waiter = (struct waiter){ .done = done, .userdata = userdata };
	TAILQ_INSERT_TAIL(&side->waiters, waiter, waiters);
	ev_timer_stop(engine->loop, &engine->audit->slice);
	ev_timer_set(&engine->audit->slice, 0, 0);
	ev_timer_start(engine->loop, &engine->audit->slice);
	return 0;
}

void audit_forget(struct engine *engine, const void *userdata)
{
	for (size_t i = 0; i < 2; i++) {
		struct waiter *waiter, *next;

		for (waiter = TAILQ_FIRST(&engine->audit->sides[i].waiters); waiter; waiter = next) {
			next = TAILQ_NEXT(waiter, waiters);
			if (waiter->userdata != userdata)
				continue;
			TAILQ_REMOVE(&engine->audit->sides[i].waiters, waiter, waiters);
			free(waiter);
		}
	}
}
