/* SPDX-License-Identifier: MIT */
/* The client's side of the socket, against a server of the test: answers out of order, refusals, links, large
 * files.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "fs/client.h"

/* A tree of three links and a folder; everything else is a file, but "missing". */
static const struct {
	const char *path, *target;
} links[] = {
	{ "/latest", "42" },
	{ "/stacks/a/run", "../../latest" },
	{ "/loop", "loop" },
};

static const char *link_target(const char *path)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (path && !strcmp(links[i].path, path))
			return links[i].target;
	return NULL;
}

enum { LARGE = (CLIENT_CHUNK * 2) + 17 };

static void reply(int fd, json_t *head, json_int_t id, const void *body, size_t size)
{
	char *text;

	json_object_set_new(head, "id", json_integer(id));
	text = json_dumps(head, 0);
	frame_send(fd, text, strlen(text), body, size);
	free(text);
	json_decref(head);
}

static json_t *good(void)
{
	return json_pack("{sb}", "ok", 1);
}

static json_t *refusal(const char *name, const char *text)
{
	return json_pack("{sbssss}", "ok", 0, "errno", name, "text", text);
}

static void serve_pread(int fd, json_t *head, json_int_t id)
{
	json_int_t offset = json_integer_value(json_object_get(head, "offset"));
	json_int_t size = json_integer_value(json_object_get(head, "size"));
	char *body;

	if (offset + size > LARGE)
		size = offset < LARGE ? LARGE - offset : 0;
	body = malloc((size_t)size + 1);
	memset(body, 'x', (size_t)size);
	reply(fd, good(), id, body, (size_t)size);
	free(body);
}

static void serve_one(int fd, json_t *head, size_t body_size)
{
	static json_int_t held; /* the request whose answer waits for the next one */
	const char *op = json_string_value(json_object_get(head, "op"));
	const char *path = json_string_value(json_object_get(head, "path"));
	const char *target = link_target(path);
	json_int_t id = json_integer_value(json_object_get(head, "id"));

	if (!strcmp(op, "hold")) {
		held = id;
	} else if (!strcmp(op, "hello")) {
		reply(fd, json_pack("{sbss}", "ok", 1, "version", "9"), id, NULL, 0);
		if (held)
			reply(fd, good(), held, "late", 4);
		held = 0;
	} else if (!strcmp(op, "stat") && path && strstr(path, "missing")) {
		reply(fd, refusal("ENOENT", "nothing of that name"), id, NULL, 0);
	} else if (!strcmp(op, "stat")) {
		reply(fd, json_pack("{sbs{ss}}", "ok", 1, "attr", "type", target ? "link" : "dir"), id, NULL,
			0);
	} else if (!strcmp(op, "readlink")) {
		reply(fd, good(), id, target, strlen(target));
	} else if (!strcmp(op, "read")) {
		reply(fd, refusal("EFBIG", "too large for one answer"), id, NULL, 0);
	} else if (!strcmp(op, "open")) {
		reply(fd, json_pack("{sbsi}", "ok", 1, "handle", 5), id, NULL, 0);
	} else if (!strcmp(op, "pread")) {
		serve_pread(fd, head, id);
	} else if (!strcmp(op, "pwrite")) {
		assert_true(body_size <= CLIENT_CHUNK);
		reply(fd, good(), id, NULL, 0);
	} else if (!strcmp(op, "close")) {
		json_t *answer = refusal("EINVAL", "deploy.sloth:3: bad");

		json_object_set_new(answer, "run", json_integer(7));
		reply(fd, answer, id, NULL, 0);
	} else {
		reply(fd, refusal("EWEIRD", ""), id, NULL, 0);
	}
}

static void *serve(void *arg)
{
	CLEANUP(buffer_done) struct buffer buffer = { 0 };
	int fd = (int)(intptr_t)arg;
	struct frame frame;

	while (frame_receive(fd, &buffer, &frame) == 0) {
		json_t *head = json_loadb(frame.head, frame.head_size, 0, NULL);

		serve_one(fd, head, frame.body_size);
		json_decref(head);
	}
	close(fd);
	return NULL;
}

struct peer {
	struct client client;
	pthread_t thread;
};

static int setup(void **state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peer->client = (struct client){ .fd = fds[0] };
	TAILQ_INIT(&peer->client.arrived);
	assert_int_equal(pthread_create(&peer->thread, NULL, serve, (void *)(intptr_t)fds[1]), 0);
	*state = peer;
	return 0;
}

static int teardown(void **state)
{
	struct peer *peer = *state;

	client_close(&peer->client);
	client_close(&peer->client);
	pthread_join(peer->thread, NULL);
	free(peer);
	return 0;
}

static void test_call(void **state)
{
	struct client *client = &((struct peer *)*state)->client;
	CLEANUP(answer_done) struct answer answer = { 0 };
	struct fault fault = { 0 };

	assert_int_equal(client_call(client, "hello", json_object(), NULL, 0, &fault, &answer), 0);
	assert_string_equal(json_string_value(json_object_get(answer.head, "version")), "9");
}

static void test_out_of_order(void **state)
{
	struct client *client = &((struct peer *)*state)->client;
	CLEANUP(answer_done) struct answer first = { 0 };
	CLEANUP(answer_done) struct answer second = { 0 };
	struct fault fault = { 0 };
	int64_t held = client_send(client, "hold", json_object(), NULL, 0, &fault);
	int64_t hello = client_send(client, "hello", json_object(), NULL, 0, &fault);

	/* hello's answer comes first, and is kept while the other is waited for. */
	assert_int_equal(client_receive(client, held, &fault, &first), 0);
	assert_string_equal(buffer_text(&first.body), "late");
	assert_int_equal(client_next(client, -1, &fault, &second), 1);
	assert_int_equal(second.id, hello);
}

static void test_nothing_arrives(void **state)
{
	struct client *client = &((struct peer *)*state)->client;
	CLEANUP(answer_done) struct answer answer = { 0 };
	struct fault fault = { 0 };

	assert_int_equal(client_next(client, 0, &fault, &answer), 0);
}

static void test_refusal(void **state)
{
	struct client *client = &((struct peer *)*state)->client;
	struct fault fault = { 0 };
	json_t *attr = NULL;
	int64_t run = 0;

	assert_int_equal(client_stat(client, "/missing", &fault, &attr), -ENOENT);
	assert_int_equal(fault.code, ENOENT);
	assert_string_equal(fault.text, "nothing of that name");
	assert_null(attr);
	/* A refused workflow has a run all the same. */
	assert_int_equal(client_file_close(client, 5, &fault, &run), -EINVAL);
	assert_string_equal(fault.text, "deploy.sloth:3: bad");
	assert_int_equal(run, 7);
	/* An errno that this side does not know, and no words. */
	assert_int_equal(client_call(client, "dance", json_object(), NULL, 0, &fault, NULL), -EIO);
	assert_true(*fault.text);
}

static void test_not_utf8(void **state)
{
	struct client *client = &((struct peer *)*state)->client;
	struct fault fault = { 0 };
	json_t *attr;

	assert_int_equal(client_stat(client, "/\xff", &fault, &attr), -EINVAL);
	assert_non_null(strstr(fault.text, "UTF-8"));
}

static void test_resolve(void **state)
{
	static const struct {
		const char *path, *follow, *nofollow;
	} cases[] = {
		{ "", "/", "/" },
		{ "/", "/", "/" },
		{ "stacks", "/stacks", "/stacks" },
		{ "/latest", "/42", "/latest" },
		{ "/latest/", "/42", "/latest" },
		{ "//latest/./log", "/42/log", "/42/log" },
		{ "/stacks/a/run/log", "/42/log", "/42/log" },
		{ "/stacks/../..", "/", "/" },
		{ "/stacks/missing/x", "/stacks/missing/x", "/stacks/missing/x" },
	};
	struct client *client = &((struct peer *)*state)->client;
	struct fault fault = { 0 };
	char *path = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(client_resolve(client, cases[i].path, true, &fault, &path), 0);
		assert_string_equal(path, cases[i].follow);
		free(path);
		assert_int_equal(client_resolve(client, cases[i].path, false, &fault, &path), 0);
		assert_string_equal(path, cases[i].nofollow);
		free(path);
	}
	assert_int_equal(client_resolve(client, "/loop/x", true, &fault, &path), -ELOOP);
	assert_non_null(strstr(fault.text, "too many links"));
}

static void test_large(void **state)
{
	struct client *client = &((struct peer *)*state)->client;
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct fault fault = { 0 };
	int64_t run = 0;

	/* That the close of a file that was only read is refused does no harm. */
	assert_int_equal(client_read(client, "/large", &fault, &content), 0);
	assert_int_equal(content.size, LARGE);
	assert_int_equal(client_write(client, "/large", content.data, content.size, &fault, &run), -EINVAL);
	assert_int_equal(run, 7);
}

static void test_gone(void **state)
{
	struct client *client = &((struct peer *)*state)->client;
	struct fault fault = { 0 };

	shutdown(client->fd, SHUT_RDWR);
	assert_int_equal(client_call(client, "hello", json_object(), NULL, 0, &fault, NULL), -ENOTCONN);
	assert_non_null(strstr(fault.text, "closed the connection"));
	client_close(client);
	assert_int_equal(client_call(client, "hello", json_object(), NULL, 0, &fault, NULL), -ENOTCONN);
}

/* A daemon that is gone before it has answered, and the one after it. How many requests were read in all. */
struct dying {
	int listener;
	bool reads; /* the first one reads what it is asked */
	int count;
};

static void *serve_dying(void *arg)
{
	struct dying *dying = arg;

	for (int i = 0; i < 2; i++) {
		CLEANUP(cleanup_fd) int fd = accept(dying->listener, NULL, NULL);
		CLEANUP(buffer_done) struct buffer buffer = { 0 };
		struct frame frame;

		if (fd < 0)
			break;
		if (i == 0 && !dying->reads) {
			/* Not before it is there: else the client would be refused, and not too late. */
			char byte;

			recv(fd, &byte, 1, MSG_PEEK);
			continue;
		}
		if (frame_receive(fd, &buffer, &frame) < 0)
			break;
		dying->count++;
		if (i == 1)
			reply(fd, good(), 1, NULL, 0);
	}
	return NULL;
}

/* Asks once, of a daemon that dies: the result, and how often it was read. */
static int ask_dying(bool reads, int *ret_count)
{
	char folder[] = "/tmp/sloth-client.XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct dying dying = { .reads = reads };
	struct client client = { .fd = -1 };
	struct place place = { 0 };
	struct fault fault = { 0 };
	pthread_t thread;
	int r;

	assert_non_null(mkdtemp(folder));
	snprintf(place.socket, sizeof(place.socket), "%s/socket", folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", place.socket);
	dying.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(dying.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(dying.listener, 4), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_dying, &dying), 0);
	assert_int_equal(client_open(&client, &place, true, &fault), 0);
	r = client_call(&client, "write", json_object(), NULL, 0, &fault, NULL);
	shutdown(dying.listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	client_close(&client);
	close(dying.listener);
	unlink(place.socket);
	rmdir(folder);
	*ret_count = dying.count;
	return r;
}

static void test_dead_before_it_read(void **state)
{
	int count;

	assert_int_equal(ask_dying(false, &count), 0);
	assert_int_equal(count, 1);
}

static void test_dead_after_it_read(void **state)
{
	int count;

	assert_int_equal(ask_dying(true, &count), -ENOTCONN);
	assert_int_equal(count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test(test_dead_before_it_read),
		cmocka_unit_test(test_dead_after_it_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
