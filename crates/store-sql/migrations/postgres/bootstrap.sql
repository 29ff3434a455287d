-- What every host needs before it may look at anything else. Run by each host that meets an empty database, several at
-- once perhaps: every statement may be run again.
CREATE SCHEMA IF NOT EXISTS pinward;

-- One row, made by the first host: which key this store was written under, how it was cut, how far its tables are
-- migrated, and the number of the last registered card.
CREATE TABLE IF NOT EXISTS pinward.store (
    one         int4  NOT NULL PRIMARY KEY,  -- always 1
    key_check   bytea NOT NULL,
    partitions  int4  NOT NULL,
    version     int4  NOT NULL,
    registered  int8  NOT NULL
);

-- Who does what only one host may do at a time, and until when; the database's clock decides.
CREATE TABLE IF NOT EXISTS pinward.leases (
    name        text        NOT NULL PRIMARY KEY,
    holder      text        NOT NULL,
    expires     timestamptz NOT NULL
);
