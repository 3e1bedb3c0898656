-- SPDX-License-Identifier: MIT
-- What Sloth keeps. One file for a fresh database; migrations.c brings older ones to the same shape.
--
-- Times are whole milliseconds since 1970 (…_ms), 0 where there is none. The dialect is PostgreSQL's too, but for
-- three words of SQLite: AUTOINCREMENT (ids are never given twice: events and inode numbers outlive their rows),
-- WITHOUT ROWID (the key is the row's place) and BLOB (bytes that nobody has checked).
--
-- A CHECK names its words in lists of two: for a longer one SQLite builds a table in memory at every write.

-- Which schema this is: the greatest number holds.
CREATE TABLE schema_versions (
	version INTEGER PRIMARY KEY,    -- of the schema, from 1
	applied_ms BIGINT NOT NULL      -- when it came to be
);

-- Top folders of the tree whose owner, group or mode somebody has changed.
CREATE TABLE folders (
	name TEXT PRIMARY KEY,          -- 'stacks'
	uid BIGINT NOT NULL,            -- owner
	gid BIGINT NOT NULL,            -- group
	mode BIGINT NOT NULL CHECK (mode BETWEEN 0 AND 4095), -- permission bits
	updated_ms BIGINT NOT NULL      -- when
) WITHOUT ROWID;

-- Master keys, which wrap data keys. The key itself is not here: it is in a file, or made from a passphrase.
CREATE TABLE master_keys (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	source TEXT NOT NULL CHECK (source IN ('file', 'passphrase')), -- where it is from
	salt BLOB NOT NULL,             -- random: of the derivation; in hex the file's name in keys/
	effort BIGINT NOT NULL,         -- of the derivation: crypto_pwhash's opslimit; 0: a file
	memory BIGINT NOT NULL,         -- of the derivation: bytes; 0: a file
	created_ms BIGINT NOT NULL,     -- when it was made
	retired_ms BIGINT NOT NULL      -- when another came in its place; 0: it is in use
);

-- Keys that values are sealed with. A retired one is kept for what versions of stacks hold.
CREATE TABLE data_keys (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- stands in each sealed value
	wrapped BLOB NOT NULL,          -- nonce and XChaCha20-Poly1305 under the master key in use
	created_ms BIGINT NOT NULL,     -- when it was made
	retired_ms BIGINT NOT NULL      -- from when on nothing is sealed with it; 0: it is in use
);

-- Secrets, which anybody may have who may write into the folder secrets/.
CREATE TABLE secrets (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,      -- name_check()'s rule
	uid BIGINT NOT NULL,            -- owner: the only one who reads and writes it, beside root
	gid BIGINT NOT NULL,            -- group: shown, and without rights
	value TEXT NOT NULL,            -- sealed as 'secret:NAME'
	created_ms BIGINT NOT NULL,     -- the first write
	updated_ms BIGINT NOT NULL      -- the last write, or when it got its name
);
CREATE INDEX secrets_of_user ON secrets (uid);

-- Values that were handed to runs that are not over: they are masked in what the runs tell.
CREATE TABLE run_secrets (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	value TEXT NOT NULL             -- sealed as 'run:ID'
);
CREATE INDEX run_secrets_of_run ON run_secrets (run_id);

-- A named deployment.
CREATE TABLE stacks (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,      -- name_check()'s rule
	uid BIGINT NOT NULL,            -- owner
	gid BIGINT NOT NULL,            -- group
	mode BIGINT NOT NULL CHECK (mode BETWEEN 0 AND 4095), -- permission bits as of its directory
	status TEXT NOT NULL CHECK (status IN ('created', 'running') OR status IN ('completed', 'failed')), -- what its last run left
	created_ms BIGINT NOT NULL,     -- mkdir
	updated_ms BIGINT NOT NULL,     -- the last change of anything but its lock
	outputs_ms BIGINT NOT NULL,     -- the last change of its outputs
	token BIGINT NOT NULL CHECK (token >= 0), -- the last fencing token; rises with every grant, never falls
	run_count BIGINT NOT NULL,      -- runs that were started here
	last_run BIGINT NOT NULL,       -- the newest of them, 0: none
	last_version BIGINT NOT NULL DEFAULT 0, -- the newest of versions, which rises with every change, never falls
	run_ms BIGINT NOT NULL DEFAULT 0, -- how long its runs take: the median of the last five that succeeded, 0: none did
	resource_count BIGINT NOT NULL DEFAULT 0, -- rows of resources
	drift_ms BIGINT NOT NULL DEFAULT 0 -- when its resources were compared with the world last, to the minute; 0: never
);
CREATE INDEX stacks_of_user ON stacks (uid);

-- The documents of a stack; one that was never written has no row.
CREATE TABLE stack_texts (
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	which TEXT NOT NULL CHECK (which IN ('description', 'version') OR which IN ('config', 'values') OR
		which = 'workflow'), -- its file
	content BLOB NOT NULL,          -- as written
	updated_ms BIGINT NOT NULL,     -- the last write
	PRIMARY KEY (stack_id, which)
) WITHOUT ROWID;

-- Locks with a name of their own (locks/NAME).
CREATE TABLE named_locks (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,      -- name_check()'s rule, and no .json at its end
	uid BIGINT NOT NULL,            -- owner
	gid BIGINT NOT NULL,            -- group
	mode BIGINT NOT NULL CHECK (mode BETWEEN 0 AND 4095), -- permission bits as of its file
	token BIGINT NOT NULL CHECK (token >= 0), -- the last fencing token that was granted here, 0: none
	by_run BIGINT NOT NULL CHECK (by_run IN (0, 1)), -- 1: a run needed it; it goes when a daemon starts and nobody holds it
	updated_ms BIGINT NOT NULL      -- made, or given another owner or mode
);
CREATE INDEX named_locks_of_user ON named_locks (uid);

-- The last fencing token of all named locks: a name that is removed and made again goes on where it was.
CREATE TABLE named_lock_tokens (
	which INTEGER PRIMARY KEY CHECK (which = 1), -- one row
	token BIGINT NOT NULL           -- rises with every grant, never falls
);

-- Who holds which stack or named lock. Waiters are the daemon's memory.
CREATE TABLE locks (
	stack_id BIGINT NOT NULL,       -- 0: it is a named lock's
	name_id BIGINT NOT NULL,        -- 0: it is a stack's
	token BIGINT NOT NULL,          -- of this grant
	kind TEXT NOT NULL CHECK (kind IN ('shared', 'session') OR kind IN ('durable', 'maintenance') OR
		kind = 'run'), -- what ends it: see engine/lock.h
	owner BIGINT NOT NULL,          -- session, shared: the open file; run: the run's id; maintenance: the run that left it; else 0
	part TEXT NOT NULL,             -- run: which part of it, '': the run as a whole
	uid BIGINT NOT NULL,            -- holder
	pid BIGINT NOT NULL,            -- the process that locked, 0: unknown
	opener BIGINT NOT NULL,         -- the process that opened the file, 0: unknown
	known_at BIGINT NOT NULL,       -- when these pids were theirs, in clock ticks since boot: pids come again
	since_ms BIGINT NOT NULL,       -- when it was granted
	expires_ms BIGINT NOT NULL,     -- when it ends by itself, by engine/clock.h, 0: never
	bound_pid BIGINT NOT NULL,      -- it ends with this process, 0: with none
	bound_start BIGINT NOT NULL,    -- when that process started, in clock ticks since boot
	boot_id TEXT NOT NULL,          -- of which boot that is; '': it ends with no process
	holder TEXT NOT NULL,           -- whom the holder names (by=), '': the user's name
	command TEXT NOT NULL,          -- the command line of the process that locked
	operation TEXT NOT NULL,        -- operation=
	reason TEXT NOT NULL,           -- reason=
	CHECK ((stack_id = 0) <> (name_id = 0)),
	PRIMARY KEY (stack_id, name_id, token)
) WITHOUT ROWID;

-- The audit trail. Nothing here is ever changed, rows go into event_archives alone, and no foreign key lets it go with its stack. No index by
-- offset: offsets rise with the ids, which a search by halves uses.
CREATE TABLE events (
	id INTEGER PRIMARY KEY,         -- from 1, without gaps
	time_ms BIGINT NOT NULL,        -- when it happened
	line_end BIGINT NOT NULL,       -- offset in the file `events` where its line ends
	json_end BIGINT NOT NULL,       -- the same of `events.json`
	stack_id BIGINT NOT NULL,       -- the stack that it is about, which may be gone; 0: none
	run_id BIGINT NOT NULL,         -- the run that it is about, 0: none
	uid BIGINT NOT NULL,            -- who did it
	type TEXT NOT NULL,             -- 'lock.acquired'
	hash BLOB NOT NULL CHECK (length(hash) = 32), -- SHA-256(hash of the row before, json without its newline)
	line TEXT NOT NULL,             -- for people, with its newline
	json TEXT NOT NULL              -- for programs: sorted keys, with its newline
);
CREATE INDEX events_of_stack ON events (stack_id, id);

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

-- Named values that a stack gives to others.
CREATE TABLE outputs (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	name TEXT NOT NULL,             -- name_check()'s rule
	value TEXT NOT NULL,            -- JSON
	updated_ms BIGINT NOT NULL,     -- the last write
	UNIQUE (stack_id, name)
);

-- Folders of shared keys and values.
CREATE TABLE namespaces (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,      -- name_check()'s rule
	uid BIGINT NOT NULL,            -- owner
	gid BIGINT NOT NULL,            -- group
	mode BIGINT NOT NULL CHECK (mode BETWEEN 0 AND 4095), -- permission bits as of its directory
	updated_ms BIGINT NOT NULL      -- the last time that a key came, changed or went
);
CREATE INDEX namespaces_of_user ON namespaces (uid);

-- Keys and values, of a stack or of a namespace.
CREATE TABLE kv (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL,       -- 0: it is a namespace's
	namespace_id BIGINT NOT NULL,   -- 0: it is a stack's
	name TEXT NOT NULL,             -- kv_name_check()'s rule
	value TEXT NOT NULL,            -- JSON
	updated_ms BIGINT NOT NULL,     -- the last write
	expires_ms BIGINT NOT NULL,     -- from then on, by engine/clock.h, it is not there for anybody; 0: it stays
	CHECK ((stack_id = 0) <> (namespace_id = 0)),
	UNIQUE (stack_id, namespace_id, name)
);
CREATE INDEX kv_expiring ON kv (expires_ms) WHERE expires_ms > 0;

-- Executions of workflows.
CREATE TABLE runs (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL,       -- 0: not known yet, or destroyed
	stack TEXT NOT NULL,            -- the stack's name when the run was bound to it
	file TEXT NOT NULL,             -- 'deploy.sloth', as it was written
	uid BIGINT NOT NULL,            -- submitter
	gid BIGINT NOT NULL,            -- his group
	owner_uid BIGINT NOT NULL,      -- who may see it when there is no stack: owner,
	owner_gid BIGINT NOT NULL,      -- group
	owner_mode BIGINT NOT NULL,     -- and mode
	status TEXT NOT NULL CHECK (status IN ('queued', 'waiting') OR status IN ('running', 'success') OR
		status IN ('failed', 'cancelled') OR status IN ('timed_out', 'interrupted') OR
		status IN ('rolling_back', 'rolled_back') OR status = 'rollback_failed'), -- engine/run-status.c
	created_ms BIGINT NOT NULL,     -- submitted
	started_ms BIGINT NOT NULL,     -- running for the first time
	finished_ms BIGINT NOT NULL,    -- ended
	updated_ms BIGINT NOT NULL,     -- the last change of this row
	lock_token BIGINT NOT NULL,     -- the fencing token that it works under, 0: none
	holds_lock BIGINT NOT NULL CHECK (holds_lock IN (0, 1)), -- 1: the lock is the run's own and ends with it
	retry_of BIGINT NOT NULL,       -- the run that this one takes up, 0: none
	depth BIGINT NOT NULL,          -- runs above it that submitted it from a task
	pid BIGINT NOT NULL,            -- its runner, 0: none yet
	pid_start BIGINT NOT NULL,      -- the runner's start in clock ticks since boot
	boot_id TEXT NOT NULL,          -- of which boot
	secret TEXT NOT NULL,           -- hex; what the runner proves itself with
	last_seq BIGINT NOT NULL,       -- the runner's last frame that was applied
	log_size BIGINT NOT NULL,       -- bytes of the rendered log
	log_full BIGINT NOT NULL CHECK (log_full IN (0, 1)), -- 1: over the limit, the rest was dropped
	log_json_size BIGINT NOT NULL DEFAULT 0, -- bytes of log.json
	lock_wait_ms BIGINT NOT NULL DEFAULT 0, -- how long it waits for its stack's lock, 0: not at all
	waiting_since_ms BIGINT NOT NULL DEFAULT 0, -- since when it waits for that lock, 0: it does not
	parent_run BIGINT NOT NULL DEFAULT 0, -- the run whose task submitted it, 0: none
	options TEXT NOT NULL DEFAULT '', -- JSON {options, values}: as they were submitted with it, '': none
	cgroup TEXT NOT NULL DEFAULT '', -- the folder of its control group, '': it has none
	imports TEXT NOT NULL DEFAULT '', -- JSON {directory, files: {path: text}}: what the workflow imported while it was loaded, '': nothing
	before_version BIGINT NOT NULL DEFAULT 0, -- the stack's version that a rollback goes back to, 0: none
	cancels BIGINT NOT NULL DEFAULT 0, -- how often its end was asked for; more than once: without grace
	cancel_why TEXT NOT NULL DEFAULT '' -- what its error will say then, '': that it was cancelled
);
CREATE INDEX runs_of_stack ON runs (stack_id, id);
CREATE INDEX runs_of_file ON runs (file, id);
CREATE INDEX runs_of_stack_file ON runs (stack_id, file, id);
CREATE INDEX runs_timed ON runs (stack_id, id) WHERE status = 'success';
CREATE INDEX runs_by_status ON runs (status, id);

-- The documents of a run; one that was never written has no row.
CREATE TABLE run_texts (
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	which TEXT NOT NULL CHECK (which IN ('workflow', 'values') OR which IN ('plan', 'result') OR
		which IN ('error', 'outputs') OR which = 'config'), -- its file
	content BLOB NOT NULL,          -- as written
	PRIMARY KEY (run_id, which)
) WITHOUT ROWID;

-- Answers to calls of runners, until the runner says that it has them.
CREATE TABLE run_answers (
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	seq BIGINT NOT NULL,            -- of the call
	answer TEXT NOT NULL,           -- the frame's head
	PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

-- Tasks of runs.
CREATE TABLE tasks (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	position BIGINT NOT NULL,       -- order of definition, from 0
	name TEXT NOT NULL,             -- as defined
	status TEXT NOT NULL CHECK (status IN ('pending', 'ready') OR status IN ('running', 'retry_wait') OR
		status IN ('success', 'unchanged') OR status IN ('skipped', 'failed') OR
		status IN ('timed_out', 'cancelled') OR status IN ('upstream_failed', 'lost')), -- engine/run-status.c
	tries BIGINT NOT NULL,          -- the number of the last try
	started_ms BIGINT NOT NULL,     -- the first try
	finished_ms BIGINT NOT NULL,    -- the final status
	updated_ms BIGINT NOT NULL,     -- the last change of this row
	log_size BIGINT NOT NULL,       -- bytes of its log
	error TEXT NOT NULL,            -- of the last try, '': none
	output TEXT NOT NULL,           -- JSON, '': none
	log_json_size BIGINT NOT NULL DEFAULT 0, -- bytes of its log.json
	UNIQUE (run_id, name)
);

-- Tries of tasks.
CREATE TABLE task_tries (
	task_id BIGINT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
	number BIGINT NOT NULL,         -- from 1
	status TEXT NOT NULL CHECK (status IN ('running', 'success') OR status IN ('unchanged', 'skipped') OR
		status IN ('failed', 'timed_out') OR
		status IN ('cancelled', 'upstream_failed') OR status = 'lost'), -- how it went
	started_ms BIGINT NOT NULL,     -- when it began
	finished_ms BIGINT NOT NULL,    -- when it ended
	error TEXT NOT NULL,            -- why it failed, '': it did not
	log_start BIGINT NOT NULL DEFAULT 0, -- where it begins in the task's log
	kind TEXT NOT NULL DEFAULT 'run' CHECK (kind IN ('run', 'undo')), -- undo: of what the task did, when the run is rolled back
	PRIMARY KEY (task_id, number)
) WITHOUT ROWID;

-- Logs of runs, in pieces. The rendered log is made from them when it is read.
CREATE TABLE log_pieces (
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	run_start BIGINT NOT NULL,      -- offset in the run's rendered log
	task_id BIGINT NOT NULL,        -- 0: of the run itself
	task_start BIGINT NOT NULL,     -- offset in the task's own log
	time_ms BIGINT NOT NULL,        -- when it was said
	content BLOB NOT NULL,          -- whole lines; the last piece of a task may end within one
	try BIGINT NOT NULL DEFAULT 0,  -- of the task's tries, 0: none, or not known
	stream TEXT NOT NULL DEFAULT 'log' CHECK (stream IN ('out', 'err', 'log')), -- what a process printed, or what the workflow says
	run_json BIGINT NOT NULL DEFAULT 0, -- offset in the run's log.json
	task_json BIGINT NOT NULL DEFAULT 0, -- offset in the task's log.json
	PRIMARY KEY (run_id, run_start)
);
CREATE INDEX log_pieces_of_task ON log_pieces (task_id, task_start);

-- What became of runs and their tasks: the lines of events.json, which are rendered when they are read.
CREATE TABLE transitions (
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	start BIGINT NOT NULL,          -- offset in events.json
	task_id BIGINT NOT NULL,        -- 0: of the run itself
	try BIGINT NOT NULL,            -- of the task's tries, 0: none
	time_ms BIGINT NOT NULL,        -- when
	from_status TEXT NOT NULL,      -- engine/run-status.c, '': it was submitted
	to_status TEXT NOT NULL,        -- engine/run-status.c
	duration_ms BIGINT NOT NULL,    -- of the try or the run that ended by it, -1: none did
	until_ms BIGINT NOT NULL,       -- when the next try is due, 0: none is
	error TEXT NOT NULL,            -- why, '': nothing to say
	PRIMARY KEY (run_id, start)
) WITHOUT ROWID;
-- Files that tasks keep with their run. The bytes are artifacts/RUN/ID in the home.
CREATE TABLE artifacts (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	task_id BIGINT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
	path TEXT NOT NULL,             -- relative to the task's directory
	mode BIGINT NOT NULL,           -- permission bits
	size BIGINT NOT NULL,           -- bytes
	received BIGINT NOT NULL,       -- of which so many have come
	kept_ms BIGINT NOT NULL,        -- when its task succeeded, 0: not yet, and nobody sees it
	UNIQUE (run_id, path)
);
CREATE INDEX artifacts_of_task ON artifacts (task_id);

-- What things were before a run changed them, which is what it takes to put them back. A row is on disk before its change is made.
CREATE TABLE images (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of the changes
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	task TEXT NOT NULL,             -- name of the task that made the change, '': none
	type TEXT NOT NULL,             -- of the thing, as of resources
	name TEXT NOT NULL,             -- its name
	state TEXT NOT NULL CHECK (state IN ('taken', 'done') OR state IN ('undone', 'failed')), -- the change is about to be made, was made, is taken back, could not be
	reason TEXT NOT NULL,           -- why it can't be taken back, '': it can
	error TEXT NOT NULL,            -- failed: why
	undoes BIGINT NOT NULL,         -- the image that this change puts back, 0: none
	sealed BIGINT NOT NULL CHECK (sealed IN (0, 1)), -- 1: data is encrypted with the run's key in image_keys
	data BLOB NOT NULL,             -- JSON: engine/image.h
	time_ms BIGINT NOT NULL         -- when it was taken
);
CREATE INDEX images_of_task ON images (run_id, task, id);
CREATE INDEX images_of_thing ON images (type, name, run_id);

-- Bytes of files of images, in parts.
CREATE TABLE image_parts (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- stands in the image's data
	run_id BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
	size BIGINT NOT NULL,           -- bytes
	content_id BIGINT NOT NULL,     -- row of contents, 0: they are in data
	data BLOB NOT NULL              -- encrypted with the run's key in image_keys; empty where content_id has them
);
CREATE INDEX image_parts_of_run ON image_parts (run_id, id);

-- What images are encrypted with that not everybody may read who sees the stack.
CREATE TABLE image_keys (
	run_id BIGINT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
	value TEXT NOT NULL             -- the key, in hex, sealed as 'image:RUN'
);

-- What stands in runs/ and stacks/S/runs/: the text last submitted under a name.
CREATE TABLE workflow_files (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL,       -- 0: the top folder's
	name TEXT NOT NULL,             -- 'deploy.sloth'
	run_id BIGINT NOT NULL,         -- the run that has the text
	uid BIGINT NOT NULL,            -- who submitted it
	updated_ms BIGINT NOT NULL,     -- when
	UNIQUE (stack_id, name)
);
CREATE INDEX workflow_files_of_run ON workflow_files (run_id);

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
	dropped BIGINT NOT NULL CHECK (dropped IN (0, 1) OR dropped = 2), -- 1: deleted; 2: its items are, too, but for those of versions after it
	UNIQUE (stack_id, number)
);
CREATE INDEX versions_by_time ON versions (stack_id, time_ms, number);
CREATE INDEX versions_dropped ON versions (stack_id, number) WHERE dropped = 1;

-- What versions have in them, as intervals: an item is in from_version and all after it before to_version.
CREATE TABLE items (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL,       -- whose
	kind TEXT NOT NULL CHECK (kind IN ('meta', 'text') OR kind IN ('output', 'tag') OR
		kind IN ('dep', 'state') OR kind = 'resource'), -- engine/version.h
	name TEXT NOT NULL,             -- unique within its kind
	from_version BIGINT NOT NULL,   -- number of the first version that has it
	to_version BIGINT NOT NULL CHECK (to_version = 0 OR to_version > from_version), -- the first that has it no more; 0: still there
	content_id BIGINT NOT NULL REFERENCES contents (id), -- what it is
	UNIQUE (stack_id, kind, name, from_version)
);
CREATE INDEX items_begun ON items (stack_id, from_version);
CREATE INDEX items_of_content ON items (content_id);
CREATE INDEX items_ended ON items (stack_id, to_version) WHERE to_version > 0;

-- Versions that are kept on purpose.
CREATE TABLE snapshots (
	version_id BIGINT PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE, -- which
	stack_id BIGINT NOT NULL,       -- of which stack
	trigger_name TEXT NOT NULL CHECK (trigger_name IN ('manual', 'before_deployment') OR
		trigger_name IN ('before_destroy', 'on_drift_fix') OR
		trigger_name = 'before_restore'),     -- what made it
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

-- Kinds of resources. The numbers are part of inode numbers: see node_pack() in fs/node.h.
CREATE TABLE resource_types (
	id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4095),
	name TEXT NOT NULL UNIQUE       -- name_check()'s rule
);

-- What the workflows of a stack look after.
CREATE TABLE resources (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type_id BIGINT NOT NULL REFERENCES resource_types (id), -- its kind
	name TEXT NOT NULL,             -- any text of 1 to 1024 bytes
	entry TEXT NOT NULL,            -- its name in the tree: resource_entry_name()
	module TEXT NOT NULL,           -- the module that looks after it, '': none was named
	desired TEXT NOT NULL,          -- JSON: the properties that are asked for
	applied TEXT NOT NULL,          -- JSON: the properties that were brought about last, '': none yet
	actual TEXT NOT NULL,           -- JSON: the properties that were seen last, '': not known
	checksum TEXT NOT NULL,         -- SHA-256 of desired, hex
	status TEXT NOT NULL CHECK (status IN ('pending', 'applied') OR status IN ('failed', 'drifted') OR
		status = 'unknown'), -- slothfs(5)
	last_action TEXT NOT NULL CHECK (last_action IN ('create', 'update')), -- what made it as it is desired
	error TEXT NOT NULL,            -- why it failed, '': it did not
	protect BIGINT NOT NULL CHECK (protect IN (0, 1)), -- 1: cannot be destroyed
	created_ms BIGINT NOT NULL,     -- registered
	updated_ms BIGINT NOT NULL,     -- the last change of this row
	applied_ms BIGINT NOT NULL,     -- when `applied` was brought about
	run_id BIGINT NOT NULL,         -- the run that changed this row last, 0: none
	uid BIGINT NOT NULL DEFAULT -1, -- who asked for what is desired, -1: not known
	settled BIGINT NOT NULL DEFAULT 0, -- 1: `actual` was seen as it is asked for, and in a form that is compared without a provider
	UNIQUE (stack_id, type_id, name),
	UNIQUE (stack_id, type_id, entry)
);
CREATE INDEX resources_protected ON resources (stack_id) WHERE protect = 1;
CREATE INDEX resources_named ON resources (type_id, name);

-- What resources need of one another, by name: the other one may be registered later, or never.
CREATE TABLE resource_dependencies (
	resource_id BIGINT NOT NULL REFERENCES resources (id) ON DELETE CASCADE, -- who needs
	type TEXT NOT NULL,             -- what is needed: its kind
	name TEXT NOT NULL,             -- and name
	kind TEXT NOT NULL CHECK (kind IN ('explicit', 'implicit')), -- said by the workflow, or seen in the properties
	stack_id BIGINT NOT NULL,       -- of both
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

-- What workflows measure: a row a series.
CREATE TABLE metrics (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	name TEXT NOT NULL,             -- as the workflow says it
	family TEXT NOT NULL,           -- as Prometheus sees it: of one name and type in the whole table
	type TEXT NOT NULL CHECK (type IN ('gauge', 'counter') OR type IN ('histogram', 'timer')), -- what it is
	tags TEXT NOT NULL,             -- JSON: an object of strings, sorted
	value TEXT NOT NULL,            -- JSON: {value}, or {count, sum, min, max, last, buckets}
	updated_ms BIGINT NOT NULL,     -- the last number
	UNIQUE (stack_id, name, tags)
);
CREATE INDEX metrics_of_family ON metrics (family);

-- Workflows that are saved to be run: what stands in workflows/.
CREATE TABLE saved_workflows (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,      -- 'deploy.sloth'
	uid BIGINT NOT NULL,            -- owner
	gid BIGINT NOT NULL,            -- group
	mode BIGINT NOT NULL,           -- permission bits
	number BIGINT NOT NULL,         -- of its newest version, 0: the first is being checked
	updated_ms BIGINT NOT NULL      -- when that was saved
);
CREATE INDEX saved_workflows_of_user ON saved_workflows (uid);

-- Their texts, the newest and those before.
CREATE TABLE saved_versions (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	workflow_id BIGINT NOT NULL REFERENCES saved_workflows (id) ON DELETE CASCADE,
	number BIGINT NOT NULL,         -- from 1
	uid BIGINT NOT NULL,            -- who saved it
	time_ms BIGINT NOT NULL,        -- when
	size BIGINT NOT NULL,           -- bytes of the text
	content BLOB NOT NULL,          -- the text
	plan TEXT NOT NULL,             -- JSON, made when it was checked
	UNIQUE (workflow_id, number)
);

-- Where the world differs from what is asked for: a row a property. One that is over stays a while, as history.
CREATE TABLE findings (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type TEXT NOT NULL,             -- of the resource, which may be gone when it is over
	name TEXT NOT NULL,             -- its name
	property TEXT NOT NULL,         -- which one differs; '': the thing as a whole
	kind TEXT NOT NULL CHECK (kind IN ('configuration', 'resource') OR kind IN ('state', 'dependency')), -- what sort of drift
	severity TEXT NOT NULL CHECK (severity IN ('low', 'medium') OR severity IN ('high', 'critical')), -- as its provider says
	expected TEXT NOT NULL,         -- JSON: what is asked for
	actual TEXT NOT NULL,           -- JSON: what was seen last
	cause TEXT NOT NULL CHECK (cause IN ('changed', 'unapplied')), -- the world has changed; or the wish has
	impact TEXT NOT NULL,           -- what it means, '': not known
	fix TEXT NOT NULL,              -- what a person would do about it, '': not known
	status TEXT NOT NULL CHECK (status IN ('pending', 'acknowledged') OR status IN ('ignored', 'resolved')), -- slothfs(5)
	reason TEXT NOT NULL,           -- why it is acknowledged or ignored, '': nobody said
	until_ms BIGINT NOT NULL,       -- ignored: until then; 0: for good
	first_seen_ms BIGINT NOT NULL,  -- when it was found
	last_seen_ms BIGINT NOT NULL,   -- when it was seen last, to the minute
	resolved_ms BIGINT NOT NULL,    -- since when it is over, 0: it is not
	resolution TEXT NOT NULL CHECK (resolution IN ('', 'fixed') OR resolution IN ('adopted', 'by_itself') OR
		resolution = 'removed'), -- how; removed: its resource is looked after no more
	times BIGINT NOT NULL,          -- how often this was found, with this time and those in the history
	run_id BIGINT NOT NULL,         -- the run that fixed it, 0: none
	uid BIGINT NOT NULL,            -- who acknowledged, ignored, adopted or fixed it last, -1: nobody did
	changed_by TEXT NOT NULL DEFAULT '', -- JSON: the process that made the change, as the kernel told; '': not known
	flapping_ms BIGINT NOT NULL DEFAULT 0, -- since when it comes and goes too often, 0: it does not
	calm_ms BIGINT NOT NULL DEFAULT 0 -- when somebody has dealt with its coming and going: what was found before does not count; 0: nobody
);
CREATE UNIQUE INDEX findings_open ON findings (stack_id, type, name, property) WHERE status <> 'resolved';
CREATE INDEX findings_of_resource ON findings (stack_id, type, name, property);
CREATE INDEX findings_over ON findings (stack_id, resolved_ms) WHERE status = 'resolved';

-- Differences that somebody wants not to be told of, whether they are there or not.
CREATE TABLE drift_ignores (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type TEXT NOT NULL,             -- of the resource
	name TEXT NOT NULL,             -- its name
	property TEXT NOT NULL,         -- which one; '': all of it
	reason TEXT NOT NULL,           -- '': nobody said
	until_ms BIGINT NOT NULL,       -- until then; 0: for good
	uid BIGINT NOT NULL,            -- who wants it so
	created_ms BIGINT NOT NULL,     -- since when
	UNIQUE (stack_id, type, name, property)
);

-- Runs that fix drift without anybody having asked for them, for some days: auto_fix in sloth.yaml(5).
CREATE TABLE auto_fixes (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	run_id BIGINT NOT NULL,         -- 0: none could be started
	begun_ms BIGINT NOT NULL,       -- when it was submitted
	told_ms BIGINT NOT NULL,        -- when an event has told of its end, 0: not yet
	resources TEXT NOT NULL         -- JSON: "TYPE/NAME" → the properties that it is to fix, each true
);
CREATE INDEX auto_fixes_of_stack ON auto_fixes (stack_id, begun_ms);
CREATE INDEX auto_fixes_of_run ON auto_fixes (run_id);

-- How often resources were fixed so: each time the next one waits longer.
CREATE TABLE auto_fix_tries (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	stack_id BIGINT NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
	type TEXT NOT NULL,             -- of the resource
	name TEXT NOT NULL,             -- its name
	tries BIGINT NOT NULL,          -- in a row, without a day between two
	last_ms BIGINT NOT NULL,        -- when the last one was begun
	UNIQUE (stack_id, type, name)
);

-- Values of properties that nobody is told: "<sensitive>" stands in their place in the states of the resource.
CREATE TABLE resource_secrets (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	resource_id BIGINT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
	property TEXT NOT NULL,         -- which one
	value TEXT NOT NULL,            -- what is asked for: JSON, sealed as resource:RESOURCE:PROPERTY
	applied TEXT NOT NULL,          -- what was brought about, sealed likewise; '': not known
	uid BIGINT NOT NULL,            -- who asked for it: nobody else is handed it
	UNIQUE (resource_id, property)
);
