/* SPDX-License-Identifier: MIT */
/* Who waits for drift to be looked for, and the processes that look. */
#include "engine/detect.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "engine/detect-internal.h"
#include "engine/rota.h"
#include "engine/spawner.h"

enum {
	RUNNING_MAX = 8,      /* processes at once, */
	OWNER_MAX = 2,	      /* … of one owner */
	WAITING_MAX = 1000,   /* that wait for their turn, of one who asks */
	DETECT_SECONDS = 600, /* that one may take, from its start */
	END_SECONDS = 5,      /* … and then it has to end */
};

static void work_path(const struct detection *detection, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/detect%lld", detection->of->work, -(long long)detection->id);
}

static void timer_set(struct detection *detection, double seconds)
{
	struct ev_loop *loop = detection->of->engine->loop;

	ev_timer_stop(loop, &detection->deadline);
	ev_timer_set(&detection->deadline, seconds, 0);
	ev_timer_start(loop, &detection->deadline);
}

static void detection_free(struct detection *detection)
{
	struct runners *runners = detection->of;
	struct waiter *waiter;
	char work[4200];

	TAILQ_REMOVE(&runners->detections, detection, detections);
	ev_timer_stop(runners->engine->loop, &detection->deadline);
	if (detection->running)
		conn_done(&detection->conn);
	if (detection->pidfd >= 0)
		close(detection->pidfd);
	work_path(detection, work, sizeof(work));
	if (rmdir(work) < 0 && errno == ENOTEMPTY)
		spawner_remove(runners->spawner, work, detection->uid, SPAWN_LOGIN);
	while ((waiter = STAILQ_FIRST(&detection->waiters))) {
		STAILQ_REMOVE_HEAD(&detection->waiters, waiters);
		free(waiter);
	}
	caller_done(&detection->caller);
	detect_rows_done(detection);
	free(detection);
}

/* Everybody who waits is told. */
static void tell(struct detection *detection, const struct fault *refusal)
{
	struct drift_summary summary;
	struct fault fault = refusal ? *refusal : (struct fault){ 0 };
	struct waiter *waiter;
	int r = 0;

	detection->over = true;
	if (!refusal)
		r = drift_summarise(detection->of->engine, detection->stack_id, &summary);
	if (r < 0)
		fault_set(&fault, -r, "what was seen can't be read: %s", strerror(-r));
	while ((waiter = STAILQ_FIRST(&detection->waiters))) {
		STAILQ_REMOVE_HEAD(&detection->waiters, waiters);
		waiter->done(waiter->userdata, fault.code ? NULL : &summary, &fault);
		free(waiter);
	}
}

static void __attribute__((format(printf, 3, 4)))
tell_failure(struct detection *detection, int error, const char *format, ...)
{
	struct fault fault = { .code = error };
	va_list args;

	va_start(args, format);
	vsnprintf(fault.text, sizeof(fault.text), format, args);
	va_end(args);
	tell(detection, &fault);
}

/* The process. */

static void signal_process(const struct detection *detection, int signal)
{
	if (detection->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, detection->pidfd, signal, NULL, 0);
}

static void start_waiting(struct runners *runners);

/* It has nothing more to do, and leaves by itself. */
static void process_end(struct detection *detection, bool now)
{
	if (now)
		signal_process(detection, SIGTERM);
	timer_set(detection, END_SECONDS);
}

static void acknowledge(struct detection *detection, const json_t *head)
{
	CLEANUP(cleanup_free) char *text = NULL;
	json_auto_t *ack =
		json_pack("{s:s, s:I}", "op", "ack", "seq", json_integer_value(json_object_get(head, "seq")));

	text = ack ? json_dumps(ack, JSON_COMPACT) : NULL;
	if (text)
		conn_send(&detection->conn, text, strlen(text), NULL, 0);
}

static void conn_frame(struct conn *conn, const struct frame *frame)
{
	struct detection *detection = conn->userdata;
	json_auto_t *head = json_loadb(frame->head, frame->head_size, 0, NULL);
	const char *op = json_string_value(json_object_get(head, "op"));
	struct fault fault = { 0 };
	int r;

	acknowledge(detection, head);
	if (detection->over || !op)
		return;
	if (!strcmp(op, "glanced"))
		r = detect_glances_take(detection, head, &fault);
	else if (!strcmp(op, "detected"))
		r = detect_rows_take(detection, head, &fault);
	else
		return; /* what its commands say is nobody's */
	if (r == 0)
		r = detect_rows_send(detection);
	if (r < 0) {
		fault_default(&fault, -r, "%s", strerror(-r));
		tell(detection, &fault);
		process_end(detection, true);
	} else if (detect_rows_over(detection)) {
		tell(detection, NULL);
		process_end(detection, false);
	}
}

static void conn_closed(struct conn *conn, int error)
{
	struct detection *detection = conn->userdata;
	struct runners *runners = detection->of;

	if (!detection->over)
		tell_failure(
			detection, EIO, "the process that was to look for drift ended before it was done");
	detection_free(detection);
	start_waiting(runners);
}

static const struct conn_callbacks conn_callbacks = { conn_frame, conn_closed };

static void deadline_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct detection *detection = timer->data;

	if (!detection->over) {
		tell_failure(detection, ETIMEDOUT,
			"looking for drift took more than %d minutes, and was ended; what was seen until "
			"then is kept",
			DETECT_SECONDS / 60);
		process_end(detection, true);
		return;
	}
	signal_process(detection, SIGKILL);
	process_signal_marked(detection->mark, SIGKILL, NULL, NULL);
}

static int send_order(struct detection *detection, const char *work)
{
	CLEANUP(buffer_done) struct buffer workflow = { 0 };
	CLEANUP(cleanup_free) char *text = NULL;
	json_auto_t *head = NULL;
	int r = detect_rows_order(detection, work, &head, &workflow);

	if (r < 0)
		return r;
	text = json_dumps(head, JSON_COMPACT);
	r = text ? conn_send(&detection->conn, text, strlen(text), workflow.data, workflow.size) : -ENOMEM;
	return r < 0 ? r : detect_rows_send(detection);
}

static int start_process(struct detection *detection)
{
	struct runners *runners = detection->of;
	CLEANUP(cleanup_fd) int theirs = -1;
	char work[4200], secret[RUNNER_SECRET_SIZE];
	int fds[2], r;

	work_path(detection, work, sizeof(work));
	runner_secret_make(secret, detection->mark);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	theirs = fds[1];
	conn_init(&detection->conn, runners->engine->loop, fds[0], &conn_callbacks, detection);
	conn_bound(&detection->conn, CONN_ROOM);
	conn_share(&detection->conn, runners->engine->fair, detection->caller.uid);
	detection->running = true;
	r = send_order(detection, work);
	if (r < 0)
		return r;
	ev_set_cb(&detection->deadline, deadline_over);
	timer_set(detection, DETECT_SECONDS);
	return spawner_spawn(runners->spawner, &(struct spawn){ .ticket = detection->id,
						       .uid = detection->uid,
						       .gid = SPAWN_LOGIN,
						       .program = runners->program,
						       .work = work,
						       .mark = detection->mark,
						       .cgroup = "",
						       .fd = theirs });
}

/* Whose turn it is. */

static int read_stack(struct detection *detection)
{
	struct stack stack;
	int r = stack_get(detection->of->engine, detection->stack_id, &stack);

	if (r < 0)
		return fault_set(&detection->fault, -r, "the stack is gone");
	detection->uid = stack.uid;
	return detect_rows_begin(detection);
}

/* Whether it has a process now; else it is over, and gone. */
static bool start(struct detection *detection)
{
	int r = read_stack(detection);

	if (r == 0 && detect_rows_over(detection)) {
		tell(detection, NULL); /* there is nothing to look at */
		detection_free(detection);
		return false;
	}
	if (r == 0)
		r = start_process(detection);
	if (r == 0)
		return true;
	fault_default(
		&detection->fault, -r, "no process could be started to look for drift: %s", strerror(-r));
	tell(detection, &detection->fault);
	detection_free(detection);
	return false;
}

/* Whoever is refused is told so at once. */
static struct detection *next_waiting(struct runners *runners)
{
	struct detection *detection, *next = NULL;
	struct rota rota = { 0 };

	TAILQ_FOREACH (detection, &runners->detections, detections)
		if (detection->running)
			rota_add(&rota, detection->uid);
	TAILQ_FOREACH (detection, &runners->detections, detections) {
		if (detection->running || detection->over)
			continue;
		if (detection->fault.code)
			return detection;
		if (rota.count < RUNNING_MAX && rota_has(&rota, detection->uid) < OWNER_MAX &&
			(!next || rota_has(&rota, detection->uid) < rota_has(&rota, next->uid)))
			next = detection;
	}
	return next;
}

/* All that is this owner's goes behind what is others'. */
static void owner_served(struct runners *runners, uid_t uid)
{
	TAILQ_HEAD(, detection) his = TAILQ_HEAD_INITIALIZER(his);
	struct detection *detection, *next;

	for (detection = TAILQ_FIRST(&runners->detections); detection; detection = next) {
		next = TAILQ_NEXT(detection, detections);
		if (detection->uid != uid || detection->running)
			continue;
		TAILQ_REMOVE(&runners->detections, detection, detections);
		TAILQ_INSERT_TAIL(&his, detection, detections);
	}
	TAILQ_CONCAT(&runners->detections, &his, detections);
}

/* Whoever is told may begin another one: from the first again each time. */
static void start_waiting(struct runners *runners)
{
	struct detection *detection;

	while ((detection = next_waiting(runners))) {
		if (!detection->fault.code) {
			uid_t uid = detection->uid;

			if (start(detection))
				owner_served(runners, uid);
			continue;
		}
		tell(detection, &detection->fault);
		detection_free(detection);
	}
}

/* Not from inside of drift_detect(): nobody is told anything before he waits for it. */
static void begin(struct ev_loop *loop, ev_timer *timer, int revents)
{
	start_waiting(((struct detection *)timer->data)->of);
}

/* Who asks. */

static int may_detect(struct detection *detection, const char *resource, size_t waiting)
{
	struct engine *engine = detection->of->engine;
	struct fault *fault = &detection->fault;
	struct stack stack;
	int r = stack_get(engine, detection->stack_id, &stack);

	if (r < 0)
		return r;
	detection->uid = stack.uid;
	r = stack_may_write(&detection->caller, &stack, fault);
	if (r == 0 && resource)
		r = drift_find_resource(engine, stack.id, resource, fault, &detection->resource_id);
	if (r == 0 && waiting >= WAITING_MAX)
		r = fault_set(fault, EAGAIN,
			"you wait for drift to be looked for %d times already: try again later", WAITING_MAX);
	return r;
}

/* One that has not begun, and will see what this one is to see. */
static struct detection *find_same(const struct detection *wanted)
{
	struct detection *detection;

	TAILQ_FOREACH (detection, &wanted->of->detections, detections)
		if (detection != wanted && !detection->running && !detection->over &&
			!detection->fault.code && detection->stack_id == wanted->stack_id &&
			(!detection->resource_id || detection->resource_id == wanted->resource_id))
			return detection;
	return NULL;
}

static struct detection *detection_new(struct runners *runners, int64_t stack_id)
{
	struct detection *detection = calloc(1, sizeof(*detection));

	if (!detection)
		return NULL;
	detection->of = runners;
	detection->id = --runners->last_check;
	detection->stack_id = stack_id;
	detection->pidfd = -1;
	STAILQ_INIT(&detection->waiters);
	ev_timer_init(&detection->deadline, begin, 0, 0);
	detection->deadline.data = detection;
	TAILQ_INSERT_TAIL(&runners->detections, detection, detections);
	return detection;
}

/* That this user asked for. */
static size_t count_waiting(const struct runners *runners, uid_t uid)
{
	const struct detection *detection;
	size_t count = 0;

	TAILQ_FOREACH (detection, &runners->detections, detections)
		count += !detection->running && detection->caller.uid == uid;
	return count;
}

int drift_detect(struct runners *runners, struct caller *caller, int64_t stack_id, const char *resource,
	void (*done)(void *userdata, const struct drift_summary *summary, const struct fault *fault),
	void *userdata)
{
	CLEANUP(cleanup_free) struct waiter *waiter = calloc(1, sizeof(*waiter));
	size_t waiting = count_waiting(runners, caller->uid);
	struct detection *detection = waiter ? detection_new(runners, stack_id) : NULL, *same = NULL;
	int r = detection ? caller_copy(caller, &detection->caller) : -ENOMEM;

	if (r < 0) {
		if (detection)
			detection_free(detection);
		return r;
	}
	r = may_detect(detection, resource, waiting);
	if (r < 0)
		fault_default(&detection->fault, -r, "%s", strerror(-r));
	else
		same = find_same(detection);
	*waiter = (struct waiter){ .done = done, .userdata = userdata };
	STAILQ_INSERT_TAIL(&(same ? same : detection)->waiters, waiter, waiters);
	TAKE(waiter);
	if (same)
		detection_free(detection);
	else
		ev_timer_start(runners->engine->loop, &detection->deadline);
	return 0;
}

static void forget(struct detection *detection, const void *userdata)
{
	struct waiter *waiter, *next;

	for (waiter = STAILQ_FIRST(&detection->waiters); waiter; waiter = next) {
		next = STAILQ_NEXT(waiter, waiters);
		if (waiter->userdata != userdata)
			continue;
		STAILQ_REMOVE(&detection->waiters, waiter, waiter, waiters);
		free(waiter);
	}
}

void drift_forget(struct runners *runners, const void *userdata)
{
	struct detection *detection, *next;

	for (detection = TAILQ_FIRST(&runners->detections); detection; detection = next) {
		next = TAILQ_NEXT(detection, detections);
		forget(detection, userdata);
		/* Nobody wants it any more. One that is over is being told of just now, and goes by itself.
		 */
		if (!detection->running && !detection->over && STAILQ_EMPTY(&detection->waiters))
			detection_free(detection);
	}
}

/* For runner*.c. */

void detections_started(struct runners *runners, int64_t id, pid_t pid)
{
	struct detection *detection;

	TAILQ_FOREACH (detection, &runners->detections, detections)
		if (detection->id == id)
			break;
	if (!detection)
		return;
	if (pid > 0) {
		detection->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		return;
	}
	tell_failure(detection, -pid, "no process could be started to look for drift: %s", strerror(-pid));
	detection_free(detection);
	start_waiting(runners);
}

void detections_free(struct runners *runners)
{
	struct detection *detection;

	while ((detection = TAILQ_FIRST(&runners->detections))) {
		signal_process(detection, SIGTERM);
		detection_free(detection);
	}
}
