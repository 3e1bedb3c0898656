/* SPDX-License-Identifier: MIT */
/* Statements about drift: findings, what is ignored, and what is seen of resources. */
#include "engine/store/statements.h"

#define FINDING_COLUMNS                                                                                      \
	"id, stack_id, type, name, property, kind, severity, expected, actual, cause, impact, fix, status, " \
	"reason, resolution, changed_by, until_ms, first_seen_ms, last_seen_ms, resolved_ms, times, run_id, uid, "       \
	"flapping_ms"

#define IGNORE_COLUMNS "type, name, property, reason, until_ms, uid, created_ms"

const char *const statements_of_drift[SQL_COUNT] = {
	[SQL_FINDING_FIND] = "SELECT " FINDING_COLUMNS " FROM findings WHERE stack_id = $1 AND type = $2 "
			     "AND name = $3 AND property = $4 AND status <> 'resolved'",
	[SQL_FINDING_EACH] = "SELECT " FINDING_COLUMNS " FROM findings WHERE stack_id = $1 "
			     "AND status <> 'resolved' ORDER BY type, name, property",
	[SQL_FINDING_OF_RESOURCE] = "SELECT " FINDING_COLUMNS " FROM findings WHERE stack_id = $1 "
				    "AND type = $2 AND name = $3 AND status <> 'resolved' ORDER BY property",
	[SQL_FINDING_HISTORY] = "SELECT " FINDING_COLUMNS " FROM findings WHERE stack_id = $1 "
				"AND status = 'resolved' ORDER BY resolved_ms DESC, id DESC",
	[SQL_FINDING_PAST] = "SELECT times, flapping_ms, calm_ms FROM findings WHERE stack_id = $1 AND type "
			     "= $2 AND name = $3 "
			     "AND property = $4 ORDER BY id DESC LIMIT 1",
	[SQL_FINDING_OPENED] =
		"SELECT COUNT(*) FROM findings WHERE stack_id = $1 AND type = $2 AND name = $3 "
		"AND property = $4 AND cause = 'changed' AND first_seen_ms > $5",
	[SQL_FINDING_CALM] = "UPDATE findings SET flapping_ms = 0, calm_ms = $2 WHERE id = $1",
	[SQL_FINDING_ADD] =
		"INSERT INTO findings (stack_id, type, name, property, kind, severity, expected, actual, "
		"cause, impact, fix, status, reason, until_ms, uid, first_seen_ms, last_seen_ms, "
		"resolved_ms, "
		"resolution, times, run_id, flapping_ms, calm_ms, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
		"$9, $10, $11, $12, $13, "
		"$14, $15, $16, $16, 0, '', $17, 0, $18, $19, $20)",
	[SQL_FINDING_SET] =
		"UPDATE findings SET kind = $2, severity = $3, expected = $4, actual = $5, cause = $6, "
		"impact = $7, fix = $8, last_seen_ms = $9, changed_by = $10 WHERE id = $1",
	[SQL_FINDING_SET_STATUS] =
		"UPDATE findings SET status = $2, reason = $3, until_ms = $4, uid = $5 WHERE id = $1",
	[SQL_FINDING_RESOLVE] = "UPDATE findings SET status = 'resolved', resolution = $2, resolved_ms = $3, "
				"run_id = $4, uid = $5 WHERE id = $1",
	[SQL_FINDING_TRIM] = "DELETE FROM findings WHERE id IN (SELECT id FROM findings WHERE stack_id = $1 "
			     "AND status = 'resolved' ORDER BY resolved_ms DESC, id DESC "
			     "LIMIT 1000000 OFFSET $2)",
	[SQL_FINDING_COUNT] = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN status = 'ignored' "
			      "AND (until_ms = 0 OR until_ms > $2) THEN 1 ELSE 0 END), 0) FROM findings "
			      "WHERE stack_id = $1 AND status <> 'resolved'",
	[SQL_FINDING_OPEN] = "SELECT COUNT(*) FROM findings WHERE stack_id = $1 AND status <> 'resolved'",
	/* Resources with findings whose time of being ignored is over, and nobody has looked since. */
	[SQL_FINDING_LAPSED] =
		"SELECT type, name, MAX(CASE WHEN cause = 'changed' THEN 1 ELSE 0 END) FROM findings "
		"WHERE stack_id = $1 AND status <> 'resolved' AND status = 'ignored' AND until_ms > 0 "
		"AND until_ms <= $2 GROUP BY type, name",

	/* Resources that a run could not bring about, or began to, and that have drifted before. */
	[SQL_FINDING_UNDONE] =
		"SELECT COUNT(*) FROM (SELECT DISTINCT f.type, f.name FROM findings f "
		"JOIN resource_types t ON t.name = f.type JOIN resources r ON r.stack_id = f.stack_id "
		"AND r.type_id = t.id AND r.name = f.name WHERE f.stack_id = $1 AND f.status <> 'resolved' "
		"AND f.cause = 'changed' AND (f.status <> 'ignored' OR (f.until_ms > 0 AND f.until_ms <= "
		"$2)) "
		"AND r.status IN ('pending', 'failed')) AS undone",

	[SQL_RESOURCE_SECRET_EACH] = "SELECT property, value, applied, uid FROM resource_secrets WHERE "
				     "resource_id = $1 ORDER BY property",
	[SQL_RESOURCE_SECRET_GET] =
		"SELECT value, applied, uid FROM resource_secrets WHERE resource_id = $1 AND property = $2",
	[SQL_RESOURCE_SECRET_SET] =
		"INSERT INTO resource_secrets (resource_id, property, value, uid, applied) "
		"VALUES ($1, $2, $3, $4, $5) ON CONFLICT (resource_id, property) "
		"DO UPDATE SET value = $3, uid = $4, applied = $5",
	[SQL_RESOURCE_SECRET_DELETE] =
		"DELETE FROM resource_secrets WHERE resource_id = $1 AND property = $2",
	[SQL_RESOURCE_SECRET_SEALED] = "SELECT id, 'resource:' || resource_id || ':' || property, value "
				       "FROM resource_secrets ORDER BY id",
	[SQL_RESOURCE_SECRET_RESEAL] = "UPDATE resource_secrets SET value = $2 WHERE id = $1",
	[SQL_RESOURCE_APPLIED_SEALED] = "SELECT id, 'resource:' || resource_id || ':' || property, applied "
					"FROM resource_secrets WHERE applied <> '' ORDER BY id",
	[SQL_RESOURCE_APPLIED_RESEAL] = "UPDATE resource_secrets SET applied = $2 WHERE id = $1",

	[SQL_AUTO_FIX_ADD] = "INSERT INTO auto_fixes (stack_id, run_id, begun_ms, told_ms, resources) "
			     "VALUES ($1, $2, $3, $4, $5)",
	[SQL_AUTO_FIX_TRIM] = "DELETE FROM auto_fixes WHERE stack_id = $1 AND begun_ms < $2 AND told_ms > 0",
	[SQL_AUTO_FIX_COUNT] = "SELECT COUNT(*) FROM auto_fixes WHERE stack_id = $1 AND begun_ms > $2",
	/* The $2th newest, from 0. */
	[SQL_AUTO_FIX_NTH] = "SELECT begun_ms FROM auto_fixes WHERE stack_id = $1 ORDER BY begun_ms DESC, "
			     "id DESC LIMIT 1 OFFSET $2",
	[SQL_AUTO_FIX_OF_RUN] = "SELECT id FROM auto_fixes WHERE run_id = $1",
	[SQL_AUTO_FIX_UNTOLD] = "SELECT run_id, resources FROM auto_fixes WHERE stack_id = $1 "
				"AND told_ms = 0 AND run_id > $2 ORDER BY run_id LIMIT 1",
	[SQL_AUTO_FIX_TOLD] = "UPDATE auto_fixes SET told_ms = $2 WHERE run_id = $1",
	[SQL_AUTO_FIX_STACKS] = "SELECT stack_id FROM findings WHERE status <> 'resolved' "
				"UNION SELECT stack_id FROM auto_fixes WHERE told_ms = 0",
	[SQL_AUTO_FIX_TRIES] = "SELECT tries, last_ms FROM auto_fix_tries WHERE stack_id = $1 AND type = $2 "
			       "AND name = $3",
	[SQL_AUTO_FIX_TRY] =
		"INSERT INTO auto_fix_tries (stack_id, type, name, tries, last_ms) VALUES ($1, $2, $3, 1, "
		"$4) "
		"ON CONFLICT (stack_id, type, name) DO UPDATE SET last_ms = $4, "
		"tries = CASE WHEN auto_fix_tries.last_ms > $5 THEN auto_fix_tries.tries + 1 ELSE 1 END",
	[SQL_AUTO_FIX_FORGET] = "DELETE FROM auto_fix_tries WHERE stack_id = $1 AND type = $2 AND name = $3",

	[SQL_DRIFT_IGNORE_SET] =
		"INSERT INTO drift_ignores (stack_id, type, name, property, reason, until_ms, uid, "
		"created_ms) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (stack_id, type, name, property) "
		"DO UPDATE SET reason = $5, until_ms = $6, uid = $7, created_ms = $8",
	[SQL_DRIFT_IGNORE_DELETE] = "DELETE FROM drift_ignores WHERE stack_id = $1 AND type = $2 "
				    "AND name = $3 AND property = $4",
	[SQL_DRIFT_IGNORE_FORGET] =
		"DELETE FROM drift_ignores WHERE stack_id = $1 AND type = $2 AND name = $3",
	[SQL_DRIFT_IGNORE_OF_RESOURCE] = "SELECT " IGNORE_COLUMNS " FROM drift_ignores WHERE stack_id = $1 "
					 "AND type = $2 AND name = $3 ORDER BY property",
	[SQL_DRIFT_IGNORE_EACH] = "SELECT " IGNORE_COLUMNS " FROM drift_ignores WHERE stack_id = $1 "
				  "ORDER BY type, name, property",
	[SQL_DRIFT_IGNORE_COUNT] = "SELECT COUNT(*) FROM drift_ignores WHERE stack_id = $1",

	[SQL_STACK_DRIFT_TIME] = "SELECT drift_ms FROM stacks WHERE id = $1",
	[SQL_STACK_SET_DRIFT_TIME] = "UPDATE stacks SET drift_ms = $2 WHERE id = $1",
	[SQL_RESOURCE_STATUSES] =
		"SELECT status, COUNT(*) FROM resources WHERE stack_id = $1 GROUP BY status",
	[SQL_RESOURCE_NAMED] = "SELECT resources.id, resource_types.name FROM resources "
			       "JOIN resource_types ON resource_types.id = type_id "
			       "WHERE stack_id = $1 AND resources.name = $2 ORDER BY resource_types.name",
	[SQL_RESOURCE_SEEN] = "UPDATE resources SET applied = $2, actual = $3, status = $4, error = $5, "
			      "applied_ms = $6, updated_ms = $7, settled = $8 WHERE id = $1",
	/* The settled ones alone: what else there is of a row is not needed to look whether it stays so. */
	[SQL_RESOURCE_SETTLED] = "SELECT resource_types.name, resources.name, actual, resources.uid "
				 "FROM resources JOIN resource_types ON resource_types.id = type_id "
				 "WHERE resources.id = $1 AND settled = 1",
};
