/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The client's side of the daemon's socket (doc/protocol.md, "Clients"): blocking, one thread, no loop.
 *
 * Most of a program needs one question at a time: client_call() and the functions after it. Who asks several
 * things at once (or waits for something that may take long) uses client_send(), and client_next() for what
 * comes. Errors that the daemon gives come with its sentence in the fault.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "fs/place.h"

/* Bytes of content that go into one request, and that are asked for at a time: below FRAME_BODY_MAX with room
 * to spare. */
enum { CLIENT_CHUNK = 4 << 20, CLIENT_READ = 256 << 10 };

struct answer {
	int64_t id;	    /* of the request */
	json_t *head;	    /* owned; NULL: there is none */
	struct buffer body; /* owned */
	TAILQ_ENTRY(answer) link;
};

void answer_done(struct answer *answer);

/* 0, or the daemon's errno with its sentence. */
int answer_check(const struct answer *answer, struct fault *fault);

struct client {
	int fd;			   /* -1: not open */
	struct fault refusal;	   /* why the daemon did not let us in; code 0: it did */
	const struct place *place; /* where it may be started again; NULL: nowhere */
	int64_t last_id;
	bool unread; /* the daemon was gone before it had read the last request */
	struct buffer in;
	TAILQ_HEAD(, answer) arrived; /* before somebody asked for them */
};

/* `may_start`: where no daemon answers, starts one (start.h); then `place` must outlive the client.
 * -ENOTCONN: none answers. */
int client_open(struct client *ret_client, const struct place *place, bool may_start, struct fault *fault);
void client_close(struct client *client);

/* `fields` (an object) is stolen; NULL, what json_pack() gives for bytes that are no UTF-8, is -EINVAL.
 * Returns the request's id, which is positive, or -errno. */
int64_t client_send(struct client *client, const char *op, json_t *fields, const void *body, size_t size,
	struct fault *fault);

/* The answer to one request, however long it takes; others are kept for later. The answer's own errno is the
 * result.
 */
int client_receive(struct client *client, int64_t id, struct fault *fault, struct answer *ret_answer);

/* Whatever arrives next: 1; 0 after timeout_ms (-1: for ever); -EINTR on a signal; -ENOTCONN. The answer may
 * be a failure: see answer_check(). */
int client_next(struct client *client, int timeout_ms, struct fault *fault, struct answer *ret_answer);

/* Asks and waits. `ret_answer` may be NULL. When a daemon ends before it has read the first request, the next
 * one gets it. */
int client_call(struct client *client, const char *op, json_t *fields, const void *body, size_t size,
	struct fault *fault, struct answer *ret_answer);

/* The attributes as in the protocol; a new reference. */
int client_stat(struct client *client, const char *path, struct fault *fault, json_t **ret_attr);
/* List of {name, type, ino, attr?}; a new reference. */
int client_list(
	struct client *client, const char *path, bool attributes, struct fault *fault, json_t **ret_entries);
/* A folder, 0777 less the umask. Files are made with 0666 less the umask. */
int client_mkdir(struct client *client, const char *path, struct fault *fault);
/* The target, NUL-terminated; malloc'ed. */
int client_readlink(struct client *client, const char *path, struct fault *fault, char **ret_target);
/* Where links lead: a path without links, `.` and `..`; malloc'ed. A last part that does not exist is kept,
 * and the links of the last part are left alone unless `follow`. -ELOOP after 40. */
int client_resolve(
	struct client *client, const char *path, bool follow, struct fault *fault, char **ret_path);
/* Appends the whole content, whatever its size. */
int client_read(struct client *client, const char *path, struct fault *fault, struct buffer *content);
/* The whole content, as one transaction. The run that it started, or 0. */
int client_write(struct client *client, const char *path, const void *data, size_t size, struct fault *fault,
	int64_t *ret_run);

int client_file_open(
	struct client *client, const char *path, json_t *flags, struct fault *fault, int64_t *ret_handle);
/* Bytes appended to `content`; 0 at the end. */
ssize_t client_file_read(
	struct client *client, int64_t handle, int64_t offset, struct fault *fault, struct buffer *content);
int client_file_write(struct client *client, int64_t handle, int64_t offset, const void *data, size_t size,
	struct fault *fault);
/* Commits. The run that it started (also a refused one, /runs/ID/error), 0: none. */
int client_file_close(struct client *client, int64_t handle, struct fault *fault, int64_t *ret_run);
