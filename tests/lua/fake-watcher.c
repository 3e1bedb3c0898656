/* SPDX-License-Identifier: MIT */
/* The process that watches, as the daemon has it. */
#include "tests/lua/fake-watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/frame.h"

static struct {
	int fd;
	pid_t pid;
	struct buffer buffer;
	json_int_t id; /* of the resource: a new one each time */
	json_t *row;
	bool asked, again;  /* a look is under way; another one is wanted */
	json_t *seen;	    /* what the last look gave */
	json_t *how;	    /* of the last frame `watching` */
	const char *wanted; /* the state that is waited for; "": any; NULL: nobody waits */
	json_int_t seq;
	void (*answer)(json_int_t seq, json_t *value);
} watcher = { .fd = -1 };

static void die(const char *what)
{
	fprintf(stderr, "fake-watcher: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void send_json(json_t *head)
{
	char *text = json_dumps(head, JSON_COMPACT);

	if (frame_send(watcher.fd, text, strlen(text), NULL, 0) < 0)
		die("the watcher has gone");
	free(text);
	json_decref(head);
}

int watcher_start(char *program, const char *work)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = { program, NULL };
	int pair[2], theirs;

	if (mkdir(work, 0700) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die(work);
	watcher.fd = fcntl(pair[0], F_DUPFD_CLOEXEC, 10);
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
	close(pair[0]);
	close(pair[1]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, theirs, 3);
	errno = posix_spawn(&watcher.pid, program, &actions, NULL, argv, environ);
	if (errno)
		die(program);
	posix_spawn_file_actions_destroy(&actions);
	close(theirs);
	send_json(json_pack("{ss ss ss s{} ss s{si si si}}", "op", "watch", "stack", "", "file", "watch",
		"values", "workdir", work, "limits", "max_parallel_tasks", 1, "memory_bytes", 256 << 20,
		"loading_ms", 60000));
	return watcher.fd;
}

void watcher_end(void)
{
	int status = 0;

	if (watcher.fd < 0)
		return;
	close(watcher.fd);
	waitpid(watcher.pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("watcher ended with status %d\n", status);
	buffer_done(&watcher.buffer);
	json_decref(watcher.row);
	json_decref(watcher.seen);
	json_decref(watcher.how);
}

/* Looks. The daemon, too, asks for none while one is under way. */

static void look(void)
{
	watcher.again = watcher.asked;
	if (watcher.asked)
		return;
	watcher.asked = true;
	send_json(json_pack("{ss s[O] sb}", "op", "resources", "resources", watcher.row, "last", 0));
}

static void answer(void)
{
	struct timespec now;
	json_t *value = json_copy(watcher.seen), *polled = json_object_get(watcher.how, "polled");

	clock_gettime(CLOCK_REALTIME, &now);
	json_object_set_new(value, "at", json_real((double)now.tv_sec + (double)now.tv_nsec / 1e9));
	json_object_set_new(value, "polled", json_boolean(json_integer_value(polled) > 0));
	json_object_set(value, "why", json_object_get(watcher.how, "why"));
	watcher.wanted = NULL;
	watcher.answer(watcher.seq, value);
}

static bool is_wanted(void)
{
	const char *state = json_string_value(json_object_get(watcher.seen, "state"));

	return watcher.wanted && state && (!*watcher.wanted || !strcmp(state, watcher.wanted));
}

static void take_detected(const json_t *head)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(head, "resources"), i, row) {
		if (json_integer_value(json_object_get(row, "id")) != watcher.id)
			continue;
		watcher.asked = false;
		if (watcher.again) {
			look(); /* something has happened while it looked */
			continue;
		}
		json_decref(watcher.seen);
		watcher.seen = json_incref(row);
		if (is_wanted())
			answer();
	}
}

static void take_changed(const json_t *head)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(head, "resources"), i, row)
		if (json_integer_value(json_object_get(row, "id")) == watcher.id)
			look();
	if (json_is_true(json_object_get(head, "all")))
		look();
}

void watcher_impatient(void)
{
	if (watcher.wanted)
		watcher.answer(watcher.seq, json_null());
	watcher.wanted = NULL;
}

void watcher_readable(void)
{
	struct frame frame;
	json_t *head;
	const char *op;

	if (frame_receive(watcher.fd, &watcher.buffer, &frame) < 0)
		die("the watcher has gone");
	head = json_loads(frame.head, 0, NULL);
	op = json_string_value(json_object_get(head, "op"));
	if (op && !strcmp(op, "detected"))
		take_detected(head);
	else if (op && !strcmp(op, "changed"))
		take_changed(head);
	else if (op && !strcmp(op, "watching")) {
		json_decref(watcher.how);
		watcher.how = json_incref(json_array_get(json_object_get(head, "stacks"), 0));
	}
	send_json(json_pack("{ss sO}", "op", "ack", "seq", json_object_get(head, "seq")));
	json_decref(head);
}

/* Calls. */

static void watch(const json_t *what, json_t *resources)
{
	const char *type = json_string_value(json_object_get(what, "type"));
	const char *name = json_string_value(json_object_get(what, "name"));
	char key[4500];
	json_t *resource;

	snprintf(key, sizeof(key), "%s/%s", type ? type : "", name ? name : "");
	resource = json_object_get(resources, key);
	if (watcher.id)
		send_json(json_pack("{ss si sI}", "op", "forget", "stack", 0, "id", watcher.id));
	json_decref(watcher.row);
	watcher.row = json_pack("{sI si ss ss sO* sO* sO*}", "id", ++watcher.id, "stack", 7, "type",
		type ? type : "", "name", name ? name : "", "desired",
		json_object_get(resource, "properties"), "applied", json_object_get(resource, "applied"),
		"given", json_object_get(what, "given"));
	watcher.asked = watcher.again = false;
	json_decref(watcher.seen);
	watcher.seen = NULL;
	look();
}

static const struct {
	const char *key, *state;
	bool look; /* now */
} keys[] = {
	{ "watch", "", false },
	{ "watch.again", "", true },
	{ "watch.drifted", "drifted", false },
	{ "watch.in_sync", "in_sync", false },
};

void watcher_call(const char *fn, const json_t *args, json_t *resources, json_int_t seq,
	void (*answer_call)(json_int_t seq, json_t *value))
{
	const char *key = json_string_value(json_object_get(args, "key"));

	if (!strcmp(fn, "state.set")) {
		watch(json_object_get(args, "value"), resources);
		answer_call(seq, json_true());
		return;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].key, key) != 0)
			continue;
		watcher.wanted = keys[i].state;
		watcher.seq = seq;
		watcher.answer = answer_call;
		if (keys[i].look)
			look();
		else if (is_wanted())
			answer();
		return;
	}
	answer_call(seq, json_null());
}
