//! What the engine's tasks share.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use store::{StoreError, Subject};
use tokio::sync::{Notify, mpsc};

use super::{
    Limits,
    heads::Heads,
    pool::{Door, Pool},
    reader::Want,
    sql::Texts,
    states::States,
};
use crate::{body::subject_key, seal::Sealer};

pub(crate) struct Core {
    pub(crate) sealer: Sealer,
    pub(crate) limits: Limits,
    pub(crate) door: Arc<Door>,
    /// For single entries: short reads.
    pub(crate) pool: Pool,
    /// For look-ups: reads that may take long.
    pub(crate) shelves: Pool,
    /// The statements of each partition.
    pub(crate) texts: Vec<Texts>,
    pub(crate) states: States,
    pub(crate) heads: Heads,
    /// Those who read states; each has every so-manieth partition.
    readers: Vec<mpsc::Sender<Want>>,
    /// Entries that were appended here.
    pub(crate) appended: AtomicU64,
    /// Subjects whose state is worth saving.
    pub(crate) saves: mpsc::Sender<Subject>,
    /// Wakes whoever fills the look-up tables here.
    pub(crate) filler: Notify,
    /// Somebody waits for the look-up tables.
    pub(crate) hurry: AtomicBool,
    /// Our name in leases.
    pub(crate) holder: String,
    closed: OnceLock<()>,
}

impl Core {
    pub(crate) fn new(
        sealer: Sealer,
        door: Arc<Door>,
        limits: Limits,
        holder: String,
        saves: mpsc::Sender<Subject>,
        readers: Vec<mpsc::Sender<Want>>,
    ) -> Self {
        Self {
            pool: Pool::new(&door, limits.readers),
            shelves: Pool::new(&door, limits.readers),
            texts: (0..limits.partitions).map(|n| Texts::new(n, limits.partitions)).collect(),
            states: States::new(&limits),
            heads: Heads::new(limits.partitions),
            readers,
            appended: AtomicU64::new(0),
            sealer,
            door,
            limits,
            saves,
            filler: Notify::new(),
            hurry: AtomicBool::new(false),
            holder,
            closed: OnceLock::new(),
        }
    }

    /// The statements of a subject's partition.
    pub(crate) fn texts_of(&self, subject: &Subject) -> &Texts {
        &self.texts[usize::from(partition(subject, self.limits.partitions))]
    }

    /// Whoever reads this partition's states.
    pub(crate) fn reader(&self, partition: u16) -> &mpsc::Sender<Want> {
        &self.readers[usize::from(partition) % self.readers.len()]
    }

    pub(crate) fn close(&self) {
        let _ = self.closed.set(());
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.is_closed() { Err(StoreError::Away("closed".to_owned())) } else { Ok(()) }
    }

    /// Wakes the filler of the look-up tables.
    pub(crate) fn hurry(&self) {
        self.hurry.store(true, Ordering::Release);
        self.filler.notify_one();
    }
}

/// The partition that a subject lives in, for ever: FNV-1a over its column, folded, modulo the number of partitions.
/// Part of the schema: another function here would not find what is there.
pub(crate) fn partition(subject: &Subject, partitions: u16) -> u16 {
    let hash = subject_key(subject).iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ((hash ^ (hash >> 32)) % u64::from(partitions.max(1))) as u16
}

#[cfg(test)]
mod tests {
    use model::CardId;

    use super::*;

    /// The function is on disk: these numbers never change.
    #[test]
    fn a_subject_keeps_its_partition() {
        let card = |byte| partition(&Subject::Card(CardId([byte; 16])), 64);
        let terminal = |text: &str| partition(&Subject::Terminal(text.parse().unwrap()), 64);
        assert_eq!([card(0), card(1), card(255)], [43, 9, 57]);
        assert_eq!([terminal("T0000001"), terminal("T0000002")], [58, 47]);
    }

    #[test]
    fn terminals_are_spread() {
        let mut used = [0_u32; 64];
        for n in 0..6400 {
            used[usize::from(partition(&Subject::Terminal(format!("T{n:07}").parse().unwrap()), 64))] += 1;
        }
        assert!(used.iter().all(|count| (50..200).contains(count)), "{used:?}");
    }
}
