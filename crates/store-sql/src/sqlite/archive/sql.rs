//! The SQL text of the archive.

/// The columns of a line, in the order in which [`super::lists::row`] reads them.
macro_rules! columns {
    () => {
        "l.seq, l.at, l.rrn, l.kind, l.stan, l.batch, l.pan, l.card, l.terminal, l.merchant, l.merchant_name,
         l.amount, l.currency, l.code, l.reason, l.family, l.pin, l.try_charged, l.tries_left, l.tries_limit,
         l.locked_until, l.took_us"
    };
}

// Filling.
pub(crate) const FILLED: &str = "SELECT filled FROM progress";
pub(crate) const REGISTERED: &str = "SELECT registered FROM progress";
pub(crate) const SET_FILLED: &str = "UPDATE progress SET filled = ?1";
pub(crate) const SET_REGISTERED: &str = "UPDATE progress SET registered = ?1";
pub(crate) const INSERT_LINE: &str = "INSERT INTO lines (seq, at, rrn, kind, stan, batch, pan, card, terminal,
        merchant, merchant_name, amount, currency, code, reason, family, pin, try_charged, tries_left, tries_limit,
        locked_until, took_us, last_four, approval, key, original, counted, approved)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
        ?23, ?24, ?25, ?26, ?27, ?28)";
pub(crate) const USE_CARD: &str = "UPDATE cards SET place = ?2, last_used = ?3 WHERE id = ?1";
pub(crate) const LOCK_CARD: &str = "UPDATE cards SET locked_until = ?2 WHERE id = ?1";
pub(crate) const REGISTERED_AFTER: &str =
    "SELECT n, id, pan_masked FROM main.cards WHERE n > ?1 ORDER BY n LIMIT ?2";
pub(crate) const INSERT_CARD: &str = "INSERT INTO cards (id, place, pan, last_four) VALUES (?1, ?2, ?3, ?4)";

// Lists.
pub(crate) const LINES: &str = concat!("SELECT ", columns!(), " FROM archive.lines l WHERE ");
pub(crate) const LINES_END: &str = " ORDER BY l.seq DESC LIMIT ";
pub(crate) const CARDS: &str = "SELECT id, place, last_used FROM archive.cards WHERE ";
pub(crate) const CARDS_END: &str = " ORDER BY place DESC LIMIT ";
pub(crate) const CARD_USED: &str = "SELECT last_used FROM archive.cards WHERE id = ?1";
pub(crate) const TERMINAL_SEEN: &str =
    "SELECT at FROM archive.lines WHERE terminal = ?1 ORDER BY seq DESC LIMIT 1";
pub(crate) const NEW_LINES: &str =
    concat!("SELECT ", columns!(), " FROM archive.lines l WHERE l.seq > ?1 ORDER BY l.seq LIMIT ?2");
pub(crate) const PROGRESS: &str = "SELECT filled FROM archive.progress";

// One transaction.
pub(crate) const BY_RRN: &str = concat!(
    "SELECT ",
    columns!(),
    ", l.approval, l.key, l.original FROM archive.lines l WHERE l.rrn = ?1 ORDER BY l.seq DESC LIMIT 1"
);
pub(crate) const ORIGINAL: &str = "SELECT rrn FROM archive.lines
    WHERE card = ?1 AND key = ?2 AND kind <> 'reversal' AND seq <> ?3 ORDER BY seq DESC LIMIT 1";
pub(crate) const FOLLOWED_BY: &str =
    "SELECT rrn FROM archive.lines WHERE card = ?1 AND original = ?2 AND seq <> ?3 ORDER BY seq";
pub(crate) const CARD_BEFORE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM archive.lines l WHERE l.card = ?1 AND l.seq <= ?2 ORDER BY l.seq DESC LIMIT ?3"
);
pub(crate) const CARD_AFTER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM archive.lines l WHERE l.card = ?1 AND l.seq > ?2 ORDER BY l.seq LIMIT ?3"
);
pub(crate) const TERMINAL_BEFORE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM archive.lines l WHERE l.terminal = ?1 AND l.seq <= ?2 ORDER BY l.seq DESC LIMIT ?3"
);
pub(crate) const TERMINAL_AFTER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM archive.lines l WHERE l.terminal = ?1 AND l.seq > ?2 ORDER BY l.seq LIMIT ?3"
);

// Overview. The window is after ?1, up to and with ?2.
pub(crate) const COUNTED: &str = "SELECT at, counted, approved, code, family, took_us, terminal
    FROM archive.lines INDEXED BY lines_at WHERE at > ?1 AND at <= ?2";
pub(crate) const TERMINALS_REGISTERED: &str = "SELECT count(*) FROM main.terminals";
pub(crate) const CARDS_LOCKED: &str = "SELECT count(*) FROM archive.cards WHERE locked_until IS NOT NULL AND (locked_until = 0 OR locked_until > ?1)";
pub(crate) const LAST_DECLINES: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM archive.lines l INDEXED BY lines_declined WHERE l.counted = 1 AND l.approved = 0 AND l.at <= ?1
      ORDER BY l.at DESC, l.seq DESC LIMIT ?2"
);

// What needs a person: object, card, count, and the latest line's moment and RRN. With a bare max(), SQLite takes the
// other columns from the row that has it (https://sqlite.org/lang_select.html#bareagg).
pub(crate) const WRONG_PINS_AT_TERMINAL: &str = "SELECT terminal, NULL, count(*), at, rrn, max(seq)
    FROM archive.lines INDEXED BY lines_declined
    WHERE counted = 1 AND approved = 0 AND at > ?1 AND at <= ?2 AND try_charged = 1
    GROUP BY terminal HAVING count(*) >= 3 AND count(DISTINCT card) >= 3";
pub(crate) const REASON_AT_TERMINAL: &str = "SELECT terminal, NULL, count(*), at, rrn, max(seq)
    FROM archive.lines INDEXED BY lines_declined
    WHERE counted = 1 AND approved = 0 AND at > ?1 AND at <= ?2 AND reason = ?3 AND terminal <> ''
    GROUP BY terminal HAVING count(*) >= 2";
pub(crate) const LOCKED_CARDS: &str = "SELECT l.pan, l.card, count(*), l.at, l.rrn, max(l.seq)
    FROM archive.lines l INDEXED BY lines_declined JOIN archive.cards c ON c.id = l.card
    WHERE l.counted = 1 AND l.approved = 0 AND l.at > ?1 AND l.at <= ?2
      AND l.reason IN ('pin-tries-exceeded', 'card-locked')
      AND c.locked_until IS NOT NULL AND (c.locked_until = 0 OR c.locked_until > ?2)
    GROUP BY l.card";
pub(crate) const WRONG_PINS_ON_CARD: &str = "SELECT l.pan, l.card, count(*), l.at, l.rrn, max(l.seq)
    FROM archive.lines l INDEXED BY lines_declined JOIN archive.cards c ON c.id = l.card
    WHERE l.counted = 1 AND l.approved = 0 AND l.at > ?1 AND l.at <= ?2 AND l.try_charged = 1
      AND NOT (c.locked_until IS NOT NULL AND (c.locked_until = 0 OR c.locked_until > ?2))
    GROUP BY l.card HAVING count(*) >= 2";
