-- SPDX-License-Identifier: MIT
-- From version 4 to 5: rollback by before-images, live drift, automatic fixes. The columns and tables are explained in schema.sql.
-- New columns stand at the end of their tables there, too, with the same DEFAULT: that is where ALTER TABLE puts them.
ALTER TABLE findings ADD COLUMN changed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN flapping_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE findings ADD COLUMN calm_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX resources_named ON resources (type_id, name);
ALTER TABLE resources ADD COLUMN settled BIGINT NOT NULL DEFAULT 0;
