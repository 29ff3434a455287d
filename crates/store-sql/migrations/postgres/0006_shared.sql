-- What people decided about the system: streams of facts that are only appended to. The key is the optimistic lock.
CREATE TABLE IF NOT EXISTS pinward.book (
    stream        text  NOT NULL,
    seq           int4  NOT NULL,
    place         int8  NOT NULL,
    at            int8  NOT NULL,
    kind          text  NOT NULL,
    body          bytea NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE UNIQUE INDEX IF NOT EXISTS book_place ON pinward.book (place);
-- The last place that was given.
CREATE TABLE IF NOT EXISTS pinward.book_head (
    one           int4  NOT NULL PRIMARY KEY,  -- always 1
    last          int8  NOT NULL
);
INSERT INTO pinward.book_head (one, last) VALUES (1, 0) ON CONFLICT (one) DO NOTHING;
