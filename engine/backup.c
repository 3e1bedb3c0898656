/* SPDX-License-Identifier: MIT */
/* The backups that there are: their names, manifests, and the removal of old ones. */
#include "engine/backup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

/* Several within a second: sloth-…Z-2.db. */
enum { SERIAL_BITS = 6, SERIAL_MAX = (1 << SERIAL_BITS) - 1, NUMBERS_AT_START = 64 };

static const char *const kinds[] = {
	[BACKUP_MANUAL] = "manual",
	[BACKUP_DAILY] = "daily",
	[BACKUP_MIGRATION] = "migration",
};

const char *backup_kind_name(enum backup_kind kind)
{
	return kinds[kind];
}

int backup_kind_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i], name))
			return (int)i;
	return -EINVAL;
}

char *backup_name(int64_t number, char ret_name[BACKUP_NAME_SIZE])
{
	time_t seconds = (time_t)(number >> SERIAL_BITS);
	int serial = (int)(number & SERIAL_MAX);
	char text[32], more[8] = "";
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
	if (serial)
		snprintf(more, sizeof(more), "-%d", serial + 1);
	snprintf(ret_name, BACKUP_NAME_SIZE, "sloth-%.20s%s.db", text, more);
	return ret_name;
}

/* One spelling only: what is read must be what would be written. */
int backup_number(const char *name, int64_t *ret_number)
{
	char given[BACKUP_NAME_SIZE], proper[BACKUP_NAME_SIZE];
	struct tm tm = { 0 };
	int64_t serial = 1, number;
	size_t n = strlen(name);
	const char *rest;

	if (n + strlen(".db") >= sizeof(given) || strncmp(name, "sloth-", 6))
		return -ENOENT;
	snprintf(given, sizeof(given), "%s%s", name, n > 3 && !strcmp(name + n - 3, ".db") ? "" : ".db");
	given[strlen(given) - strlen(".db")] = '\0';
	rest = strptime(given + 6, "%Y%m%dT%H%M%SZ", &tm);
	if (!rest || (*rest == '-' && parse_int64(rest + 1, &serial) < 0) || serial < 1 ||
		serial > SERIAL_MAX + 1)
		return -ENOENT;
	number = (int64_t)timegm(&tm) << SERIAL_BITS | (serial - 1);
	given[strlen(given)] = '.';
	if (number <= 0 || number >> 40 || strcmp(backup_name(number, proper), given))
		return -ENOENT;
	*ret_number = number;
	return 0;
}

int64_t backup_time_ms(int64_t number)
{
	return (number >> SERIAL_BITS) * 1000;
}

char *backup_path(const char *home, int64_t number, const char *suffix)
{
	char name[BACKUP_NAME_SIZE], *path;

	backup_name(number, name);
	name[strlen(name) - strlen(".db")] = '\0';
	return asprintf(&path, "%s/backups/%s%s", home, name, suffix) < 0 ? NULL : path;
}

static DIR *folder_open(const char *home)
{
	CLEANUP(cleanup_free) char *path = NULL;

	if (asprintf(&path, "%s/backups", home) < 0) {
		path = NULL;
		return NULL;
	}
	return opendir(path);
}

static void folder_closep(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int backup_each(const char *home, int (*each)(void *userdata, int64_t number), void *userdata)
{
	CLEANUP(folder_closep) DIR *dir = folder_open(home);
	CLEANUP(cleanup_free) int64_t *numbers = NULL;
	size_t count = 0, capacity = 0;
	struct dirent *entry;
	int r = 0;

	while (dir && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);
		int64_t number;

		if (n < 3 || strcmp(entry->d_name + n - 3, ".db") ||
			backup_number(entry->d_name, &number) < 0)
			continue;
		if (count == capacity) {
			int64_t *more;

			capacity = capacity ? 2 * capacity : NUMBERS_AT_START;
			more = reallocarray(numbers, capacity, sizeof(*numbers));
			if (!more)
				return -ENOMEM;
			numbers = more;
		}
		numbers[count++] = number;
	}
	if (count)
		qsort(numbers, count, sizeof(*numbers), by_number);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = each(userdata, numbers[i]);
	return r;
}

static int keep_last(void *userdata, int64_t number)
{
	*(int64_t *)userdata = number;
	return 0;
}

int64_t backup_newest(const char *home)
{
	int64_t newest = 0;

	backup_each(home, keep_last, &newest);
	return newest;
}

json_t *backup_describe(const char *home, int64_t number)
{
	CLEANUP(cleanup_free) char *path = backup_path(home, number, ".db");
	CLEANUP(cleanup_free) char *manifest = backup_path(home, number, ".json");
	char name[BACKUP_NAME_SIZE], time[32];
	struct stat st;
	json_t *value;

	if (!path || !manifest || stat(path, &st) < 0)
		return NULL;
	value = json_load_file(manifest, 0, NULL);
	if (!json_is_object(value)) {
		json_decref(value);
		value = json_object();
	}
	json_object_set_new(value, "name", json_string(backup_name(number, name)));
	json_object_set_new(value, "size", json_integer((json_int_t)st.st_size));
	if (!json_object_get(value, "created"))
		json_object_set_new(value, "created", json_string(time_format(backup_time_ms(number), time)));
	return value;
}

int backup_remove(const char *home, int64_t number, struct fault *fault)
{
	CLEANUP(cleanup_free) char *path = backup_path(home, number, ".db");
	CLEANUP(cleanup_free) char *manifest = backup_path(home, number, ".json");

	if (!path || !manifest)
		return fault_set(fault, ENOMEM, "out of memory");
	if (unlink(path) < 0)
		return errno == ENOENT
			       ? -ENOENT
			       : fault_set(fault, errno, "%s: cannot be removed: %s", path, strerror(errno));
	FAILPOINT("backup.removed");
	unlink(manifest);
	return 0;
}

struct pruning {
	const char *home;
	int64_t count, keep;
	bool remove;
};

static int prune_one(void *userdata, int64_t number)
{
	struct pruning *pruning = userdata;
	json_auto_t *value = backup_describe(pruning->home, number);
	const char *kind = json_string_value(json_object_get(value, "kind"));

	if (!kind || backup_kind_parse(kind) <= BACKUP_MANUAL)
		return 0;
	if (!pruning->remove)
		pruning->count++;
	else if (pruning->count > pruning->keep && backup_remove(pruning->home, number, NULL) == 0)
		pruning->count--;
	return 0;
}

void backup_prune(const char *home, int64_t keep)
{
	struct pruning pruning = { .home = home, .keep = keep };

	backup_each(home, prune_one, &pruning);
	pruning.remove = true;
	backup_each(home, prune_one, &pruning);
}

/* A manifest gets its name before its backup does. */
static bool is_left_over(int folder, const char *name)
{
	char file[BACKUP_NAME_SIZE];
	size_t n = strlen(name);
	int64_t number;

	if (!strncmp(name, ".new-", 5))
		return true;
	if (n < 5 || n >= sizeof(file) || strcmp(name + n - 5, ".json"))
		return false;
	snprintf(file, sizeof(file), "%.*s", (int)(n - 5), name);
	if (backup_number(file, &number) < 0)
		return false;
	return faccessat(folder, backup_name(number, file), F_OK, 0) < 0 && errno == ENOENT;
}

void backup_clean(const char *home)
{
	CLEANUP(folder_closep) DIR *dir = folder_open(home);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_left_over(dirfd(dir), entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			log_info("backups/%s: removed, because it was never finished", entry->d_name);
}
