/* SPDX-License-Identifier: MIT */
/* A short look: what is still the same, and everything that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those four, as cmocka wants it */
#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "lua/glance.h"
#include "lua/tree.h"

/* Of "hello\n". */
#define HELLO                                                                                                \
	"{\"content\":{\"sha256\":\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\","     \
	"\"size\":6},"

static char top[PATH_MAX];
static struct glance glance;

static int set_up(void **state)
{
	char pattern[] = "/tmp/test-glance-XXXXXX";

	umask(022);
	return mkdtemp(pattern) && realpath(pattern, top) && chdir(top) == 0 ? glance_init(&glance) : -1;
}

static int tear_down(void **state)
{
	struct fault fault = { 0 };

	glance_done(&glance);
	return chdir("/") == 0 && tree_remove(top, &fault) == 1 ? 0 : -1;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(name, 0644), 0);
}

static bool same(const char *type, const char *name, const char *actual)
{
	char path[PATH_MAX + 64];
	bool is_same;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	is_same = glance_same(&glance, type, path, actual);
	/* What was held before must not matter, nor what is held now. */
	assert_int_equal(glance_same(&glance, type, path, actual), is_same);
	glance_forget(&glance);
	assert_int_equal(glance_same(&glance, type, path, actual), is_same);
	glance_forget(&glance);
	return is_same;
}

static void test_files(void **state)
{
	const char *hello = HELLO "\"ensure\":\"present\",\"mode\":\"0644\"}";

	put("f", "hello\n");
	assert_true(same("file", "f", hello));
	assert_true(same("file", "f", "{\"ensure\":\"present\",\"mode\":\"0644\"}"));
	assert_false(same("file", "f", "{\"ensure\":\"present\",\"mode\":\"0600\"}"));
	assert_false(same("file", "f", "{\"ensure\":\"absent\"}"));
	assert_false(same("file", "f", "{\"ensure\":\"present\",\"mode\":\"0644\"}}"));
	assert_false(same("file", "f", "{\"ensure\":\"present\""));
	assert_false(same("file", "f", "{"));
	assert_false(same("file", "f", ""));
	assert_false(same("directory", "f", "{\"ensure\":\"present\",\"mode\":\"0644\"}"));
	assert_false(same("symlink", "f", "{\"ensure\":\"present\",\"mode\":\"0644\"}"));
	assert_false(same("line", "f", hello));
	put("f", "hellO\n"); /* of the same size */
	assert_false(same("file", "f", hello));
	put("f", "hello\n\n");
	assert_false(same("file", "f", hello));
	put("f", "hello");
	assert_false(same("file", "f", hello));
	put("f", "");
	assert_false(same("file", "f", hello));
	put("f", "hello\n");
	assert_int_equal(chmod("f", 04644), 0);
	assert_false(same("file", "f", hello));
}

static void test_empty(void **state)
{
	put("f", "");
	assert_true(same("file", "f",
		"{\"content\":{\"sha256\":"
		"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
		"\"size\":0},\"ensure\":\"present\",\"mode\":\"0644\"}"));
}

/* What is too large is not looked at, and so is nothing that answers to being opened. */
static void test_others(void **state)
{
	put("f", "hello\n");
	assert_int_equal(truncate("f", GLANCE_FILE_MAX + 1), 0);
	assert_false(same("file", "f", HELLO "\"ensure\":\"present\",\"mode\":\"0644\"}"));
	assert_int_equal(mkfifo("p", 0644), 0);
	assert_false(same("file", "p", "{\"ensure\":\"present\",\"mode\":\"0644\"}"));
	assert_false(same("file", "p", HELLO "\"ensure\":\"present\",\"mode\":\"0644\"}"));
	assert_int_equal(unlink("f"), 0);
	put("g", "hello\n");
	assert_int_equal(symlink("g", "f"), 0);
	assert_false(same("file", "f", HELLO "\"ensure\":\"present\",\"mode\":\"0644\"}"));
}

static void test_owners(void **state)
{
	const struct passwd *user = getpwuid(geteuid());
	const struct group *group;
	struct stat st;
	char text[512];

	put("f", "hello\n");
	assert_int_equal(stat("f", &st), 0);
	group = getgrgid(st.st_gid);
	if (!user || !group)
		skip();
	snprintf(text, sizeof(text),
		HELLO "\"ensure\":\"present\",\"group\":\"%s\",\"mode\":\"0644\",\"owner\":\"%s\"}",
		group->gr_name, user->pw_name);
	assert_true(same("file", "f", text));
	snprintf(text, sizeof(text), "{\"ensure\":\"present\",\"group\":\"%s\",\"mode\":\"0644\"}",
		group->gr_name);
	assert_false(same("file", "f", text));
	snprintf(text, sizeof(text),
		"{\"ensure\":\"present\",\"group\":\"%s\",\"mode\":\"0644\",\"owner\":\"%sx\"}",
		group->gr_name, user->pw_name);
	assert_false(same("file", "f", text));
	if (geteuid() != 0)
		return;
	assert_int_equal(chown("f", 54321, 54322), 0);
	assert_true(same("file", "f",
		HELLO "\"ensure\":\"present\",\"group\":\"54322\",\"mode\":\"0644\",\"owner\":\"54321\"}"));
}

static void test_directories_and_links(void **state)
{
	assert_int_equal(mkdir("d", 0755), 0);
	assert_true(same("directory", "d", "{\"ensure\":\"present\",\"mode\":\"0755\"}"));
	assert_false(same("directory", "d", "{\"ensure\":\"present\",\"mode\":\"0700\"}"));
	assert_false(same("file", "d", "{\"ensure\":\"present\",\"mode\":\"0755\"}"));
	assert_int_equal(symlink("d", "l"), 0);
	assert_true(same("symlink", "l", "{\"ensure\":\"present\",\"mode\":\"0777\",\"target\":\"d\"}"));
	assert_false(same("symlink", "l", "{\"ensure\":\"present\",\"mode\":\"0777\",\"target\":\"da\"}"));
	assert_false(same("symlink", "l", "{\"ensure\":\"present\",\"mode\":\"0777\"}"));
	assert_false(same("directory", "l", "{\"ensure\":\"present\",\"mode\":\"0755\"}"));
	/* What stands in JSON in another way than on the disk must not be taken for it. */
	assert_int_equal(symlink("a\\\"b", "m"), 0);
	assert_false(
		same("symlink", "m", "{\"ensure\":\"present\",\"mode\":\"0777\",\"target\":\"a\\\"b\"}"));
}

static void test_absent(void **state)
{
	const char *absent = "{\"ensure\":\"absent\"}";

	assert_true(same("file", "f", absent));
	assert_true(same("directory", "no/such/folder/f", absent));
	put("f", "hello\n");
	assert_false(same("file", "f", absent));
	assert_true(same("symlink", "f/below", absent));
	assert_false(same("file", "no/such/folder/f", "{\"ensure\":\"present\",\"mode\":\"0644\"}"));
	assert_false(same("file", ".", absent));
	assert_false(same("file", "d/", absent));
	assert_false(glance_same(&glance, "file", "f", absent));
	assert_false(glance_same(&glance, "file", "", absent));
}

/* Nothing is followed that anchor.h does not follow. */
static void test_ways(void **state)
{
	const char *hello = HELLO "\"ensure\":\"present\",\"mode\":\"0644\"}";

	assert_int_equal(mkdir("d", 0755), 0);
	put("d/f", "hello\n");
	assert_int_equal(symlink("d", "l"), 0);
	assert_true(same("file", "l/f", hello));
	if (geteuid() != 0)
		return;
	assert_int_equal(lchown("l", 54321, 54321), 0);
	assert_false(same("file", "l/f", hello));
	assert_false(same("file", "l/g", "{\"ensure\":\"absent\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_owners, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_directories_and_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ways, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
