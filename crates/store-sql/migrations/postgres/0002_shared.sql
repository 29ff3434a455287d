-- One row: the next number for references (DE 37, 38) that no host has taken. Hosts take them in blocks.
CREATE TABLE IF NOT EXISTS pinward.numbers (
    one         int4  NOT NULL PRIMARY KEY,  -- always 1
    next        int8  NOT NULL
);
INSERT INTO pinward.numbers (one, next) VALUES (1, 0) ON CONFLICT (one) DO NOTHING;
