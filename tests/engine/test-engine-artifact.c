/* SPDX-License-Identifier: MIT */
/* Artifacts: what may be kept, when it is seen, what is left of it. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/artifact.h"
#include "engine/run.h"

/* In a change of its own, which a failure undoes. */
#define DONE(call)                                                                                           \
	__extension__({                                                                                      \
		struct store_change change_ = { 0 };                                                         \
		int done_;                                                                                   \
		assert_int_equal(store_change_begin(f->engine->store, &change_), 0);                         \
		done_ = (call);                                                                              \
		if (done_ < 0)                                                                               \
			store_change_cancel(&change_);                                                       \
		else                                                                                         \
			assert_int_equal(store_change_end(&change_), 0);                                     \
		done_;                                                                                       \
	})

struct ids {
	int64_t run, build, test;
};

static struct ids make(struct fixture *f, const char *stack)
{
	struct ids ids;
	struct run run;

	assert_int_equal(
		run_create(f->engine, &f->alice, "a.sloth", fixture_stack(f, stack), "text", 4, &run), 0);
	ids.run = run.id;
	assert_int_equal(task_add(f->engine, run.id, 0, "build", &ids.build), 0);
	assert_int_equal(task_add(f->engine, run.id, 1, "test", &ids.test), 0);
	return ids;
}

static int add(
	struct fixture *f, struct ids ids, int64_t task, const char *path, int64_t size, int64_t *ret_id)
{
	struct artifact wanted = { .run_id = ids.run, .task_id = task, .mode = 0640, .size = size };
	struct artifact_sum sum;

	assert_int_equal(artifact_sum(f->engine, ids.run, &sum), 0);
	snprintf(wanted.path, sizeof(wanted.path), "%s", path);
	f->fault = (struct fault){ 0 };
	return DONE(artifact_add(f->engine, &wanted, &sum, &f->fault, ret_id));
}

static int64_t keep(struct fixture *f, struct ids ids, int64_t task, const char *path, const char *text)
{
	int64_t id;

	assert_int_equal(add(f, ids, task, path, (int64_t)strlen(text), &id), 0);
	if (*text)
		assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 0, text, strlen(text))), 0);
	assert_int_equal(DONE(artifact_keep(f->engine, ids.run, task)), 0);
	return id;
}

static bool on_disk(struct fixture *f, int64_t run, int64_t id)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/artifacts/%lld/%lld", f->home, (long long)run, (long long)id);
	return access(path, F_OK) == 0;
}

static void test_seen_when_kept(void **state)
{
	struct fixture *f = *state;
	struct ids ids = make(f, "a");
	struct artifact artifact;
	char data[16];
	int64_t id;

	assert_int_equal(add(f, ids, ids.build, "out/a", 5, &id), 0);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 0, "he", 2)), 0);
	assert_int_equal(artifact_get(f->engine, id, &artifact), -ENOENT);
	assert_int_equal(artifact_find(f->engine, ids.run, 0, "out/a", &artifact), -ENOENT);
	/* Not all of it is there. */
	assert_int_equal(DONE(artifact_keep(f->engine, ids.run, ids.build)), -EPROTO);
	/* In order, no more than announced, and of this run. */
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 3, "lo", 2)), -EPROTO);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 2, "llo!", 4)), -EPROTO);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 2, "", 0)), -EPROTO);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run + 1, id, 2, "llo", 3)), -EPROTO);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, 999, 2, "llo", 3)), -EPROTO);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 2, "llo", 3)), 0);
	assert_int_equal(DONE(artifact_keep(f->engine, ids.run, ids.build)), 0);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 5, "x", 1)), -EPROTO);
	assert_int_equal(artifact_find(f->engine, ids.run, ids.build, "out/a", &artifact), 0);
	assert_int_equal(artifact_find(f->engine, ids.run, ids.test, "out/a", &artifact), -ENOENT);
	assert_int_equal(artifact.mode, 0640);
	assert_int_equal(artifact_read(f->engine, &artifact, 0, data, sizeof(data)), 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(artifact_read(f->engine, &artifact, 3, data, 1), 1);
	assert_int_equal(data[0], 'l');
	assert_int_equal(artifact_read(f->engine, &artifact, 5, data, 1), 0);
}

static void test_paths(void **state)
{
	static const char *const bad[] = { "", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\nb",
		"a\x7f" };
	struct fixture *f = *state;
	struct ids ids = make(f, "a");
	char deep[200] = "", name[300], longest[ARTIFACT_PATH_MAX] = "";
	int64_t id;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(add(f, ids, ids.build, bad[i], 1, &id), -EINVAL);
	for (int i = 0; i <= ARTIFACT_DEPTH_MAX; i++)
		strcat(deep, "d/");
	strcat(deep, "f");
	assert_int_equal(add(f, ids, ids.build, deep, 1, &id), -EINVAL);
	assert_int_equal(add(f, ids, ids.build, deep + 2, 1, &id), 0);
	memset(name, 'n', 256);
	name[256] = '\0';
	assert_int_equal(add(f, ids, ids.build, name, 1, &id), -EINVAL);
	assert_int_equal(add(f, ids, ids.build, name + 1, 1, &id), 0);
	assert_int_equal(add(f, ids, ids.build, "...", 1, &id), 0);
	/* The longest that there may be, and what would lie below it. */
	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = i % 200 == 199 ? '/' : 'l';
	assert_int_equal(add(f, ids, ids.build, longest, 1, &id), 0);
	assert_int_equal(add(f, ids, ids.test, longest, 1, &id), -EEXIST);
}

static void test_one_owner(void **state)
{
	struct fixture *f = *state;
	struct ids ids = make(f, "a");
	int64_t id;

	keep(f, ids, ids.build, "out/a", "x");
	keep(f, ids, ids.build, "b", "x");
	assert_int_equal(add(f, ids, ids.test, "out/a", 1, &id), -EEXIST);
	assert_string_equal(
		f->fault.text, "the artifact out/a can't be kept: task build keeps that path already");
	assert_int_equal(add(f, ids, ids.test, "out", 1, &id), -EEXIST);
	assert_int_equal(add(f, ids, ids.test, "b/c", 1, &id), -EEXIST);
	assert_string_equal(f->fault.text,
		"the artifact b/c can't be kept: task build keeps b, which is in its way, already");
	assert_int_equal(add(f, ids, ids.test, "out/b", 1, &id), 0);
	assert_int_equal(add(f, ids, ids.test, "ou", 1, &id), 0);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	struct ids ids = make(f, "a");
	int64_t id;

	f->engine->config.max_artifact_size = 10;
	f->engine->config.max_run_artifacts = 15;
	assert_int_equal(add(f, ids, ids.build, "a", 11, &id), -EFBIG);
	assert_string_equal(
		f->fault.text, "the artifact a has 11 bytes, and the limit is 10 (max_artifact_size)");
	assert_int_equal(add(f, ids, ids.build, "a", -1, &id), -EINVAL);
	assert_int_equal(add(f, ids, ids.build, "a", 10, &id), 0);
	assert_int_equal(add(f, ids, ids.test, "b", 6, &id), -EDQUOT);
	assert_string_equal(f->fault.text,
		"with the artifact b the run would keep 16 bytes, and the limit is 15 (max_run_artifacts)");
	/* What a failed try had does not count. */
	assert_int_equal(DONE(artifact_drop(f->engine, ids.build)), 0);
	assert_int_equal(add(f, ids, ids.test, "b", 6, &id), 0);
}

static void test_left_over(void **state)
{
	struct fixture *f = *state;
	struct ids ids = make(f, "a");
	int64_t kept = keep(f, ids, ids.build, "a", "x"), half, gone;

	assert_int_equal(add(f, ids, ids.test, "b", 2, &half), 0);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, half, 0, "x", 1)), 0);
	assert_int_equal(add(f, ids, ids.test, "c", 2, &gone), 0);
	assert_int_equal(DONE(artifact_drop(f->engine, ids.test)), 0);
	assert_int_equal(add(f, ids, ids.test, "b", 2, &half), 0);
	fixture_restart(f);
	artifact_collect_all(f->engine);
	assert_true(on_disk(f, ids.run, kept));
	assert_true(on_disk(f, ids.run, half)); /* its try may go on */
	assert_false(on_disk(f, ids.run, gone));
	assert_int_equal(DONE(artifact_drop_all(f->engine, ids.run)), 0);
	artifact_collect(f->engine, ids.run);
	assert_true(on_disk(f, ids.run, kept));
	assert_false(on_disk(f, ids.run, half));
	assert_int_equal(run_set_status(f->engine, ids.run, RUN_FAILED, NULL), 0);
	assert_int_equal(run_delete(f->engine, &f->alice, ids.run, &f->fault), 0);
	fixture_turn(f);
	artifact_collect(f->engine, ids.run);
	assert_false(on_disk(f, ids.run, kept));
}

static void test_undone(void **state)
{
	struct fixture *f = *state;
	struct ids ids = make(f, "a");
	struct store_change change = { 0 };
	struct artifact artifact;
	char data[8];
	int64_t id;

	/* The id of an undone change is given again; its bytes are not. */
	fixture_turn(f);
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(add(f, ids, ids.build, "a", 6, &id), 0);
	assert_int_equal(DONE(artifact_receive(f->engine, ids.run, id, 0, "secret", 6)), 0);
	store_change_cancel(&change);
	assert_int_equal(keep(f, ids, ids.build, "b", "ok"), id);
	assert_int_equal(artifact_get(f->engine, id, &artifact), 0);
	assert_int_equal(artifact_read(f->engine, &artifact, 0, data, sizeof(data)), 2);
	assert_memory_equal(data, "ok", 2);
}

static int count_one(void *userdata, const struct artifact *artifact)
{
	strcat(userdata, artifact->path);
	strcat(userdata, " ");
	return 0;
}

static void test_each_and_take_over(void **state)
{
	struct fixture *f = *state;
	struct ids ids = make(f, "a"), next = make(f, "b");
	struct artifact artifact;
	char seen[200] = "", data[8];

	keep(f, ids, ids.build, "out/b", "one");
	keep(f, ids, ids.build, "out.txt", "two");
	keep(f, ids, ids.test, "out/a/x", "");
	keep(f, ids, ids.test, "\xc3\xa4", "");
	assert_int_equal(artifact_each(f->engine, ids.run, 0, "", count_one, seen), 0);
	assert_string_equal(seen, "out.txt out/a/x out/b \xc3\xa4 ");
	*seen = '\0';
	assert_int_equal(artifact_each(f->engine, ids.run, ids.build, "out/", count_one, seen), 0);
	assert_string_equal(seen, "out/b ");
	assert_int_equal(DONE(artifact_take_over(f->engine, ids.build, next.run, next.build)), 0);
	assert_int_equal(run_set_status(f->engine, ids.run, RUN_FAILED, NULL), 0);
	assert_int_equal(run_delete(f->engine, &f->alice, ids.run, &f->fault), 0);
	fixture_turn(f);
	artifact_collect(f->engine, ids.run);
	assert_int_equal(artifact_find(f->engine, next.run, next.build, "out/b", &artifact), 0);
	assert_int_equal(artifact_read(f->engine, &artifact, 0, data, sizeof(data)), 3);
	assert_memory_equal(data, "one", 3);
}

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	struct ids ids = make(f, "a");
	struct artifact artifact;
	char path[200], data[8];
	int64_t id = keep(f, ids, ids.build, "a", "hello");

	assert_int_equal(artifact_get(f->engine, id, &artifact), 0);
	snprintf(path, sizeof(path), "%s/artifacts/%lld/%lld", f->home, (long long)ids.run, (long long)id);
	assert_int_equal(truncate(path, 2), 0);
	assert_int_equal(artifact_read(f->engine, &artifact, 0, data, sizeof(data)), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(artifact_read(f->engine, &artifact, 0, data, sizeof(data)), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_seen_when_kept, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_paths, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_one_owner, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_limits, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_left_over, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_undone, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_each_and_take_over, fixture_new, fixture_free),
		cmocka_unit_test_setup_teardown(test_damaged, fixture_new, fixture_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
