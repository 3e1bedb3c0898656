/* SPDX-License-Identifier: MIT */
/* Processes that look at things as a user. */
#include "engine/check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "engine/rota.h"
#include "engine/runner-internal.h"
#include "engine/spawner.h"

enum {
	CHECKS_MAX = 4,		  /* processes at once, */
	USER_MAX = 3,		  /* … of one user */
	CHECK_SECONDS = 15,	  /* that one may take, from its start */
	CHECK_LOADING_MS = 12000, /* of it: for the workflow's text */
	ROOM_LEAST = 64 << 10,	  /* bytes; what a process needs to begin */
};

static const size_t memory_bytes = 256 << 20;

struct check {
	TAILQ_ENTRY(check) checks;
	struct runners *of;
	int64_t id; /* below 0 */
	struct caller caller;
	json_t *head; /* what is asked */
	struct buffer text;
	struct conn conn;
	bool running; /* its socket is open */
	int pidfd;
	ev_timer deadline;
	void (*done)(void *userdata, const json_t *answer, const struct fault *fault);
	void *userdata;
};

static void work_path(const struct check *check, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/check%lld", check->of->work, (long long)check->id);
}

static void check_free(struct check *check)
{
	struct runners *runners = check->of;
	char work[4200];

	TAILQ_REMOVE(&runners->checks, check, checks);
	ev_timer_stop(runners->engine->loop, &check->deadline);
	if (check->running)
		conn_done(&check->conn);
	if (check->pidfd >= 0)
		close(check->pidfd);
	work_path(check, work, sizeof(work));
	if (rmdir(work) < 0 && errno == ENOTEMPTY)
		spawner_remove(runners->spawner, work, check->caller.uid, check->caller.gid);
	caller_done(&check->caller);
	json_decref(check->head);
	buffer_done(&check->text);
	free(check);
}

static void tell(struct check *check, const json_t *answer, const struct fault *fault)
{
	void (*done)(void *, const json_t *, const struct fault *) = check->done;

	check->done = NULL;
	if (done)
		done(check->userdata, answer, fault);
}

static void tell_failure(struct check *check, int error, const char *text)
{
	struct fault fault = { 0 };

	fault_set(&fault, error, "%s", text);
	tell(check, NULL, &fault);
}

static void start_waiting(struct runners *runners);

/* Where it works there is nothing left; then it could not even make its folder. */
static bool no_room(const struct runners *runners)
{
	struct statvfs there;

	return statvfs(runners->work, &there) == 0 && there.f_bavail * there.f_frsize < ROOM_LEAST;
}

/* It has answered, or will not. */
static void check_end(struct check *check)
{
	struct runners *runners = check->of;

	if (check->done && no_room(runners))
		tell_failure(check, ENOSPC,
			"the process that was to look ended: there is no room on the disk where it works");
	tell_failure(check, EIO, "the process that was to look ended without an answer");
	check_free(check);
	start_waiting(runners);
}

static void conn_frame(struct conn *conn, const struct frame *frame)
{
	struct check *check = conn->userdata;
	uint64_t failures = memory_failures();
	json_auto_t *head = json_loadb(frame->head, frame->head_size, 0, NULL);
	const char *op = json_string_value(json_object_get(head, "op"));
	static const char ack[] = "{\"op\":\"ack\",\"seq\":1}";

	if (failures != memory_failures())
		tell_failure(check, ENOMEM, "there is no memory for what was found");
	else if (!op || strcmp(op, "checked") != 0)
		return;
	conn_send(conn, ack, strlen(ack), NULL, 0);
	tell(check, head, NULL); /* nobody, when it was told above */
}

static void conn_closed(struct conn *conn, int error)
{
	check_end(conn->userdata);
}

static const struct conn_callbacks conn_callbacks = { conn_frame, conn_closed };

static void deadline_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct check *check = timer->data;

	if (check->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, check->pidfd, SIGKILL, NULL, 0);
	tell_failure(check, ETIMEDOUT, "the process that was to look took too long, and was ended");
	check_end(check);
}

static int send_order(struct check *check)
{
	CLEANUP(cleanup_free) char *text = NULL;
	char work[4200];

	work_path(check, work, sizeof(work));
	json_object_set_new(check->head, "workdir", json_string(work));
	text = json_dumps(check->head, JSON_COMPACT);
	return text ? conn_send(&check->conn, text, strlen(text), check->text.data, check->text.size)
		    : -ENOMEM;
}

static int start_process(struct check *check)
{
	struct runners *runners = check->of;
	CLEANUP(cleanup_fd) int theirs = -1;
	char work[4200];
	int fds[2], r;

	work_path(check, work, sizeof(work));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	theirs = fds[1];
	conn_init(&check->conn, runners->engine->loop, fds[0], &conn_callbacks, check);
	conn_bound(&check->conn, CONN_ROOM);
	conn_share(&check->conn, runners->engine->fair, check->caller.uid);
	check->running = true;
	r = send_order(check);
	if (r < 0)
		return r;
	ev_timer_stop(runners->engine->loop, &check->deadline);
	ev_set_cb(&check->deadline, deadline_over);
	ev_timer_set(&check->deadline, CHECK_SECONDS, 0);
	ev_timer_start(runners->engine->loop, &check->deadline);
	return spawner_spawn(runners->spawner, &(struct spawn){ .ticket = check->id,
						       .uid = check->caller.uid,
						       .gid = check->caller.gid,
						       .groups = check->caller.groups,
						       .group_count = check->caller.group_count,
						       .program = runners->program,
						       .work = work,
						       .mark = "SLOTH_MARK=check",
						       .cgroup = "",
						       .fd = theirs });
}

static void could_not_start(struct check *check, int error)
{
	char text[256];

	snprintf(text, sizeof(text), "no process could be started to look: %s", strerror(-error));
	tell_failure(check, -error, text);
	check_free(check);
}

static struct check *next_waiting(struct runners *runners)
{
	struct check *check, *next = NULL;
	struct rota rota = { 0 };

	TAILQ_FOREACH (check, &runners->checks, checks)
		if (check->running)
			rota_add(&rota, check->caller.uid);
	TAILQ_FOREACH (check, &runners->checks, checks)
		if (!check->running && rota.count < CHECKS_MAX &&
			rota_has(&rota, check->caller.uid) < USER_MAX &&
			(!next || rota_has(&rota, check->caller.uid) < rota_has(&rota, next->caller.uid)))
			next = check;
	return next;
}

/* All that is his goes behind what is others'. */
static void user_served(struct runners *runners, uid_t uid)
{
	TAILQ_HEAD(, check) his = TAILQ_HEAD_INITIALIZER(his);
	struct check *check, *next;

	for (check = TAILQ_FIRST(&runners->checks); check; check = next) {
		next = TAILQ_NEXT(check, checks);
		if (check->caller.uid != uid || check->running)
			continue;
		TAILQ_REMOVE(&runners->checks, check, checks);
		TAILQ_INSERT_TAIL(&his, check, checks);
	}
	TAILQ_CONCAT(&runners->checks, &his, checks);
}

static void start_waiting(struct runners *runners)
{
	struct check *check;

	while ((check = next_waiting(runners))) {
		int r = start_process(check);

		if (r < 0)
			could_not_start(check, r);
		else
			user_served(runners, check->caller.uid);
	}
}

/* Not from inside of check_start(): nobody is told anything before he waits for it. */
static void begin(struct ev_loop *loop, ev_timer *timer, int revents)
{
	start_waiting(((struct check *)timer->data)->of);
}

int check_start(struct runners *runners, const struct check_order *order, struct check **ret_check)
{
	struct check *check = calloc(1, sizeof(*check));
	int r;

	if (!check)
		return -ENOMEM;
	check->of = runners;
	check->id = --runners->last_check;
	check->pidfd = -1;
	check->done = order->done;
	check->userdata = order->userdata;
	ev_timer_init(&check->deadline, begin, 0, 0);
	check->deadline.data = check;
	TAILQ_INSERT_TAIL(&runners->checks, check, checks);
	check->head = json_pack("{s:s, s:s, s:O?, s:O?, s:O?, s:O?, s:O?, s:b, s:{s:i, s:I, s:i}}", "op",
		"check", "file", order->file, "values", order->values, "paths", order->paths, "options",
		order->options, "coverage", order->coverage, "imports", order->imports, "plan", order->plan,
		"limits", "max_parallel_tasks", (int)(2 * sysconf(_SC_NPROCESSORS_ONLN)), "memory_bytes",
		(json_int_t)memory_bytes, "loading_ms", CHECK_LOADING_MS);
	r = check->head ? caller_copy(order->caller, &check->caller) : -ENOMEM;
	if (r == 0)
		r = buffer_append(&check->text, order->text, order->size);
	if (r < 0) {
		check->done = NULL;
		check_free(check);
		return r;
	}
	ev_timer_start(runners->engine->loop, &check->deadline);
	*ret_check = check;
	return 0;
}

void check_cancel(struct check *check)
{
	check->done = NULL;
	if (check->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, check->pidfd, SIGKILL, NULL, 0);
	if (!check->running)
		check_free(check);
}

static struct check *check_find(struct runners *runners, int64_t id)
{
	struct check *check;

	TAILQ_FOREACH (check, &runners->checks, checks)
		if (check->id == id)
			return check;
	return NULL;
}

void checks_started(struct runners *runners, int64_t id, pid_t pid)
{
	struct check *check = check_find(runners, id);

	if (!check)
		return;
	if (pid < 0) {
		could_not_start(check, pid);
		start_waiting(runners);
		return;
	}
	check->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (!check->done && check->pidfd >= 0) /* cancelled meanwhile */
		syscall(SYS_pidfd_send_signal, check->pidfd, SIGKILL, NULL, 0);
}

void checks_free(struct runners *runners)
{
	while (!TAILQ_EMPTY(&runners->checks)) {
		TAILQ_FIRST(&runners->checks)->done = NULL;
		check_free(TAILQ_FIRST(&runners->checks));
	}
}
