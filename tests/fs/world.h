/* SPDX-License-Identifier: MIT */
#pragma once
/* A tree without a mount, for each test: who walks, opens, reads and writes is a user's id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>
#include <ev.h>

#include "fs/tree.h"

enum { ALICE = 1001, BOB = 1002 };

struct world {
	char home[64];
	struct ev_loop *loop;
	struct engine *engine;
	struct tree *tree;
	struct request request;
	uint64_t stale[256]; /* what the kernel would have been told of */
	size_t stale_count;
	ssize_t answered; /* the last answer that came later */
	int answers;
};

extern struct world world;

/* For cmocka_unit_test_setup_teardown(). */
int world_setup(void **state);
int world_teardown(void **state);

/* What requests call that are answered later. */
void answered(struct request *request, ssize_t result);
/* A new request of this user. */
struct request *as(uid_t uid);
int walk(uid_t uid, const char *path, struct attr *ret_attr);
int make_stack(uid_t uid, const char *name, mode_t mode);
int open_path(uid_t uid, const char *path, int flags, struct handle **ret_handle);
/* What stands there, or the words for why not; good until the next one. */
const char *read_path(uid_t uid, const char *path);
int write_path(uid_t uid, const char *path, const char *content);
int create(uid_t uid, const char *folder_path, const char *name, struct handle **ret_handle);
int remove_name(uid_t uid, const char *folder_path, const char *name);
int rename_name(uid_t uid, const char *folder_path, const char *name, const char *new_name);

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
