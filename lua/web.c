/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface on the loop. */
#include "lua/web-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { ACTIVE_MAX = 64 }; /* transfers at once; each may hold a descriptor or two */

/* One of libcurl's sockets. */
struct socket {
	ev_io io;
	struct web *web;
};

/* libcurl looks up names in threads that it starts in here: signals are the main thread's. */
static void signals_block(sigset_t *ret_before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

static void signals_restore(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void collect_one(struct web *web, const CURLMsg *message)
{
	struct transfer *transfer;
	CURLcode result = message->data.result; /* the message is gone with the handle */
	char *private = NULL;

	web->curl->getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
	transfer = (struct transfer *)private;
	web->curl->multi_remove(web->multi, transfer->easy);
	transfer->active = false;
	transfer->result = result;
	web->active--;
	transfer->done(transfer);
}

static void web_collect(struct web *web)
{
	const CURLMsg *message;
	int left;

	while ((message = web->curl->info_read(web->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			collect_one(web, message);
	web_start_waiting(web);
}

static void web_act(struct web *web, curl_socket_t socket, int events)
{
	sigset_t before;
	int running;

	signals_block(&before);
	web->curl->socket_action(web->multi, socket, events, &running);
	signals_restore(&before);
	web_collect(web);
}

static void socket_ready(struct ev_loop *loop, ev_io *io, int revents)
{
	struct socket *socket = io->data;

	web_act(socket->web, io->fd,
		(revents & EV_READ ? CURL_CSELECT_IN : 0) | (revents & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void timer_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	web_act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static struct socket *socket_new(struct web *web, curl_socket_t fd)
{
	struct socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return NULL;
	socket->web = web;
	ev_io_init(&socket->io, socket_ready, fd, EV_NONE);
	socket->io.data = socket;
	/* Those that it makes for itself, too, are not for commands. */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	web->curl->multi_assign(web->multi, fd, socket);
	return socket;
}

/* libcurl says what it waits for. */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *assigned)
{
	struct web *web = userdata;
	struct socket *socket = assigned;

	if (what == CURL_POLL_REMOVE) {
		if (socket)
			ev_io_stop(web->loop, &socket->io);
		free(socket);
		web->curl->multi_assign(web->multi, fd, NULL);
		return 0;
	}
	if (!socket)
		socket = socket_new(web, fd);
	if (!socket)
		return -1;
	ev_io_stop(web->loop, &socket->io);
	ev_io_set(
		&socket->io, fd, (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	ev_io_start(web->loop, &socket->io);
	return 0;
}

static int want_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct web *web = userdata;

	ev_timer_stop(web->loop, &web->timer);
	if (timeout_ms < 0)
		return 0;
	ev_now_update(web->loop);
	ev_timer_set(&web->timer, (ev_tstamp)timeout_ms / 1000, 0);
	ev_timer_start(web->loop, &web->timer);
	return 0;
}

static void web_add(struct web *web, struct transfer *transfer)
{
	sigset_t before;

	TAILQ_REMOVE(&web->waiting, transfer, link);
	transfer->waits = false;
	transfer->active = true;
	web->active++;
	signals_block(&before);
	web->curl->multi_add(web->multi, transfer->easy); /* goes on from the timer, which it sets */
	signals_restore(&before);
}

void web_start_waiting(struct web *web)
{
	struct transfer *transfer;

	while (web->active < ACTIVE_MAX && (transfer = TAILQ_FIRST(&web->waiting)))
		web_add(web, transfer);
}

void web_remove(struct web *web, struct transfer *transfer)
{
	if (transfer->waits)
		TAILQ_REMOVE(&web->waiting, transfer, link);
	if (transfer->active) {
		web->curl->multi_remove(web->multi, transfer->easy);
		web->active--;
	}
	transfer->waits = transfer->active = false;
	web_start_waiting(web);
}

int web_new(struct ev_loop *loop, struct fault *fault, struct web **ret_web)
{
	struct web *web = calloc(1, sizeof(*web));
	const struct curl *curl;
	int r;

	if (!web)
		return fault_set(fault, ENOMEM, "not enough memory");
	r = curl_load(&curl, fault);
	if (r == 0 && !(web->multi = curl->multi_init()))
		r = fault_set(fault, ENOMEM, "not enough memory");
	if (r < 0) {
		free(web);
		return r;
	}
	/* It has made descriptors of its own. All of ours are close-on-exec already. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	web->loop = loop;
	web->curl = curl;
	TAILQ_INIT(&web->waiting);
	ev_init(&web->timer, timer_over);
	web->timer.data = web;
	curl->multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl->multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web);
	curl->multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl->multi_setopt(web->multi, CURLMOPT_TIMERDATA, web);
	*ret_web = web;
	return 0;
}

void web_free(struct web *web)
{
	if (!web)
		return;
	web->curl->multi_cleanup(web->multi);
	ev_timer_stop(web->loop, &web->timer);
	free(web);
}
