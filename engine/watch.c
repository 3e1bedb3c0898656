/* SPDX-License-Identifier: MIT */
/* The processes that watch: one of each owner of stacks. */
#include "engine/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/spawner.h"
#include "engine/watch-internal.h"

enum {
	WATCHERS_MAX = 64, /* processes */
	WELL_SECONDS = 60, /* one that has lived so long was well */
	AGAIN_MAX = 300,   /* seconds, at most, until the next one is started */
};

static const size_t memory_bytes = 256 << 20;

static void work_path(const struct watcher *watcher, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/watch%lld", watcher->of->runners->work, -(long long)watcher->id);
}

/* Its process, if there is one, ends with its socket; the signal is for one that computes. */
static void process_leave(struct watcher *watcher)
{
	struct runners *runners = watcher->of->runners;
	char work[4200];

	if (!watcher->running)
		return;
	if (watcher->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, watcher->pidfd, SIGTERM, NULL, 0);
		close(watcher->pidfd);
		watcher->pidfd = -1;
	}
	conn_done(&watcher->conn);
	watcher->running = false;
	work_path(watcher, work, sizeof(work));
	if (rmdir(work) < 0 && errno == ENOTEMPTY)
		spawner_remove(runners->spawner, work, watcher->uid, SPAWN_LOGIN);
}

void watcher_free(struct watcher *watcher)
{
	TAILQ_REMOVE(&watcher->of->watchers, watcher, watchers);
	while (!TAILQ_EMPTY(&watcher->stacks))
		watched_free(TAILQ_FIRST(&watcher->stacks));
	ev_timer_stop(watcher->of->engine->loop, &watcher->again);
	process_leave(watcher);
	json_decref(watcher->asked);
	free(watcher);
}

void watcher_give_up(struct watcher *watcher, const char *why)
{
	struct ev_loop *loop = watcher->of->engine->loop;
	struct watched *stack;
	double seconds = 1;

	log_info("the process that watches for user %u ends (%s): another one begins", watcher->uid, why);
	process_leave(watcher);
	json_object_clear(watcher->asked);
	TAILQ_FOREACH (stack, &watcher->stacks, stacks)
		watched_anew(stack);
	watcher->failures = ev_now(loop) - watcher->since > WELL_SECONDS ? 0 : watcher->failures + 1;
	for (unsigned i = 1; i < watcher->failures && seconds < AGAIN_MAX; i++)
		seconds *= 2;
	ev_timer_stop(loop, &watcher->again);
	ev_timer_set(&watcher->again, seconds < AGAIN_MAX ? seconds : AGAIN_MAX, 0);
	ev_timer_start(loop, &watcher->again);
}

/* Frames. */

int watcher_send(struct watcher *watcher, json_t *head)
{
	CLEANUP(cleanup_free) char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;

	json_decref(head);
	return text ? conn_send(&watcher->conn, text, strlen(text), NULL, 0) : -ENOMEM;
}

static const struct {
	const char *op;
	int (*take)(struct watcher *watcher, const json_t *head);
} frames[] = {
	{ "changed", watcher_take_changed },
	{ "detected", watcher_take_detected },
	{ "watching", watcher_take_watching },
};

static void conn_frame(struct conn *conn, const struct frame *frame)
{
	struct watcher *watcher = conn->userdata;
	json_auto_t *head = json_loadb(frame->head, frame->head_size, 0, NULL);
	const char *op = json_string_value(json_object_get(head, "op"));
	int r = op ? 0 : -EBADMSG;

	if (r == 0)
		r = watcher_send(watcher, json_pack("{s:s, s:I}", "op", "ack", "seq",
						  json_integer_value(json_object_get(head, "seq"))));
	/* What commands say that its providers run is nobody's. */
	for (size_t i = 0; r == 0 && i < sizeof(frames) / sizeof(frames[0]); i++)
		if (!strcmp(frames[i].op, op))
			r = frames[i].take(watcher, head);
	if (r < 0)
		watcher_give_up(watcher, strerror(-r));
	else
		watcher_pump(watcher);
}

static void conn_closed(struct conn *conn, int error)
{
	watcher_give_up(conn->userdata, "it has gone");
}

static const struct conn_callbacks conn_callbacks = { conn_frame, conn_closed };

/* Its beginning. */

static int send_order(struct watcher *watcher, const char *work)
{
	bool exact = watcher->of->engine->config.watch_exact && watcher->uid == 0;

	return watcher_send(
		watcher, json_pack("{s:s, s:s, s:s, s:{}, s:s, s:b, s:{s:i, s:I, s:i}}", "op", "watch",
				 "stack", "", "file", "watch", "values", "workdir", work, "exact", exact,
				 "limits", "max_parallel_tasks", 1, "memory_bytes", (json_int_t)memory_bytes,
				 "loading_ms", LOADING_MS));
}

static int process_start(struct watcher *watcher)
{
	struct runners *runners = watcher->of->runners;
	CLEANUP(cleanup_fd) int theirs = -1;
	char work[4200], secret[RUNNER_SECRET_SIZE];
	int fds[2], r;

	watcher->id = --runners->last_check;
	work_path(watcher, work, sizeof(work));
	runner_secret_make(secret, watcher->mark);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	theirs = fds[1];
	conn_init(&watcher->conn, runners->engine->loop, fds[0], &conn_callbacks, watcher);
	conn_bound(&watcher->conn, CONN_ROOM);
	conn_share(&watcher->conn, runners->engine->fair, watcher->uid);
	watcher->running = true;
	watcher->since = ev_now(runners->engine->loop);
	r = send_order(watcher, work);
	FAILPOINT("watch.spawn");
	return r < 0 ? r
		     : spawner_spawn(runners->spawner, &(struct spawn){ .ticket = watcher->id,
							       .uid = watcher->uid,
							       .gid = SPAWN_LOGIN,
							       .program = runners->program,
							       .work = work,
							       .mark = watcher->mark,
							       .cgroup = "",
							       .watches = true,
							       .fd = theirs });
}

bool watcher_ready(struct watcher *watcher)
{
	int r;

	if (watcher->running || ev_is_active(&watcher->again))
		return watcher->running;
	r = process_start(watcher);
	if (r < 0)
		watcher_give_up(watcher, strerror(-r));
	return r == 0;
}

static void start_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	watcher_pump(timer->data);
}

static struct watcher *watcher_new(struct watches *watches, uid_t uid)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	if (watcher)
		watcher->asked = json_object();
	if (!watcher || !watcher->asked) {
		free(watcher);
		return NULL;
	}
	watcher->of = watches;
	watcher->uid = uid;
	watcher->pidfd = -1;
	TAILQ_INIT(&watcher->stacks);
	ev_timer_init(&watcher->again, start_again, 0, 0);
	watcher->again.data = watcher;
	TAILQ_INSERT_TAIL(&watches->watchers, watcher, watchers);
	return watcher;
}

struct watcher *watcher_get(struct watches *watches, uid_t uid)
{
	struct watcher *watcher;
	size_t count = 0;

	TAILQ_FOREACH (watcher, &watches->watchers, watchers) {
		if (watcher->uid == uid)
			return watcher;
		count++;
	}
	return count < WATCHERS_MAX ? watcher_new(watches, uid) : NULL;
}

/* For runner*.c. */

void watches_started(struct watches *watches, int64_t id, pid_t pid)
{
	struct watcher *watcher;

	TAILQ_FOREACH (watcher, &watches->watchers, watchers) {
		if (!watcher->running || watcher->id != id)
			continue;
		if (pid > 0)
			watcher->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		else
			watcher_give_up(watcher, strerror(-pid));
		return;
	}
}

static void hold_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watches *watches = timer->data;
	struct watcher *watcher;

	TAILQ_FOREACH (watcher, &watches->watchers, watchers)
		watcher_pump(watcher);
}

struct watches *watches_new(struct runners *runners)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (!watches)
		return NULL;
	watches->runners = runners;
	watches->engine = runners->engine;
	TAILQ_INIT(&watches->watchers);
	watches->stacks = json_object();
	watches->resources = json_object();
	if (!watches->stacks || !watches->resources) {
		json_decref(watches->stacks);
		json_decref(watches->resources);
		free(watches);
		return NULL;
	}
	watches->everything = true;
	watches->failed_turns = runners->engine->failed_turns;
	ev_timer_init(&watches->soon, watches_look_at_changes, 0, 0);
	ev_timer_init(&watches->hold, hold_over, 0, 0);
	watches->soon.data = watches->hold.data = watches;
	ev_timer_start(watches->engine->loop, &watches->soon);
	watches->engine->watches = watches;
	watches->engine->resources_changed = watches_changed;
	return watches;
}

void watches_free(struct watches *watches)
{
	if (!watches)
		return;
	watches->engine->watches = NULL;
	watches->engine->resources_changed = NULL;
	while (!TAILQ_EMPTY(&watches->watchers))
		watcher_free(TAILQ_FIRST(&watches->watchers));
	ev_timer_stop(watches->engine->loop, &watches->soon);
	ev_timer_stop(watches->engine->loop, &watches->hold);
	json_decref(watches->stacks);
	json_decref(watches->resources);
	free(watches);
}
