-- SPDX-License-Identifier: MIT
-- From version 4 to 5: rollback by before-images, live drift, automatic fixes. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.
ALTER TABLE findings ADD COLUMN changed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN flapping_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE findings ADD COLUMN calm_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX resources_named ON resources (type_id, name);
ALTER TABLE resources ADD COLUMN settled BIGINT NOT NULL DEFAULT 0;

CREATE TABLE auto_fixes (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	run_id BIGINT NOT NULL,
	begun_ms BIGINT NOT NULL,
	told_ms BIGINT NOT NULL,
	resources TEXT NOT NULL
);
CREATE INDEX auto_fixes_of_stack ON auto_fixes (stack_id, begun_ms);
CREATE INDEX auto_fixes_of_run ON auto_fixes (run_id);

CREATE TABLE auto_fix_tries (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	tries BIGINT NOT NULL,
	last_ms BIGINT NOT NULL,
	UNIQUE (stack_id, type, name)
);
