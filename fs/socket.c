/* SPDX-License-Identifier: MIT */
/* The door for clients: who comes, who goes, and how they are answered. Every answer goes through the turn.
 */
#include "fs/socket-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/quota.h"
#include "fs/outcome.h"

static void client_free(struct client *client)
{
	struct door *door = client->door;

	TAILQ_REMOVE(&door->clients, client, clients);
	door->client_count--;
	quota_use(door->tree->engine, client->caller.uid, QUOTA_CONNECTIONS, -1);
	conn_done(&client->conn);
	caller_done(&client->caller);
	if (client->answered_much)
		malloc_trim(0);
	free(client);
}

static void op_free(struct op *op)
{
	struct client *client = op->client;

	TAILQ_REMOVE(&client->ops, op, ops);
	client->op_count--;
	caller_done(&op->request.caller);
	json_decref(op->head);
	json_decref(op->answer);
	buffer_done(&op->body);
	buffer_done(&op->input);
	free(op);
	if (client->gone && !client->closing && TAILQ_EMPTY(&client->ops))
		client_free(client);
}

static void op_send(struct turn_reply *reply, int error)
{
	struct op *op = (struct op *)((char *)reply - offsetof(struct op, reply));
	ssize_t result = error < 0 ? error : op->result;
	CLEANUP(cleanup_free) char *text = NULL;
	uint64_t failures = memory_failures();
	json_t *answer = op->answer;

	if (op->request.started_run)
		json_object_set_new(answer, "run", json_integer(op->request.started_run));
	if (error < 0)
		request_undone(&op->request, error);
	if (result < 0) {
		const char *sentence = op->request.fault.text;

		json_object_set_new(answer, "errno", json_string(fault_errno_name((int)-result)));
		json_object_set_new(
			answer, "text", json_string(*sentence ? sentence : strerror((int)-result)));
		buffer_done(&op->body);
	} else {
		json_object_set_new(answer, "ok", json_true());
	}
	json_object_set_new(answer, "id", json_integer(op->id));
	text = json_dumps(answer, JSON_COMPACT);
	if ((text ? strlen(text) : 0) + op->body.size > MUCH)
		op->client->answered_much = true;
	if (!op->client->gone) {
		/* Without an answer the client would wait for ever; when it is cut off, it knows that it does
		 * not know. */
		if (!text || failures != memory_failures() ||
			conn_send(&op->client->conn, text, strlen(text), op->body.data, op->body.size) < 0 ||
			conn_pending(&op->client->conn) > UNSENT_MAX)
			shutdown(op->client->conn.fd, SHUT_RDWR);
	}
	op_free(op);
}

static void op_done(struct request *request, ssize_t result)
{
	struct op *op = (struct op *)request;

	if (op->then) {
		ssize_t (*then)(struct op *, ssize_t) = TAKE(op->then);

		result = then(op, result);
		if (result == LATER)
			return;
	}
	if (op->handle && result < 0 && op->all_or_nothing)
		handle_drop_scratch(request->tree, op->handle);
	if (op->handle) {
		tree_release(request->tree, request, op->handle);
		op->handle = NULL;
	}
	op->result = request_outcome(request, result);
	op->reply.send = op_send;
	turn_reply(op->client->door->turn, &op->reply);
}

static void op_finish(struct op *op, ssize_t result)
{
	if (result != LATER)
		op_done(&op->request, result);
}

static ssize_t op_run(struct op *op, const struct frame *frame)
{
	const char *name = json_string_value(json_object_get(op->head, "op"));
	const struct operation *operation = name ? operation_find(name) : NULL;
	const char *path = json_string_value(json_object_get(op->head, "path"));
	ssize_t result;

	if (op->client->op_count > PENDING_MAX)
		return fault_set(&op->request.fault, EAGAIN, "%d requests of this connection are waiting",
			PENDING_MAX);
	if (!name)
		return fault_set(&op->request.fault, EINVAL, "a request is a JSON object with \"op\"");
	if (!operation)
		return fault_set(
			&op->request.fault, ENOSYS, "the operation \"%s\" is unknown to this daemon", name);
	result = operation->run(op, frame);
	if ((result == -EACCES || result == -ENOENT) && path)
		op_explain(op, (int)-result, path);
	return result;
}

static struct op *op_new(struct client *client, json_t *head)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->client = client;
	op->head = head;
	op->answer = json_object();
	op->id = json_integer_value(json_object_get(head, "id"));
	op->request.tree = client->door->tree;
	op->request.done = op_done;
	request_begin(&op->request);
	if (!op->answer || caller_copy(&client->caller, &op->request.caller) < 0) {
		json_decref(op->answer);
		free(op);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&client->ops, op, ops);
	client->op_count++;
	return op;
}

static void client_frame(struct conn *conn, const struct frame *frame)
{
	struct client *client = conn->userdata;
	uint64_t failures = memory_failures();
	json_t *head = json_loadb(frame->head, frame->head_size, JSON_REJECT_DUPLICATES, NULL);
	struct op *op;

	if (failures != memory_failures()) {
		json_decref(head);
		shutdown(conn->fd, SHUT_RDWR);
		return;
	}
	if (!json_is_object(head)) {
		json_decref(head);
		head = json_object(); /* answered by: the request needs "op" */
	}
	op = op_new(client, head);
	if (!op) {
		json_decref(head);
		shutdown(conn->fd, SHUT_RDWR);
		return;
	}
	op_finish(op, op_run(op, frame));
}

void client_leave(struct client *client, struct op *last)
{
	struct tree *tree = client->door->tree;
	struct request request = { .tree = tree, .caller = client->caller };
	struct open_file *file;
	struct op *op, *next;

	client->gone = client->closing = true;
	conn_done(&client->conn);
	for (op = TAILQ_FIRST(&client->ops); op; op = next) {
		next = TAILQ_NEXT(op, ops);
		if (op != last && op->request.is_waiting)
			tree_cancel(&op->request);
	}
	while ((file = TAILQ_FIRST(&client->files))) {
		TAILQ_REMOVE(&client->files, file, files);
		client->file_count--;
		handle_discard(tree, file->handle);
		tree_release(tree, &request, file->handle);
		free(file);
	}
	listing_end(client);
	client->closing = false;
	if (TAILQ_EMPTY(&client->ops))
		client_free(client);
}

static void client_closed(struct conn *conn, int error)
{
	client_leave(conn->userdata, NULL);
}

static const struct conn_callbacks client_callbacks = { client_frame, client_closed };

/* Who is there: the kernel says (unix(7)). */
static int peer_identify(int fd, struct caller *ret_caller)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials), groups_size = 0;
	CLEANUP(cleanup_free) gid_t *groups = NULL;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &groups_size) < 0 && errno != ERANGE)
		return -errno;
	groups = malloc(groups_size ? groups_size : sizeof(gid_t));
	if (!groups)
		return -ENOMEM;
	if (groups_size && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
		return -errno;
	*ret_caller = (struct caller){
		.uid = credentials.uid,
		.gid = credentials.gid,
		.pid = credentials.pid,
		.group_count = groups_size / sizeof(gid_t),
		.groups_known = true,
	};
	ret_caller->groups = TAKE(groups);
	return 0;
}

/* An answer to no request, which is the last thing that comes. */
static void client_refuse(int fd, struct fault *fault)
{
	json_auto_t *head =
		json_pack("{s:s, s:s}", "errno", fault_errno_name(fault->code), "text", fault->text);
	CLEANUP(cleanup_free) char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;

	if (text)
		frame_send(fd, text, strlen(text), NULL, 0);
}

static void door_paused(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct door *door = timer->data;

	ev_io_start(loop, &door->acceptable);
}

static void door_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct door *door = io->data;
	struct engine *engine = door->tree->engine;
	int r, fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct fault fault = { 0 };
	struct client *client;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
		/* The connection stays in the queue and would wake us for ever. */
		ev_io_stop(loop, io);
		ev_timer_start(loop, &door->pause);
	}
	if (fd < 0)
		return;
	client = calloc(1, sizeof(*client));
	r = client ? peer_identify(fd, &client->caller) : -ENOMEM;
	if (r == 0) {
		r = quota_check(engine, client->caller.uid, QUOTA_CONNECTIONS, 1, &fault);
		if (r < 0)
			client_refuse(fd, &fault);
	}
	if (r < 0) {
		if (client)
			caller_done(&client->caller);
		free(client);
		close(fd);
		return;
	}
	quota_use(engine, client->caller.uid, QUOTA_CONNECTIONS, 1);
	client->door = door;
	TAILQ_INIT(&client->files);
	TAILQ_INIT(&client->ops);
	TAILQ_INSERT_TAIL(&door->clients, client, clients);
	door->client_count++;
	conn_init(&client->conn, loop, fd, &client_callbacks, client);
	conn_share(&client->conn, &door->turn->fair, client->caller.uid);
}

/* A socket file that a dead daemon left is in the way of bind(2); that none lives is known by the database's
 * lock. */
static int listen_at(const char *path, struct fault *fault)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(cleanup_fd) int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return fault_set(
			fault, ENAMETOOLONG, "the path of the socket is too long for the system: %s", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	FAILPOINT("door.bind");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fault_set(fault, errno, "%s: %s", path, strerror(errno));
	FAILPOINT("door.bound");
	if (chmod(path, geteuid() == 0 ? 0666 : 0600) < 0 || listen(fd, 1024) < 0)
		return fault_set(fault, errno, "%s: %s", path, strerror(errno));
	return take_fd(&fd);
}

int door_open(const char *path, struct tree *tree, struct turn *turn, struct mount_context *mounts,
	struct ev_loop *loop, const char *home, struct fault *fault, struct door **ret_door)
{
	struct door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	*door = (struct door){ .loop = loop, .tree = tree, .turn = turn, .mounts = mounts, .home = home };
	TAILQ_INIT(&door->clients);
	door->path = strdup(path);
	r = door->path ? listen_at(path, fault) : -ENOMEM;
	if (r < 0) {
		free(door->path);
		free(door);
		return r;
	}
	door->fd = r;
	ev_io_init(&door->acceptable, door_acceptable, door->fd, EV_READ);
	door->acceptable.data = door;
	ev_timer_init(&door->pause, door_paused, 1, 0);
	door->pause.data = door;
	ev_io_start(loop, &door->acceptable);
	*ret_door = door;
	return 0;
}

void door_free(struct door *door)
{
	struct client *client;

	if (!door)
		return;
	ev_io_stop(door->loop, &door->acceptable);
	ev_timer_stop(door->loop, &door->pause);
	close(door->fd);
	unlink(door->path);
	while ((client = TAILQ_FIRST(&door->clients)) && !client->gone) {
		client_closed(&client->conn, 0);
		turn_end(door->turn);
	}
	free(door->path);
	free(door);
}

size_t door_clients(const struct door *door)
{
	return door->client_count;
}
