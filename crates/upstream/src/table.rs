//! Which answer belongs to which question. One table per route, whatever line an answer comes by.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use model::{CardId, Stan, Timestamp, TransactionKey};
use tokio::sync::oneshot;

use crate::message::{Key, Reply};

/// What a late answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Whose.
    pub card: CardId,
    /// Which transaction of the terminal.
    pub key: TransactionKey,
    /// DE 11 of the question.
    pub stan: Stan,
    /// DE 7 of the question.
    pub at: Timestamp,
}

/// The line broke before the answer came: nobody knows whether the question arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// What became of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    /// Whoever asked has it.
    Delivered,
    /// Nobody waited any more.
    Late(About, Duration),
    /// It answers no question of ours, or one that was answered before.
    Unknown,
}

struct Waiting {
    line: usize,
    asked: Instant,
    about: About,
    /// `None`: nobody waits, but a late answer is still known.
    answer: Option<oneshot::Sender<Result<Reply, Broken>>>,
}

/// Questions under way, and those whose late answers would still be known.
pub(crate) struct Table {
    waiting: HashMap<Key, Waiting>,
    /// In the order of asking, to forget the old ones.
    order: VecDeque<(Instant, Key)>,
    most: usize,
    remembered: Duration,
}

impl Table {
    pub(crate) fn new(most: usize, remembered: Duration) -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new(), most, remembered }
    }

    /// Notes a question before it is sent; `None` if there are too many, or one like it.
    pub(crate) fn register(
        &mut self,
        key: Key,
        line: usize,
        about: About,
        now: Instant,
    ) -> Option<oneshot::Receiver<Result<Reply, Broken>>> {
        self.forget_old(now);
        if self.waiting.len() >= self.most || self.waiting.contains_key(&key) {
            return None;
        }
        let (answer, waiting) = oneshot::channel();
        self.waiting.insert(key, Waiting { line, asked: now, about, answer: Some(answer) });
        self.order.push_back((now, key));
        Some(waiting)
    }

    /// It was not sent after all.
    pub(crate) fn unregister(&mut self, key: &Key) {
        self.waiting.remove(key);
    }

    /// An answer came.
    pub(crate) fn answered(&mut self, key: &Key, reply: Reply, now: Instant) -> Matched {
        let Some(waiting) = self.waiting.remove(key) else { return Matched::Unknown };
        let late = Matched::Late(waiting.about, now.duration_since(waiting.asked));
        let delivered = waiting.answer.is_some_and(|answer| answer.send(Ok(reply)).is_ok());
        if delivered { Matched::Delivered } else { late }
    }

    /// A line broke: nobody need wait for its answers, which may still come by another.
    pub(crate) fn broke(&mut self, line: usize) {
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.line == line) {
            if let Some(answer) = waiting.answer.take() {
                let _ = answer.send(Err(Broken));
            }
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((asked, key)) = self.order.front().copied() {
            // What has gone already is forgotten here as well; what was asked anew has another place in the order.
            let gone = self.waiting.get(&key).is_none_or(|waiting| waiting.asked != asked);
            if !gone && now.duration_since(asked) < self.remembered {
                return;
            }
            self.order.pop_front();
            if !gone {
                self.waiting.remove(&key);
            }
        }
    }
}
