/* SPDX-License-Identifier: MIT */
/* Frames over a stream socket, blocking. A file of its own, so that a client is not linked with the event
 * loop. */
#include "base/frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

int frame_sizes_check(const struct frame_sizes *sizes)
{
	if (sizes->head > FRAME_HEAD_MAX || sizes->body > FRAME_BODY_MAX)
		return -EPROTO;
	return 0;
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = send(fd, p, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE ? -ENOTCONN : -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int frame_send(int fd, const char *head, size_t head_size, const void *body, size_t body_size)
{
	struct frame_sizes sizes = { (uint32_t)head_size, (uint32_t)body_size };
	CLEANUP(buffer_done) struct buffer out = { 0 };
	int r;

	if (head_size > FRAME_HEAD_MAX || body_size > FRAME_BODY_MAX)
		return -EMSGSIZE;
	/* One write for the whole frame: the peer wakes up once. */
	r = buffer_append(&out, &sizes, sizeof(sizes));
	if (r == 0)
		r = buffer_append(&out, head, head_size);
	if (r == 0)
		r = buffer_append(&out, body, body_size);
	if (r < 0)
		return r;
	return write_all(fd, out.data, out.size);
}

static int read_all(int fd, void *data, size_t size)
{
	char *p = data;

	while (size) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOTCONN;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int frame_receive(int fd, struct buffer *buffer, struct frame *ret_frame)
{
	struct frame_sizes sizes;
	int r;

	r = read_all(fd, &sizes, sizeof(sizes));
	if (r == 0)
		r = frame_sizes_check(&sizes);
	if (r == 0)
		r = buffer_truncate(buffer, (size_t)sizes.head + sizes.body + 1);
	if (r == 0)
		r = read_all(fd, buffer->data, sizes.head);
	if (r == 0)
		r = read_all(fd, buffer->data + sizes.head + 1, sizes.body);
	if (r < 0)
		return r;
	buffer->data[sizes.head] = '\0';
	*ret_frame = (struct frame){ buffer->data, sizes.head, buffer->data + sizes.head + 1, sizes.body };
	return 0;
}
