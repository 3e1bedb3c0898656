-- SPDX-License-Identifier: MIT
-- From version 1 to 2: what a stack remembers. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.

ALTER TABLE stacks ADD COLUMN last_version BIGINT NOT NULL DEFAULT 0;
