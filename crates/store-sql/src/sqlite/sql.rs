//! The SQL text of the main. Readers have both databases in one connection: `main` is the registers, `archive` is
//! attached; each writer has its own file alone.

pub(crate) const ATTACH_ARCHIVE: &str = "ATTACH DATABASE ?1 AS archive";

// The registers, read.
pub(crate) const CARD: &str = "SELECT record, reference, state FROM main.cards WHERE id = ?1";
pub(crate) const TERMINAL: &str = "SELECT record, state FROM main.terminals WHERE id = ?1";
pub(crate) const TERMINALS: &str = "SELECT id FROM main.terminals ORDER BY id";
pub(crate) const BATCH_TOTALS: &str =
    "SELECT totals, upto FROM main.batch_totals WHERE terminal = ?1 AND batch = ?2";
pub(crate) const CARD_OF: &str = "SELECT card FROM main.transaction_keys WHERE key = ?1";
pub(crate) const PAN: &str = "SELECT pan_sealed FROM main.cards WHERE id = ?1";
pub(crate) const OUTSTANDING: &str = "SELECT card, noted FROM main.outstanding";
pub(crate) const MARK: &str = "SELECT mark FROM main.checkpoint";

// The registers, written.
pub(crate) const REGISTER_CARD: &str =
    "INSERT INTO cards (id, pan_masked, pan_sealed, record, reference, state)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (id) DO UPDATE SET pan_sealed = excluded.pan_sealed, record = excluded.record,
        reference = excluded.reference";
pub(crate) const REGISTER_TERMINAL: &str = "INSERT INTO terminals (id, record, state) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET record = excluded.record";
pub(crate) const SAVE_CARD: &str = "UPDATE cards SET state = ?2 WHERE id = ?1";
pub(crate) const SAVE_TERMINAL: &str = "UPDATE terminals SET state = ?2 WHERE id = ?1";
pub(crate) const SAVE_BATCH: &str =
    "INSERT INTO batch_totals (terminal, batch, totals, upto) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (terminal, batch) DO UPDATE SET totals = excluded.totals, upto = excluded.upto";
pub(crate) const SAVE_KEY: &str = "INSERT INTO transaction_keys (key, card) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET card = excluded.card";
pub(crate) const SAVE_MARK: &str = "UPDATE checkpoint SET mark = ?1";
pub(crate) const NOTE_OUTSTANDING: &str = "INSERT INTO outstanding (card, noted) VALUES (?1, ?2)
    ON CONFLICT (card) DO UPDATE SET noted = max(noted, excluded.noted)";
pub(crate) const FORGET_OUTSTANDING: &str = "DELETE FROM outstanding WHERE card = ?1 AND noted = ?2";
