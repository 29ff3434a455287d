-- Who is registered, and each one's state as of the last checkpoint. Everything decided since then is in the journal
-- after `checkpoint.mark`.
CREATE TABLE cards (
    n           INTEGER PRIMARY KEY,  -- order of registration
    id          BLOB    NOT NULL UNIQUE,
    pan_masked  TEXT    NOT NULL,
    pan_sealed  BLOB    NOT NULL,
    record      BLOB    NOT NULL,     -- CBOR
    reference   BLOB,                 -- CBOR, sealed
    state       BLOB    NOT NULL      -- CBOR
);

CREATE TABLE terminals (
    id          BLOB    NOT NULL PRIMARY KEY,
    record      BLOB    NOT NULL,     -- CBOR
    state       BLOB    NOT NULL      -- CBOR
) WITHOUT ROWID;

-- Totals of batches; `upto` is the journal place of the last movement in them.
CREATE TABLE batch_totals (
    terminal    BLOB    NOT NULL,
    batch       INTEGER NOT NULL,
    totals      BLOB    NOT NULL,     -- CBOR
    upto        INTEGER NOT NULL,
    PRIMARY KEY (terminal, batch)
) WITHOUT ROWID;

-- Whose card a transaction was about: UnionPay reversals carry no card number.
CREATE TABLE transaction_keys (
    key         BLOB    NOT NULL PRIMARY KEY,
    card        BLOB    NOT NULL
) WITHOUT ROWID;

-- One row: everything up to this journal place is in the tables above.
CREATE TABLE checkpoint (
    mark        INTEGER NOT NULL
);
INSERT INTO checkpoint (mark) VALUES (0);
