/* SPDX-License-Identifier: MIT */
/* Backups: their names, what is kept of them, what is refused. */
#include "tests/engine/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/backup.h"
#include "engine/backup-restore.h"

static int remove_backups(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/backups", f->home);
	folder_remove(path);
	return fixture_free(state);
}

static void test_names(void **state)
{
	static const char *const good[] = { "sloth-20261121T081502Z.db", "sloth-20261121T081502Z-2.db",
		"sloth-19700101T000001Z-64.db", "sloth-20261121T081502Z" };
	static const char *const bad[] = { "", "sloth.db", "sloth-", "sloth-.db", "../sloth.db", "latest",
		"sloth-20261121T081502.db", "sloth-20261121T081502Z-1.db", "sloth-20261121T081502Z-65.db",
		"sloth-20261121T081502Z-02.db", "sloth-20261121T081502Z.db.db", "sloth-20261121T081502Z/x.db",
		"sloth-20261321T081502Z.db", "sloth-20260230T081502Z.db", "sloth-20261121T081502Z-.db",
		"sloth-20261121T081502Zx.db", " sloth-20261121T081502Z.db", "sloth-99991231T235959Z-2-2.db" };
	char name[BACKUP_NAME_SIZE];
	int64_t number;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(backup_number(good[i], &number), 0);
		assert_true(number > 0 && number >> 40 == 0);
		assert_memory_equal(backup_name(number, name), good[i], strlen(good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (backup_number(bad[i], &number) != -ENOENT)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(backup_number(good[0], &number), 0);
	assert_int_equal(backup_time_ms(number), INT64_C(1795248902000));
}

static int64_t make(struct fixture *f, enum backup_kind kind)
{
	struct backup_order order = { .kind = kind, .reason = "a test" };
	int64_t number;

	assert_int_equal(engine_turn_end(f->engine), 0);
	if (backup_make(f->home, &order, &f->fault, &number) < 0)
		fail_msg("%s", f->fault.text);
	return number;
}

static int count(void *userdata, int64_t number)
{
	++*(int *)userdata;
	return 0;
}

/* Several within a second have names of their own; what nobody asked for goes, what somebody did stays. */
static void test_prune(void **state)
{
	struct fixture *f = *state;
	int64_t mine = make(f, BACKUP_MANUAL), first = make(f, BACKUP_DAILY), last = 0;
	json_t *value;
	int found = 0;

	for (int i = 0; i < 3; i++)
		last = make(f, i == 1 ? BACKUP_MIGRATION : BACKUP_DAILY);
	backup_each(f->home, count, &found);
	assert_int_equal(found, 5);
	backup_prune(f->home, 2);
	found = 0;
	backup_each(f->home, count, &found);
	assert_int_equal(found, 3);
	assert_null(backup_describe(f->home, first));
	assert_int_equal(backup_newest(f->home), last);
	value = backup_describe(f->home, mine);
	assert_string_equal(json_string_value(json_object_get(value, "kind")), "manual");
	json_decref(value);
	assert_int_equal(backup_remove(f->home, mine, &f->fault), 0);
	assert_int_equal(backup_remove(f->home, mine, &f->fault), -ENOENT);
}

static void overwrite(const char *path, off_t at)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "damage", 6, at), 6);
	close(fd);
}

/* It is what was there when it was made, whole, and its owner's alone; one byte more or less is found. */
static void test_verify(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(store_closep) struct store *store = NULL;
	struct stat st;
	int64_t number;

	fixture_stack(f, "prod");
	number = make(f, BACKUP_MANUAL);
	path = backup_path(f->home, number, ".db");
	assert_int_equal(backup_verify(f->home, number, &f->fault), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(store_open_read(path, &f->fault, &store), 0);
	store_close(TAKE(store));
	overwrite(path, st.st_size / 2);
	assert_int_equal(backup_verify(f->home, number, &f->fault), -EBADMSG);
	assert_contains(f->fault.text, "SHA-256");
	assert_int_equal(backup_restore_prepare(f->home, number, 0, &f->fault), -EBADMSG);
	assert_int_equal(backup_verify(f->home, number + 1, &f->fault), -ENOENT);
}

/* What was begun has no name that anybody takes for a backup's, and goes; so does a manifest without its
 * backup. */
static void test_clean(void **state)
{
	static const char *const left[] = { ".new-1.db", ".new-1.db-journal", "sloth-20200101T000000Z.json" };
	struct fixture *f = *state;
	int64_t number = make(f, BACKUP_MANUAL);
	int found = 0;

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		char path[192];

		snprintf(path, sizeof(path), "%s/backups/%s", f->home, left[i]);
		close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	backup_each(f->home, count, &found);
	assert_int_equal(found, 1);
	backup_clean(f->home);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		char path[192];

		snprintf(path, sizeof(path), "%s/backups/%s", f->home, left[i]);
		assert_int_equal(access(path, F_OK), -1);
	}
	assert_int_equal(backup_verify(f->home, number, &f->fault), 0);
}

/* The engine ends without closing its database well, as after a crash: in the copy of its folder it does not
 * live. */
static void start_after_crash(struct fixture *f, char ret_home[64])
{
	char command[256];

	assert_int_equal(engine_turn_end(f->engine), 0);
	snprintf(ret_home, 64, "/tmp/sloth-test-XXXXXX");
	assert_non_null(mkdtemp(ret_home));
	snprintf(command, sizeof(command), "cp -a %s/. %s && rm %s/sloth.db-lock", f->home, ret_home,
		ret_home);
	assert_int_equal(system(command), 0);
}

static int64_t stacks_at(struct fixture *f, const char *home)
{
	struct engine *engine = NULL;
	struct stack stack;
	int r, stacks = 0;

	if (engine_new(home, f->loop, &f->fault, &engine) < 0)
		fail_msg("%s", f->fault.text);
	r = stack_find(engine, "before", &stack);
	stacks += r == 0;
	r = stack_find(engine, "after", &stack);
	stacks += r == 0 ? 10 : 0;
	engine_free(engine);
	return stacks;
}

/* What was promised is done by the next who opens the database; what was only prepared is not. */
static void test_promise(void **state)
{
	struct fixture *f = *state;
	int64_t number;
	char home[64], path[128];

	fixture_stack(f, "before");
	number = make(f, BACKUP_MANUAL);
	fixture_stack(f, "after");
	assert_int_equal(engine_turn_end(f->engine), 0);
	if (backup_restore_prepare(f->home, number, 0, &f->fault) < 0)
		fail_msg("%s", f->fault.text);
	start_after_crash(f, home);
	assert_int_equal(stacks_at(f, home), 11);
	folder_remove(home);
	assert_int_equal(backup_restore_promise(f->home, &f->fault), 0);
	start_after_crash(f, home);
	assert_int_equal(stacks_at(f, home), 1);
	/* Once. */
	snprintf(path, sizeof(path), "%s/restore", home);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(stacks_at(f, home), 1);
	folder_remove(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, fixture_new, remove_backups),
		cmocka_unit_test_setup_teardown(test_prune, fixture_new, remove_backups),
		cmocka_unit_test_setup_teardown(test_verify, fixture_new, remove_backups),
		cmocka_unit_test_setup_teardown(test_clean, fixture_new, remove_backups),
		cmocka_unit_test_setup_teardown(test_promise, fixture_new, remove_backups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
