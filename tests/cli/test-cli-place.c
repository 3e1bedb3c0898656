/* SPDX-License-Identifier: MIT */
/* Where home and socket are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/place.h"

static void test_given(void **state)
{
	struct place place;
	struct fault fault = { 0 };

	setenv("SLOTH_HOME", "/some/where", 1);
	assert_int_equal(place_find(&place, false, &fault), 0);
	assert_string_equal(place.home, "/some/where");
	assert_string_equal(place.socket, "/some/where/socket");
	assert_false(place.system);
}

static void test_relative(void **state)
{
	struct place place;
	struct fault fault = { 0 };

	setenv("SLOTH_HOME", "here", 1);
	assert_int_equal(place_find(&place, false, &fault), -EINVAL);
	assert_non_null(strstr(fault.text, "absolute"));
}

/* 107 bytes are the most; one more is refused with the number, and what to do. */
static void test_socket_length(void **state)
{
	struct place place;
	struct fault fault = { 0 };
	char home[128];

	memset(home, 'x', sizeof(home));
	home[0] = '/';
	home[100] = '\0';
	setenv("SLOTH_HOME", home, 1);
	assert_int_equal(place_find(&place, true, &fault), 0);
	assert_int_equal(strlen(place.socket), 107);
	home[100] = 'x';
	home[101] = '\0';
	setenv("SLOTH_HOME", home, 1);
	assert_int_equal(place_find(&place, true, &fault), -ENAMETOOLONG);
	assert_non_null(strstr(fault.text, "107"));
	assert_non_null(strstr(fault.text, "SLOTH_HOME"));
}

static void test_user(void **state)
{
	char runtime[] = "/tmp/sloth-test-XXXXXX";
	struct place place;
	struct fault fault = { 0 };
	char expected[64];

	if (geteuid() == 0) {
		unsetenv("SLOTH_HOME");
		assert_int_equal(place_find(&place, true, &fault), 0);
		assert_string_equal(place.home, "/var/lib/sloth");
		assert_string_equal(place.socket, "/run/sloth/socket");
		assert_true(place.system);
		if (seteuid(65534) < 0)
			skip();
	}
	assert_non_null(mkdtemp(runtime));
	unsetenv("SLOTH_HOME");
	setenv("XDG_STATE_HOME", "/state", 1);
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	assert_int_equal(place_find(&place, true, &fault), 0);
	snprintf(expected, sizeof(expected), "%s/sloth/socket", runtime);
	assert_string_equal(place.home, "/state/sloth");
	assert_string_equal(place.socket, expected);
	/* One that is not there is as good as none; a relative one means nothing. */
	setenv("XDG_RUNTIME_DIR", "/nowhere/at/all", 1);
	setenv("XDG_STATE_HOME", "state", 1);
	setenv("HOME", "/home/someone", 1);
	assert_int_equal(place_find(&place, true, &fault), 0);
	assert_string_equal(place.home, "/home/someone/.local/state/sloth");
	assert_string_equal(place.socket, "/home/someone/.local/state/sloth/socket");
	rmdir(runtime);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

static void test_make(void **state)
{
	char folder[] = "/tmp/sloth-test-XXXXXX", home[64];
	struct place place;
	struct fault fault = { 0 };
	struct stat st;

	assert_non_null(mkdtemp(folder));
	snprintf(home, sizeof(home), "%s/a/b", folder);
	setenv("SLOTH_HOME", home, 1);
	assert_int_equal(place_find(&place, true, &fault), 0);
	assert_int_equal(place_make(&place, &fault), 0);
	assert_int_equal(place_make(&place, &fault), 0);
	assert_int_equal(stat(home, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* Nobody listens there. */
	assert_int_equal(place_connect(&place), -ENOENT);
	rmdir(home);
	*strrchr(home, '/') = '\0';
	rmdir(home);
	rmdir(folder);
	setenv("SLOTH_HOME", "/dev/null/x", 1);
	assert_int_equal(place_find(&place, true, &fault), 0);
	assert_true(place_make(&place, &fault) < 0);
	assert_non_null(strstr(fault.text, "/dev/null/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_socket_length),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
