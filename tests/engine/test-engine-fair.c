/* SPDX-License-Identifier: MIT */
/* Whose turn it is: a flood waits behind itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/conn.h"
#include "base/fair.h"

enum { FLOOD = 100, FLOODER = 1, OTHER = 2 };

struct work {
	struct fair_item item; /* first */
	uid_t uid;
};

static struct done {
	int of_flood, of_other;
	int before_other; /* of the flood */
} done;

/* A tenth of a millisecond. */
static void be_busy(void)
{
	struct timespec began, at;

	clock_gettime(CLOCK_MONOTONIC, &began);
	do
		clock_gettime(CLOCK_MONOTONIC, &at);
	while ((at.tv_sec - began.tv_sec) * 1000000000 + at.tv_nsec - began.tv_nsec < 100000);
}

static void run(struct fair_item *item)
{
	struct work *work = (struct work *)item;

	be_busy();
	if (work->uid == FLOODER) {
		done.of_flood++;
		return;
	}
	done.of_other++;
	done.before_other = done.of_flood;
}

static void flood(struct fair *fair, struct ev_loop *loop)
{
	struct work *works = calloc(FLOOD + 1, sizeof(*works));

	assert_non_null(works);
	done = (struct done){ 0 };
	for (int i = 0; i <= FLOOD; i++) {
		works[i] = (struct work){ { .run = run }, i < FLOOD ? FLOODER : OTHER };
		fair_add(fair, works[i].uid, &works[i].item);
	}
	while (done.of_flood < FLOOD || !done.of_other) {
		ev_run(loop, EVRUN_ONCE);
		fair_settle(fair);
	}
	free(works);
}

static void test_others_do_not_wait_for_a_flood(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct fair fair;

	fair_init(&fair, loop);
	flood(&fair, loop);
	assert_int_equal(done.before_other, 1);
	/* One who is alone is not kept waiting. */
	assert_false(fair_alone(&fair, OTHER));
	fair_done(&fair);
	fair_init(&fair, loop);
	assert_true(fair_alone(&fair, OTHER));
	assert_true(fair_alone(&fair, OTHER));
	assert_false(fair_alone(&fair, FLOODER));
	fair_done(&fair);
#ifdef SLOTH_TORTURE
	/* That this test can fail. */
	setenv("SLOTH_FLAW", "unfair", 1);
	fair_init(&fair, loop);
	unsetenv("SLOTH_FLAW");
	flood(&fair, loop);
	assert_int_equal(done.before_other, FLOOD);
	fair_done(&fair);
#endif
	ev_loop_destroy(loop);
}

static void test_what_is_taken_back_is_not_done(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct work one = { .item = { .run = run }, .uid = FLOODER }, two = one;
	struct fair fair;

	done = (struct done){ 0 };
	fair_init(&fair, loop);
	fair_add(&fair, FLOODER, &one.item);
	fair_add(&fair, FLOODER, &two.item);
	fair_remove(&fair, &one.item);
	fair_remove(&fair, &one.item);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(done.of_flood, 1);
	fair_done(&fair);
	ev_loop_destroy(loop);
}

struct heard {
	char text[16];
	int stop_after; /* frames: then it is paused */
	bool closed;
};

static void heard_frame(struct conn *conn, const struct frame *frame)
{
	struct heard *heard = conn->userdata;

	strcat(heard->text, frame->head);
	if (--heard->stop_after == 0)
		conn_pause(conn);
}

static void heard_closed(struct conn *conn, int error)
{
	((struct heard *)conn->userdata)->closed = true;
	conn_done(conn);
}

static const struct conn_callbacks callbacks = { heard_frame, heard_closed };

/* Frames that wait for their turn come in their order, each once, also after a pause; and the end after them.
 */
static void test_connections(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct heard heard = { .stop_after = 2 }, unused = { 0 };
	struct conn conn, peer;
	struct fair fair;
	int fds[2];

	fair_init(&fair, loop);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	conn_init(&conn, loop, fds[0], &callbacks, &heard);
	conn_share(&conn, &fair, FLOODER);
	conn_init(&peer, loop, fds[1], &callbacks, &unused);
	for (const char *p = "abcde"; *p; p++)
		assert_int_equal(conn_send(&peer, p, 1, p, 1), 0);
	conn_flush(&peer);
	conn_done(&peer);
	for (int i = 0; i < 10; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_string_equal(heard.text, "ab");
	conn_resume(&conn);
	while (!heard.closed)
		ev_run(loop, EVRUN_ONCE);
	assert_string_equal(heard.text, "abcde");
	fair_done(&fair);
	ev_loop_destroy(loop);
}

/* One that is done while a frame of it waits. */
static void test_a_connection_that_ends(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct heard heard = { .stop_after = 1 }, unused = { 0 };
	struct conn conn, peer;
	struct fair fair;
	int fds[2];

	fair_init(&fair, loop);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	conn_init(&conn, loop, fds[0], &callbacks, &heard);
	conn_share(&conn, &fair, FLOODER);
	conn_init(&peer, loop, fds[1], &callbacks, &unused);
	conn_send(&peer, "a", 1, NULL, 0);
	conn_send(&peer, "b", 1, NULL, 0);
	conn_flush(&peer);
	while (!*heard.text)
		ev_run(loop, EVRUN_NOWAIT);
	conn_resume(&conn); /* "b" is queued again */
	conn_done(&conn);
	ev_run(loop, EVRUN_NOWAIT);
	assert_string_equal(heard.text, "a");
	conn_done(&peer);
	fair_done(&fair);
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_do_not_wait_for_a_flood),
		cmocka_unit_test(test_what_is_taken_back_is_not_done),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_a_connection_that_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
