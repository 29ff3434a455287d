-- One partition: the journal, the registers and the saved states of its cards and terminals. {schema} is p00, p01 …
CREATE SCHEMA IF NOT EXISTS {schema};

-- One row. Whoever appends moves `last` first and holds the row until the commit: places are given out in the order
-- of commits, so that a reader who knows a place misses nothing before it.
CREATE TABLE IF NOT EXISTS {schema}.head (
    one         int4  NOT NULL PRIMARY KEY,  -- always 1
    last        int8  NOT NULL               -- eighths of a millisecond since 2026, never going back
);
INSERT INTO {schema}.head (one, last) VALUES (1, 0) ON CONFLICT (one) DO NOTHING;

-- The journal: the truth, append-only. The primary key is the optimistic lock.
CREATE TABLE IF NOT EXISTS {schema}.journal (
    subject     bytea NOT NULL,  -- 1 ‖ card id, or 2 ‖ terminal number
    seq         int4  NOT NULL,  -- 1, 2, 3 … for each subject
    place       int8  NOT NULL,  -- head.last × partitions + partition
    at          int8  NOT NULL,  -- milliseconds since 1970
    key         bytea,           -- of the transaction, if it is one
    body        bytea NOT NULL,  -- the entry in CBOR, its answer sealed
    PRIMARY KEY (subject, seq)
);
CREATE UNIQUE INDEX IF NOT EXISTS journal_place ON {schema}.journal (place);
CREATE INDEX IF NOT EXISTS journal_key ON {schema}.journal (key) WHERE key IS NOT NULL;

-- Who is registered, and which registration is the newest: an append names the version that it was decided under.
CREATE TABLE IF NOT EXISTS {schema}.subjects (
    subject     bytea NOT NULL PRIMARY KEY,
    version     int8  NOT NULL
);

CREATE TABLE IF NOT EXISTS {schema}.cards (
    id          bytea NOT NULL PRIMARY KEY,
    n           int8  NOT NULL,  -- order of registration
    pan_masked  text  NOT NULL,
    pan_sealed  bytea NOT NULL,
    record      bytea NOT NULL,  -- CBOR
    reference   bytea,           -- CBOR, sealed
    state       bytea NOT NULL,  -- CBOR: the fold up to `seq`, saved now and then
    seq         int4  NOT NULL
);
CREATE INDEX IF NOT EXISTS cards_n ON {schema}.cards (n);

CREATE TABLE IF NOT EXISTS {schema}.terminals (
    id          bytea NOT NULL PRIMARY KEY,
    record      bytea NOT NULL,
    state       bytea NOT NULL,
    seq         int4  NOT NULL
);
