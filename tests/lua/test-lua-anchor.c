/* SPDX-License-Identifier: MIT */
/* Folders that are held while one works in them, and links that lead nobody elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/anchor.h"
#include "lua/tree.h"

static char top[PATH_MAX];

/* TOP/NAME; borrowed until the fourth call after this one. */
static const char *at(const char *name)
{
	static char paths[4][PATH_MAX + 256];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	return path;
}

static int set_up(void **state)
{
	char pattern[] = "/tmp/test-anchor-XXXXXX";

	/* Without links: what is above is not what is tested. */
	return mkdtemp(pattern) && realpath(pattern, top) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fault fault = { 0 };

	return tree_remove(top, &fault) == 1 ? 0 : -1;
}

static void touch(int fd, const char *name)
{
	int file = openat(fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(file >= 0);
	close(file);
}

static bool there(const char *name)
{
	struct stat st;

	return lstat(at(name), &st) == 0;
}

static void assert_refused(const char *path, bool make, int error, const char *words)
{
	struct fault fault = { 0 };
	char name[NAME_MAX + 1] = "untouched";

	assert_int_equal(anchor_open(path, make, name, &fault), -error);
	assert_non_null(strstr(fault.text, words));
	assert_string_equal(name, "untouched");
}

static int assert_opened(const char *path, bool make, const char *wanted)
{
	struct fault fault = { 0 };
	char name[NAME_MAX + 1];
	int fd = anchor_open(path, make, name, &fault);

	assert_string_equal(fault.text, "");
	assert_true(fd >= 0);
	assert_string_equal(name, wanted);
	return fd;
}

static void test_ways(void **state)
{
	assert_refused(at("a/b/c"), false, ENOENT, "a: No such file");
	assert_false(there("a"));
	close(assert_opened(at("a/b/c"), true, "c"));
	assert_true(there("a/b"));
	assert_false(there("a/b/c"));
	int fd = assert_opened(at("a//./b/../b/c///"), false, "c");
	touch(fd, "c");
	close(fd);
	assert_true(there("a/b/c"));
	assert_refused(at("a/b/c/d"), true, ENOTDIR, "c: Not a directory");
	close(assert_opened("/etc", false, "etc"));
}

static void test_names(void **state)
{
	char name[NAME_MAX + 2];

	memset(name, 'x', sizeof(name) - 1);
	name[NAME_MAX + 1] = '\0';
	assert_refused("relative/x", false, EINVAL, "not an absolute path");
	assert_refused("/", false, EINVAL, "by its own name");
	assert_refused(at(".."), false, EINVAL, "by its own name");
	assert_refused(at("."), false, EINVAL, "by its own name");
	assert_refused(at(name), false, ENAMETOOLONG, "too long");
	close(assert_opened(at("..."), false, "..."));
	close(assert_opened(at("..x"), false, "..x"));
	name[NAME_MAX] = '\0';
	close(assert_opened(at(name), false, name));
}

static void test_links(void **state)
{
	assert_int_equal(mkdir(at("real"), 0700), 0);
	assert_int_equal(symlink("real", at("relative")), 0);
	assert_int_equal(symlink(at("real"), at("absolute")), 0);
	assert_int_equal(symlink("../relative/.", at("real/back")), 0);
	assert_int_equal(symlink("loop", at("loop")), 0);
	assert_int_equal(symlink("nowhere", at("dangling")), 0);
	int fd = assert_opened(at("relative/back/one"), false, "one");
	touch(fd, "one");
	close(fd);
	fd = assert_opened(at("absolute/two"), false, "two");
	touch(fd, "two");
	close(fd);
	assert_true(there("real/one") && there("real/two"));
	assert_refused(at("loop/x"), true, ELOOP, "Too many levels");
	assert_refused(at("dangling/x"), false, ENOENT, "No such file");
	/* The last name is never followed: it is what the work is about. */
	close(assert_opened(at("loop"), false, "loop"));
}

static void test_links_of_others(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(at("safe"), 0700), 0);
	assert_int_equal(symlink("safe", at("theirs")), 0);
	assert_int_equal(lchown(at("theirs"), 12345, 12345), 0);
	assert_refused(at("theirs/x"), true, ELOOP, "a symbolic link of another user (uid 12345)");
	assert_false(there("safe/x"));
}

/* What takes the folder's place afterwards does not matter. */
static void test_held(void **state)
{
	assert_int_equal(mkdir(at("held"), 0700), 0);
	assert_int_equal(mkdir(at("elsewhere"), 0700), 0);
	int fd = assert_opened(at("held/x"), false, "x");
	assert_int_equal(rename(at("held"), at("moved")), 0);
	assert_int_equal(symlink("elsewhere", at("held")), 0);
	touch(fd, "x");
	close(fd);
	assert_true(there("moved/x"));
	assert_false(there("elsewhere/x"));
}

static void test_owners(void **state)
{
	struct tree_owner nobody = { .uid = 12345, .gid = (gid_t)-1 },
			  us = { .uid = geteuid(), .gid = getegid() };
	struct tree_owned owned = { .count = -1 };
	struct fault fault = { 0 };

	assert_int_equal(mkdir(at("t"), 0700), 0);
	assert_int_equal(mkdir(at("t/a"), 0700), 0);
	assert_int_equal(symlink("/etc/passwd", at("t/a/l")), 0);
	assert_int_equal(tree_own(at("t"), &us, &owned, &fault), 0);
	assert_int_equal(owned.count, 0);
	assert_int_equal(tree_own(at("t"), &nobody, &owned, &fault), 0);
	assert_int_equal(owned.count, 2);
	assert_string_equal(owned.first, "a");
	assert_int_equal(tree_own(at("t/a/l"), &nobody, &owned, &fault), -ENOTDIR);
	if (geteuid() != 0)
		return;
	struct stat st;

	nobody.change = true;
	assert_int_equal(tree_own(at("t"), &nobody, &owned, &fault), 0);
	assert_int_equal(owned.count, 2);
	assert_int_equal(lstat(at("t/a/l"), &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(stat("/etc/passwd", &st), 0);
	assert_int_equal(st.st_uid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_owners, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
