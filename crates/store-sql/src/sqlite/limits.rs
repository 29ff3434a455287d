//! Every limit of the embedded store, named.

use std::time::Duration;

/// Limits of the embedded store. The defaults suit a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries that wait for the writer; one more is refused as overload.
    pub queue_entries: usize,
    /// Entries that share one transaction and one fsync.
    pub batch_entries: usize,
    /// Clean cards kept in memory; dirty ones stay in any case.
    pub cards_cached: usize,
    /// Cards that are ready to be used, clean or dirty, of those in memory; the others are packed, at some 220
    /// bytes with one transaction to remember.
    pub cards_open: usize,
    /// Clean terminals and batches kept in memory.
    pub terminals_cached: usize,
    /// States are saved at the latest so long after they changed.
    pub checkpoint_interval: Duration,
    /// Or when so many entries would have to be read again after a crash.
    pub tail_entries: u64,
    /// Pages of 4 KiB in the journal's write-ahead log before the writer folds it into the file.
    pub wal_pages: u32,
    /// The journal's largest size in pages of 4 KiB; a full journal stops the store. `None`: the disk decides.
    pub journal_pages: Option<u32>,
    /// Entries that one round of the archive filler takes.
    pub archive_round: u32,
    /// Does each commit wait for the disk? Without it (`synchronous=NORMAL`) a power cut takes what was acknowledged: that
    /// is what the power-cut test's negative control shows, and no configuration reaches it.
    #[doc(hidden)]
    pub commits_synced: bool,
    /// Rows that a slow subscriber may be behind before it misses some.
    pub subscriber_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_entries: 8192,
            batch_entries: 1024,
            cards_cached: 1_000_000,
            cards_open: 65_536,
            terminals_cached: 50_000,
            checkpoint_interval: Duration::from_secs(5),
            tail_entries: 200_000,
            wal_pages: 8192,
            journal_pages: None,
            archive_round: 10_000,
            commits_synced: true,
            subscriber_rows: 4096,
        }
    }
}
