/* SPDX-License-Identifier: MIT */
/* Archiving old events: written, read again, said in the database, removed there. */
#include "engine/event-archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "engine/event-chain.h"
#include "engine/event-file.h"

enum step { STEP_IDLE, STEP_WRITE, STEP_CHECK, STEP_REMOVE };

struct event_archiving {
	struct engine *engine;
	ev_timer slice;
	enum step step;
	struct event_file *file;
	struct buffer text; /* unpacked and not looked at yet */
	struct event_place first, at,
		check; /* before the first event, behind the last one, how far it was read again */
	int64_t end_id, before_ms, first_ms, last_ms;
	char name[64], path[PATH_MAX];
	struct caller caller;
	struct fault fault;
	void (*done)(void *userdata, int64_t result, const struct fault *fault);
	void *userdata;
};

int event_archive_path(struct engine *engine, const char *file, char *ret_path, size_t size)
{
	int n = snprintf(ret_path, size, "%s/archive%s%s", engine->home, *file ? "/" : "", file);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int failed(struct event_archiving *job, int r)
{
	return fault_default(&job->fault, -r, "%s: nothing was archived: %s", job->path, strerror(-r));
}

/* Writing. */

static int write_row(struct event_archiving *job, struct query *query)
{
	struct event_place before = job->at;
	enum event_misfit misfit = event_chain_next_row(&job->at, query);
	struct event event;

	event_load(query, &event);
	if (misfit == EVENT_UNREADABLE)
		return -ENOMEM;
	if (misfit != EVENT_FITS) {
		struct fault fault = { 0 };

		event_misfit_fault(&fault, misfit, event.id, event.time_ms, before.id);
		return fault_set(&job->fault, EBADMSG, "nothing was archived: %s", fault.text);
	}
	if (before.id == job->first.id)
		job->first_ms = event.time_ms;
	job->last_ms = event.time_ms;
	return event_file_write(job->file, event.json, strlen(event.json));
}

static int write_rows(struct event_archiving *job)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(job->engine->store, SQL_EVENT_CHAIN, "i", job->at.id);
	int r;

	for (int n = 0; n < job->engine->config.event_batch_size; n++) {
		r = query_step(query);
		if (r <= 0 || query_int(query, 0) > job->end_id || query_int(query, 1) >= job->before_ms)
			return r < 0 ? r : 0;
		r = write_row(job, query);
		if (r < 0)
			return r;
	}
	return 1;
}

static int write_slice(struct event_archiving *job)
{
	int r = write_rows(job);

	if (r != 0)
		return r;
	FAILPOINT("archive.write");
	r = event_file_finish(job->file);
	FAILPOINT("archive.written");
	event_file_close(TAKE(job->file));
	if (r == 0)
		r = event_file_open(job->path, &job->file);
	job->check = job->first;
	job->step = STEP_CHECK;
	return r < 0 ? r : 1;
}

/* Reading again. */

static int check_lines(struct event_archiving *job)
{
	size_t used = 0;
	const char *newline;

	while (used < job->text.size &&
		(newline = memchr(job->text.data + used, '\n', job->text.size - used))) {
		size_t size = (size_t)(newline - job->text.data) + 1 - used;

		if (event_chain_next(&job->check, job->text.data + used, size, NULL) != EVENT_FITS)
			return -EBADMSG;
		used += size;
	}
	buffer_consume(&job->text, used);
	return 0;
}

static int folder_sync(struct event_archiving *job)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char folder[PATH_MAX];
	int r = event_archive_path(job->engine, "", folder, sizeof(folder));

	if (r < 0)
		return r;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The row and the event that tell of it: from their commit on, the trail begins later. */
static int record(struct event_archiving *job, int64_t size)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct engine *engine = job->engine;
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_EVENT_ARCHIVE_ADD, "iiiiiibsiii", job->at.id,
			job->first.id + 1, job->first_ms, job->last_ms, job->at.line_end, job->at.json_end,
			job->at.hash, sizeof(job->at.hash), job->name, size, (int64_t)job->caller.uid,
			time_now_ms());
	event_forget_places(engine);
	if (r == 0)
		r = event_add(engine, &job->caller, "events.archived", 0, NULL, 0,
			json_pack("{s:s, s:I, s:I}", "file", job->name, "first",
				(json_int_t)job->first.id + 1, "last", (json_int_t)job->at.id));
	return r < 0 ? r : store_change_end(&change);
}

/* What was read is what was written: it gets its name, and the database says so. */
static int publish(struct event_archiving *job)
{
	char path[PATH_MAX];
	struct stat stat;
	int r;

	snprintf(job->name, sizeof(job->name), "events-%" PRId64 "-%" PRId64 ".jsonl.zst", job->first.id + 1,
		job->at.id);
	r = event_archive_path(job->engine, job->name, path, sizeof(path));
	if (r == 0 && (lstat(job->path, &stat) < 0 || rename(job->path, path) < 0))
		r = -errno;
	FAILPOINT("archive.named");
	if (r == 0)
		r = folder_sync(job);
	return r < 0 ? r : record(job, stat.st_size);
}

static bool place_equal(const struct event_place *a, const struct event_place *b)
{
	return a->id == b->id && a->line_end == b->line_end && a->json_end == b->json_end &&
	       !memcmp(a->hash, b->hash, sizeof(a->hash));
}

static void finish(struct event_archiving *job, int64_t result);

static int check_slice(struct event_archiving *job)
{
	bool end;
	int r = event_file_read(job->file, &job->text, &end);

	if (r == 0)
		r = check_lines(job);
	if (r < 0 || !end)
		return r < 0 ? r : 1;
	if (job->text.size || !place_equal(&job->check, &job->at))
		return -EBADMSG;
	if (job->at.id > job->first.id)
		r = publish(job);
	if (r < 0)
		return r;
	finish(job, job->at.id - job->first.id);
	job->step = STEP_REMOVE;
	return 1;
}

static int remove_slice(struct event_archiving *job)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct store *store = job->engine->store;
	struct event_place base;
	int64_t removed;
	int r = event_places(job->engine, &base, NULL);

	if (r == 0)
		r = store_change_begin(store, &change);
	if (r == 0)
		r = store_run(store, SQL_EVENT_DELETE, "ii", base.id, job->engine->config.event_buffer_size);
	removed = store_changed_rows(store);
	FAILPOINT("archive.removed");
	if (r == 0)
		r = store_change_end(&change);
	return r < 0 ? r : removed > 0;
}

/* Whoever waits is told; what is left of an archive that did not come to be goes. */
static void finish(struct event_archiving *job, int64_t result)
{
	void (*done)(void *, int64_t, const struct fault *) = job->done;

	event_file_close(TAKE(job->file));
	buffer_done(&job->text);
	if (job->step == STEP_WRITE || job->step == STEP_CHECK)
		unlink(job->path); /* has another name when all went well */
	caller_done(&job->caller);
	job->caller = (struct caller){ 0 };
	job->step = STEP_IDLE;
	job->done = NULL;
	if (done)
		done(job->userdata, result, result < 0 ? &job->fault : NULL);
}

static int (*const steps[])(struct event_archiving *job) = {
	[STEP_WRITE] = write_slice,
	[STEP_CHECK] = check_slice,
	[STEP_REMOVE] = remove_slice,
};

static void slice_fired(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct event_archiving *job = watcher->data;
	bool removing = job->step == STEP_REMOVE;
	int r = steps[job->step](job);

	if (r > 0) {
		ev_timer_set(watcher, 0, 0);
		ev_timer_start(loop, watcher);
		return;
	}
	if (r < 0 && !removing)
		failed(job, r);
	finish(job, r);
}

static void go_on(struct event_archiving *job, enum step step)
{
	job->step = step;
	ev_timer_stop(job->engine->loop, &job->slice);
	ev_timer_set(&job->slice, 0, 0);
	ev_timer_start(job->engine->loop, &job->slice);
}

int event_archiving_new(struct engine *engine)
{
	struct event_archiving *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->engine = engine;
	ev_timer_init(&job->slice, slice_fired, 0, 0);
	job->slice.data = job;
	engine->archiving = job;
	go_on(job, STEP_REMOVE); /* what a former daemon did not finish */
	return 0;
}

void event_archiving_free(struct event_archiving *job)
{
	if (!job)
		return;
	ev_timer_stop(job->engine->loop, &job->slice);
	job->done = NULL;
	finish(job, -ECANCELED);
	free(job);
}

/* The file, under a name that says that it is not done. */
static int file_begin(struct event_archiving *job)
{
	char folder[PATH_MAX];
	int r = event_archive_path(job->engine, "", folder, sizeof(folder));

	if (r == 0)
		r = event_archive_path(job->engine, "events.tmp", job->path, sizeof(job->path));
	if (r < 0)
		return r;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (unlink(job->path) < 0 && errno != ENOENT)
		return -errno;
	FAILPOINT("archive.begin");
	return event_file_create(job->path, &job->file);
}

int event_archive(struct engine *engine, struct caller *caller, int64_t before_ms,
	void (*done)(void *userdata, int64_t result, const struct fault *fault), void *userdata,
	struct fault *fault)
{
	struct event_archiving *job = engine->archiving;
	struct event_place end;
	int r;

	if (job->step == STEP_WRITE || job->step == STEP_CHECK)
		return fault_set(fault, EBUSY, "events are being archived already: wait until that is done");
	r = event_places(engine, &job->first, &end);
	if (r < 0)
		return r;
	job->fault = (struct fault){ 0 };
	r = file_begin(job);
	if (r < 0)
		return fault_set(fault, -r, "%s: nothing was archived: %s", job->path, strerror(-r));
	r = caller_copy(caller, &job->caller);
	if (r < 0)
		return r;
	job->at = job->first;
	job->end_id = end.id;
	job->before_ms = before_ms;
	job->done = done;
	job->userdata = userdata;
	go_on(job, STEP_WRITE);
	return 0;
}

void event_archive_forget(struct engine *engine, const void *userdata)
{
	if (engine->archiving->userdata == userdata)
		engine->archiving->done = NULL;
}

int event_archive_each(struct engine *engine, int64_t after,
	int (*each)(void *userdata, const struct event_archive *archive), void *userdata)
{
	CLEANUP(query_endp)
	struct query *query = query_begin(engine->store, SQL_EVENT_ARCHIVE_EACH, "i", after);
	int r;

	while ((r = query_step(query)) > 0) {
		struct event_archive archive = {
			.last = { query_int(query, 0), query_int(query, 1), query_int(query, 2) },
			.first_id = query_int(query, 4),
			.first_ms = query_int(query, 5),
			.last_ms = query_int(query, 6),
			.file = query_text(query, 7),
			.size = query_int(query, 8),
			.uid = (uid_t)query_int(query, 9),
			.created_ms = query_int(query, 10),
		};
		size_t size;
		const void *hash = query_blob(query, 3, &size);

		if (size != sizeof(archive.last.hash))
			return -EBADMSG;
		memcpy(archive.last.hash, hash, size);
		r = each(userdata, &archive);
		if (r != 0)
			break;
	}
	return r;
}
