/* SPDX-License-Identifier: MIT */
/* Writes a run's test report into a file. */
#include "cli/junit-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* As a file that open(2) makes: not with mkstemp's own mode. */
static mode_t usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static int write_file(const char *temporary, int fd, const char *file, const struct buffer *text)
{
	int r = write_all(fd, buffer_text(text), text->size);

	if (r == 0 && fchmod(fd, usual_mode()) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, file) < 0)
		r = -errno;
	return r;
}

int junit_file_write(struct command *command, int64_t run, const char *file)
{
	CLEANUP(buffer_done) struct buffer text = { 0 };
	CLEANUP(cleanup_free) char *temporary = NULL;
	char path[64];
	int fd, r;

	snprintf(path, sizeof(path), "/runs/%lld/junit.xml", (long long)run);
	r = command_client(command) ? client_read(&command->client, path, &command->fault, &text)
				    : -command->fault.code;
	if (r < 0)
		return r;
	if (asprintf(&temporary, "%s.XXXXXX", file) < 0) {
		temporary = NULL;
		return fault_set(&command->fault, ENOMEM, "no memory");
	}
	fd = mkstemp(temporary);
	if (fd < 0)
		return fault_set(&command->fault, errno, "can't write %s: %s", file, strerror(errno));
	r = write_file(temporary, fd, file, &text);
	if (r < 0) {
		unlink(temporary);
		return fault_set(&command->fault, -r, "can't write %s: %s", file, strerror(-r));
	}
	return 0;
}
