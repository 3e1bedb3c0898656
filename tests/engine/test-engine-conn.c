/* SPDX-License-Identifier: MIT */
/* The event-driven end of a stream of frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/conn.h"

struct heard {
	char text[16];
	bool closed;
};

static void heard_frame(struct conn *conn, const struct frame *frame)
{
	struct heard *heard = conn->userdata;

	strcat(heard->text, frame->head);
}

static void heard_closed(struct conn *conn, int error)
{
	((struct heard *)conn->userdata)->closed = true;
	conn_done(conn);
}

static const struct conn_callbacks callbacks = { heard_frame, heard_closed };

static void test_pause(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct conn conn, peer;
	struct heard heard = { 0 }, unused = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	conn_init(&conn, loop, fds[0], &callbacks, &heard);
	conn_init(&peer, loop, fds[1], &callbacks, &unused);
	conn_pause(&conn);
	assert_int_equal(conn_send(&peer, "a", 1, NULL, 0), 0);
	assert_int_equal(conn_send(&peer, "b", 1, NULL, 0), 0);
	conn_flush(&peer);
	conn_done(&peer);
	ev_run(loop, EVRUN_NOWAIT);
	ev_run(loop, EVRUN_NOWAIT);
	assert_string_equal(heard.text, "");
	assert_false(heard.closed);
	/* Nothing is lost, and the end comes after what was said. */
	conn_resume(&conn);
	while (!heard.closed)
		ev_run(loop, EVRUN_ONCE);
	assert_string_equal(heard.text, "ab");
	conn_resume(&conn); /* of one that is done: nothing */
	assert_false(ev_is_active(&conn.readable));
	ev_loop_destroy(loop);
}

struct answering {
	size_t heard;
	bool closed;
};

static void answer_frame(struct conn *conn, const struct frame *frame)
{
	static const char body[8000];

	((struct answering *)conn->userdata)->heard++;
	assert_int_equal(conn_send(conn, "{}", 2, body, sizeof(body)), 0);
}

static void answer_closed(struct conn *conn, int error)
{
	((struct answering *)conn->userdata)->closed = true;
	conn_done(conn);
}

/* Who does not read is not heard, and takes no more memory; later all is heard. */
static void test_bound(void **state)
{
	static const struct conn_callbacks answers = { answer_frame, answer_closed };
	static char space[1 << 16];
	enum { ROOM = 1 << 20, FRAMES = 3000 };
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	const struct frame_sizes sizes = { 2, 0 };
	struct answering answering = { 0 };
	struct conn conn;
	size_t sent = 0;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	conn_init(&conn, loop, fds[0], &answers, &answering);
	conn_bound(&conn, ROOM);
	for (; sent < FRAMES; sent++) {
		char frame[sizeof(sizes) + 2];

		memcpy(frame, &sizes, sizeof(sizes));
		memcpy(frame + sizeof(sizes), "{}", 2);
		if (send(fds[1], frame, sizeof(frame), MSG_DONTWAIT) < 0)
			break;
		if (sent % 20 == 0)
			ev_run(loop, EVRUN_NOWAIT);
	}
	for (int i = 0; i < 100; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_true(conn.full);
	/* What is read at once may still be answered. */
	assert_true(conn_pending(&conn) < ROOM + (1 << 20));
	assert_true(answering.heard < sent);
	while (answering.heard < sent) {
		while (recv(fds[1], space, sizeof(space), MSG_DONTWAIT) > 0)
			;
		ev_run(loop, EVRUN_NOWAIT);
	}
	close(fds[1]);
	while (!answering.closed)
		ev_run(loop, EVRUN_NOWAIT);
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pause), cmocka_unit_test(test_bound) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
