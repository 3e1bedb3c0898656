/* SPDX-License-Identifier: MIT */
/* The files of artifacts. */
#include "engine/artifact-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

enum { PLACE_SIZE = 4096 + 64 };

static void folder_of(const struct engine *engine, int64_t run_id, char ret_path[PLACE_SIZE])
{
	snprintf(ret_path, PLACE_SIZE, "%s/artifacts/%" PRId64, engine->home, run_id);
}

static void place_of(const struct engine *engine, int64_t run_id, int64_t id, char ret_path[PLACE_SIZE])
{
	snprintf(ret_path, PLACE_SIZE, "%s/artifacts/%" PRId64 "/%" PRId64, engine->home, run_id, id);
}

static int sync_folder(const char *path)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The run's folder, and on disk the name of it. */
static int make_folder(const struct engine *engine, int64_t run_id)
{
	char path[PLACE_SIZE];
	int r;

	folder_of(engine, run_id, path);
	if (mkdir(path, 0700) == 0) {
		snprintf(path, sizeof(path), "%s/artifacts", engine->home);
		return sync_folder(path);
	}
	if (errno != ENOENT)
		return errno == EEXIST ? 0 : -errno;
	snprintf(path, sizeof(path), "%s/artifacts", engine->home);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = sync_folder(engine->home);
	return r < 0 ? r : make_folder(engine, run_id);
}

int artifact_file_make(struct engine *engine, int64_t run_id, int64_t id, struct fault *fault)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PLACE_SIZE];
	int r = make_folder(engine, run_id);

	place_of(engine, run_id, id, path);
	if (r == 0)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	FAILPOINT("artifact.made");
	if (r == 0 && fd < 0)
		r = -errno;
	return r < 0 ? fault_set(fault, -r, "the daemon can't make %s: %s", path, strerror(-r)) : 0;
}

int artifact_file_write(struct engine *engine, const struct artifact *artifact, const void *data, size_t size)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PLACE_SIZE];
	size_t done = 0;

	place_of(engine, artifact->run_id, artifact->id, path);
	fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t n =
			pwrite(fd, (const char *)data + done, size - done, artifact->received + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	FAILPOINT("artifact.written");
	if (artifact->received + (int64_t)size == artifact->size)
		return fdatasync(fd) < 0 ? -errno : 0;
	/* The disk begins at once, so that there is little to wait for at the end. */
	sync_file_range(fd, artifact->received, (off_t)size, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int artifact_file_link(struct engine *engine, const struct artifact *artifact, int64_t run_id, int64_t id)
{
	char from[PLACE_SIZE], to[PLACE_SIZE];
	int r = make_folder(engine, run_id);

	place_of(engine, artifact->run_id, artifact->id, from);
	place_of(engine, run_id, id, to);
	if (r < 0)
		return r;
	unlink(to);
	FAILPOINT("artifact.link");
	if (link(from, to) < 0)
		return errno == ENOENT ? -EBADMSG : -errno;
	return 0;
}

int artifact_files_sync(struct engine *engine, int64_t run_id)
{
	char path[PLACE_SIZE];

	folder_of(engine, run_id, path);
	FAILPOINT("artifact.kept");
	return sync_folder(path);
}

ssize_t artifact_read(
	struct engine *engine, const struct artifact *artifact, int64_t offset, char *ret_data, size_t size)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PLACE_SIZE];
	size_t done = 0;

	if (offset >= artifact->size)
		return 0;
	if ((int64_t)size > artifact->size - offset)
		size = (size_t)(artifact->size - offset);
	place_of(engine, artifact->run_id, artifact->id, path);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EBADMSG : -errno;
	while (done < size) {
		ssize_t n = pread(fd, ret_data + done, size - done, offset + (off_t)done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		done += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)done;
}

/* What is left over. */

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool has_row(struct engine *engine, int64_t run_id, const char *name)
{
	int64_t id, of = 0;
	int r = parse_int64(name, &id);

	if (r < 0)
		return false;
	r = store_get_int(engine->store, &of, SQL_ARTIFACT_RUN, "i", id);
	return r == 0 ? of == run_id : r != -ENOENT; /* who can't be asked may have one */
}

void artifact_collect(struct engine *engine, int64_t run_id)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	char path[PLACE_SIZE];
	struct dirent *entry;

	folder_of(engine, run_id, path);
	FAILPOINT("artifact.collect");
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.' && !has_row(engine, run_id, entry->d_name) &&
			unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			log_warning("%s/%s can't be removed: %s", path, entry->d_name, strerror(errno));
	if (dir)
		rmdir(path); /* if nothing is in it */
}

void artifact_collect_all(struct engine *engine)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	char path[PLACE_SIZE];
	struct dirent *entry;
	int64_t run_id;

	snprintf(path, sizeof(path), "%s/artifacts", engine->home);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (parse_int64(entry->d_name, &run_id) == 0)
			artifact_collect(engine, run_id);
}
