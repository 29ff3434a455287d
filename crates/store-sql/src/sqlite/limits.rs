//! Every limit of the embedded store, named.

use std::time::Duration;

/// Limits of the embedded store. The defaults suit a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries that wait for the writer; one more is refused as overload.
    pub queue_entries: usize,
    /// Entries that share one write and one fdatasync.
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
    /// Entries kept in memory for those who follow the journal closely, at one or two kilobytes each.
    pub newest_entries: usize,
    /// The largest of the journal's files, which are filled with zeros before they are used. The first has 1 MiB, each
    /// further one is twice as large up to this.
    pub segment_bytes: u64,
    /// The journal's largest size; a full journal stops the store. `None`: the disk decides.
    pub journal_bytes: Option<u64>,
    /// Entries that one round of the archive filler takes.
    pub archive_round: u32,
    /// Does each commit wait for the disk? Without it a power cut takes what was acknowledged: that
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
            newest_entries: 8192,
            segment_bytes: 128 << 20,
            journal_bytes: None,
            archive_round: 10_000,
            commits_synced: true,
            subscriber_rows: 4096,
        }
    }
}
