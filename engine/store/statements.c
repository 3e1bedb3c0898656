/* SPDX-License-Identifier: MIT */
/* Every statement that Sloth runs, one row each, grouped by noun. Column lists are spelled once, where rows
 * become structs. */
#include "engine/store/statements.h"

#define STACK_COLUMNS "id, name, uid, gid, mode, status, created_ms, updated_ms, token, run_count, last_run"

#define LOCK_COLUMNS                                                                                         \
	"stack_id, name_id, token, kind, owner, part, uid, pid, opener, known_at, since_ms, expires_ms, "    \
	"bound_pid, bound_start, boot_id, holder, command, operation, reason"

#define NAMED_LOCK_COLUMNS "id, name, uid, gid, mode, token, updated_ms"

#define EVENT_COLUMNS "id, time_ms, stack_id, run_id, uid, type, line, json"

#define DEPS_SELECT                                                                                          \
	"SELECT deps.id, deps.stack_id, deps.on_id, stacks.name, deps.on_name, deps.requires, "              \
	"deps.created_ms, COALESCE(others.uid, 0), COALESCE(others.gid, 0), COALESCE(others.mode, 0), "      \
	"stack_texts.content "                                                                               \
	"FROM deps JOIN stacks ON stacks.id = deps.stack_id "                                                \
	"LEFT JOIN stacks AS others ON others.id = deps.on_id "                                              \
	"LEFT JOIN stack_texts ON stack_texts.stack_id = deps.on_id AND stack_texts.which = 'version' "

#define TAG_SELECT                                                                                           \
	"SELECT stack_tags.id, stack_tags.stack_id, stack_tags.tag_id, tags.name, stacks.name, "             \
	"stack_tags.created_ms "                                                                             \
	"FROM stack_tags JOIN tags ON tags.id = stack_tags.tag_id JOIN stacks ON stacks.id = "               \
	"stack_tags.stack_id "

/* With whose they are that bear it: see sees_word(). */
#define TAG_WORD_SELECT                                                                                      \
	"SELECT DISTINCT tags.id, tags.name, stacks.uid, stacks.gid, stacks.mode "                           \
	"FROM tags JOIN stack_tags ON stack_tags.tag_id = tags.id "                                          \
	"JOIN stacks ON stacks.id = stack_tags.stack_id "

#define KV_COLUMNS "id, name, updated_ms, expires_ms, value, stack_id, namespace_id"

#define NAMESPACE_COLUMNS "id, name, uid, gid, mode, updated_ms"

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

#define SAVED_COLUMNS "id, name, uid, gid, mode, number, updated_ms"

#define SAVED_VERSION_COLUMNS "id, workflow_id, number, uid, time_ms, size"

#define RUN_UNFINISHED "status IN ('queued', 'waiting', 'running', 'rolling_back')"

#define TASK_COLUMNS                                                                                         \
	"id, run_id, position, name, status, tries, started_ms, finished_ms, updated_ms, log_size, "         \
	"log_json_size"

#define ARTIFACT_COLUMNS "id, run_id, task_id, path, mode, size, received, kept_ms"

#define VERSION_COLUMNS "id, stack_id, number, time_ms, uid, run_id, what, changes, dropped"

#define METRIC_SELECT                                                                                        \
	"SELECT metrics.id, stack_id, stacks.name, metrics.name, family, type, tags, value, "                \
	"metrics.updated_ms FROM metrics JOIN stacks ON stacks.id = metrics.stack_id "

#define DESTROYED_COLUMNS "id, name, uid, gid, mode, token, destroyed_ms, destroyed_by"

#define SNAPSHOT_COLUMNS                                                                                     \
	"versions.id, versions.stack_id, number, time_ms, uid, run_id, what, changes, dropped, "             \
	"trigger_name, description, creator, tags"

#define SNAPSHOT_NAME_COLUMNS                                                                                \
	"snapshot_names.id, snapshot_names.stack_id, name, versions.id, number, created_ms "                 \
	"FROM snapshot_names, versions WHERE versions.id = snapshot_names.version_id"

#define ITEM_COLUMNS   "id, stack_id, kind, name, from_version, to_version, content_id"
#define SECRET_COLUMNS "id, name, uid, gid, created_ms, updated_ms, value"

#define WORKFLOW_COLUMNS "id, stack_id, run_id, name, uid, updated_ms"

#define RESOURCE_SELECT                                                                                      \
	"SELECT resources.id, stack_id, type_id, protect, resource_types.name, resources.name, entry, "      \
	"module, desired, applied, actual, checksum, status, last_action, error, created_ms, updated_ms, "   \
	"applied_ms, run_id FROM resources JOIN resource_types ON resource_types.id = type_id "

const char *const statements[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	/* One name for all depths: the innermost is meant. */
	[SQL_CHANGE_BEGIN] = "SAVEPOINT change",
	[SQL_CHANGE_END] = "RELEASE SAVEPOINT change",
	[SQL_CHANGE_UNDO] = "ROLLBACK TO SAVEPOINT change",

	[SQL_SCHEMA_BORN] = "SELECT MIN(applied_ms) FROM schema_versions",

	[SQL_FOLDER_GET] = "SELECT uid, gid, mode, updated_ms FROM folders WHERE name = $1",
	[SQL_FOLDER_SET] =
		"INSERT INTO folders (name, uid, gid, mode, updated_ms) VALUES ($1, $2, $3, $4, $5) "
		"ON CONFLICT (name) DO UPDATE SET uid = excluded.uid, gid = excluded.gid, "
		"mode = excluded.mode, updated_ms = excluded.updated_ms",

	[SQL_MASTER_KEY_GET] = "SELECT id, source, salt, effort, memory, created_ms FROM master_keys "
			       "WHERE retired_ms = 0 ORDER BY id DESC LIMIT 1",
	[SQL_MASTER_KEY_ADD] =
		"INSERT INTO master_keys (source, salt, effort, memory, created_ms, retired_ms) "
		"VALUES ($1, $2, $3, $4, $5, 0)",
	[SQL_MASTER_KEY_RETIRE] = "UPDATE master_keys SET retired_ms = $2 WHERE id = $1",
	[SQL_MASTER_KEY_RETIRED] = "SELECT salt FROM master_keys WHERE source = 'file' AND retired_ms > 0",
	[SQL_DATA_KEY_EACH] = "SELECT id, wrapped, created_ms, retired_ms FROM data_keys ORDER BY id",
	[SQL_DATA_KEY_ADD] = "INSERT INTO data_keys (wrapped, created_ms, retired_ms) VALUES ($1, $2, 0)",
	[SQL_DATA_KEY_WRAP] = "UPDATE data_keys SET wrapped = $2 WHERE id = $1",
	[SQL_DATA_KEY_RETIRE] = "UPDATE data_keys SET retired_ms = $1 WHERE retired_ms = 0",

	[SQL_SECRET_EACH] = "SELECT " SECRET_COLUMNS " FROM secrets ORDER BY name",
	[SQL_SECRET_FIND] = "SELECT " SECRET_COLUMNS " FROM secrets WHERE name = $1",
	[SQL_SECRET_GET] = "SELECT " SECRET_COLUMNS " FROM secrets WHERE id = $1",
	[SQL_SECRET_SET] = "INSERT INTO secrets (name, uid, gid, value, created_ms, updated_ms) "
			   "VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (name) DO UPDATE "
			   "SET value = excluded.value, updated_ms = excluded.updated_ms RETURNING id",
	[SQL_SECRET_RENAME] = "UPDATE secrets SET name = $2, value = $3, updated_ms = $4 WHERE id = $1",
	[SQL_SECRET_SET_OWNER] = "UPDATE secrets SET uid = $2, gid = $3 WHERE id = $1",
	[SQL_SECRET_DELETE] = "DELETE FROM secrets WHERE id = $1",
	/* What is sealed anew with another key: id, what it is, value. */
	[SQL_SECRET_SEALED] = "SELECT id, 'secret:' || name, value FROM secrets ORDER BY id",
	[SQL_SECRET_RESEAL] = "UPDATE secrets SET value = $2 WHERE id = $1",
	[SQL_OUTPUT_SEALED] = "SELECT id, 'output:' || stack_id || ':' || name, value FROM outputs "
			      "WHERE value LIKE 'sealed:1:%' ORDER BY id",
	[SQL_OUTPUT_RESEAL] = "UPDATE outputs SET value = $2 WHERE id = $1",
	[SQL_RUN_SECRET_ADD] = "INSERT INTO run_secrets (run_id, value) VALUES ($1, $2)",
	[SQL_RUN_SECRET_EACH] = "SELECT value FROM run_secrets WHERE run_id = $1 ORDER BY id",
	[SQL_RUN_SECRET_DELETE] = "DELETE FROM run_secrets WHERE run_id = $1",
	[SQL_RUN_SECRET_SEALED] = "SELECT id, 'run:' || run_id, value FROM run_secrets ORDER BY id",
	[SQL_RUN_SECRET_RESEAL] = "UPDATE run_secrets SET value = $2 WHERE id = $1",

	[SQL_STACK_GET] = "SELECT " STACK_COLUMNS " FROM stacks WHERE id = $1",
	[SQL_STACK_FIND] = "SELECT " STACK_COLUMNS " FROM stacks WHERE name = $1",
	[SQL_STACK_EACH] = "SELECT " STACK_COLUMNS " FROM stacks WHERE name > $1 ORDER BY name",
	[SQL_STACK_ADD] =
		"INSERT INTO stacks (name, uid, gid, mode, status, created_ms, updated_ms, outputs_ms, "
		"token, "
		"run_count, last_run) VALUES ($1, $2, $3, $4, 'created', $5, $5, 0, 0, 0, 0)",
	[SQL_STACK_DELETE] = "DELETE FROM stacks WHERE id = $1",
	[SQL_STACK_RENAME] = "UPDATE stacks SET name = $2, updated_ms = $3 WHERE id = $1",
	[SQL_STACK_SET_MODE] = "UPDATE stacks SET mode = $2, updated_ms = $3 WHERE id = $1",
	[SQL_STACK_SET_OWNER] =
		"UPDATE stacks SET uid = $2, gid = $3, mode = $4, updated_ms = $5 WHERE id = $1",
	[SQL_STACK_SET_STATUS] = "UPDATE stacks SET status = $2, updated_ms = $3 WHERE id = $1",
	[SQL_STACK_TOUCH] = "UPDATE stacks SET updated_ms = $2 WHERE id = $1",
	[SQL_STACK_TOUCH_OUTPUTS] = "UPDATE stacks SET updated_ms = $2, outputs_ms = $2 WHERE id = $1",
	[SQL_STACK_OUTPUTS_TIME] = "SELECT outputs_ms FROM stacks WHERE id = $1",
	[SQL_STACK_COUNT_RUN] = "UPDATE stacks SET run_count = run_count + 1, last_run = $2 WHERE id = $1",
	[SQL_STACK_NEXT_TOKEN] = "UPDATE stacks SET token = token + 1 WHERE id = $1",
	[SQL_STACK_TOKEN] = "SELECT token FROM stacks WHERE id = $1",
	[SQL_STACK_GREATEST_TOKEN] = "SELECT COALESCE(MAX(token), 0) FROM stacks",
	[SQL_STACK_RAISE_TOKENS] = "UPDATE stacks SET token = $1 WHERE token < $1",
	[SQL_STACK_TEXT] = "SELECT content, updated_ms FROM stack_texts WHERE stack_id = $1 AND which = $2",
	[SQL_STACK_SET_TEXT] =
		"INSERT INTO stack_texts (stack_id, which, content, updated_ms) VALUES ($1, $2, $3, $4) "
		"ON CONFLICT (stack_id, which) DO UPDATE "
		"SET content = excluded.content, updated_ms = excluded.updated_ms",

	[SQL_LOCK_OF_TARGET] = "SELECT " LOCK_COLUMNS " FROM locks WHERE stack_id = $1 AND name_id = $2 "
			       "AND (expires_ms = 0 OR expires_ms > $3) ORDER BY token",
	[SQL_LOCK_ALL] = "SELECT " LOCK_COLUMNS " FROM locks "
			 "WHERE expires_ms = 0 OR expires_ms > $1 "
			 "ORDER BY stack_id, name_id, token",
	[SQL_LOCK_OF_SESSIONS] = "SELECT " LOCK_COLUMNS " FROM locks WHERE kind IN ('session', 'shared')",
	[SQL_LOCK_OF_RUN] = "SELECT " LOCK_COLUMNS " FROM locks WHERE kind = 'run' AND owner = $1 "
			    "AND (expires_ms = 0 OR expires_ms > $2)",
	[SQL_LOCK_BOUND] = "SELECT " LOCK_COLUMNS " FROM locks WHERE bound_pid > 0",
	[SQL_LOCK_EXPIRED] = "SELECT " LOCK_COLUMNS " FROM locks WHERE expires_ms > 0 AND expires_ms <= $1",
	[SQL_LOCK_NEXT_EXPIRY] = "SELECT MIN(expires_ms) FROM locks WHERE expires_ms > 0",
	[SQL_LOCK_BOUND_BEFORE] = "SELECT " LOCK_COLUMNS " FROM locks WHERE bound_pid > 0 AND boot_id <> $1",
	[SQL_LOCK_ADD] = "INSERT INTO locks (" LOCK_COLUMNS ") VALUES "
			 "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
			 "$19)",
	[SQL_LOCK_DELETE] = "DELETE FROM locks WHERE stack_id = $1 AND name_id = $2 AND token = $3",
	[SQL_LOCK_DELETE_TARGET] = "DELETE FROM locks WHERE stack_id = $1 AND name_id = $2",
	[SQL_LOCK_RENEW] = "UPDATE locks SET expires_ms = $4, boot_id = $5, bound_pid = $6, "
			   "bound_start = $7, holder = $8, operation = $9, reason = $10 "
			   "WHERE stack_id = $1 AND name_id = $2 AND token = $3",
	[SQL_LOCK_SET_PROCESS] = "UPDATE locks SET pid = $3, known_at = $4, command = $5 "
				 "WHERE stack_id = $1 AND kind = 'run' AND owner = $2",

	[SQL_NAMED_LOCK_GET] = "SELECT " NAMED_LOCK_COLUMNS " FROM named_locks WHERE id = $1",
	[SQL_NAMED_LOCK_FIND] = "SELECT " NAMED_LOCK_COLUMNS " FROM named_locks WHERE name = $1",
	[SQL_NAMED_LOCK_EACH] = "SELECT " NAMED_LOCK_COLUMNS " FROM named_locks ORDER BY name",
	[SQL_NAMED_LOCK_COUNT] = "SELECT COUNT(*) FROM named_locks WHERE uid = $1",
	[SQL_NAMED_LOCK_ADD] = "INSERT INTO named_locks (name, uid, gid, mode, token, by_run, updated_ms) "
			       "VALUES ($1, $2, $3, $4, 0, $5, $6)",
	[SQL_NAMED_LOCK_DELETE] = "DELETE FROM named_locks WHERE id = $1",
	[SQL_NAMED_LOCK_SET_OWNER] =
		"UPDATE named_locks SET uid = $2, gid = $3, mode = $4, updated_ms = $5 WHERE id = $1",
	[SQL_NAMED_LOCK_NEXT_TOKEN] = "INSERT INTO named_lock_tokens (which, token) VALUES (1, 1) "
				      "ON CONFLICT (which) DO UPDATE SET token = named_lock_tokens.token + 1 "
				      "RETURNING token",
	[SQL_NAMED_LOCK_SET_TOKEN] = "UPDATE named_locks SET token = $2 WHERE id = $1",
	[SQL_NAMED_LOCK_FORGET_UNUSED] = "DELETE FROM named_locks WHERE by_run = 1 "
					 "AND id NOT IN (SELECT name_id FROM locks)",

	[SQL_EVENT_TAIL] = "SELECT id, line_end, json_end, hash FROM events ORDER BY id DESC LIMIT 1",
	[SQL_EVENT_ADD] = "INSERT INTO events (id, time_ms, line_end, json_end, stack_id, run_id, uid, type, "
			  "hash, line, json) "
			  "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
	[SQL_EVENT_EACH] = "SELECT " EVENT_COLUMNS " FROM events WHERE id > $1 ORDER BY id",
	[SQL_EVENT_OF_STACK] =
		"SELECT " EVENT_COLUMNS " FROM events WHERE stack_id = $2 AND id > $1 ORDER BY id",
	[SQL_EVENT_AT] = "SELECT id, line_end, json_end FROM events WHERE id <= $1 ORDER BY id DESC LIMIT 1",
	[SQL_EVENT_CHAIN] =
		"SELECT " EVENT_COLUMNS ", hash, line_end, json_end FROM events WHERE id > $1 ORDER BY id",
	[SQL_VALIDATE_CONTENTS] =
		"SELECT content_id, kind, name FROM items WHERE stack_id = $1 AND to_version = 0 ORDER BY "
		"id",
	[SQL_EVENT_BASE] =
		"SELECT last_id, line_end, json_end, hash FROM event_archives ORDER BY last_id DESC LIMIT 1",
	[SQL_EVENT_ARCHIVE_ADD] =
		"INSERT INTO event_archives (last_id, first_id, first_ms, last_ms, line_end, json_end, "
		"hash, file, size, uid, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
	[SQL_EVENT_ARCHIVE_EACH] =
		"SELECT last_id, line_end, json_end, hash, first_id, first_ms, last_ms, file, size, uid, "
		"created_ms FROM event_archives WHERE last_id > $1 ORDER BY last_id",
	[SQL_EVENT_DELETE] =
		"DELETE FROM events WHERE id <= $1 AND id IN (SELECT id FROM events ORDER BY id LIMIT $2)",

	[SQL_OUTPUT_EACH] =
		"SELECT id, name, value, updated_ms FROM outputs WHERE stack_id = $1 ORDER BY name",
	[SQL_OUTPUT_FIND] = "SELECT id FROM outputs WHERE stack_id = $1 AND name = $2",
	[SQL_OUTPUT_GET] = "SELECT name, stack_id, value, updated_ms FROM outputs WHERE id = $1",
	[SQL_OUTPUT_SET] = "INSERT INTO outputs (stack_id, name, value, updated_ms) VALUES ($1, $2, $3, $4) "
			   "ON CONFLICT (stack_id, name) DO UPDATE "
			   "SET value = excluded.value, updated_ms = excluded.updated_ms RETURNING id",
	[SQL_OUTPUT_DELETE] = "DELETE FROM outputs WHERE id = $1",

	[SQL_DEPS_GET] = DEPS_SELECT "WHERE deps.id = $1",
	[SQL_DEPS_FIND] = DEPS_SELECT "WHERE deps.stack_id = $1 AND deps.on_name = $2",
	[SQL_DEPS_OF_STACK] = DEPS_SELECT "WHERE deps.stack_id = $1 ORDER BY deps.on_name",
	[SQL_DEPS_FIND_DEPENDENT] = DEPS_SELECT "WHERE deps.on_id = $1 AND stacks.name = $2",
	[SQL_DEPS_DEPENDENTS] = DEPS_SELECT "WHERE deps.on_id = $1 ORDER BY stacks.name",
	[SQL_DEPS_COUNT] = "SELECT COUNT(*) FROM deps WHERE stack_id = $1",
	[SQL_DEPS_TARGETS] = "SELECT on_id FROM deps WHERE stack_id = $1 AND on_id > 0",
	[SQL_DEPS_SOURCES] = "SELECT stack_id FROM deps WHERE on_id = $1",
	[SQL_DEPS_SET] = "INSERT INTO deps (stack_id, on_id, on_name, requires, created_ms) "
			 "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (stack_id, on_name) DO UPDATE "
			 "SET on_id = excluded.on_id, requires = excluded.requires RETURNING id",
	[SQL_DEPS_DELETE] = "DELETE FROM deps WHERE id = $1",
	[SQL_DEPS_BIND] = "UPDATE deps SET on_id = $2 WHERE id = $1",
	[SQL_DEPS_UNBIND] = "UPDATE deps SET on_id = 0 WHERE id = $1",
	[SQL_DEPS_RENAME] = "UPDATE deps SET on_name = $2 WHERE id = $1",
	[SQL_DEPS_DROP_MISSING] = "DELETE FROM deps WHERE stack_id = $1 AND on_name = $2 AND on_id = 0",
	[SQL_DEPS_NEXT_MISSING] =
		"SELECT id FROM deps WHERE on_id = 0 AND on_name = $1 AND id > $2 ORDER BY id LIMIT 1",
	[SQL_DEPS_NEXT_ON] = "SELECT id FROM deps WHERE on_id = $1 AND id > $2 ORDER BY id LIMIT 1",

	[SQL_DEPS_ALL_STACKS] =
		"SELECT stacks.id, stacks.name, stacks.uid, stacks.gid, stacks.mode, stacks.run_ms, "
		"stack_texts.content FROM stacks LEFT JOIN stack_texts "
		"ON stack_texts.stack_id = stacks.id AND stack_texts.which = 'version' ORDER BY stacks.id",
	[SQL_DEPS_ALL_MISSING] = "SELECT DISTINCT on_name FROM deps WHERE on_id = 0 "
				 "AND NOT EXISTS (SELECT 1 FROM stacks WHERE stacks.name = deps.on_name)",
	[SQL_DEPS_ALL] = "SELECT id, stack_id, on_id, on_name, requires FROM deps ORDER BY stack_id, on_name",

	[SQL_STACK_RUN_TIMES] =
		"SELECT finished_ms - started_ms FROM runs WHERE stack_id = $1 AND status = 'success' "
		"ORDER BY id DESC LIMIT 5",
	[SQL_STACK_SET_RUN_TIME] = "UPDATE stacks SET run_ms = $2 WHERE id = $1",

	[SQL_TAG_GET] = TAG_SELECT "WHERE stack_tags.id = $1",
	[SQL_TAG_FIND] = TAG_SELECT "WHERE stack_tags.stack_id = $1 AND tags.name = $2",
	[SQL_TAG_OF_STACK] = TAG_SELECT "WHERE stack_tags.stack_id = $1 ORDER BY tags.name",
	[SQL_TAG_FIND_BEARER] = TAG_SELECT "WHERE stack_tags.tag_id = $1 AND stacks.name = $2",
	[SQL_TAG_BEARERS] = TAG_SELECT "WHERE stack_tags.tag_id = $1 ORDER BY stacks.name",
	[SQL_TAG_COUNT] = "SELECT COUNT(*) FROM stack_tags WHERE stack_id = $1",
	[SQL_TAG_ADD] = "INSERT INTO stack_tags (stack_id, tag_id, created_ms) VALUES ($1, $2, $3)",
	[SQL_TAG_DELETE] = "DELETE FROM stack_tags WHERE id = $1",
	[SQL_TAG_WORDS] = TAG_WORD_SELECT "ORDER BY tags.name",
	[SQL_TAG_WORD_FIND] = TAG_WORD_SELECT "WHERE tags.name = $1",
	/* The update changes nothing: it is there so that an old row is returned, too. */
	[SQL_TAG_WORD_ADD] = "INSERT INTO tags (name) VALUES ($1) "
			     "ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
	[SQL_TAG_WORD_TIME] = "SELECT COALESCE(MAX(created_ms), 0) FROM stack_tags WHERE tag_id = $1",
	[SQL_TAG_WORDS_SWEEP] = "DELETE FROM tags WHERE id = $1 AND NOT EXISTS "
				"(SELECT 1 FROM stack_tags WHERE stack_tags.tag_id = tags.id)",
	/* Those that this stack alone bears; stack_tags' rows go with them. */
	[SQL_TAG_WORDS_FORGET] =
		"DELETE FROM tags WHERE id IN (SELECT tag_id FROM stack_tags WHERE stack_id = $1) "
		"AND NOT EXISTS (SELECT 1 FROM stack_tags WHERE stack_tags.tag_id = tags.id "
		"AND stack_tags.stack_id <> $1)",

	[SQL_NAMESPACE_ADD] = "INSERT INTO namespaces (name, uid, gid, mode, updated_ms) "
			      "VALUES ($1, $2, $3, $4, $5)",
	[SQL_NAMESPACE_FIND] = "SELECT " NAMESPACE_COLUMNS " FROM namespaces WHERE name = $1",
	[SQL_NAMESPACE_GET] = "SELECT " NAMESPACE_COLUMNS " FROM namespaces WHERE id = $1",
	[SQL_NAMESPACE_EACH] = "SELECT " NAMESPACE_COLUMNS " FROM namespaces ORDER BY name",
	[SQL_NAMESPACE_SET] = "UPDATE namespaces SET uid = $2, gid = $3, mode = $4 WHERE id = $1",
	[SQL_NAMESPACE_DELETE] = "DELETE FROM namespaces WHERE id = $1",
	[SQL_NAMESPACE_TOUCH] = "UPDATE namespaces SET updated_ms = $2 WHERE id = $1",

	[SQL_KV_FIND] =
		"SELECT " KV_COLUMNS " FROM kv WHERE stack_id = $1 AND namespace_id = $2 AND name = $3 "
		"AND (expires_ms = 0 OR expires_ms > $4)",
	[SQL_KV_GET] = "SELECT " KV_COLUMNS " FROM kv WHERE id = $1 AND (expires_ms = 0 OR expires_ms > $2)",
	[SQL_KV_EACH] = "SELECT " KV_COLUMNS " FROM kv WHERE stack_id = $1 AND namespace_id = $2 "
			"AND (expires_ms = 0 OR expires_ms > $3) ORDER BY name",
	[SQL_KV_COUNT] = "SELECT COUNT(*) FROM kv WHERE stack_id = $1 AND namespace_id = $2 "
			 "AND (expires_ms = 0 OR expires_ms > $3)",
	[SQL_KV_SET] = "INSERT INTO kv (stack_id, namespace_id, name, value, updated_ms, expires_ms) "
		       "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (stack_id, namespace_id, name) DO UPDATE "
		       "SET value = excluded.value, updated_ms = excluded.updated_ms, expires_ms = "
		       "excluded.expires_ms "
		       "RETURNING id",
	[SQL_KV_UPDATE] = "UPDATE kv SET value = $2, updated_ms = $3, expires_ms = $4 WHERE id = $1",
	[SQL_KV_SET_EXPIRY] = "UPDATE kv SET expires_ms = $2, updated_ms = $3 WHERE id = $1",
	[SQL_KV_DELETE] = "DELETE FROM kv WHERE id = $1",
	[SQL_KV_DELETE_SCOPE] = "DELETE FROM kv WHERE stack_id = $1 AND namespace_id = $2",
	[SQL_KV_DELETE_EXPIRED] = "DELETE FROM kv WHERE id IN (SELECT id FROM kv "
				  "WHERE expires_ms > 0 AND expires_ms <= $1 ORDER BY expires_ms LIMIT $2) "
				  "RETURNING id, stack_id, namespace_id",
	[SQL_KV_NEXT_EXPIRY] = "SELECT MIN(expires_ms) FROM kv WHERE expires_ms > 0",

	[SQL_CLOCK_GET] = "SELECT boot_id, base_ms FROM clock",
	[SQL_CLOCK_SET] =
		"INSERT INTO clock (id, boot_id, base_ms) VALUES (1, $1, $2) "
		"ON CONFLICT (id) DO UPDATE SET boot_id = excluded.boot_id, base_ms = excluded.base_ms",

	[SQL_RUN_ADD] = "INSERT INTO runs (stack_id, stack, file, uid, gid, owner_uid, owner_gid, "
			"owner_mode, status, "
			"created_ms, started_ms, finished_ms, updated_ms, lock_token, holds_lock, retry_of, "
			"depth, pid, "
			"pid_start, boot_id, secret, last_seq, log_size, log_full) "
			"VALUES ($1, $2, $3, $4, $5, $4, $5, 448, 'queued', $6, 0, 0, $6, 0, 0, 0, 0, 0, 0, "
			"'', '', 0, 0, 0)",
	[SQL_RUN_GET] = RUN_SELECT "WHERE runs.id = $1",
	[SQL_RUN_EACH] = RUN_SELECT "WHERE runs.id < $1 ORDER BY runs.id DESC",
	[SQL_RUN_OF_STACK] = RUN_SELECT "WHERE runs.id < $1 AND runs.stack_id = $2 ORDER BY runs.id DESC",
	[SQL_RUN_UNFINISHED] = RUN_SELECT "WHERE runs." RUN_UNFINISHED " ORDER BY runs.id",
	[SQL_RUN_COUNT_UNFINISHED] =
		"SELECT COUNT(*) FROM runs WHERE " RUN_UNFINISHED " AND ($1 = 0 OR stack_id = $1)",
	[SQL_RUN_LATEST] = RUN_SELECT "ORDER BY runs.id DESC LIMIT 1",
	[SQL_RUN_LATEST_OF_FILE] = RUN_SELECT "WHERE runs.file = $1 ORDER BY runs.id DESC LIMIT 1",
	[SQL_RUN_LATEST_OF_STACK] = RUN_SELECT "WHERE runs.stack_id = $1 ORDER BY runs.id DESC LIMIT 1",
	[SQL_RUN_LATEST_OF_STACK_FILE] = RUN_SELECT "WHERE runs.stack_id = $1 AND runs.file = $2 "
						    "ORDER BY runs.id DESC LIMIT 1",
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
	[SQL_TASK_NOT_UNDONE] = "SELECT name FROM tasks WHERE run_id = $1 AND status = 'success' AND tries > "
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
	[SQL_TASK_UNFINISHED] =
		"SELECT id FROM tasks WHERE run_id = $1 "
		"AND status IN ('pending', 'ready', 'running', 'retry_wait') AND id > $2 ORDER BY id LIMIT 1",
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

	[SQL_LOCK_COUNT] = "SELECT COUNT(*) FROM locks",

	[SQL_CONTENT_FIND] = "SELECT id FROM contents WHERE hash = $1",
	[SQL_CONTENT_GET] = "SELECT size, base_id, depth, hash, data FROM contents WHERE id = $1",
	[SQL_CONTENT_EACH] = "SELECT id FROM contents ORDER BY id",
	[SQL_CONTENT_ADD] = "INSERT INTO contents (hash, size, base_id, depth, refs, data) "
			    "VALUES ($1, $2, $3, $4, 1, $5)",
	[SQL_CONTENT_HOLD] = "UPDATE contents SET refs = refs + 1 WHERE id = $1",
	[SQL_CONTENT_RELEASE] = "UPDATE contents SET refs = refs - 1 WHERE id = $1",
	[SQL_CONTENT_REFS] = "SELECT refs FROM contents WHERE id = $1",
	[SQL_CONTENT_DELETE] = "DELETE FROM contents WHERE id = $1 RETURNING base_id",

	[SQL_STACK_UNVERSIONED] = "SELECT id FROM stacks WHERE last_version = 0 ORDER BY id LIMIT 1",
	[SQL_STACK_TEXT_EACH] = "SELECT which, content FROM stack_texts WHERE stack_id = $1 ORDER BY which",
	[SQL_STACK_REMOVE_TEXT] = "DELETE FROM stack_texts WHERE stack_id = $1 AND which = $2",
	[SQL_VERSION_NEXT] = "UPDATE stacks SET last_version = last_version + 1 WHERE id = $1",
	[SQL_STACK_LAST_VERSION] = "SELECT last_version FROM stacks WHERE id = $1",
	[SQL_VERSION_ADD] =
		"INSERT INTO versions (stack_id, number, time_ms, uid, run_id, what, changes, dropped) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
	[SQL_VERSION_COUNT] = "UPDATE versions SET changes = changes + 1 WHERE id = $1 AND changes > 0",
	[SQL_VERSION_SET_WHAT] = "UPDATE versions SET what = $2, changes = 0 WHERE id = $1",
	[SQL_VERSION_GET] = "SELECT " VERSION_COLUMNS " FROM versions WHERE id = $1",
	[SQL_VERSION_FIND] = "SELECT " VERSION_COLUMNS " FROM versions WHERE stack_id = $1 AND number = $2",
	[SQL_VERSION_BEFORE] = "SELECT " VERSION_COLUMNS " FROM versions WHERE stack_id = $1 AND number < $2 "
			       "AND dropped = 0 ORDER BY number DESC",
	[SQL_VERSION_AT] = "SELECT " VERSION_COLUMNS " FROM versions WHERE stack_id = $1 AND time_ms <= $2 "
			   "AND dropped = 0 ORDER BY time_ms DESC, number DESC LIMIT 1",
	[SQL_VERSION_LAST] = "SELECT COALESCE(MAX(number), 0) FROM versions WHERE stack_id = $1",
	[SQL_VERSION_DROP] = "UPDATE versions SET dropped = 1 WHERE id = $1",
	/* Older than $2, but for the newest of them, the last $3, the last $3 on purpose, and those with
	   names. */
	[SQL_VERSION_EXPIRED] =
		"SELECT id, number FROM versions WHERE stack_id = $1 AND time_ms < $2 AND dropped = 0 "
		"AND number < (SELECT number FROM versions WHERE stack_id = $1 AND time_ms < $2 "
		"AND dropped = 0 ORDER BY time_ms DESC, number DESC LIMIT 1) "
		"AND number < COALESCE((SELECT number FROM versions WHERE stack_id = $1 AND dropped = 0 "
		"ORDER BY number DESC LIMIT 1 OFFSET $3 - 1), 0) "
		"AND NOT EXISTS (SELECT 1 FROM snapshot_names WHERE version_id = versions.id) "
		"AND id NOT IN (SELECT version_id FROM snapshots WHERE stack_id = $1 "
		"ORDER BY version_id DESC LIMIT $3) "
		"ORDER BY time_ms, number LIMIT $4",
	[SQL_VERSION_DROPPED] = "SELECT id, stack_id, number, "
				"COALESCE((SELECT MAX(number) FROM versions AS below WHERE below.stack_id = "
				"versions.stack_id "
				"AND below.number < versions.number AND below.dropped = 0), 0), "
				"COALESCE((SELECT MIN(number) FROM versions AS above WHERE above.stack_id = "
				"versions.stack_id "
				"AND above.number > versions.number AND above.dropped = 0), 0) "
				"FROM versions WHERE dropped = 1 ORDER BY stack_id, number LIMIT 1",
	[SQL_VERSION_SWEPT] = "UPDATE versions SET dropped = 2 WHERE id = $1",
	[SQL_VERSION_FORGET] =
		"DELETE FROM versions WHERE stack_id = $1 AND number = $2 AND dropped = 2 "
		"AND NOT EXISTS (SELECT 1 FROM items WHERE items.stack_id = $1 AND from_version = $2)",
	[SQL_STACK_AFTER] = "SELECT id FROM stacks WHERE id > $1 ORDER BY id LIMIT 1",

	[SQL_ITEM_ADD] = "INSERT INTO items (stack_id, kind, name, from_version, to_version, content_id) "
			 "VALUES ($1, $2, $3, $4, 0, $5)",
	[SQL_ITEM_AT] = "SELECT " ITEM_COLUMNS " FROM items WHERE stack_id = $1 AND kind = $2 AND name = $3 "
			"AND from_version <= $4 ORDER BY from_version DESC LIMIT 1",
	[SQL_ITEM_GET] = "SELECT " ITEM_COLUMNS " FROM items WHERE id = $1",
	[SQL_ITEM_END] = "UPDATE items SET to_version = $2 WHERE id = $1",
	[SQL_ITEM_SET_CONTENT] = "UPDATE items SET content_id = $2 WHERE id = $1",
	[SQL_ITEM_DELETE] = "DELETE FROM items WHERE id = $1",
	[SQL_ITEM_ANY] = "SELECT id, content_id, from_version FROM items WHERE stack_id = $1 LIMIT $2",
	[SQL_ITEM_BETWEEN] = "SELECT id, content_id, from_version FROM items WHERE stack_id = $1 "
			     "AND to_version > 0 AND to_version <= $3 AND to_version > $2 "
			     "AND from_version > $2 LIMIT $4",
	[SQL_RESOURCE_TYPE_FIND] = "SELECT id FROM resource_types WHERE name = $1",
	[SQL_RESOURCE_TYPE_NAME] = "SELECT name FROM resource_types WHERE id = $1",
	[SQL_RESOURCE_TYPE_LAST] = "SELECT COALESCE(MAX(id), 0) FROM resource_types",
	[SQL_RESOURCE_TYPE_ADD] = "INSERT INTO resource_types (id, name) VALUES ($1, $2)",
	[SQL_RESOURCE_TYPE_REUSE] =
		"UPDATE resource_types SET name = $1 WHERE id = (SELECT MIN(id) FROM resource_types "
		"WHERE NOT EXISTS (SELECT 1 FROM resources WHERE type_id = resource_types.id)) RETURNING id",
	[SQL_RESOURCE_TYPES] =
		"SELECT id, name FROM resource_types WHERE EXISTS "
		"(SELECT 1 FROM resources WHERE stack_id = $1 AND type_id = resource_types.id) ORDER BY name",
	[SQL_RESOURCE_GET] = RESOURCE_SELECT "WHERE resources.id = $1",
	[SQL_RESOURCE_FIND] = "SELECT resources.id FROM resources JOIN resource_types "
			      "ON resource_types.id = type_id "
			      "WHERE stack_id = $1 AND resource_types.name = $2 AND resources.name = $3",
	[SQL_RESOURCE_FIND_ENTRY] =
		"SELECT id FROM resources WHERE stack_id = $1 AND type_id = $2 AND entry = $3",
	[SQL_RESOURCE_EACH] = RESOURCE_SELECT "WHERE stack_id = $1 AND ($2 = '' OR resource_types.name = $2) "
					      "ORDER BY resource_types.name, resources.name",
	[SQL_RESOURCE_ENTRIES] =
		"SELECT id, entry FROM resources WHERE stack_id = $1 AND type_id = $2 ORDER BY entry",
	[SQL_RESOURCE_COUNT] = "SELECT resource_count FROM stacks WHERE id = $1",
	[SQL_RESOURCE_COUNT_ADD] =
		"UPDATE stacks SET resource_count = resource_count + $2 WHERE id = $1 RETURNING "
		"resource_count",
	[SQL_RESOURCE_PROTECTED] = RESOURCE_SELECT
	"WHERE stack_id = $1 AND protect = 1 ORDER BY resource_types.name, resources.name",
	[SQL_RESOURCE_ADD] =
		"INSERT INTO resources (stack_id, type_id, name, entry, module, desired, applied, actual, "
		"checksum, status, last_action, error, protect, created_ms, updated_ms, applied_ms, run_id) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'create', $11, $12, $13, $13, $14, $15)",
	[SQL_RESOURCE_SET] =
		"UPDATE resources SET module = $2, desired = $3, applied = $4, actual = $5, checksum = $6, "
		"status = $7, last_action = $8, error = $9, protect = $10, updated_ms = $11, "
		"applied_ms = $12, run_id = $13 WHERE id = $1",
	[SQL_RESOURCE_DELETE] = "DELETE FROM resources WHERE id = $1",
	[SQL_RESOURCE_NEEDS] =
		"SELECT type, name FROM resource_dependencies WHERE resource_id = $1 AND kind = 'explicit' "
		"ORDER BY type, name",
	[SQL_RESOURCE_NEEDS_CLEAR] = "DELETE FROM resource_dependencies WHERE resource_id = $1",
	[SQL_RESOURCE_NEEDS_ADD] =
		"INSERT INTO resource_dependencies (resource_id, type, name, kind, stack_id) "
		"VALUES ($1, $2, $3, $4, $5) ON CONFLICT (resource_id, type, name) DO NOTHING",
	[SQL_RESOURCE_DEPENDENCIES] =
		"SELECT d.type, d.name, d.kind = 'explicit', CASE WHEN r.id IS NULL THEN 0 ELSE 1 END "
		"FROM resource_dependencies d LEFT JOIN resource_types t ON t.name = d.type "
		"LEFT JOIN resources r ON r.stack_id = d.stack_id AND r.type_id = t.id AND r.name = d.name "
		"WHERE d.resource_id = $1 AND (d.kind = 'explicit' OR r.id IS NOT NULL) "
		"ORDER BY d.type, d.name",
	[SQL_RESOURCE_DEPENDENTS] =
		"SELECT t.name, r.name, d.kind = 'explicit', 1 FROM resource_dependencies d "
		"JOIN resources r ON r.id = d.resource_id JOIN resource_types t ON t.id = r.type_id "
		"WHERE d.stack_id = $1 AND d.type = $2 AND d.name = $3 ORDER BY t.name, r.name",
	[SQL_RESOURCE_NEEDED] = "SELECT 1 FROM resource_dependencies WHERE stack_id = $1 AND type = $2 "
				"AND name = $3 AND kind = 'explicit' LIMIT 1",

	[SQL_ITEM_EACH] = "SELECT " ITEM_COLUMNS " FROM items WHERE stack_id = $1 AND kind = $2 "
			  "AND from_version <= $3 AND (to_version = 0 OR to_version > $3) ORDER BY name",
	[SQL_ITEM_WITHIN] = "SELECT " ITEM_COLUMNS " FROM items WHERE stack_id = $1 AND kind = $2 "
			    "AND name >= $4 AND name < $5 "
			    "AND from_version <= $3 AND (to_version = 0 OR to_version > $3) ORDER BY name",
	[SQL_ITEM_NEXT] = "SELECT " ITEM_COLUMNS " FROM items WHERE stack_id = $1 AND kind = $2 "
			  "AND name >= $4 "
			  "AND from_version <= $3 AND (to_version = 0 OR to_version > $3) "
			  "ORDER BY name LIMIT 1",
	[SQL_ITEM_CHANGED] =
		"SELECT DISTINCT kind, name FROM items WHERE stack_id = $1 "
		"AND ((from_version > $2 AND from_version <= $3) "
		"OR (to_version > 0 AND to_version > $2 AND to_version <= $3)) ORDER BY kind, name",
	[SQL_ITEM_POINTS] =
		"SELECT from_version AS point FROM items WHERE stack_id = $1 UNION "
		"SELECT to_version FROM items WHERE stack_id = $1 AND to_version > 0 ORDER BY point DESC",

	[SQL_SNAPSHOT_ADD] =
		"INSERT INTO snapshots (version_id, stack_id, trigger_name, description, creator, tags) "
		"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (version_id) DO NOTHING",
	[SQL_SNAPSHOT_GET] = "SELECT " SNAPSHOT_COLUMNS " FROM versions "
			     "LEFT JOIN snapshots ON snapshots.version_id = versions.id "
			     "WHERE versions.id = $1",
	[SQL_SNAPSHOT_EACH] =
		"SELECT " SNAPSHOT_COLUMNS " FROM versions "
		"LEFT JOIN snapshots ON snapshots.version_id = versions.id "
		"WHERE versions.id IN (SELECT version_id FROM snapshots WHERE stack_id = $1 "
		"UNION SELECT version_id FROM snapshot_names WHERE stack_id = $1) AND dropped = 0 "
		"ORDER BY number DESC",
	[SQL_SNAPSHOT_DELETE] = "DELETE FROM snapshots WHERE version_id = $1",
	[SQL_SNAPSHOT_NAME_ADD] = "INSERT INTO snapshot_names (stack_id, name, version_id, created_ms) "
				  "VALUES ($1, $2, $3, $4)",
	[SQL_SNAPSHOT_NAME_FIND] =
		"SELECT " SNAPSHOT_NAME_COLUMNS " AND snapshot_names.stack_id = $1 AND name = $2",
	[SQL_SNAPSHOT_NAME_GET] = "SELECT " SNAPSHOT_NAME_COLUMNS " AND snapshot_names.id = $1",
	[SQL_SNAPSHOT_NAME_EACH] =
		"SELECT " SNAPSHOT_NAME_COLUMNS " AND snapshot_names.stack_id = $1 ORDER BY name",
	[SQL_SNAPSHOT_NAME_OF] =
		"SELECT " SNAPSHOT_NAME_COLUMNS " AND snapshot_names.version_id = $1 ORDER BY name",
	[SQL_SNAPSHOT_NAME_DELETE] = "DELETE FROM snapshot_names WHERE id = $1",
	[SQL_SNAPSHOT_NAME_DELETE_ALL] = "DELETE FROM snapshot_names WHERE stack_id = $1",
	[SQL_SNAPSHOT_DELETE_ALL] = "DELETE FROM snapshots WHERE stack_id = $1",
	[SQL_VERSION_DROP_ALL] = "UPDATE versions SET dropped = 1 WHERE stack_id = $1 AND dropped = 0",

	[SQL_DESTROYED_ADD] = "INSERT INTO destroyed_stacks (" DESTROYED_COLUMNS ") "
			      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	[SQL_DESTROYED_GET] = "SELECT " DESTROYED_COLUMNS " FROM destroyed_stacks WHERE id = $1",
	[SQL_DESTROYED_EACH] = "SELECT " DESTROYED_COLUMNS " FROM destroyed_stacks ORDER BY name, id",
	[SQL_DESTROYED_EXPIRED] = "SELECT id FROM destroyed_stacks WHERE destroyed_ms < $1 AND NOT EXISTS "
				  "(SELECT 1 FROM snapshot_names WHERE stack_id = destroyed_stacks.id) ORDER "
				  "BY destroyed_ms LIMIT 1",
	[SQL_DESTROYED_DELETE] = "DELETE FROM destroyed_stacks WHERE id = $1",
	[SQL_STACK_ADD_AGAIN] = "INSERT INTO stacks (id, name, uid, gid, mode, status, created_ms, "
				"updated_ms, outputs_ms, token, "
				"run_count, last_run, last_version) VALUES ($1, $2, $3, $4, $5, 'created', "
				"$6, $6, 0, $7, 0, 0, $8)",

	[SQL_METRIC_EACH] = METRIC_SELECT "ORDER BY family, stacks.name, tags",
	[SQL_METRIC_OF_STACK] = METRIC_SELECT "WHERE stack_id = $1 ORDER BY family, tags",
	[SQL_METRIC_FIND] = METRIC_SELECT "WHERE stack_id = $1 AND metrics.name = $2 AND tags = $3",
	[SQL_METRIC_TYPE] = "SELECT type FROM metrics WHERE stack_id = $1 AND name = $2 LIMIT 1",
	[SQL_METRIC_FAMILY] = "SELECT name, type FROM metrics WHERE family = $1 LIMIT 1",
	[SQL_METRIC_COUNT] = "SELECT COUNT(*) FROM metrics WHERE stack_id = $1",
	[SQL_METRIC_ADD] = "INSERT INTO metrics (stack_id, name, family, type, tags, value, updated_ms) "
			   "VALUES ($1, $2, $3, $4, $5, $6, $7)",
	[SQL_METRIC_SET] = "UPDATE metrics SET value = $2, updated_ms = $3 WHERE id = $1",
	[SQL_METRIC_DELETE] = "DELETE FROM metrics WHERE stack_id = $1 AND name = $2",
	[SQL_METRIC_CLEAR] = "DELETE FROM metrics WHERE stack_id = $1",

	[SQL_FIGURE_STACKS] = "SELECT status, COUNT(*) FROM stacks GROUP BY status",
	[SQL_FIGURE_RUNS] = "SELECT status, COUNT(*) FROM runs GROUP BY status",
	[SQL_FIGURE_LOCKS] = "SELECT kind, COUNT(*) FROM locks GROUP BY kind",
};
