//! "Wrong verdict": what people say about verdicts, kept and counted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use diagnosis::Cause;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Book, BookError, StoreError, book::READ_MAX};
use tokio::sync::Mutex;

use crate::register::ActError;

const STREAM: &str = "verdicts";
const RACES_LIMIT: usize = 16;

/// What somebody says about the verdict on one refusal. Who judges again replaces what he said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The form's version.
    pub v: u32,
    /// Whose verdict.
    pub rrn: String,
    /// What it said.
    pub cause: Cause,
    /// How sure it was.
    pub confidence: f32,
    /// Was it right?
    pub right: bool,
    /// What it really was, if somebody knows.
    pub really: Option<Cause>,
    /// Who says so.
    pub by: String,
    /// In words.
    pub note: String,
}

/// Judgements of one cause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub struct Precision {
    /// Verdicts that were said to be right.
    pub right: u32,
    /// Verdicts that were said to be wrong.
    pub wrong: u32,
}

impl Precision {
    /// The share of right ones, if there are any at all.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let all = self.right + self.wrong;
        (all > 0).then(|| f64::from(self.right) / f64::from(all))
    }
}

/// All judgements, counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// For each cause that was judged.
    pub causes: BTreeMap<Cause, Precision>,
    /// What it really was, for verdicts that were wrong: said, real, how often.
    pub confused: Vec<(Cause, Cause, u32)>,
}

/// The judgements in memory.
pub(crate) struct Judgements {
    book: Arc<dyn Book>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The last word of each person on each verdict.
    last: HashMap<(String, String), (Timestamp, Judgement)>,
    seq: u32,
}

impl Judgements {
    pub(crate) fn new(book: Arc<dyn Book>) -> Self {
        Self { book, kept: Mutex::default() }
    }

    async fn refresh(&self, kept: &mut Kept) -> Result<(), StoreError> {
        loop {
            let facts = self.book.read(STREAM, kept.seq, READ_MAX).await?;
            for fact in &facts {
                kept.seq = fact.seq;
                match fact.read::<Judgement>() {
                    Ok(judgement) => {
                        let key = (judgement.rrn.clone(), judgement.by.clone());
                        kept.last.insert(key, (fact.at, judgement));
                    }
                    Err(error) => tracing::warn!(%error, "a judgement is not understood"),
                }
            }
            if facts.len() < READ_MAX as usize {
                return Ok(());
            }
        }
    }

    /// Writes a judgement down. Says whether it was new.
    pub(crate) async fn judge(&self, at: Timestamp, judgement: Judgement) -> Result<bool, ActError> {
        let mut kept = self.kept.lock().await;
        let key = (judgement.rrn.clone(), judgement.by.clone());
        for _ in 0..RACES_LIMIT {
            self.refresh(&mut kept).await?;
            if kept.last.get(&key).is_some_and(|(_, said)| *said == judgement) {
                return Ok(false);
            }
            let body = store::book::json(&judgement)?;
            match self.book.append(STREAM, kept.seq, at, "judged", body).await {
                Err(BookError::Collision) => {}
                Ok(_) => {
                    self.refresh(&mut kept).await?;
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(BookError::from(StoreError::Overloaded).into())
    }

    /// What was said about a verdict, oldest first.
    pub(crate) async fn of(&self, rrn: &str) -> Result<Vec<(Timestamp, Judgement)>, StoreError> {
        let mut kept = self.kept.lock().await;
        self.refresh(&mut kept).await?;
        let mut said: Vec<_> = kept.last.values().filter(|(_, said)| said.rrn == rrn).cloned().collect();
        said.sort_by_key(|(at, said)| (*at, said.by.clone()));
        Ok(said)
    }

    /// All of them, counted.
    pub(crate) async fn tally(&self) -> Result<Tally, StoreError> {
        let mut kept = self.kept.lock().await;
        self.refresh(&mut kept).await?;
        let mut tally = Tally::default();
        let mut confused: BTreeMap<(Cause, Cause), u32> = BTreeMap::new();
        for (_, said) in kept.last.values() {
            let precision = tally.causes.entry(said.cause).or_default();
            if said.right {
                precision.right += 1;
            } else {
                precision.wrong += 1;
                if let Some(really) = said.really {
                    *confused.entry((said.cause, really)).or_default() += 1;
                }
            }
        }
        tally.confused = confused.into_iter().map(|((said, really), n)| (said, really, n)).collect();
        Ok(tally)
    }
}
