/* SPDX-License-Identifier: MIT */
/* The statements about what runs have changed, and what it was before. */
#include "engine/store/statements.h"

#define IMAGE_COLUMNS "id, run_id, task, type, name, state, reason, error, undoes, sealed, time_ms"

/* What can be put back, and is not yet. */
#define IMAGE_STANDS "state IN ('taken', 'done', 'failed')"

const char *const statements_of_images[SQL_COUNT] = {
	[SQL_IMAGE_ADD] =
		"INSERT INTO images (run_id, task, type, name, state, reason, error, undoes, sealed, "
		"data, time_ms) VALUES ($1, $2, $3, $4, 'taken', $5, '', $6, $7, $8, $9)",
	[SQL_IMAGE_GET] = "SELECT " IMAGE_COLUMNS ", data FROM images WHERE id = $1",
	[SQL_IMAGE_OPEN] = "SELECT id FROM images WHERE type = $2 AND name = $3 AND run_id = $1 "
			   "AND state = 'taken' ORDER BY id LIMIT 1",
	[SQL_IMAGE_EACH] = "SELECT " IMAGE_COLUMNS " FROM images WHERE run_id = $1 ORDER BY id",
	[SQL_IMAGE_STANDING] = "SELECT " IMAGE_COLUMNS " FROM images WHERE run_id = $1 AND id < $2 "
			       "AND " IMAGE_STANDS " ORDER BY id DESC",
	[SQL_IMAGE_STANDING_OF_TASK] = "SELECT " IMAGE_COLUMNS " FROM images WHERE run_id = $1 "
				       "AND task = $2 AND id < $3 AND " IMAGE_STANDS " ORDER BY id DESC",
	[SQL_IMAGE_SET_DATA] = "UPDATE images SET state = $2, sealed = $3, data = $4 WHERE id = $1",
	[SQL_IMAGE_SET_STATE] = "UPDATE images SET state = $2, error = $3 WHERE id = $1",
	[SQL_IMAGE_SETTLE] = "UPDATE images SET state = 'undone', error = '' WHERE run_id = $1 AND task = $2 "
			     "AND " IMAGE_STANDS,
	[SQL_IMAGE_SUM] = "SELECT COALESCE(SUM(size), 0) FROM image_parts WHERE run_id = $1",
	[SQL_IMAGE_LATER] =
		"SELECT later.type, later.name, later.run_id FROM images mine "
		"JOIN images later ON later.type = mine.type AND later.name = mine.name "
		"AND later.run_id > mine.run_id "
		"JOIN runs ON runs.id = later.run_id "
		"WHERE mine.run_id = $1 AND mine.state <> 'undone' AND runs.stack_id = $2 "
		"AND runs.file <> $3 AND later.undoes = 0 AND later.state <> 'undone' "
		"GROUP BY later.type, later.name, later.run_id ORDER BY later.run_id, later.type, later.name",
	[SQL_IMAGE_PART_ADD] =
		"INSERT INTO image_parts (run_id, size, content_id, data) VALUES ($1, $2, $3, $4)",
	[SQL_IMAGE_PART_GET] = "SELECT content_id, data FROM image_parts WHERE id = $1 AND run_id = $2",
	[SQL_IMAGE_PART_CONTENTS] = "SELECT content_id FROM image_parts WHERE run_id = $1 AND content_id > 0",
	[SQL_IMAGE_KEY_ADD] = "INSERT INTO image_keys (run_id, value) VALUES ($1, $2)",
	[SQL_IMAGE_KEY_GET] = "SELECT value FROM image_keys WHERE run_id = $1",
	[SQL_IMAGE_KEY_SEALED] = "SELECT run_id, 'image:' || run_id, value FROM image_keys ORDER BY run_id",
	[SQL_IMAGE_KEY_RESEAL] = "UPDATE image_keys SET value = $2 WHERE run_id = $1",
	[SQL_VERSION_OF_RUN] = "SELECT MAX(number) FROM versions WHERE stack_id = $1 AND run_id = $2 "
			       "HAVING COUNT(*) > 0",
};
