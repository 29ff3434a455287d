-- What people look up, filled from the journals by one host at a time. May be emptied: it is filled again.
CREATE TABLE IF NOT EXISTS pinward.lines (
    seq           int8    NOT NULL PRIMARY KEY,  -- place in the journal
    filled        int8    NOT NULL,              -- grows in the order of filling: what followers read by
    at            int8    NOT NULL,
    rrn           text    NOT NULL,
    kind          text    NOT NULL,
    stan          int8,
    batch         int8,
    pan           text,
    last_four     text,
    card          bytea,
    terminal      text    NOT NULL,
    merchant      text    NOT NULL,
    merchant_name text    NOT NULL,
    amount        int8,
    currency      int8,
    code          text    NOT NULL,
    reason        text    NOT NULL,
    family        text    NOT NULL,
    pin           text    NOT NULL,
    try_charged   bool    NOT NULL,
    tries_left    int8,
    tries_limit   int8,
    locked_until  int8,
    took_us       int8,
    approval      text,
    key           bytea,                         -- of the transaction
    original      bytea,                         -- key of the one that it acted on
    counted       bool    NOT NULL,              -- is it in the overview's figures?
    approved      bool    NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS lines_filled ON pinward.lines (filled);
CREATE INDEX IF NOT EXISTS lines_at ON pinward.lines (at, seq);
CREATE INDEX IF NOT EXISTS lines_declined ON pinward.lines (at, seq) WHERE counted AND NOT approved;
CREATE INDEX IF NOT EXISTS lines_rrn ON pinward.lines (rrn);
CREATE INDEX IF NOT EXISTS lines_card ON pinward.lines (card, seq) WHERE card IS NOT NULL;
CREATE INDEX IF NOT EXISTS lines_terminal ON pinward.lines (terminal, seq);

CREATE TABLE IF NOT EXISTS pinward.cards (
    id            bytea NOT NULL PRIMARY KEY,
    place         int8  NOT NULL,  -- journal place of the last line; never used: order of registration, far below
    pan           text  NOT NULL,
    last_four     text  NOT NULL,
    last_used     int8,
    locked_until  int8             -- 0: until staff act
);
CREATE INDEX IF NOT EXISTS cards_place ON pinward.cards (place);
CREATE INDEX IF NOT EXISTS cards_locked ON pinward.cards (place) WHERE locked_until IS NOT NULL;

-- How far the tables are filled from each partition's journal.
CREATE TABLE IF NOT EXISTS pinward.filled (
    partition     int4  NOT NULL PRIMARY KEY,
    place         int8  NOT NULL
);
-- One row: number of entries that were read, and the last registered card that is in the list.
CREATE TABLE IF NOT EXISTS pinward.progress (
    one           int4  NOT NULL PRIMARY KEY,  -- always 1
    entries       int8  NOT NULL,
    registered    int8  NOT NULL
);
INSERT INTO pinward.progress (one, entries, registered) VALUES (1, 0, 0) ON CONFLICT (one) DO NOTHING;
INSERT INTO pinward.leases (name, holder, expires) VALUES ('fill', '', '2000-01-01') ON CONFLICT (name) DO NOTHING;
