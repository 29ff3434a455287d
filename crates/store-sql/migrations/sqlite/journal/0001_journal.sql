-- The journal: the truth, append-only. The rowid is the entry's place; there is no other index, because every index
-- on the hot path costs an order of magnitude (reference: reliability-and-scale §5).
CREATE TABLE journal (
    seq         INTEGER PRIMARY KEY,  -- 1, 2, 3 … without gaps
    subject     BLOB    NOT NULL,     -- 1 ‖ card id, or 2 ‖ terminal number
    subject_seq INTEGER NOT NULL,     -- 1, 2, 3 … for each subject
    at          INTEGER NOT NULL,     -- milliseconds since 1970
    body        BLOB    NOT NULL      -- the entry in CBOR, its answer sealed
);

-- One row: which key this store was written under.
CREATE TABLE store (
    key_check   BLOB    NOT NULL
);
