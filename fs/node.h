/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What a place in the tree is: a row of a table. A directory is a table of entries; each entry is one file,
 * link or folder (or, without a name, all those of one sort whose names come from the engine). Adding a file
 * to the tree is adding a row.
 *
 * A node is (object, table, row) in 64 bits: no inode table, no counting of lookups, and the same number
 * after a restart. The object is the id of the stack, run, task … that the row is about.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "engine/caller.h"
#include "engine/engine.h"

struct tree;
struct request;

struct node {
	int64_t id;	  /* of the object; 0: the system itself */
	uint8_t instance; /* see tree_lookup(): normally 0 */
	uint8_t table;	  /* of enum table */
	uint8_t row;
};

enum { NODE_ROOT = 1 };

static inline uint64_t node_number(struct node node)
{
	return (uint64_t)node.id << 24 | (uint64_t)node.instance << 16 | (uint64_t)node.table << 8 | node.row;
}

static inline struct node node_of(uint64_t number)
{
	return (struct node){
		.id = (int64_t)(number >> 24),
		.instance = (uint8_t)(number >> 16),
		.table = (uint8_t)(number >> 8),
		.row = (uint8_t)number,
	};
}

/* Folders that are of two things, a version and a type of resources say: both in one id, which is below 2^40.
 * The part is a number that the store has given to the second thing. */
enum { NODE_PART_BITS = 12, NODE_PART_MAX = (1 << NODE_PART_BITS) - 1 };

static inline int64_t node_pack(int64_t id, unsigned part)
{
	return id << NODE_PART_BITS | part;
}

static inline int64_t node_packed_id(int64_t packed)
{
	return packed >> NODE_PART_BITS;
}

static inline unsigned node_packed_part(int64_t packed)
{
	return (unsigned)packed & NODE_PART_MAX;
}

enum kind {
	KIND_DIRECTORY,
	KIND_TEXT,     /* content fixed at open; read-only */
	KIND_CONTROL,  /* reads like a text; one command a line, done before write(2) returns */
	KIND_DOCUMENT, /* reads like a text; checked and committed at close after a write, and at fsync */
	KIND_STREAM,   /* grows while it is read */
	KIND_WAIT,     /* a read blocks until the thing is over */
	KIND_LINK,
};

/* Who owns the thing behind a row, and when it changed. */
struct object {
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permission bits, with setgid and sticky, as of a folder */
	int64_t mtime_ms;
};

/* What a row's functions get to know about the request. */
struct view {
	struct tree *tree;
	struct engine *engine;
	struct caller *caller;
	struct fault *fault;
	int64_t id; /* the object's */
	struct node node;
	struct request *request;  /* for what answers later; NULL: it can't */
	struct buffer *answer;	  /* control: what the writer may read behind what it wrote */
	struct stream_mark *mark; /* stream: of the open file; NULL: there is none */
	mode_t made_mode;	  /* put(): of the file that its writer has made */
};

/* Returned by what answers later: the request's done() is called then. */
enum { LATER = -115 /* EINPROGRESS */ };

/* Where an open file of a stream stands, for streams that lose their beginning meanwhile: then its next read
 * goes on with what comes behind the last one, although that has another offset now. The stream's own to
 * fill. */
struct stream_mark {
	bool known;
	int64_t base;	/* where the stream began */
	int64_t shift;	/* the file's offsets are so much larger than the stream's */
	int64_t end;	/* where the last read ended, in the file's */
	int64_t next;	/* what comes there, */
	int64_t inside; /* … and how much of that was read already */
};

struct stream {
	/* Bytes so far, as this caller may see them, or -errno. */
	int64_t (*size)(struct view *view);
	/* Like pread(2). */
	ssize_t (*read)(struct view *view, int64_t offset, char *ret_data, size_t size);
	/* Whether it will never grow again. */
	bool (*ended)(struct view *view);
};

struct directory;

/* An extended attribute of a row: user.sloth.NAME. */
struct attribute {
	const char *name; /* NULL ends a table */
	/* -ENODATA: there is none now. */
	int (*get)(struct view *view, FILE *out);
	/* `value` has a NUL behind it that does not count; NULL: the attribute is removed. In a change. */
	int (*set)(struct view *view, const char *value, size_t size);
};

/* Takes one name of a listing and the id behind it; what is not 0 ends the listing, which gives it on. */
typedef int node_emit(void *userdata, const char *name, int64_t id);

struct entry {
	const char *name; /* NULL: see find and each */
	const char *help; /* a few words, for README and the manual's test */
	enum kind kind;
	mode_t mode; /* what the row allows at most; the object's mode narrows it */
	enum subject subject;
	unsigned aspects; /* changes of these alter what is shown here */
	bool always;	  /* can be opened by who has too many files open: it says what is the matter */
	bool fleeting;	  /* each caller or moment sees another: nothing of it is cached */
	bool unlinkable;  /* a document that editors replace: it may be removed and made anew */
	bool slow;	  /* commit() and put() may be LATER */
	bool waits;    /* a command written here may wait for its answer, and others must not wait with it */
	bool lockable; /* flock(2) locks the stack, or the named lock */
	const struct directory *directory;

	int (*object)(struct view *view, struct object *ret_object);
	int64_t (*stamp)(struct view *view);	   /* when it changed last, ms; NULL: the object's time */
	int (*show)(struct view *view, FILE *out); /* text, control, document, wait, link */
	/* How many bytes show() would give, where that is known without them; NULL: it is not. */
	int64_t (*size)(struct view *view);
	/* Each open(2), in a change: `reads` says what for. 1: the content is a secret, which no cache keeps.
	 */
	int (*opened)(struct view *view, bool reads);
	/* wait: when done() says 1, show() has the content. */
	int (*done)(struct view *view);
	/* wait, instead of done() and show(): begins what makes the content, and says LATER; or gives it at
	 * once (0). Later, request_content() gives it. show() then only says what is likely, for
	 * the size. */
	int (*ask)(struct view *view, struct buffer *ret_content);
	int (*write)(struct view *view, const char *line, size_t size);	    /* control: may be LATER */
	int (*commit)(struct view *view, const char *content, size_t size); /* document: may be LATER */
	const struct stream *stream;
	int (*remove)(struct view *view); /* unlink, rmdir */
	int (*rename)(struct view *view, const char *name);
	int (*chmod)(struct view *view, mode_t mode);
	int (*chown)(struct view *view, uid_t uid, gid_t gid);
	/* What can be read and written as extended attributes. A file that is about to be made gets them when
	 * it has its first content. */
	const struct attribute *attributes;
	/* Extended attributes that can be written only, user.sloth.OPTION: words for what comes of the next
	 * content. `file` is NULL, or the name of a file that is about to be made in the folder that the view
	 * is of. */
	int (*set_option)(
		struct view *view, const char *file, const char *option, const char *value, size_t size);
	/* They are for the next content: a writer that is closed takes them along, used or not. `file` as
	 * above. */
	void (*forget_options)(struct view *view, const char *file);

	/* Rows without a name. The view is of the folder; ids are of what is in it. */
	int (*find)(struct view *folder, const char *name, int64_t *ret_id); /* -ENOENT: not one of mine */
	int (*each)(struct view *folder, node_emit *emit, void *userdata);
	/* mkdir(2); of a row that is no folder, open(2) with O_CREAT: the file is there at once. */
	int (*make)(struct view *folder, const char *name, mode_t mode, int64_t *ret_id);
	/* symlink(2). The target as it was given: what it means is for the row to find out. */
	int (*link)(struct view *folder, const char *name, const char *target, int64_t *ret_id);
	/* A document comes into being with its first content; before, it is a scratch file. May be LATER,
	 * with the id known. */
	int (*put)(struct view *folder, const char *name, const char *content, size_t size, int64_t *ret_id);
	bool (*takes)(const char *name); /* which names put() is for; NULL: all valid ones */
};

struct directory {
	const struct entry *entries;
	size_t count;
	bool scratch; /* editors may keep temporary files here */
};

#define DIRECTORY(table)                                                                                     \
	{                                                                                                    \
		.entries = (table), .count = sizeof(table) / sizeof((table)[0])                              \
	}

/* All tables. The numbers are part of inode numbers: append only. */
enum table {
	TABLE_ROOT, /* one row: the root itself */
	TABLE_TOP,
	TABLE_STACKS,
	TABLE_STACK,
	TABLE_OUTPUTS,
	TABLE_STACK_STATE,
	TABLE_STACK_RUNS,
	TABLE_RUNS,
	TABLE_RUN,
	TABLE_RUN_OUTPUTS,
	TABLE_TASKS,
	TABLE_TASK,
	TABLE_STATE,
	TABLE_NAMESPACE,
	TABLE_SCRATCH,
	TABLE_STACK_TAGS,
	TABLE_TAGS,
	TABLE_TAG,
	TABLE_DEPS,
	TABLE_DEPENDENTS,
	TABLE_RESOURCES,
	TABLE_RESOURCE_TYPE,
	TABLE_RESOURCE,
	TABLE_SNAPSHOTS,
	TABLE_AT,
	TABLE_VERSION,
	TABLE_VERSION_OUTPUTS,
	TABLE_VERSION_STATE,
	TABLE_VERSION_TAGS,
	TABLE_VERSION_DEPS,
	TABLE_VERSION_RESOURCES,
	TABLE_VERSION_TYPE,
	TABLE_COMPARE,
	TABLE_LOCKS,
	TABLE_SECRETS,
	TABLE_GRAPH,
	TABLE_DESTROYED,
	TABLE_DESTROYED_STACK,
	TABLE_BACKUPS,
	TABLE_RUN_ARTIFACTS,
	TABLE_RUN_ARTIFACT_FOLDER,
	TABLE_TASK_ARTIFACTS,
	TABLE_TASK_ARTIFACT_FOLDER,
	TABLE_ATTEMPTS,
	TABLE_ATTEMPT,
	TABLE_SAVED,
	TABLE_SAVED_ONE,
	TABLE_DRIFT,
	TABLE_COUNT,
};

extern const struct directory *const directories[TABLE_COUNT];

static inline const struct entry *node_entry(struct node node)
{
	if (node.table >= TABLE_COUNT || !directories[node.table] ||
		node.row >= directories[node.table]->count)
		return NULL;
	return &directories[node.table]->entries[node.row];
}

/* The number of a table in `directories`. */
uint8_t directory_table(const struct directory *directory);
