-- Cards of other issuers for which something may still have to be said to their issuer. A row is written before the
-- journal entry that makes it so, and goes when the card was found to have nothing left.
CREATE TABLE outstanding (
    card        BLOB    NOT NULL PRIMARY KEY,
    noted       INTEGER NOT NULL
) WITHOUT ROWID;
