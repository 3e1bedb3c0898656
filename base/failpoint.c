/* SPDX-License-Identifier: MIT */
/* Places at which a test build can be killed. Only in test builds. */
#include "base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fault.h"

enum { ORDER_SIZE = 256 };

/* The linker's: where the rows of this program begin and end. A program may have none; a sanitizer may leave
 * room between two. */
extern struct failpoint *const __start_failpoints[] __attribute__((weak));
extern struct failpoint *const __stop_failpoints[] __attribute__((weak));

/* What SLOTH_FAILPOINT was when the program began: runners get another environment. */
static char variable[ORDER_SIZE] = "SLOTH_FAILPOINT=";
static const char *const wish = variable + sizeof("SLOTH_FAILPOINT=") - 1;

static void __attribute__((constructor)) failpoint_begin(void)
{
	const char *text = getenv("SLOTH_FAILPOINT");

	if (text && strlen(variable) + strlen(text) < sizeof(variable))
		strcat(variable, text);
}

char *failpoint_variable(void)
{
	return *wish ? variable : NULL;
}

static char *path_of(const char *name, char ret_path[ORDER_SIZE + 16])
{
	snprintf(ret_path, ORDER_SIZE + 16, "%s/%s", wish, name);
	return ret_path;
}

/* A test that goes on would blame somebody else. */
static void __attribute__((noreturn)) give_up(const char *path)
{
	dprintf(STDERR_FILENO, "failpoint: %s can't be written: %s\n", path, strerror(errno));
	abort();
}

/* Without stdio and without memory: it may be anywhere. */
static void note_pass(const char *name)
{
	char path[ORDER_SIZE + 16], line[ORDER_SIZE];
	int fd = open(path_of("passed", path), O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		return;
	snprintf(line, sizeof(line), "%s\n", name);
	if (write(fd, line, strlen(line)) < 0)
		give_up(path);
	close(fd);
}

static int read_order(char ret_order[ORDER_SIZE])
{
	char path[ORDER_SIZE + 16];
	int fd = open(path_of("armed", path), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_order, ORDER_SIZE - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -ENOENT;
	ret_order[n] = '\0';
	ret_order[strcspn(ret_order, "\n")] = '\0';
	return 0;
}

/* Only one process may: whoever takes the order away. It leaves its number and name there. */
static int take_order(void)
{
	char from[ORDER_SIZE + 16], to[ORDER_SIZE + 16], line[64], name[17] = "";
	int fd;

	if (rename(path_of("armed", from), path_of("taken", to)) < 0)
		return -errno;
	prctl(PR_GET_NAME, name);
	snprintf(line, sizeof(line), "%d %s\n", (int)getpid(), name);
	fd = open(to, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		give_up(to);
	close(fd);
	rename(to, path_of("hit", from));
	return 0;
}

static int act(const char *action)
{
	if (!*action || !strcmp(action, "kill"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(action, "pause"))
		raise(SIGSTOP);
	else
		return -fault_errno_value(action);
	return 0;
}

static unsigned hash_of(const char *text)
{
	unsigned hash = 5381;

	for (; *text; text++)
		hash = hash * 33 + (unsigned char)*text;
	return hash;
}

/* Whether this is the pass that the words name; what shall be done then. Words behind a blank only make it
 * another order. */
static bool is_meant(struct failpoint *point, char *order, const char **ret_action)
{
	size_t size = strlen(point->name);
	unsigned hash = hash_of(order);
	unsigned long nth = 1;
	char *rest;

	order[strcspn(order, " ")] = '\0';
	rest = order + size;
	if (strncmp(order, point->name, size) != 0 || (*rest && *rest != ':' && *rest != '='))
		return false;
	if (point->order != hash)
		point->passes = 0;
	point->order = hash;
	if (*rest == ':')
		nth = strtoul(rest + 1, &rest, 10);
	*ret_action = *rest == '=' ? rest + 1 : "";
	return ++point->passes == nth;
}

int failpoint_pass(struct failpoint *point)
{
	char order[ORDER_SIZE];
	int kept = errno, r = 0;
	const char *action;

	if (!*wish)
		return 0;
	if (*wish == '/')
		note_pass(point->name);
	else
		strcpy(order, wish);
	if ((*wish != '/' || read_order(order) == 0) && is_meant(point, order, &action) &&
		(*wish != '/' || take_order() == 0))
		r = act(action);
	errno = kept;
	return r;
}

static struct failpoint *const *next_row(struct failpoint *const *row)
{
	while (row < __stop_failpoints && !*row)
		row++;
	return row;
}

int failpoint_pass_name(const char *name)
{
	for (struct failpoint *const *row = next_row(__start_failpoints); row < __stop_failpoints;
		row = next_row(row + 1))
		if (!strcmp((*row)->name, name))
			return failpoint_pass(*row);
	return -ENOENT;
}

void failpoint_print(FILE *out)
{
	for (struct failpoint *const *row = next_row(__start_failpoints); row < __stop_failpoints;
		row = next_row(row + 1))
		fprintf(out, "%s\n", (*row)->name);
}
