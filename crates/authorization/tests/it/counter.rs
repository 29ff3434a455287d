//! The PIN try counter, whatever the order of things.

use std::collections::BTreeSet;

use authorization::desk::{Action, act};
use model::{ReasonCode, Unverifiable};
use proptest::prelude::*;

use crate::bench::{Bench, Pin};

#[test]
fn a_locked_card_is_refused_without_asking_and_the_right_pin_does_not_unlock_it() {
    let mut bench = Bench::new("debit-standard");
    for (stan, reason) in
        [(1, ReasonCode::WrongPin), (2, ReasonCode::WrongPin), (3, ReasonCode::PinTriesExceeded)]
    {
        assert_eq!(bench.sale(stan, 100, Pin::Wrong).reason, reason);
    }
    let told = bench.sale(4, 100, Pin::Right);
    assert_eq!((told.reason, told.pin_asked), (ReasonCode::CardLocked, false));
    bench.now = bench.now.plus_s(24 * 3600);
    assert_eq!(bench.sale(5, 100, Pin::Right).reason, ReasonCode::Approved);
    assert_eq!(bench.state.tries.used(), 0);
}

#[test]
fn no_fault_moves_the_counter() {
    use Unverifiable::{Key, ModuleUnavailable, NoReference, PinBlockFormat, Unsupported};
    let mut bench = Bench::new("debit-standard");
    bench.sale(1, 100, Pin::Wrong);
    for (index, cause) in
        [PinBlockFormat, Key, NoReference, Unsupported, ModuleUnavailable].into_iter().enumerate()
    {
        let told = bench.sale(10 + index as u32, 100, Pin::Fault(cause));
        assert_ne!(told.reason, ReasonCode::WrongPin);
        assert_eq!(bench.state.tries.used(), 1, "{cause:?}");
    }
}

#[test]
fn staff_unlock_once_and_only_what_is_locked() {
    let mut bench = Bench::new("credit-pickup");
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    bench.now = bench.now.plus_s(365 * 24 * 3600);
    assert_eq!(bench.sale(4, 100, Pin::Right).reason, ReasonCode::CardLocked);
    let effects = act(&bench.state, Action::Unlock, bench.now).unwrap();
    bench.state.apply(bench.state.seq + 1, 99, bench.now, &effects);
    assert!(act(&bench.state, Action::Unlock, bench.now).is_err());
    assert_eq!(bench.sale(5, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn the_third_lock_in_a_row_waits_for_staff_where_the_policy_says_so() {
    let mut bench = Bench::new("debit-careful");
    let mut stan = 0;
    for until in [true, true, false] {
        while bench.state.lock.is_none() {
            stan += 1;
            assert!(stan < 100, "wrong PINs lock a card");
            if bench.sale(stan, 100, Pin::Wrong).reason == ReasonCode::StepUpRequired {
                let effects = act(&bench.state, Action::PassStepUp, bench.now).unwrap();
                bench.state.apply(bench.state.seq + 1, 99, bench.now, &effects);
            }
        }
        assert_eq!(bench.state.lock.unwrap().until.is_some(), until);
        bench.now = bench.now.plus_s(25 * 3600);
        if until {
            // The first request after the release meets an open card; it is the next wrong PIN.
            stan += 1;
            bench.sale(stan, 100, Pin::Wrong);
            assert!(bench.state.lock.is_none());
        }
    }
}

#[test]
fn a_release_ends_a_step_up_that_ran_out_during_the_lock() {
    let mut bench = Bench::new("debit-careful");
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    assert_eq!(bench.sale(4, 100, Pin::Right).reason, ReasonCode::StepUpRequired);
    let effects = act(&bench.state, Action::PassStepUp, bench.now).unwrap();
    bench.state.apply(bench.state.seq + 1, 99, bench.now, &effects);
    assert_eq!(bench.sale(5, 100, Pin::Wrong).reason, ReasonCode::PinTriesExceeded);
    bench.now = bench.now.plus_s(24 * 3600);
    assert_eq!(bench.sale(6, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn a_busy_card_still_knows_its_latest_repeats() {
    let mut bench = Bench::new("debit-standard");
    for stan in 1..=400 {
        bench.sale(stan, 1, Pin::Right);
    }
    let first = bench.sale(401, 1, Pin::Wrong);
    let again = bench.sale(401, 1, Pin::Wrong);
    assert_eq!(
        (first.reason, again.reason, again.repeat),
        (ReasonCode::WrongPin, ReasonCode::WrongPin, true)
    );
    assert_eq!(bench.state.tries.used(), 1);
    assert!(bench.state.traces.len() <= 129, "memory of a card is bounded");
}

#[test]
fn the_newest_32_are_known_for_ever_and_the_others_for_two_days() {
    let mut bench = Bench::new("debit-standard");
    for stan in 1..=40 {
        bench.sale(stan, 1, Pin::Right);
    }
    bench.now = bench.now.plus_s(47 * 3600);
    assert!(bench.sale(1, 1, Pin::Right).repeat, "40 are too many, but all are young");
    bench.now = bench.now.plus_s(1000 * 3600);
    bench.sale(41, 1, Pin::Right);
    assert!(bench.sale(10, 1, Pin::Right).repeat, "41 of them, and 10 is the 32nd newest");
    assert!(!bench.sale(9, 1, Pin::Right).repeat);
}

/// One thing that a lossy network and a busy till may do.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Sale { stan: u32, minor: i64, pin: Pin },
    Reverse { stan: u32 },
    Wait { hours: i64 },
}

/// As many trace numbers as a card remembers for certain when each is used for a sale and for a reversal: what it may forget
/// is another test's matter.
const STANS: std::ops::Range<u32> = 1..17;

fn happens() -> impl Strategy<Value = Happens> {
    let pin = prop_oneof![
        3 => Just(Pin::Wrong),
        2 => Just(Pin::Right),
        1 => Just(Pin::Fault(Unverifiable::PinBlockFormat)),
        1 => Just(Pin::Fault(Unverifiable::ModuleUnavailable)),
        1 => Just(Pin::None),
    ];
    prop_oneof![
        6 => (STANS, pin).prop_map(|(stan, pin)| Happens::Sale { stan, minor: 100 + i64::from(stan), pin }),
        2 => STANS.prop_map(|stan| Happens::Reverse { stan }),
        1 => (1..30i64).prop_map(|hours| Happens::Wait { hours }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Counter = distinct wrong-PIN keys since the last reset; posted = distinct approved - distinct reversed; never more
    /// asked guesses than the limit between resets.
    #[test]
    fn whatever_the_order_the_counter_and_the_money_are_exact(all in prop::collection::vec(happens(), 1..60)) {
        let mut bench = Bench::new("debit-standard");
        let (mut wrong, mut approved, mut reversed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut decided = BTreeSet::new();
        let opening = bench.state.balance.0;
        for one in all {
            match one {
                Happens::Wait { hours } => bench.now = bench.now.plus_s(hours * 3600),
                Happens::Reverse { stan } => {
                    let told = bench.reverse(stan, 100 + i64::from(stan));
                    prop_assert_eq!(told.reason, ReasonCode::Reversed);
                    if approved.contains(&stan) {
                        reversed.insert(stan);
                    }
                    decided.insert(stan);
                }
                Happens::Sale { stan, minor, pin } => {
                    let was_locked = bench.state.lock.is_some_and(|l| !l.has_expired(bench.now));
                    let expired = bench.state.lock.is_some_and(|l| l.has_expired(bench.now));
                    let told = bench.sale(stan, minor, pin);
                    prop_assert_eq!(told.repeat || told.reason == ReasonCode::OvertakenByReversal, decided.contains(&stan));
                    if told.repeat {
                        continue;
                    }
                    decided.insert(stan);
                    if told.reason == ReasonCode::OvertakenByReversal {
                        continue;
                    }
                    prop_assert!(!was_locked || !told.pin_asked, "a locked card never asks");
                    if expired {
                        wrong.clear();
                    }
                    match told.reason {
                        ReasonCode::WrongPin | ReasonCode::PinTriesExceeded => {
                            prop_assert_eq!(pin, Pin::Wrong);
                            wrong.insert(stan);
                        }
                        ReasonCode::Approved => {
                            prop_assert_eq!(pin, Pin::Right);
                            wrong.clear();
                            approved.insert(stan);
                        }
                        _ => {}
                    }
                    prop_assert!(wrong.len() <= 3);
                    prop_assert_eq!(usize::from(bench.state.tries.used()), wrong.len());
                }
            }
            let posted: i64 = approved.difference(&reversed).map(|stan| 100 + i64::from(*stan)).sum();
            prop_assert_eq!(opening - bench.state.balance.0, posted);
        }
    }
}
