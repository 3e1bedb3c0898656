-- SPDX-License-Identifier: MIT
-- From version 4 to 5: rollback by before-images, live drift, automatic fixes. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.
CREATE TABLE images (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	task TEXT NOT NULL,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('taken', 'done') OR state IN ('undone', 'failed')),
	reason TEXT NOT NULL,
	error TEXT NOT NULL,
	undoes BIGINT NOT NULL,
	sealed BIGINT NOT NULL CHECK (sealed IN (0, 1)),
	data BLOB NOT NULL,
	time_ms BIGINT NOT NULL
);
CREATE INDEX images_of_task ON images (run_id, task, id);
CREATE INDEX images_of_thing ON images (type, name, run_id);
CREATE TABLE image_parts (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	size BIGINT NOT NULL,
	content_id BIGINT NOT NULL,
	data BLOB NOT NULL
);
CREATE INDEX image_parts_of_run ON image_parts (run_id, id);
CREATE TABLE image_keys (
	run_id BIGINT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
	value TEXT NOT NULL
);
ALTER TABLE runs ADD COLUMN cancels BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN cancel_why TEXT NOT NULL DEFAULT '';
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

CREATE TABLE resource_secrets (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	resource_id BIGINT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
	property TEXT NOT NULL,
	value TEXT NOT NULL,
	applied TEXT NOT NULL,
	uid BIGINT NOT NULL,
	UNIQUE (resource_id, property)
);

CREATE INDEX stacks_of_user ON stacks (uid);
CREATE INDEX namespaces_of_user ON namespaces (uid);
CREATE INDEX named_locks_of_user ON named_locks (uid);
CREATE INDEX saved_workflows_of_user ON saved_workflows (uid);
CREATE INDEX secrets_of_user ON secrets (uid);
CREATE INDEX runs_of_stack_file ON runs (stack_id, file, id);
CREATE INDEX runs_timed ON runs (stack_id, id) WHERE status = 'success';
CREATE INDEX items_of_content ON items (content_id);
CREATE INDEX workflow_files_of_run ON workflow_files (run_id);
