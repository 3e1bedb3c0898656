/* SPDX-License-Identifier: MIT */
#pragma once
/* An open file. Shared by the files that make up the tree, and by nobody else. */
#include "engine/lock.h"
#include "fs/tree.h"

struct handle {
	TAILQ_ENTRY(handle) handles;
	TAILQ_ENTRY(handle) drafts; /* in it while `drafted` */
	struct node node;
	uint64_t number; /* by which it was opened */
	const struct entry *entry;
	struct engine *engine;
	uint64_t serial;
	int flags;	  /* of open(2) */
	const void *door; /* through which it was opened */
	pid_t opener;
	uid_t uid; /* the opener's */
	gid_t gid;
	bool removed; /* by unlink(2), when it had these: */
	struct attr last;
	size_t counted;	    /* bytes of `content` that his quota knows of */
	bool content_fixed; /* `content` is what this open shows */
	bool cached;	    /* the kernel's page cache may serve it, see content.h */
	bool same;	    /* … and has it already from an open before */
	bool secret;	    /* … which it never may: see struct entry, opened */
	bool drafted;	    /* `content` is what the writer sees, and not what is stored */
	bool dirty;	    /* `content` is a draft that was written to since the last commit */
	bool made;	    /* by this open there is the name of an editor's file or of a document to be */
	bool abandoned;	    /* who had it was killed */
	struct stream_mark mark;
	int64_t read_end; /* stream: where the last read ended; poll(2) is about what comes after */
	/* What it asked session locks for, at some time. */
	struct lock_target *targets;
	size_t target_count;
	int refused; /* -errno of the last commit; 0: it was stored, or there was none */
	int broken;  /* -errno of a write to the draft that failed: a part of it is not committed */
	struct buffer content;
	/* Control: `content` is what the commands gave back that were written since it was last read; it is
	 * read from where the last write ended. */
	bool answered, answer_read;
	int64_t answer_start;
	struct buffer begun; /* the beginning of a command whose end is in the next write */
	int64_t block_end;   /* where a write of blocks would have ended of which the rest comes yet */
};

enum {
	CONTROL_MAX = 64 << 10, /* bytes of a command */
	WRITE_BLOCK = 4096,	/* bytes: whoever writes in blocks (stdio, cat, cp) writes multiples of it */
};

/* control.c: as tree_write(), for a control file; -EFBIG, or what the row says. */
ssize_t control_write(struct tree *tree, struct request *request, struct handle *handle, int64_t offset,
	const char *data, size_t size);
/* What was written is all: a last line that ends with a block is done. */
int control_flush(struct tree *tree, struct request *request, struct handle *handle);
/* Such a line that nobody has flushed is not. */
void control_close(struct tree *tree, struct handle *handle);

/* draft.c */
void draft_begin(struct tree *tree, struct handle *handle);
void draft_end(struct tree *tree, struct handle *handle);
/* Corrects the attributes of a file that is being written. `handle`: the open file that is asked about; NULL:
 * the kernel doesn't say. */
void draft_attr(struct tree *tree, struct view *view, const struct handle *handle, struct attr *attr);
/* -EFBIG, with the sentence. */
int draft_too_large(struct tree *tree, struct request *request);
/* A file that was removed is there for whoever has it open, with the rights that it had: -ESTALE. */
void removed_note(struct tree *tree, struct node node, const struct attr *attr);
int removed_attr(struct tree *tree, struct node node, struct attr *ret_attr);

static inline bool handle_writes(const struct handle *handle)
{
	return (handle->flags & 3) != 0; /* O_WRONLY or O_RDWR */
}

/* What flock(2) on a lockable row locks. */
static inline struct lock_target entry_lock_target(const struct entry *entry, int64_t id)
{
	return entry->subject == SUBJECT_LOCK ? lock_of_name(id) : lock_of_stack(id);
}

/* waits.c */
void tree_waits_init(struct tree *tree);
void tree_waits_done(struct tree *tree);

/* flock.c: gives back all session locks of an open file; takes back a wait for one. */
int handle_unlock(struct tree *tree, struct handle *handle);
void handle_flock_cancel(struct request *request);

/* A scratch file that was renamed onto a document is that document now. */
struct node node_resolve(struct tree *tree, uint64_t number);

/* Who may do what with a row: everything but the size and the time of the last change, which cost more to
 * know. The time of its object stands in for its own. */
int entry_rights(struct view *view, const struct entry *entry, struct attr *ret_attr);
/* Everything but the size. */
int entry_attr(struct view *view, const struct entry *entry, struct attr *ret_attr);

/* The folder behind a number, which the caller must be allowed to use in this way (MAY_*). */
int tree_open_folder(struct tree *tree, struct request *request, uint64_t number, int want,
	struct view *ret_view, const struct entry **ret_entry);

/* A name in an opened folder: -ENOENT. */
int tree_find_child(struct tree *tree, struct view *folder, const struct entry *entry, const char *name,
	struct node *ret_node);

/* handle-quota.c: the size of its content has changed; whether the content may be stored. */
void handle_count(struct handle *handle);
int handle_storage_quota(struct view *view, const struct handle *handle);
/* Whether the caller may have one more file or folder open; `always` as in struct entry. */
int handle_quota(struct tree *tree, struct request *request, bool always);
/* Opens without asking for the right: for whoever has just made the file (open(2), O_CREAT). */
int handle_open(
	struct tree *tree, struct request *request, struct node node, int flags, struct handle **ret_handle);

/* opened.c: the instance of a row that waits, for who looks it up now. */
uint8_t handle_free_instance(struct tree *tree, struct node node, const struct caller *caller);

/* Renders a row; the buffer is the caller's. */
int entry_render(struct view *view, const struct entry *entry, struct buffer *ret_content);
