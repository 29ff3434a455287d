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

    /// Notes a question before it is sent; `None` if there are too many, or if somebody waits for the answer to one like it. A
    /// repeat of one that nobody waits for takes its place.
    pub(crate) fn register(
        &mut self,
        key: Key,
        line: usize,
        about: About,
        now: Instant,
    ) -> Option<oneshot::Receiver<Result<Reply, Broken>>> {
        self.forget_old(now);
        let is_awaited =
            |waiting: &Waiting| waiting.answer.as_ref().is_some_and(|answer| !answer.is_closed());
        if self.waiting.len() >= self.most || self.waiting.get(&key).is_some_and(is_awaited) {
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

#[cfg(test)]
mod tests {
    use model::{BatchNumber, ResponseCode};

    use super::*;

    fn about(stan: u32) -> About {
        let key = TransactionKey {
            terminal: "10000001".parse().unwrap(),
            batch: BatchNumber::NONE,
            stan: Stan::new(stan).unwrap(),
            day: 0,
        };
        About { card: CardId([1; 16]), key, stan: Stan::new(stan).unwrap(), at: Timestamp(0) }
    }

    fn reply() -> Reply {
        Reply { code: ResponseCode::APPROVED, approval: None, amount: None, balance: None }
    }

    fn table() -> Table {
        Table::new(2, Duration::from_secs(60))
    }

    #[test]
    fn an_answer_is_delivered_once_and_late_when_nobody_waits() {
        let (mut table, now) = (table(), Instant::now());
        let (first, second) = (Key::sample(1), Key::sample(2));
        let mut waiting = table.register(first, 0, about(1), now).unwrap();
        drop(table.register(second, 0, about(2), now).unwrap());
        assert_eq!(table.answered(&first, reply(), now), Matched::Delivered);
        assert_eq!(waiting.try_recv(), Ok(Ok(reply())));
        assert_eq!(table.answered(&first, reply(), now), Matched::Unknown, "a copy of the answer");
        let after = Duration::from_secs(3);
        assert_eq!(table.answered(&second, reply(), now + after), Matched::Late(about(2), after));
    }

    #[test]
    fn a_repeat_takes_the_place_of_what_nobody_waits_for() {
        let (mut table, now) = (table(), Instant::now());
        let waiting = table.register(Key::sample(1), 0, about(1), now).unwrap();
        assert!(table.register(Key::sample(1), 0, about(1), now).is_none(), "somebody waits");
        drop(waiting);
        assert!(table.register(Key::sample(1), 1, about(1), now).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut table, now) = (table(), Instant::now());
        for stan in [1, 2] {
            drop(table.register(Key::sample(stan), 0, about(stan), now).unwrap());
        }
        assert!(table.register(Key::sample(3), 0, about(3), now).is_none());
        let later = now + Duration::from_secs(61);
        assert!(table.register(Key::sample(3), 0, about(3), later).is_some());
        assert_eq!(table.answered(&Key::sample(1), reply(), later), Matched::Unknown);
    }

    #[test]
    fn a_broken_line_lets_its_own_go_and_still_knows_them() {
        let (mut table, now) = (table(), Instant::now());
        let mut one = table.register(Key::sample(1), 0, about(1), now).unwrap();
        let mut other = table.register(Key::sample(2), 1, about(2), now).unwrap();
        table.broke(0);
        assert_eq!(one.try_recv(), Ok(Err(Broken)));
        assert!(other.try_recv().is_err());
        assert!(matches!(table.answered(&Key::sample(1), reply(), now), Matched::Late(..)));
    }
}
