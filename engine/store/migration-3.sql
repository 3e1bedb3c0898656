-- SPDX-License-Identifier: MIT
-- From version 2 to 3: runs with all that the language has. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.
ALTER TABLE runs ADD COLUMN log_json_size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN log_json_size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_pieces ADD COLUMN try BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_pieces ADD COLUMN stream TEXT NOT NULL DEFAULT 'log' CHECK (stream IN ('out', 'err', 'log'));
ALTER TABLE log_pieces ADD COLUMN run_json BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_pieces ADD COLUMN task_json BIGINT NOT NULL DEFAULT 0;
CREATE TABLE transitions (
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	start BIGINT NOT NULL,
	task_id BIGINT NOT NULL,
	try BIGINT NOT NULL,
	time_ms BIGINT NOT NULL,
	from_status TEXT NOT NULL,
	to_status TEXT NOT NULL,
	duration_ms BIGINT NOT NULL,
	until_ms BIGINT NOT NULL,
	error TEXT NOT NULL,
	PRIMARY KEY (run_id, start)
) WITHOUT ROWID;
ALTER TABLE runs ADD COLUMN lock_wait_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN waiting_since_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN parent_run BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN options TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN cgroup TEXT NOT NULL DEFAULT '';

CREATE TABLE artifacts (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	task_id BIGINT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
	path TEXT NOT NULL,
	mode BIGINT NOT NULL,
	size BIGINT NOT NULL,
	received BIGINT NOT NULL,
	kept_ms BIGINT NOT NULL,
	UNIQUE (run_id, path)
);
CREATE INDEX artifacts_of_task ON artifacts (task_id);
ALTER TABLE task_tries ADD COLUMN log_start BIGINT NOT NULL DEFAULT 0;
ALTER TABLE task_tries ADD COLUMN kind TEXT NOT NULL DEFAULT 'run' CHECK (kind IN ('run', 'undo'));
CREATE TABLE metrics (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	family TEXT NOT NULL,
	type TEXT NOT NULL CHECK (type IN ('gauge', 'counter') OR type IN ('histogram', 'timer')),
	tags TEXT NOT NULL,
	value TEXT NOT NULL,
	updated_ms BIGINT NOT NULL,
	UNIQUE (stack_id, name, tags)
);
CREATE INDEX metrics_of_family ON metrics (family);
ALTER TABLE runs ADD COLUMN imports TEXT NOT NULL DEFAULT '';
CREATE TABLE saved_workflows (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	uid BIGINT NOT NULL,
	gid BIGINT NOT NULL,
	mode BIGINT NOT NULL,
	number BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL
);
CREATE TABLE saved_versions (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	workflow_id BIGINT NOT NULL REFERENCES saved_workflows (id) ON DELETE CASCADE,
	number BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	time_ms BIGINT NOT NULL,
	size BIGINT NOT NULL,
	content BLOB NOT NULL,
	plan TEXT NOT NULL,
	UNIQUE (workflow_id, number)
);
ALTER TABLE runs ADD COLUMN before_version BIGINT NOT NULL DEFAULT 0;
