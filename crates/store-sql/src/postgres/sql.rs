//! The SQL text of journal and registers. Only what PostgreSQL, Citus, YugabyteDB and CockroachDB have in common: keyed
//! rows, `ON CONFLICT`, `unnest` over parameters, data-modifying `WITH`.
//!
//! Every statement is about one partition; its schema's name is part of the text, so each partition has texts of its
//! own, made once.

/// Places count eighths of a millisecond since 2026-01-01T00:00:00Z, so that they have fifteen digits for decades: exact
/// in JavaScript, and never taken for a card number.
const TICKS: &str = "(extract(epoch FROM clock_timestamp()) * 8000)::int8 - 14137804800000";

/// The statements of one partition.
pub(crate) struct Texts {
    /// Appends a batch; returns what was appended. An entry is left out when its number is taken, when the one before
    /// it is missing, or when its subject was registered anew.
    pub(crate) append: String,
    /// Entries by subject and number.
    pub(crate) written: String,
    pub(crate) entry: String,
    pub(crate) entries_after: String,
    pub(crate) backlog: String,
    pub(crate) head: String,
    /// Version and newer entries of a subject.
    pub(crate) newer: String,
    pub(crate) card: String,
    pub(crate) terminal: String,
    pub(crate) terminals: String,
    pub(crate) terminals_count: String,
    pub(crate) cards_after: String,
    pub(crate) by_key: String,
    pub(crate) by_key_range: String,
    pub(crate) register_subjects: String,
    pub(crate) register_cards: String,
    pub(crate) register_terminals: String,
    pub(crate) save_cards: String,
    pub(crate) save_terminals: String,
}

impl Texts {
    pub(crate) fn new(partition: u16, partitions: u16) -> Self {
        let schema = schema(partition);
        let text = |template: &str| {
            template
                .replace("{p}", &schema)
                .replace("{ticks}", TICKS)
                .replace("{partition}", &partition.to_string())
                .replace("{partitions}", &partitions.to_string())
        };
        Self {
            append: text(APPEND),
            written: text(WRITTEN),
            entry: text("SELECT body FROM {p}.journal WHERE place = $1"),
            entries_after: text(
                "SELECT place, body FROM {p}.journal WHERE place > $1 ORDER BY place LIMIT $2",
            ),
            backlog: text("SELECT count(*) FROM {p}.journal WHERE place > $1"),
            head: text("SELECT last * {partitions} + {partition} FROM {p}.head WHERE one = 1"),
            newer: text(NEWER),
            card: text(CARD),
            terminal: text(TERMINAL),
            terminals: text("SELECT id FROM {p}.terminals"),
            terminals_count: text("SELECT count(*) FROM {p}.terminals"),
            cards_after: text("SELECT n, id, pan_masked FROM {p}.cards WHERE n > $1 AND n <= $2"),
            by_key: text("SELECT place, body FROM {p}.journal WHERE key = $1"),
            by_key_range: text("SELECT place, body FROM {p}.journal WHERE key >= $1 AND key < $2"),
            register_subjects: text(REGISTER_SUBJECTS),
            register_cards: text(REGISTER_CARDS),
            register_terminals: text(REGISTER_TERMINALS),
            save_cards: text(&SAVE.replace("{table}", "cards")),
            save_terminals: text(&SAVE.replace("{table}", "terminals")),
        }
    }
}

/// The name of a partition's schema.
pub(crate) fn schema(partition: u16) -> String {
    format!("p{partition:02}")
}

/// Moving the head waits for whoever appends to the same partition just now, and gives places in the order of commits.
/// Scalar subqueries, not EXISTS: that may be planned as a hash over the whole journal.
const APPEND: &str = "
    WITH head AS (
        UPDATE {p}.head SET last = greatest(last, {ticks}) + $1 WHERE one = 1 RETURNING last - $1 AS base
    )
    INSERT INTO {p}.journal (subject, seq, place, at, key, body)
    SELECT r.subject, r.seq, ((SELECT base FROM head) + r.n) * {partitions} + {partition}, r.at, r.key, r.body
    FROM unnest($2::int8[], $3::bytea[], $4::int4[], $5::int8[], $6::int8[], $7::bytea[], $8::bytea[])
        AS r(n, subject, seq, version, at, key, body)
    WHERE (SELECT s.version FROM {p}.subjects s WHERE s.subject = r.subject) = r.version
      AND (r.seq = 1 OR (
            SELECT b.seq FROM {p}.journal b WHERE b.subject = r.subject AND b.seq = r.seq - 1) IS NOT NULL)
    ON CONFLICT (subject, seq) DO NOTHING
    RETURNING subject, place";

const WRITTEN: &str = "
    SELECT j.subject, j.place, j.body
    FROM unnest($1::bytea[], $2::int4[]) AS r(subject, seq)
    JOIN {p}.journal j ON j.subject = r.subject AND j.seq = r.seq";

const NEWER: &str = "
    SELECT s.version, j.seq, j.place, j.body
    FROM {p}.subjects s LEFT JOIN {p}.journal j ON j.subject = s.subject AND j.seq > $2
    WHERE s.subject = $1 ORDER BY j.seq LIMIT $3";

const CARD: &str = "
    SELECT s.version, c.record, c.reference, c.state, c.seq
    FROM {p}.subjects s JOIN {p}.cards c ON c.id = $2 WHERE s.subject = $1";

const TERMINAL: &str = "
    SELECT s.version, t.record, t.state, t.seq
    FROM {p}.subjects s JOIN {p}.terminals t ON t.id = $2 WHERE s.subject = $1";

const REGISTER_SUBJECTS: &str = "
    INSERT INTO {p}.subjects (subject, version)
    SELECT r.subject, 1 FROM unnest($1::bytea[]) AS r(subject)
    ON CONFLICT (subject) DO UPDATE SET version = subjects.version + 1";

const REGISTER_CARDS: &str = "
    INSERT INTO {p}.cards (n, id, pan_masked, pan_sealed, record, reference, state, seq)
    SELECT r.n, r.id, r.pan_masked, r.pan_sealed, r.record, r.reference, r.state, 0
    FROM unnest($1::int8[], $2::bytea[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[])
        AS r(n, id, pan_masked, pan_sealed, record, reference, state)
    ON CONFLICT (id) DO UPDATE SET pan_sealed = excluded.pan_sealed, record = excluded.record,
        reference = excluded.reference";

const REGISTER_TERMINALS: &str = "
    INSERT INTO {p}.terminals (id, record, state, seq)
    SELECT r.id, r.record, r.state, 0
    FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS r(id, record, state)
    ON CONFLICT (id) DO UPDATE SET record = excluded.record";

/// A state that another host saved meanwhile and is newer stays.
const SAVE: &str = "
    UPDATE {p}.{table} AS c SET state = r.state, seq = r.seq
    FROM unnest($1::bytea[], $2::bytea[], $3::int4[]) AS r(id, state, seq)
    WHERE c.id = r.id AND c.seq < r.seq";

// What all partitions share.
pub(crate) const STORE: &str = "SELECT key_check, partitions, version FROM pinward.store";
pub(crate) const NEW_STORE: &str =
    "INSERT INTO pinward.store (one, key_check, partitions, version, registered) VALUES (1, $1, $2, 0, 0)
    ON CONFLICT (one) DO NOTHING";
pub(crate) const SET_VERSION: &str = "UPDATE pinward.store SET version = $1 WHERE one = 1 AND version < $1";
/// Numbers for newly registered cards; held until the commit, so that all numbers up to the last are there.
pub(crate) const TAKE_NUMBERS: &str =
    "UPDATE pinward.store SET registered = registered + $1 WHERE one = 1 RETURNING registered - $1";
pub(crate) const REGISTERED: &str = "SELECT registered FROM pinward.store WHERE one = 1";

/// For references: whoever has moved `next` over them has them.
pub(crate) const CLAIM_NUMBERS: &str =
    "UPDATE pinward.numbers SET next = next + $1 WHERE one = 1 RETURNING next - $1";

// Leases. The holder's own lease is always free to it.
pub(crate) const NEW_LEASE: &str =
    "INSERT INTO pinward.leases (name, holder, expires) VALUES ($1, '', '2000-01-01')
    ON CONFLICT (name) DO NOTHING";
pub(crate) const TAKE_LEASE: &str =
    "UPDATE pinward.leases SET holder = $2, expires = clock_timestamp() + $3 * interval '1 millisecond'
    WHERE name = $1 AND (holder = $2 OR expires < clock_timestamp())";
/// Only what is still ours; the row is held until the commit, so nobody takes it meanwhile.
pub(crate) const KEEP_LEASE: &str =
    "UPDATE pinward.leases SET expires = clock_timestamp() + $3 * interval '1 millisecond'
    WHERE name = $1 AND holder = $2 AND expires > clock_timestamp()";
pub(crate) const DROP_LEASE: &str =
    "UPDATE pinward.leases SET expires = '2000-01-01' WHERE name = $1 AND holder = $2";
