/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The event-driven end of a stream of frames (frame.h): one thread, one loop.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/fair.h"
#include "base/frame.h"

struct conn;

struct conn_callbacks {
	void (*frame)(struct conn *conn, const struct frame *frame);
	/* The peer is gone (error 0) or the connection broke (-errno). Nothing more arrives; the owner calls
	 * conn_done() here or later. Never called from inside conn_send(). */
	void (*closed)(struct conn *conn, int error);
};

struct conn {
	struct ev_loop *loop;
	int fd; /* owned; -1 when done */
	const struct conn_callbacks *callbacks;
	void *userdata;
	ev_io readable, writable;
	ev_prepare flush;
	struct buffer in, out;
	size_t room;	   /* see conn_bound(); 0: without end */
	bool full;	   /* it is not read from, because of that */
	struct fair *fair; /* see conn_share() */
	uid_t uid;
	struct fair_item turn; /* queued: there is a whole frame */
	size_t delivered;      /* bytes of `in` */
	bool paused;
	bool dead;	/* a callback called conn_done(): touch nothing any more */
	bool *dead_out; /* set while a callback runs, see conn_done() */
};

/* Takes `fd`, makes it non-blocking and starts to read from it. */
void conn_init(struct conn *conn, struct ev_loop *loop, int fd, const struct conn_callbacks *callbacks,
	void *userdata);

/* From now on each frame waits for its turn among all that users ask for, instead of being handed out when it
 * arrives. `fair` NULL: nobody else is there. */
void conn_share(struct conn *conn, struct fair *fair, uid_t uid);

/* Reads nothing until conn_resume(): what comes, and the peer's end, waits in the socket. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/* As long as more than `room` bytes wait for a peer that does not take them, nothing is read from it: what it
 * is answered takes no more memory, however much it says. Not for both ends of a connection. */
void conn_bound(struct conn *conn, size_t room);

/* Stops, closes the socket, drops what was not sent. May be called from any callback, and twice. */
void conn_done(struct conn *conn);

/* Queues a frame; it is written before the loop blocks next. 0, -ENOMEM, -EMSGSIZE, -ENOTCONN. */
int conn_send(struct conn *conn, const char *head, size_t head_size, const void *body, size_t body_size);

/* Writes what is queued now, as far as the socket takes it. */
void conn_flush(struct conn *conn);

/* Bytes that are queued and not yet taken by the kernel. */
size_t conn_pending(const struct conn *conn);
