/* SPDX-License-Identifier: MIT */
/* Making a backup: a copy, verified, on disk, and only then with its name. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "build.h"
#include "engine/backup.h"
#include "engine/caller.h"
#include "engine/examine.h"
#include "engine/store/store.h"

enum { BLOCK = 256 << 10, TRIES = 64, SHA256_TEXT = 2 * crypto_hash_sha256_BYTES + 1 };

/* The names that a backup has while it is made. Removed at the end, unless they have become others. */
struct making {
	char *database, *copy, *manifest;
};

static void making_done(struct making *making)
{
	const char *const suffixes[] = { "", "-journal", "-wal", "-shm" };

	for (size_t i = 0; making->copy && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char path[PATH_MAX];

		/* Not on the heap: perhaps there is no memory left. */
		if ((size_t)snprintf(path, sizeof(path), "%s%s", making->copy, suffixes[i]) < sizeof(path))
			unlink(path);
	}
	if (making->manifest)
		unlink(making->manifest);
	free(making->database);
	free(making->copy);
	free(making->manifest);
}

static int making_init(struct making *making, const char *home, struct fault *fault)
{
	CLEANUP(cleanup_free) char *folder = NULL;

	if (asprintf(&folder, "%s/backups", home) < 0)
		folder = NULL;
	if (asprintf(&making->database, "%s/sloth.db", home) < 0)
		making->database = NULL;
	if (asprintf(&making->copy, "%s/backups/.new-%d.db", home, (int)getpid()) < 0)
		making->copy = NULL;
	if (asprintf(&making->manifest, "%s/backups/.new-%d.json", home, (int)getpid()) < 0)
		making->manifest = NULL;
	if (!folder || !making->database || !making->copy || !making->manifest)
		return fault_set(fault, ENOMEM, "out of memory");
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return fault_set(fault, errno, "%s: cannot be created: %s", folder, strerror(errno));
	return 0;
}

static int file_sha256(const char *path, char ret_text[SHA256_TEXT], struct fault *fault)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_free) unsigned char *block = malloc(BLOCK);
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	ssize_t n;

	if (fd < 0 || !block)
		return fault_set(fault, errno, "%s: cannot be read: %s", path, strerror(errno));
	crypto_hash_sha256_init(&state);
	while ((n = read(fd, block, BLOCK)) > 0)
		crypto_hash_sha256_update(&state, block, (size_t)n);
	if (n < 0)
		return fault_set(fault, errno, "%s: cannot be read: %s", path, strerror(errno));
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(ret_text, SHA256_TEXT, hash, sizeof(hash));
	return 0;
}

static int examine_copy(const char *path, struct fault *fault, json_t **ret_report)
{
	json_auto_t *report = NULL;
	int r = examine(path, true, fault, &report);

	if (r == 0)
		r = examine_verdict(report, fault);
	if (r == 0)
		*ret_report = json_incref(report);
	return r;
}

static int manifest_write(const struct making *making, const struct backup_order *order, const json_t *report,
	struct fault *fault)
{
	CLEANUP(cleanup_file) FILE *out = NULL;
	json_auto_t *value = NULL;
	char hash[SHA256_TEXT], time[32];
	struct stat st;
	int fd, r = file_sha256(making->copy, hash, fault);

	if (r < 0)
		return r;
	if (stat(making->copy, &st) < 0)
		return fault_set(fault, errno, "%s: %s", making->copy, strerror(errno));
	value = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:O, s:O, s:O}", "created",
		time_format(time_now_ms(), time), "kind", backup_kind_name(order->kind), "reason",
		order->reason, "user", caller_login(order->uid), "uid", (json_int_t)order->uid, "size",
		(json_int_t)st.st_size, "sha256", hash, "version", SLOTH_VERSION, "schema",
		json_object_get(report, "schema"), "events", json_object_get(report, "events"), "head",
		json_object_get(report, "head"));
	fd = open(making->manifest, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!value || !out || json_dumpf(value, out, JSON_SORT_KEYS | JSON_INDENT(2)) < 0 ||
		fputc('\n', out) < 0 || fflush(out) < 0 || fsync(fd) < 0)
		return fault_set(fault, value ? errno : ENOMEM, "%s: cannot be written: %s", making->manifest,
			strerror(errno));
	return 0;
}

static int rename_new(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int folder_sync(const char *home)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_fd) int fd = -1;

	if (asprintf(&path, "%s/backups", home) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The manifest takes the name first, so that two who make one in the same second get two. */
static int give_name(const char *home, const struct making *making, struct fault *fault, int64_t *ret_number)
{
	int64_t number = (time_now_ms() / 1000) << 6, given = 0;
	int r = -EEXIST;

	for (int i = 0; r == -EEXIST && i < TRIES; i++) {
		CLEANUP(cleanup_free) char *path = backup_path(home, number + i, ".db");
		CLEANUP(cleanup_free) char *manifest = backup_path(home, number + i, ".json");

		if (!path || !manifest)
			return fault_set(fault, ENOMEM, "out of memory");
		r = rename_new(making->manifest, manifest);
		if (r < 0)
			continue;
		FAILPOINT("backup.manifest");
		r = rename_new(making->copy, path);
		FAILPOINT("backup.named");
		if (r < 0)
			rename_new(manifest, making->manifest);
		else
			given = number + i;
	}
	if (r == 0)
		r = folder_sync(home);
	if (r == 0)
		*ret_number = given;
	else if (given)
		backup_remove(home, given, NULL); /* who asked for it is told that there is none */
	return r < 0 ? fault_set(fault, -r, "%s/backups: the backup cannot get its name: %s", home,
			       strerror(-r))
		     : 0;
}

int backup_make(const char *home, const struct backup_order *order, struct fault *fault, int64_t *ret_number)
{
	CLEANUP(making_done) struct making making = { 0 };
	json_auto_t *report = NULL;
	int r = sodium_init() < 0 ? -ENOMEM : making_init(&making, home, fault);

	if (r == 0) {
		unlink(making.copy);
		unlink(making.manifest);
		r = store_copy(making.database, making.copy, fault);
	}
	FAILPOINT("backup.copied");
	if (r == 0)
		r = examine_copy(making.copy, fault, &report);
	if (r == 0)
		r = manifest_write(&making, order, report, fault);
	FAILPOINT("backup.described");
	if (r == 0)
		r = give_name(home, &making, fault, ret_number);
	FAILPOINT("backup.made");
	return r;
}

/* Without a manifest there is nothing to compare with. */
static int check_bytes(const char *path, const json_t *manifest, struct fault *fault)
{
	const char *hash = json_string_value(json_object_get(manifest, "sha256"));
	char now[SHA256_TEXT];
	int r = file_sha256(path, now, fault);

	if (r == 0 && hash && strcmp(hash, now))
		return fault_set(fault, EBADMSG,
			"%s: these are not the bytes that were written: the SHA-256 is %s, the manifest has "
			"%s",
			path, now, hash);
	return r;
}

static int check_head(const char *path, const json_t *manifest, const json_t *report, struct fault *fault)
{
	const char *head = json_string_value(json_object_get(manifest, "head"));

	if (head && strcmp(head, json_string_value(json_object_get(report, "head"))))
		return fault_set(
			fault, EBADMSG, "%s: its newest event is not the one that the manifest names", path);
	return 0;
}

int backup_verify(const char *home, int64_t number, struct fault *fault)
{
	CLEANUP(cleanup_free) char *path = backup_path(home, number, ".db");
	json_auto_t *manifest = backup_describe(home, number), *report = NULL;
	char name[BACKUP_NAME_SIZE];
	int r;

	if (!path || !manifest)
		return fault_set(fault, ENOENT, "there is no backup %s", backup_name(number, name));
	FAILPOINT("backup.verify");
	r = sodium_init() < 0 ? -ENOMEM : check_bytes(path, manifest, fault);
	if (r == 0)
		r = examine_copy(path, fault, &report);
	return r == 0 ? check_head(path, manifest, report, fault) : r;
}

int backup_before_upgrade(const char *path, int64_t version, struct fault *fault)
{
	CLEANUP(cleanup_free) char *home = strdup(path);
	char reason[64], name[BACKUP_NAME_SIZE];
	int64_t number;
	int r;

	if (!home || !strrchr(home, '/'))
		return fault_set(fault, EINVAL, "%s: its folder is not known", path);
	*strrchr(home, '/') = '\0';
	snprintf(reason, sizeof(reason), "before the schema, version %lld, was changed", (long long)version);
	r = backup_make(home,
		&(struct backup_order){ .kind = BACKUP_MIGRATION, .reason = reason, .uid = geteuid() }, fault,
		&number);
	if (r == 0)
		log_info(
			"%s/backups/%s: a backup before the schema changes", home, backup_name(number, name));
	return r;
}
