/* SPDX-License-Identifier: MIT */
#pragma once
/* What operations of faulty.c see: a home like that of the fuzzers, with more in it, and who asks. */
#include <stdbool.h>

#include "engine/quota.h"
#include "tests/fuzz/home.h"
#include "tests/fuzz/input.h"

struct play {
	struct home home;
	struct request request; /* the last one: its fault has the sentence */
	struct buffer text;	/* what was read */
	ssize_t answer;		/* of what was answered later */
	bool answered;
	bool restarts; /* the operation has a part without an engine: it ends and begins one itself */
};

enum act {
	ACT_WRITE, /* open, write, close; a name that is not there is created */
	ACT_READ,
	ACT_LIST,
	ACT_MKDIR,
	ACT_RMDIR,
	ACT_UNLINK,
	ACT_RENAME,  /* to text */
	ACT_SYMLINK, /* with the target text */
	ACT_CHMOD,
	ACT_CHOWN,
	ACT_SETXATTR, /* user.sloth.…, to text */
	ACT_CALL,
};

struct operation {
	const char *name;
	enum act act;
	unsigned uid;
	const char *path;
	const char *text;
	const char *option;
	unsigned number;
	int (*call)(struct play *play);
	bool reads;	     /* nothing changes */
	int refused;	     /* it fails with this errno, and nothing changes; 0: it does not */
	enum quota quota;    /* … because the user has as much of this as he may */
	const char *control; /* this one is broken on purpose: what is found, so */
};

extern const struct operation operations[];
extern const size_t operation_count;

/* What is in the model beyond the fuzzers'. */
void operations_prepare(struct play *play);

int play_do(struct play *play, const struct operation *operation);
