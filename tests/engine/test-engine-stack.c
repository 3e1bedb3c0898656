/* SPDX-License-Identifier: MIT */
/* Stacks: names, permissions, texts. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/event.h"
#include "engine/kv.h"
#include "engine/lock.h"
#include "engine/output.h"
#include "engine/run.h"

static void test_create(void **state)
{
	struct fixture *f = *state;
	char name[131];
	struct stack stack;

	memset(name, 'a', 130);
	name[130] = '\0';
	assert_int_equal(stack_create(f->engine, &f->alice, "prod", 0750, &f->fault, &stack), 0);
	assert_int_equal(stack.uid, f->alice.uid);
	assert_int_equal(stack.gid, f->alice.gid);
	assert_int_equal(stack.mode, 0750);
	assert_int_equal(stack.status, STACK_CREATED);
	assert_string_equal(stack_status_name(stack.status), "created");
	assert_int_equal(stack_create(f->engine, &f->bob, "prod", 0777, &f->fault, &stack), -EEXIST);
	assert_contains(f->fault.text, "prod");
	assert_int_equal(stack_create(f->engine, &f->bob, "-x", 0777, &f->fault, &stack), -EINVAL);
	assert_int_equal(stack_create(f->engine, &f->bob, "a/b", 0777, &f->fault, &stack), -EINVAL);
	assert_int_equal(stack_create(f->engine, &f->bob, name, 0777, &f->fault, &stack), -ENAMETOOLONG);
	assert_int_equal(event_last(f->engine), 1);
}

static int stop_at_c(void *userdata, const struct stack *stack)
{
	strcat(userdata, stack->name);
	return stack->name[0] == 'c' ? 7 : 0;
}

static void test_each(void **state)
{
	struct fixture *f = *state;
	char seen[32] = "";

	fixture_stack(f, "d");
	fixture_stack(f, "b");
	fixture_stack(f, "c");
	fixture_stack(f, "a");
	assert_int_equal(stack_each(f->engine, "a", stop_at_c, seen), 7);
	assert_string_equal(seen, "bc");
}

static void test_rename(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	struct stack stack;

	fixture_stack(f, "b");
	assert_int_equal(stack_rename(f->engine, &f->bob, id, "c", &f->fault), -EPERM);
	assert_int_equal(stack_rename(f->engine, &f->alice, id, "b", &f->fault), -EEXIST);
	assert_int_equal(stack_rename(f->engine, &f->alice, id, ".", &f->fault), -EINVAL);
	assert_int_equal(stack_rename(f->engine, &f->alice, id, "c", &f->fault), 0);
	assert_int_equal(stack_find(f->engine, "c", &stack), 0);
	assert_int_equal(stack.id, id);
	assert_int_equal(stack_find(f->engine, "a", &stack), -ENOENT);
	assert_int_equal(stack_rename(f->engine, &f->alice, 999, "x", &f->fault), -ENOENT);
}

static void test_mode_and_owner(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a");
	gid_t *groups = calloc(1, sizeof(*groups));
	struct stack stack;

	assert_int_equal(stack_chmod(f->engine, &f->bob, id, 0777, &f->fault), -EPERM);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 02750, &f->fault), 0);
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(stack.mode, 02750);
	assert_int_equal(stack_chown(f->engine, &f->alice, id, f->bob.uid, (gid_t)-1, &f->fault), -EPERM);
	assert_int_equal(stack_chown(f->engine, &f->alice, id, (uid_t)-1, 777, &f->fault), -EPERM);
	groups[0] = 777;
	f->alice.groups = groups;
	f->alice.group_count = 1;
	assert_int_equal(stack_chown(f->engine, &f->alice, id, (uid_t)-1, 777, &f->fault), 0);
	caller_done(&f->alice);
	f->alice.groups_known = true;
	/* Not in the group any more: its setgid bit is not alice's to give. */
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 02770, &f->fault), 0);
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(stack.mode, 0770);
	assert_int_equal(stack_chown(f->engine, &f->root, id, f->bob.uid, f->bob.gid, &f->fault), 0);
	assert_int_equal(stack_get(f->engine, id, &stack), 0);
	assert_int_equal(stack.uid, f->bob.uid);
	assert_int_equal(stack.gid, f->bob.gid);
}

static void test_access(void **state)
{
	struct fixture *f = *state;
	struct stack stack = { .uid = f->alice.uid, .gid = f->bob.gid, .mode = 0640 };
	struct caller other = { .uid = 5, .gid = 5, .groups_known = true };

	assert_int_equal(stack_access(&f->alice, &stack, MAY_READ | MAY_WRITE), 0);
	assert_int_equal(stack_access(&f->bob, &stack, MAY_READ), 0);
	assert_int_equal(stack_access(&f->bob, &stack, MAY_WRITE), -EACCES);
	assert_int_equal(stack_access(&other, &stack, MAY_READ), -EACCES);
	assert_int_equal(stack_access(&f->root, &stack, MAY_WRITE), 0);
	assert_int_equal(stack_access(NULL, &stack, MAY_WRITE), 0);
	/* The owner's bits are the owner's, even where the others' give more. */
	stack.mode = 0077;
	assert_int_equal(stack_access(&f->alice, &stack, MAY_READ), -EACCES);
}

static int set(struct fixture *f, struct caller *caller, int64_t id, enum stack_text which, const char *text)
{
	f->fault = (struct fault){ 0 };
	return stack_set_text(f->engine, caller, id, which, text, strlen(text), &f->fault);
}

static void test_texts(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buffer_done) struct buffer text = { 0 };
	int64_t id = fixture_stack(f, "a"), time, created;
	struct config config;

	assert_int_equal(stack_text(f->engine, id, STACK_DESCRIPTION, &text, &created), 0);
	assert_int_equal(text.size, 0);
	assert_int_equal(set(f, &f->alice, id, STACK_DESCRIPTION, "the web\n"), 0);
	assert_int_equal(stack_text(f->engine, id, STACK_DESCRIPTION, &text, &time), 0);
	assert_string_equal(buffer_text(&text), "the web");
	assert_true(time >= created);
	assert_int_equal(set(f, &f->alice, id, STACK_DESCRIPTION, "two\nlines\n"), -EINVAL);
	assert_int_equal(set(f, &f->alice, id, STACK_VERSION, "\xff"), -EINVAL);
	assert_int_equal(set(f, &f->alice, id, STACK_VALUES, "a: 1\nb: [x\n"), -EINVAL);
	assert_contains(f->fault.text, "values.yaml:");
	assert_int_equal(set(f, &f->alice, id, STACK_VALUES, "- a\n"), -EINVAL);
	assert_int_equal(set(f, &f->alice, id, STACK_VALUES, "a: 1\n"), 0);
	assert_int_equal(set(f, &f->alice, id, STACK_CONFIG, "# mine\nlock_timeot: 5m\n"), -EINVAL);
	assert_contains(
		f->fault.text, "config.yaml:2: there is no setting lock_timeot; did you mean lock_timeout?");
	assert_int_equal(set(f, &f->alice, id, STACK_CONFIG, "lock_timeout: 5m\n"), 0);
	assert_int_equal(stack_config(f->engine, id, &config), 0);
	assert_int_equal(config.lock_timeout_ms, 300000);
	assert_int_equal(f->engine->config.lock_timeout_ms, 3600000);
	assert_int_equal(set(f, &f->bob, id, STACK_VERSION, "2"), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0755, NULL), 0);
	assert_int_equal(set(f, &f->bob, id, STACK_VERSION, "3"), -EACCES);
	assert_int_equal(stack_text(f->engine, 999, STACK_VERSION, &text, NULL), -ENOENT);
	f->engine->config.max_document_size = 3;
	assert_int_equal(set(f, &f->alice, id, STACK_VALUES, "a: 1\n"), -EFBIG);
}

static void test_destroy(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_stack(f, "a"), run_id, event;
	struct kv_scope scope = { id, 0 };
	struct stack stack;
	struct run run;
	json_t *value = json_true();

	assert_int_equal(output_set(f->engine, &f->alice, id, "o", value, &f->fault), 0);
	assert_int_equal(kv_set(f->engine, scope, "k", value, 0), 0);
	assert_int_equal(set(f, &f->alice, id, STACK_VALUES, "a: 1\n"), 0);
	assert_int_equal(stack_chmod(f->engine, &f->alice, id, 0750, NULL), 0);
	assert_int_equal(run_create(f->engine, &f->bob, "x.sloth", id, "", 0, &run), 0);
	run_id = run.id;
	assert_int_equal(stack_destroy(f->engine, &f->bob, id, &f->fault), -EPERM);
	assert_int_equal(stack_destroy(f->engine, &f->alice, id, &f->fault), -EBUSY);
	assert_contains(f->fault.text, "1 unfinished run");
	assert_int_equal(run_set_status(f->engine, run_id, RUN_FAILED, NULL), 0);
	event = event_last(f->engine);
	assert_int_equal(stack_destroy(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(event_last(f->engine), event + 2); /* what it was is kept, and that it is gone */
	assert_int_equal(stack_get(f->engine, id, &stack), -ENOENT);
	assert_int_equal(kv_find(f->engine, scope, "k", NULL, NULL), -ENOENT);
	assert_int_equal(run_get(f->engine, run_id, &run), 0);
	assert_int_equal(run.stack_id, 0);
	assert_string_equal(run.stack, "a");
	assert_int_equal(run.owner_uid, f->alice.uid);
	assert_int_equal(run.mode, 0750);
	assert_int_equal(store_check(f->engine->store, &f->fault), 0);
}

static void test_caller(void **state)
{
	struct fixture *f = *state;
	char text[64];
	struct caller copy;
	gid_t *groups = calloc(2, sizeof(*groups));

	groups[1] = 9;
	f->alice.groups = groups;
	f->alice.group_count = 2;
	assert_int_equal(caller_copy(&f->alice, &copy), 0);
	caller_done(&f->alice);
	assert_true(caller_in_group(&copy, 9));
	assert_true(caller_in_group(&copy, f->alice.gid));
	assert_false(caller_in_group(&copy, 10));
	caller_done(&copy);
	assert_string_equal(caller_user_name(0, text, sizeof(text)), "root (uid 0)");
	assert_string_equal(caller_user_name(54321, text, sizeof(text)), "54321 (uid 54321)");
	assert_true(caller_owns(&f->root, 54321));
	assert_false(caller_owns(&f->bob, 54321));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_each),
		TEST(test_rename),
		TEST(test_mode_and_owner),
		TEST(test_access),
		TEST(test_texts),
		TEST(test_destroy),
		TEST(test_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
