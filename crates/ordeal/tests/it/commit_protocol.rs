//! The commit protocol by itself, every interleaving of it: tills that send again, hosts that crash, one database whose key
//! (card, number) is the only lock.
//!
//! The simulation runs the real code and draws some of the stories; this has none of the code and goes through all of the
//! stories, for one card and a few requests. A protocol that holds because the model cannot do anything would be easy:
//! so it must be able to do what it is about, and each part that is taken away must show.

mod steps;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Property};

use steps::{Entry, Evidence, Faults, Phase, Protocol, Request, State, Step};

/// A part of the protocol that somebody leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// An entry is appended although its number is taken.
    BlindAppend,
    /// The card is not asked whether it remembers the key.
    NoLookUp,
    /// The answer leaves before the entry is durable.
    AnswerFirst,
    /// An entry whose fate is not known is answered "try again".
    RefuseInDoubt,
    /// After a collision the same decision is appended under the next number.
    NextNumber,
}

const TRIES: &str = "tries are the distinct wrong PINs since the last right one";
const GUESSES: &str = "never more guesses than the limit";
const NUMBERS: &str = "each number is taken once, and none is left out";
const ONE_ANSWER: &str = "a key has one answer, and it is the journal's";
const DURABLE: &str = "no answer without an entry";

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.possible(state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Some(self.after(state.clone(), &step))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always(TRIES, |_, state| {
                state.journal.last().is_none_or(|last| last.tries == mismatches(state).len())
            }),
            Property::<Self>::always(GUESSES, |protocol, state| guesses(state) <= protocol.try_limit),
            Property::<Self>::always(NUMBERS, |_, state| {
                state.journal.iter().enumerate().all(|(index, entry)| entry.seq == index + 1)
            }),
            Property::<Self>::always(ONE_ANSWER, |_, state| {
                let answers = state.given.iter().map(|(key, answer, _)| (*key, *answer));
                answers
                    .chain(state.journal.iter().map(|entry| (entry.key, entry.answer)))
                    .all(|(key, answer)| entries(state, key).all(|entry| entry.answer == answer))
            }),
            Property::<Self>::always(DURABLE, |_, state| {
                state.given.iter().all(|(key, ..)| entries(state, *key).next().is_some())
            }),
            Property::<Self>::sometimes("the card is locked", |protocol, state| {
                guesses(state) == protocol.try_limit
            }),
            Property::<Self>::sometimes("a right PIN takes wrong ones back", |_, state| {
                state.journal.windows(2).any(|pair| pair[0].tries > 0 && pair[1].tries == 0)
            }),
            Property::<Self>::sometimes("the other host repeats an answer", |_, state| {
                state.given.iter().any(|(key, _, host)| entries(state, *key).any(|e| e.host != *host))
            }),
            Property::<Self>::sometimes("a collision is decided again", |_, state| {
                state.journal.iter().any(|entry| entry.again)
            }),
            Property::<Self>::sometimes("a copy that lost the race gives the other's answer", |_, state| {
                let mut lost =
                    state.copies.iter().filter(|c| c.again && matches!(c.phase, Phase::Answers(_)));
                lost.any(|copy| entries(state, copy.key).any(|e| e.host != copy.host))
            }),
            Property::<Self>::sometimes("an entry lands unheard, and its key is answered", |_, state| {
                let mut unheard = state.journal.iter().filter(|entry| entry.unheard);
                unheard.any(|entry| state.given.iter().any(|(key, ..)| *key == entry.key))
            }),
            Property::<Self>::sometimes("a fault is decided, and costs no try", |_, state| {
                state.journal.windows(2).any(|pair| {
                    pair[1].evidence == Some(Evidence::Unverifiable) && pair[0].tries == pair[1].tries
                })
            }),
        ]
    }
}

fn entries(state: &State, key: steps::Key) -> impl Iterator<Item = &Entry> {
    state.journal.iter().filter(move |entry| entry.key == key)
}

/// Entries since the last right PIN.
fn since_reset(state: &State) -> &[Entry] {
    let after = state.journal.iter().rposition(|e| e.evidence == Some(Evidence::Match)).map_or(0, |i| i + 1);
    &state.journal[after..]
}

/// Keys whose PIN was decided to be wrong since then.
fn mismatches(state: &State) -> BTreeSet<steps::Key> {
    let wrong = since_reset(state).iter().filter(|entry| entry.evidence == Some(Evidence::Mismatch));
    wrong.map(|entry| entry.key).collect()
}

/// How often somebody was told that a PIN is wrong since then.
fn guesses(state: &State) -> usize {
    since_reset(state).iter().filter(|entry| entry.evidence == Some(Evidence::Mismatch)).count()
}

fn request(till: usize, pin_is_right: bool, copies: usize) -> Request {
    Request { till, pin_is_right, copies }
}

/// Two tries; one crash, one commit in doubt, and the module away as often as it says.
fn protocol(requests: Vec<Request>, module: usize, mistake: Option<Mistake>) -> Protocol {
    Protocol { requests, try_limit: 2, faults: Faults { crashes: 1, doubts: 1, module }, mistake }
}

/// Two tills guess, once more than the limit allows.
fn thief(mistake: Option<Mistake>) -> Protocol {
    protocol(vec![request(0, false, 1), request(1, false, 1), request(0, false, 1)], 0, mistake)
}

/// A wrong PIN is sent twice, beside another one.
fn repeat(mistake: Option<Mistake>) -> Protocol {
    protocol(vec![request(0, false, 2), request(1, false, 1)], 0, mistake)
}

/// A right PIN is sent twice, beside a wrong one; the module is away once.
fn holder(mistake: Option<Mistake>) -> Protocol {
    protocol(vec![request(0, true, 2), request(1, false, 1)], 1, mistake)
}

#[test]
fn every_interleaving_holds() {
    let checkers = [thief(None), repeat(None), holder(None)].map(|p| p.checker().spawn_bfs());
    let mut seen = BTreeSet::new();
    for checker in checkers.map(Checker::join) {
        for property in checker.model().properties() {
            if property.expectation.discovery_is_failure() {
                checker.assert_no_discovery(property.name);
            }
        }
        assert!(checker.unique_state_count() > 50_000, "only {} states", checker.unique_state_count());
        seen.extend(checker.discoveries().into_keys());
    }
    for property in thief(None).properties() {
        let possible = property.expectation.discovery_is_failure() || seen.contains(property.name);
        assert!(possible, "the model is too poor: it is never so that {}", property.name);
    }
}

/// The checker must find how it goes wrong.
fn check(protocol: Protocol, broken: &[&'static str]) {
    let all = HasDiscoveries::AllOf(broken.iter().copied().collect());
    let checker = protocol.checker().finish_when(all).spawn_bfs().join();
    for name in broken {
        checker.assert_any_discovery(name);
    }
}

#[test]
fn without_the_number_as_a_lock_a_guess_is_given_away() {
    check(thief(Some(Mistake::BlindAppend)), &[GUESSES, TRIES, NUMBERS]);
}

#[test]
fn without_what_the_card_remembers_a_repeat_costs_a_try() {
    check(repeat(Some(Mistake::NoLookUp)), &[TRIES]);
}

#[test]
fn an_answer_before_the_commit_may_have_no_entry() {
    check(repeat(Some(Mistake::AnswerFirst)), &[DURABLE]);
}

#[test]
fn an_entry_in_doubt_that_was_refused_may_be_there_all_the_same() {
    check(holder(Some(Mistake::RefuseInDoubt)), &[ONE_ANSWER]);
}

#[test]
fn a_decision_moved_to_the_next_number_is_about_an_old_state() {
    check(thief(Some(Mistake::NextNumber)), &[TRIES, GUESSES]);
}
