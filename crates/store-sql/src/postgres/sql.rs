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
    /// Appends a batch; returns the head, and what was appended. An entry is left out when its number is taken, when the
    /// one before it is missing, or when its subject was registered anew.
    pub(crate) append: String,
    /// Appends a batch of which nothing can be left out, if the head is as expected; returns the base of its places.
    pub(crate) append_next: String,
    /// The head, and what others appended since it was looked at last.
    pub(crate) look: String,
    /// Who was registered again.
    pub(crate) again: String,
    /// Saved states of cards, with what their journals have more.
    pub(crate) cards: String,
    /// Those of terminals.
    pub(crate) terminal_states: String,
    pub(crate) set_registration: String,
    /// Entries by subject and number.
    pub(crate) written: String,
    pub(crate) entry: String,
    pub(crate) entries_after: String,
    pub(crate) backlog: String,
    pub(crate) head: String,
    /// The head, and up to where nothing more comes, in ticks.
    pub(crate) promised: String,
    /// Promises that nothing more comes up to these ticks; returns the promise.
    pub(crate) promise: String,
    /// The first of the entries up to a place that was decided at a moment or later.
    pub(crate) first_since: String,
    /// Newer entries of a subject.
    pub(crate) newer: String,
    pub(crate) pan: String,
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
            append_next: text(APPEND_NEXT),
            look: text(LOOK),
            again: text(AGAIN),
            cards: text(&STATES.replace("{table}", "cards").replace("{reference}", "t.reference")),
            terminal_states: text(
                &STATES.replace("{table}", "terminals").replace("{reference}", "NULL::bytea"),
            ),
            set_registration: text("UPDATE {p}.head SET registration = $1 WHERE one = 1"),
            written: text(WRITTEN),
            entry: text("SELECT body FROM {p}.journal WHERE place = $1"),
            entries_after: text(
                "SELECT place, body FROM {p}.journal WHERE place > $1 ORDER BY place LIMIT $2",
            ),
            backlog: text("SELECT count(*) FROM {p}.journal WHERE place > $1"),
            head: text("SELECT last * {partitions} + {partition} FROM {p}.head WHERE one = 1"),
            promised: text("SELECT last, greatest(last, promised) FROM {p}.head WHERE one = 1"),
            promise: text(
                "UPDATE {p}.head SET promised = greatest(last, promised, $1) WHERE one = 1
                RETURNING greatest(last, promised)",
            ),
            first_since: text("SELECT min(place) FROM {p}.journal WHERE place < $1 AND at >= $2"),
            newer: text(NEWER),
            pan: text("SELECT pan_sealed FROM {p}.cards WHERE id = $1"),
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

/// The same count from milliseconds since 1970.
pub(crate) const TICKS_PER_MS: i64 = 8;
pub(crate) const TICKS_BEGIN_MS: i64 = 1_767_225_600_000;
/// How many entries were moved here from an embedded store; their places are smaller than any clock gives.
pub(crate) const MOVED_HERE: &str = "SELECT entries FROM pinward.transfer WHERE one = 1";

/// Moving the head waits for whoever appends to the same partition just now, and gives places in the order of commits.
/// Scalar subqueries, not EXISTS: that may be planned as a hash over the whole journal.
const APPEND: &str = "
    WITH head AS (
        UPDATE {p}.head SET last = greatest(last, promised, {ticks}) + $1,
            run = CASE WHEN writer = $2 THEN run ELSE last END, writer = $2
        WHERE one = 1 RETURNING last, last - $1 AS base, run
    ), put AS (
        INSERT INTO {p}.journal (subject, seq, place, at, key, body)
        SELECT r.subject, r.seq, ((SELECT base FROM head) + r.n) * {partitions} + {partition}, r.at, r.key, r.body
        FROM unnest($3::int8[], $4::bytea[], $5::int4[], $6::int8[], $7::int8[], $8::bytea[], $9::bytea[])
            AS r(n, subject, seq, version, at, key, body)
        WHERE (SELECT s.version FROM {p}.subjects s WHERE s.subject = r.subject) = r.version
          AND (r.seq = 1 OR (
                SELECT b.seq FROM {p}.journal b WHERE b.subject = r.subject AND b.seq = r.seq - 1) IS NOT NULL)
        ON CONFLICT (subject, seq) DO NOTHING
        RETURNING subject, place
    )
    SELECT head.last, head.run, put.subject, put.place FROM head LEFT JOIN put ON true";

/// Whoever finds the head as he left it, or as he saw it after his last look, knows all of the partition: of entries that
/// continue what he knows none is taken, none follows a gap, and nobody was registered anew.
const APPEND_NEXT: &str = "
    WITH head AS (
        UPDATE {p}.head SET last = greatest(last, promised, {ticks}) + $1
        WHERE one = 1 AND last = $2 AND writer = $3 AND registration = $4 RETURNING last - $1 AS base
    ), put AS (
        INSERT INTO {p}.journal (subject, seq, place, at, key, body)
        SELECT r.subject, r.seq, (head.base + r.n) * {partitions} + {partition}, r.at, r.key, r.body
        FROM head, unnest($5::int8[], $6::bytea[], $7::int4[], $8::int8[], $9::bytea[], $10::bytea[])
            AS r(n, subject, seq, at, key, body)
    )
    SELECT base FROM head";

/// The bound depends on the head, so that whoever appended everything since then himself reads no row.
const LOOK: &str = "
    SELECT h.last, h.writer, h.run, h.registration, j.subject, j.seq, j.place, j.body
    FROM {p}.head h LEFT JOIN {p}.journal j ON j.place > CASE
        WHEN h.writer = $1 AND h.run <= $2 THEN 9223372036854775807 ELSE $3 END
    WHERE h.one = 1 LIMIT $4";

const AGAIN: &str = "SELECT subject FROM {p}.subjects WHERE registration > $1 AND version > 1 LIMIT $2";

/// First the saved states, then the entries after each; one statement, so that both are of one moment.
const STATES: &str = "
    WITH found AS (
        SELECT r.subject, t.id, s.version, t.record, {reference} AS reference, t.state, t.seq
        FROM unnest($1::bytea[], $2::bytea[]) AS r(subject, id)
        JOIN {p}.subjects s ON s.subject = r.subject JOIN {p}.{table} t ON t.id = r.id
    )
    SELECT f.id, f.version, f.seq, NULL::int8 AS place, f.record, f.reference, f.state FROM found f
    UNION ALL
    SELECT f.id, f.version, j.seq, j.place, j.body, NULL::bytea, NULL::bytea FROM found f
    JOIN {p}.journal j ON j.subject = f.subject AND j.seq > f.seq AND j.seq <= f.seq + $3";

const WRITTEN: &str = "
    SELECT j.subject, j.place, j.body
    FROM unnest($1::bytea[], $2::int4[]) AS r(subject, seq)
    JOIN {p}.journal j ON j.subject = r.subject AND j.seq = r.seq";

const NEWER: &str = "
    SELECT seq, place, body FROM {p}.journal WHERE subject = $1 AND seq > $2 ORDER BY seq LIMIT $3";

const REGISTER_SUBJECTS: &str = "
    INSERT INTO {p}.subjects (subject, version, registration)
    SELECT r.subject, 1, $2 FROM unnest($1::bytea[]) AS r(subject)
    ON CONFLICT (subject) DO UPDATE
        SET version = subjects.version + 1, registration = excluded.registration";

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
/// Numbers for newly registered cards and for the registration; held until the commit, so that all numbers up to the
/// last are there.
pub(crate) const TAKE_NUMBERS: &str =
    "UPDATE pinward.store SET registered = registered + $1, registrations = registrations + 1
    WHERE one = 1 RETURNING registered - $1, registrations";
pub(crate) const REGISTERED: &str = "SELECT registered FROM pinward.store WHERE one = 1";

/// For references: whoever has moved `next` over them has them.
pub(crate) const CLAIM_NUMBERS: &str =
    "UPDATE pinward.numbers SET next = next + $1 WHERE one = 1 RETURNING next - $1";

// Cards for which something may be outstanding at their issuer.
pub(crate) const NOTE_OUTSTANDING: &str = "INSERT INTO pinward.outstanding (card, noted) VALUES ($1, $2)
    ON CONFLICT (card) DO UPDATE SET noted = greatest(outstanding.noted, excluded.noted)";
pub(crate) const OUTSTANDING: &str = "SELECT card, noted FROM pinward.outstanding";
pub(crate) const FORGET_OUTSTANDING: &str = "DELETE FROM pinward.outstanding WHERE card = $1 AND noted = $2";

// The book. Moving the head waits for whoever appends just now, so facts become visible in the order of their places.
// A fact that is left out leaves a gap there, and none in its stream.
pub(crate) const APPEND_FACT: &str = "
    WITH head AS (
        UPDATE pinward.book_head SET last = last + 1 WHERE one = 1 RETURNING last
    ), put AS (
        INSERT INTO pinward.book (place, stream, seq, at, kind, body)
        SELECT head.last, $1::text, $2::int4 + 1, $3::int8, $4::text, $5::bytea FROM head
        WHERE $2::int4 = 0
           OR (SELECT b.seq FROM pinward.book b WHERE b.stream = $1::text AND b.seq = $2::int4) IS NOT NULL
        ON CONFLICT (stream, seq) DO NOTHING
        RETURNING place
    )
    SELECT place FROM put";
pub(crate) const FACTS_OF: &str = "SELECT place, stream, seq, at, kind, body FROM pinward.book
    WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT $3";
pub(crate) const FACTS: &str = "SELECT place, stream, seq, at, kind, body FROM pinward.book
    WHERE place > $1 ORDER BY place LIMIT $2";
/// A fact that was moved here keeps its place.
pub(crate) const MOVE_FACT: &str = "INSERT INTO pinward.book (place, stream, seq, at, kind, body)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (stream, seq) DO NOTHING";
pub(crate) const BOOK_HEAD: &str = "UPDATE pinward.book_head SET last = $1 WHERE one = 1 AND last < $1";
pub(crate) const FACTS_COUNT: &str = "SELECT count(*) FROM pinward.book";

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
