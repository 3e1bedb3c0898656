/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The backups of a home: verified copies of its database in HOME/backups, sloth-20261121T081502Z.db, each
 * with a manifest beside it, sloth-20261121T081502Z.json. What is being made there has another name, which
 * begins with a dot: a file with such a name as above is whole.
 *
 * Keys (HOME/keys) are no part of them: what is sealed in the database is sealed in its backups.
 *
 * Making and verifying one block for as long as they take: they are for children of the daemon, see upkeep.h.
 */
#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"

enum {
	BACKUP_NAME_SIZE = 40,	  /* with its NUL */
	BACKUP_REASON_MAX = 1024, /* bytes */
};

/* Why it was made. */
enum backup_kind {
	BACKUP_MANUAL,	 /* asked for; stays until somebody removes it */
	BACKUP_DAILY,	 /* by backup_interval */
	BACKUP_MIGRATION /* before the schema was changed */
};

struct backup_order {
	enum backup_kind kind;
	const char *reason; /* "": none */
	uid_t uid;	    /* who asked */
};

const char *backup_kind_name(enum backup_kind kind);
int backup_kind_parse(const char *name); /* or -EINVAL */

/* A backup's number follows from its name and is below 2^40. `name` may lack ".db". 0 or -ENOENT: it is no
 * backup's name. */
int backup_number(const char *name, int64_t *ret_number);
char *backup_name(int64_t number, char ret_name[BACKUP_NAME_SIZE]);
int64_t backup_time_ms(int64_t number);

/* The path of its file, or of what stands beside it (".json"); malloc'ed, NULL without memory. */
char *backup_path(const char *home, int64_t number, const char *suffix);

/* All that there are, oldest first, until `each` returns non-zero, which is returned. No folder: none. */
int backup_each(const char *home, int (*each)(void *userdata, int64_t number), void *userdata);
/* 0: none. */
int64_t backup_newest(const char *home);

/* {name, created, size, kind, reason, user, uid, schema, events, head, sha256, version}; what the manifest
 * does not say is missing. New reference; NULL when it is gone. */
json_t *backup_describe(const char *home, int64_t number);

int backup_remove(const char *home, int64_t number, struct fault *fault);
/* Removes the oldest of those that nobody asked for until `keep` of them are left. */
void backup_prune(const char *home, int64_t keep);
/* What those left who were killed in the middle of something. Only while nobody makes a backup. */
void backup_clean(const char *home);

/* Copies HOME/sloth.db, verifies the copy, and gives it its name. Nothing is left behind by a failure.
 * Faults: ENOSPC, EBADMSG (the database, or its copy, is damaged: what was found), EIO … */
int backup_make(const char *home, const struct backup_order *order, struct fault *fault, int64_t *ret_number);

/* Whether it is what it was when it was made, and in order. -EBADMSG with what is wrong. */
int backup_verify(const char *home, int64_t number, struct fault *fault);

/* The store's hook: a backup before its schema changes. */
int backup_before_upgrade(const char *path, int64_t version, struct fault *fault);
