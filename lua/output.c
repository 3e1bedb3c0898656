/* SPDX-License-Identifier: MIT */
/* The file that SLOTH_OUTPUT names. */
#include "lua/output.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lua/runner.h"
#include "lua/scope.h"

enum { OUTPUT_MAX = 1 << 20 }; /* bytes: outputs are names and small values; what is larger is an artifact */

char *output_path(const char *workdir, const char *task)
{
	char *path;

	return asprintf(&path, "%s/.%s.output", workdir, task) < 0 ? NULL : path;
}

static ssize_t read_all(int fd, char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* `data` has room for one byte more than what is allowed. */
static ssize_t read_file(const char *path, char *data)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? read_all(fd, data, OUTPUT_MAX + 1) : -EINVAL;
}

static const char *refusal(ssize_t size)
{
	if (size > OUTPUT_MAX)
		return "is larger than 1 MiB; keep large things as artifacts";
	return size == -EINVAL || size == -ELOOP ? "is no plain file any more" : strerror((int)-size);
}

int output_take(lua_State *L)
{
	struct fiber *fiber = fiber_check(L, "take_output");
	const char *path = fiber->scope->output;
	char *data;
	ssize_t size;

	if (!path || access(path, F_OK) < 0)
		return 0;
	data = lua_newuserdatauv(L, OUTPUT_MAX + 1, 0);
	size = read_file(path, data);
	unlink(path);
	if (size >= 0 && size <= OUTPUT_MAX) {
		lua_pushlstring(L, data, (size_t)size);
		return 1;
	}
	lua_pushnil(L);
	lua_pushfstring(L, "$SLOTH_OUTPUT %s", refusal(size));
	return 2;
}
