/* SPDX-License-Identifier: MIT */
/* Restoring and checking without a daemon. */
#include "fs/offline.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "engine/backup.h"
#include "engine/examine.h"
#include "engine/backup-restore.h"
#include "fs/place.h"

static int fail(const struct fault *fault, int r)
{
	fprintf(stderr, "slothd: %s\n", fault->code ? fault->text : strerror(-r));
	return fault_exit_status(-r);
}

static int find_backup(const char *home, const char *name, struct fault *fault, int64_t *ret_number)
{
	json_auto_t *value = NULL;
	int64_t number = 0;

	if (!strcmp(name, "latest"))
		number = backup_newest(home);
	else
		backup_number(name, &number);
	value = number ? backup_describe(home, number) : NULL;
	if (!value)
		return fault_set(fault, ENOENT, "there is no backup \"%s\" in %s/backups", name, home);
	*ret_number = number;
	return 0;
}

int offline_restore(const char *name)
{
	struct fault fault = { 0 };
	struct place place;
	int64_t number;
	int r = place_find(&place, true, &fault);

	r = r < 0 ? r : find_backup(place.home, name, &fault, &number);
	r = r < 0 ? r : backup_restore_alone(place.home, number, getuid(), &fault);
	return r < 0 ? fail(&fault, r) : 0;
}

int offline_check(void)
{
	CLEANUP(cleanup_free) char *path = NULL;
	json_auto_t *report = NULL;
	struct fault fault = { 0 };
	struct place place;
	int r = place_find(&place, true, &fault);

	if (r == 0 && asprintf(&path, "%s/sloth.db", place.home) < 0) {
		path = NULL;
		r = -ENOMEM;
	}
	r = r < 0 ? r : examine(path, true, &fault, &report);
	r = r < 0 ? r : examine_verdict(report, &fault);
	if (r < 0)
		return fail(&fault, r);
	puts("ok");
	return 0;
}
