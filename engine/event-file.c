/* SPDX-License-Identifier: MIT */
/* Compressed files of events. */
#include "engine/event-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "base/cleanup.h"

enum {
	PIECE = 64 << 10,	/* bytes of the file that are read or written at a time */
	UNSYNCED_MAX = 1 << 20, /* bytes that may not be on disk yet */
	WINDOW_LOG_MAX = 23,	/* 8 MiB: what a reader will keep in memory, whatever the file says */
};

struct event_file {
	int fd;
	ZSTD_CCtx *packer;
	ZSTD_DCtx *unpacker;
	size_t unsynced;
	size_t wanted; /* what the unpacker still expects; 0: it is at the end of a frame */
	char piece[PIECE];
};

void event_file_close(struct event_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	ZSTD_freeCCtx(file->packer);
	ZSTD_freeDCtx(file->unpacker);
	free(file);
}

static int file_new(const char *path, int flags, struct event_file **ret_file)
{
	CLEANUP(event_file_closep) struct event_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0)
		return -errno;
	*ret_file = TAKE(file);
	return 0;
}

int event_file_create(const char *path, struct event_file **ret_file)
{
	CLEANUP(event_file_closep) struct event_file *file = NULL;
	int r = file_new(path, O_WRONLY | O_CREAT | O_EXCL, &file);

	if (r < 0)
		return r;
	file->packer = ZSTD_createCCtx();
	if (!file->packer || ZSTD_isError(ZSTD_CCtx_setParameter(file->packer, ZSTD_c_checksumFlag, 1)))
		return -ENOMEM;
	*ret_file = TAKE(file);
	return 0;
}

static int write_all(struct event_file *file, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(file->fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
		file->unsynced += (size_t)n;
	}
	return 0;
}

static int pack(struct event_file *file, const char *data, size_t size, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { .src = data, .size = size };
	size_t left;

	do {
		ZSTD_outBuffer out = { .dst = file->piece, .size = sizeof(file->piece) };
		int r;

		left = ZSTD_compressStream2(file->packer, &out, &in, how);
		if (ZSTD_isError(left))
			return -EIO;
		r = write_all(file, file->piece, out.pos);
		if (r < 0)
			return r;
	} while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
	return 0;
}

int event_file_write(struct event_file *file, const char *data, size_t size)
{
	int r = pack(file, data, size, ZSTD_e_continue);

	if (r < 0 || file->unsynced < UNSYNCED_MAX)
		return r;
	file->unsynced = 0;
	return fdatasync(file->fd) < 0 ? -errno : 0;
}

int event_file_finish(struct event_file *file)
{
	int r = pack(file, "", 0, ZSTD_e_end);

	if (r < 0)
		return r;
	return fsync(file->fd) < 0 ? -errno : 0;
}

int event_file_open(const char *path, struct event_file **ret_file)
{
	CLEANUP(event_file_closep) struct event_file *file = NULL;
	int r = file_new(path, O_RDONLY, &file);

	if (r < 0)
		return r;
	file->unpacker = ZSTD_createDCtx();
	if (!file->unpacker ||
		ZSTD_isError(ZSTD_DCtx_setParameter(file->unpacker, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		return -ENOMEM;
	file->wanted = 1;
	*ret_file = TAKE(file);
	return 0;
}

int event_file_read(struct event_file *file, struct buffer *text, bool *ret_end)
{
	ZSTD_inBuffer in = { .src = file->piece };
	ssize_t n = read(file->fd, file->piece, sizeof(file->piece));

	if (n < 0)
		return -errno;
	if (n == 0 && file->wanted > 0)
		return -EBADMSG; /* cut off */
	*ret_end = n == 0;
	in.size = (size_t)n;
	for (bool more = in.size > 0; more;) {
		char unpacked[PIECE];
		ZSTD_outBuffer out = { .dst = unpacked, .size = sizeof(unpacked) };

		file->wanted = ZSTD_decompressStream(file->unpacker, &out, &in);
		if (ZSTD_isError(file->wanted))
			return -EBADMSG;
		if (buffer_append(text, unpacked, out.pos) < 0)
			return -ENOMEM;
		more = in.pos < in.size || out.pos == out.size;
	}
	return 0;
}
