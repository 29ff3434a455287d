//! What this host knows of each partition's head, and so of how old its memory may be.
//!
//! The head names who appended last (`writer`), and where the journal ended before the first of those appends in a row
//! (`run`). Whoever is that writer and had seen the journal up to `run` has seen all of it: one row read tells that every
//! card and terminal of the partition in memory is as new as the database, however many there are.
//!
//! `seen` is the promise: of entries up to there that others appended, each is folded into what is at hand, or what is at
//! hand of its subject is marked as old. Our own are folded when their commit is answered.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use store::Subject;

/// Entries that are on their way: subject and number.
pub(crate) type Sent = HashMap<Subject, u32>;

pub(crate) struct Heads {
    parts: Vec<Mutex<Part>>,
}

struct Part {
    seen: Option<i64>,
    /// The last append up to `seen` was ours.
    ours: bool,
    registration: i64,
    /// Our name. Another one after a commit whose fate is unknown: should it still come, it is a stranger's.
    writer: i64,
    /// `seen` when what is on its way was sent.
    before: Option<i64>,
    sent: Arc<Sent>,
}

/// What is asked about a head, and what an append that expects it as it was is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) writer: i64,
    pub(crate) seen: Option<i64>,
    pub(crate) registration: i64,
}

/// A head as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) last: i64,
    pub(crate) writer: i64,
    pub(crate) run: i64,
    pub(crate) registration: i64,
}

/// What a look at a head tells about what is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It is all as new as the head.
    Fresh,
    /// Others appended: what came with the head says which subjects are old.
    Others,
    /// The journal is shorter than it was, or nothing is known of it: all of it may be wrong.
    Unknown,
}

impl Heads {
    pub(crate) fn new(partitions: u16) -> Self {
        let part = || {
            Mutex::new(Part {
                seen: None,
                ours: false,
                registration: 0,
                writer: new_writer(),
                before: None,
                sent: Arc::default(),
            })
        };
        Self { parts: (0..partitions).map(|_| part()).collect() }
    }

    pub(crate) fn known(&self, partition: u16) -> Known {
        let part = self.part(partition);
        Known { writer: part.writer, seen: part.seen, registration: part.registration }
    }

    /// Something is about to be sent: the head as it will find it, if nobody else comes before and that is known. Whatever
    /// is at hand when this was asked is covered by it.
    pub(crate) fn expected(&self, partition: u16) -> Option<Known> {
        let mut part = self.part(partition);
        part.before = part.seen;
        let known = Known { writer: part.writer, seen: part.seen, registration: part.registration };
        (part.ours && part.seen.is_some()).then_some(known)
    }

    /// What is on its way, so that a look that meets it does not take it for another host's.
    pub(crate) fn sending(&self, partition: u16, sent: Arc<Sent>) {
        self.part(partition).sent = sent;
    }

    pub(crate) fn sent(&self, partition: u16) -> Arc<Sent> {
        self.part(partition).sent.clone()
    }

    /// An append of ours moved the head as expected.
    pub(crate) fn moved(&self, partition: u16, expected: &Known, last: i64) {
        let mut part = self.part(partition);
        if part.seen >= expected.seen {
            part.seen = part.seen.max(Some(last));
            part.ours = true;
        }
    }

    /// An append of ours moved the head, wherever it was. Says whether others had appended since we looked.
    pub(crate) fn moved_from(&self, partition: u16, run: i64, last: i64) -> bool {
        let mut part = self.part(partition);
        match part.seen {
            Some(seen) if run <= seen => {
                part.seen = Some(seen.max(last));
                part.ours = true;
                false
            }
            seen => {
                part.ours = false;
                seen.is_some()
            }
        }
    }

    /// The head was not as expected: until it was looked at, nothing is expected.
    pub(crate) fn missed(&self, partition: u16) {
        self.part(partition).ours = false;
    }

    /// What became of what was sent is not known: should it be there, or come yet, it is a stranger's, and news.
    pub(crate) fn renew(&self, partition: u16) {
        let mut part = self.part(partition);
        part.writer = new_writer();
        part.ours = false;
        part.seen = part.seen.min(part.before);
        part.sent = Arc::default();
    }

    /// What a head that was read after `asked` means. The promise holds up to it after [`covered`](Self::covered).
    pub(crate) fn sight(&self, partition: u16, asked: &Known, head: &Head) -> Sight {
        let mut part = self.part(partition);
        let Some(seen) = asked.seen else { return Sight::Unknown };
        if head.last < seen {
            part.seen = None;
            part.ours = false;
            return Sight::Unknown;
        }
        match head.writer == asked.writer && head.run <= seen {
            _ if head.last == seen => Sight::Fresh,
            // The database took us for the writer and told no news, but we gave that name up since we asked.
            true if asked.writer != part.writer => Sight::Unknown,
            true => Sight::Fresh,
            false => Sight::Others,
        }
    }

    /// What is at hand covers the journal up to this head. Unless we gave up our name since we asked: then a part of it
    /// may be what we gave up.
    pub(crate) fn covered(&self, partition: u16, asked: &Known, head: &Head) {
        let mut part = self.part(partition);
        if part.writer != asked.writer {
            return;
        }
        if part.seen.is_none_or(|seen| seen <= head.last) {
            part.seen = Some(head.last);
            part.ours = head.writer == part.writer;
        }
        part.registration = part.registration.max(head.registration);
    }

    fn part(&self, partition: u16) -> MutexGuard<'_, Part> {
        self.parts[usize::from(partition)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that no other writer has.
fn new_writer() -> i64 {
    static WITHOUT_RANDOMNESS: AtomicI64 = AtomicI64::new(1);
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        // Zero is nobody.
        Ok(()) => i64::from_be_bytes(bytes) | 1,
        // Another host may be called the same: then each takes the other's entries for its own, and appending finds out.
        Err(_) => WITHOUT_RANDOMNESS.fetch_add(2, Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(heads: &Heads, last: i64, run: i64) -> Head {
        Head { last, writer: heads.known(0).writer, run, registration: 0 }
    }

    /// One partition whose journal was seen up to 10, the last by us.
    fn seen() -> Heads {
        let heads = Heads::new(1);
        assert_eq!(heads.sight(0, &heads.known(0), &head(&heads, 10, 0)), Sight::Unknown);
        heads.covered(0, &heads.known(0), &head(&heads, 10, 0));
        heads
    }

    #[test]
    fn what_we_appended_ourselves_is_no_news() {
        let heads = seen();
        let asked = heads.known(0);
        let expected = heads.expected(0).unwrap();
        heads.moved(0, &expected, 20);
        assert_eq!(heads.sight(0, &asked, &head(&heads, 20, 0)), Sight::Fresh);
        assert_eq!(heads.known(0).seen, Some(20));
        assert!(!heads.moved_from(0, 0, 30));
        assert_eq!(heads.expected(0).unwrap().seen, Some(30));
    }

    #[test]
    fn what_others_appended_is_news_even_under_ours() {
        let heads = seen();
        let asked = heads.known(0);
        let theirs = Head { writer: 2, ..head(&heads, 20, 10) };
        assert_eq!(heads.sight(0, &asked, &theirs), Sight::Others);
        // Ours came after theirs: we began our run at 20.
        assert!(heads.moved_from(0, 20, 30));
        assert_eq!((heads.expected(0), heads.known(0).seen), (None, Some(10)));
        assert_eq!(heads.sight(0, &asked, &head(&heads, 30, 20)), Sight::Others);
        heads.covered(0, &asked, &head(&heads, 30, 20));
        assert_eq!(heads.expected(0).unwrap().seen, Some(30));
    }

    #[test]
    fn a_head_that_was_not_as_expected_is_not_expected_again() {
        let heads = seen();
        heads.missed(0);
        assert_eq!(heads.expected(0), None);
    }

    #[test]
    fn a_journal_that_is_shorter_than_it_was_makes_everything_doubtful() {
        let heads = seen();
        assert_eq!(heads.sight(0, &heads.known(0), &head(&heads, 9, 0)), Sight::Unknown);
        assert_eq!(heads.expected(0), None);
    }

    /// A look may take what is on its way for known, and then the line breaks.
    #[test]
    fn a_commit_whose_fate_is_unknown_is_news() {
        let heads = seen();
        let (asked, old) = (heads.known(0), head(&heads, 20, 0));
        heads.expected(0).unwrap();
        assert_eq!(heads.sight(0, &asked, &old), Sight::Fresh);
        heads.covered(0, &asked, &old);
        heads.renew(0);
        assert_eq!((heads.expected(0), heads.known(0).seen), (None, Some(10)));
        assert_eq!(heads.sight(0, &heads.known(0), &old), Sight::Others);
        // A look that was sent before the line broke was told no news, under our old name.
        assert_eq!(heads.sight(0, &asked, &old), Sight::Unknown);
        heads.covered(0, &asked, &old);
        assert_eq!(heads.known(0).seen, Some(10));
    }

    #[test]
    fn a_registration_is_remembered() {
        let heads = seen();
        heads.covered(0, &heads.known(0), &Head { registration: 7, ..head(&heads, 10, 0) });
        assert_eq!(heads.expected(0).unwrap().registration, 7);
    }
}
