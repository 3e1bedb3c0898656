/* SPDX-License-Identifier: MIT */
/* Dependencies of stacks: adding, removing, constraints, cycles, what becomes of them when stacks come, go
 * and get other names, who sees what, refusals. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/deps.h"
#include "engine/event.h"
#include "engine/lock.h"
#include "engine/stack.h"
#include "engine/version.h"

static int set(struct fixture *f, struct caller *caller, int64_t id, const char *on, const char *requires)
{
	return deps_set(f->engine, caller, id, on, requires, &f->fault, NULL);
}

static int set_version(struct fixture *f, int64_t id, const char *version)
{
	return stack_set_text(f->engine, &f->alice, id, STACK_VERSION, version, strlen(version), &f->fault);
}

static void assert_shown(struct fixture *f, int64_t id, const char *expected)
{
	CLEANUP(cleanup_free) char *text = SHOWN(deps_show(f->engine, &f->alice, id, out));

	assert_string_equal(text, expected);
}

static int print_dependent(void *userdata, const struct dep *dep)
{
	fprintf(userdata, "%s ", dep->stack);
	return 0;
}

static void assert_dependents(struct fixture *f, struct caller *caller, int64_t id, const char *expected)
{
	CLEANUP(cleanup_free)
	char *text = SHOWN(deps_dependents_each(f->engine, caller, id, print_dependent, out));

	assert_string_equal(text, expected);
}

static void test_set_and_remove(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db"), id, again, events;

	assert_int_equal(deps_set(f->engine, &f->alice, web, "db", NULL, &f->fault, &id), 0);
	assert_shown(f, web, "db  *  ok\n");
	assert_dependents(f, &f->alice, db, "web ");
	/* The same once more is no change. */
	events = event_last(f->engine);
	assert_int_equal(deps_set(f->engine, &f->alice, web, "db", NULL, &f->fault, &again), 0);
	assert_int_equal(id, again);
	assert_int_equal(event_last(f->engine), events);
	assert_int_equal(deps_remove(f->engine, &f->alice, web, "db", &f->fault), 0);
	assert_shown(f, web, "");
	assert_dependents(f, &f->alice, db, "");
	assert_int_equal(deps_remove(f->engine, &f->alice, web, "db", &f->fault), -ENOENT);
}

static void test_constraints(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db");

	assert_int_equal(set(f, &f->alice, web, "db", ">= 2.1, <3"), 0);
	assert_shown(f, web, "db  >=2.1 <3  it has no version, which must satisfy >=2.1 <3\n");
	assert_int_equal(set_version(f, db, "1.9"), 0);
	assert_shown(f, web, "db  >=2.1 <3  version 1.9 does not satisfy >=2.1 <3\n");
	assert_int_equal(set_version(f, db, "v2.4.1"), 0);
	assert_shown(f, web, "db  >=2.1 <3  ok\n");
	/* NULL keeps it, "" lifts it. */
	assert_int_equal(set(f, &f->alice, web, "db", NULL), 0);
	assert_shown(f, web, "db  >=2.1 <3  ok\n");
	assert_int_equal(set(f, &f->alice, web, "db", ""), 0);
	assert_shown(f, web, "db  *  ok\n");
	assert_int_equal(set(f, &f->alice, web, "db", ">>1"), -EINVAL);
	assert_shown(f, web, "db  *  ok\n");
}

static int command(struct fixture *f, int64_t id, const char *line)
{
	return deps_command(f->engine, &f->alice, id, line, strlen(line), &f->fault);
}

static void test_commands(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web");

	fixture_stack(f, "db");
	assert_int_equal(command(f, web, "db >=1 <2"), 0);
	assert_shown(f, web, "db  >=1 <2  it has no version, which must satisfy >=1 <2\n");
	assert_int_equal(command(f, web, "\t db  "), 0);
	assert_shown(f, web, "db  *  ok\n");
	assert_int_equal(command(f, web, "remove db"), 0);
	assert_shown(f, web, "");
	assert_int_equal(command(f, web, ""), -EINVAL);
	assert_int_equal(command(f, web, "remove"), -ENOENT);
	assert_int_equal(command(f, web, "db what?"), -EINVAL);
	assert_int_equal(command(f, web, "../db"), -EINVAL);
}

static void test_cycles(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), c = fixture_stack(f, "c");

	assert_int_equal(set(f, &f->alice, a, "a", NULL), -ELOOP);
	assert_int_equal(set(f, &f->alice, a, "b", NULL), 0);
	assert_int_equal(set(f, &f->alice, b, "c", NULL), 0);
	assert_int_equal(set(f, &f->alice, c, "a", NULL), -ELOOP);
	assert_contains(f->fault.text, "c → a → b → c");
	assert_shown(f, c, "");
	assert_int_equal(deps_remove(f->engine, &f->alice, b, "c", &f->fault), 0);
	assert_int_equal(set(f, &f->alice, c, "a", NULL), 0);
	assert_int_equal(set(f, &f->alice, b, "c", NULL), -ELOOP);
}

static void test_long_cycle_is_told_of_in_short(void **state)
{
	enum { LENGTH = 300 };
	struct fixture *f = *state;
	int64_t ids[LENGTH];
	char name[32];

	for (int i = 0; i < LENGTH; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ids[i] = fixture_stack(f, name);
		snprintf(name, sizeof(name), "s%d", i - 1);
		if (i)
			assert_int_equal(set(f, &f->alice, ids[i], name, NULL), 0);
	}
	assert_int_equal(set(f, &f->alice, ids[0], "s299", NULL), -ELOOP);
	assert_contains(f->fault.text, "s0 → s299 → s298 → ");
	assert_contains(f->fault.text, "… 288 more … → s3 → s2 → s1 → s0");
}

/* Many stacks in a row, and dependencies beside it: where ranks are made and must hold, whatever comes, goes,
 * and is undone. What is refused is compared with what can be reached. */
enum { ROW = 400, TRIES = 1500 };

static bool reaches(bool (*joined)[ROW], int from, int to)
{
	bool seen[ROW] = { false };
	int queue[ROW], count = 0;

	seen[from] = true;
	queue[count++] = from;
	for (int done = 0; done < count; done++)
		for (int i = 0; i < ROW; i++)
			if (joined[queue[done]][i] && !seen[i]) {
				seen[i] = true;
				queue[count++] = i;
			}
	return seen[to];
}

static void try_one(struct fixture *f, const int64_t *ids, bool (*joined)[ROW], int from, int to, bool undo)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	bool removed = joined[from][to], cycle = !removed && reaches(joined, to, from);
	char name[32];
	int r;

	snprintf(name, sizeof(name), "s%d", to);
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	r = removed ? deps_remove(f->engine, NULL, ids[from], name, &f->fault)
		    : set(f, NULL, ids[from], name, NULL);
	assert_int_equal(r, cycle ? -ELOOP : 0);
	if (r < 0 || undo)
		return;
	assert_int_equal(store_change_end(&change), 0);
	joined[from][to] = !removed;
}

static void test_ranks_hold(void **state)
{
	CLEANUP(cleanup_free) bool(*joined)[ROW] = calloc(ROW, sizeof(*joined));
	struct fixture *f = *state;
	int64_t ids[ROW];
	char name[32];
	int ranked = 0;

	srand(11);
	for (int i = 0; i < ROW; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ids[i] = fixture_stack(f, name);
	}
	for (int i = 1; i < ROW; i++)
		try_one(f, ids, joined, i, i - 1, false);
	for (int i = 0; i < TRIES; i++) {
		int from = rand() % ROW, to = rand() % 4 ? (from + ROW - 1 - rand() % 5) % ROW : rand() % ROW;

		if (to != from - 1) /* the row stays */
			try_one(f, ids, joined, from, to, rand() % 10 == 0);
		ranked += f->engine->deps_ranks != NULL;
	}
	assert_in_range(ranked, TRIES / 10, TRIES);
}

/* A destroyed stack is missed, and found when there is one of that name again. */
static void test_destroyed_and_made_anew(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db");
	struct dep dep;

	assert_int_equal(set(f, &f->alice, web, "db", ">=1"), 0);
	assert_int_equal(stack_destroy(f->engine, &f->alice, db, &f->fault), -EBUSY);
	assert_contains(f->fault.text, "web depends on it");
	assert_int_equal(deps_find(f->engine, NULL, web, "db", &dep), 0);
	assert_int_equal(
		deps_release(f->engine, &f->bob, dep.id, &f->fault), 0); /* a writer, not the owner */
	assert_int_equal(stack_destroy(f->engine, &f->alice, db, &f->fault), 0);
	assert_shown(f, web, "db  >=1  there is no stack db\n");
	db = fixture_stack(f, "db");
	assert_int_equal(set_version(f, db, "1.0"), 0);
	assert_shown(f, web, "db  >=1  ok\n");
	/* Who goes takes its own dependencies along. */
	assert_int_equal(stack_destroy(f->engine, &f->alice, web, &f->fault), 0);
	assert_dependents(f, NULL, db, "");
	assert_int_equal(stack_destroy(f->engine, &f->alice, db, &f->fault), 0);
}

/* Going back to a version whose stacks are gone. */
static void test_restored(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db");

	assert_int_equal(deps_restore(f->engine, &f->alice, web, "gone", ">=1", &f->fault), 0);
	assert_int_equal(deps_restore(f->engine, &f->alice, web, "db", "", &f->fault), 0);
	assert_shown(f, web, "db  *  ok\ngone  >=1  there is no stack gone\n");
	assert_int_equal(deps_restore(f->engine, &f->alice, db, "web", "", &f->fault), -ELOOP);
	assert_int_equal(deps_restore(f->engine, &f->alice, db, "../x", "", &f->fault), -EINVAL);
	assert_int_equal(stack_chmod(f->engine, &f->alice, db, 0755, &f->fault), 0);
	assert_int_equal(deps_restore(f->engine, &f->bob, db, "other", "", &f->fault), -EACCES);
}

static void test_renames(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db"), x = fixture_stack(f, "x");
	struct version_item item;
	struct dep dep;

	assert_int_equal(set(f, &f->alice, web, "db", ">=1"), 0);
	assert_int_equal(set(f, &f->alice, web, "x", NULL), 0);
	assert_int_equal(stack_rename(f->engine, &f->alice, db, "database", &f->fault), 0);
	assert_shown(f, web, "database  >=1  it has no version, which must satisfy >=1\nx  *  ok\n");
	/* The versions of the one that depends know it by its new name. */
	assert_int_equal(version_item_find(f->engine, web, VERSION_DEP, "database", 0, &item), 0);
	assert_int_equal(version_item_find(f->engine, web, VERSION_DEP, "db", 0, &item), -ENOENT);
	/* One that is missed, and another that gets its name: they are one now. */
	assert_int_equal(deps_find(f->engine, NULL, web, "x", &dep), 0);
	assert_int_equal(deps_release(f->engine, &f->alice, dep.id, &f->fault), 0);
	assert_int_equal(stack_destroy(f->engine, &f->alice, x, &f->fault), 0);
	assert_int_equal(stack_rename(f->engine, &f->alice, db, "x", &f->fault), 0);
	assert_shown(f, web, "x  >=1  it has no version, which must satisfy >=1\n");
}

/* What others have missed must not become a cycle by a name. */
static void test_rename_into_a_cycle(void **state)
{
	struct fixture *f = *state;
	int64_t a = fixture_stack(f, "a"), b = fixture_stack(f, "b"), c = fixture_stack(f, "c");
	struct dep dep;
	struct stack stack;

	assert_int_equal(set(f, &f->alice, a, "b", NULL), 0);
	assert_int_equal(deps_find(f->engine, NULL, a, "b", &dep), 0);
	assert_int_equal(deps_release(f->engine, &f->alice, dep.id, &f->fault), 0);
	assert_int_equal(stack_destroy(f->engine, &f->alice, b, &f->fault), 0);
	assert_int_equal(set(f, &f->alice, c, "a", NULL), 0);
	assert_int_equal(stack_rename(f->engine, &f->alice, c, "b", &f->fault), -ELOOP);
	assert_int_equal(stack_get(f->engine, c, &stack), 0);
	assert_string_equal(stack.name, "c");
	assert_int_equal(stack_rename(f->engine, &f->alice, a, "b", &f->fault), -ELOOP);
	assert_int_equal(deps_remove(f->engine, &f->alice, a, "b", &f->fault), 0);
	assert_int_equal(stack_rename(f->engine, &f->alice, c, "b", &f->fault), 0);
}

static void test_private_stacks_show_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db");
	CLEANUP(cleanup_free) char *text = NULL;
	struct dep dep;

	assert_int_equal(set(f, &f->alice, web, "db", ">=2"), 0);
	assert_int_equal(set_version(f, db, "1.9-secret"), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, db, 0700, &f->fault), 0);
	text = SHOWN(deps_show(f->engine, &f->bob, web, out));
	assert_string_equal(text, "db  >=2  its version does not satisfy >=2\n");
	assert_int_equal(deps_find(f->engine, &f->bob, web, "db", &dep), 0);
	assert_string_equal(dep.version, "");
	assert_int_equal(stack_chmod(f->engine, &f->alice, web, 0700, &f->fault), 0);
	assert_dependents(f, &f->bob, db, "");
	assert_int_equal(deps_dependent_find(f->engine, &f->bob, db, "web", &dep), -ENOENT);
	assert_int_equal(stack_chmod(f->engine, &f->alice, db, 0703, &f->fault), 0);
	assert_dependents(f, &f->bob, db, "web "); /* he could change it */
	assert_int_equal(deps_dependent_find(f->engine, &f->alice, db, "web", &dep), 0);
}

static int count_problem(void *userdata, const struct dep *dep)
{
	char text[512];

	deps_problem(dep, text, sizeof(text));
	*(int *)userdata += *text != '\0';
	return 0;
}

static void test_problems(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web");
	int problems = 0;

	fixture_stack(f, "db");
	fixture_stack(f, "cache");
	assert_int_equal(set(f, &f->alice, web, "db", ">=2"), 0);
	assert_int_equal(set(f, &f->alice, web, "cache", NULL), 0);
	assert_int_equal(deps_each(f->engine, NULL, web, count_problem, &problems), 0);
	assert_int_equal(problems, 1);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	int64_t web = fixture_stack(f, "web"), db = fixture_stack(f, "db"), token;
	struct lock_request request = { .kind = LOCK_DURABLE };
	struct dep dep;

	assert_int_equal(set(f, &f->alice, web, "nothing", NULL), -ENOENT);
	assert_contains(f->fault.text, "no stack nothing");
	assert_int_equal(set(f, &f->alice, web, "../db", NULL), -EINVAL);
	assert_int_equal(set(f, &f->alice, 999, "db", NULL), -ENOENT);
	assert_int_equal(
		lock_acquire(f->engine, &f->bob, lock_of_stack(web), &request, &f->fault, &token), 0);
	assert_int_equal(set(f, &f->alice, web, "db", NULL), -EBUSY);
	assert_int_equal(set(f, &f->bob, web, "db", NULL), 0);
	assert_int_equal(deps_remove(f->engine, &f->alice, web, "db", &f->fault), -EBUSY);
	/* The other side is another stack: its lock counts for letting go. */
	assert_int_equal(deps_find(f->engine, NULL, web, "db", &dep), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, db, 0755, &f->fault), 0);
	assert_int_equal(deps_release(f->engine, &f->bob, dep.id, &f->fault), -EACCES);
	assert_int_equal(deps_release(f->engine, &f->alice, dep.id, &f->fault), 0);
	assert_int_equal(lock_release(f->engine, &f->bob, lock_of_stack(web), 0, &f->fault), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, web, 0755, &f->fault), 0);
	assert_int_equal(set(f, &f->bob, web, "db", NULL), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_set_and_remove),
		TEST(test_constraints),
		TEST(test_commands),
		TEST(test_cycles),
		TEST(test_long_cycle_is_told_of_in_short),
		TEST(test_ranks_hold),
		TEST(test_destroyed_and_made_anew),
		TEST(test_restored),
		TEST(test_renames),
		TEST(test_rename_into_a_cycle),
		TEST(test_private_stacks_show_nothing),
		TEST(test_problems),
		TEST(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
