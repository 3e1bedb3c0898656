/* SPDX-License-Identifier: MIT */
/* Who changes things: also processes that have ended before anybody looked. */
#include "lua/who.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/spawner-serve.h"
#include "lua/openers.h"

enum { SOMEBODY = 12345, CROWD = 200 };

struct fixture {
	struct ev_loop *loop;
	struct who who;
	char folder[64], file[80];
	json_t *by; /* who wrote last */
};

static bool told(void *userdata, uint64_t folder, const char *name, json_t *by)
{
	struct fixture *f = userdata;

	if (strcmp(name, "file") != 0)
		return false;
	json_decref(f->by);
	f->by = json_incref(by);
	return true;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/test-who-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	assert_int_equal(chmod(f->folder, 0755), 0);
	snprintf(f->file, sizeof(f->file), "%s/file", f->folder);
	close(open(f->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
	assert_int_equal(chmod(f->file, 0666), 0);
	f->loop = ev_loop_new(0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->file);
	rmdir(f->folder);
	json_decref(f->by);
	ev_loop_destroy(f->loop);
	free(f);
	return 0;
}

/* As the spawner leaves it. False: the kernel does not do that for us. */
static bool begin(struct fixture *f, bool exact)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
	int folder = open(f->folder, O_PATH | O_CLOEXEC);

	if (fd < 0 || folder < 0 || getuid() != 0)
		return false;
	if (fd != SPAWN_GROUP_FD) {
		dup2(fd, SPAWN_GROUP_FD);
		close(fd);
	}
	who_init(&f->who, f->loop, told, f);
	if (exact)
		who_be_exact(&f->who);
	if (exact && !f->who.openers)
		return false;
	who_mark(&f->who, 1, folder);
	close(folder);
	return true;
}

/* Somebody who writes, and is gone. */
static void write_and_end(const struct fixture *f)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = setuid(SOMEBODY) == 0 ? open(f->file, O_WRONLY | O_CLOEXEC) : -1;

		_exit(fd >= 0 && write(fd, "x", 1) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void wait_for_word(struct fixture *f)
{
	while (!f->by)
		ev_run(f->loop, EVRUN_ONCE);
}

/* What the next test is about. */
static void test_gone_is_a_number(void **state)
{
	struct fixture *f = *state;

	if (!begin(f, false))
		skip();
	write_and_end(f);
	wait_for_word(f);
	assert_true(json_integer_value(json_object_get(f->by, "pid")) > 0);
	assert_null(json_object_get(f->by, "uid"));
	who_done(&f->who);
}

static void test_gone_is_known(void **state)
{
	struct fixture *f = *state;
	char own[256] = "";

	if (!begin(f, true))
		skip();
	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	write_and_end(f);
	wait_for_word(f);
	assert_int_equal(json_integer_value(json_object_get(f->by, "uid")), SOMEBODY);
	assert_string_equal(json_string_value(json_object_get(f->by, "exe")), own);
	assert_non_null(json_object_get(f->by, "command"));
	who_done(&f->who);
}

static pid_t start_opener(const struct fixture *f)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(open(f->file, O_RDONLY | O_CLOEXEC) < 0);
	return pid;
}

/* They are more than are held together, and this process opens the file, too. */
static void test_crowd(void **state)
{
	struct fixture *f = *state;
	pid_t pids[CROWD];
	int status;

	if (!begin(f, true))
		skip();
	for (size_t i = 0; i < CROWD; i++)
		pids[i] = start_opener(f);
	for (size_t i = 0; i < CROWD; i++) {
		int fd = open(f->file, O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	who_done(&f->who);
}

/* Whether it is seen waiting in open(2), before it ends. */
static bool is_held(pid_t pid)
{
	char path[64], text[32] = "";
	siginfo_t info = { 0 };
	long number = 0;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	while (number != SYS_openat) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		close(fd);
		if (n <= 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid)
			return false;
		number = strtol(text, NULL, 10); /* "running" is 0 */
		usleep(1000);
	}
	return true;
}

/* The process that should answer is stopped, and then killed: nobody waits for ever. */
static void test_death_lets_go(void **state)
{
	struct fixture *f = *state;
	int ready[2], status;
	pid_t watcher, opener;
	char word;

	if (!begin(f, true))
		skip();
	who_done(&f->who);
	assert_int_equal(pipe(ready), 0);
	watcher = fork();
	if (watcher == 0) {
		struct openers *openers;

		if (openers_start(&openers) < 0)
			_exit(1);
		openers_mark(openers, f->folder);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &word, 1), 1);
	kill(watcher, SIGSTOP);
	assert_int_equal(waitpid(watcher, &status, WUNTRACED), watcher);
	opener = start_opener(f);
	assert_true(is_held(opener));
	kill(watcher, SIGKILL);
	assert_int_equal(waitpid(opener, &status, 0), opener);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(watcher, &status, 0), watcher);
	close(ready[0]);
	close(ready[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gone_is_a_number),
		TEST(test_gone_is_known),
		TEST(test_crowd),
		TEST(test_death_lets_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
