/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The tree: names → nodes, permissions, errors, open files. It knows nothing of FUSE or sockets: the doors
 * call it with a request, and both get the same results.
 *
 * One thread. Results are 0 (or a count) or -errno. LATER means that request->done() will be called, once,
 * from the loop; until then tree_cancel() takes the request back.
 */
#include <sys/queue.h>

#include "fs/node.h"

struct attr {
	uint64_t number;
	enum kind kind;
	mode_t mode; /* with the type bits */
	uid_t uid;
	gid_t gid;
	int64_t size;
	int64_t mtime_ms;
	bool fleeting;	/* attributes must not be cached */
	bool drafted;	/* somebody is writing it: its writer sees another size */
	bool removed;	/* it has no name any more, but is open */
	bool renamable; /* the name must not be cached: editors rename this about */
	bool postponed; /* the door's: told late, so that nothing of it may be cached */
};

/* One operation of one caller. Made by a door; lives until it is answered. */
struct request {
	struct caller caller;
	struct fault fault;
	void (*done)(struct request *request, ssize_t result);
	const void *door;	  /* through which it came, see tree_close_door() */
	bool from_kernel;	  /* whose pages may serve what is opened, see content.h */
	int64_t started_run;	  /* set by a commit that started a run; 0: none */
	uint64_t memory_failures; /* outcome.h's: so far, when it began */

	/* The tree's, while the request waits. `cancel` undoes `pending`; `after` runs before done(). */
	struct tree *tree;
	TAILQ_ENTRY(request) waiting;
	bool is_waiting, refused;
	void (*cancel)(struct request *request);
	void (*after)(struct request *request, ssize_t result);
	void *pending;
	struct handle *handle;
	char *data; /* where a waiting read puts its bytes */
	size_t size;
	int64_t offset;		 /* from where it reads */
	uint64_t number, target; /* rename: the scratch file, and the document that it becomes */
};
TAILQ_HEAD(request_list, request);

struct handle;
struct watch;
struct scratch_table;
struct stack_list;
struct errors;
struct content_table;
struct event_readers;
struct option;
struct comparisons;

enum { LOOKED_UP = 64 };

struct tree {
	struct engine *engine;
	struct stack_list *stack_list; /* nodes/stack-list.c's */
	struct runners *runners;       /* may be NULL: nothing can be run (tests of the tree alone) */
	struct upkeep *upkeep;	       /* may be NULL, too */
	struct scratch_table *scratch;
	struct errors *errors;
	struct content_table *contents;
	TAILQ_HEAD(, handle) handles;
	TAILQ_HEAD(, handle) drafts; /* those of them that were written to */
	struct request_list waits;   /* requests that said LATER */
	ev_timer refusing;	     /* of those, what is beyond a quota */
	TAILQ_HEAD(, watch) watches;
	uint64_t last_handle;
	int64_t started_ms;
	struct event_readers *event_readers;
	TAILQ_HEAD(, option) options;	 /* of runs that are about to be submitted, see nodes/workflows.c */
	struct comparisons *comparisons; /* of versions, see nodes/compare.c */
	/* Who was given which number of a file on which writes wait, lately: see handle_free_instance(). */
	struct looked_up {
		struct node node;
		pid_t pid;
		int64_t ms;
	} looked_up[LOOKED_UP];
	unsigned next_looked_up;
	int64_t access_generation; /* rises when somebody's access to a stack may have changed */
	uid_t uid;		   /* the daemon's */
	gid_t gid;
	/* A cached attribute is out of date / a name that the kernel may remember is gone. Set by the FUSE
	 * door. */
	void (*stale)(void *userdata, uint64_t number);
	void (*gone)(void *userdata, uint64_t parent, const char *name);
	void *userdata;
};

int tree_new(struct engine *engine, struct tree **ret_tree);
void tree_free(struct tree *tree);

/* The engine's listener: tells the doors, wakes who waits. */
void tree_changed(void *tree, const struct change *change);

/* Whether what is told of the node at this moment (that there is this name in its folder, attributes, whether
 * it can be opened, what stands in it where handle_cached()) is as on disk, whatever else was changed in this
 * turn: who asks for that need not wait for others' changes to be stored. */
bool tree_is_settled(const struct tree *tree, uint64_t number);

/* -ENOENT, -EACCES (the folder's x), -ENAMETOOLONG, -ESTALE (the folder is gone). */
int tree_lookup(
	struct tree *tree, struct request *request, uint64_t parent, const char *name, struct attr *ret_attr);
/* Walks an absolute path without following links. */
int tree_walk(struct tree *tree, struct request *request, const char *path, struct attr *ret_attr);
/* The folder of a path and the last name in it (points into `path`). */
int tree_walk_parent(struct tree *tree, struct request *request, const char *path, uint64_t *ret_parent,
	const char **ret_name);
/* `handle` may be NULL. */
int tree_getattr(struct tree *tree, struct request *request, uint64_t number, struct handle *handle,
	struct attr *ret_attr);
int tree_chmod(struct tree *tree, struct request *request, uint64_t number, mode_t mode);
int tree_chown(struct tree *tree, struct request *request, uint64_t number, uid_t uid, gid_t gid);
int tree_truncate(
	struct tree *tree, struct request *request, uint64_t number, struct handle *handle, int64_t size);
/* Extended attributes, with their whole name: user.sloth.ttl. `value` NULL removes it. -ENOTSUP for names
 * that have no meaning here, -ENODATA for those that have none now. */
int tree_set_option(struct tree *tree, struct request *request, uint64_t number, const char *name,
	const char *value, size_t size);
int tree_get_option(struct tree *tree, struct request *request, uint64_t number, const char *name,
	struct buffer *ret_value);
/* Their names, each with a NUL behind it (listxattr(2)). */
int tree_list_options(struct tree *tree, struct request *request, uint64_t number, struct buffer *ret_names);
/* Whether a node can have any at all: the kernel asks about most files that it opens. */
bool tree_has_options(struct tree *tree, uint64_t number, const char *name);
int tree_readlink(struct tree *tree, struct request *request, uint64_t number, struct buffer *ret_target);
/* emit() gets each name; it may return non-zero to stop. */
int tree_list(struct tree *tree, struct request *request, uint64_t number,
	int (*emit)(void *userdata, const char *name, uint64_t child, enum kind kind), void *userdata);

int tree_mkdir(struct tree *tree, struct request *request, uint64_t parent, const char *name, mode_t mode,
	struct attr *ret_attr);
int tree_rmdir(struct tree *tree, struct request *request, uint64_t parent, const char *name);
int tree_unlink(struct tree *tree, struct request *request, uint64_t parent, const char *name);
/* May be LATER: a rename onto a workflow starts it. */
int tree_rename(struct tree *tree, struct request *request, uint64_t parent, const char *name,
	uint64_t new_parent, const char *new_name, bool noreplace);
int tree_symlink(struct tree *tree, struct request *request, uint64_t parent, const char *name,
	const char *target, struct attr *ret_attr);

/* `flags` as of open(2): the access mode, O_TRUNC, O_APPEND. */
int tree_open(
	struct tree *tree, struct request *request, uint64_t number, int flags, struct handle **ret_handle);
int tree_create(struct tree *tree, struct request *request, uint64_t parent, const char *name, mode_t mode,
	int flags, struct handle **ret_handle, struct attr *ret_attr);
/* Bytes read into `data`, which must stay until the answer. LATER for wait files. */
ssize_t tree_read(struct tree *tree, struct request *request, struct handle *handle, int64_t offset,
	char *data, size_t size);
ssize_t tree_write(struct tree *tree, struct request *request, struct handle *handle, int64_t offset,
	const char *data, size_t size);
/* The times of a file are set. They are what they are; but a document that is being made will be there when
 * it is closed, without a content if it got none: touch(1). */
void tree_touch(struct tree *tree, const struct request *request, uint64_t number);
/* Commits what was written since the last commit; nothing else. LATER for workflows. */
int tree_flush(struct tree *tree, struct request *request, struct handle *handle);
/* Drops the handle, a draft that was not flushed, and its session lock. */
void tree_release(struct tree *tree, struct request *request, struct handle *handle);
/* A door is closed (a mount cut off, a client gone), and nobody will tell what becomes of what came through
 * it: its requests that wait are cancelled, its handles released. */
void tree_close_door(struct tree *tree, const void *door);
/* `operation`: LOCK_SH, LOCK_EX, LOCK_UN, with LOCK_NB (flock(2)). */
int tree_flock(struct tree *tree, struct request *request, struct handle *handle, int operation);
/* The same for several, whatever file the handle is of: they go with it. Words as of struct lock_request;
 * wait_ms 0: for ever. */
struct lock_target;
struct flock_words {
	const struct lock_target *targets;
	size_t count;
	const char *reason, *operation;
	int64_t wait_ms;
};
int tree_flock_all(struct tree *tree, struct request *request, struct handle *handle, int operation,
	const struct flock_words *words);

/* Takes a waiting request back: its done() is called with -EINTR before this returns. */
void tree_cancel(struct request *request);

/* How a door shows an open file: its content is a copy of this open (never cached by the kernel), or may be
 * cached, and whether it is the same as that of the open before. */
enum { HANDLE_DIRECT = 1, HANDLE_SAME = 2, HANDLE_STREAM = 4, HANDLE_COMMITS = 8 };
unsigned handle_hints(const struct handle *handle);
/* What the commands gave back that were written last; NULL: nothing was written. */
const struct buffer *handle_answer(const struct handle *handle);
/* Something was written, or a document's name made, that is not stored. */
bool handle_half_done(struct tree *tree, const struct handle *handle);
/* It shows what the kernel may keep: the same to everybody, as long as nothing of it changes. */
bool handle_cached(const struct handle *handle);
/* Who was at it is gone, and nobody will finish it: what was written is dropped, and with the handle the name
 * that it made. */
void handle_discard(struct tree *tree, struct handle *handle);
/* Where it was opened to make something that was refused, the name goes, too. */
void handle_drop_scratch(struct tree *tree, struct handle *handle);
uint64_t handle_number(const struct handle *handle);
int64_t handle_polled_offset(const struct handle *handle);

/* Calls `wake` (from the loop, after a commit) whenever the stream behind a handle may have grown or ended,
 * and, with the handle set to NULL, when the handle is released. `wake` may free its own watch and no other.
 */
struct watch {
	TAILQ_ENTRY(watch) watches;
	struct handle *handle; /* NULL: not watching, or a place */
	uint64_t place;	       /* the number of a node, with `handle` NULL: what it shows; 0: not watching */
	void (*wake)(struct watch *watch);
	void *userdata;
};
void tree_watch(struct tree *tree, struct watch *watch, struct handle *handle);
/* The same for whatever stands at a place, a folder too: `wake` is called when that may have changed. */
void tree_watch_place(struct tree *tree, struct watch *watch, uint64_t number);
void tree_unwatch(struct tree *tree, struct watch *watch);
/* The watch of this kind on a handle, or NULL. */
struct watch *tree_find_watch(struct tree *tree, struct handle *handle, void (*wake)(struct watch *watch));
/* 1: more than `offset` bytes are there, or it has ended; *ret_end says which. */
int tree_stream_ready(
	struct tree *tree, struct request *request, struct handle *handle, int64_t offset, bool *ret_end);

/* For the functions behind rows: marks the request as waiting, and answers it later. `cancel` may be NULL. */
int request_later(struct request *request, void (*cancel)(struct request *request), void *pending);
void request_finish(struct request *request, ssize_t result);
/* Answers a read that ask() has put off: with the content, which is taken, or -errno. */
void request_content(struct request *request, int result, struct buffer *content);

struct view tree_view(struct tree *tree, struct request *request, struct node node);
/* The entry's owner, mode and time, with the row's mode applied: -ESTALE when the object is gone. */
int tree_attr(struct tree *tree, struct view *view, struct attr *ret_attr);
