-- SPDX-License-Identifier: MIT
-- From version 1 to 2: what a stack remembers. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.

ALTER TABLE stacks ADD COLUMN last_version BIGINT NOT NULL DEFAULT 0;

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
