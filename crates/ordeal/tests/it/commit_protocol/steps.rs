//! Tills, hosts and a database with one card, as far as the commit protocol goes: what each of them can do next.
//!
//! ```text
//!  till ──send──► host: decide ──► commit ──────────────► answer ──► till, or lost
//!                   ▲                │ │ out of touch
//!                   └── collision ───┘ └──► in doubt ──ask by key──► answer, or silence
//!                                             the entry is adrift: it lands later, or never
//! ```
//!
//! A step is what nobody can see the inside of. Reading, asking the module and deciding are one step, because what was read
//! stays as old as it is until the commit. What a host has in memory may be old; only the commit finds out.

use std::collections::BTreeSet;

use super::Mistake;

/// A request's transaction key: its place in [`Protocol::requests`].
pub(super) type Key = usize;
/// A host's place in [`State::at_hand`].
pub(super) type Host = usize;

/// The hosts on the database.
pub(super) const HOSTS: usize = 2;
/// The tills, each with one request at a time.
pub(super) const TILLS: usize = 2;

/// What the security module found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Evidence {
    Match,
    Mismatch,
    /// It was away, and nothing is proven.
    Unverifiable,
}

/// The answer's response code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Answer {
    /// 00
    Approved,
    /// 55
    WrongPin,
    /// 75: this PIN locked the card, or it was locked before.
    TriesExceeded,
    /// 96 by decision: the PIN could not be verified.
    Fault,
    /// 96 without a decision. Only a mistake says so about an entry in doubt.
    TryAgain,
}

/// A card's journal entry, and for the properties how it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Entry {
    /// With the card the journal's key.
    pub(super) seq: usize,
    pub(super) key: Key,
    /// `None`: the module was not asked, because the card was locked.
    pub(super) evidence: Option<Evidence>,
    /// The counter after it.
    pub(super) tries: usize,
    pub(super) answer: Answer,
    pub(super) host: Host,
    /// It was decided again after a collision.
    pub(super) again: bool,
    /// It landed when its host was not listening any more.
    pub(super) unheard: bool,
}

/// One copy of a request, at the host that it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Copy {
    pub(super) key: Key,
    pub(super) host: Host,
    /// Kept from one decision to the next: a PIN is verified once.
    pub(super) evidence: Option<Evidence>,
    pub(super) again: bool,
    pub(super) phase: Phase,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Phase {
    Arrived,
    Decided(Entry),
    InDoubt,
    Answers(Answer),
}

/// A till waits for the answer to one request, sends it again, and takes the next one in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Till {
    pub(super) waits_for: Option<Key>,
    pub(super) copies_left: usize,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// In the order in which the database took them.
    pub(super) journal: Vec<Entry>,
    /// Commits that were sent, and whose result nobody will hear. Sorted.
    pub(super) adrift: Vec<Entry>,
    /// Sorted, so that two states that differ in nothing but an order are one.
    pub(super) copies: Vec<Copy>,
    pub(super) tills: [Till; TILLS],
    /// How many entries are folded into what each host has in memory.
    pub(super) at_hand: [Option<usize>; HOSTS],
    /// What may still go wrong.
    pub(super) left: Faults,
    /// Answers that left a host, whether or not they arrived.
    pub(super) given: BTreeSet<(Key, Answer, Host)>,
}

/// What may happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A till sends its request, perhaps again, to this host.
    Send { till: usize, host: Host },
    /// A till has no patience left and takes the next request.
    GiveUp { till: usize },
    /// A host reads the card, asks the module if it must, and decides.
    Decide { copy: Copy, module_is_away: bool },
    /// The entry is committed, or its number is taken.
    Commit(Copy),
    /// The entry was sent, and the connection to the database is gone.
    LoseTouch(Copy),
    /// An entry adrift comes to the database.
    Land(Entry),
    /// Whoever is in doubt asks the journal for the key.
    AskByKey(Copy),
    /// An answer leaves.
    Answer { copy: Copy, arrives: bool },
    /// A host ends, with all that it had in memory.
    Crash(Host),
}

/// What a till asks, and how often at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) till: usize,
    pub(super) pin_is_right: bool,
    pub(super) copies: usize,
}

/// How often each thing goes wrong. Answers are lost as often as there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Faults {
    pub(super) crashes: usize,
    pub(super) doubts: usize,
    pub(super) module: usize,
}

/// The protocol, and how it may be broken.
#[derive(Debug, Clone)]
pub(super) struct Protocol {
    /// For each key its request.
    pub(super) requests: Vec<Request>,
    pub(super) try_limit: usize,
    pub(super) faults: Faults,
    pub(super) mistake: Option<Mistake>,
}

impl Protocol {
    /// Before anything has happened.
    pub(super) fn start(&self) -> State {
        let tills = std::array::from_fn(|till| self.waiting_for(till, 0));
        State {
            journal: Vec::new(),
            adrift: Vec::new(),
            copies: Vec::new(),
            tills,
            at_hand: [None; HOSTS],
            left: self.faults,
            given: BTreeSet::new(),
        }
    }

    /// A till with the first of its requests whose key is not below this one.
    fn waiting_for(&self, till: usize, from: Key) -> Till {
        let waits_for = (from..self.requests.len()).find(|key| self.requests[*key].till == till);
        Till { waits_for, copies_left: waits_for.map_or(0, |key| self.requests[key].copies) }
    }

    /// Everything that may happen next.
    pub(super) fn possible(&self, state: &State, steps: &mut Vec<Step>) {
        for (till, now) in state.tills.iter().enumerate().filter(|(_, now)| now.waits_for.is_some()) {
            if now.copies_left == 0 {
                steps.push(Step::GiveUp { till });
            } else {
                // Before anything has happened, one host is like the other.
                let hosts = if *state == self.start() { 1 } else { HOSTS };
                steps.extend((0..hosts).map(|host| Step::Send { till, host }));
            }
        }
        for (index, copy) in state.copies.iter().enumerate() {
            if index > 0 && state.copies[index - 1] == *copy {
                continue;
            }
            self.possible_for(*copy, state, steps);
        }
        steps.extend(state.adrift.iter().copied().map(Step::Land));
        let hosts = (0..HOSTS).filter(|host| state.copies.iter().any(|copy| copy.host == *host));
        steps.extend(hosts.filter(|_| state.left.crashes > 0).map(Step::Crash));
    }

    fn possible_for(&self, copy: Copy, state: &State, steps: &mut Vec<Step>) {
        match copy.phase {
            Phase::Arrived => {
                steps.push(Step::Decide { copy, module_is_away: false });
                if state.left.module > 0 && copy.evidence.is_none() {
                    steps.push(Step::Decide { copy, module_is_away: true });
                }
            }
            Phase::Decided(_) => {
                steps.push(Step::Commit(copy));
                if state.left.doubts > 0 {
                    steps.push(Step::LoseTouch(copy));
                }
                if self.mistake == Some(Mistake::AnswerFirst) {
                    steps.push(Step::Answer { copy, arrives: true });
                }
            }
            Phase::InDoubt => steps.push(Step::AskByKey(copy)),
            Phase::Answers(_) => {
                steps.extend([true, false].map(|arrives| Step::Answer { copy, arrives }));
            }
        }
    }

    /// The next moment.
    pub(super) fn after(&self, mut state: State, step: &Step) -> State {
        match *step {
            Step::Send { till, host } => {
                let now = &mut state.tills[till];
                now.copies_left -= 1;
                if let Some(key) = now.waits_for {
                    let phase = Phase::Arrived;
                    state.copies.push(Copy { key, host, evidence: None, again: false, phase });
                }
            }
            Step::GiveUp { till } => self.next_request(&mut state, till),
            Step::Decide { copy, module_is_away } => self.decide(&mut state, copy, module_is_away),
            Step::Commit(copy) => self.commit(&mut state, copy),
            Step::LoseTouch(copy) => self.lose_touch(&mut state, copy),
            Step::Land(entry) => {
                state.adrift.remove(place(&state.adrift, &entry));
                self.append(&mut state, Entry { unheard: true, ..entry });
            }
            Step::AskByKey(copy) => {
                state.take(&copy);
                // Not there may mean not yet: silence, and never another attempt.
                if let Some(entry) = state.journal.iter().find(|entry| entry.key == copy.key) {
                    state.copies.push(Copy { phase: Phase::Answers(entry.answer), ..copy });
                }
            }
            Step::Answer { copy, arrives } => self.answer(&mut state, copy, arrives),
            Step::Crash(host) => {
                state.copies.retain(|copy| copy.host != host);
                state.at_hand[host] = None;
                state.left.crashes -= 1;
            }
        }
        if self.mistake != Some(Mistake::BlindAppend) {
            // They can only fail, and nobody would hear of it.
            state.adrift.retain(|entry| entry.seq > state.journal.len());
        }
        state.copies.sort_unstable();
        state.adrift.sort_unstable();
        state
    }

    fn decide(&self, state: &mut State, copy: Copy, module_is_away: bool) {
        state.take(&copy);
        let folded = *state.at_hand[copy.host].get_or_insert(state.journal.len());
        let seen = &state.journal[..folded];
        let remembered = seen.iter().find(|entry| entry.key == copy.key);
        if let (Some(entry), false) = (remembered, self.mistake == Some(Mistake::NoLookUp)) {
            let phase = Phase::Answers(entry.answer);
            state.copies.push(Copy { phase, ..copy });
            return;
        }
        let tries = seen.last().map_or(0, |entry| entry.tries);
        let locked = tries >= self.try_limit;
        let evidence = copy.evidence.or_else(|| (!locked).then(|| self.verify(copy.key, module_is_away)));
        if module_is_away && copy.evidence.is_none() && evidence.is_some() {
            state.left.module -= 1;
        }
        let (tries, answer) = match evidence {
            _ if locked => (tries, Answer::TriesExceeded),
            Some(Evidence::Match) => (0, Answer::Approved),
            Some(Evidence::Mismatch) if tries + 1 == self.try_limit => (tries + 1, Answer::TriesExceeded),
            Some(Evidence::Mismatch) => (tries + 1, Answer::WrongPin),
            Some(Evidence::Unverifiable) | None => (tries, Answer::Fault),
        };
        let counts = if locked { None } else { evidence };
        let entry = Entry {
            seq: folded + 1,
            key: copy.key,
            evidence: counts,
            tries,
            answer,
            host: copy.host,
            again: copy.again,
            unheard: false,
        };
        state.copies.push(Copy { evidence, phase: Phase::Decided(entry), ..copy });
    }

    fn verify(&self, key: Key, module_is_away: bool) -> Evidence {
        match self.requests[key] {
            _ if module_is_away => Evidence::Unverifiable,
            Request { pin_is_right: true, .. } => Evidence::Match,
            Request { pin_is_right: false, .. } => Evidence::Mismatch,
        }
    }

    /// The compare-and-swap: the number must be free. Says whether the journal has the entry now.
    fn append(&self, state: &mut State, entry: Entry) -> bool {
        let free = state.journal.iter().all(|there| there.seq != entry.seq);
        if free || self.mistake == Some(Mistake::BlindAppend) {
            state.journal.push(entry);
            return true;
        }
        false
    }

    fn commit(&self, state: &mut State, copy: Copy) {
        let Phase::Decided(entry) = copy.phase else { return };
        state.take(&copy);
        let phase = if self.append(state, entry) {
            state.at_hand[copy.host] = Some(state.journal.len());
            Phase::Answers(entry.answer)
        } else if self.mistake == Some(Mistake::NextNumber) {
            Phase::Decided(Entry { seq: state.journal.len() + 1, ..entry })
        } else {
            state.at_hand[copy.host] = None;
            Phase::Arrived
        };
        let again = copy.again || phase == Phase::Arrived;
        state.copies.push(Copy { again, phase, ..copy });
    }

    fn lose_touch(&self, state: &mut State, copy: Copy) {
        let Phase::Decided(entry) = copy.phase else { return };
        state.take(&copy);
        state.left.doubts -= 1;
        state.adrift.push(entry);
        let refuses = self.mistake == Some(Mistake::RefuseInDoubt);
        let phase = if refuses { Phase::Answers(Answer::TryAgain) } else { Phase::InDoubt };
        state.copies.push(Copy { phase, ..copy });
    }

    fn answer(&self, state: &mut State, copy: Copy, arrives: bool) {
        state.take(&copy);
        let answer = match copy.phase {
            Phase::Answers(answer) => answer,
            Phase::Decided(entry) => {
                // The mistake: the answer leaves, and the commit is on its way.
                state.adrift.push(entry);
                entry.answer
            }
            Phase::Arrived | Phase::InDoubt => return,
        };
        state.given.insert((copy.key, answer, copy.host));
        let till = self.requests[copy.key].till;
        if arrives && state.tills[till].waits_for == Some(copy.key) {
            self.next_request(state, till);
        }
    }

    fn next_request(&self, state: &mut State, till: usize) {
        if let Some(key) = state.tills[till].waits_for {
            state.tills[till] = self.waiting_for(till, key + 1);
        }
    }
}

impl State {
    /// Takes a copy away; whoever goes on puts it back.
    fn take(&mut self, copy: &Copy) {
        self.copies.remove(place(&self.copies, copy));
    }
}

/// Where a sorted list has this one. Steps are made of what is there.
fn place<T: Ord>(sorted: &[T], what: &T) -> usize {
    sorted.binary_search(what).expect("a step about something that is not there")
}
