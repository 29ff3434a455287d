-- What a host needs to know that its memory is up to date: one look at the head tells whether anybody else appended.
ALTER TABLE {schema}.head ADD COLUMN IF NOT EXISTS writer int8 NOT NULL DEFAULT 0;        -- who appended last
ALTER TABLE {schema}.head ADD COLUMN IF NOT EXISTS run int8 NOT NULL DEFAULT 0;           -- `last` before that writer's first of them in a row
ALTER TABLE {schema}.head ADD COLUMN IF NOT EXISTS registration int8 NOT NULL DEFAULT 0;  -- number of the last registration in here

ALTER TABLE {schema}.subjects ADD COLUMN IF NOT EXISTS registration int8 NOT NULL DEFAULT 0;
-- Those registered again: whoever has them in memory must read them again.
CREATE INDEX IF NOT EXISTS subjects_again ON {schema}.subjects (registration) WHERE version > 1;
