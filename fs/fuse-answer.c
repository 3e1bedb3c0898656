/* SPDX-License-Identifier: MIT */
/*
 * Writing to the kernel. libfuse forgets a request whose answer could not be written, and whoever asked would
 * wait for ever. So what can't be written is answered by an error, which is short, and written again until it
 * can be.
 */
#include "fs/fuse-internal.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"

static const double AGAIN = 0.05; /* seconds */

struct unanswered {
	TAILQ_ENTRY(unanswered) unanswered;
	uint64_t unique;
};

/* Nobody waits any more: interrupted, or the mount is gone. */
static bool is_over(int error)
{
	return error == ENOENT || error == ENODEV || error == EPERM || error == ENOTCONN ||
	       error == ECONNABORTED || error == EBADF;
}

/* Whether it need not be tried again. */
static bool answer_error(int fd, uint64_t unique)
{
	const struct fuse_out_header header = { .len = sizeof(header), .error = -EIO, .unique = unique };
	struct iovec part = { (void *)(uintptr_t)&header, sizeof(header) };

	return writev(fd, &part, 1) == sizeof(header) || is_over(errno);
}

static void answer_later(struct mount *mount, uint64_t unique)
{
	struct unanswered *one = malloc(sizeof(*one));

	if (!one) {
		log_error("%s: a request can't be answered", mount->directory);
		return;
	}
	one->unique = unique;
	TAILQ_INSERT_TAIL(&mount->unanswered, one, unanswered);
	ev_timer_start(mount->context->loop, &mount->again);
}

static void answer_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct mount *mount = timer->data;
	struct unanswered *one;

	while ((one = TAILQ_FIRST(&mount->unanswered))) {
		if (!answer_error(fuse_session_fd(mount->session), one->unique)) {
			ev_timer_start(loop, timer);
			return;
		}
		TAILQ_REMOVE(&mount->unanswered, one, unanswered);
		free(one);
	}
}

/* To those who ask, the answer is then that somebody interrupted it: a file is not open. Notifications have
 * no number, and may come from the notifier's thread. */
static ssize_t answer_write(int fd, struct iovec *parts, int count, void *userdata)
{
	const struct fuse_out_header *header = parts->iov_base;
	ssize_t n = writev(fd, parts, count);
	int error = errno;

	if (n >= 0 || !header->unique || is_over(error)) {
		errno = error;
		return n;
	}
	if (error == EINTR || error == EAGAIN || error == ENOMEM)
		n = writev(fd, parts, count);
	if (n >= 0)
		return n;
	log_warning("an answer can't be written to the kernel: %s", strerror(error));
	if (!answer_error(fd, header->unique))
		answer_later(userdata, header->unique);
	errno = ENOENT;
	return -1;
}

static ssize_t request_read(int fd, void *data, size_t size, void *userdata)
{
	return read(fd, data, size);
}

int fuse_answers_init(struct mount *mount)
{
	static const struct fuse_custom_io io = { .writev = answer_write, .read = request_read };

	return fuse_session_custom_io(mount->session, &io, fuse_session_fd(mount->session));
}

void fuse_answers_prepare(struct mount *mount)
{
	TAILQ_INIT(&mount->unanswered);
	ev_timer_init(&mount->again, answer_again, AGAIN, 0);
	mount->again.data = mount;
}

void fuse_answers_done(struct mount *mount)
{
	struct unanswered *one;

	ev_timer_stop(mount->context->loop, &mount->again);
	while ((one = TAILQ_FIRST(&mount->unanswered))) {
		TAILQ_REMOVE(&mount->unanswered, one, unanswered);
		free(one);
	}
}
