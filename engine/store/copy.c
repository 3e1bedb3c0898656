/* SPDX-License-Identifier: MIT */
/* Copies of a database that is in use: a consistent one, made beside the daemon's connection. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "engine/store/private.h"

static void database_closep(sqlite3 **db)
{
	sqlite3_close(*db);
}

static int copy_fault(sqlite3 *db, int result, const char *path, const char *copy, struct fault *fault)
{
	int r = sqlite_error(db, result);

	if (r == -EBADMSG)
		return fault_set(fault, EBADMSG, "%s: the database is damaged, or is none: %s", path,
			sqlite3_errmsg(db));
	if (r == -ENOSPC)
		return fault_set(fault, ENOSPC, "%s: there is no room for a copy of the database", copy);
	return fault_set(fault, -r, "%s: cannot be copied to %s: %s", path, copy, sqlite3_errmsg(db));
}

static int vacuum_into(sqlite3 *db, const char *copy)
{
	sqlite3_stmt *stmt = NULL;
	int result = sqlite3_prepare_v2(db, "VACUUM INTO $1", -1, &stmt, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_bind_text(stmt, 1, copy, -1, SQLITE_STATIC);
	if (result == SQLITE_OK)
		result = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return result;
}

/* An empty file of ours first, because VACUUM INTO would create it for all to read. */
int store_copy(const char *path, const char *copy, struct fault *fault)
{
	CLEANUP(database_closep) sqlite3 *db = NULL;
	CLEANUP(cleanup_fd) int fd = -1;
	int result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

	if (!db)
		return fault_set(fault, ENOMEM, "%s: out of memory", path);
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, 10000);
	if (result != SQLITE_OK)
		return copy_fault(db, result, path, copy, fault);
	fd = open(copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fault_set(fault, errno, "%s: cannot be created: %s", copy, strerror(errno));
	FAILPOINT("copy.created");
	result = vacuum_into(db, copy);
	FAILPOINT("copy.written");
	if (result != SQLITE_DONE)
		return copy_fault(db, result, path, copy, fault);
	if (fsync(fd) < 0)
		return fault_set(fault, errno, "%s: cannot be written: %s", copy, strerror(errno));
	return 0;
}
