/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/home.h"

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "tests/fuzz/input.h"

static char model[64]; /* the home that others are copies of */
void (*home_furnish)(struct home *home);

void home_begin(struct home *home)
{
	struct fault fault = { 0 };

	home->loop = ev_default_loop(EVFLAG_NOENV);
	if (engine_new(home->path, home->loop, &fault, &home->engine) < 0) {
		fprintf(stderr, "%s\n", fault.text);
		abort();
	}
	must(tree_new(home->engine, &home->tree) == 0);
}

static void write_to(struct home *home, uid_t uid, const char *path, const char *text)
{
	struct request request = { .tree = home->tree,
		.caller = { .uid = uid, .gid = uid, .pid = getpid(), .groups_known = true } };
	struct handle *handle;
	struct attr attr;
	uint64_t parent;
	const char *name;

	if (tree_walk(home->tree, &request, path, &attr) == 0)
		must(tree_open(home->tree, &request, attr.number, O_WRONLY | O_TRUNC, &handle) == 0);
	else
		must(tree_walk_parent(home->tree, &request, path, &parent, &name) == 0 &&
			tree_create(home->tree, &request, parent, name, 0644, O_WRONLY, &handle, &attr) == 0);
	must(tree_write(home->tree, &request, handle, 0, text, strlen(text)) == (ssize_t)strlen(text));
	must(tree_flush(home->tree, &request, handle) == 0);
	tree_release(home->tree, &request, handle);
	caller_done(&request.caller);
}

static void stack(struct home *home, uid_t uid, const char *path, mode_t mode)
{
	struct request request = { .tree = home->tree,
		.caller = { .uid = uid, .gid = uid, .pid = getpid(), .groups_known = true } };
	struct attr attr;
	uint64_t parent;
	const char *name;

	must(tree_walk_parent(home->tree, &request, path, &parent, &name) == 0);
	must(tree_mkdir(home->tree, &request, parent, name, mode, &attr) == 0);
	caller_done(&request.caller);
}

/* /dev/shm: a commit waits for no disk there. Whoever kills us names another place, and clears it away. */
static void folder_new(char ret_path[64])
{
	const char *given = getenv("SLOTH_FUZZ_HOMES");
	const char *where = given ? given : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	must(snprintf(ret_path, 64, "%s/sloth-fuzz-XXXXXX", where) < 64);
	must(mkdtemp(ret_path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	return remove(path);
}

void home_remove(const char *path)
{
	must(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* No program is started for it: an input takes less than that. */
static void copy_file(const char *from, const char *to)
{
	CLEANUP(cleanup_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;

	must(in >= 0 && out >= 0 && fstat(in, &st) == 0);
	for (off_t left = st.st_size; left > 0;) { /* a signal may come in between */
		ssize_t n = sendfile(out, in, NULL, (size_t)left);

		must(n > 0);
		left -= n;
	}
}

static const char *copy_to; /* nftw(3) hands nothing on */

static int copy_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	char to[512];

	if (place->level == 0)
		return 0;
	snprintf(to, sizeof(to), "%s%s", copy_to, path + strlen(model));
	if (type == FTW_D)
		return mkdir(to, 0700);
	copy_file(path, to);
	return 0;
}

static void model_remove(void)
{
	home_remove(model);
}

static void model_make(void)
{
	struct request request = { .caller = { .groups_known = true } };
	struct home home = { 0 };
	struct attr stacks;
	static const char *const beside[] = { "wal", "shm", "lock" };
	char path[128];

	log_set_level(LOG_LEVEL_ERROR);
	folder_new(model);
	atexit(model_remove);
	strcpy(home.path, model);
	home_begin(&home);
	must(tree_walk(home.tree, &request, "/stacks", &stacks) == 0);
	request.tree = home.tree;
	must(tree_chmod(home.tree, &request, stacks.number, 01777) == 0);
	caller_done(&request.caller);
	stack(&home, 1001, "/stacks/prod", 0770);
	stack(&home, 1002, "/stacks/open", 0777);
	write_to(&home, 1001, "/stacks/prod/values.yaml", "replicas: 3\nregion: eu\n");
	write_to(&home, 1001, "/stacks/prod/state/count", "1\n");
	write_to(&home, 1001, "/stacks/prod/snapshots/new", "first\n");
	write_to(&home, 1002, "/stacks/open/state/word", "x\n");
	if (home_furnish)
		home_furnish(&home);
	must(engine_turn_end(home.engine) == 0);
	tree_free(home.tree);
	engine_free(home.engine);
	/* The database is whole without them, and they are large. */
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(path, sizeof(path), "%s/sloth.db-%s", model, beside[i]);
		unlink(path);
	}
}

void home_prepare(void)
{
	if (!*model)
		model_make();
}

void home_copy(struct home *home)
{
	home_prepare();
	*home = (struct home){ 0 };
	folder_new(home->path);
	snprintf(home->database, sizeof(home->database), "%s/sloth.db", home->path);
	copy_to = home->path;
	must(nftw(model, copy_one, 16, FTW_PHYS) == 0);
}

void home_new(struct home *home)
{
	home_copy(home);
	home_begin(home);
}

void home_free(struct home *home)
{
	if (home->tree)
		tree_free(home->tree);
	if (home->engine)
		engine_free(home->engine);
	home_remove(home->path);
}

void home_check(struct home *home)
{
	static const char *const checks[] = { "PRAGMA quick_check", "PRAGMA foreign_key_check" };
	sqlite3_stmt *stmt;
	sqlite3 *db;

	must(sqlite3_open_v2(home->database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	for (size_t i = 0; i < 2; i++) {
		must(sqlite3_prepare_v2(db, checks[i], -1, &stmt, NULL) == SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			must(!strcmp((const char *)sqlite3_column_text(stmt, 0), "ok"));
		sqlite3_finalize(stmt);
	}
	sqlite3_close(db);
}
