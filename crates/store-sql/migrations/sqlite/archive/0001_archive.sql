-- What people look up, filled from the journal. The file may be deleted: it is filled again.
CREATE TABLE lines (
    seq           INTEGER PRIMARY KEY,  -- place in the journal
    at            INTEGER NOT NULL,
    rrn           TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    stan          INTEGER,
    batch         INTEGER,
    pan           TEXT,
    last_four     TEXT,
    card          BLOB,
    terminal      TEXT    NOT NULL,
    merchant      TEXT    NOT NULL,
    merchant_name TEXT    NOT NULL,
    amount        INTEGER,
    currency      INTEGER,
    code          TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    family        TEXT    NOT NULL,
    pin           TEXT    NOT NULL,
    try_charged   INTEGER NOT NULL,
    tries_left    INTEGER,
    tries_limit   INTEGER,
    locked_until  INTEGER,
    took_us       INTEGER,
    approval      TEXT,
    key           BLOB,                 -- of the transaction
    original      BLOB,                 -- key of the one that it acted on
    counted       INTEGER NOT NULL,     -- is it in the overview's figures?
    approved      INTEGER NOT NULL
);
-- Covers the figures of the overview; grows at its end, so it costs little to keep.
CREATE INDEX lines_at ON lines (at, counted, approved, code, family, took_us, terminal);
CREATE INDEX lines_declined ON lines (at, reason) WHERE counted = 1 AND approved = 0;
CREATE INDEX lines_rrn ON lines (rrn);
CREATE INDEX lines_card ON lines (card) WHERE card IS NOT NULL;
CREATE INDEX lines_terminal ON lines (terminal);

CREATE TABLE cards (
    id            BLOB    NOT NULL PRIMARY KEY,
    place         INTEGER NOT NULL UNIQUE, -- 2^52 + journal place of the last line; never used: order of registration
    pan           TEXT    NOT NULL,
    last_four     TEXT    NOT NULL,
    last_used     INTEGER,
    locked_until  INTEGER                  -- 0: until staff act
);
CREATE INDEX cards_locked ON cards (place) WHERE locked_until IS NOT NULL;

-- One row: how far the tables are filled, from the journal and from the register of cards.
CREATE TABLE progress (
    filled        INTEGER NOT NULL,
    registered    INTEGER NOT NULL
);
INSERT INTO progress (filled, registered) VALUES (0, 0);
