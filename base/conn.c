/* SPDX-License-Identifier: MIT */
/* Frames over a stream socket, driven by the loop. */
#include "base/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* How much one turn reads from one peer, so that a flood from one does not starve the others. */
enum { READ_CHUNK = 256 << 10 };

/* The size of the whole frame at `offset`, 0 when more must arrive, or -EPROTO. */
static ssize_t frame_whole(const struct buffer *buffer, size_t offset)
{
	struct frame_sizes sizes;
	size_t left = buffer->size - offset, total;
	int r;

	if (left < sizeof(sizes))
		return 0;
	memcpy(&sizes, buffer->data + offset, sizeof(sizes));
	r = frame_sizes_check(&sizes);
	if (r < 0)
		return r;
	total = sizeof(sizes) + sizes.head + sizes.body;
	return left < total ? 0 : (ssize_t)total;
}

/* Looks for a whole frame at `offset`: its size in bytes, 0 when more must arrive, or -EPROTO. The byte after
 * the head is the body's first; the head is terminated in place by the caller through `ret_frame`. */
static ssize_t frame_find(struct buffer *buffer, size_t offset, struct frame *ret_frame)
{
	ssize_t total = frame_whole(buffer, offset);
	char *start = buffer->data + offset;
	struct frame_sizes sizes;

	if (total <= 0)
		return total;
	memcpy(&sizes, start, sizeof(sizes));
	/* The sizes are read: their place takes the head, moved down by one, so that it can end with NUL. */
	memmove(start + sizeof(sizes) - 1, start + sizeof(sizes), sizes.head);
	start[sizeof(sizes) - 1 + sizes.head] = '\0';
	*ret_frame = (struct frame){
		.head = start + sizeof(sizes) - 1,
		.head_size = sizes.head,
		.body = start + sizeof(sizes) + sizes.head,
		.body_size = sizes.body,
	};
	return total;
}

static void conn_fail(struct conn *conn, int error)
{
	ev_io_stop(conn->loop, &conn->readable);
	ev_io_stop(conn->loop, &conn->writable);
	conn->callbacks->closed(conn, error);
}

/* What has been delivered is not moved away for each frame: there may be thousands. */
static void conn_forget_delivered(struct conn *conn)
{
	buffer_consume(&conn->in, conn->delivered);
	conn->delivered = 0;
	if (!conn->in.size && conn->in.capacity > (1 << 20))
		buffer_done(&conn->in);
}

/* Where a frame is there, it waits for its turn, and nothing more is read until all are delivered. */
static void conn_go_on(struct conn *conn)
{
	ssize_t n = frame_whole(&conn->in, conn->delivered);

	if (n > 0) {
		ev_io_stop(conn->loop, &conn->readable);
		fair_add(conn->fair, conn->uid, &conn->turn);
		return;
	}
	conn_forget_delivered(conn);
	if (n < 0)
		conn_fail(conn, (int)n);
	else
		ev_io_start(conn->loop, &conn->readable);
}

static void conn_turn(struct fair_item *item)
{
	struct conn *conn = (struct conn *)((char *)item - offsetof(struct conn, turn));
	struct frame frame;
	bool dead = false;
	ssize_t n = frame_find(&conn->in, conn->delivered, &frame);

	conn->delivered += (size_t)n;
	conn->dead_out = &dead;
	conn->callbacks->frame(conn, &frame);
	if (dead)
		return;
	conn->dead_out = NULL;
	if (!conn->paused)
		conn_go_on(conn);
}

void conn_share(struct conn *conn, struct fair *fair, uid_t uid)
{
	conn->fair = fair;
	conn->uid = uid;
	conn->turn.run = conn_turn;
}

static void conn_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *conn = io->data;
	bool dead = false;
	size_t offset = 0;
	ssize_t n;
	int error = 0;

	if (conn->room && conn->out.size > conn->room) {
		conn->full = true;
		ev_io_stop(loop, io);
		return;
	}
	if (buffer_reserve(&conn->in, conn->in.size + READ_CHUNK) < 0) {
		conn_fail(conn, -ENOMEM);
		return;
	}
	n = read(conn->fd, conn->in.data + conn->in.size, READ_CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_fail(conn, n < 0 && errno != ECONNRESET ? -errno : 0);
		return;
	}
	conn->in.size += (size_t)n;
	if (conn->fair) {
		conn_go_on(conn);
		return;
	}

	conn->dead_out = &dead;
	while (conn->in.size > offset) {
		struct frame frame;

		n = frame_find(&conn->in, offset, &frame);
		if (n <= 0) {
			error = (int)n;
			break;
		}
		offset += (size_t)n;
		conn->callbacks->frame(conn, &frame);
		if (dead)
			return;
	}
	conn->dead_out = NULL;
	conn->delivered = offset;
	conn_forget_delivered(conn);
	if (error)
		conn_fail(conn, error);
}

static void read_on(struct conn *conn)
{
	if (!conn->full || conn->out.size > conn->room)
		return;
	conn->full = false;
	ev_io_start(conn->loop, &conn->readable);
}

void conn_flush(struct conn *conn)
{
	if (conn->fd < 0)
		return;
	while (conn->out.size) {
		ssize_t n = send(conn->fd, conn->out.data, conn->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* A dead peer is noticed where we read; here it only means that nobody listens. */
			if (errno == EAGAIN)
				ev_io_start(conn->loop, &conn->writable);
			else
				buffer_done(&conn->out);
			read_on(conn);
			return;
		}
		buffer_consume(&conn->out, (size_t)n);
		read_on(conn);
	}
	ev_io_stop(conn->loop, &conn->writable);
	if (conn->out.capacity > (1 << 20))
		buffer_done(&conn->out);
}

static void conn_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	conn_flush(io->data);
}

static void conn_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct conn *conn = prepare->data;

	if (conn->out.size && !ev_is_active(&conn->writable))
		conn_flush(conn);
}

void conn_init(struct conn *conn, struct ev_loop *loop, int fd, const struct conn_callbacks *callbacks,
	void *userdata)
{
	*conn = (struct conn){ .loop = loop, .fd = fd, .callbacks = callbacks, .userdata = userdata };
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	ev_io_init(&conn->readable, conn_readable, fd, EV_READ);
	ev_io_init(&conn->writable, conn_writable, fd, EV_WRITE);
	ev_prepare_init(&conn->flush, conn_prepare);
	conn->readable.data = conn->writable.data = conn->flush.data = conn;
	/* Frames queued by other prepare watchers of the same turn leave with it. */
	ev_set_priority(&conn->flush, EV_MINPRI);
	ev_io_start(loop, &conn->readable);
	ev_prepare_start(loop, &conn->flush);
	ev_unref(loop);
}

void conn_pause(struct conn *conn)
{
	conn->paused = true;
	ev_io_stop(conn->loop, &conn->readable);
	if (conn->fair)
		fair_remove(conn->fair, &conn->turn);
}

void conn_bound(struct conn *conn, size_t room)
{
	conn->room = room;
}

void conn_resume(struct conn *conn)
{
	conn->paused = false;
	if (conn->fd < 0 || conn->full)
		return;
	if (conn->fair && !conn->turn.user)
		conn_go_on(conn);
	else if (!conn->fair)
		ev_io_start(conn->loop, &conn->readable);
}

void conn_done(struct conn *conn)
{
	if (!conn->loop || conn->dead)
		return;
	conn->dead = true;
	if (conn->dead_out)
		*conn->dead_out = true;
	ev_io_stop(conn->loop, &conn->readable);
	ev_io_stop(conn->loop, &conn->writable);
	if (conn->fair)
		fair_remove(conn->fair, &conn->turn);
	ev_ref(conn->loop);
	ev_prepare_stop(conn->loop, &conn->flush);
	/* libev forgets a descriptor only when it is told before the close. */
	cleanup_fd(&conn->fd);
	conn->fd = -1;
	buffer_done(&conn->in);
	buffer_done(&conn->out);
}

int conn_send(struct conn *conn, const char *head, size_t head_size, const void *body, size_t body_size)
{
	struct frame_sizes sizes = { (uint32_t)head_size, (uint32_t)body_size };
	size_t start = conn->out.size;
	int r;

	if (conn->dead)
		return -ENOTCONN;
	if (head_size > FRAME_HEAD_MAX || body_size > FRAME_BODY_MAX)
		return -EMSGSIZE;
	r = buffer_append(&conn->out, &sizes, sizeof(sizes));
	if (r == 0)
		r = buffer_append(&conn->out, head, head_size);
	if (r == 0)
		r = buffer_append(&conn->out, body, body_size);
	if (r < 0 && conn->out.data)
		buffer_truncate(&conn->out, start);
	return r;
}

size_t conn_pending(const struct conn *conn)
{
	return conn->out.size;
}
