/* SPDX-License-Identifier: MIT */
/* The statements about runs, their tasks, logs, transitions and artifacts, and about workflows that are kept.
 */
#include "engine/store/statements.h"

/* A run is as private as its stack while there is one, else as what was kept of it. */
#define RUN_SELECT                                                                                           \
	"SELECT runs.id, runs.stack_id, runs.stack, runs.file, runs.uid, runs.gid, "                         \
	"COALESCE(stacks.uid, owner_uid), COALESCE(stacks.gid, owner_gid), COALESCE(stacks.mode, "           \
	"owner_mode), "                                                                                      \
	"runs.status, runs.created_ms, started_ms, finished_ms, runs.updated_ms, lock_token, holds_lock, "   \
	"retry_of, "                                                                                         \
	"depth, pid, pid_start, boot_id, secret, last_seq, log_size, log_json_size, lock_wait_ms, "          \
	"waiting_since_ms, parent_run, cgroup "                                                              \
	"FROM runs LEFT JOIN stacks ON stacks.id = runs.stack_id "

/* What a listing needs of very many. */
#define RUN_NAME_SELECT                                                                                      \
	"SELECT runs.id, runs.stack_id, runs.uid, COALESCE(stacks.uid, owner_uid), "                         \
	"COALESCE(stacks.gid, owner_gid), COALESCE(stacks.mode, owner_mode) "                                \
	"FROM runs LEFT JOIN stacks ON stacks.id = runs.stack_id "

#define SAVED_COLUMNS "id, name, uid, gid, mode, number, updated_ms"

#define SAVED_VERSION_COLUMNS "id, workflow_id, number, uid, time_ms, size"

#define RUN_UNFINISHED "status IN ('queued', 'waiting', 'running', 'rolling_back')"

#define TASK_COLUMNS                                                                                         \
	"id, run_id, position, name, status, tries, started_ms, finished_ms, updated_ms, log_size, "         \
	"log_json_size"

#define ARTIFACT_COLUMNS "id, run_id, task_id, path, mode, size, received, kept_ms"

#define WORKFLOW_COLUMNS "id, stack_id, run_id, name, uid, updated_ms"

const char *const statements_of_runs[SQL_COUNT] = {
	[SQL_RUN_ADD] = "INSERT INTO runs (stack_id, stack, file, uid, gid, owner_uid, owner_gid, "
			"owner_mode, status, "
			"created_ms, started_ms, finished_ms, updated_ms, lock_token, holds_lock, retry_of, "
			"depth, pid, "
			"pid_start, boot_id, secret, last_seq, log_size, log_full) "
			"VALUES ($1, $2, $3, $4, $5, $4, $5, 448, 'queued', $6, 0, 0, $6, 0, 0, 0, 0, 0, 0, "
			"'', '', 0, 0, 0)",
	[SQL_RUN_GET] = RUN_SELECT "WHERE runs.id = $1",
	[SQL_RUN_EACH] = RUN_NAME_SELECT "WHERE runs.id < $1 ORDER BY runs.id DESC",
	[SQL_RUN_OF_STACK] =
		RUN_NAME_SELECT "WHERE runs.id < $1 AND runs.stack_id = $2 ORDER BY runs.id DESC",
	[SQL_RUN_UNFINISHED] = RUN_SELECT "WHERE runs." RUN_UNFINISHED " ORDER BY runs.id",
	[SQL_RUN_COUNT_UNFINISHED] =
		"SELECT COUNT(*) FROM runs WHERE " RUN_UNFINISHED " AND ($1 = 0 OR stack_id = $1)",
	[SQL_RUN_TRUSTED] =
		"SELECT id FROM runs WHERE stack_id = $1 AND (uid = $2 OR uid = 0) AND started_ms > 0 "
		"AND file <> $3 AND file <> $4 AND file <> $5 ORDER BY id DESC LIMIT 1",
	[SQL_RUN_OF_WORKFLOW] = "SELECT id FROM runs WHERE stack_id = $1 AND started_ms > 0 AND file <> $2 "
				"AND file <> $3 AND file <> $4 ORDER BY id DESC LIMIT 1",
	[SQL_RUNS_OF_WORKFLOWS] = "SELECT id FROM runs WHERE stack_id = $1 AND started_ms > 0 AND file <> $2 "
				  "AND file <> $3 AND file <> $5 ORDER BY id DESC LIMIT $4",
	[SQL_RUN_SET_STACK] = "UPDATE runs SET stack_id = $2, stack = $3, updated_ms = $4 WHERE id = $1",
	[SQL_RUN_SET_PROCESS] =
		"UPDATE runs SET pid = $2, pid_start = $3, boot_id = $4, secret = $5, updated_ms = $6, "
		"cgroup = $7 "
		"WHERE id = $1",
	[SQL_RUN_SET_LOCK] =
		"UPDATE runs SET lock_token = $2, holds_lock = $3, updated_ms = $4 WHERE id = $1",
	[SQL_RUN_SET_SEQ] = "UPDATE runs SET last_seq = $2 WHERE id = $1",
	[SQL_RUN_SET_RETRY] = "UPDATE runs SET retry_of = $2 WHERE id = $1",
	[SQL_SAVED_GET] = "SELECT " SAVED_COLUMNS " FROM saved_workflows WHERE id = $1",
	[SQL_SAVED_FIND] = "SELECT " SAVED_COLUMNS " FROM saved_workflows WHERE name = $1",
	[SQL_SAVED_EACH] = "SELECT " SAVED_COLUMNS " FROM saved_workflows WHERE number > 0 ORDER BY name",
	[SQL_SAVED_COUNT] = "SELECT COUNT(*) FROM saved_workflows WHERE uid = $1",
	[SQL_SAVED_ADD] = "INSERT INTO saved_workflows (name, uid, gid, mode, number, updated_ms) "
			  "VALUES ($1, $2, $3, $4, 0, $5) RETURNING id",
	[SQL_SAVED_SET] = "UPDATE saved_workflows SET uid = $2, gid = $3, mode = $4 WHERE id = $1",
	[SQL_SAVED_SET_NUMBER] = "UPDATE saved_workflows SET number = $2, updated_ms = $3 WHERE id = $1",
	[SQL_SAVED_RENAME] = "UPDATE saved_workflows SET name = $2 WHERE id = $1",
	[SQL_SAVED_REFUSE] = "DELETE FROM saved_workflows WHERE id = $1 AND number = 0",
	[SQL_SAVED_DELETE] = "DELETE FROM saved_workflows WHERE id = $1",
	[SQL_SAVED_VERSION_ADD] =
		"INSERT INTO saved_versions (workflow_id, number, uid, time_ms, size, content, plan) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
	[SQL_SAVED_VERSION_GET] = "SELECT " SAVED_VERSION_COLUMNS " FROM saved_versions WHERE id = $1",
	[SQL_SAVED_VERSION_FIND] =
		"SELECT " SAVED_VERSION_COLUMNS " FROM saved_versions WHERE workflow_id = $1 AND number = $2",
	[SQL_SAVED_VERSION_EACH] =
		"SELECT " SAVED_VERSION_COLUMNS " FROM saved_versions WHERE workflow_id = $1 ORDER BY number",
	[SQL_SAVED_VERSION_CONTENT] = "SELECT content, plan FROM saved_versions WHERE id = $1",
	[SQL_SAVED_VERSIONS_DROP] = "DELETE FROM saved_versions WHERE workflow_id = $1 AND number <= $2",
	[SQL_RUN_SET_PARENT] = "UPDATE runs SET parent_run = $2, depth = $3 WHERE id = $1",
	[SQL_RUN_SET_OPTIONS] = "UPDATE runs SET options = $2 WHERE id = $1",
	[SQL_RUN_OPTIONS] = "SELECT options FROM runs WHERE id = $1",
	[SQL_RUN_SET_IMPORTS] = "UPDATE runs SET imports = $2 WHERE id = $1",
	[SQL_RUN_IMPORTS] = "SELECT imports FROM runs WHERE id = $1",
	[SQL_RUN_SET_WAIT] =
		"UPDATE runs SET lock_wait_ms = $2, waiting_since_ms = $3, updated_ms = $4 WHERE id = $1",
	[SQL_RUN_SET_STATUS] =
		"UPDATE runs SET status = $2, started_ms = $3, finished_ms = $4, updated_ms = $5 "
		"WHERE id = $1",
	[SQL_RUN_SET_LOG] = "UPDATE runs SET log_size = $2, log_full = $3, updated_ms = $4, log_json_size = "
			    "$5 WHERE id = $1",
	[SQL_RUN_LOG] = "SELECT log_size, log_full, log_json_size FROM runs WHERE id = $1",
	[SQL_RUN_KEEP_OWNER] =
		"UPDATE runs SET stack_id = 0, owner_uid = $2, owner_gid = $3, owner_mode = $4 "
		"WHERE stack_id = $1",
	[SQL_RUN_DELETE] = "DELETE FROM runs WHERE id = $1",
	[SQL_RUN_TEXT] = "SELECT content FROM run_texts WHERE run_id = $1 AND which = $2",
	[SQL_RUN_TEXT_SIZE] = "SELECT LENGTH(content) FROM run_texts WHERE run_id = $1 AND which = $2",
	[SQL_RUN_SET_TEXT] = "INSERT INTO run_texts (run_id, which, content) VALUES ($1, $2, $3) "
			     "ON CONFLICT (run_id, which) DO UPDATE SET content = excluded.content",
	[SQL_RUN_KEEP_ANSWER] = "INSERT INTO run_answers (run_id, seq, answer) VALUES ($1, $2, $3) "
				"ON CONFLICT (run_id, seq) DO UPDATE SET answer = excluded.answer",
	[SQL_RUN_FIND_ANSWER] = "SELECT answer FROM run_answers WHERE run_id = $1 AND seq = $2",
	[SQL_RUN_DROP_ANSWERS] = "DELETE FROM run_answers WHERE run_id = $1 AND seq < $2",

	[SQL_ARTIFACT_ADD] = "INSERT INTO artifacts (run_id, task_id, path, mode, size, received, kept_ms) "
			     "VALUES ($1, $2, $3, $4, $5, 0, 0)",
	[SQL_ARTIFACT_GET] = "SELECT " ARTIFACT_COLUMNS " FROM artifacts WHERE id = $1",
	[SQL_ARTIFACT_FIND] = "SELECT " ARTIFACT_COLUMNS " FROM artifacts WHERE run_id = $1 AND path = $2",
	[SQL_ARTIFACT_BELOW] = "SELECT " ARTIFACT_COLUMNS " FROM artifacts WHERE run_id = $1 "
			       "AND path >= $2 AND path < $3 ORDER BY path LIMIT 1",
	[SQL_ARTIFACT_EACH] = "SELECT " ARTIFACT_COLUMNS " FROM artifacts WHERE run_id = $1 "
			      "AND ($2 = 0 OR task_id = $2) AND path >= $3 AND path < $4 AND kept_ms > 0 "
			      "ORDER BY path",
	[SQL_ARTIFACT_SUM] = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM artifacts WHERE run_id = $1",
	[SQL_ARTIFACT_RUN] = "SELECT run_id FROM artifacts WHERE id = $1",
	[SQL_ARTIFACT_RECEIVED] = "UPDATE artifacts SET received = $2 WHERE id = $1",
	[SQL_ARTIFACT_SET_MODE] = "UPDATE artifacts SET mode = $2 WHERE id = $1",
	[SQL_ARTIFACT_MISSING] = "SELECT COUNT(*) FROM artifacts WHERE task_id = $1 AND received < size",
	[SQL_ARTIFACT_KEEP] = "UPDATE artifacts SET kept_ms = $2 WHERE task_id = $1 AND kept_ms = 0",
	[SQL_ARTIFACT_DROP] = "DELETE FROM artifacts WHERE task_id = $1 AND kept_ms = 0",
	[SQL_ARTIFACT_DROP_RUN] = "DELETE FROM artifacts WHERE run_id = $1 AND kept_ms = 0",

	[SQL_RUN_SET_BEFORE] = "UPDATE runs SET before_version = $2 WHERE id = $1",
	[SQL_RUN_BEFORE] = "SELECT before_version FROM runs WHERE id = $1",
	[SQL_RUN_SET_CANCELS] = "UPDATE runs SET cancels = $2, cancel_why = $3 WHERE id = $1",
	[SQL_RUN_CANCELS] = "SELECT cancels, cancel_why FROM runs WHERE id = $1",
	[SQL_TASK_NOT_UNDONE] = "SELECT name FROM tasks WHERE run_id = $1 AND (status = 'success' OR EXISTS "
				"(SELECT 1 FROM images WHERE images.run_id = $1 AND images.task = "
				"tasks.name)) AND tries > "
				"0 AND NOT EXISTS "
				"(SELECT 1 FROM task_tries WHERE task_id = tasks.id AND kind = 'undo' AND "
				"status = 'success') "
				"ORDER BY finished_ms DESC, id DESC LIMIT 20",

	[SQL_TASK_ADD] = "INSERT INTO tasks (run_id, position, name, status, tries, started_ms, finished_ms, "
			 "updated_ms, "
			 "log_size, error, output) VALUES ($1, $2, $3, 'pending', 0, 0, 0, $4, 0, '', '')",
	[SQL_TASK_GET] = "SELECT " TASK_COLUMNS " FROM tasks WHERE id = $1",
	[SQL_TASK_FIND] = "SELECT " TASK_COLUMNS " FROM tasks WHERE run_id = $1 AND name = $2",
	[SQL_TASK_EACH] = "SELECT " TASK_COLUMNS " FROM tasks WHERE run_id = $1 ORDER BY position, id",
	[SQL_TASK_UNFINISHED] = "SELECT id FROM tasks WHERE run_id = $1 "
				"AND status IN ('pending', 'ready', 'running', 'retry_wait') ORDER BY id",
	[SQL_TASK_SET_STATUS] =
		"UPDATE tasks SET status = $2, tries = $3, started_ms = $4, finished_ms = $5, "
		"updated_ms = $6, error = COALESCE($7, error), output = COALESCE($8, output) WHERE id = $1",
	[SQL_TASK_SET_LOG] =
		"UPDATE tasks SET log_size = $2, updated_ms = $3, log_json_size = $4 WHERE id = $1",
	[SQL_TASK_ERROR] = "SELECT error FROM tasks WHERE id = $1",
	[SQL_TASK_OUTPUT] = "SELECT output FROM tasks WHERE id = $1",
	[SQL_TRY_SET] =
		"INSERT INTO task_tries (task_id, number, status, started_ms, finished_ms, error, "
		"log_start, kind) VALUES ($1, $2, $3, $4, $5, COALESCE($6, ''), $7, $8) ON CONFLICT "
		"(task_id, number) DO UPDATE "
		"SET status = excluded.status, finished_ms = excluded.finished_ms, error = excluded.error",
	[SQL_TRY_EACH] = "SELECT number, status, started_ms, finished_ms, error, log_start, kind, "
			 "COALESCE((SELECT next.log_start FROM task_tries AS next WHERE next.task_id = $1 "
			 "AND next.number = task_tries.number + 1), -1) FROM task_tries WHERE task_id = $1 "
			 "AND ($2 = 0 OR number = $2) ORDER BY number",

	[SQL_LOG_ADD] =
		"INSERT INTO log_pieces (run_id, run_start, task_id, task_start, time_ms, content, try, "
		"stream, run_json, task_json) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	[SQL_LOG_OF_RUN] = "SELECT run_start, log_pieces.task_id, time_ms, content, COALESCE(tasks.name, '') "
			   "FROM log_pieces LEFT JOIN tasks ON tasks.id = log_pieces.task_id "
			   "WHERE log_pieces.run_id = $1 AND run_start <= $2 ORDER BY run_start DESC LIMIT 1",
	[SQL_LOG_OF_TASK] =
		"SELECT task_start, content FROM log_pieces WHERE task_id = $1 AND task_start <= $2 "
		"ORDER BY task_start DESC LIMIT 1",
	/* Pieces by where they begin in the other log: the first one from there on. */
	[SQL_LOG_RUN_FROM] =
		"SELECT run_start, run_json FROM log_pieces WHERE run_id = $1 AND run_start >= $2 "
		"ORDER BY run_start LIMIT 1",
	[SQL_LOG_TASK_FROM] = "SELECT task_start, task_json FROM log_pieces WHERE task_id = $1 "
			      "AND task_start >= $2 ORDER BY task_start LIMIT 1",
	[SQL_LOG_JSON_OF_RUN] =
		"SELECT run_json, log_pieces.run_id, log_pieces.task_id, COALESCE(tasks.name, ''), try, "
		"stream, time_ms, content FROM log_pieces LEFT JOIN tasks ON tasks.id = log_pieces.task_id "
		"WHERE log_pieces.run_id = $1 AND run_start = $2",
	[SQL_LOG_JSON_OF_TASK] =
		"SELECT task_json, log_pieces.run_id, log_pieces.task_id, COALESCE(tasks.name, ''), try, "
		"stream, time_ms, content FROM log_pieces LEFT JOIN tasks ON tasks.id = log_pieces.task_id "
		"WHERE log_pieces.task_id = $1 AND task_start = $2",

	[SQL_TRANSITION_ADD] = "INSERT INTO transitions (run_id, start, task_id, try, time_ms, from_status, "
			       "to_status, duration_ms, until_ms, error) "
			       "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	/* The last one that begins there or before, and all after it. */
	[SQL_TRANSITION_BEFORE] = "SELECT start FROM transitions WHERE run_id = $1 AND start <= $2 "
				  "ORDER BY start DESC LIMIT 1",
	[SQL_TRANSITION_FROM] =
		"SELECT start, task_id, COALESCE(tasks.name, ''), try, time_ms, from_status, to_status, "
		"duration_ms, until_ms, transitions.error FROM transitions "
		"LEFT JOIN tasks ON tasks.id = task_id WHERE transitions.run_id = $1 AND start >= $2 "
		"ORDER BY start",

	[SQL_WORKFLOW_SET] = "INSERT INTO workflow_files (stack_id, name, run_id, uid, updated_ms) "
			     "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (stack_id, name) DO UPDATE "
			     "SET run_id = excluded.run_id, uid = excluded.uid, updated_ms = "
			     "excluded.updated_ms RETURNING id",
	[SQL_WORKFLOW_FIND] =
		"SELECT " WORKFLOW_COLUMNS " FROM workflow_files WHERE stack_id = $1 AND name = $2",
	[SQL_WORKFLOW_GET] = "SELECT " WORKFLOW_COLUMNS " FROM workflow_files WHERE id = $1",
	[SQL_WORKFLOW_EACH] =
		"SELECT " WORKFLOW_COLUMNS " FROM workflow_files WHERE stack_id = $1 ORDER BY name",
	[SQL_WORKFLOW_DELETE] = "DELETE FROM workflow_files WHERE id = $1",
	[SQL_WORKFLOW_DELETE_STACK] = "DELETE FROM workflow_files WHERE stack_id = $1",
	[SQL_WORKFLOW_DELETE_RUN] = "DELETE FROM workflow_files WHERE run_id = $1 RETURNING id",
};
