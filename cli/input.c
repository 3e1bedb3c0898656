/* SPDX-License-Identifier: MIT */
/* Reading files and standard input whole. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { INPUT_MAX = 64 << 20 }; /* bytes; the daemon's own limit is lower and says so */

int input_read(struct command *command, const char *path, struct buffer *content)
{
	CLEANUP(cleanup_fd) int opened = -1;
	char piece[64 << 10];
	int fd = STDIN_FILENO, r = 0;
	ssize_t n;

	if (!strcmp(path, "-"))
		path = "standard input";
	else
		fd = opened = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fault_set(&command->fault, errno, "can't open %s: %s", path, strerror(errno));
	while (r == 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0)
			return fault_set(&command->fault, errno, "can't read %s: %s", path, strerror(errno));
		r = buffer_append(content, piece, (size_t)n);
		if (content->size > INPUT_MAX)
			return fault_set(
				&command->fault, EFBIG, "%s is larger than %d MiB", path, INPUT_MAX >> 20);
	}
	return r < 0 ? fault_set(&command->fault, -r, "%s", strerror(-r)) : 0;
}
