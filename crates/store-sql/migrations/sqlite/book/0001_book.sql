-- What people decided about the system: streams of facts that are only appended to.
CREATE TABLE book (
    place       INTEGER NOT NULL PRIMARY KEY,
    stream      TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    body        BLOB    NOT NULL
);
-- The optimistic lock: one fact has a number.
CREATE UNIQUE INDEX book_stream ON book (stream, seq);
