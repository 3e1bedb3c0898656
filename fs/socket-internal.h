/* SPDX-License-Identifier: MIT */
#pragma once
/* A client of the socket and its operations. Shared by socket.c (who comes and goes), socket-args.c (what was
 * asked) and the files of operations: socket-paths.c, socket-files.c, socket-ops.c (the rest). */
#include <jansson.h>

#include "base/conn.h"
#include "fs/socket.h"

enum {
	READ_MAX = 4 << 20,    /* bytes that one answer carries at most */
	UNSENT_MAX = 64 << 20, /* bytes for a client that does not read; then it is disconnected */
	HANDLES_MAX = 1024,    /* open files of a client */
	PENDING_MAX = 1024,    /* requests of a client that wait */
	MUCH = 128 << 10,      /* bytes of an answer that leave holes in the daemon's memory */
};

struct open_file {
	TAILQ_ENTRY(open_file) files;
	int64_t id;
	struct handle *handle;
};

struct door {
	struct ev_loop *loop;
	struct tree *tree;
	struct turn *turn;
	struct mount_context *mounts;
	const char *home; /* borrowed */
	char *path;
	int fd;
	ev_io acceptable;
	ev_timer pause; /* before connections are taken again, when there was no room for one */
	TAILQ_HEAD(, client) clients;
	size_t client_count;
};

struct client {
	TAILQ_ENTRY(client) clients;
	struct door *door;
	struct conn conn;
	struct caller caller;
	TAILQ_HEAD(, open_file) files;
	TAILQ_HEAD(op_list, op) ops;
	struct listing *listing; /* begun and not finished, NULL: none */
	size_t file_count, op_count;
	int64_t last_file, last_listing;
	bool answered_much; /* what that took is given back to the kernel when the client goes */
	bool gone;	    /* disconnected; freed when its last operation is answered */
	bool closing;	    /* … but not while client_closed() still works on it */
};

struct op {
	struct request request; /* first: the tree hands it back */
	TAILQ_ENTRY(op) ops;
	struct client *client;
	struct turn_reply reply;
	json_t *head;	/* what was asked */
	json_t *answer; /* what is answered beside ok */
	struct buffer body;
	struct buffer input; /* body of the request, where it is needed longer than the call */
	int64_t id;
	ssize_t result;
	struct handle *handle; /* opened for this operation alone */
	bool all_or_nothing;   /* … to make a file, which is not there when that fails */
	struct watch watch;
	ssize_t (*then)(struct op *op, ssize_t result); /* what comes after LATER */
};

/* Ends what the client has open and waits for. It is freed with its last operation; `last`, which may be
 * NULL, is the one that goes on. */
void client_leave(struct client *client, struct op *last);

/* Says why a path can't be used, where nobody has said it yet. code: ENOENT or EACCES. */
void op_explain(struct op *op, int code, const char *path);

/* One operation of the protocol: the result, or LATER. */
struct operation {
	const char *name;
	ssize_t (*run)(struct op *op, const struct frame *frame);
};

/* socket-plan.c */
ssize_t do_plan(struct op *op, const struct frame *frame);

/* socket-list.c */
ssize_t do_list(struct op *op, const struct frame *frame);
void listing_end(struct client *client);

/* The last row has no name. */
extern const struct operation path_operations[], file_operations[];

/* NULL: there is none of this name. */
const struct operation *operation_find(const char *name);

/* What was asked with: members of the head. Each gives 0 or -errno, with a sentence for the client. */
int op_text(struct op *op, const char *key, const char **ret_text);
int64_t op_int(struct op *op, const char *key, int64_t missing);
int op_file(struct op *op, struct open_file **ret_file);
/* What stands at "path". */
int op_node(struct op *op, struct attr *ret_attr);
/* The folder and the name of the path under `key`. */
int op_place(struct op *op, const char *key, uint64_t *ret_parent, char ret_name[256]);

/* "file", "dir" or "link". */
const char *kind_name(enum kind kind);
json_t *attr_json(const struct attr *attr);
