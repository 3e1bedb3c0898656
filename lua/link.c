/* SPDX-License-Identifier: MIT */
/* The runner's line to the daemon. */
#include "lua/link.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "lua/value.h"

enum {
	LOG_CHUNK = 256 << 10, /* bytes of one log frame */
	PATIENCE = 3600,       /* seconds without a daemon */
	GONE_SECONDS = 10,     /* and without the folder in which one would listen */
};
static const ev_tstamp AGAIN = 0.2; /* seconds between attempts to be taken up */

struct out_frame {
	STAILQ_ENTRY(out_frame) link;
	uint64_t seq;
	size_t head_size, body_size;
	char data[]; /* head, body */
};

struct call {
	TAILQ_ENTRY(call) link;
	uint64_t seq;
	call_done done; /* NULL: forgotten */
	void *userdata;
	json_t *head; /* owned; sent again to a new daemon: the old one may have died before it answered */
	struct buffer bytes; /* that came before the answer */
};

static void call_free(struct call *call)
{
	json_decref(call->head);
	buffer_done(&call->bytes);
	free(call);
}

static const struct conn_callbacks conn_callbacks;

/* Frames out. */

static int frame_transmit(struct link *link, const struct out_frame *frame)
{
	return conn_send(
		&link->conn, frame->data, frame->head_size, frame->data + frame->head_size, frame->body_size);
}

static int text_queue(struct link *link, const char *text, size_t size, const void *body, size_t body_size)
{
	struct out_frame *frame;

	if (size > FRAME_HEAD_MAX)
		return -EMSGSIZE;
	frame = malloc(sizeof(*frame) + size + body_size);
	if (!frame)
		return -ENOMEM;
	*frame = (struct out_frame){ .seq = ++link->seq, .head_size = size, .body_size = body_size };
	memcpy(frame->data, text, size);
	if (body_size)
		memcpy(frame->data + size, body, body_size);
	STAILQ_INSERT_TAIL(&link->frames, frame, link);
	link->under_way += size + body_size;
	return link->connected ? frame_transmit(link, frame) : 0;
}

static int frame_queue(struct link *link, json_t *head, const void *body, size_t body_size)
{
	CLEANUP(cleanup_free) char *text = NULL;

	if (!head || json_object_set_new(head, "seq", json_integer((json_int_t)link->seq + 1)) < 0)
		return -ENOMEM;
	text = json_dumps(head, JSON_COMPACT);
	return text ? text_queue(link, text, strlen(text), body, body_size) : -ENOMEM;
}

static int log_flush(struct link *link)
{
	json_t *head;
	int r;

	if (!link->log.text.size)
		return 0;
	head = json_pack("{ss ss? si ss sI}", "op", "log", "task", link->log.task, "try", link->log.try,
		"stream", link->log.stream, "time", (json_int_t)time_now_ms());
	r = frame_queue(link, head, link->log.text.data, link->log.text.size);
	json_decref(head);
	buffer_truncate(&link->log.text, 0);
	return r;
}

int link_send_body(struct link *link, json_t *head, const void *body, size_t size)
{
	int r = log_flush(link);

	if (r == 0)
		r = frame_queue(link, head, body, size);
	json_decref(head);
	return r;
}

int link_send(struct link *link, json_t *head)
{
	return link_send_body(link, head, NULL, 0);
}

int link_send_text(struct link *link, struct buffer *head)
{
	char end[48];
	int r = log_flush(link);

	snprintf(end, sizeof(end), ",\"seq\":%llu}", (unsigned long long)link->seq + 1);
	if (r == 0)
		r = buffer_append_text(head, end);
	return r < 0 ? r : text_queue(link, head->data, head->size, NULL, 0);
}

static bool log_is_of(const struct link *link, const char *task, int try, const char *stream)
{
	if (!link->log.stream || strcmp(link->log.stream, stream) != 0 || link->log.try != try)
		return false;
	return task && link->log.task ? !strcmp(link->log.task, task) : !task && !link->log.task;
}

static const char not_kept[] = "the log of a sensitive task is not kept\n";

int link_hush(struct link *link, const char *task)
{
	if (!link->hushed)
		link->hushed = json_object();
	return json_object_set_new(link->hushed, task, json_false()) < 0 ? -ENOMEM : 0;
}

int link_log(struct link *link, const char *task, int try, const char *stream, const char *text, size_t size)
{
	json_t *hushed = task ? json_object_get(link->hushed, task) : NULL;
	int r;

	if (hushed && json_is_true(hushed))
		return 0;
	if (hushed) {
		/* Once is enough. */
		json_object_set_new(link->hushed, task, json_true());
		text = not_kept;
		size = sizeof(not_kept) - 1;
		stream = "log";
	}
	if (!log_is_of(link, task, try, stream)) {
		CLEANUP(cleanup_free) char *name = task ? strdup(task) : NULL;

		if (task && !name)
			return -ENOMEM;
		r = log_flush(link);
		if (r < 0)
			return r;
		free(link->log.task);
		link->log.task = TAKE(name);
		link->log.try = try;
		link->log.stream = stream;
	}
	while (size) {
		size_t part = size < LOG_CHUNK ? size : LOG_CHUNK;

		r = buffer_append(&link->log.text, text, part);
		if (r == 0 && link->log.text.size >= LOG_CHUNK)
			r = log_flush(link);
		if (r < 0)
			return r;
		text += part;
		size -= part;
	}
	return 0;
}

bool link_full(struct link *link)
{
	if (link->under_way + link->log.text.size > LINK_UNDER_WAY_MAX)
		link->full = true;
	return link->full;
}

static void link_acked(struct link *link, uint64_t seq)
{
	struct out_frame *frame;

	if (seq > link->acked)
		link->acked = seq;
	while ((frame = STAILQ_FIRST(&link->frames)) && frame->seq <= seq) {
		STAILQ_REMOVE_HEAD(&link->frames, link);
		link->under_way -= frame->head_size + frame->body_size;
		free(frame);
	}
	if (link->full && link->under_way < LINK_UNDER_WAY_MAX / 2) {
		link->full = false;
		link->callbacks->room(link);
	}
}

/* Calls. */

static struct call *call_send(struct link *link, bool late, const char *fn, json_t *args, const char *task,
	call_done done, void *userdata)
{
	struct call *call = calloc(1, sizeof(*call)), *first;
	json_t *head;

	if (!call) {
		json_decref(args);
		return NULL;
	}
	first = TAILQ_FIRST(&link->calls);
	head = json_pack("{ss ss so ss?}", "op", "call", "fn", fn, "args", args, "task", task);
	log_flush(link);
	*call = (struct call){ .seq = link->seq + 1, .done = done, .userdata = userdata };
	if (head)
		json_object_set_new(head, "got", json_integer((json_int_t)(first ? first->seq : call->seq)));
	if (late)
		json_object_set_new(head, "late", json_true());
	call->head = json_incref(head);
	if (link_send(link, head) < 0) {
		call_free(call);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&link->calls, call, link);
	return call;
}

struct call *link_call(
	struct link *link, const char *fn, json_t *args, const char *task, call_done done, void *userdata)
{
	return call_send(link, false, fn, args, task, done, userdata);
}

struct call *link_call_late(
	struct link *link, const char *fn, json_t *args, const char *task, call_done done, void *userdata)
{
	return call_send(link, true, fn, args, task, done, userdata);
}

int link_settle(struct link *link)
{
	return link_send(link, json_pack("{ss}", "op", "settle"));
}

void link_forget(struct call *call)
{
	call->done = NULL;
}

static struct call *find_call(struct link *link, uint64_t seq)
{
	struct call *call;

	TAILQ_FOREACH (call, &link->calls, link)
		if (call->seq == seq)
			break;
	return call;
}

/* A part of an answer that is no text. A daemon that died in between sends it again. */
static void link_bytes(struct link *link, uint64_t seq, const struct frame *frame)
{
	struct call *call = find_call(link, seq);

	if (!call || !call->done)
		return;
	buffer_truncate(&call->bytes, 0);
	buffer_append(&call->bytes, frame->body, frame->body_size);
}

static void link_answered(struct link *link, json_t *head)
{
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(head, "seq"));
	struct answer answer = {
		.value = json_object_get(head, "value"),
		.error = json_string_value(json_object_get(head, "errno")),
		.text = json_string_value(json_object_get(head, "text")),
	};
	struct call *call = find_call(link, seq);

	if (!call)
		return; /* answered before the socket broke, and again after */
	FAILPOINT("runner.answered");
	TAILQ_REMOVE(&link->calls, call, link);
	answer.bytes = &call->bytes;
	if (call->done)
		call->done(call->userdata, &answer);
	call_free(call);
}

/* Frames in. */

/* A call that waits (for a lock) was acknowledged long ago; whoever knew of it may be gone. */
static void calls_again(struct link *link)
{
	struct call *call;

	TAILQ_FOREACH (call, &link->calls, link) {
		CLEANUP(cleanup_free) char *text = NULL;

		if (call->seq > link->acked)
			break;
		text = json_dumps(call->head, JSON_COMPACT);
		if (text)
			conn_send(&link->conn, text, strlen(text), NULL, 0);
	}
}

static void link_taken_up(struct link *link, uint64_t seq)
{
	struct out_frame *frame;

	FAILPOINT("runner.taken-up");
	link_acked(link, seq);
	link->connected = true;
	calls_again(link);
	STAILQ_FOREACH (frame, &link->frames, link)
		frame_transmit(link, frame);
}

static void link_frame(struct conn *conn, const struct frame *frame)
{
	struct link *link = conn->userdata;
	CLEANUP(cleanup_json) json_t *head = json_loadb(frame->head, frame->head_size, 0, NULL);
	const char *op = json_string_value(json_object_get(head, "op"));
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(head, "seq"));

	if (!head)
		log_error("the daemon sent a frame that is not JSON");
	else if (!link->connected && json_object_get(head, "errno"))
		link->callbacks->lost(link, json_string_value(json_object_get(head, "text")));
	else if (!op)
		log_error("the daemon sent a frame without an op");
	else if (!strcmp(op, "ack"))
		link_acked(link, seq);
	else if (!strcmp(op, "return"))
		link_answered(link, head);
	else if (!strcmp(op, "bytes"))
		link_bytes(link, seq, frame);
	else if (!strcmp(op, "taken_up"))
		link_taken_up(link, seq);
	else
		link->callbacks->frame(link, head, frame);
}

static void link_closed(struct conn *conn, int error)
{
	struct link *link = conn->userdata;

	conn_done(conn);
	link->connected = false;
	if (!link->socket) {
		link->callbacks->lost(link, "the daemon is gone");
		return;
	}
	link->lost_at = ev_now(link->loop);
	ev_timer_set(&link->again, AGAIN, AGAIN);
	ev_timer_start(link->loop, &link->again);
}

static const struct conn_callbacks conn_callbacks = { .frame = link_frame, .closed = link_closed };

static int link_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* Why nobody will come back; NULL: somebody may. */
static const char *hopeless(const struct link *link)
{
	const ev_tstamp waited = ev_now(link->loop) - link->lost_at;
	CLEANUP(cleanup_free) char *folder = NULL;

	if (waited > PATIENCE)
		return "no daemon came back within an hour";
	if (waited <= GONE_SECONDS || !(folder = strdup(link->socket)))
		return NULL;
	return access(dirname(folder), F_OK) < 0 && errno == ENOENT ? "the daemon's home is gone" : NULL;
}

static void link_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct link *link = timer->data;
	CLEANUP(cleanup_free) char *text = NULL;
	json_t *head;
	int fd = link_connect(link->socket);

	if (fd < 0) {
		const char *why = hopeless(link);

		if (why) {
			ev_timer_stop(loop, timer);
			link->callbacks->lost(link, why);
		}
		return;
	}
	ev_timer_stop(loop, timer);
	FAILPOINT("runner.again");
	conn_init(&link->conn, loop, fd, &conn_callbacks, link);
	head = json_pack("{ss sI ss}", "op", "runner", "run", (json_int_t)link->run, "secret", link->secret);
	text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	if (!text || conn_send(&link->conn, text, strlen(text), NULL, 0) < 0)
		link_closed(&link->conn, -ENOMEM);
}

static void link_turn(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	log_flush(prepare->data);
}

void link_flush(struct link *link)
{
	log_flush(link);
	if (link->conn.out.size && !ev_is_active(&link->conn.writable))
		conn_flush(&link->conn);
}

void link_init(struct link *link, struct ev_loop *loop, int fd, const struct link_callbacks *callbacks,
	void *userdata)
{
	*link = (struct link){
		.loop = loop, .callbacks = callbacks, .userdata = userdata, .connected = true
	};
	STAILQ_INIT(&link->frames);
	TAILQ_INIT(&link->calls);
	conn_init(&link->conn, loop, fd, &conn_callbacks, link);
	ev_init(&link->again, link_again);
	ev_prepare_init(&link->turn, link_turn);
	link->again.data = link->turn.data = link;
	/* After the coroutines have run, before the connection writes. */
	ev_set_priority(&link->turn, EV_MINPRI + 1);
	ev_prepare_start(loop, &link->turn);
}

int link_identify(struct link *link, int64_t run, const char *secret, const char *socket)
{
	CLEANUP(cleanup_free) char *a = strdup(secret), *b = strdup(socket);

	if (!a || !b)
		return -ENOMEM;
	link->run = run;
	link->secret = TAKE(a);
	link->socket = TAKE(b);
	return 0;
}

void link_done(struct link *link)
{
	struct call *call;

	conn_done(&link->conn);
	ev_timer_stop(link->loop, &link->again);
	ev_prepare_stop(link->loop, &link->turn);
	link_acked(link, UINT64_MAX);
	while ((call = TAILQ_FIRST(&link->calls))) {
		TAILQ_REMOVE(&link->calls, call, link);
		call_free(call);
	}
	buffer_done(&link->log.text);
	free(link->log.task);
	json_decref(link->hushed);
	free(link->socket);
	free(link->secret);
}
