//! Tries that a fault consumed are given back: those and no other.

use std::collections::BTreeSet;

use authorization::{
    Effect,
    desk::{Fault, NotApplicable, restore_tries},
};
use model::{ReasonCode, TransactionKey};
use proptest::prelude::*;

use crate::bench::{Bench, Pin, key};

impl Bench {
    /// What staff do, with the transactions that an incident names.
    fn restore(&mut self, stans: &[u32]) -> Result<Vec<Effect>, NotApplicable> {
        let transactions: Vec<TransactionKey> = stans.iter().map(|stan| key(*stan)).collect();
        let fault = Fault { incident: 17, transactions: &transactions };
        let effects = restore_tries(&self.state, self.policy(), &fault, self.now)?;
        self.state.apply(self.state.seq + 1, 99, self.now, &effects);
        Ok(effects)
    }
}

#[test]
fn a_lock_that_a_broken_keypad_brought_ends_and_the_holder_s_own_slip_stays() {
    let mut bench = Bench::new("debit-standard");
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    assert!(bench.state.lock.is_some());
    bench.restore(&[2, 3]).unwrap();
    assert_eq!((bench.state.tries.used(), bench.state.lock, bench.state.locks_in_a_row), (1, None, 0));
    assert_eq!(bench.sale(4, 100, Pin::Wrong).reason, ReasonCode::WrongPin);
    assert_eq!(bench.sale(5, 100, Pin::Wrong).reason, ReasonCode::PinTriesExceeded);
    assert!(bench.sale(2, 100, Pin::Wrong).repeat, "the repeat of a restored one is a repeat");
}

#[test]
fn what_the_fault_did_not_cost_is_not_given_back() {
    let mut bench = Bench::new("debit-standard");
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    assert_eq!(bench.restore(&[9]).unwrap_err(), NotApplicable::NothingToRestore);
    assert_eq!(bench.restore(&[]).unwrap_err(), NotApplicable::NothingToRestore);
    bench.restore(&[3]).unwrap();
    assert_eq!(bench.restore(&[3]).unwrap_err(), NotApplicable::NothingToRestore, "once");
    assert_eq!(bench.state.tries.used(), 2);
    // The right PIN has given them back already.
    bench.sale(4, 100, Pin::Right);
    assert_eq!(bench.restore(&[1, 2]).unwrap_err(), NotApplicable::NothingToRestore);
}

#[test]
fn a_lock_whose_time_has_come_needs_nobody() {
    let mut bench = Bench::new("debit-standard");
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    bench.now = bench.now.plus_s(24 * 3600);
    assert_eq!(bench.restore(&[1]).unwrap_err(), NotApplicable::NothingToRestore);
}

#[test]
fn the_ladder_s_steps_end_when_they_are_not_reached_any_more() {
    let mut bench = Bench::new("debit-careful");
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    assert!(bench.state.restriction.is_some() && bench.state.step_up.is_some());
    let (restriction, rungs) = (bench.state.restriction, bench.policy().rungs.clone());
    assert!(rungs.iter().all(|rung| rung.after > 1), "one wrong PIN is below every rung");
    bench.restore(&[3]).unwrap();
    assert_eq!((bench.state.restriction, bench.state.step_up), (restriction, None));
    bench.restore(&[2]).unwrap();
    assert_eq!((bench.state.restriction, bench.state.tries.used()), (None, 1));
}

/// A sale at a good till or a broken one, an incident that names some of them, time.
#[derive(Debug, Clone)]
enum Happens {
    Sale { pin: Pin },
    Restore { named: Vec<u32> },
    Wait { hours: i64 },
}

fn happens() -> impl Strategy<Value = Happens> {
    let pin = prop_oneof![4 => Just(Pin::Wrong), 1 => Just(Pin::Right)];
    prop_oneof![
        6 => pin.prop_map(|pin| Happens::Sale { pin }),
        2 => prop::collection::vec(1..40_u32, 0..6).prop_map(|named| Happens::Restore { named }),
        1 => (1..30_i64).prop_map(|hours| Happens::Wait { hours }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Between two resets: guesses proven <= limit + tries given back, and what is given back was named and proven wrong.
    #[test]
    fn no_more_guesses_than_the_limit_and_what_faults_cost(all in prop::collection::vec(happens(), 1..40)) {
        let mut bench = Bench::new("debit-standard");
        let mut counted = BTreeSet::new();
        let (mut proven, mut given_back) = (0, 0);
        for (stan, one) in (1..).zip(all) {
            match one {
                Happens::Wait { hours } => bench.now = bench.now.plus_s(hours * 3600),
                Happens::Restore { named } => {
                    let before = bench.state.tries.used();
                    let due: BTreeSet<u32> = counted.iter().copied().filter(|stan| named.contains(stan)).collect();
                    let expired = bench.state.lock.is_some_and(|lock| lock.has_expired(bench.now));
                    let restored = bench.restore(&named);
                    prop_assert_eq!(restored.is_ok(), !due.is_empty() && !expired);
                    if restored.is_ok() {
                        prop_assert_eq!(usize::from(before - bench.state.tries.used()), due.len());
                        prop_assert!(bench.state.lock.is_none());
                        counted.retain(|stan| !due.contains(stan));
                        given_back += due.len();
                    }
                }
                Happens::Sale { pin } => {
                    if bench.state.lock.is_some_and(|lock| lock.has_expired(bench.now)) {
                        (proven, given_back) = (0, 0);
                        counted.clear();
                    }
                    match bench.sale(stan, 100, pin).reason {
                        ReasonCode::Approved => {
                            (proven, given_back) = (0, 0);
                            counted.clear();
                        }
                        ReasonCode::WrongPin | ReasonCode::PinTriesExceeded => {
                            proven += 1;
                            counted.insert(stan);
                        }
                        _ => {}
                    }
                }
            }
            prop_assert_eq!(usize::from(bench.state.tries.used()), counted.len());
            prop_assert_eq!(bench.state.charged().len(), counted.len());
            prop_assert!(proven <= 3 + given_back);
        }
    }
}
