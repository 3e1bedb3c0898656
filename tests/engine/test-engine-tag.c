/* SPDX-License-Identifier: MIT */
/* Tags: adding, removing, both directions, who sees them, refusals. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/lock.h"
#include "engine/tag.h"

static int add(struct fixture *f, struct caller *caller, int64_t stack_id, const char *name)
{
	int64_t id;

	return tag_add(f->engine, caller, stack_id, name, &f->fault, &id);
}

static int print_tag(void *userdata, const struct tag *tag)
{
	fprintf(userdata, "%s:%s ", tag->stack, tag->name);
	return 0;
}

static int print_word(void *userdata, const char *name, int64_t word_id)
{
	fprintf(userdata, "%s ", name);
	return 0;
}

static void test_both_directions(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), word;
	CLEANUP(cleanup_free) char *of_stack = NULL, *of_word = NULL, *words = NULL;
	struct tag tag;

	assert_int_equal(add(f, &f->alice, a, "production"), 0);
	assert_int_equal(add(f, &f->alice, a, "critical"), 0);
	assert_int_equal(add(f, &f->alice, b, "production"), 0);
	of_stack = SHOWN(tag_each(f->engine, a, print_tag, out));
	assert_string_equal(of_stack, "a:critical a:production ");
	assert_int_equal(tag_word_find(f->engine, &f->alice, "production", &word), 0);
	of_word = SHOWN(tag_bearer_each(f->engine, &f->alice, word, print_tag, out));
	assert_string_equal(of_word, "a:production b:production ");
	words = SHOWN(tag_word_each(f->engine, NULL, print_word, out));
	assert_string_equal(words, "critical production ");
	/* The stack's name is followed. */
	assert_int_equal(stack_rename(f->engine, &f->alice, b, "c", &f->fault), 0);
	assert_int_equal(tag_bearer_find(f->engine, NULL, word, "c", &tag), 0);
	assert_int_equal(tag.stack_id, b);
	assert_int_equal(tag_bearer_find(f->engine, NULL, word, "b", &tag), -ENOENT);
}

static void test_adding_twice_is_no_change(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), first, again, events;

	assert_int_equal(tag_add(f->engine, &f->alice, a, "x", &f->fault, &first), 0);
	events = event_last(f->engine);
	assert_int_equal(tag_add(f->engine, &f->alice, a, "x", &f->fault, &again), 0);
	assert_int_equal(first, again);
	assert_int_equal(event_last(f->engine), events);
}

/* A word goes with its last stack, by removal or by destruction. */
static void test_words_end(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), word;

	assert_int_equal(add(f, &f->alice, a, "x"), 0);
	assert_int_equal(add(f, &f->alice, b, "x"), 0);
	assert_int_equal(add(f, &f->alice, b, "y"), 0);
	assert_int_equal(tag_remove(f->engine, &f->alice, a, "x", &f->fault), 0);
	assert_int_equal(tag_remove(f->engine, &f->alice, a, "x", &f->fault), -ENOENT);
	assert_int_equal(tag_word_find(f->engine, NULL, "x", &word), 0);
	assert_int_equal(add(f, &f->alice, a, "y"), 0);
	assert_int_equal(stack_destroy(f->engine, &f->alice, b, &f->fault), 0);
	assert_int_equal(tag_word_find(f->engine, NULL, "x", &word), -ENOENT);
	assert_int_equal(tag_word_find(f->engine, NULL, "y", &word), 0);
	assert_int_equal(tag_remove(f->engine, &f->alice, a, "y", &f->fault), 0);
	assert_int_equal(tag_word_find(f->engine, NULL, "y", &word), -ENOENT);
}

static void test_private_stacks_show_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), word;
	CLEANUP(cleanup_free) char *words = NULL, *bearers = NULL;

	assert_int_equal(add(f, &f->alice, a, "open"), 0);
	assert_int_equal(add(f, &f->alice, b, "open"), 0);
	assert_int_equal(add(f, &f->alice, b, "secret"), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, b, 0700, &f->fault), 0);
	words = SHOWN(tag_word_each(f->engine, &f->bob, print_word, out));
	assert_string_equal(words, "open ");
	assert_int_equal(tag_word_find(f->engine, &f->bob, "secret", &word), -ENOENT);
	assert_int_equal(tag_word_find(f->engine, &f->bob, "open", &word), 0);
	bearers = SHOWN(tag_bearer_each(f->engine, &f->bob, word, print_tag, out));
	assert_string_equal(bearers, "a:open ");
	assert_int_equal(tag_word_find(f->engine, &f->alice, "secret", &word), 0);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), token;
	struct lock_request request = { .kind = LOCK_DURABLE };
	char name[32];

	assert_int_equal(add(f, &f->alice, a, "../x"), -EINVAL);
	assert_int_equal(add(f, &f->alice, a, ""), -EINVAL);
	assert_int_equal(add(f, &f->alice, 999, "x"), -ENOENT);
	assert_int_equal(lock_acquire(f->engine, &f->bob, lock_of_stack(a), &request, &f->fault, &token), 0);
	assert_int_equal(add(f, &f->alice, a, "x"), -EBUSY);
	assert_int_equal(add(f, &f->bob, a, "x"), 0);
	assert_int_equal(tag_remove(f->engine, &f->alice, a, "x", &f->fault), -EBUSY);
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(a), 0, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, a, 0755, &f->fault), 0);
	assert_int_equal(add(f, &f->bob, a, "y"), -EACCES);
	assert_int_equal(tag_remove(f->engine, &f->bob, a, "x", &f->fault), -EACCES);
	for (int i = 1; i < TAGS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_int_equal(add(f, &f->alice, a, name), 0);
	}
	assert_int_equal(add(f, &f->alice, a, "more"), -EDQUOT);
	assert_contains(f->fault.text, "256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_directions),
		TEST(test_adding_twice_is_no_change),
		TEST(test_words_end),
		TEST(test_private_stacks_show_nothing),
		TEST(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
