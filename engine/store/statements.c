/* SPDX-License-Identifier: MIT */
/* Every statement that Sloth runs, one row each, grouped by noun; those of runs, of drift and of what belongs
 * to them are in statements-run.c and statements-drift.c. Column lists are spelled once, where rows become
 * structs. */
#include "engine/store/statements.h"

#include <stddef.h>

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

#define STACK_LIST_SELECT                                                                                    \
	"SELECT stacks.id, stacks.name, stacks.uid, stacks.gid, stacks.mode, stacks.status, "                \
	"stacks.created_ms, stacks.updated_ms, stacks.token, stacks.run_count, description.content, "        \
	"version.content, runs.id, runs.status, runs.file, runs.started_ms, runs.finished_ms FROM stacks "   \
	"LEFT JOIN stack_texts description ON description.stack_id = stacks.id AND "                         \
	"description.which = 'description' "                                                                 \
	"LEFT JOIN stack_texts version ON version.stack_id = stacks.id AND version.which = 'version' "       \
	"LEFT JOIN runs ON runs.id = stacks.last_run "

#define STACK_LIST_TAGS                                                                                      \
	"SELECT stacks.id, tags.name FROM stacks JOIN stack_tags ON stack_tags.stack_id = stacks.id "        \
	"JOIN tags ON tags.id = stack_tags.tag_id "

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

#define RESOURCE_SELECT                                                                                      \
	"SELECT resources.id, stack_id, type_id, protect, resource_types.name, resources.name, entry, "      \
	"module, desired, applied, actual, checksum, status, last_action, error, created_ms, updated_ms, "   \
	"applied_ms, run_id, resources.uid, settled FROM resources JOIN resource_types ON "                  \
	"resource_types.id = "                                                                               \
	"type_id "

static const char *const others[SQL_COUNT] = {
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

	[SQL_QUOTA_STACKS] = "SELECT COUNT(*) FROM stacks WHERE uid = $1",
	[SQL_QUOTA_NAMESPACES] = "SELECT COUNT(*) FROM namespaces WHERE uid = $1",
	[SQL_QUOTA_KEYS] = "SELECT (SELECT COUNT(*) FROM kv WHERE stack_id = 0 AND namespace_id IN "
			   "(SELECT id FROM namespaces WHERE uid = $1)) + (SELECT COUNT(*) FROM kv "
			   "WHERE stack_id IN (SELECT id FROM stacks WHERE uid = $1))",
	[SQL_QUOTA_SECRETS] = "SELECT COUNT(*) FROM secrets WHERE uid = $1",
	[SQL_QUOTA_RUNS] = "SELECT COUNT(*) FROM runs WHERE status IN ('queued', 'waiting', 'running', "
			   "'rolling_back') AND uid = $1",
	[SQL_QUOTA_USERS] = "SELECT uid FROM stacks UNION SELECT uid FROM namespaces UNION "
			    "SELECT uid FROM named_locks UNION SELECT uid FROM saved_workflows UNION "
			    "SELECT uid FROM secrets UNION SELECT uid FROM runs WHERE status IN ('queued', "
			    "'waiting', 'running', 'rolling_back') ORDER BY 1",

	/* uid, bytes; for each row 100 more, for what stands around it. */
	[SQL_QUOTA_STORAGE] =
		"SELECT owned.uid, SUM(owned.bytes) FROM ("
		"SELECT stacks.uid AS uid, LENGTH(contents.data) + 100 AS bytes FROM items "
		"JOIN contents ON contents.id = items.content_id JOIN stacks ON stacks.id = items.stack_id "
		"UNION ALL SELECT destroyed_stacks.uid, LENGTH(contents.data) + 100 FROM items "
		"JOIN contents ON contents.id = items.content_id "
		"JOIN destroyed_stacks ON destroyed_stacks.id = items.stack_id "
		"UNION ALL SELECT stacks.uid, LENGTH(stack_texts.content) + 100 FROM stack_texts "
		"JOIN stacks ON stacks.id = stack_texts.stack_id "
		"UNION ALL SELECT stacks.uid, LENGTH(outputs.value) + 100 FROM outputs "
		"JOIN stacks ON stacks.id = outputs.stack_id "
		"UNION ALL SELECT stacks.uid, LENGTH(kv.value) + 100 FROM kv "
		"JOIN stacks ON stacks.id = kv.stack_id "
		"UNION ALL SELECT namespaces.uid, LENGTH(kv.value) + 100 FROM kv "
		"JOIN namespaces ON namespaces.id = kv.namespace_id WHERE kv.stack_id = 0 "
		"UNION ALL SELECT runs.uid, runs.log_size + 100 FROM runs "
		"UNION ALL SELECT runs.uid, LENGTH(run_texts.content) + 100 FROM run_texts "
		"JOIN runs ON runs.id = run_texts.run_id "
		"UNION ALL SELECT runs.uid, artifacts.received + 100 FROM artifacts "
		"JOIN runs ON runs.id = artifacts.run_id "
		"UNION ALL SELECT runs.uid, LENGTH(images.data) + 100 FROM images "
		"JOIN runs ON runs.id = images.run_id "
		"UNION ALL SELECT runs.uid, LENGTH(image_parts.data) + 100 FROM image_parts "
		"JOIN runs ON runs.id = image_parts.run_id "
		"UNION ALL SELECT saved_versions.uid, saved_versions.size + 100 FROM saved_versions"
		") AS owned GROUP BY owned.uid ORDER BY owned.uid",

	[SQL_STACK_GET] = "SELECT " STACK_COLUMNS " FROM stacks WHERE id = $1",
	[SQL_STACK_FIND] = "SELECT " STACK_COLUMNS " FROM stacks WHERE name = $1",
	[SQL_STACK_EACH] = "SELECT " STACK_COLUMNS " FROM stacks WHERE name > $1 ORDER BY name",
	[SQL_STACK_LIST] = STACK_LIST_SELECT "ORDER BY stacks.name",
	[SQL_STACK_LIST_ONE] = STACK_LIST_SELECT "WHERE stacks.id = $1",
	[SQL_STACK_LIST_TAGS] = STACK_LIST_TAGS "ORDER BY stacks.name, tags.name",
	[SQL_STACK_LIST_TAGS_OF] = STACK_LIST_TAGS "WHERE stacks.id = $1 ORDER BY tags.name",
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
	[SQL_DEPS_NEXT_ON] = "SELECT id FROM deps WHERE on_id = $1 AND stack_id > $2 ORDER BY stack_id LIMIT 1",

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
	[SQL_NAMESPACE_SET] =
		"UPDATE namespaces SET uid = $2, gid = $3, mode = $4, updated_ms = $5 WHERE id = $1",
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

	[SQL_STACK_UNVERSIONED] = "SELECT id FROM stacks WHERE last_version = 0 AND id > $1 ORDER BY id LIMIT 1",
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
	[SQL_RESOURCE_IDS] = "SELECT id FROM resources WHERE stack_id = $1 ORDER BY id",
	[SQL_RESOURCE_MANAGERS] = "SELECT stack_id FROM resources JOIN resource_types "
				  "ON resource_types.id = type_id "
				  "WHERE resource_types.name = $1 AND resources.name = $2 ORDER BY stack_id",
	[SQL_RESOURCE_AFTER] =
		"SELECT id FROM resources WHERE stack_id = $1 AND id > $2 ORDER BY id LIMIT $3",
	[SQL_RESOURCE_STACK] = "SELECT stack_id FROM resources WHERE id = $1",
	[SQL_RESOURCE_COUNT] = "SELECT resource_count FROM stacks WHERE id = $1",
	[SQL_RESOURCE_COUNT_ADD] =
		"UPDATE stacks SET resource_count = resource_count + $2 WHERE id = $1 RETURNING "
		"resource_count",
	[SQL_RESOURCE_PROTECTED] = RESOURCE_SELECT
	"WHERE stack_id = $1 AND protect = 1 ORDER BY resource_types.name, resources.name",
	[SQL_RESOURCE_ADD] =
		"INSERT INTO resources (stack_id, type_id, name, entry, module, desired, applied, actual, "
		"checksum, status, last_action, error, protect, created_ms, updated_ms, applied_ms, run_id, "
		"uid, settled) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'create', $11, $12, $13, $13, $14, $15, "
		"$16, $17)",
	[SQL_RESOURCE_SET] =
		"UPDATE resources SET module = $2, desired = $3, applied = $4, actual = $5, checksum = $6, "
		"status = $7, last_action = $8, error = $9, protect = $10, updated_ms = $11, "
		"applied_ms = $12, run_id = $13, uid = $14, settled = $15 WHERE id = $1",
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

const char *statement_text(enum statement statement)
{
	const char *const *const tables[] = { statements_of_runs, statements_of_drift, statements_of_images,
		others };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (tables[i][statement])
			return tables[i][statement];
	return NULL;
}
