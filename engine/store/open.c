/* SPDX-License-Identifier: MIT */
/* Opening and closing the database: the lock file, the settings of the connection, the statements. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/flaw.h"
#include "base/text.h"
#include "engine/store/private.h"

/* A WAL that grows costs half as much again as one that is there already (measured): it is kept at this size.
 */
enum { WAL_SIZE = 5 << 20 };

static const char *const settings[] = {
	"PRAGMA journal_mode = WAL",
	"PRAGMA synchronous = FULL",
	"PRAGMA foreign_keys = ON",
	"PRAGMA trusted_schema = OFF",
	"PRAGMA cell_size_check = ON",
	"PRAGMA mmap_size = 0",
	"PRAGMA wal_autocheckpoint = 1000",
	"PRAGMA journal_size_limit = 67108864",
	"PRAGMA temp_store = MEMORY",
	"PRAGMA cache_size = -1200", /* KiB; what does not fit is in the cache of the kernel */
};

/* An OFD lock (fcntl(2)) goes with the descriptor, so that no other open and close of the file drops it. */
static int lock_file_open(const char *path, struct fault *fault, int *ret_fd)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char text[32] = "";

	if (fd < 0)
		return fault_set(fault, errno, "%s: cannot be opened: %s", path, strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return fault_set(fault, errno, "%s: cannot be locked: %s", path, strerror(errno));
		if (pread(fd, text, sizeof(text) - 1, 0) < 0)
			text[0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return fault_set(fault, EBUSY, "%s: the database is in use by another daemon, pid %s", path,
			text[0] ? text : "unknown");
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
		return fault_set(fault, errno, "%s: cannot be written: %s", path, strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_lock(const char *path, struct fault *fault, int *ret_fd)
{
	CLEANUP(cleanup_free) char *lock = NULL;

	if (asprintf(&lock, "%s-lock", path) < 0) {
		lock = NULL;
		return fault_set(fault, ENOMEM, "%s: out of memory", path);
	}
	return lock_file_open(lock, fault, ret_fd);
}

/* Created here and not by SQLite, because only we say 0600; -wal and -shm take the database's mode. */
static int database_create(const char *path, struct fault *fault)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fault_set(fault, errno, "%s: cannot be opened: %s", path, strerror(errno));
	return 0;
}

static int database_fault(sqlite3 *db, int result, const char *path, struct fault *fault)
{
	int r = sqlite_error(db, result);

	if (r == -EBADMSG)
		return fault_set(fault, EBADMSG, "%s: the database is damaged, or is none: %s", path,
			sqlite3_errmsg(db));
	return fault_set(fault, -r, "%s: %s", path, sqlite3_errmsg(db));
}

static int database_settings(sqlite3 *db, const char *path, struct fault *fault)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		int result = sqlite3_exec(db, settings[i], NULL, NULL, NULL);

		if (result != SQLITE_OK)
			return database_fault(db, result, path, fault);
	}
	return 0;
}

#ifdef SLOTH_TORTURE
/* What SQLite's own does for wal_autocheckpoint, between two places; after fewer pages, if a test wants that.
 */
static int wal_written(void *userdata, sqlite3 *db, const char *name, int pages)
{
	const char *wanted = getenv("SLOTH_CHECKPOINT_PAGES");

	if (pages < (wanted ? atoi(wanted) : 1000))
		return SQLITE_OK;
	FAILPOINT("checkpoint.begin");
	sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	FAILPOINT("checkpoint.done");
	return SQLITE_OK;
}
#endif

static int database_open(struct store *store, const char *path, struct fault *fault)
{
	int on = 1, result;

	result = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (!store->db)
		return fault_set(fault, ENOMEM, "%s: out of memory", path);
	if (result != SQLITE_OK)
		return database_fault(store->db, result, path, fault);
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	/* The checkpoint at the end empties the WAL, and the file stays as it is. */
	sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	result = database_settings(store->db, path, fault);
	if (result == 0 && flaw("store-normal"))
		result = sqlite3_exec(store->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
#ifdef SLOTH_TORTURE
	sqlite3_wal_hook(store->db, wal_written, NULL);
#endif
	return result;
}

/* Zeros behind the last frame of the WAL are no frames: their checksums do not fit. Failure only costs time
 * later. */
static void wal_grow(const char *path)
{
	static const char zeros[64 << 10];
	CLEANUP(cleanup_free) char *name = NULL;
	CLEANUP(cleanup_fd) int fd = -1;
	struct stat st;

	if (asprintf(&name, "%s-wal", path) < 0) {
		name = NULL;
		return;
	}
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size >= WAL_SIZE)
		return;
	for (off_t at = st.st_size; at < WAL_SIZE; at += (off_t)sizeof(zeros)) {
		FAILPOINT("open.grow");
		if (pwrite(fd, zeros, sizeof(zeros), at) < 0)
			return;
	}
	fdatasync(fd);
}

int query_prepare(struct store *store, enum statement statement)
{
	struct query *query = &store->queries[statement];
	int result, count;

	query->store = store;
	result = sqlite3_prepare_v3(
		store->db, statement_text(statement), -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
	if (result != SQLITE_OK)
		return result;
	count = sqlite3_bind_parameter_count(query->stmt);
	assert(count <= QUERY_PARAMETER_MAX);
	for (int i = 0; i < count; i++) {
		char name[8];

		snprintf(name, sizeof(name), "$%d", i + 1);
		query->place[i] = (unsigned char)sqlite3_bind_parameter_index(query->stmt, name);
		assert(query->place[i]);
	}
	return SQLITE_OK;
}

/* What a turn begins and ends with must not fail for want of memory; all others are prepared when they are
 * first wanted. Most never are, and all of them would be 2 MB and half of the time that a daemon takes to
 * start. */
static int turns_prepare(struct store *store, const char *path, struct fault *fault)
{
	static const enum statement turns[] = { SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_CHANGE_BEGIN,
		SQL_CHANGE_END, SQL_CHANGE_UNDO };

	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		int result = query_prepare(store, turns[i]);

		if (result != SQLITE_OK)
			return database_fault(store->db, result, path, fault);
	}
	return 0;
}

int store_open_schema(const char *path, const struct schema *schema, store_before_upgrade *before,
	struct fault *fault, struct store **ret_store)
{
	CLEANUP(store_closep) struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return fault_set(fault, ENOMEM, "%s: out of memory", path);
	store->lock_fd = -1;
	r = store_lock(path, fault, &store->lock_fd);
	FAILPOINT("open.locked");
	if (r == 0)
		r = database_create(path, fault);
	FAILPOINT("open.created");
	if (r == 0)
		r = database_open(store, path, fault);
	FAILPOINT("open.opened");
	if (r == 0)
		r = store_migrate(store->db, path, schema, before, fault);
	if (r == 0)
		r = turns_prepare(store, path, fault);
	if (r < 0)
		return r;
	FAILPOINT("open.prepared");
	wal_grow(path);
	FAILPOINT("open.grown");
	*ret_store = TAKE(store);
	return 0;
}

int store_open(const char *path, struct fault *fault, struct store **ret_store)
{
	return store_open_schema(path, &store_schema, NULL, fault, ret_store);
}

int store_open_guarded(
	const char *path, store_before_upgrade *before, struct fault *fault, struct store **ret_store)
{
	return store_open_schema(path, &store_schema, before, fault, ret_store);
}

/* All statements are prepared: who only reads wants to know at once whether the database has the shape that
 * its version promises. One that an older schema has no place for is left out: see query_vbegin(). */
int store_open_read(const char *path, struct fault *fault, struct store **ret_store)
{
	CLEANUP(store_closep) struct store *store = calloc(1, sizeof(*store));
	int result;

	if (!store)
		return fault_set(fault, ENOMEM, "%s: out of memory", path);
	store->lock_fd = -1;
	result = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (!store->db)
		return fault_set(fault, ENOMEM, "%s: out of memory", path);
	if (result != SQLITE_OK)
		return database_fault(store->db, result, path, fault);
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_timeout(store->db, 10000);
	result = sqlite3_exec(store->db,
		"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; "
		"PRAGMA temp_store = MEMORY",
		NULL, NULL, NULL);
	if (result == SQLITE_OK)
		result = store_schema_version(store->db, &store->schema_version);
	if (result == SQLITE_NOTADB)
		return fault_set(fault, EBADMSG, "%s: this is damaged, or no database of Sloth's", path);
	if (result != SQLITE_OK)
		return database_fault(store->db, result, path, fault);
	if (store->schema_version > store_schema.version)
		return fault_set(fault, ENOTSUP,
			"%s: its schema is version %lld, this program knows up to %d: a newer Sloth wrote it",
			path, (long long)store->schema_version, store_schema.version);
	for (enum statement i = 0; i < SQL_COUNT; i++) {
		result = query_prepare(store, i);
		if (result != SQLITE_OK && store->schema_version == store_schema.version)
			return database_fault(store->db, result, path, fault);
	}
	*ret_store = TAKE(store);
	return 0;
}

int64_t store_schema_of(const struct store *store)
{
	return store->schema_version;
}

int store_take_lock(struct store *store)
{
	int fd = store ? take_fd(&store->lock_fd) : -1;

	store_close(store);
	return fd;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(store->queries[i].stmt);
	FAILPOINT("store.close");
	sqlite3_close(store->db);
	FAILPOINT("store.closed");
	/* Last, so that the next daemon finds the database closed. */
	cleanup_fd(&store->lock_fd);
	free(store);
}
