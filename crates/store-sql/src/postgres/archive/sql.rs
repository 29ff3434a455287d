//! The SQL text of the look-up tables. One schema for all partitions: people ask about all cards at once.

/// The columns of a line, in the order in which [`super::lists::row`] reads them.
macro_rules! columns {
    () => {
        "l.seq, l.at, l.rrn, l.kind, l.stan, l.batch, l.pan, l.card, l.terminal, l.merchant, l.merchant_name,
         l.amount, l.currency, l.code, l.reason, l.family, l.pin, l.try_charged, l.tries_left, l.tries_limit,
         l.locked_until, l.took_us"
    };
}

// Filling. All of a round is one transaction of the lease's holder.
pub(crate) const CURSORS: &str = "SELECT partition, place FROM pinward.filled";
pub(crate) const PROGRESS: &str = "SELECT entries, registered FROM pinward.progress";
pub(crate) const INSERT_LINES: &str = "
    INSERT INTO pinward.lines (filled, seq, at, rrn, kind, stan, batch, pan, last_four, card, terminal, merchant,
        merchant_name, amount, currency, code, reason, family, pin, try_charged, tries_left, tries_limit,
        locked_until, took_us, approval, key, original, counted, approved)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::text[], $6::int8[], $7::int8[],
        $8::text[], $9::text[], $10::bytea[], $11::text[], $12::text[], $13::text[], $14::int8[], $15::int8[],
        $16::text[], $17::text[], $18::text[], $19::text[], $20::bool[], $21::int8[], $22::int8[], $23::int8[],
        $24::int8[], $25::text[], $26::bytea[], $27::bytea[], $28::bool[], $29::bool[])
    ON CONFLICT (seq) DO NOTHING";
pub(crate) const USE_CARDS: &str = "
    UPDATE pinward.cards AS c SET place = r.place, last_used = r.at
    FROM unnest($1::bytea[], $2::int8[], $3::int8[]) AS r(id, place, at) WHERE c.id = r.id";
pub(crate) const LOCK_CARDS: &str = "
    UPDATE pinward.cards AS c SET locked_until = r.until
    FROM unnest($1::bytea[], $2::int8[]) AS r(id, until) WHERE c.id = r.id";
pub(crate) const INSERT_CARDS: &str = "
    INSERT INTO pinward.cards (place, id, pan, last_four)
    SELECT * FROM unnest($1::int8[], $2::bytea[], $3::text[], $4::text[])
    ON CONFLICT (id) DO NOTHING";
pub(crate) const SET_CURSORS: &str = "
    INSERT INTO pinward.filled (partition, place) SELECT * FROM unnest($1::int4[], $2::int8[])
    ON CONFLICT (partition) DO UPDATE SET place = excluded.place";
pub(crate) const SET_ENTRIES: &str = "UPDATE pinward.progress SET entries = $1 WHERE one = 1";
pub(crate) const SET_REGISTERED: &str = "UPDATE pinward.progress SET registered = $1 WHERE one = 1";

// Lists.
pub(crate) const LINES: &str = concat!("SELECT ", columns!(), " FROM pinward.lines l WHERE ");
pub(crate) const LINES_END: &str = " ORDER BY l.seq DESC LIMIT ";
pub(crate) const CARDS: &str = "SELECT id, place, last_used FROM pinward.cards WHERE ";
pub(crate) const CARDS_END: &str = " ORDER BY place DESC LIMIT ";
pub(crate) const CARD_USED: &str = "SELECT last_used FROM pinward.cards WHERE id = $1";
pub(crate) const TERMINAL_SEEN: &str =
    "SELECT at FROM pinward.lines WHERE terminal = $1 ORDER BY seq DESC LIMIT 1";
pub(crate) const NEW_LINES: &str = concat!(
    "SELECT ",
    columns!(),
    ", l.filled FROM pinward.lines l WHERE l.filled > $1 ORDER BY l.filled LIMIT $2"
);
/// How far the tables are, in one look.
pub(crate) const FILLED: &str = "SELECT p.entries, f.partition, f.place
    FROM pinward.progress p LEFT JOIN pinward.filled f ON true";

// One transaction.
pub(crate) const BY_RRN: &str = concat!(
    "SELECT ",
    columns!(),
    ", l.approval, l.key, l.original FROM pinward.lines l WHERE l.rrn = $1 ORDER BY l.seq DESC LIMIT 1"
);
pub(crate) const ORIGINAL: &str = "SELECT rrn FROM pinward.lines
    WHERE card = $1 AND key = $2 AND kind <> 'reversal' AND seq <> $3 ORDER BY seq DESC LIMIT 1";
pub(crate) const FOLLOWED_BY: &str =
    "SELECT rrn FROM pinward.lines WHERE card = $1 AND original = $2 AND seq <> $3 ORDER BY seq";
pub(crate) const CARD_BEFORE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM pinward.lines l WHERE l.card = $1 AND l.seq <= $2 ORDER BY l.seq DESC LIMIT $3"
);
pub(crate) const CARD_AFTER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM pinward.lines l WHERE l.card = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3"
);
pub(crate) const TERMINAL_BEFORE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM pinward.lines l WHERE l.terminal = $1 AND l.seq <= $2 ORDER BY l.seq DESC LIMIT $3"
);
pub(crate) const TERMINAL_AFTER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM pinward.lines l WHERE l.terminal = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3"
);

// Overview. A window is after its start, up to and with its end.
pub(crate) const COUNTED: &str = "SELECT at, counted, approved, code, family, took_us, terminal, seq
    FROM pinward.lines WHERE (at > $1 OR (at = $1 AND seq > $2)) AND at >= $1 AND at <= $3
    ORDER BY at, seq LIMIT $4";
pub(crate) const CARDS_LOCKED: &str = "SELECT count(*) FROM pinward.cards
    WHERE locked_until IS NOT NULL AND (locked_until = 0 OR locked_until > $1)";
pub(crate) const LAST_DECLINES: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM pinward.lines l WHERE l.counted AND NOT l.approved AND l.at <= $1 ORDER BY l.at DESC, l.seq DESC LIMIT $2"
);

// What needs a person: object, card, count, and the latest line's moment and RRN.
pub(crate) const WRONG_PINS_AT_TERMINAL: &str = "
    SELECT w.object, w.card, w.n, l.at, l.rrn FROM (
        SELECT terminal AS object, NULL::bytea AS card, count(*) AS n, max(seq) AS last FROM pinward.lines
        WHERE counted AND NOT approved AND at > $1 AND at <= $2 AND try_charged
        GROUP BY terminal HAVING count(*) >= 3 AND count(DISTINCT card) >= 3) w
    JOIN pinward.lines l ON l.seq = w.last";
pub(crate) const REASON_AT_TERMINAL: &str = "
    SELECT w.object, w.card, w.n, l.at, l.rrn FROM (
        SELECT terminal AS object, NULL::bytea AS card, count(*) AS n, max(seq) AS last FROM pinward.lines
        WHERE counted AND NOT approved AND at > $1 AND at <= $2 AND reason = $3 AND terminal <> ''
        GROUP BY terminal HAVING count(*) >= 2) w
    JOIN pinward.lines l ON l.seq = w.last";
pub(crate) const LOCKED_CARDS: &str = "
    SELECT l.pan, w.card, w.n, l.at, l.rrn FROM (
        SELECT b.card, count(*) AS n, max(b.seq) AS last
        FROM pinward.lines b JOIN pinward.cards c ON c.id = b.card
        WHERE b.counted AND NOT b.approved AND b.at > $1 AND b.at <= $2
          AND b.reason IN ('pin-tries-exceeded', 'card-locked')
          AND c.locked_until IS NOT NULL AND (c.locked_until = 0 OR c.locked_until > $2)
        GROUP BY b.card) w
    JOIN pinward.lines l ON l.seq = w.last";
pub(crate) const WRONG_PINS_ON_CARD: &str = "
    SELECT l.pan, w.card, w.n, l.at, l.rrn FROM (
        SELECT b.card, count(*) AS n, max(b.seq) AS last
        FROM pinward.lines b JOIN pinward.cards c ON c.id = b.card
        WHERE b.counted AND NOT b.approved AND b.at > $1 AND b.at <= $2 AND b.try_charged
          AND NOT (c.locked_until IS NOT NULL AND (c.locked_until = 0 OR c.locked_until > $2))
        GROUP BY b.card HAVING count(*) >= 2) w
    JOIN pinward.lines l ON l.seq = w.last";
