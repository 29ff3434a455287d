//! A lane: one connection that appends, for every so-manieth partition. Group commit.
//!
//! ```text
//!  wait for the first entry, take all that queued (at most a batch)
//!    │
//!  one INSERT for each partition, all in one transaction, sent together ── broken off? ──► the same again, by key
//!    │
//!  what came back was appended ──► fold, answer
//!  what did not ──► Collision: its number was taken, or it was decided under an old registration
//! ```
//!
//! **When the connection breaks,** nobody knows whether the commit was reached. The same batch is then appended again on
//! a new connection: the same bytes under the same keys, so nothing can be written twice. Moving the partition's head
//! waits for the end of the lost transaction, if the server still has it, and the commit that follows is replicated
//! after it. What is left out this time is read and compared byte by byte: ours, then it was appended; another's, then
//! it collided.
//!
//! Transactions take partitions in ascending order, so that those of several hosts never wait for each other in a ring.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use store::{AppendError, Entry, StoreError};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_postgres::{Error, Row};

use super::{
    core::Core,
    pool::{Link, Live, column, is_lost, is_passing, pipeline, place, said, store_error},
};
use crate::body::{subject_key, transaction_key};

/// Pause before a batch is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// An entry, its body, and who waits for it.
pub(crate) struct Append {
    pub(crate) entry: Entry,
    pub(crate) body: Vec<u8>,
    /// The registration that it was decided under.
    pub(crate) version: i64,
    pub(crate) partition: u16,
    pub(crate) done: oneshot::Sender<Result<u64, AppendError>>,
}

/// Boxed once, when it is sent: from there on only pointers move.
type Batch = Vec<Box<Append>>;
/// Places of what was appended, by the subject's column.
type Placed = HashMap<Vec<u8>, u64>;

pub(crate) struct Lane {
    core: Arc<Core>,
    link: Link,
    queue: mpsc::Receiver<Box<Append>>,
}

/// The parameters of one partition's INSERT.
#[derive(Default)]
struct Group<'a> {
    n: Vec<i64>,
    subjects: Vec<Vec<u8>>,
    seqs: Vec<i32>,
    versions: Vec<i64>,
    ats: Vec<i64>,
    keys: Vec<Option<Vec<u8>>>,
    bodies: Vec<&'a [u8]>,
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
        let written = self.write(&batch).await;
        for append in batch {
            let answer = match &written {
                Ok(placed) => self.settle(&append, placed),
                Err(error) => Err(error.clone().into()),
            };
            let _ = append.done.send(answer);
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
            self.core.states.seq(subject).is_none_or(|at_hand| at_hand < *seq) && seen.insert(*subject)
        })
    }

    /// Folds what was appended.
    fn settle(&self, append: &Append, placed: &Placed) -> Result<u64, AppendError> {
        let entry = &append.entry;
        let Some(place) = placed.get(&subject_key(&entry.subject)).copied() else {
            self.core.states.is_old(&entry.subject, entry.seq.saturating_sub(1));
            return Err(AppendError::Collision);
        };
        if self.core.states.fold(place, entry, self.core.limits.save_after) {
            // A full queue of states to save is no harm: the next entries ask again.
            let _ = self.core.saves.try_send(entry.subject);
        }
        Ok(place)
    }

    /// Writes until it is known what became of the batch, or until nobody should wait any longer.
    async fn write(&self, batch: &Batch) -> Result<Placed, StoreError> {
        if batch.is_empty() {
            return Ok(Placed::new());
        }
        let groups = groups(batch);
        let deadline = Instant::now() + self.core.limits.answer_within;
        let mut unknown = None;
        loop {
            // A time-out lets a future that is ready at once through: an attempt that fails at once must be stopped here.
            let in_time = Instant::now() < deadline;
            let attempting = tokio::time::timeout_at(deadline, self.attempt(&groups, unknown.is_some()));
            let Some(attempt) = (if in_time { attempting.await.ok() } else { None }) else {
                self.link.drop_live();
                let cause = unknown.unwrap_or_else(|| "the database does not answer".to_owned());
                return Err(StoreError::Away(cause));
            };
            match attempt {
                Ok(placed) => return Ok(placed),
                Err(Trouble::Refused(error)) if unknown.is_none() => return Err(error),
                Err(Trouble::Refused(error)) => {
                    tracing::debug!(%error, "what became of a batch is not known yet")
                }
                Err(Trouble::Passing) => {}
                Err(Trouble::Unknown(cause)) => {
                    tracing::warn!(%cause, entries = batch.len(), "a commit was cut off: looking what became of it");
                    self.link.drop_live();
                    unknown = Some(cause);
                }
            }
            tokio::time::sleep(PAUSE.mul_f64(jitter())).await;
        }
    }

    /// One transaction. `again`: an earlier one may have written the same.
    async fn attempt(&self, groups: &BTreeMap<u16, Group<'_>>, again: bool) -> Result<Placed, Trouble> {
        let live = self.link.live().await.map_err(Trouble::Refused)?;
        for text in groups.keys().map(|partition| self.text(*partition)) {
            live.prepared(text).await.map_err(|error| self.refused(&error))?;
        }
        let mut placed = self.commit(&live, groups).await?;
        if again {
            self.compare(&live, groups, &mut placed).await?;
        }
        Ok(placed)
    }

    fn text(&self, partition: u16) -> &str {
        &self.core.texts[usize::from(partition)].append
    }

    /// Before anything was sent, or after the server said no.
    fn refused(&self, error: &Error) -> Trouble {
        // A primary that became a standby says so here: the next connection looks for the new one.
        self.link.drop_live();
        Trouble::Refused(store_error(error))
    }

    async fn commit(&self, live: &Live, groups: &BTreeMap<u16, Group<'_>>) -> Result<Placed, Trouble> {
        let mut steps = Vec::with_capacity(groups.len() + 2);
        steps.extend(groups.iter().map(|(partition, group)| Step::Insert(self.text(*partition), group)));
        if steps.len() > 1 {
            steps.insert(0, Step::Plain("BEGIN"));
            steps.push(Step::Plain("COMMIT"));
        }
        let results = pipeline(steps.iter().map(|step| step.run(live))).await;
        let mut placed = Placed::new();
        for (step, result) in steps.iter().zip(results) {
            match result {
                Ok(rows) => read_placed(&rows, &mut placed).map_err(Trouble::Refused)?,
                Err(error) if is_lost(&error) || matches!(step, Step::Plain(_)) => {
                    return Err(Trouble::Unknown(said(&error)));
                }
                // The whole transaction is undone, whatever the end of it was answered with.
                Err(error) if is_passing(&error) => return Err(Trouble::Passing),
                Err(error) => return Err(self.refused(&error)),
            }
        }
        Ok(placed)
    }

    /// What was left out the second time: is it there because we wrote it the first time?
    async fn compare(
        &self,
        live: &Live,
        groups: &BTreeMap<u16, Group<'_>>,
        placed: &mut Placed,
    ) -> Result<(), Trouble> {
        for (partition, group) in groups {
            let text = &self.core.texts[usize::from(*partition)].written;
            let rows = live.rows(text, &[&group.subjects, &group.seqs]).await;
            let rows = rows.map_err(|error| Trouble::Unknown(said(&error)))?;
            for row in &rows {
                let (subject, at, body) = written(row).map_err(Trouble::Refused)?;
                let ours = group.subjects.iter().position(|ours| ours == subject);
                if ours.is_some_and(|index| group.bodies[index] == body) {
                    placed.insert(subject.to_vec(), at);
                }
            }
        }
        Ok(())
    }
}

/// What is sent in a row.
enum Step<'a> {
    Plain(&'static str),
    Insert(&'a str, &'a Group<'a>),
}

impl Step<'_> {
    async fn run(&self, live: &Live) -> Result<Vec<Row>, Error> {
        match self {
            Step::Plain(text) => live.plain(text).await.map(|()| Vec::new()),
            Step::Insert(text, g) => {
                let count = g.n.len() as i64;
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
                    [&count, &g.n, &g.subjects, &g.seqs, &g.versions, &g.ats, &g.keys, &g.bodies];
                live.rows(text, &values).await
            }
        }
    }
}

fn groups(batch: &Batch) -> BTreeMap<u16, Group<'_>> {
    let mut groups: BTreeMap<u16, Group<'_>> = BTreeMap::new();
    for append in batch {
        let entry = &append.entry;
        let group = groups.entry(append.partition).or_default();
        group.n.push(group.n.len() as i64 + 1);
        group.subjects.push(subject_key(&entry.subject));
        group.seqs.push(entry.seq as i32);
        group.versions.push(append.version);
        group.ats.push(entry.at.0);
        group.keys.push(match &entry.event {
            store::Event::Transaction(t) => Some(transaction_key(&t.key)),
            _ => None,
        });
        group.bodies.push(&append.body);
    }
    groups
}

fn read_placed(rows: &[Row], placed: &mut Placed) -> Result<(), StoreError> {
    for row in rows {
        placed.insert(column(row, 0)?, place(column(row, 1)?));
    }
    Ok(())
}

fn written(row: &Row) -> Result<(&[u8], u64, &[u8]), StoreError> {
    Ok((column(row, 0)?, place(column(row, 1)?), column(row, 2)?))
}

/// Between a half and one and a half, so that hosts that were in each other's way do not meet again.
fn jitter() -> f64 {
    let mut byte = [128];
    // Without randomness it is simply one.
    let _ = getrandom::fill(&mut byte);
    0.5 + f64::from(byte[0]) / 256.0
}
