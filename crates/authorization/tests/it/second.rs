//! The second proof of identity, in decisions: what is answered opens one attempt and nothing else.

use authorization::{Effect, Second};
use model::{Kind, ReasonCode, Unverifiable};
use stepup::{ChallengeId, CodeKey, Fresh, Given};

use crate::bench::{Bench, Pin};

const CODE: &str = "482913";
const MINOR: i64 = 7_500;

fn key() -> CodeKey {
    CodeKey::new(b"a key of tests")
}

fn fresh(serial: u8) -> Second {
    let id = ChallengeId([serial; 16]);
    Second { fresh: Some(Fresh { id, code: key().digest(id, CODE) }), said: None }
}

fn said(bench: &Bench, code: &str) -> Second {
    let id = bench.state.proofs.as_ref().unwrap().challenge.as_ref().unwrap().id;
    Second { said: Some(Given::Code { digest: key().digest(id, code), totp: None }), ..fresh(200) }
}

fn has_challenge(bench: &Bench) -> bool {
    bench.state.proofs.as_ref().is_some_and(|proofs| proofs.challenge.is_some())
}

/// A card whose ladder asks for a second proof before the last guess, after an attempt that was refused for want of it.
fn challenged() -> Bench {
    let mut bench = Bench::new("debit-careful");
    bench.second = fresh(1);
    for stan in 1..=3 {
        assert_eq!(bench.sale(stan, MINOR, Pin::Wrong).reason, ReasonCode::WrongPin);
    }
    let told = bench.sale(4, MINOR, Pin::Right);
    assert_eq!((told.reason, told.pin_asked), (ReasonCode::StepUpRequired, false));
    assert!(has_challenge(&bench));
    bench
}

#[test]
fn a_code_typed_with_the_next_attempt_lets_it_through_once() {
    let mut bench = challenged();
    bench.second = said(&bench, CODE);
    assert_eq!(bench.sale(5, MINOR, Pin::Right).reason, ReasonCode::Approved);
    assert!(!has_challenge(&bench), "used up");
    assert_eq!(bench.state.tries.used(), 0);
}

#[test]
fn a_wrong_pin_uses_the_answer_up_and_is_counted() {
    let mut bench = challenged();
    bench.second = said(&bench, CODE);
    assert_eq!(bench.sale(5, MINOR, Pin::Wrong).reason, ReasonCode::PinTriesExceeded);
    assert!(!has_challenge(&bench));
}

#[test]
fn a_wrong_code_is_counted_and_the_pin_is_not_looked_at() {
    let mut bench = challenged();
    let right = said(&bench, CODE);
    for stan in 5..8 {
        bench.second = said(&bench, "000000");
        let told = bench.sale(stan, MINOR, Pin::Right);
        assert_eq!((told.reason, told.pin_asked), (ReasonCode::StepUpRequired, false));
    }
    assert_eq!(bench.state.proofs.as_ref().unwrap().wrong.len(), 3);
    assert_eq!(bench.state.tries.used(), 3, "no PIN try was consumed");
    bench.second = right;
    assert_eq!(bench.sale(8, MINOR, Pin::Right).reason, ReasonCode::StepUpRequired, "three were wrong");
}

#[test]
fn another_amount_kind_or_terminal_is_another_payment() {
    let mut bench = challenged();
    let right = said(&bench, CODE);
    bench.second = right;
    assert_eq!(bench.sale(5, MINOR + 1, Pin::Right).reason, ReasonCode::StepUpRequired);
    let mut bench = challenged();
    bench.second = right;
    let mut elsewhere = Bench::request(Kind::Sale, 5, MINOR);
    elsewhere.key.terminal = "10000002".parse().unwrap();
    assert_eq!(bench.pay(&elsewhere, Pin::Right).reason, ReasonCode::StepUpRequired);
    let mut bench = challenged();
    bench.second = right;
    let cash = Bench::request(Kind::Cash, 5, MINOR);
    assert_ne!(bench.pay(&cash, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn an_attempt_that_learnt_nothing_uses_nothing_up() {
    let mut bench = challenged();
    bench.second = said(&bench, CODE);
    let told = bench.sale(5, MINOR, Pin::Fault(Unverifiable::ModuleUnavailable));
    assert_eq!(told.reason, ReasonCode::SecurityModuleAway);
    bench.second = fresh(2);
    assert_eq!(bench.sale(6, MINOR, Pin::Right).reason, ReasonCode::Approved, "the answer still counts");
}

#[test]
fn a_locked_card_tells_nothing_about_a_code() {
    let mut bench = challenged();
    bench.second = said(&bench, CODE);
    assert_eq!(bench.sale(5, MINOR, Pin::Wrong).reason, ReasonCode::PinTriesExceeded);
    bench.second = fresh(3);
    assert_eq!(bench.sale(6, MINOR, Pin::Right).reason, ReasonCode::CardLocked);
    assert!(!bench.effects.iter().any(|effect| matches!(effect, Effect::StepUp { .. })));
}

#[test]
fn what_a_rule_asks_for_is_answered_for_one_payment() {
    let mut bench = Bench::new("debit-standard");
    bench.risk = authorization::RiskVerdict::StepUp;
    bench.second = fresh(1);
    assert_eq!(bench.sale(1, MINOR, Pin::Right).reason, ReasonCode::StepUpRequired);
    bench.second = said(&bench, CODE);
    assert_eq!(bench.sale(2, MINOR, Pin::Right).reason, ReasonCode::Approved);
    bench.second = fresh(2);
    assert_eq!(bench.sale(3, MINOR, Pin::Right).reason, ReasonCode::StepUpRequired, "the next one anew");
    assert!(has_challenge(&bench));
}

#[test]
fn when_the_rule_asks_no_more_the_next_payment_needs_no_proof() {
    let mut bench = Bench::new("debit-standard");
    bench.risk = authorization::RiskVerdict::StepUp;
    bench.second = fresh(1);
    assert_eq!(bench.sale(1, MINOR, Pin::Right).reason, ReasonCode::StepUpRequired);
    bench.second = said(&bench, CODE);
    assert_eq!(bench.sale(2, MINOR, Pin::Right).reason, ReasonCode::Approved);
    bench.risk = authorization::RiskVerdict::Pass;
    bench.second = fresh(2);
    assert_eq!(bench.sale(3, MINOR, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn without_anybody_who_can_ask_there_is_no_challenge() {
    let mut bench = challenged();
    bench.state.proofs = None;
    bench.second = Second::default();
    assert_eq!(bench.sale(5, MINOR, Pin::Right).reason, ReasonCode::StepUpRequired);
    assert_eq!(bench.state.proofs, None);
}
