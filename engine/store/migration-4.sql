-- SPDX-License-Identifier: MIT
-- From version 3 to 4: drift. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.
ALTER TABLE stacks ADD COLUMN drift_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resources ADD COLUMN uid BIGINT NOT NULL DEFAULT -1;
CREATE TABLE findings (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	property TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('configuration', 'resource') OR kind IN ('state', 'dependency')),
	severity TEXT NOT NULL CHECK (severity IN ('low', 'medium') OR severity IN ('high', 'critical')),
	expected TEXT NOT NULL,
	actual TEXT NOT NULL,
	cause TEXT NOT NULL CHECK (cause IN ('changed', 'unapplied')),
	impact TEXT NOT NULL,
	fix TEXT NOT NULL,
	status TEXT NOT NULL CHECK (status IN ('pending', 'acknowledged') OR status IN ('ignored', 'resolved')),
	reason TEXT NOT NULL,
	until_ms BIGINT NOT NULL,
	first_seen_ms BIGINT NOT NULL,
	last_seen_ms BIGINT NOT NULL,
	resolved_ms BIGINT NOT NULL,
	resolution TEXT NOT NULL CHECK (resolution IN ('', 'fixed') OR resolution IN ('adopted', 'by_itself') OR
		resolution = 'removed'),
	times BIGINT NOT NULL,
	run_id BIGINT NOT NULL,
	uid BIGINT NOT NULL
);
CREATE UNIQUE INDEX findings_open ON findings (stack_id, type, name, property) WHERE status <> 'resolved';
CREATE INDEX findings_of_resource ON findings (stack_id, type, name, property);
CREATE INDEX findings_over ON findings (stack_id, resolved_ms) WHERE status = 'resolved';
CREATE TABLE drift_ignores (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	property TEXT NOT NULL,
	reason TEXT NOT NULL,
	until_ms BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	UNIQUE (stack_id, type, name, property)
);
