/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Frames over a stream socket: how the daemon speaks with its clients and with its runners.
 *
 * A frame is two 32-bit sizes in host order, then a head (JSON, which this file does not look into) and a
 * body (raw bytes, may be empty). Both ends are on one machine, so byte order is nobody's concern.
 *
 * Here is the blocking end, for simple clients; the event-driven one is conn.h's.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum {
	FRAME_HEAD_MAX = 4 << 20,  /* bytes; a longer head ends the connection with -EPROTO */
	FRAME_BODY_MAX = 16 << 20, /* bytes */
};

/* What stands before every frame. */
struct frame_sizes {
	uint32_t head, body;
};

/* What a frame looks like to a receiver: borrowed, until the next one. The head is NUL-terminated. */
struct frame {
	const char *head;
	size_t head_size;
	const char *body;
	size_t body_size;
};

/* 0 or -EPROTO. */
int frame_sizes_check(const struct frame_sizes *sizes);

/* Blocking: 0 or -errno; -ENOTCONN when the peer closed. frame_receive() keeps the bytes in `buffer`, which
 * the frame points into; it is consumed at the next call. */
int frame_send(int fd, const char *head, size_t head_size, const void *body, size_t body_size);
int frame_receive(int fd, struct buffer *buffer, struct frame *ret_frame);
