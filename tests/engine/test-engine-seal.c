/* SPDX-License-Identifier: MIT */
/* Sealed values and their keys: files, passphrases, rotation, and what a crash leaves. */
#include "tests/engine/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/event.h"
#include "engine/keyring.h"
#include "engine/seal.h"

static char *seal(struct fixture *f, const char *what, const char *plain)
{
	char *text;

	assert_int_equal(seal_make(f->engine, what, plain, strlen(plain), &f->fault, &text), 0);
	return text;
}

/* What the text holds, or -errno. */
static int open_as(struct fixture *f, const char *what, const char *text, const char *plain)
{
	CLEANUP(buffer_wipe) struct buffer opened = { 0 };
	int r;

	f->fault.code = 0;
	r = seal_open(f->engine, what, text, &f->fault, &opened);
	if (r == 0)
		assert_string_equal(buffer_text(&opened), plain);
	return r;
}

static int key_files(struct fixture *f, char *ret_name, struct stat *ret_stat)
{
	char folder[PATH_MAX], path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;
	int count = 0;

	snprintf(folder, sizeof(folder), "%s/keys", f->home);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			count++;
			snprintf(path, sizeof(path), "%.1000s/%s", folder, entry->d_name);
			if (ret_name)
				snprintf(ret_name, PATH_MAX, "%s", path);
			if (ret_stat)
				assert_int_equal(stat(path, ret_stat), 0);
		}
	if (dir)
		closedir(dir);
	return count;
}

static void test_seal_and_open(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *first = NULL, *second = NULL, *empty = NULL;
	struct stat st;

	assert_int_equal(key_files(f, NULL, NULL), 0); /* nothing is made before it is needed */
	first = seal(f, "output:1:x", "hunter22");
	second = seal(f, "output:1:x", "hunter22");
	empty = seal(f, "output:1:x", "");
	assert_string_not_equal(first, second);
	assert_true(seal_is(first, strlen(first)));
	assert_false(seal_is("\"sealed:1:\"", 11));
	assert_null(strstr(first, "hunter22"));
	assert_int_equal(open_as(f, "output:1:x", first, "hunter22"), 0);
	assert_int_equal(open_as(f, "output:1:x", empty, ""), 0);
	assert_int_equal(key_files(f, NULL, &st), 1);
	assert_int_equal(st.st_mode & 07777, 0600);
	fixture_restart(f);
	assert_int_equal(open_as(f, "output:1:x", second, "hunter22"), 0);
}

static void test_damage(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *text = seal(f, "secret:a", "hunter22");
	static const char *const bad[] = { "sealed:1:", "sealed:1:1",
		"sealed:1::", "sealed:1:1:", "sealed:1:x:AAAA", "sealed:1:1:AAAA", "sealed:1:1:%",
		"sealed:1:99999999999999999999999999:AA", "plain" };

	assert_int_equal(open_as(f, "secret:b", text, NULL), -EBADMSG); /* it is no other */
	assert_contains(f->fault.text, "secret:b");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(open_as(f, "secret:a", bad[i], NULL), -EBADMSG);
	assert_int_equal(
		open_as(f, "secret:a",
			"sealed:1:77:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL),
		-EBADMSG);
	assert_contains(f->fault.text, "key 77");
	text[strlen(text) - 6] ^= 1;
	assert_int_equal(open_as(f, "secret:a", text, NULL), -EBADMSG);
}

static void test_undone(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *lost = NULL, *kept = NULL;
	struct store_change change = { 0 };

	assert_int_equal(store_change_begin(f->engine->store, &change), 0);
	lost = seal(f, "secret:a", "hunter22");
	store_change_cancel(&change);
	/* The key that was made for it is not in the database any more: it may not be used. */
	kept = seal(f, "secret:a", "hunter22");
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", kept, "hunter22"), 0);
	assert_int_equal(open_as(f, "secret:a", lost, NULL), -EBADMSG);
}

static void test_master_missing(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *text = seal(f, "secret:a", "hunter22");
	char name[PATH_MAX], aside[PATH_MAX], *more;

	assert_int_equal(key_files(f, name, NULL), 1);
	snprintf(aside, sizeof(aside), "%s/aside", f->home);
	assert_int_equal(rename(name, aside), 0);
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", text, NULL), -ENOKEY);
	assert_contains(f->fault.text, name);
	assert_int_equal(seal_make(f->engine, "secret:b", "x", 1, &f->fault, &more), -ENOKEY);
	assert_int_equal(keyring_rotate(f->engine->keys, &f->root, false, &f->fault), -ENOKEY);
	assert_int_equal(rename(aside, name), 0); /* no restart is needed */
	assert_int_equal(open_as(f, "secret:a", text, "hunter22"), 0);
	assert_int_equal(truncate(name, 10), 0);
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", text, NULL), -ENOKEY);
	assert_contains(f->fault.text, "damaged");
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_passphrase(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *text = NULL, *shown = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/passphrase", f->home);
	write_file(path, "correct horse\n");
	setenv("SLOTH_PASSPHRASE_FILE", path, 1);
	fixture_restart(f);
	text = seal(f, "secret:a", "hunter22");
	assert_int_equal(key_files(f, NULL, NULL), 0);
	shown = SHOWN(keyring_show(f->engine->keys, out));
	assert_contains(shown, "from a passphrase");
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", text, "hunter22"), 0);
	write_file(path, "wrong horse\n");
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", text, NULL), -ENOKEY);
	assert_contains(f->fault.text, "is not the one");
	unsetenv("SLOTH_PASSPHRASE_FILE");
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", text, NULL), -ENOKEY);
	assert_contains(f->fault.text, "SLOTH_PASSPHRASE_FILE");
	/* With the right one, another can be set: the running daemon has the old one's key. */
	write_file(path, "correct horse");
	setenv("SLOTH_PASSPHRASE_FILE", path, 1);
	fixture_restart(f);
	write_file(path, "another horse");
	assert_int_equal(keyring_rotate(f->engine->keys, &f->root, false, &f->fault), 0);
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", text, "hunter22"), 0);
	/* … and none. */
	assert_int_equal(keyring_rotate(f->engine->keys, &f->root, true, &f->fault), 0);
	unsetenv("SLOTH_PASSPHRASE_FILE");
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", text, "hunter22"), 0);
	assert_int_equal(key_files(f, NULL, NULL), 1);
}

static void test_rotate(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *old = seal(f, "secret:a", "hunter22"), *new = NULL;
	char before[PATH_MAX], after[PATH_MAX];

	assert_int_equal(key_files(f, before, NULL), 1);
	assert_int_equal(keyring_rotate(f->engine->keys, &f->alice, false, &f->fault), -EPERM);
	assert_int_equal(keyring_rotate(f->engine->keys, &f->root, false, &f->fault), 0);
	assert_int_equal(key_files(f, NULL, NULL), 2); /* until it is on disk */
	assert_int_equal(engine_turn_end(f->engine), 0);
	assert_int_equal(key_files(f, after, NULL), 1);
	assert_string_not_equal(before, after);
	new = seal(f, "secret:a", "hunter22");
	assert_int_equal(strncmp(new, "sealed:1:2:", 11), 0);
	assert_int_equal(open_as(f, "secret:a", old, "hunter22"), 0);
	fixture_restart(f);
	assert_int_equal(open_as(f, "secret:a", old, "hunter22"), 0);
	assert_int_equal(open_as(f, "secret:a", new, "hunter22"), 0);
}

/* In another process, which dies at once. */
static void rotate_and_die(struct fixture *f, bool committed)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
		struct engine *engine = NULL;

		if (engine_new(f->home, loop, NULL, &engine) < 0 ||
			keyring_rotate(engine->keys, NULL, false, NULL) < 0)
			_exit(1);
		_exit(committed && store_turn_end(engine->store) < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_rotation_and_crash(void **state)
{
	struct fixture *f = *state;
	CLEANUP(cleanup_free) char *text = seal(f, "secret:a", "hunter22");

	for (int committed = 0; committed < 2; committed++) {
		engine_free(f->engine);
		f->engine = NULL;
		rotate_and_die(f, committed);
		assert_int_equal(engine_new(f->home, f->loop, &f->fault, &f->engine), 0);
		assert_int_equal(open_as(f, "secret:a", text, "hunter22"), 0);
		/* The file of a rotation that never was stays, and is of no use; that of a key that is
		 * retired goes. */
		assert_int_equal(key_files(f, NULL, NULL), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_seal_and_open),
		TEST(test_damage),
		TEST(test_undone),
		TEST(test_master_missing),
		TEST(test_passphrase),
		TEST(test_rotate),
		TEST(test_rotation_and_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
