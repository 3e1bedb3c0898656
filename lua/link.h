/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The runner's line to the daemon (doc/protocol.md, "Runners"): frames with numbers, kept until the daemon
 * has them on disk; calls and their answers; taking up again when the socket broke.
 *
 * One thread; owned by struct runner. No Lua in here.
 */
#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/conn.h"

enum { LINK_UNDER_WAY_MAX = 4 << 20 }; /* bytes that may be unacknowledged before producers have to wait */

struct link;
struct out_frame;
struct call;

struct link_callbacks {
	/* A frame that the link itself has no use for: run, start, cancel. */
	void (*frame)(struct link *link, json_t *head, const struct frame *frame);
	/* There is room again after link_full() was true. */
	void (*room)(struct link *link);
	/* The daemon does not want this runner any more, or was away for too long: stop and leave. */
	void (*lost)(struct link *link, const char *text);
};

/* The answer to a call: `value` (borrowed), or an errno's name and a sentence. */
struct answer {
	json_t *value;
	const char *error; /* NULL: success */
	const char *text;
	struct buffer *bytes; /* may be taken; empty: there were none */
};

typedef void (*call_done)(void *userdata, const struct answer *answer);

struct link {
	struct ev_loop *loop;
	const struct link_callbacks *callbacks;
	void *userdata;
	struct conn conn;
	bool connected; /* frames may be sent now: the daemon knows who we are */
	bool full;	/* somebody was told to wait */
	int64_t run;
	char *socket, *secret; /* for taking up again */
	ev_timer again;
	ev_tstamp lost_at;
	uint64_t seq;	  /* of the last frame that was made */
	uint64_t acked;	  /* everything up to it is on disk */
	size_t under_way; /* bytes */
	STAILQ_HEAD(, out_frame) frames;
	TAILQ_HEAD(, call) calls; /* unanswered, by seq */
	/* Log lines of one task and stream, collected over a turn of the loop. */
	struct {
		struct buffer text;
		char *task;
		int try;
		const char *stream;
	} log;
	json_t *hushed; /* tasks whose log is not kept */
	ev_prepare turn;
};

void link_init(struct link *link, struct ev_loop *loop, int fd, const struct link_callbacks *callbacks,
	void *userdata);
void link_done(struct link *link);

/* What is needed to be taken up again; strings are copied. 0 or -ENOMEM. */
int link_identify(struct link *link, int64_t run, const char *secret, const char *socket);

/* Numbers and queues a frame. Takes the reference to `head` (NULL: out of memory when it was made). 0 or
 * -errno. */
int link_send(struct link *link, json_t *head);
/* The same of a head that is text already: an object, without its last bracket, which is added. */
int link_send_text(struct link *link, struct buffer *head);
int link_send_body(struct link *link, json_t *head, const void *body, size_t size);

/* From now on the log of a task says only that it is not kept. */
int link_hush(struct link *link, const char *task);

/* Whole lines for the log, or the last part of one. `task` NULL: of the run. `stream`: "out", "err", "log";
 * static. */
int link_log(struct link *link, const char *task, int try, const char *stream, const char *text, size_t size);

/* Asks the daemon. Takes the reference to `args`. `done` is called once, unless link_forget() came first. */
struct call *link_call(
	struct link *link, const char *fn, json_t *args, const char *task, call_done done, void *userdata);
/* The same of one whose answer may come a little later, with those of what is told then; and what makes all
 * such answers come at once. */
struct call *link_call_late(
	struct link *link, const char *fn, json_t *args, const char *task, call_done done, void *userdata);
int link_settle(struct link *link);
/* The caller does not wait any more; the call may happen all the same. */
void link_forget(struct call *call);

/* What is told leaves now, as far as there is room: before something that may take long. */
void link_flush(struct link *link);

/* Whether producers have to wait; then `room` will be called. */
bool link_full(struct link *link);
