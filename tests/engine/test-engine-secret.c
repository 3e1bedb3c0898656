/* SPDX-License-Identifier: MIT */
/* Secrets: who may do what with them, names, sizes, events, rotation. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/keyring.h"
#include "engine/seal.h"
#include "engine/secret.h"

static int set(struct fixture *f, struct caller *caller, const char *name, const char *value, int64_t *ret_id)
{
	return secret_set(f->engine, caller, name, value, strlen(value), &f->fault, ret_id);
}

static int value_is(struct fixture *f, struct caller *caller, int64_t id, const char *wanted)
{
	CLEANUP(buffer_wipe) struct buffer value = { 0 };
	int r = secret_value(f->engine, caller, id, &f->fault, &value);

	if (r == 0)
		assert_string_equal(buffer_text(&value), wanted);
	return r;
}

static int note_read(struct fixture *f, struct caller *caller, int64_t id)
{
	struct store_change change = { 0 };
	int r = store_change_begin(f->engine->store, &change);

	assert_int_equal(r, 0);
	r = secret_note_read(f->engine, caller, id, 0, NULL);
	assert_int_equal(store_change_end(&change), 0);
	return r;
}

static void test_owner(void **state)
{
	struct fixture *f = *state;
	struct secret secret;
	int64_t id, again;

	assert_int_equal(set(f, &f->alice, "pw", "hunter22", &id), 0);
	assert_int_equal(secret_find(f->engine, "pw", &secret), 0);
	assert_int_equal(secret.id, id);
	assert_int_equal(secret.uid, f->alice.uid);
	assert_int_equal(value_is(f, &f->alice, id, "hunter22"), 0);
	assert_int_equal(value_is(f, &f->root, id, "hunter22"), 0);
	assert_int_equal(value_is(f, &f->bob, id, NULL), -EACCES);
	assert_contains(f->fault.text, "pw");
	assert_contains(f->fault.text, "54321");
	assert_int_equal(set(f, &f->bob, "pw", "other", NULL), -EACCES);
	assert_int_equal(secret_rename(f->engine, &f->bob, id, "mine", &f->fault), -EACCES);
	/* Root sets it anew: it stays alice's. */
	assert_int_equal(set(f, &f->root, "pw", "hunter33", &again), 0);
	assert_int_equal(again, id);
	assert_int_equal(value_is(f, &f->alice, id, "hunter33"), 0);
	assert_int_equal(secret_chown(f->engine, &f->alice, id, f->bob.uid, (gid_t)-1), -EPERM);
}

static void test_given_away(void **state)
{
	struct fixture *f = *state;
	struct store_change change = { 0 };
	int64_t id;

	assert_int_equal(set(f, &f->alice, "pw", "hunter22", &id), 0);
	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	assert_int_equal(secret_chown(f->engine, &f->root, id, f->bob.uid, f->bob.gid), 0);
	assert_int_equal(store_change_end(&change), 0);
	assert_int_equal(value_is(f, &f->bob, id, "hunter22"), 0);
	assert_int_equal(value_is(f, &f->alice, id, NULL), -EACCES);
}

static void test_names_and_sizes(void **state)
{
	static char large[SECRET_SIZE_MAX + 1];
	struct fixture *f = *state;
	CLEANUP(buffer_wipe) struct buffer value = { 0 };
	struct secret secret;
	int64_t id, other;

	assert_int_equal(set(f, &f->alice, "../pw", "x", NULL), -EINVAL);
	assert_int_equal(
		secret_set(f->engine, &f->alice, "pw", large, sizeof(large), &f->fault, NULL), -EFBIG);
	assert_int_equal(secret_set(f->engine, &f->alice, "pw", "\0\xff\n", 3, &f->fault, &id), 0);
	assert_int_equal(secret_value(f->engine, &f->alice, id, &f->fault, &value), 0);
	assert_int_equal(value.size, 3);
	assert_memory_equal(value.data, "\0\xff\n", 3);
	assert_int_equal(set(f, &f->alice, "other", "x", &other), 0);
	assert_int_equal(secret_rename(f->engine, &f->alice, id, "other", &f->fault), -EEXIST);
	assert_int_equal(secret_rename(f->engine, &f->alice, id, "a b", &f->fault), -EINVAL);
	assert_int_equal(secret_rename(f->engine, &f->alice, id, "key", &f->fault), 0);
	assert_int_equal(value_is(f, &f->alice, id, ""), 0); /* its first byte is NUL */
	assert_int_equal(secret_find(f->engine, "pw", &secret), -ENOENT);
	assert_int_equal(secret_delete(f->engine, &f->alice, id, &f->fault), 0);
	assert_int_equal(secret_get(f->engine, id, &secret), -ENOENT);
	assert_int_equal(secret_delete(f->engine, &f->alice, id, &f->fault), -ENOENT);
}

static int find_type(void *userdata, const struct event *event)
{
	return !strcmp(event->type, userdata) && !strstr(event->json, "hunter22");
}

static void test_events(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	assert_int_equal(set(f, &f->alice, "pw", "hunter22", &id), 0);
	assert_int_equal(note_read(f, &f->alice, id), 0);
	assert_int_equal(secret_rename(f->engine, &f->alice, id, "key", &f->fault), 0);
	assert_int_equal(secret_delete(f->engine, &f->alice, id, &f->fault), 0);
	for (size_t i = 0; i < 4; i++) {
		char types[][16] = { "secret.set", "secret.read", "secret.renamed", "secret.deleted" };

		assert_int_equal(event_each(f->engine, 0, 0, find_type, types[i]), 1);
	}
}

static void test_rotation(void **state)
{
	struct fixture *f = *state;
	struct query *query;
	int64_t id;

	assert_int_equal(set(f, &f->alice, "pw", "hunter22", &id), 0);
	assert_int_equal(keyring_rotate(f->engine->keys, &f->root, false, &f->fault), 0);
	query = query_begin(f->engine->store, SQL_SECRET_GET, "i", id);
	assert_int_equal(query_step(query), 1);
	assert_int_equal(strncmp(query_text(query, 6), "sealed:1:2:", 11), 0);
	query_end(query);
	fixture_restart(f);
	assert_int_equal(value_is(f, &f->alice, id, "hunter22"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_owner),
		TEST(test_given_away),
		TEST(test_names_and_sizes),
		TEST(test_events),
		TEST(test_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
