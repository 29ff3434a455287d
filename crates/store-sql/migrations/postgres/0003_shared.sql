-- One row while and after an embedded store was moved here: how far each part is. No host opens a store that is not all
-- there yet.
CREATE TABLE IF NOT EXISTS pinward.transfer (
    one         int4  NOT NULL PRIMARY KEY,  -- always 1
    cards       int8  NOT NULL,              -- order of registration of the last card that is here
    terminals   bytea NOT NULL,              -- number of the last terminal that is here
    entries     int8  NOT NULL,              -- journal entries that are here
    done        bool  NOT NULL
);
