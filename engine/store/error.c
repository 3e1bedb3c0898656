/* SPDX-License-Identifier: MIT */
/* SQLite's results as errno. */
#include <errno.h>

#include "base/log.h"
#include "engine/store/private.h"

static const struct {
	int result; /* primary or extended */
	int code;
	bool quiet; /* expected: a refusal, not a trouble */
} results[] = {
	{ SQLITE_CONSTRAINT_UNIQUE, EEXIST, true },
	{ SQLITE_CONSTRAINT_PRIMARYKEY, EEXIST, true },
	{ SQLITE_CONSTRAINT, EINVAL },
	{ SQLITE_FULL, ENOSPC },
	{ SQLITE_IOERR, EIO },
	{ SQLITE_CORRUPT, EBADMSG },
	{ SQLITE_NOTADB, EBADMSG },
	{ SQLITE_NOMEM, ENOMEM },
	{ SQLITE_TOOBIG, EFBIG },
	{ SQLITE_READONLY, EROFS },
	{ SQLITE_PERM, EACCES },
	{ SQLITE_CANTOPEN, EIO },
	{ SQLITE_BUSY, EAGAIN },
	{ SQLITE_LOCKED, EAGAIN },
};

/* A full disk shows as an I/O error in some of SQLite's paths. */
static int system_code(sqlite3 *db)
{
	int code = sqlite3_system_errno(db);

	return code == ENOSPC || code == EDQUOT || code == EFBIG ? code : EIO;
}

int sqlite_error(sqlite3 *db, int result)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i].result != result && results[i].result != (result & 0xff))
			continue;
		if (!results[i].quiet)
			log_error("database: %s (%d)", sqlite3_errmsg(db), result);
		return -(results[i].code == EIO ? system_code(db) : results[i].code);
	}
	log_error("database: %s (%d)", sqlite3_errmsg(db), result);
	return -EIO;
}
