/* SPDX-License-Identifier: MIT */
/* An engine in a folder of its own, for each test. */
#include "tests/engine/fixture.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/output.h"
#include "engine/store/private.h"

void folder_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char name[PATH_MAX];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) < 0)
			folder_remove(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static void engine_start(struct fixture *fixture)
{
	if (engine_new(fixture->home, fixture->loop, &fixture->fault, &fixture->engine) < 0)
		fail_msg("%s", fixture->fault.text);
}

/* A process that is not this one's child, because its parent is gone. It ends with the pipe's other end. */
static pid_t stranger(int *ret_fd)
{
	int life[2], tell[2];
	pid_t child, pid = 0;
	char byte;

	assert_int_equal(pipe(life), 0);
	assert_int_equal(pipe(tell), 0);
	child = fork();
	if (child == 0) {
		if (fork() > 0)
			_exit(0);
		close(life[1]);
		pid = getpid();
		_exit(write(tell[1], &pid, sizeof(pid)) != sizeof(pid) || read(life[0], &byte, 1) != 0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(read(tell[0], &pid, sizeof(pid)), sizeof(pid));
	close(life[0]);
	close(tell[0]);
	close(tell[1]);
	*ret_fd = life[1];
	return pid;
}

int fixture_new(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	/* Nobody's own configuration. */
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	snprintf(fixture->home, sizeof(fixture->home), "/tmp/sloth-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->home));
	snprintf(fixture->database, sizeof(fixture->database), "%s/sloth.db", fixture->home);
	fixture->loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(fixture->loop);
	fixture->root = (struct caller){ .groups_known = true, .pid = getpid() };
	fixture->alice = (struct caller){ .uid = 54321, .gid = 54321, .groups_known = true, .pid = getpid() };
	fixture->bob = (struct caller){
		.uid = 54322, .gid = 54322, .groups_known = true, .pid = stranger(&fixture->stranger)
	};
	engine_start(fixture);
	*state = fixture;
	return 0;
}

int fixture_free(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->stranger);
	engine_free(fixture->engine);
	ev_loop_destroy(fixture->loop);
	folder_remove(fixture->home);
	free(fixture);
	return 0;
}

void fixture_restart(struct fixture *fixture)
{
	assert_int_equal(engine_turn_end(fixture->engine), 0);
	engine_free(fixture->engine);
	fixture->engine = NULL;
	engine_start(fixture);
}

void fixture_turn(struct fixture *fixture)
{
	ev_run(fixture->loop, EVRUN_NOWAIT);
	ev_run(fixture->loop, EVRUN_NOWAIT);
	assert_int_equal(engine_turn_end(fixture->engine), 0);
}

int64_t fixture_stack(struct fixture *fixture, const char *name)
{
	struct stack stack;

	assert_int_equal(
		stack_create(fixture->engine, &fixture->alice, name, 0777, &fixture->fault, &stack), 0);
	return stack.id;
}

void fixture_output(struct fixture *fixture, int64_t stack_id, const char *name, json_t *value)
{
	assert_int_equal(
		output_set(fixture->engine, &fixture->alice, stack_id, name, value, &fixture->fault), 0);
	json_decref(value);
}

int64_t fixture_query(struct fixture *fixture, const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t value;

	assert_int_equal(engine_turn_end(fixture->engine), 0);
	assert_int_equal(sqlite3_open(fixture->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

void fixture_sql(struct fixture *fixture, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(engine_turn_end(fixture->engine), 0);
	assert_int_equal(sqlite3_open(fixture->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	fixture_restart(fixture);
}
