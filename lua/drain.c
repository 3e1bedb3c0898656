/* SPDX-License-Identifier: MIT */
/* Output that nobody reads any more. */
#include "lua/drain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

struct drained {
	LIST_ENTRY(drained) link;
	struct drain *drain;
	ev_io readable;
};

void drain_init(struct drain *drain, struct ev_loop *loop)
{
	*drain = (struct drain){ .loop = loop };
	LIST_INIT(&drain->streams);
}

static void drained_free(struct drained *drained)
{
	ev_io_stop(drained->drain->loop, &drained->readable);
	close(drained->readable.fd);
	LIST_REMOVE(drained, link);
	free(drained);
}

/* Whether it goes on. */
static int drain_read(int fd)
{
	char nowhere[4096];
	ssize_t n = read(fd, nowhere, sizeof(nowhere));

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void drain_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	if (!drain_read(io->fd))
		drained_free(io->data);
}

void drain_add(struct drain *drain, int fd)
{
	struct drained *drained = calloc(1, sizeof(*drained));

	if (!drained) {
		close(fd);
		return;
	}
	drained->drain = drain;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ev_io_init(&drained->readable, drain_readable, fd, EV_READ);
	drained->readable.data = drained;
	LIST_INSERT_HEAD(&drain->streams, drained, link);
	ev_io_start(drain->loop, &drained->readable);
}

static int compare_fds(const void *a, const void *b)
{
	const struct pollfd *x = a, *y = b;

	return (x->fd > y->fd) - (x->fd < y->fd);
}

/* Nothing but these streams stays open: neither the daemon's socket nor our own output. */
static void close_others(struct pollfd *polls, nfds_t count)
{
	unsigned int from = 0;

	qsort(polls, count, sizeof(*polls), compare_fds);
	for (nfds_t i = 0; i < count; i++) {
		unsigned int fd = (unsigned int)polls[i].fd;

		if (fd > from)
			close_range(from, fd - 1, 0);
		from = fd + 1;
	}
	close_range(from, ~0U, 0);
}

static void drain_forever(struct drain *drain)
{
	struct drained *drained;
	struct pollfd *polls;
	nfds_t count = 0, open_count;

	setsid();
	prctl(PR_SET_NAME, "sloth-drain");
	LIST_FOREACH (drained, &drain->streams, link)
		count++;
	polls = calloc(count, sizeof(*polls));
	if (!polls)
		return;
	count = 0;
	LIST_FOREACH (drained, &drain->streams, link)
		polls[count++] = (struct pollfd){ .fd = drained->readable.fd, .events = POLLIN };
	close_others(polls, count);
	open_count = count;
	while (open_count && poll(polls, count, -1) >= 0)
		for (nfds_t i = 0; i < count; i++) {
			if (polls[i].fd < 0 || !polls[i].revents || drain_read(polls[i].fd))
				continue;
			close(polls[i].fd);
			polls[i].fd = -1;
			open_count--;
		}
}

void drain_done(struct drain *drain)
{
	struct drained *drained;

	if (!LIST_EMPTY(&drain->streams) && fork() == 0) {
		signal(SIGPROF, SIG_IGN);
		drain_forever(drain);
		_exit(0);
	}
	while ((drained = LIST_FIRST(&drain->streams)))
		drained_free(drained);
}
