-- SPDX-License-Identifier: MIT
-- From version 1 to 2: what a stack remembers. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.

CREATE TABLE master_keys (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	source TEXT NOT NULL CHECK (source IN ('file', 'passphrase')),
	salt BLOB NOT NULL,
	effort BIGINT NOT NULL,
	memory BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	retired_ms BIGINT NOT NULL
);

CREATE TABLE data_keys (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	wrapped BLOB NOT NULL,
	created_ms BIGINT NOT NULL,
	retired_ms BIGINT NOT NULL
);

CREATE TABLE secrets (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	uid BIGINT NOT NULL,
	gid BIGINT NOT NULL,
	value TEXT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL
);

CREATE TABLE run_secrets (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	value TEXT NOT NULL
);
CREATE INDEX run_secrets_of_run ON run_secrets (run_id);

ALTER TABLE stacks ADD COLUMN last_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE stacks ADD COLUMN run_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE stacks ADD COLUMN resource_count BIGINT NOT NULL DEFAULT 0;

-- Words that people put on stacks. One that no stack bears is gone.
CREATE TABLE tags (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE       -- name_check()'s rule
);

-- Which stack bears which.
CREATE TABLE stack_tags (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	tag_id BIGINT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
	created_ms BIGINT NOT NULL,     -- when it was added
	UNIQUE (stack_id, tag_id)
);
CREATE INDEX stack_tags_of_tag ON stack_tags (tag_id, stack_id);

-- Bytes that are kept once: what versions are made of.
CREATE TABLE contents (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), -- BLAKE2b of the bytes, looked at whenever they are read
	size BIGINT NOT NULL,           -- of the bytes themselves
	base_id BIGINT NOT NULL,        -- the content that data is the difference to, 0: none
	depth BIGINT NOT NULL,          -- how many such steps it is to a whole one
	refs BIGINT NOT NULL CHECK (refs >= 0), -- items and contents that need it
	data BLOB NOT NULL              -- zstd; as they are where that is not smaller than size
);

-- What a stack was, change by change.
CREATE TABLE versions (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL,       -- may be destroyed: its versions stay a while
	number BIGINT NOT NULL CHECK (number > 0), -- from 1; those that were deleted leave gaps
	time_ms BIGINT NOT NULL,        -- when
	uid BIGINT NOT NULL,            -- who
	run_id BIGINT NOT NULL,         -- by which run, 0: none
	what TEXT NOT NULL,             -- 'output url': the first change of it, or what was done
	changes BIGINT NOT NULL,        -- items that changed, where `what` names the first; 0: it says all
	dropped BIGINT NOT NULL CHECK (dropped IN (0, 1, 2)), -- 1: deleted; 2: its items are, too, but for those of versions after it
	UNIQUE (stack_id, number)
);
CREATE INDEX versions_by_time ON versions (stack_id, time_ms, number);
CREATE INDEX versions_dropped ON versions (stack_id, number) WHERE dropped = 1;

-- What versions have in them, as intervals: an item is in from_version and all after it before to_version.
CREATE TABLE items (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL,       -- whose
	kind TEXT NOT NULL CHECK (kind IN ('meta', 'text', 'output', 'tag', 'dep', 'state', 'resource')), -- engine/version.h
	name TEXT NOT NULL,             -- unique within its kind
	from_version BIGINT NOT NULL,   -- number of the first version that has it
	to_version BIGINT NOT NULL CHECK (to_version = 0 OR to_version > from_version), -- the first that has it no more; 0: still there
	content_id BIGINT NOT NULL REFERENCES contents (id), -- what it is
	UNIQUE (stack_id, kind, name, from_version)
);
CREATE INDEX items_begun ON items (stack_id, from_version);
CREATE INDEX items_ended ON items (stack_id, to_version) WHERE to_version > 0;

-- Versions that are kept on purpose.
CREATE TABLE snapshots (
	version_id BIGINT PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE, -- which
	stack_id BIGINT NOT NULL,       -- of which stack
	trigger_name TEXT NOT NULL CHECK (trigger_name IN ('manual', 'before_deployment', 'before_destroy', 'on_drift_fix',
		'before_restore')),     -- what made it
	description TEXT NOT NULL,      -- one line, '': none
	creator TEXT NOT NULL,          -- whom the maker named, or the user's name
	tags TEXT NOT NULL              -- words with commas between them, '': none
);
CREATE INDEX snapshots_of_stack ON snapshots (stack_id, version_id);

-- Names of versions: what has one is never deleted.
CREATE TABLE snapshot_names (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL,       -- of which stack
	name TEXT NOT NULL,             -- name_check()'s rule
	version_id BIGINT NOT NULL REFERENCES versions (id), -- which version bears it
	created_ms BIGINT NOT NULL,     -- since when
	UNIQUE (stack_id, name)
);
CREATE INDEX snapshot_names_of_version ON snapshot_names (version_id);

-- Stacks that were destroyed: who they were, for as long as their versions stay.
CREATE TABLE destroyed_stacks (
	id BIGINT PRIMARY KEY,          -- the stack's
	name TEXT NOT NULL,             -- when it was destroyed
	uid BIGINT NOT NULL,            -- owner
	gid BIGINT NOT NULL,            -- group
	mode BIGINT NOT NULL CHECK (mode BETWEEN 0 AND 4095), -- permission bits as of its directory
	token BIGINT NOT NULL,          -- the last fencing token that was granted
	destroyed_ms BIGINT NOT NULL,   -- when
	destroyed_by BIGINT NOT NULL    -- by whom
);
CREATE INDEX destroyed_by_time ON destroyed_stacks (destroyed_ms);

-- Where the clock of things that end began: see engine/clock.h. One row.
CREATE TABLE clock (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	boot_id TEXT NOT NULL,          -- the kernel's, of the boot that it is of
	base_ms BIGINT NOT NULL         -- what the wall clock showed at that boot
);

CREATE TABLE resource_types (
	id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4095),
	name TEXT NOT NULL UNIQUE
);

CREATE TABLE resources (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type_id BIGINT NOT NULL REFERENCES resource_types (id),
	name TEXT NOT NULL,
	entry TEXT NOT NULL,
	module TEXT NOT NULL,
	desired TEXT NOT NULL,
	applied TEXT NOT NULL,
	actual TEXT NOT NULL,
	checksum TEXT NOT NULL,
	status TEXT NOT NULL CHECK (status IN ('pending', 'applied', 'failed', 'drifted', 'unknown')),
	last_action TEXT NOT NULL CHECK (last_action IN ('create', 'update')),
	error TEXT NOT NULL,
	protect BIGINT NOT NULL CHECK (protect IN (0, 1)),
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	applied_ms BIGINT NOT NULL,
	run_id BIGINT NOT NULL,
	UNIQUE (stack_id, type_id, name),
	UNIQUE (stack_id, type_id, entry)
);
CREATE INDEX resources_protected ON resources (stack_id) WHERE protect = 1;

CREATE TABLE resource_dependencies (
	resource_id BIGINT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('explicit', 'implicit')),
	stack_id BIGINT NOT NULL,
	PRIMARY KEY (resource_id, type, name)
) WITHOUT ROWID;
CREATE INDEX resource_dependents ON resource_dependencies (stack_id, type, name);

-- Stacks that a stack stands on.
CREATE TABLE deps (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	on_id BIGINT NOT NULL,          -- the other stack, 0: it is missing
	on_name TEXT NOT NULL,          -- its name
	requires TEXT NOT NULL,         -- the constraint on its version, as constraint_parse() gives it
	created_ms BIGINT NOT NULL,     -- when it was added
	UNIQUE (stack_id, on_name)
);
CREATE INDEX deps_on ON deps (on_id, stack_id);
CREATE INDEX deps_missing ON deps (on_name) WHERE on_id = 0;

-- Locks may be named ones, too, and end with a process; their kinds are a CHECK, so that the table is made anew.
ALTER TABLE locks RENAME TO locks_1;
CREATE TABLE named_locks (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	uid BIGINT NOT NULL,
	gid BIGINT NOT NULL,
	mode BIGINT NOT NULL CHECK (mode BETWEEN 0 AND 4095),
	token BIGINT NOT NULL CHECK (token >= 0),
	by_run BIGINT NOT NULL CHECK (by_run IN (0, 1)),
	updated_ms BIGINT NOT NULL
);

CREATE TABLE named_lock_tokens (
	which INTEGER PRIMARY KEY CHECK (which = 1),
	token BIGINT NOT NULL
);

CREATE TABLE locks (
	stack_id BIGINT NOT NULL,
	name_id BIGINT NOT NULL,
	token BIGINT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('shared', 'session', 'durable', 'maintenance', 'run')),
	owner BIGINT NOT NULL,
	part TEXT NOT NULL,
	uid BIGINT NOT NULL,
	pid BIGINT NOT NULL,
	opener BIGINT NOT NULL,
	known_at BIGINT NOT NULL,
	since_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	bound_pid BIGINT NOT NULL,
	bound_start BIGINT NOT NULL,
	boot_id TEXT NOT NULL,
	holder TEXT NOT NULL,
	command TEXT NOT NULL,
	operation TEXT NOT NULL,
	reason TEXT NOT NULL,
	CHECK ((stack_id = 0) <> (name_id = 0)),
	PRIMARY KEY (stack_id, name_id, token)
) WITHOUT ROWID;
INSERT INTO locks SELECT stack_id, 0, token, kind, owner, '', uid, pid, opener, known_at, since_ms, expires_ms, 0, 0, '',
	holder, command, operation, reason FROM locks_1;
DROP TABLE locks_1;
-- What was taken out of the audit trail and stands in files of home/archive: the chain goes on from the newest row.
CREATE TABLE event_archives (
	last_id BIGINT PRIMARY KEY,     -- the newest event in it
	first_id BIGINT NOT NULL,       -- the oldest
	first_ms BIGINT NOT NULL,       -- when that one happened
	last_ms BIGINT NOT NULL,        -- when the newest did
	line_end BIGINT NOT NULL,       -- events.line_end of the newest
	json_end BIGINT NOT NULL,       -- events.json_end of the newest
	hash BLOB NOT NULL CHECK (length(hash) = 32), -- events.hash of the newest
	file TEXT NOT NULL,             -- 'events-1-500.jsonl.zst'
	size BIGINT NOT NULL,           -- bytes of that file
	uid BIGINT NOT NULL,            -- who archived
	created_ms BIGINT NOT NULL      -- when
) WITHOUT ROWID;
