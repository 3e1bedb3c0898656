/* SPDX-License-Identifier: MIT */
/* Taking a backup in the database's place. */
#include "engine/backup-restore.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/backup.h"
#include "engine/event.h"
#include "engine/examine.h"

enum {
	/* Tokens that are given while the copy is prepared; and where the database cannot tell its tokens any
	 * more: more than anybody gives. */
	TOKENS_MEANWHILE = 1000,
	TOKENS_UNKNOWN = 1 << 30,
	FOLDERS_OPEN = 8,
};

static int path_make(char **ret_path, const char *home, const char *name)
{
	if (asprintf(ret_path, "%s/%s", home, name) < 0) {
		*ret_path = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

void backup_restore_clean(const char *home)
{
	CLEANUP(cleanup_free) char *path = NULL;

	if (path_make(&path, home, "restore") == 0)
		nftw(path, remove_entry, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
}

static int copy_bytes(int from, int to)
{
	ssize_t n;

	do
		n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
	while (n > 0);
	return n < 0 ? -errno : 0;
}

static int copy_file(const char *from, const char *to, struct fault *fault)
{
	CLEANUP(cleanup_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int out = -1;
	int r;

	if (in < 0)
		return fault_set(fault, errno, "%s: cannot be opened: %s", from, strerror(errno));
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return fault_set(fault, errno, "%s: cannot be created: %s", to, strerror(errno));
	r = copy_bytes(in, out);
	if (r == 0 && fsync(out) < 0)
		r = -errno;
	return r < 0 ? fault_set(fault, -r, "%s: cannot be written: %s", to, strerror(-r)) : 0;
}

/* The greatest fencing token that the database in use has given; or -ENOMEM. */
static int64_t tokens_given(const char *home)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(store_closep) struct store *store = NULL;
	int64_t token;
	int r = path_make(&path, home, "sloth.db");

	if (r == 0)
		r = store_open_read(path, NULL, &store);
	if (r == 0)
		r = store_get_int(store, &token, SQL_STACK_GREATEST_TOKEN, "");
	if (r == -ENOMEM)
		return r;
	return r < 0 ? TOKENS_UNKNOWN : token + TOKENS_MEANWHILE;
}

/* What a restore changes in what it brings back. */
static int settle(struct engine *engine, int64_t number, uid_t uid, int64_t token)
{
	CLEANUP(store_change_cancel) struct store_change change = { 0 };
	struct caller caller = { .uid = uid, .groups_known = true };
	char name[BACKUP_NAME_SIZE];
	int r = store_change_begin(engine->store, &change);

	if (r == 0)
		r = store_run(engine->store, SQL_STACK_RAISE_TOKENS, "i", token);
	if (r == 0)
		r = event_add(engine, &caller, "backup.restored", 0, NULL, 0,
			json_pack("{s:s}", "name", backup_name(number, name)));
	if (r == 0)
		r = store_change_end(&change);
	return r < 0 ? r : engine_turn_end(engine);
}

static void engine_freep(struct engine **engine)
{
	engine_free(*engine);
}

static int settle_at(const char *folder, int64_t number, uid_t uid, int64_t token, struct fault *fault)
{
	CLEANUP(engine_freep) struct engine *engine = NULL;
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	int r = token < 0 ? (int)token : loop ? engine_new(folder, loop, fault, &engine) : -ENOMEM;

	if (r == 0)
		r = settle(engine, number, uid, token);
	engine_free(TAKE(engine));
	if (loop)
		ev_loop_destroy(loop);
	return r < 0 ? fault_default(fault, -r, "the backup cannot be made ready: %s", strerror(-r)) : 0;
}

/* The files beside the database are empty or of no use once it is closed. */
static int remove_beside(const char *folder, struct fault *fault)
{
	static const char *const names[] = { "sloth.db-wal", "sloth.db-shm", "sloth.db-lock" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CLEANUP(cleanup_free) char *path = NULL;

		if (path_make(&path, folder, names[i]) < 0)
			return fault_set(fault, ENOMEM, "out of memory");
		if (unlink(path) < 0 && errno != ENOENT)
			return fault_set(fault, errno, "%s: cannot be removed: %s", path, strerror(errno));
	}
	return 0;
}

static int prepare_at(const char *home, const char *folder, int64_t number, uid_t uid, struct fault *fault)
{
	CLEANUP(cleanup_free) char *from = backup_path(home, number, ".db");
	CLEANUP(cleanup_free) char *database = NULL;
	CLEANUP(store_closep) struct store *store = NULL;
	json_auto_t *report = NULL;
	int r;

	if (!from || path_make(&database, folder, "sloth.db") < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	if (mkdir(folder, 0700) < 0)
		return fault_set(fault, errno, "%s: cannot be created: %s", folder, strerror(errno));
	FAILPOINT("prepare.folder");
	r = copy_file(from, database, fault);
	FAILPOINT("prepare.copied");
	/* To today's schema, without a backup of the backup. */
	if (r == 0)
		r = store_open(database, fault, &store);
	store_close(TAKE(store));
	FAILPOINT("prepare.migrated");
	if (r == 0)
		r = settle_at(folder, number, uid, tokens_given(home), fault);
	FAILPOINT("prepare.settled");
	if (r == 0)
		r = remove_beside(folder, fault);
	FAILPOINT("prepare.alone");
	if (r == 0)
		r = examine(database, true, fault, &report);
	return r == 0 ? examine_verdict(report, fault) : r;
}

int backup_restore_prepare(const char *home, int64_t number, uid_t uid, struct fault *fault)
{
	CLEANUP(cleanup_free) char *folder = NULL;
	int r = backup_verify(home, number, fault);

	if (r == 0)
		r = path_make(&folder, home, "restore");
	if (r < 0)
		return r;
	backup_restore_clean(home);
	r = prepare_at(home, folder, number, uid, fault);
	if (r < 0)
		backup_restore_clean(home);
	return r;
}

static int sync_folder(const char *path)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int backup_restore_promise(const char *home, struct fault *fault)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_free) char *folder = NULL;
	CLEANUP(cleanup_fd) int fd = -1;
	int r;

	if (path_make(&path, home, "restore/promised") < 0 || path_make(&folder, home, "restore") < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	/* The folder's own name first: what it holds is there then, too. */
	r = sync_folder(home);
	if (r == 0)
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (r == 0 && (fd < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0)
		r = sync_folder(folder);
	FAILPOINT("prepare.promised");
	return r < 0 ? fault_set(fault, -r, "%s: cannot be written: %s", path, strerror(-r)) : 0;
}

static bool is_there(const char *home, const char *name)
{
	CLEANUP(cleanup_free) char *path = NULL;

	return path_make(&path, home, name) == 0 && access(path, F_OK) == 0;
}

void backup_restore_resume(const char *home)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_fd) int lock = -1;
	struct fault fault = { 0 };

	/* With its database gone it was done, and only not cleaned up. */
	if (!is_there(home, "restore/promised") || !is_there(home, "restore/sloth.db") ||
		path_make(&path, home, "sloth.db") < 0)
		return;
	if (store_lock(path, &fault, &lock) < 0)
		return; /* another daemon's */
	log_warning("%s: a backup was to be restored when the daemon was killed: that is done now", home);
	if (backup_restore_swap(home, &fault) < 0) {
		log_error("nothing was restored: %s", fault.text);
		backup_restore_clean(home);
	}
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A second name for what is about to be replaced: at no moment is there no database. */
static int keep(const char *home, const char *suffix, const char *time, struct fault *fault)
{
	CLEANUP(cleanup_free) char *from = NULL;
	CLEANUP(cleanup_free) char *to = NULL;

	if (asprintf(&from, "%s/sloth.db%s", home, suffix) < 0)
		from = NULL;
	if (asprintf(&to, "%s/sloth.db-before-restore-%s%s", home, time, suffix) < 0)
		to = NULL;
	if (!from || !to)
		return fault_set(fault, ENOMEM, "out of memory");
	if (link(from, to) < 0 && errno != ENOENT && !(errno == EEXIST && is_same_file(from, to)))
		return fault_set(fault, errno, "%s: cannot be kept as %s: %s", from, to, strerror(errno));
	return 0;
}

/* What keep() has kept is there again. */
static void put_back(const char *home, const char *suffix, const char *time)
{
	CLEANUP(cleanup_free) char *from = NULL;
	CLEANUP(cleanup_free) char *to = NULL;

	if (asprintf(&from, "%s/sloth.db-before-restore-%s%s", home, time, suffix) < 0)
		from = NULL;
	if (asprintf(&to, "%s/sloth.db%s", home, suffix) < 0)
		to = NULL;
	if (!from || !to || (link(from, to) < 0 && errno != ENOENT))
		log_error("%s: sloth.db%s is kept as sloth.db-before-restore-%s%s, and could not be put back",
			home, suffix, time, suffix);
}

enum { KEPT_MAX = 1000 }; /* of one second */

/* The time of now, as a part of a name that is not taken by what was kept in the same second. */
static int kept_time(const char *home, char *ret_text, size_t size, struct fault *fault)
{
	CLEANUP(cleanup_free) char *database = NULL;
	time_t now = time(NULL);
	struct tm tm;
	size_t length;
	int r = path_make(&database, home, "sloth.db");

	gmtime_r(&now, &tm);
	length = strftime(ret_text, size, "%Y%m%dT%H%M%SZ", &tm);
	for (int n = 2; r == 0 && n < KEPT_MAX; n++) {
		CLEANUP(cleanup_free) char *kept = NULL;

		if (asprintf(&kept, "%s-before-restore-%s", database, ret_text) < 0) {
			kept = NULL;
			r = -ENOMEM;
		} else if (access(kept, F_OK) < 0 || is_same_file(kept, database)) {
			return 0;
		}
		snprintf(ret_text + length, size - length, "-%d", n);
	}
	return fault_set(fault, r < 0 ? -r : EEXIST, "%s: what is there can't be kept: %s", home,
		r < 0 ? strerror(-r) : "too many are kept already of this second");
}

int backup_restore_swap(const char *home, struct fault *fault)
{
	CLEANUP(cleanup_free) char *from = NULL;
	CLEANUP(cleanup_free) char *to = NULL;
	CLEANUP(cleanup_free) char *wal = NULL;
	CLEANUP(cleanup_free) char *shm = NULL;
	CLEANUP(cleanup_fd) int folder = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[32];
	int r;

	if (path_make(&from, home, "restore/sloth.db") < 0 || path_make(&to, home, "sloth.db") < 0 ||
		path_make(&wal, home, "sloth.db-wal") < 0 || path_make(&shm, home, "sloth.db-shm") < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	r = kept_time(home, text, sizeof(text), fault);
	if (r == 0)
		r = keep(home, "", text, fault);
	/* A database that was closed well has nothing in its log; one that is damaged may. */
	if (r == 0)
		r = keep(home, "-wal", text, fault);
	if (r < 0)
		return r;
	FAILPOINT("swap.kept");
	unlink(wal);
	FAILPOINT("swap.unlinked");
	unlink(shm);
	if (rename(from, to) < 0) {
		fault_set(fault, errno, "%s: cannot become %s: %s", from, to, strerror(errno));
		put_back(home, "-wal", text);
		return -fault->code;
	}
	FAILPOINT("swap.renamed");
	if (folder < 0 || fsync(folder) < 0)
		log_error("%s: the folder cannot be written: %s", home, strerror(errno));
	log_info("%s is what the backup had; %s-before-restore-%s is what was there", to, to, text);
	FAILPOINT("swap.clean");
	backup_restore_clean(home);
	return 0;
}

int backup_restore_alone(const char *home, int64_t number, uid_t uid, struct fault *fault)
{
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_fd) int lock = -1;
	int r = path_make(&path, home, "sloth.db");

	r = r < 0 ? r : store_lock(path, fault, &lock);
	r = r < 0 ? r : backup_restore_prepare(home, number, uid, fault);
	r = r < 0 ? r : backup_restore_promise(home, fault);
	return r < 0 ? r : backup_restore_swap(home, fault);
}
