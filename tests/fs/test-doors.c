/* SPDX-License-Identifier: MIT */
/*
 * Both doors, the mount and the socket, give the same result and the same errno for the same operation: one
 * table, run against each of them in a stack of its own, by root and (where the test is root) by another
 * user.
 *
 * argv[1]: slothd. Needs /dev/fuse; without it the test is skipped (exit 77).
 */
#include "tests/fs/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"

struct doors doors;

static const char long_name[] =
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static const struct row rows[] = {
	{ MKDIR, "/stacks/%s", "755", 0, NULL },
	{ MKDIR, "/stacks/%s", "755", EEXIST, NULL },
	{ MKDIR, "/stacks/.%s", "755", EINVAL, NULL },
	{ MKDIR, "/stacks/%s b", "755", EINVAL, NULL },
	{ MKDIR, "/stacks/%s/x", "755", EPERM, NULL },
	{ MKDIR, "/%s", "755", EPERM, NULL },
	{ MKDIR, "/nowhere/%s", "755", ENOENT, NULL },
	{ STAT, "/stacks/%s", NULL, 0, "dir 755" },
	{ STAT, "/stacks/%s/status", NULL, 0, "file 444 8" },
	{ STAT, "/stacks/%s/nothing", NULL, ENOENT, NULL },
	{ STAT, "/stacks/%s/status/x", NULL, ENOTDIR, NULL },
	{ READ, "/stacks/%s/status", NULL, 0, "created\n" },
	{ READ, "/stacks/%s", NULL, EISDIR, NULL },
	{ READ, "/stacks/%s/nothing", NULL, ENOENT, NULL },
	{ WRITE, "/stacks/%s/status", "x\n", EACCES, NULL },
	{ WRITE, "/README", "x\n", EACCES, NULL },
	{ UNLINK, "/stacks/%s/status", NULL, EPERM, NULL },
	{ RMDIR, "/stacks/%s/state", NULL, EPERM, NULL },
	{ RMDIR, "/stacks/%s/status", NULL, ENOTDIR, NULL },
	{ UNLINK, "/stacks/%s", NULL, EISDIR, NULL },
	{ WRITE, "/stacks/%s/description", "for people\n", 0, NULL },
	{ READ, "/stacks/%s/description", NULL, 0, "for people\n" },
	{ WRITE, "/stacks/%s/config.yaml", "lock_timeout: 5m\n", 0, NULL },
	{ READ, "/stacks/%s/config.yaml", NULL, 0, "lock_timeout: 5m\n" },
	{ WRITE, "/stacks/%s/config.yaml", "\tlock_timeout: 5m\n", EINVAL, NULL },
	{ WRITE, "/stacks/%s/config.yaml", "no_such_key: 1\n", EINVAL, NULL },
	{ READ, "/stacks/%s/config.yaml", NULL, 0, "lock_timeout: 5m\n" },
	{ WRITE, "/stacks/%s/values.yaml", "port: 80\n", 0, NULL },
	{ WRITE, "/stacks/%s/values.yaml", "port: [\n", EINVAL, NULL },
	{ READ, "/stacks/%s/values.yaml", NULL, 0, "port: 80\n" },
	{ UNLINK, "/stacks/%s/values.yaml", NULL, 0, NULL },
	{ STAT, "/stacks/%s/values.yaml", NULL, ENOENT, NULL },
	{ WRITE, "/stacks/%s/values.yaml", "port: 81\n", 0, NULL },
	{ READ, "/stacks/%s/values.yaml", NULL, 0, "port: 81\n" },
	{ WRITE, "/stacks/%s/.values.tmp", "port: 82\n", 0, NULL },
	{ READ, "/stacks/%s/.values.tmp", NULL, 0, "port: 82\n" },
	{ RENAME, "/stacks/%s/.values.tmp", "/stacks/%s/values.yaml", 0, NULL },
	{ READ, "/stacks/%s/values.yaml", NULL, 0, "port: 82\n" },
	{ STAT, "/stacks/%s/.values.tmp", NULL, ENOENT, NULL },
	{ WRITE, "/stacks/%s/bad.tmp", "port: [\n", 0, NULL },
	{ RENAME, "/stacks/%s/bad.tmp", "/stacks/%s/values.yaml", EINVAL, NULL },
	{ READ, "/stacks/%s/values.yaml", NULL, 0, "port: 82\n" },
	{ UNLINK, "/stacks/%s/bad.tmp", NULL, 0, NULL },
	{ WRITE, "/stacks/%s/outputs.d/url", "http://x/\n", 0, NULL },
	{ READ, "/stacks/%s/outputs.d/url", NULL, 0, "http://x/\n" },
	{ READ, "/stacks/%s/outputs", NULL, 0, "url=http://x/\n" },
	{ WRITE, "/stacks/%s/outputs.d/.hidden", "x\n", EINVAL, NULL },
	{ LIST, "/stacks/%s/outputs.d", NULL, 0, "url " },
	{ UNLINK, "/stacks/%s/outputs.d/url", NULL, 0, NULL },
	{ READ, "/stacks/%s/outputs", NULL, 0, "" },
	{ WRITE, "/stacks/%s/state/n", "1\n", 0, NULL },
	{ READ, "/stacks/%s/state/n", NULL, 0, "1\n" },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.ttl=1h", 0, NULL },
	{ LISTXATTR, "/stacks/%s/state/n", NULL, 0, "user.sloth.type user.sloth.ttl user.sloth.expires " },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.ttl", 0, NULL },
	{ GETXATTR, "/stacks/%s/state/n", "user.sloth.ttl", ENODATA, NULL },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.ttl=soon", EINVAL, NULL },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.expires=soon", EINVAL, NULL },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.nothing=1", ENOTSUP, NULL },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.nothing", ENODATA, NULL },
	{ SETXATTR, "/stacks/%s/state/n", "user.other=1", ENOTSUP, NULL },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.type=boolean", EINVAL, NULL },
	{ SETXATTR, "/stacks/%s/state/n", "user.sloth.type=number", 0, NULL },
	{ GETXATTR, "/stacks/%s/state/n", "user.sloth.type", 0, "number" },
	{ GETXATTR, "/stacks/%s/status", "user.sloth.ttl", ENODATA, NULL },
	{ LISTXATTR, "/stacks/%s/status", NULL, 0, "" },
	{ WRITE, "/stacks/%s/state/a%%20b", "1\n", 0, NULL },
	{ WRITE, "/stacks/%s/state/a%%41b", "1\n", EINVAL, NULL },
	{ LIST, "/stacks/%s/state", NULL, 0, "a%20b n " },
	{ WRITE, "/stacks/%s/lock", "unlock\n", ENOENT, NULL },
	{ READ, "/stacks/%s/lock", NULL, 0, "unlocked\n" },
	{ WRITE, "/stacks/%s/lock", "testing\n", 0, NULL },
	{ WRITE, "/stacks/%s/lock", "bogus=1 reason=x\n", EINVAL, NULL },
	{ WRITE, "/stacks/%s/lock", "unlock\n", 0, NULL },
	{ WRITE, "/stacks/%s/lock", "testing\n", 0, NULL },
	{ UNLINK, "/stacks/%s/lock", NULL, 0, NULL },
	{ READ, "/stacks/%s/lock", NULL, 0, "unlocked\n" },
	{ CHMOD, "/stacks/%s", "750", 0, NULL },
	{ STAT, "/stacks/%s", NULL, 0, "dir 750" },
	{ STAT, "/stacks/%s/status", NULL, 0, "file 440 8" },
	{ RENAME, "/stacks/%s", "/stacks/%s.new", 0, NULL },
	{ STAT, "/stacks/%s", NULL, ENOENT, NULL },
	{ RENAME, "/stacks/%s.new", "/stacks/%s", 0, NULL },
	{ RENAME, "/stacks/%s", "/runs/%s", EXDEV, NULL },
	{ RENAME, "/stacks/%s/status", "/stacks/%s/other", EPERM, NULL },
	{ LINK, "/stacks/%s/link", "../x", EPERM, NULL },
	{ READLINK, "/runs/latest", NULL, ENOENT, NULL },
	{ READLINK, "/version", NULL, EINVAL, NULL },
	{ RMDIR, "/stacks/%s", NULL, 0, NULL },
	{ RMDIR, "/stacks/%s", NULL, ENOENT, NULL },
	{ RMDIR, "/stacks", NULL, EPERM, NULL },
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static const char *fill(const char *format, const char *stack, char *text, size_t size)
{
	if (!format)
		return NULL;
	snprintf(text, size, format, stack);
	return text;
}
#pragma GCC diagnostic pop

static void run_rows(void (*door)(const struct row *, const char *, const char *, struct result *),
	const char *stack, struct result *results)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[256], arg[256];
		const char *filled = fill(rows[i].arg, stack, arg, sizeof(arg));

		door(&rows[i], fill(rows[i].path, stack, path, sizeof(path)), filled, &results[i]);
		if (results[i].error != rows[i].error)
			fail_msg("row %zu (%s): %s, expected %s", i, path, strerror(results[i].error),
				strerror(rows[i].error));
		if (rows[i].text && !results[i].error)
			assert_string_equal(results[i].text, rows[i].text);
	}
}

static struct result by_mount[sizeof(rows) / sizeof(rows[0])], by_socket[sizeof(rows) / sizeof(rows[0])];

static void test_same_results(void **state)
{
	run_rows(through_mount, "one", by_mount);
	run_rows(through_socket, "two", by_socket);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(by_mount[i].text, by_socket[i].text);
}

static void test_names_too_long(void **state)
{
	struct fault fault = { 0 };
	char path[512];

	snprintf(path, sizeof(path), "%s/stacks/%s", doors.mount, long_name);
	assert_int_equal(mkdir(path, 0755), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	snprintf(path, sizeof(path), "/stacks/%s", long_name);
	assert_int_equal(client_call(&doors.client, "mkdir",
				 json_pack("{s:s, s:i}", "path", path, "mode", 0755), NULL, 0, &fault, NULL),
		-ENAMETOOLONG);
}

/* What one door changes, the other shows at once: no cache is in between. */
static void test_doors_see_each_other(void **state)
{
	struct fault fault = { 0 };
	char path[512], content[64];
	struct result result;

	assert_int_equal(client_mkdir(&doors.client, "/stacks/both", &fault), 0);
	snprintf(path, sizeof(path), "%s/stacks/both/description", doors.mount);
	for (int i = 0; i < 200; i++) {
		snprintf(content, sizeof(content), "%.*s %d\n", i % 40, long_name, i);
		assert_int_equal(client_write(&doors.client, "/stacks/both/description", content,
					 strlen(content), &fault, NULL),
			0);
		memset(&result, 0, sizeof(result));
		mount_read(path, &result);
		assert_string_equal(result.text, content);
		memset(&result, 0, sizeof(result));
		mount_stat(path, &result);
		assert_int_equal(strtol(result.text + strlen("file 644 "), NULL, 10), (long)strlen(content));
	}
	/* A name that is removed by one is gone for the other, also when it was made anew in between. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(client_call(&doors.client, "rmdir",
					 json_pack("{s:s}", "path", "/stacks/both"), NULL, 0, &fault, NULL),
			0);
		memset(&result, 0, sizeof(result));
		mount_read(path, &result);
		assert_int_equal(result.error, ENOENT);
		assert_int_equal(client_mkdir(&doors.client, "/stacks/both", &fault), 0);
		memset(&result, 0, sizeof(result));
		mount_read(path, &result);
		assert_int_equal(result.error, 0);
	}
}

/* Who goes in the midst of it has made nothing, but what was there before stays. */
static void test_client_goes(void **state)
{
	static const char *const paths[] = { "/runs/half.sloth", "/workflows/half.sloth" };
	struct fault fault = { 0 };
	struct client client;
	char path[512];

	assert_int_equal(client_open(&client, &doors.place, false, &fault), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(
			client_call(&client, "open",
				json_pack("{s:s, s:[s, s]}", "path", paths[i], "flags", "create", "write"),
				NULL, 0, &fault, NULL),
			0);
	snprintf(path, sizeof(path), "%s/runs/touched.sloth", doors.mount);
	close(open(path, O_WRONLY | O_CREAT, 0644));
	assert_int_equal(client_call(&client, "open",
				 json_pack("{s:s, s:[s, s]}", "path", "/runs/touched.sloth", "flags",
					 "create", "write"),
				 NULL, 0, &fault, NULL),
		0);
	client_close(&client);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int r = 0;

		for (int tries = 0; tries < 1000 && r == 0; tries++, usleep(10000)) {
			json_t *attr = NULL;

			r = client_stat(&doors.client, paths[i], &fault, &attr);
			json_decref(attr);
		}
		assert_int_equal(r, -ENOENT);
	}
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
}

/* Another user: what the modes forbid is forbidden at both doors. */
static void as_other_user(int *failures)
{
	struct fault fault = { 0 };
	struct client client;
	char path[512];
	struct result result = { 0 };

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
		client_open(&client, &doors.place, false, &fault) < 0) {
		*failures = 100;
		return;
	}
	snprintf(path, sizeof(path), "%s/stacks/private/status", doors.mount);
	mount_read(path, &result);
	*failures += result.error != EACCES;
	*failures += client_read(&client, "/stacks/private/status", &fault, &(struct buffer){ 0 }) != -EACCES;
	snprintf(path, sizeof(path), "%s/stacks/public/description", doors.mount);
	result = (struct result){ 0 };
	mount_write(path, "x\n", &result);
	*failures += result.error != EACCES;
	*failures += client_write(&client, "/stacks/public/description", "x\n", 2, &fault, NULL) != -EACCES;
	result = (struct result){ 0 };
	mount_read(path, &result);
	*failures += result.error != 0;
	snprintf(path, sizeof(path), "%s/stacks/mine", doors.mount);
	*failures += mkdir(path, 0755) == 0 || errno != EACCES;
	*failures += client_mkdir(&client, "/stacks/mine", &fault) != -EACCES;
	snprintf(path, sizeof(path), "%s/stacks/public", doors.mount);
	*failures += rmdir(path) == 0 || errno != EACCES;
	*failures += chmod(path, 0777) == 0 || errno != EPERM;
	*failures += client_call(&client, "setattr",
			     json_pack("{s:s, s:i}", "path", "/stacks/public", "mode", 0777), NULL, 0, &fault,
			     NULL) != -EPERM;
	client_close(&client);
}

static void test_other_user(void **state)
{
	struct fault fault = { 0 };
	int status, failures = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(client_mkdir(&doors.client, "/stacks/public", &fault), 0);
	assert_int_equal(client_call(&doors.client, "mkdir",
				 json_pack("{s:s, s:i}", "path", "/stacks/private", "mode", 0700), NULL, 0,
				 &fault, NULL),
		0);
	pid = fork();
	if (pid == 0) {
		as_other_user(&failures);
		_exit(failures);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int start_daemon(void **state)
{
	char ready[256] = "", fd[16];
	struct fault fault = { 0 };
	int ends[2];

	strcpy(doors.home, "/tmp/sloth-doors-XXXXXX");
	if (!mkdtemp(doors.home) || chmod(doors.home, 0711) < 0)
		return -1;
	snprintf(doors.mount, sizeof(doors.mount), "%s/mnt", doors.home);
	mkdir(doors.mount, 0755);
	setenv("SLOTH_HOME", doors.home, 1);
	if (place_find(&doors.place, true, &fault) < 0 || pipe(ends) < 0)
		return -1;
	doors.daemon = fork();
	if (doors.daemon == 0) {
		close(ends[0]);
		snprintf(fd, sizeof(fd), "%d", ends[1]);
		execl(doors.slothd, "slothd", "--mount", doors.mount, "--ready-fd", fd, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], ready, sizeof(ready) - 1) <= 0 || *ready != '1') {
		fprintf(stderr, "slothd: %s\n", ready);
		return -1;
	}
	close(ends[0]);
	return client_open(&doors.client, &doors.place, false, &fault);
}

static int stop_daemon(void **state)
{
	char command[256];
	int status;

	client_close(&doors.client);
	kill(doors.daemon, SIGTERM);
	waitpid(doors.daemon, &status, 0);
	snprintf(command, sizeof(command), "rm -rf %s", doors.home);
	if (system(command) != 0)
		return -1;
	/* A sanitizer's complaint is a failure. */
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_results),
		cmocka_unit_test(test_names_too_long),
		cmocka_unit_test(test_doors_see_each_other),
		cmocka_unit_test(test_client_goes),
		cmocka_unit_test(test_other_user),
	};
	int fd = open("/dev/fuse", O_RDWR);

	if (argc < 2)
		return 2;
	if (fd < 0) {
		fprintf(stderr, "no /dev/fuse: skipped\n");
		return 77;
	}
	close(fd);
	umask(022);
	doors.slothd = argv[1];
	return cmocka_run_group_tests(tests, start_daemon, stop_daemon);
}
