-- Up to here no entry will come any more, in the ticks of `last`: whoever follows the journals of all partitions in one
-- order raises it where nothing is appended, and appends go on after it.
ALTER TABLE {schema}.head ADD COLUMN IF NOT EXISTS promised int8 NOT NULL DEFAULT 0;
