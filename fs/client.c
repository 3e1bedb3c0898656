/* SPDX-License-Identifier: MIT */
/* The client's side of the daemon's socket. */
#include "fs/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "fs/start.h"

enum { LINKS_MAX = 40 }; /* as path_resolution(7) has it */

void answer_done(struct answer *answer)
{
	json_decref(answer->head);
	answer->head = NULL;
	buffer_done(&answer->body);
}

int answer_check(const struct answer *answer, struct fault *fault)
{
	const char *name = json_string_value(json_object_get(answer->head, "errno"));
	const char *text = json_string_value(json_object_get(answer->head, "text"));
	int code;

	if (json_is_true(json_object_get(answer->head, "ok")))
		return 0;
	code = name ? fault_errno_value(name) : EPROTO;
	if (code == 0)
		code = EIO;
	return fault_set(fault, code, "%s", text && *text ? text : strerror(code));
}

int client_open(struct client *ret_client, const struct place *place, bool may_start, struct fault *fault)
{
	int fd = start_connect(place, may_start, fault);

	if (fd < 0)
		return fd;
	*ret_client = (struct client){ .fd = fd, .place = may_start ? place : NULL };
	TAILQ_INIT(&ret_client->arrived);
	return 0;
}

void client_close(struct client *client)
{
	struct answer *answer;

	if (client->fd < 0)
		return;
	close(take_fd(&client->fd));
	while ((answer = TAILQ_FIRST(&client->arrived))) {
		TAILQ_REMOVE(&client->arrived, answer, link);
		answer_done(answer);
		free(answer);
	}
	buffer_done(&client->in);
}

static int connection_lost(const struct client *client, struct fault *fault, int error)
{
	if (client->refusal.code)
		return fault_set(fault, client->refusal.code, "%s", client->refusal.text);
	if (error == -ENOTCONN || error == -ECONNRESET || error == -EPIPE)
		return fault_set(fault, ENOTCONN, "the daemon closed the connection");
	return fault_set(fault, -error, "the connection to the daemon broke: %s", strerror(-error));
}

static int receive_one(struct client *client, struct fault *fault, struct answer *ret_answer);

int64_t client_send(struct client *client, const char *op, json_t *fields, const void *body, size_t size,
	struct fault *fault)
{
	CLEANUP(cleanup_free) char *text = NULL;
	int r;

	if (client->fd < 0) {
		json_decref(fields);
		return connection_lost(client, fault, -ENOTCONN);
	}
	client->last_id++;
	if (json_object_set_new(fields, "op", json_string(op)) == 0 &&
		json_object_set_new(fields, "id", json_integer(client->last_id)) == 0)
		text = json_dumps(fields, JSON_COMPACT);
	json_decref(fields);
	/* What is no UTF-8 has no JSON; nothing in the tree is called so either. */
	if (!text)
		return fault_set(fault, EINVAL, "names and values must be valid UTF-8");
	r = frame_send(client->fd, text, strlen(text), body, size);
	client->unread = r == -ENOTCONN || r == -ECONNRESET;
	if (r == -EMSGSIZE)
		return fault_set(fault, EFBIG, "that is too much for one request");
	if (r == -EPIPE || r == -ENOTCONN) {
		CLEANUP(answer_done) struct answer last = { 0 };

		/* What was said before the end is still there. */
		r = receive_one(client, fault, &last);
		return r < 0 ? r : connection_lost(client, fault, -ENOTCONN);
	}
	return r < 0 ? connection_lost(client, fault, r) : client->last_id;
}

/* Blocks until a frame is there. */
static int receive_one(struct client *client, struct fault *fault, struct answer *ret_answer)
{
	struct answer answer = { 0 };
	struct frame frame;
	int r;

	if (client->fd < 0)
		return connection_lost(client, fault, -ENOTCONN);
	r = frame_receive(client->fd, &client->in, &frame);
	/* unix(7): the end of a socket with something unread in it is a reset; after the last byte was read
	 * it is an end of file. */
	client->unread = r == -ECONNRESET;
	if (r < 0)
		return connection_lost(client, fault, r);
	answer.head = json_loadb(frame.head, frame.head_size, 0, NULL);
	if (!json_is_object(answer.head)) {
		json_decref(answer.head);
		return connection_lost(client, fault, -EPROTO);
	}
	answer.id = json_integer_value(json_object_get(answer.head, "id"));
	if (!answer.id) { /* said to no request: why we are not let in */
		answer_check(&answer, &client->refusal);
		answer_done(&answer);
		return connection_lost(client, fault, -EPROTO);
	}
	r = buffer_append(&answer.body, frame.body, frame.body_size);
	if (r < 0) {
		answer_done(&answer);
		return fault_set(fault, -r, "%s", strerror(-r));
	}
	*ret_answer = answer;
	return 0;
}

static bool take_arrived(struct client *client, int64_t id, struct answer *ret_answer)
{
	struct answer *answer;

	TAILQ_FOREACH (answer, &client->arrived, link) {
		if (id && answer->id != id)
			continue;
		TAILQ_REMOVE(&client->arrived, answer, link);
		*ret_answer = *answer;
		free(answer);
		return true;
	}
	return false;
}

int client_receive(struct client *client, int64_t id, struct fault *fault, struct answer *ret_answer)
{
	struct answer answer = { 0 };
	int r;

	while (!take_arrived(client, id, &answer)) {
		struct answer *other;

		r = receive_one(client, fault, &answer);
		if (r < 0)
			return r;
		if (answer.id == id)
			break;
		other = malloc(sizeof(*other));
		if (!other) {
			answer_done(&answer);
			return fault_set(fault, ENOMEM, "no memory");
		}
		*other = answer;
		TAILQ_INSERT_TAIL(&client->arrived, other, link);
	}
	*ret_answer = answer;
	return answer_check(ret_answer, fault);
}

int client_next(struct client *client, int timeout_ms, struct fault *fault, struct answer *ret_answer)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = POLLIN };
	int r;

	if (take_arrived(client, 0, ret_answer))
		return 1;
	if (client->fd < 0)
		return connection_lost(client, fault, -ENOTCONN);
	r = poll(&poll_fd, 1, timeout_ms);
	if (r < 0)
		return errno == EINTR ? -EINTR : connection_lost(client, fault, -errno);
	if (r == 0)
		return 0;
	r = receive_one(client, fault, ret_answer);
	return r < 0 ? r : 1;
}

/* A daemon that was idle for long may close the door in the moment in which we come in. One that had read
 * what we want may have done it before it died: it is not asked for twice. */
static bool came_too_late(const struct client *client, int error)
{
	return error == -ENOTCONN && client->place && client->last_id == 1 && client->unread;
}

int client_call(struct client *client, const char *op, json_t *fields, const void *body, size_t size,
	struct fault *fault, struct answer *ret_answer)
{
	struct answer answer = { 0 };
	json_t *again = json_incref(fields);
	int64_t id = client_send(client, op, fields, body, size, fault);
	int r = id < 0 ? (int)id : client_receive(client, id, fault, &answer);

	if (came_too_late(client, r)) {
		const struct place *place = client->place;

		client_close(client);
		r = client_open(client, place, true, fault);
		id = r < 0 ? r : client_send(client, op, json_incref(again), body, size, fault);
		r = id < 0 ? (int)id : client_receive(client, id, fault, &answer);
	}
	json_decref(again);
	/* A refusal's head may tell more than the sentence. */
	if (ret_answer)
		*ret_answer = answer;
	else
		answer_done(&answer);
	return r;
}

/* Asks for one value of the answer's head: a new reference. */
static int call_for(struct client *client, const char *op, json_t *fields, const char *key,
	struct fault *fault, json_t **ret_value)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	json_t *value;
	int r = client_call(client, op, fields, NULL, 0, fault, &answer);

	if (r < 0)
		return r;
	value = json_object_get(answer.head, key);
	if (!value)
		return fault_set(fault, EPROTO, "the daemon's answer to \"%s\" has no \"%s\"", op, key);
	*ret_value = json_incref(value);
	return 0;
}

int client_stat(struct client *client, const char *path, struct fault *fault, json_t **ret_attr)
{
	return call_for(client, "stat", json_pack("{ss}", "path", path), "attr", fault, ret_attr);
}

int client_list(
	struct client *client, const char *path, bool attributes, struct fault *fault, json_t **ret_entries)
{
	json_auto_t *entries = json_array();
	json_int_t listing = 0;
	int r;

	do {
		CLEANUP(answer_done) struct answer answer = { 0 };
		json_t *fields = json_pack("{sssbsI}", "path", path, "attr", attributes, "listing", listing);

		r = client_call(client, "list", fields, NULL, 0, fault, &answer);
		if (r < 0)
			return r;
		if (json_array_extend(entries, json_object_get(answer.head, "entries")) < 0)
			return fault_set(fault, EPROTO, "the daemon's answer to \"list\" has no \"entries\"");
		listing = json_integer_value(json_object_get(answer.head, "listing"));
	} while (listing);
	*ret_entries = json_incref(entries);
	return 0;
}

int client_readlink(struct client *client, const char *path, struct fault *fault, char **ret_target)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	int r = client_call(client, "readlink", json_pack("{ss}", "path", path), NULL, 0, fault, &answer);
	char *target;

	if (r < 0)
		return r;
	target = strdup(buffer_text(&answer.body));
	if (!target)
		return fault_set(fault, ENOMEM, "no memory");
	*ret_target = target;
	return 0;
}

static int less_umask(int mode)
{
	mode_t mask = umask(0);

	umask(mask);
	return mode & ~(int)mask;
}

int client_mkdir(struct client *client, const char *path, struct fault *fault)
{
	return client_call(client, "mkdir", json_pack("{sssi}", "path", path, "mode", less_umask(0777)), NULL,
		0, fault, NULL);
}

/* A path that is being followed: what is done, and what is still to be walked. */
struct walk {
	struct buffer done, rest;
	int links;
};

static void walk_done(struct walk *walk)
{
	buffer_done(&walk->done);
	buffer_done(&walk->rest);
}

static void walk_up(struct walk *walk)
{
	char *slash = walk->done.size ? strrchr(walk->done.data, '/') : NULL;

	(void)buffer_truncate(&walk->done, slash ? (size_t)(slash - walk->done.data) : 0);
}

/* The link at the end of `done` is replaced by where it leads. */
static int walk_link(struct walk *walk, struct client *client, struct fault *fault)
{
	CLEANUP(cleanup_free) char *target = NULL;
	CLEANUP(buffer_done) struct buffer rest = { 0 };
	int r;

	if (++walk->links > LINKS_MAX)
		return fault_set(fault, ELOOP, "%s: too many links", buffer_text(&walk->done));
	r = client_readlink(client, buffer_text(&walk->done), fault, &target);
	if (r < 0)
		return r;
	if (*target == '/')
		(void)buffer_truncate(&walk->done, 0);
	else
		walk_up(walk);
	r = buffer_append_text(&rest, target);
	r = r < 0 ? r : buffer_append_text(&rest, "/");
	r = r < 0 ? r : buffer_append_text(&rest, buffer_text(&walk->rest));
	if (r < 0)
		return r;
	buffer_done(&walk->rest);
	walk->rest = rest;
	rest = (struct buffer){ 0 };
	return 0;
}

/* The next part of `rest`. 0, or -errno; a name that is not there is left for the operation itself to
 * complain about.
 */
static int walk_step(struct walk *walk, struct client *client, bool follow, struct fault *fault)
{
	const char *text = buffer_text(&walk->rest);
	size_t skip = strspn(text, "/"), length = strcspn(text + skip, "/");
	const char *name = text + skip;
	bool last = name[length + strspn(name + length, "/")] == '\0';
	const char *type;
	json_t *attr = NULL;
	int r = 0;

	if (length == 2 && !strncmp(name, "..", 2)) {
		walk_up(walk);
	} else if (length && !(length == 1 && *name == '.')) {
		r = buffer_append_text(&walk->done, "/");
		r = r < 0 ? r : buffer_append(&walk->done, name, length);
		if (r < 0)
			return r;
		buffer_consume(&walk->rest, skip + length);
		if (last && !follow)
			return 0;
		if (client_stat(client, buffer_text(&walk->done), NULL, &attr) < 0)
			return 0;
		type = json_string_value(json_object_get(attr, "type"));
		if (type && !strcmp(type, "link"))
			r = walk_link(walk, client, fault);
		json_decref(attr);
		return r;
	}
	buffer_consume(&walk->rest, skip + length);
	return 0;
}

int client_resolve(struct client *client, const char *path, bool follow, struct fault *fault, char **ret_path)
{
	CLEANUP(walk_done) struct walk walk = { 0 };
	char *result;
	int r = buffer_append_text(&walk.rest, path);

	while (r == 0 && walk.rest.size)
		r = walk_step(&walk, client, follow, fault);
	if (r < 0)
		return fault_default(fault, -r, "%s: %s", path, strerror(-r));
	result = strdup(walk.done.size ? walk.done.data : "/");
	if (!result)
		return fault_set(fault, ENOMEM, "no memory");
	*ret_path = result;
	return 0;
}

int client_file_open(
	struct client *client, const char *path, json_t *flags, struct fault *fault, int64_t *ret_handle)
{
	json_t *handle,
		*fields = json_pack("{sssosi}", "path", path, "flags", flags, "mode", less_umask(0666));
	int r = call_for(client, "open", fields, "handle", fault, &handle);

	if (r < 0)
		return r;
	*ret_handle = json_integer_value(handle);
	json_decref(handle);
	return 0;
}

ssize_t client_file_read(
	struct client *client, int64_t handle, int64_t offset, struct fault *fault, struct buffer *content)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	json_t *fields = json_pack(
		"{sIsIsi}", "handle", (json_int_t)handle, "offset", (json_int_t)offset, "size", CLIENT_READ);
	int r = client_call(client, "pread", fields, NULL, 0, fault, &answer);

	if (r == 0)
		r = buffer_append(content, answer.body.data, answer.body.size);
	return r < 0 ? r : (ssize_t)answer.body.size;
}

int client_file_write(struct client *client, int64_t handle, int64_t offset, const void *data, size_t size,
	struct fault *fault)
{
	const char *bytes = data;

	for (size_t done = 0; done < size;) {
		size_t n = size - done < CLIENT_CHUNK ? size - done : CLIENT_CHUNK;
		json_t *fields = json_pack("{sIsI}", "handle", (json_int_t)handle, "offset",
			(json_int_t)offset + (json_int_t)done);
		int r = client_call(client, "pwrite", fields, bytes + done, n, fault, NULL);

		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

int client_file_close(struct client *client, int64_t handle, struct fault *fault, int64_t *ret_run)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	json_t *fields = json_pack("{sI}", "handle", (json_int_t)handle);
	int r = client_call(client, "close", fields, NULL, 0, fault, &answer);

	if (ret_run)
		*ret_run = json_integer_value(json_object_get(answer.head, "run"));
	return r;
}

static int read_pieces(struct client *client, const char *path, struct fault *fault, struct buffer *content)
{
	int64_t handle, offset = 0;
	ssize_t n;
	int r = client_file_open(client, path, json_pack("[s]", "read"), fault, &handle);

	if (r < 0)
		return r;
	do {
		n = client_file_read(client, handle, offset, fault, content);
		offset += n > 0 ? n : 0;
	} while (n > 0);
	(void)client_file_close(client, handle, NULL, NULL);
	return n < 0 ? (int)n : 0;
}

int client_read(struct client *client, const char *path, struct fault *fault, struct buffer *content)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	int r = client_call(client, "read", json_pack("{ss}", "path", path), NULL, 0, fault, &answer);

	/* What does not fit into one answer comes in pieces. */
	if (r == -EFBIG || r == -EMSGSIZE)
		return read_pieces(client, path, fault, content);
	return r < 0 ? r : buffer_append(content, answer.body.data, answer.body.size);
}

static int write_pieces(struct client *client, const char *path, const void *data, size_t size,
	struct fault *fault, int64_t *ret_run)
{
	int64_t handle;
	int r = client_file_open(
		client, path, json_pack("[sss]", "write", "create", "truncate"), fault, &handle);
	int closed;

	if (r < 0)
		return r;
	r = client_file_write(client, handle, 0, data, size, fault);
	closed = client_file_close(client, handle, r < 0 ? NULL : fault, ret_run);
	return r < 0 ? r : closed;
}

int client_write(struct client *client, const char *path, const void *data, size_t size, struct fault *fault,
	int64_t *ret_run)
{
	CLEANUP(answer_done) struct answer answer = { 0 };
	int r;

	if (size > CLIENT_CHUNK)
		return write_pieces(client, path, data, size, fault, ret_run);
	r = client_call(client, "write", json_pack("{sssi}", "path", path, "mode", less_umask(0666)), data,
		size, fault, &answer);
	if (ret_run)
		*ret_run = json_integer_value(json_object_get(answer.head, "run"));
	return r;
}
