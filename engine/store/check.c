/* SPDX-License-Identifier: MIT */
/* What can be wrong with a database: its pages, its foreign keys, and rows whose other half is gone although
 * no foreign key says so. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "engine/store/private.h"

/* Complaints of one check: what comes after is left out. */
enum { COMPLAINTS_MAX = 20 };

/* Each row that a statement gives is a complaint, but for the row "ok". `quick` NULL: only when it is deep.
 */
static const struct check {
	const char *name, *quick, *deep;
} checks[] = {
	{ "pages", "PRAGMA quick_check(20)", "PRAGMA integrity_check(20)" },
	{ "references", "PRAGMA foreign_key_check", "PRAGMA foreign_key_check" },
	{ "keys", NULL,
		"SELECT 'the key ' || name || ' is of a stack that is gone' FROM kv WHERE stack_id <> 0 "
		"AND NOT EXISTS (SELECT 1 FROM stacks WHERE stacks.id = kv.stack_id) "
		"UNION ALL SELECT 'the key ' || name || ' is of a namespace that is gone' FROM kv "
		"WHERE namespace_id <> 0 "
		"AND NOT EXISTS (SELECT 1 FROM namespaces WHERE namespaces.id = kv.namespace_id)" },
	{ "runs", NULL,
		"SELECT 'run ' || id || ' is of a stack that is gone' FROM runs WHERE stack_id <> 0 "
		"AND NOT EXISTS (SELECT 1 FROM stacks WHERE stacks.id = runs.stack_id)" },
	{ "workflows", NULL,
		"SELECT 'the workflow ' || name || ' is of a stack that is gone' FROM workflow_files "
		"WHERE stack_id <> 0 "
		"AND NOT EXISTS (SELECT 1 FROM stacks WHERE stacks.id = workflow_files.stack_id)" },
	{ "logs", NULL,
		"SELECT 'the log of run ' || run_id || ' is of a task that is gone' FROM log_pieces "
		"WHERE task_id <> 0 "
		"AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = log_pieces.task_id)" },
};

/* foreign_key_check gives a table, a row, the table that it refers to, and a number. */
static void complaint_text(sqlite3_stmt *stmt, char *ret_text, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(stmt, 0);

	if (sqlite3_column_count(stmt) < 4)
		snprintf(ret_text, size, "%s", text ? text : "unknown");
	else
		snprintf(ret_text, size, "%s: row %lld refers to a row of %s that is gone", text,
			(long long)sqlite3_column_int64(stmt, 1), sqlite3_column_text(stmt, 2));
}

static int check_run(struct store *store, const struct check *check, const char *sql,
	int (*each)(void *userdata, const char *name, const char *complaint), void *userdata)
{
	sqlite3_stmt *stmt = NULL;
	char text[1024];
	int result, r = 0;

	result = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
	for (int i = 0; result == SQLITE_OK && r == 0 && i < COMPLAINTS_MAX; i++) {
		int step = sqlite3_step(stmt);

		if (step != SQLITE_ROW) {
			result = step == SQLITE_DONE ? SQLITE_OK : step;
			break;
		}
		complaint_text(stmt, text, sizeof(text));
		if (strcmp(text, "ok") != 0)
			r = each(userdata, check->name, text);
	}
	/* What cannot be read at all is a complaint, too. */
	if (result != SQLITE_OK) {
		r = sqlite_error(store->db, result);
		if (r == -EBADMSG) {
			snprintf(text, sizeof(text), "%s", sqlite3_errmsg(store->db));
			r = each(userdata, check->name, text);
		}
	}
	sqlite3_finalize(stmt);
	return r;
}

int store_examine(struct store *store, bool deep,
	int (*each)(void *userdata, const char *name, const char *complaint), void *userdata)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const char *sql = deep ? checks[i].deep : checks[i].quick;
		int r = 0;

		if (sql)
			r = each(userdata, checks[i].name, NULL);
		if (sql && r == 0)
			r = check_run(store, &checks[i], sql, each, userdata);
		if (r != 0)
			return r;
	}
	return 0;
}

static int first_complaint(void *userdata, const char *name, const char *complaint)
{
	struct fault *fault = userdata;

	return complaint ? fault_set(fault, EBADMSG, "the database is damaged: %s: %s", name, complaint) : 0;
}

int store_check(struct store *store, struct fault *fault)
{
	int r = store_examine(store, false, first_complaint, fault);

	return r < 0 ? fault_default(fault, -r, "the database cannot be checked: %s", strerror(-r)) : r;
}

enum { QUICK_MS = 20, QUICK_AGE_MS = 60000, QUICK_STEPS = 1000 };

static int is_late(void *until_ms)
{
	return time_monotonic_ms() > *(int64_t *)until_ms;
}

int store_check_quickly(struct store *store, struct fault *fault)
{
	int64_t now = time_monotonic_ms(), until = now + QUICK_MS;

	if (!store->quick_ms || now - store->quick_ms > QUICK_AGE_MS) {
		store->quick_fault = (struct fault){ 0 };
		sqlite3_progress_handler(store->db, QUICK_STEPS, is_late, &until);
		store->quick_result = check_run(
			store, &checks[0], "PRAGMA quick_check(1)", first_complaint, &store->quick_fault);
		sqlite3_progress_handler(store->db, 0, NULL, NULL);
		store->quick_ms = now;
		if (store->quick_result < 0 && time_monotonic_ms() > until && store->quick_result != -EBADMSG)
			store->quick_result = fault_set(&store->quick_fault, ETIMEDOUT,
				"The database is too large to be looked at in passing");
	}
	return store->quick_result < 0 ? fault_set(fault, -store->quick_result, "%s", store->quick_fault.text)
				       : 0;
}
