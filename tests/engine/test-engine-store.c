/* SPDX-License-Identifier: MIT */
/* Turns and changes: what is kept, what is undone, what a full disk does. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/memory.h"
#include "engine/event.h"
#include "engine/audit.h"
#include "engine/kv.h"
#include "engine/store/private.h"

static int count_stack(void *userdata, const struct stack *stack)
{
	(*(int *)userdata)++;
	return 0;
}

static int stacks(struct fixture *f)
{
	int count = 0;

	assert_int_equal(stack_each(f->engine, "", count_stack, &count), 0);
	return count;
}

static void test_change_is_undone_alone(void **state)
{
	struct fixture *f = *state;
	struct store_change outer = { 0 }, inner = { 0 };

	fixture_stack(f, "before");
	assert_int_equal(store_change_begin(f->engine->store, &outer), 0);
	fixture_stack(f, "outer");
	assert_int_equal(store_change_begin(f->engine->store, &inner), 0);
	fixture_stack(f, "inner");
	assert_int_equal(stacks(f), 3);
	store_change_cancel(&inner);
	assert_int_equal(stacks(f), 2);
	assert_int_equal(store_change_end(&outer), 0);
	fixture_restart(f);
	assert_int_equal(stacks(f), 2);
}

static void test_outer_change_takes_inner_along(void **state)
{
	struct fixture *f = *state;
	struct store_change outer = { 0 };

	assert_int_equal(store_change_begin(f->engine->store, &outer), 0);
	fixture_stack(f, "inner");
	store_change_cancel(&outer);
	store_change_cancel(&outer); /* nothing to do any more */
	assert_int_equal(stacks(f), 0);
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(event_last(f->engine), 0);
}

static void test_dirty(void **state)
{
	struct fixture *f = *state;
	struct stack stack;

	assert_false(store_turn_dirty(f->engine->store));
	assert_int_equal(stack_find(f->engine, "none", &stack), -ENOENT);
	assert_false(store_turn_dirty(f->engine->store));
	fixture_stack(f, "a");
	assert_true(store_turn_dirty(f->engine->store));
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_false(store_turn_dirty(f->engine->store));
	/* A refusal leaves nothing that a reply would have to wait for. */
	assert_int_equal(stack_create(f->engine, &f->alice, "a", 0777, NULL, &stack), -EEXIST);
	assert_false(store_turn_dirty(f->engine->store));
}

static void pragma(struct fixture *f, const char *sql)
{
	assert_int_equal(sqlite3_exec(f->engine->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int fill(struct fixture *f, int64_t namespace_id, int *ret_done)
{
	char name[32];
	char *text = malloc(100001);
	json_t *value;
	int r = 0;

	assert_non_null(text);
	memset(text, 'x', 100000);
	text[100000] = '\0';
	value = json_string(text);
	for (*ret_done = 0; *ret_done < 1000 && r == 0; ++*ret_done) {
		snprintf(name, sizeof(name), "key%d", *ret_done);
		r = kv_set(f->engine, (struct kv_scope){ 0, namespace_id }, name, value, 0);
	}
	json_decref(value);
	free(text);
	return r;
}

static int count_key(void *userdata, const struct kv *kv, const char *value)
{
	(*(int *)userdata)++;
	return 0;
}

/* max_page_count is SQLite's own full disk: it fails in the same place with the same result. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	int64_t id;
	int done, keys = 0, r;
	struct stack stack;

	assert_int_equal(kv_namespace_create(f->engine, &f->alice, "n", 0755, NULL, &id), 0);
	assert_int_equal(engine_turn_end(f->engine), 0);
	pragma(f, "PRAGMA max_page_count = 400");
	fixture_stack(f, "lost");
	assert_int_equal(fill(f, id, &done), -ENOSPC);
	assert_true(done > 1);
	r = stack_create(f->engine, &f->alice, "after", 0777, NULL, &stack);
	if (r < 0) {
		/* SQLite gave the whole turn up: nothing of it may look as if it were there. */
		assert_int_equal(r, -ENOSPC);
		assert_int_equal(stack_find(f->engine, "lost", &stack), -ENOSPC);
		assert_true(store_turn_dirty(f->engine->store));
		assert_int_equal(engine_turn_end(f->engine), -ENOSPC);
		assert_int_equal(stack_find(f->engine, "lost", &stack), -ENOENT);
	} else {
		assert_int_equal(engine_turn_end(f->engine), 0);
	}
	pragma(f, "PRAGMA max_page_count = 1000000");
	fixture_stack(f, "again");
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(kv_each(f->engine, (struct kv_scope){ 0, id }, count_key, &keys), 0);
	assert_true(keys < done);
	assert_int_equal(event_verify(f->engine, NULL), 0);
	assert_int_equal(store_check(f->engine->store, NULL), 0);
}

/* No byte goes to any file any more: the commit itself fails, after everything looked well. */
static void test_commit_fails(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit, none;
	struct stack stack;
	int r;

	fixture_stack(f, "kept");
	assert_int_equal(engine_turn_end(f->engine), 0);
	fixture_stack(f, "lost");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = (struct rlimit){ 0, limit.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	r = engine_turn_end(f->engine);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_true(r == -EFBIG || r == -EIO || r == -ENOSPC);
	assert_int_equal(f->engine->failed_turns, 1);
	assert_int_equal(stack_find(f->engine, "lost", &stack), -ENOENT);
	fixture_stack(f, "next");
	fixture_restart(f);
	assert_int_equal(stacks(f), 2);
	assert_int_equal(event_verify(f->engine, NULL), 0);
}

/* The transaction vanishes in the middle of a turn, as after an I/O error. */
static void test_transaction_given_up(void **state)
{
	struct fixture *f = *state;
	struct store_change change = { 0 };
	struct stack stack;
	uint64_t undone = store_undo_count(f->engine->store);

	fixture_stack(f, "kept");
	assert_int_equal(engine_turn_end(f->engine), 0);
	fixture_stack(f, "lost");
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	pragma(f, "ROLLBACK");
	assert_true(stack_set_status(f->engine, 1, STACK_FAILED) < 0);
	assert_true(store_change_end(&change) < 0);
	assert_true(stack_create(f->engine, &f->alice, "after", 0777, NULL, &stack) < 0);
	assert_true(engine_turn_end(f->engine) < 0);
	assert_true(store_undo_count(f->engine->store) > undone);
	assert_int_equal(stack_find(f->engine, "lost", &stack), -ENOENT);
	assert_int_equal(stack_find(f->engine, "after", &stack), -ENOENT);
	assert_int_equal(stack_find(f->engine, "kept", &stack), 0);
	assert_int_equal(stack.status, STACK_CREATED);
	fixture_stack(f, "next");
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(event_verify(f->engine, NULL), 0);
	assert_int_equal(event_last(f->engine), 2);
}

static void test_ids_are_not_reused(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(stack_destroy(f->engine, &f->alice, id, NULL), 0);
	assert_true(fixture_stack(f, "a") > id);
}

static void test_check(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_check(f->engine->store, &f->fault), 0);
	pragma(f, "PRAGMA foreign_keys = OFF");
	pragma(f, "INSERT INTO task_tries (task_id, number, status, started_ms, finished_ms, error) VALUES "
		  "(77, 1, 'failed', 0, 0, '')");
	assert_int_equal(store_check(f->engine->store, &f->fault), -EBADMSG);
	assert_contains(f->fault.text, "task_tries");
}

struct noted {
	struct change changes[32];
	size_t count;
};

static void note(void *userdata, const struct change *change)
{
	struct noted *noted = userdata;

	noted->changes[noted->count++ % 32] = *change;
}

static void test_changes_are_told_after_the_turn(void **state)
{
	struct fixture *f = *state;
	struct noted noted = { 0 };
	int64_t id = fixture_stack(f, "a");

	assert_int_equal(engine_turn_end(f->engine), 0);
	f->engine->changed = note;
	f->engine->userdata = &noted;
	assert_int_equal(stack_set_status(f->engine, id, STACK_FAILED), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0700, NULL), 0);
	assert_int_equal(noted.count, 0);
	assert_int_equal(engine_turn_end(f->engine), 0);
	/* The stack's aspects in one, and the system's events. */
	assert_int_equal(noted.count, 2);
	for (size_t i = 0; i < noted.count; i++)
		if (noted.changes[i].subject == SUBJECT_STACK)
			assert_int_equal(noted.changes[i].aspects,
				ASPECT_STATUS | ASPECT_META | ASPECT_EVENTS | ASPECT_VERSIONS);
}

/* What was put together without a part of it is not stored. */
static void test_memory_runs_out(void **state)
{
	struct fixture *f = *state;
	struct store_change change = { 0 };

	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	memory_failed();
	fixture_stack(f, "a"); /* begun after it: an inner change that lacks nothing */
	assert_int_equal(store_change_end(&change), -ENOMEM);
	assert_int_equal(fixture_query(f, "SELECT COUNT(*) FROM stacks"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_change_is_undone_alone),
		TEST(test_outer_change_takes_inner_along),
		TEST(test_dirty),
		TEST(test_full_disk),
		TEST(test_commit_fails),
		TEST(test_transaction_given_up),
		TEST(test_ids_are_not_reused),
		TEST(test_check),
		TEST(test_changes_are_told_after_the_turn),
		TEST(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
