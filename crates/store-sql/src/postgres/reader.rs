//! Reads states for all who wait, a round at a time: what queued during one round is answered by the next.
//!
//! ```text
//!  states wanted ─► for each partition: the head, then what is not at hand ── sent together
//!                     │
//!                   others appended? that is folded into what is at hand of those subjects
//!                     │
//!                   answer; what turned out to be old is read in the next round
//! ```
//!
//! A state is answered as of a moment after it was asked for: the head is read after that. One reader has a partition, and
//! reads its head before its states, so what a round puts at hand is as new as the head that the round saw.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use model::{CardId, TerminalId};
use store::{Card, StoreError, Subject, Terminal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_postgres::{Error, Row};

use super::{
    core::{Core, partition},
    heads::{Head, Known, Sight},
    pool::{Link, Live, Values, column, is_lost, pipeline, place, store_error},
    shelf::Kept,
    states::Kind,
};
use crate::body::{self, subject_key};

/// States that one round reads.
const ROUND: usize = 1024;
/// A state that changes under every look is not looked at any further.
const LOOKS: usize = 16;
/// Newer entries of one subject that are read at once.
const NEWER_ROWS: i32 = 500;

/// Where a state is waited for; `None` if nobody is registered under that key.
pub(crate) type Answer<V> = oneshot::Sender<Result<Option<Kept<V>>, StoreError>>;

/// A state that is wanted as of now.
pub(crate) enum Want {
    Card(CardId, Answer<Card>),
    Terminal(TerminalId, Answer<Terminal>),
}

pub(crate) struct Reader {
    core: Arc<Core>,
    link: Link,
    queue: mpsc::Receiver<Want>,
}

/// What is wanted of one partition.
#[derive(Default)]
struct Share {
    cards: Vec<(CardId, Answer<Card>)>,
    terminals: Vec<(TerminalId, Answer<Terminal>)>,
}

/// What is asked about one partition.
struct Question {
    partition: u16,
    known: Known,
    cards: Missing<CardId>,
    terminals: Missing<TerminalId>,
}

/// Keys of states that are not at hand.
struct Missing<K> {
    keys: Vec<K>,
    subjects: Vec<Vec<u8>>,
}

/// States that were read, by key; of those that changed meanwhile there is none.
type Found<V> = HashMap<<V as Kind>::Key, Result<Option<Kept<V>>, StoreError>>;

impl Reader {
    pub(crate) fn new(core: Arc<Core>, queue: mpsc::Receiver<Want>) -> Self {
        Self { link: Link::new(core.door.clone()), core, queue }
    }

    /// Runs until the engine is closed.
    pub(crate) async fn run(mut self, mut end: watch::Receiver<bool>) {
        let mut wants = Vec::with_capacity(ROUND);
        loop {
            tokio::select! {
                biased;
                // A sender that is gone means the same as its last word.
                _ = end.wait_for(|end| *end) => return,
                count = self.queue.recv_many(&mut wants, ROUND) => if count == 0 { return },
            }
            self.serve(wants.drain(..)).await;
        }
    }

    async fn serve(&self, wants: impl Iterator<Item = Want>) {
        let partitions = self.core.limits.partitions;
        let mut shares: BTreeMap<u16, Share> = BTreeMap::new();
        for want in wants {
            match want {
                Want::Card(id, answer) => {
                    shares
                        .entry(partition(&Subject::Card(id), partitions))
                        .or_default()
                        .cards
                        .push((id, answer));
                }
                Want::Terminal(id, answer) => {
                    let share = shares.entry(partition(&Subject::Terminal(id), partitions)).or_default();
                    share.terminals.push((id, answer));
                }
            }
        }
        for _ in 0..LOOKS {
            if let Err(error) = self.round(&mut shares).await {
                return shares.into_values().for_each(|share| share.refuse(&error));
            }
            shares.retain(|_, share| !share.cards.is_empty() || !share.terminals.is_empty());
            if shares.is_empty() {
                return;
            }
        }
        shares.into_values().for_each(|share| share.refuse(&StoreError::Overloaded));
    }

    /// Answers what it can; what is left is to be looked at again.
    async fn round(&self, shares: &mut BTreeMap<u16, Share>) -> Result<(), StoreError> {
        let questions: Vec<Question> = shares
            .iter()
            .map(|(partition, share)| Question {
                partition: *partition,
                known: self.core.heads.known(*partition),
                cards: self.missing::<Card>(share.cards.iter().map(|(id, _)| *id)),
                terminals: self.missing::<Terminal>(share.terminals.iter().map(|(id, _)| *id)),
            })
            .collect();
        let answered = self.answer_all(&questions, shares).await;
        if answered.is_err() {
            for question in &questions {
                question.cards.keys.iter().for_each(|key| self.core.states.cards.not_read(key));
                question.terminals.keys.iter().for_each(|key| self.core.states.terminals.not_read(key));
            }
        }
        answered
    }

    fn missing<V: Kind>(&self, wanted: impl Iterator<Item = V::Key>) -> Missing<V::Key> {
        let shelf = V::shelf(&self.core.states);
        let mut seen = HashSet::new();
        let keys: Vec<V::Key> = wanted.filter(|key| shelf.at(key).is_none() && seen.insert(*key)).collect();
        keys.iter().for_each(|key| shelf.reading(key));
        let subjects = keys.iter().map(|key| subject_key(&V::subject(key))).collect();
        Missing { keys, subjects }
    }

    async fn answer_all(
        &self,
        questions: &[Question],
        shares: &mut BTreeMap<u16, Share>,
    ) -> Result<(), StoreError> {
        let mut answers = self.ask(questions).await?.into_iter();
        let mut next = |asked: bool| if asked { answers.next().unwrap_or_default() } else { Vec::new() };
        for question in questions {
            let (head, cards) = (next(true), next(!question.cards.keys.is_empty()));
            let terminals = next(!question.terminals.keys.is_empty());
            self.look(question, &head).await?;
            let cards = self.found::<Card>(&question.cards, &cards).await?;
            let terminals = self.found::<Terminal>(&question.terminals, &terminals).await?;
            if let Some(share) = shares.get_mut(&question.partition) {
                self.answer(&mut share.cards, &cards);
                self.answer(&mut share.terminals, &terminals);
            }
        }
        Ok(())
    }

    /// Asks; once more on a new connection if the old one turns out to be lost.
    async fn ask(&self, questions: &[Question]) -> Result<Vec<Vec<Row>>, StoreError> {
        let steps: Vec<Step<'_>> = questions.iter().flat_map(|question| self.steps(question)).collect();
        match ask(&*self.link.live().await?, &steps).await {
            Ok(rows) => Ok(rows),
            Err(error) if is_lost(&error) => {
                self.link.drop_live();
                ask(&*self.link.live().await?, &steps).await.map_err(|error| store_error(&error))
            }
            Err(error) => Err(store_error(&error)),
        }
    }

    fn steps<'a>(&'a self, question: &'a Question) -> impl Iterator<Item = Step<'a>> {
        let texts = &self.core.texts[usize::from(question.partition)];
        let look = Step::Look {
            text: &texts.look,
            known: &question.known,
            bound: self.bound(question),
            limit: self.limit(),
        };
        let states = |text, subjects: &'a [Vec<u8>]| {
            (!subjects.is_empty()).then(|| Step::States {
                text,
                subjects,
                ids: subjects.iter().map(|subject| subject.get(1..).unwrap_or_default()).collect(),
            })
        };
        let cards = states(Card::text(texts), &question.cards.subjects);
        [Some(look), cards, states(Terminal::text(texts), &question.terminals.subjects)].into_iter().flatten()
    }

    /// Entries after this place are news.
    fn bound(&self, question: &Question) -> i64 {
        let (partitions, partition) = (self.core.limits.partitions.into(), question.partition.into());
        question.known.seen.map_or(i64::MAX, |seen| seen.saturating_mul(partitions).saturating_add(partition))
    }

    /// With more news than this, reading everything again is cheaper than reading the news.
    fn limit(&self) -> i64 {
        let each = self.core.limits.cards_cached / usize::from(self.core.limits.partitions) / 4;
        each.clamp(100, 10_000) as i64
    }

    /// What is at hand is as new as the head after this.
    async fn look(&self, question: &Question, rows: &[Row]) -> Result<(), StoreError> {
        let (core, partition) = (&*self.core, question.partition);
        let forget_all = || core.states.forget_partition(partition, core.limits.partitions);
        let head = head(rows)?;
        match core.heads.sight(partition, &question.known, &head) {
            Sight::Fresh => {}
            Sight::Unknown => forget_all(),
            Sight::Others => {
                core.states.be_wary();
                if (rows.len() as i64) < self.limit() { self.news(partition, rows)? } else { forget_all() }
            }
        }
        if question.known.seen.is_some() && head.registration > question.known.registration {
            let text = &core.texts[usize::from(partition)].again;
            let live = self.link.live().await?;
            let again = live.rows(text, &[&question.known.registration, &self.limit()]).await;
            let again = again.map_err(|error| store_error(&error))?;
            if (again.len() as i64) < self.limit() {
                for row in &again {
                    core.states.forget(&subject(column(row, 0)?)?, u32::MAX);
                }
            } else {
                forget_all();
            }
        }
        core.heads.covered(partition, &question.known, &head);
        Ok(())
    }

    /// Folds what others appended into what is at hand of it, or marks that as old. What is on its way from here is folded
    /// when it is answered.
    fn news(&self, partition: u16, rows: &[Row]) -> Result<(), StoreError> {
        let states = &self.core.states;
        let sent = self.core.heads.sent(partition);
        let mut news = Vec::with_capacity(rows.len());
        for row in rows {
            // A head without news has none of this.
            let Some(at) = column::<Option<i64>>(row, 6)? else { continue };
            let seq = u32::try_from(column::<i32>(row, 5)?).unwrap_or_default();
            news.push((place(at), subject(column(row, 4)?)?, seq, column::<&[u8]>(row, 7)?));
        }
        news.sort_unstable_by_key(|(at, ..)| *at);
        for (at, subject, seq, bytes) in news {
            if sent.get(&subject) == Some(&seq) {
                continue;
            }
            let before = seq.saturating_sub(1);
            if states.at(&subject).is_some_and(|(_, at_hand)| at_hand == before)
                && let Ok(entry) = body::decode_sealed(at, bytes)
                && (entry.subject, entry.seq) == (subject, seq)
            {
                // Whoever appended it has the state saved when it is due.
                states.fold(at, &entry, u32::MAX);
            }
            states.forget(&subject, before);
        }
        Ok(())
    }

    /// Puts at hand what was read.
    async fn found<V: Kind>(&self, asked: &Missing<V::Key>, rows: &[Row]) -> Result<Found<V>, StoreError> {
        let shelf = V::shelf(&self.core.states);
        let mut by_key: HashMap<V::Key, (Option<&Row>, Vec<&Row>)> = HashMap::new();
        for row in rows {
            let key =
                V::key(column(row, 0)?).ok_or_else(|| StoreError::Corrupt("a register's key".to_owned()))?;
            let (saved, newer) = by_key.entry(key).or_default();
            // Only entries have a place.
            if column::<Option<i64>>(row, 3)?.is_some() { newer.push(row) } else { *saved = Some(row) }
        }
        let mut found = Found::<V>::with_capacity(asked.keys.len());
        for key in &asked.keys {
            let Some((Some(saved), newer)) = by_key.remove(key) else {
                shelf.not_read(key);
                found.insert(*key, Ok(None));
                continue;
            };
            match self.fold::<V>(key, saved, newer).await {
                Ok(kept) => {
                    if shelf.put(*key, kept.clone()) {
                        found.insert(*key, Ok(Some(kept)));
                    }
                }
                Err(error) => {
                    shelf.not_read(key);
                    found.insert(*key, Err(error));
                }
            }
        }
        Ok(found)
    }

    /// A saved state with what its journal has more.
    async fn fold<V: Kind>(
        &self,
        key: &V::Key,
        saved: &Row,
        mut newer: Vec<&Row>,
    ) -> Result<Kept<V>, StoreError> {
        let mut kept = V::read(&self.core.sealer, key, saved)?;
        newer.sort_by_key(|row| column::<i32>(row, 2).unwrap_or_default());
        for row in &newer {
            apply(key, &mut kept, column(row, 2)?, column(row, 3)?, column(row, 4)?)?;
        }
        let mut count = newer.len();
        let subject = V::subject(key);
        let text = &self.core.texts_of(&subject).newer;
        while count >= NEWER_ROWS as usize {
            let live = self.link.live().await?;
            let rows =
                live.rows(text, &[&subject_key(&subject), &(kept.seq as i32), &i64::from(NEWER_ROWS)]).await;
            let rows = rows.map_err(|error| store_error(&error))?;
            for row in &rows {
                apply(key, &mut kept, column(row, 0)?, column(row, 1)?, column(row, 2)?)?;
            }
            count = rows.len();
        }
        Ok(kept)
    }

    /// Answers those whose state was read or is at hand; the others stay.
    fn answer<V: Kind>(&self, waiting: &mut Vec<(V::Key, Answer<V>)>, found: &Found<V>) {
        let shelf = V::shelf(&self.core.states);
        for (key, answer) in std::mem::take(waiting) {
            match (shelf.look(&key), found.get(&key)) {
                (Some(kept), _) => drop(answer.send(Ok(Some(kept)))),
                (None, Some(result)) => drop(answer.send(result.clone())),
                (None, None) => waiting.push((key, answer)),
            }
        }
    }
}

impl Share {
    fn refuse(self, error: &StoreError) {
        self.cards.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error.clone()))));
        self.terminals.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error.clone()))));
    }
}

/// One statement of a round.
enum Step<'a> {
    Look { text: &'a str, known: &'a Known, bound: i64, limit: i64 },
    States { text: &'a str, subjects: &'a [Vec<u8>], ids: Vec<&'a [u8]> },
}

impl Step<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Look { text, .. } | Self::States { text, .. } => text,
        }
    }

    async fn run(&self, live: &Live) -> Result<Vec<Row>, Error> {
        match self {
            Self::Look { text, known, bound, limit } => {
                let seen = known.seen.unwrap_or(i64::MAX);
                let values: &Values<'_> = &[&known.writer, &seen, bound, limit];
                live.rows(text, values).await
            }
            Self::States { text, subjects, ids } => live.rows(text, &[subjects, ids, &NEWER_ROWS]).await,
        }
    }
}

async fn ask(live: &Live, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Error> {
    for step in steps {
        live.prepared(step.text()).await?;
    }
    pipeline(steps.iter().map(|step| step.run(live))).await.into_iter().collect()
}

fn head(rows: &[Row]) -> Result<Head, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("a partition has no head".to_owned()))?;
    Ok(Head {
        last: column(row, 0)?,
        writer: column(row, 1)?,
        run: column(row, 2)?,
        registration: column(row, 3)?,
    })
}

fn subject(bytes: &[u8]) -> Result<Subject, StoreError> {
    match bytes.split_first() {
        Some((1, id)) => Card::key(id).map(Subject::Card),
        Some((2, id)) => Terminal::key(id).map(Subject::Terminal),
        _ => None,
    }
    .ok_or_else(|| StoreError::Corrupt("a subject's column".to_owned()))
}

/// Folds one entry, if it is the next one.
fn apply<V: Kind>(
    key: &V::Key,
    kept: &mut Kept<V>,
    seq: i32,
    at: i64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let journal_seq = place(at);
    let entry = body::decode_sealed(journal_seq, bytes)?;
    if entry.subject != V::subject(key) || i64::from(entry.seq) != i64::from(seq) {
        return Err(StoreError::Corrupt(format!("entry {journal_seq}: its columns and its body disagree")));
    }
    if kept.seq.checked_add(1) != Some(entry.seq) {
        return Err(StoreError::Corrupt(format!("entry {journal_seq} does not continue its subject")));
    }
    Arc::make_mut(&mut kept.value).apply(journal_seq, &entry);
    kept.seq = entry.seq;
    Ok(())
}
