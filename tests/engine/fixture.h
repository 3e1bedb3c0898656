/* SPDX-License-Identifier: MIT */
#pragma once
/* An engine in a folder of its own, for each test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>
#include <jansson.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "engine/engine.h"
#include "engine/stack.h"

struct fixture {
	char home[64];
	char database[96];
	struct ev_loop *loop;
	struct engine *engine;
	struct fault fault;
	/* Three people; alice and bob have no group in common. Root and alice are this process, bob is
	 * another that does nothing. */
	struct caller root, alice, bob;
	int stranger; /* keeps bob's process */
};

/* For cmocka_unit_test_setup_teardown(). */
int fixture_new(void **state);
int fixture_free(void **state);

/* Ends the turn, the engine and starts it again. */
void fixture_restart(struct fixture *fixture);
/* Runs the loop until nothing is left to do at once, and ends the turn, which must succeed. */
void fixture_turn(struct fixture *fixture);

/* A stack of alice's, mode 0775 with root's group. */
int64_t fixture_stack(struct fixture *fixture, const char *name);

/* An output of alice's; the value is stolen. */
void fixture_output(struct fixture *fixture, int64_t stack_id, const char *name, json_t *value);

/* The number that a SELECT gives, after the turn's end. */
int64_t fixture_query(struct fixture *fixture, const char *sql);
/* Changes the database behind the engine's back, and starts that again. */
void fixture_sql(struct fixture *fixture, const char *sql);

/* Removes a folder with all that is in it. */
void folder_remove(const char *path);

/* What `write` prints; free() it. */
#define SHOWN(...)                                                                                           \
	__extension__({                                                                                      \
		char *shown_ = NULL;                                                                         \
		size_t shown_size_ = 0;                                                                      \
		FILE *out = open_memstream(&shown_, &shown_size_);                                           \
		assert_non_null(out);                                                                        \
		__VA_ARGS__;                                                                                 \
		fclose(out);                                                                                 \
		shown_;                                                                                      \
	})

#define assert_contains(text, part)                                                                          \
	do {                                                                                                 \
		if (!strstr((text), (part)))                                                                 \
			fail_msg("\"%s\" is not in \"%s\"", (part), (text));                                 \
	} while (0)

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, fixture_free)
