/* SPDX-License-Identifier: MIT */
/*
 * Both doors, the mount and the socket, give the same result and the same errno for the same operation: one
 * table, run against each of them in a stack of its own, by root and (where the test is root) by another
 * user.
 *
 * argv[1]: slothd. Needs /dev/fuse; without it the test is skipped (exit 77).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "fs/client.h"

enum verb {
	MKDIR,
	RMDIR,
	UNLINK,
	WRITE,
	READ,
	RENAME,
	CHMOD,
	STAT,
	LIST,
	LINK,
	READLINK,
	SETXATTR,
	GETXATTR,
	LISTXATTR
};

struct row {
	enum verb verb;
	const char *path; /* %s is the stack of this round */
	const char *arg;  /* content, new name, mode (octal), target */
	int error;	  /* expected errno */
	const char *text; /* expected content; NULL: only compared between the doors */
};

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

struct result {
	int error;
	char text[8192];
};

static struct {
	char home[64], mount[80];
	pid_t daemon;
	struct place place;
	struct client client;
	const char *slothd;
} world;

/* Through the mount. */

static void mount_write(const char *path, const char *content, struct result *result)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	size_t size = strlen(content);

	if (fd < 0 || write(fd, content, size) < 0)
		result->error = errno;
	if (fd >= 0 && close(fd) < 0 && !result->error)
		result->error = errno;
}

static void mount_read(const char *path, struct result *result)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, result->text, sizeof(result->text) - 1);

	if (n < 0)
		result->error = errno;
	else
		result->text[n] = '\0';
	if (fd >= 0)
		close(fd);
}

static void mount_list(const char *path, struct result *result)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir) {
		result->error = errno;
		return;
	}
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.') {
			strcat(result->text, entry->d_name);
			strcat(result->text, " ");
		}
	closedir(dir);
}

static void mount_stat(const char *path, struct result *result)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		result->error = errno;
	else if (S_ISDIR(st.st_mode))
		sprintf(result->text, "dir %o", (unsigned)st.st_mode & 07777);
	else
		sprintf(result->text, "%s %o %lld", S_ISLNK(st.st_mode) ? "link" : "file",
			(unsigned)st.st_mode & 07777, (long long)st.st_size);
}

/* "user.x=1" sets, "user.x" removes. */
static int set_xattr(const char *path, const char *arg)
{
	const char *value = strchr(arg, '=');
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, "="), arg);
	return value ? setxattr(path, name, value + 1, strlen(value + 1), 0) : removexattr(path, name);
}

static void mount_xattr(enum verb verb, const char *path, const char *arg, struct result *result)
{
	ssize_t n;

	if (verb == SETXATTR)
		n = set_xattr(path, arg);
	else if (verb == GETXATTR)
		n = getxattr(path, arg, result->text, sizeof(result->text) - 1);
	else
		n = listxattr(path, result->text, sizeof(result->text) - 1);
	if (n < 0) {
		result->error = errno;
		return;
	}
	for (ssize_t i = 0; i < n && verb == LISTXATTR; i++)
		if (!result->text[i])
			result->text[i] = ' ';
}

static void through_mount(const struct row *row, const char *path, const char *arg, struct result *result)
{
	char full[512], full_arg[512];
	ssize_t n;
	int r = 0;

	snprintf(full, sizeof(full), "%s%s", world.mount, path);
	snprintf(full_arg, sizeof(full_arg), "%s%s", world.mount, arg ? arg : "");
	switch (row->verb) {
	case MKDIR:
		r = mkdir(full, (mode_t)strtol(arg, NULL, 8));
		break;
	case RMDIR:
		r = rmdir(full);
		break;
	case UNLINK:
		r = unlink(full);
		break;
	case RENAME:
		r = rename(full, full_arg);
		break;
	case CHMOD:
		r = chmod(full, (mode_t)strtol(arg, NULL, 8));
		break;
	case LINK:
		r = symlink(arg, full);
		break;
	case SETXATTR:
	case GETXATTR:
	case LISTXATTR:
		mount_xattr(row->verb, full, arg, result);
		return;
	case READLINK:
		n = readlink(full, result->text, sizeof(result->text) - 1);
		r = n < 0 ? -1 : 0;
		break;
	case WRITE:
		mount_write(full, arg, result);
		return;
	case READ:
		mount_read(full, result);
		return;
	case LIST:
		mount_list(full, result);
		return;
	case STAT:
		mount_stat(full, result);
		return;
	}
	result->error = r < 0 ? errno : 0;
}

/* Through the socket. */

static void socket_stat(const char *path, struct result *result)
{
	struct fault fault = { 0 };
	json_t *attr = NULL;
	const char *type;
	int r = client_stat(&world.client, path, &fault, &attr);

	result->error = -r;
	if (r < 0)
		return;
	type = json_string_value(json_object_get(attr, "type"));
	if (!strcmp(type, "dir"))
		sprintf(result->text, "dir %llo", json_integer_value(json_object_get(attr, "mode")));
	else
		sprintf(result->text, "%s %llo %lld", type, json_integer_value(json_object_get(attr, "mode")),
			json_integer_value(json_object_get(attr, "size")));
	json_decref(attr);
}

static void socket_list(const char *path, struct result *result)
{
	struct fault fault = { 0 };
	json_t *entries = NULL, *entry;
	size_t i;

	result->error = -client_list(&world.client, path, false, &fault, &entries);
	json_array_foreach (entries, i, entry) {
		strcat(result->text, json_string_value(json_object_get(entry, "name")));
		strcat(result->text, " ");
	}
	json_decref(entries);
}

static void socket_xattr(enum verb verb, const char *path, const char *arg, struct result *result)
{
	const char *value = arg ? strchr(arg, '=') : NULL;
	const char *op = verb == LISTXATTR  ? "listxattr"
			 : verb == GETXATTR ? "getxattr"
			 : value	    ? "setxattr"
					    : "removexattr";
	CLEANUP(answer_done) struct answer answer = { 0 };
	struct fault fault = { 0 };
	json_t *name;
	size_t i;

	result->error = -client_call(&world.client, op,
		json_pack("{s:s, s:s%}", "path", path, "name", arg ? arg : "",
			arg ? (value ? (size_t)(value - arg) : strlen(arg)) : 0),
		value ? value + 1 : NULL, value ? strlen(value + 1) : 0, &fault, &answer);
	snprintf(result->text, sizeof(result->text), "%s", buffer_text(&answer.body));
	json_array_foreach (json_object_get(answer.head, "names"), i, name) {
		strcat(result->text, json_string_value(name));
		strcat(result->text, " ");
	}
	if (result->error == EINVAL)
		assert_true(strlen(fault.text) > 10);
}

static void through_socket(const struct row *row, const char *path, const char *arg, struct result *result)
{
	CLEANUP(buffer_done) struct buffer content = { 0 };
	struct fault fault = { 0 };
	char *target = NULL;
	json_t *fields = NULL;
	const char *op = NULL;
	int r = 0;

	switch (row->verb) {
	case MKDIR:
		op = "mkdir";
		fields = json_pack("{s:s, s:i}", "path", path, "mode", (int)strtol(arg, NULL, 8));
		break;
	case RMDIR:
		op = "rmdir";
		fields = json_pack("{s:s}", "path", path);
		break;
	case UNLINK:
		op = "unlink";
		fields = json_pack("{s:s}", "path", path);
		break;
	case RENAME:
		op = "rename";
		fields = json_pack("{s:s, s:s}", "from", path, "to", arg);
		break;
	case CHMOD:
		op = "setattr";
		fields = json_pack("{s:s, s:i}", "path", path, "mode", (int)strtol(arg, NULL, 8));
		break;
	case LINK:
		op = "symlink";
		fields = json_pack("{s:s, s:s}", "path", path, "target", arg);
		break;
	case READLINK:
		r = client_readlink(&world.client, path, &fault, &target);
		snprintf(result->text, sizeof(result->text), "%s", target ? target : "");
		free(target);
		break;
	case WRITE:
		r = client_write(&world.client, path, arg, strlen(arg), &fault, NULL);
		break;
	case READ:
		r = client_read(&world.client, path, &fault, &content);
		snprintf(result->text, sizeof(result->text), "%s", buffer_text(&content));
		break;
	case LIST:
		socket_list(path, result);
		return;
	case STAT:
		socket_stat(path, result);
		return;
	case SETXATTR:
	case GETXATTR:
	case LISTXATTR:
		socket_xattr(row->verb, path, arg, result);
		return;
	}
	if (op)
		r = client_call(&world.client, op, fields, NULL, 0, &fault, NULL);
	result->error = -r;
	/* Whoever wrote the input gets a sentence, not only a number. */
	if (r == -EINVAL && row->verb != READLINK)
		assert_true(strlen(fault.text) > 10);
}

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

	snprintf(path, sizeof(path), "%s/stacks/%s", world.mount, long_name);
	assert_int_equal(mkdir(path, 0755), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	snprintf(path, sizeof(path), "/stacks/%s", long_name);
	assert_int_equal(client_call(&world.client, "mkdir",
				 json_pack("{s:s, s:i}", "path", path, "mode", 0755), NULL, 0, &fault, NULL),
		-ENAMETOOLONG);
}

/* What one door changes, the other shows at once: no cache is in between. */
static void test_doors_see_each_other(void **state)
{
	struct fault fault = { 0 };
	char path[512], content[64];
	struct result result;

	assert_int_equal(client_mkdir(&world.client, "/stacks/both", &fault), 0);
	snprintf(path, sizeof(path), "%s/stacks/both/description", world.mount);
	for (int i = 0; i < 200; i++) {
		snprintf(content, sizeof(content), "%.*s %d\n", i % 40, long_name, i);
		assert_int_equal(client_write(&world.client, "/stacks/both/description", content,
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
		assert_int_equal(client_call(&world.client, "rmdir",
					 json_pack("{s:s}", "path", "/stacks/both"), NULL, 0, &fault, NULL),
			0);
		memset(&result, 0, sizeof(result));
		mount_read(path, &result);
		assert_int_equal(result.error, ENOENT);
		assert_int_equal(client_mkdir(&world.client, "/stacks/both", &fault), 0);
		memset(&result, 0, sizeof(result));
		mount_read(path, &result);
		assert_int_equal(result.error, 0);
	}
}

/* Another user: what the modes forbid is forbidden at both doors. */
static void as_other_user(int *failures)
{
	struct fault fault = { 0 };
	struct client client;
	char path[512];
	struct result result = { 0 };

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
		client_open(&client, &world.place, false, &fault) < 0) {
		*failures = 100;
		return;
	}
	snprintf(path, sizeof(path), "%s/stacks/private/status", world.mount);
	mount_read(path, &result);
	*failures += result.error != EACCES;
	*failures += client_read(&client, "/stacks/private/status", &fault, &(struct buffer){ 0 }) != -EACCES;
	snprintf(path, sizeof(path), "%s/stacks/public/description", world.mount);
	result = (struct result){ 0 };
	mount_write(path, "x\n", &result);
	*failures += result.error != EACCES;
	*failures += client_write(&client, "/stacks/public/description", "x\n", 2, &fault, NULL) != -EACCES;
	result = (struct result){ 0 };
	mount_read(path, &result);
	*failures += result.error != 0;
	snprintf(path, sizeof(path), "%s/stacks/mine", world.mount);
	*failures += mkdir(path, 0755) == 0 || errno != EACCES;
	*failures += client_mkdir(&client, "/stacks/mine", &fault) != -EACCES;
	snprintf(path, sizeof(path), "%s/stacks/public", world.mount);
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
	assert_int_equal(client_mkdir(&world.client, "/stacks/public", &fault), 0);
	assert_int_equal(client_call(&world.client, "mkdir",
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

	strcpy(world.home, "/tmp/sloth-doors-XXXXXX");
	if (!mkdtemp(world.home) || chmod(world.home, 0711) < 0)
		return -1;
	snprintf(world.mount, sizeof(world.mount), "%s/mnt", world.home);
	mkdir(world.mount, 0755);
	setenv("SLOTH_HOME", world.home, 1);
	if (place_find(&world.place, true, &fault) < 0 || pipe(ends) < 0)
		return -1;
	world.daemon = fork();
	if (world.daemon == 0) {
		close(ends[0]);
		snprintf(fd, sizeof(fd), "%d", ends[1]);
		execl(world.slothd, "slothd", "--mount", world.mount, "--ready-fd", fd, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], ready, sizeof(ready) - 1) <= 0 || *ready != '1') {
		fprintf(stderr, "slothd: %s\n", ready);
		return -1;
	}
	close(ends[0]);
	return client_open(&world.client, &world.place, false, &fault);
}

static int stop_daemon(void **state)
{
	char command[256];
	int status;

	client_close(&world.client);
	kill(world.daemon, SIGTERM);
	waitpid(world.daemon, &status, 0);
	snprintf(command, sizeof(command), "rm -rf %s", world.home);
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
	world.slothd = argv[1];
	return cmocka_run_group_tests(tests, start_daemon, stop_daemon);
}
