//! What becomes of a card's PIN: changed, reset, set anew; and what a PIN's age does.

use authorization::{
    Effect, Outcome, PinChangeOutcome, PinEvidence, PinStanding, Products,
    decide::decide,
    pin::{self, ActivationDigest, NotActive},
};
use model::{Kind, PinOutcome, PinVerified, ReasonCode, SealedReference, Timestamp};

use crate::bench::{Bench, CARD, Pin, Told};

const DAY_MS: i64 = 24 * 3_600_000;
const TOKEN: ActivationDigest = ActivationDigest([7; 32]);

fn sealed(byte: u8) -> SealedReference {
    SealedReference::new(vec![byte])
}

/// The old PIN was right and the new one is allowed: its reference is this byte.
fn change(bench: &mut Bench, stan: u32, old: u8, new: u8) -> Told {
    let outcome = PinChangeOutcome::Changed {
        verified: PinVerified::attest(CARD),
        reference: sealed(new),
        retired: sealed(old),
    };
    bench.change(stan, &outcome)
}

fn reset(bench: &mut Bench, token: ActivationDigest) {
    let effects = pin::reset(&bench.state, bench.policy(), Some(sealed(1)), token, bench.now);
    bench.act(effects);
}

#[test]
fn a_changed_pin_replaces_the_registered_one_and_the_old_ones_are_remembered() {
    let mut bench = Bench::new("debit-standard");
    assert_eq!(bench.state.pin_standing(), PinStanding::Registered);
    assert_eq!(change(&mut bench, 1, 1, 2).reason, ReasonCode::Approved);
    assert_eq!(bench.state.pin_standing(), PinStanding::Set(&sealed(2)));
    for new in 3..9 {
        change(&mut bench, u32::from(new), new - 1, new);
    }
    let pin = bench.state.pin.as_deref().unwrap();
    assert_eq!(pin.earlier, [sealed(7), sealed(6), sealed(5)], "three, as the product says");
}

#[test]
fn a_wrong_old_pin_is_a_try_and_a_refused_new_one_is_none() {
    let mut bench = Bench::new("debit-standard");
    let wrong = PinChangeOutcome::Unchanged(PinOutcome::Mismatch);
    assert_eq!(bench.change(1, &wrong).reason, ReasonCode::WrongPin);
    assert_eq!(bench.state.tries.used(), 1);
    assert_eq!(bench.change(2, &PinChangeOutcome::NewPinRefused).reason, ReasonCode::NewPinRefused);
    assert_eq!((bench.state.tries.used(), bench.state.pin_standing()), (1, PinStanding::Registered));
    assert_eq!(bench.change(3, &wrong).reason, ReasonCode::WrongPin);
    assert_eq!(bench.change(4, &wrong).reason, ReasonCode::PinTriesExceeded);
    let locked = change(&mut bench, 5, 1, 2);
    assert_eq!((locked.reason, locked.pin_asked), (ReasonCode::CardLocked, false));
    assert_eq!(bench.state.pin_standing(), PinStanding::Registered);
}

#[test]
fn a_repeated_change_is_answered_again_and_changes_nothing() {
    let mut bench = Bench::new("debit-standard");
    change(&mut bench, 1, 1, 2);
    let again = change(&mut bench, 1, 2, 9);
    assert!(again.repeat && again.reason == ReasonCode::Approved);
    assert_eq!(bench.state.pin_standing(), PinStanding::Set(&sealed(2)));
}

#[test]
fn proof_for_another_card_changes_no_pin() {
    let mut bench = Bench::new("debit-standard");
    let verified = PinVerified::attest(model::CardId([2; 16]));
    let outcome = PinChangeOutcome::Changed { verified, reference: sealed(2), retired: sealed(1) };
    assert_eq!(bench.change(1, &outcome).reason, ReasonCode::KeyFault);
    assert_eq!(bench.state.pin_standing(), PinStanding::Registered);
}

#[test]
fn evidence_that_comes_after_a_reset_changes_nothing() {
    let mut bench = Bench::new("debit-standard");
    reset(&mut bench, TOKEN);
    // The module was asked before the reset, and the decision is made after it.
    let (policy, record) = (bench.policy().clone(), bench.record.clone());
    let request = Bench::request(Kind::PinChange, 1, 0);
    let outcome = PinChangeOutcome::Changed {
        verified: PinVerified::attest(CARD),
        reference: sealed(2),
        retired: sealed(1),
    };
    let case = bench.case(&policy, &record, &request);
    let Outcome::Decided(decision) = decide(&case, PinEvidence::Changed(&outcome)) else {
        panic!("undecided")
    };
    assert_eq!(decision.reason, ReasonCode::PinResetPending);
    assert!(!decision.effects.iter().any(|effect| matches!(effect, Effect::SetPin { .. })));
}

#[test]
fn while_a_reset_is_pending_nothing_is_looked_at() {
    let mut bench = Bench::new("debit-standard");
    reset(&mut bench, TOKEN);
    assert_eq!(bench.state.pin_standing(), PinStanding::ResetPending);
    for (stan, pin) in [(1, Pin::Right), (2, Pin::Wrong)] {
        let told = bench.sale(stan, 100, pin);
        assert_eq!((told.reason, told.pin_asked), (ReasonCode::PinResetPending, false));
    }
    assert_eq!(change(&mut bench, 3, 1, 2).reason, ReasonCode::PinResetPending);
    assert_eq!(bench.state.tries.used(), 0);
}

#[test]
fn an_activation_is_used_once_in_time_and_for_so_many_attempts() {
    let mut bench = Bench::new("debit-standard");
    assert_eq!(pin::activation(&bench.state, &TOKEN, bench.now), Err(NotActive::NotPending));
    reset(&mut bench, TOKEN);
    let late = bench.now.plus_ms(DAY_MS);
    assert_eq!(pin::activation(&bench.state, &TOKEN, late), Err(NotActive::Expired));
    assert_eq!(pin::activation(&bench.state, &ActivationDigest([8; 32]), bench.now), Err(NotActive::Wrong));
    assert_eq!(pin::activation(&bench.state, &TOKEN, bench.now), Ok(()));
    let used = pin::activate(&bench.state, bench.policy(), sealed(5), bench.now);
    bench.act(used);
    assert_eq!(pin::activation(&bench.state, &TOKEN, bench.now), Err(NotActive::NotPending));
    assert_eq!(bench.state.pin_standing(), PinStanding::Set(&sealed(5)));

    reset(&mut bench, TOKEN);
    for _ in 0..bench.policy().pin.activation_tries {
        assert_eq!(pin::activation(&bench.state, &TOKEN, bench.now), Ok(()));
        let failed = pin::fail_activation(&bench.state);
        bench.act(failed);
    }
    assert_eq!(pin::activation(&bench.state, &TOKEN, bench.now), Err(NotActive::UsedUp));
    reset(&mut bench, ActivationDigest([9; 32]));
    assert_eq!(
        pin::activation(&bench.state, &TOKEN, bench.now),
        Err(NotActive::Wrong),
        "the one before is dead"
    );
    assert_eq!(pin::activation(&bench.state, &ActivationDigest([9; 32]), bench.now), Ok(()));
}

#[test]
fn a_new_pin_after_a_reset_ends_the_lock() {
    let mut bench = Bench::new("credit-pickup");
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    assert!(bench.state.lock.is_some());
    reset(&mut bench, TOKEN);
    assert_eq!(bench.sale(4, 100, Pin::Right).reason, ReasonCode::CardLocked, "the lock comes first");
    let set = pin::activate(&bench.state, bench.policy(), sealed(5), bench.now);
    bench.act(set);
    assert_eq!((bench.state.lock, bench.state.tries.used()), (None, 0));
    assert_eq!(bench.sale(5, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn an_old_pin_is_reminded_of_and_must_then_be_changed() {
    let text = "[product.x]\npin_try_limit = 3\nlock = [{release = 'by_staff'}]\n\
                pin = {max_age_days = 100, remind_days = [30, 7]}";
    let mut bench = Bench::of(Products::from_toml(text).unwrap(), "x");
    assert_eq!(bench.sale(1, 100, Pin::Right).reason, ReasonCode::Approved, "its age is not known");
    change(&mut bench, 2, 1, 2);
    let start = bench.now;
    let mut reminded = |days: i64, stan: u32, expect: Option<u16>| {
        bench.now = Timestamp(start.0 + days * DAY_MS);
        let told = bench.sale(stan, 100, Pin::Right);
        assert_eq!(told.reason, ReasonCode::Approved, "day {days}");
        let said = bench.effects.iter().find_map(|effect| match effect {
            Effect::RemindPinAge { days } => Some(*days),
            _ => None,
        });
        assert_eq!(said, expect, "day {days}");
    };
    reminded(69, 3, None);
    reminded(70, 4, Some(30));
    reminded(71, 5, None);
    reminded(95, 6, Some(7));
    reminded(99, 7, None);
    bench.now = Timestamp(start.0 + 100 * DAY_MS);
    let told = bench.sale(8, 100, Pin::Right);
    assert_eq!((told.reason, told.pin_asked), (ReasonCode::PinChangeRequired, false));
    assert_eq!(change(&mut bench, 9, 2, 3).reason, ReasonCode::Approved);
    assert_eq!(bench.sale(10, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn an_issuer_may_ask_for_another_pin() {
    let mut bench = Bench::new("debit-standard");
    bench.act(vec![Effect::RequirePinChange]);
    assert_eq!(bench.sale(1, 100, Pin::Right).reason, ReasonCode::PinChangeRequired);
    change(&mut bench, 2, 1, 2);
    assert_eq!(bench.sale(3, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn nothing_of_a_pin_is_printed() {
    let mut bench = Bench::new("debit-standard");
    change(&mut bench, 1, 1, 2);
    reset(&mut bench, TOKEN);
    let printed = format!("{:?} {}", bench.state.pin, serde_json::to_string(&bench.state).unwrap());
    assert!(!printed.contains("[7") && !printed.contains("7, 7") && printed.contains("***"), "{printed}");
}
