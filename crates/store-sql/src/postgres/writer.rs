//! A lane: one connection that appends, for every so-manieth partition. Group commit.
//!
//! ```text
//!  wait for the first entry, take all that queued (at most a batch)
//!    │
//!  one statement for each partition, all in one transaction, sent together ── broken off? ──► the same again, by key
//!    │
//!  the head was as expected ──► all of it was appended        (the usual case of a host that appends alone)
//!  it was not ──► again, entry by entry: what came back was appended ──► fold, answer
//!                 what did not ──► Collision: its number was taken, or it was decided under an old registration
//! ```
//!
//! **When the connection breaks,** nobody knows whether the commit was reached. The same batch is then appended again on
//! a new connection: the same bytes under the same keys, so nothing can be written twice. Moving the partition's head
//! waits for the end of the lost transaction, if the server still has it, and the commit that follows is replicated
//! after it. What is left out this time is read and compared byte by byte: ours, then it was appended; another's, then
//! it collided. From then on the lane has another name: should the lost commit still come, it is a stranger's.
//!
//! Transactions take partitions in ascending order, so that those of several hosts never wait for each other in a ring.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{AppendError, Entry, StoreError};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_postgres::{Error, error::SqlState};

use super::{
    batch::{Group, Landed, Step},
    core::Core,
    heads::Sent,
    pool::{Link, Live, column, is_lost, is_passing, pipeline, place, said, store_error},
};

/// Pause before a batch is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// An entry, its columns, and who waits for it.
pub(crate) struct Append {
    pub(crate) entry: Entry,
    pub(crate) subject: Vec<u8>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) body: Vec<u8>,
    /// The registration that it was decided under.
    pub(crate) version: i64,
    pub(crate) partition: u16,
    pub(crate) done: oneshot::Sender<Result<u64, AppendError>>,
}

/// Boxed once, when it is sent: from there on only pointers move.
type Batch = Vec<Box<Append>>;
type Groups<'a> = BTreeMap<u16, Group<'a>>;
/// What became of each entry of a batch; of those without, it is not known yet.
type Fates = Vec<Option<Result<u64, AppendError>>>;

pub(crate) struct Lane {
    core: Arc<Core>,
    link: Link,
    queue: mpsc::Receiver<Box<Append>>,
}

/// Why a batch was not written.
enum Trouble {
    /// It may have been written.
    Unknown(String),
    /// It was not, and may be tried again.
    Passing,
    /// It was not.
    Refused(StoreError),
}

impl Lane {
    pub(crate) fn new(core: Arc<Core>, queue: mpsc::Receiver<Box<Append>>) -> Self {
        Self { link: Link::new(core.door.clone()), core, queue }
    }

    /// Runs until the engine is closed, and then until what was taken is answered.
    pub(crate) async fn run(mut self, mut end: watch::Receiver<bool>) {
        let mut taken = Batch::with_capacity(self.core.limits.batch_entries);
        loop {
            let closing = tokio::select! {
                biased;
                count = self.queue.recv_many(&mut taken, self.core.limits.batch_entries) => {
                    if count == 0 { return }
                    false
                }
                _ = end.wait_for(|end| *end) => true,
            };
            if closing {
                self.queue.close();
            }
            if !taken.is_empty() {
                self.batch(std::mem::take(&mut taken)).await;
            }
        }
    }

    async fn batch(&mut self, batch: Batch) {
        let (batch, later) = self.one_of_each(batch);
        let mut fates = self.write(&batch).await;
        for (append, fate) in batch.into_iter().zip(fates.drain(..)) {
            let fate = fate.unwrap_or(Err(AppendError::Collision));
            self.settle(&append.entry, &fate);
            let _ = append.done.send(fate);
        }
        // Answered only now, so that whoever tries again finds the state folded.
        for append in later {
            let _ = append.done.send(Err(AppendError::Collision));
        }
    }

    /// At most one entry of a subject can be its next; the others come too late, like those that the state at hand is
    /// ahead of already.
    fn one_of_each(&self, batch: Batch) -> (Batch, Batch) {
        let mut seen = HashSet::with_capacity(batch.len());
        batch.into_iter().partition(|append| {
            let Entry { subject, seq, .. } = &append.entry;
            self.core.states.at(subject).is_none_or(|(_, at_hand)| at_hand < *seq) && seen.insert(*subject)
        })
    }

    /// Folds what was appended.
    fn settle(&self, entry: &Entry, fate: &Result<u64, AppendError>) {
        let states = &self.core.states;
        match fate {
            Ok(place) => {
                if states.fold(*place, entry, self.core.limits.save_after) {
                    // A full queue of states to save is no harm: the next entries ask again.
                    let _ = self.core.saves.try_send(entry.subject);
                }
            }
            Err(AppendError::Collision) => states.is_old(&entry.subject, entry.seq.saturating_sub(1)),
            // If it is there all the same, or comes yet, the next look at the head finds it.
            Err(_) => {}
        }
    }

    /// Writes until it is known what became of the batch, or until nobody should wait any longer.
    async fn write(&self, batch: &Batch) -> Fates {
        let mut fates = vec![None; batch.len()];
        let mut groups = self.groups(batch);
        let deadline = Instant::now() + self.core.limits.answer_within;
        let mut unknown = None;
        while !groups.is_empty() {
            let attempt = self.attempt_until(deadline, &groups, unknown.is_some()).await;
            let error = match attempt {
                Some(Ok(landed)) => {
                    self.land(landed, &mut groups, &mut fates);
                    unknown = None;
                    continue;
                }
                Some(Err(Trouble::Refused(error))) if unknown.is_none() => Some(AppendError::Store(error)),
                Some(Err(Trouble::Refused(error))) => {
                    tracing::debug!(%error, "what became of a batch is not known yet");
                    None
                }
                Some(Err(Trouble::Passing)) => None,
                Some(Err(Trouble::Unknown(cause))) => {
                    tracing::warn!(%cause, entries = batch.len(), "a commit was cut off: looking what became of it");
                    self.lose(&groups);
                    unknown = Some(cause);
                    None
                }
                None => {
                    self.lose(&groups);
                    let away = || StoreError::Away("the database does not answer".to_owned()).into();
                    Some(unknown.take().map_or_else(away, AppendError::Unknown))
                }
            };
            if let Some(error) = error {
                let left = groups.values().flat_map(|group| &group.indices);
                left.for_each(|index| fates[*index] = Some(Err(error.clone())));
                return fates;
            }
            // Whatever was in the way, entry by entry it is found out.
            groups.values_mut().for_each(|group| group.next = None);
            tokio::time::sleep(PAUSE.mul_f64(jitter())).await;
        }
        fates
    }

    /// `None` when the time is over.
    async fn attempt_until(
        &self,
        deadline: Instant,
        groups: &Groups<'_>,
        again: bool,
    ) -> Option<Result<Vec<Landed>, Trouble>> {
        // A time-out lets a future that is ready at once through: an attempt that fails at once must be stopped here.
        if Instant::now() >= deadline {
            return None;
        }
        let sent = AtomicBool::new(false);
        match tokio::time::timeout_at(deadline, self.attempt(groups, again, &sent)).await {
            Ok(attempt) => Some(attempt),
            Err(_) if sent.load(Ordering::Relaxed) => {
                Some(Err(Trouble::Unknown("no answer to a commit".to_owned())))
            }
            Err(_) => None,
        }
    }

    /// What was being written may be there, or come yet, under the name that we had.
    fn lose(&self, groups: &Groups<'_>) {
        self.link.drop_live();
        groups.keys().for_each(|partition| self.core.heads.renew(*partition));
    }

    /// The batch by partitions. A group may expect the head as we know it if each of its entries continues what is at
    /// hand; the head is asked for first, so that what is at hand is no older.
    fn groups<'a>(&self, batch: &'a Batch) -> Groups<'a> {
        let (heads, states) = (&self.core.heads, &self.core.states);
        let mut groups = Groups::new();
        let alone = !states.is_wary();
        for (index, append) in batch.iter().enumerate() {
            let Entry { subject, seq, .. } = &append.entry;
            let group = groups
                .entry(append.partition)
                .or_insert_with(|| Group::new(heads.expected(append.partition).filter(|_| alone)));
            if group.next.is_some() && states.at(subject) != Some((append.version, seq.saturating_sub(1))) {
                group.next = None;
            }
            group.push(index, append);
        }
        if !alone {
            let mut sent: BTreeMap<u16, Sent> = BTreeMap::new();
            for append in batch {
                sent.entry(append.partition).or_default().insert(append.entry.subject, append.entry.seq);
            }
            sent.into_iter().for_each(|(partition, sent)| heads.sending(partition, Arc::new(sent)));
        }
        groups
    }

    /// After a commit: what it says about each entry, and about the heads. Groups that missed their heads stay.
    fn land(&self, landed: Vec<Landed>, groups: &mut Groups<'_>, fates: &mut Fates) {
        let partitions = u64::from(self.core.limits.partitions);
        let mut missed = Groups::new();
        for ((partition, mut group), landed) in std::mem::take(groups).into_iter().zip(landed) {
            match (landed, group.next.take()) {
                (Landed::All { base }, Some(expected)) => {
                    for (n, index) in (1..).zip(&group.indices) {
                        let at = place(base.saturating_add(n)) * partitions + u64::from(partition);
                        fates[*index] = Some(Ok(at));
                    }
                    self.core.heads.moved(partition, &expected, base + group.indices.len() as i64);
                }
                (Landed::Some { head, placed }, _) => {
                    for (subject, index) in group.subjects.iter().zip(&group.indices) {
                        let at = placed.get(*subject).copied();
                        fates[*index] = Some(at.ok_or(AppendError::Collision));
                    }
                    if self.core.heads.moved_from(partition, head.run, head.last) {
                        self.core.states.be_wary();
                    }
                }
                (Landed::None | Landed::All { .. }, _) => {
                    self.core.heads.missed(partition);
                    missed.insert(partition, group);
                    continue;
                }
            }
            self.core.appended.fetch_add(group.indices.len() as u64, Ordering::Relaxed);
        }
        *groups = missed;
    }

    /// One transaction. `again`: an earlier one may have written the same. `sent`: its commit may be on its way.
    async fn attempt(
        &self,
        groups: &Groups<'_>,
        again: bool,
        sent: &AtomicBool,
    ) -> Result<Vec<Landed>, Trouble> {
        let live = self.link.live().await.map_err(Trouble::Refused)?;
        let steps: Vec<Step<'_>> =
            groups.iter().map(|(partition, group)| self.step(*partition, group)).collect();
        for step in &steps {
            live.prepared(step.text()).await.map_err(|error| self.refused(&error))?;
        }
        sent.store(true, Ordering::Relaxed);
        let mut landed = self.commit(&live, steps).await?;
        if again {
            self.compare(&live, groups, &mut landed).await?;
        }
        Ok(landed)
    }

    fn step<'a>(&'a self, partition: u16, group: &'a Group<'a>) -> Step<'a> {
        let texts = &self.core.texts[usize::from(partition)];
        match &group.next {
            Some(expected) => Step::Next { text: &texts.append_next, expected, group },
            None => {
                Step::Each { text: &texts.append, writer: self.core.heads.known(partition).writer, group }
            }
        }
    }

    /// Before anything was sent, or after the server said no.
    fn refused(&self, error: &Error) -> Trouble {
        // A primary that became a standby says so here: the next connection looks for the new one.
        self.link.drop_live();
        Trouble::Refused(store_error(error))
    }

    async fn commit(&self, live: &Live, mut steps: Vec<Step<'_>>) -> Result<Vec<Landed>, Trouble> {
        if steps.len() > 1 {
            steps.insert(0, Step::Plain("BEGIN"));
            steps.push(Step::Plain("COMMIT"));
        }
        let results = pipeline(steps.iter().map(|step| step.run(live))).await;
        let mut landed = Vec::with_capacity(steps.len());
        for (step, result) in steps.iter().zip(results) {
            match result {
                Ok(rows) => landed.extend(step.landed(&rows).map_err(Trouble::Refused)?),
                Err(error) if is_lost(&error) || matches!(step, Step::Plain(_)) => {
                    return Err(Trouble::Unknown(said(&error)));
                }
                // The whole transaction is undone, whatever the end of it was answered with. A number that is taken
                // although the head was as expected cannot be; entry by entry it is a collision.
                Err(error) if is_passing(&error) || error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                    return Err(Trouble::Passing);
                }
                Err(error) => return Err(self.refused(&error)),
            }
        }
        Ok(landed)
    }

    /// What was left out the second time: is it there because we wrote it the first time?
    async fn compare(&self, live: &Live, groups: &Groups<'_>, landed: &mut [Landed]) -> Result<(), Trouble> {
        for ((partition, group), landed) in groups.iter().zip(landed) {
            let Landed::Some { placed, .. } = landed else { continue };
            let text = &self.core.texts[usize::from(*partition)].written;
            let rows = live.rows(text, &[&group.subjects, &group.seqs]).await;
            let rows = rows.map_err(|error| Trouble::Unknown(said(&error)))?;
            for row in &rows {
                let (subject, at, body): (&[u8], i64, &[u8]) = written(row).map_err(Trouble::Refused)?;
                let ours = group.subjects.iter().position(|ours| *ours == subject);
                if ours.is_some_and(|index| group.bodies[index] == body) {
                    placed.insert(subject.to_vec(), place(at));
                }
            }
        }
        Ok(())
    }
}

fn written(row: &tokio_postgres::Row) -> Result<(&[u8], i64, &[u8]), StoreError> {
    Ok((column(row, 0)?, column(row, 1)?, column(row, 2)?))
}

/// Between a half and one and a half, so that hosts that were in each other's way do not meet again.
fn jitter() -> f64 {
    let mut byte = [128];
    // Without randomness it is simply one.
    let _ = getrandom::fill(&mut byte);
    0.5 + f64::from(byte[0]) / 256.0
}
