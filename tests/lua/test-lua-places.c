/* SPDX-License-Identifier: MIT */
/* Names in the file system: what happens to them, and on the way to them, is heard of. */
#include "lua/places-internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* In place of libc's: something happens just before the kernel is asked. */
static void (*meanwhile)(uint32_t mask);

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (meanwhile)
		meanwhile(mask);
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

struct fixture {
	struct ev_loop *loop;
	struct places places;
	int touched, turns, overflows;
	char folder[64];
	ev_timer end;
};

static struct fixture *now; /* that the spots are of */

static void touched(struct spot *spot)
{
	now->touched++;
}

static void settled(struct spot *spot)
{
}

static void folder_watched(void *userdata, uint64_t folder, int fd)
{
}

static void folder_left(void *userdata, uint64_t folder)
{
}

static void overflow(void *userdata)
{
	((struct fixture *)userdata)->overflows++;
}

static void mounted(void *userdata)
{
}

static void turn(void *userdata)
{
	((struct fixture *)userdata)->turns++;
}

static const struct places_callbacks callbacks = { touched, settled, folder_watched, folder_left, mounted,
	overflow, turn };

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->folder, "/tmp/sloth-places.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	assert_int_equal(chdir(fixture->folder), 0);
	fixture->loop = ev_loop_new(0);
	places_init(&fixture->places, fixture->loop, &callbacks, fixture);
	*state = now = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(cleanup_free) char *command = NULL;

	places_done(&fixture->places);
	ev_loop_destroy(fixture->loop);
	assert_true(asprintf(&command, "rm -r %s", fixture->folder) > 0);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static void too_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	fail_msg("nothing was heard of");
}

/* Until it was heard that something has happened to a spot since. */
static void hear(struct fixture *fixture)
{
	ev_timer_init(&fixture->end, too_late, 60, 0);
	ev_timer_start(fixture->loop, &fixture->end);
	while (!fixture->touched && !fixture->overflows)
		ev_run(fixture->loop, EVRUN_ONCE);
	ev_timer_stop(fixture->loop, &fixture->end);
	/* What came with it. */
	while (ev_is_active(&fixture->places.rest))
		ev_run(fixture->loop, EVRUN_ONCE);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static struct spot *spot_at(struct fixture *fixture, const char *name)
{
	char path[256];
	struct spot *spot;

	snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
	spot = spot_new(&fixture->places, path, NULL);
	assert_non_null(spot);
	return spot;
}

static void shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

/* One after the other, each from what the one before has left. */
static void test_mutations(void **state)
{
	static const char *const mutations[] = { "echo x > a/b/f", "echo y >> a/b/f", "truncate -s 0 a/b/f",
		"echo z > other && mv other a/b/f", "rm a/b/f", "echo x > a/b/f", "chmod 600 a/b/f",
		"touch a/b/f", "ln -sf target a/b/f", "rm a/b/f && mkdir a/b/f", "rmdir a/b/f", "mv a c",
		"mv c a", "mv a/b a/c", "mkdir a/b", "echo x > a/b/f", "rm -r a", "mkdir -p a/b",
		"echo x > a/b/f", "mv a real && ln -s real a", "mkdir -p second/b && ln -sfn second a",
		"echo x > second/b/f", "rm a", "mv real a", "chmod 700 a/b" };
	struct fixture *fixture = *state;
	struct spot *spot;

	shell("mkdir -p a/b && echo x > a/b/f");
	spot = spot_at(fixture, "a/b/f");
	assert_null(spot_why(spot));
	for (size_t i = 0; i < sizeof(mutations) / sizeof(mutations[0]); i++) {
		fixture->touched = 0;
		print_message("%s\n", mutations[i]);
		shell(mutations[i]);
		hear(fixture);
	}
	spot_free(&fixture->places, spot);
}

static void test_names(void **state)
{
	struct fixture *fixture = *state;
	struct spot *any, *one;

	shell("mkdir d");
	any = spot_at(fixture, "d/");
	write_file("d/x", "");
	hear(fixture);
	spot_free(&fixture->places, any);
	/* Only its own name is a spot's business. */
	one = spot_at(fixture, "d/y");
	fixture->touched = 0;
	write_file("d/x", "more");
	for (int turns = fixture->turns; fixture->turns == turns;)
		ev_run(fixture->loop, EVRUN_ONCE);
	assert_int_equal(fixture->touched, 0);
	write_file("d/y", "");
	hear(fixture);
	spot_free(&fixture->places, one);
	assert_null(spot_new(&fixture->places, "relative", NULL));
}

/* More events than the kernel keeps. */
static void test_overflow(void **state)
{
	struct fixture *fixture = *state;
	struct spot *spot = spot_at(fixture, "f");
	int limit = 0;
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");

	assert_int_equal(fscanf(file, "%d", &limit), 1);
	fclose(file);
	for (int i = 0; i < limit; i++) {
		close(open(i % 2 ? "x" : "y", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		unlink(i % 2 ? "x" : "y");
	}
	hear(fixture);
	while (!fixture->overflows)
		ev_run(fixture->loop, EVRUN_ONCE);
	spot_free(&fixture->places, spot);
}

/* A folder that was not there when it was looked for, and is when its coming would be told. The folder above
 * was watched already, for itself. */
static void comes_in_between(uint32_t mask)
{
	if (!(mask & IN_CREATE))
		return;
	meanwhile = NULL;
	assert_int_equal(mkdir("a/late", 0755), 0);
	write_file("a/late/f", "");
}

static void test_in_between(void **state)
{
	struct fixture *fixture = *state;
	struct spot *other, *spot;

	shell("mkdir -p a/here");
	other = spot_at(fixture, "a/here/f");
	meanwhile = comes_in_between;
	spot = spot_at(fixture, "a/late/f");
	assert_null(meanwhile);
	assert_non_null(spot->place->folder);
	fixture->touched = 0;
	write_file("a/late/f", "more");
	hear(fixture);
	spot_free(&fixture->places, spot);
	spot_free(&fixture->places, other);
}

/* The kernel tells of the end of a folder when nobody holds it any more. */
static void test_held_folder(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(cleanup_fd) int fd = -1;
	struct spot *spot;

	shell("mkdir -p a/b");
	spot = spot_at(fixture, "a/b/f");
	fd = open("a/b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	fixture->touched = 0;
	shell("rm -r a/b");
	hear(fixture);
	shell("mkdir a/b");
	hear(fixture);
	fixture->touched = 0;
	write_file("a/b/f", "");
	hear(fixture);
	spot_free(&fixture->places, spot);
}

/* What was watched is given back. */
static void test_nothing_left(void **state)
{
	struct fixture *fixture = *state;
	struct spot *spots[20];

	shell("mkdir -p a/b c");
	for (int i = 0; i < 20; i++)
		spots[i] = spot_at(fixture, i % 3 ? "a/b/f" : i % 2 ? "c/d/e" : "c/x");
	for (int i = 0; i < 20; i++)
		spot_free(&fixture->places, spots[i]);
	for (size_t i = 0; i < PLACES_ROWS; i++) {
		assert_true(LIST_EMPTY(&fixture->places.folders[i]));
		assert_true(LIST_EMPTY(&fixture->places.by_path[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mutations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_between, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_left, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
