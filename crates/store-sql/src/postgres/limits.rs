//! Every limit of the store on a database, named.

use std::time::Duration;

/// Limits of the store on a database. The defaults suit one PostgreSQL server and a few hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Into how many schemas cards and terminals are hashed. Fixed when the database is new, at most 256. Requests that
    /// meet in one share a statement, so a server that stays alone wants few; of an engine of many nodes they are what
    /// is spread.
    pub partitions: u16,
    /// Connections that append. Each has every so-manieth partition, and commits what queued for all of them at once;
    /// with as many as there are partitions, a commit touches one partition only, as engines of many nodes like it.
    pub lanes: usize,
    /// Entries that wait for a connection that appends; one more is refused as overload.
    pub queue_entries: usize,
    /// Entries that share one commit.
    pub batch_entries: usize,
    /// Connections for each of three: states, single entries, look-up tables; each for many readers at once.
    pub readers: usize,
    /// Cards kept in memory, as a starting point for decisions.
    pub cards_cached: usize,
    /// Terminals kept in memory.
    pub terminals_cached: usize,
    /// A state is saved when so many entries would have to be folded to have it again.
    pub save_after: u32,
    /// So long cards at hand are compared with the database before they are used, after another host was seen to
    /// append.
    pub wary_for: Duration,
    /// Entries that one round of the look-up tables' filler takes.
    pub archive_round: usize,
    /// Rows that a slow subscriber may be behind before it misses some.
    pub subscriber_rows: usize,
    /// A host that fills the look-up tables is replaced when it was silent for so long.
    pub lease: Duration,
    /// So long an append may wait for the database, reconnecting included, before it is answered with "away".
    pub answer_within: Duration,
    /// So long a connection may take to be made.
    pub connect_within: Duration,
    /// Attempts to connect are at least so far apart, after several that failed.
    pub reconnect_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            partitions: 4,
            lanes: 2,
            queue_entries: 8192,
            batch_entries: 1024,
            readers: 2,
            cards_cached: 200_000,
            terminals_cached: 50_000,
            save_after: 32,
            wary_for: Duration::from_secs(60),
            archive_round: 1000,
            subscriber_rows: 4096,
            lease: Duration::from_secs(5),
            answer_within: Duration::from_secs(10),
            connect_within: Duration::from_secs(3),
            reconnect_every: Duration::from_secs(2),
        }
    }
}
