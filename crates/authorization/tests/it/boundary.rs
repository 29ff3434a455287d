//! Each condition on a counter, a lock, a restriction or a repeat at the moment and the amount where it changes its mind:
//! what a property over random orders meets too rarely.

use authorization::{
    Effect, Products,
    card::Block,
    desk::{Action, act},
    request::Sandbox,
};
use model::{Amount, Kind, ReasonCode, Timestamp};

use crate::bench::{Bench, Pin};

const HOUR_MS: i64 = 3_600_000;

fn at(bench: &mut Bench, ms: i64) -> &mut Bench {
    bench.now = Timestamp(ms);
    bench
}

fn cash(bench: &mut Bench, stan: u32, minor: i64) -> ReasonCode {
    bench.pay(&Bench::request(Kind::Cash, stan, minor), Pin::Right).reason
}

#[test]
fn a_proof_for_another_card_is_our_fault_and_costs_no_try() {
    let mut bench = Bench::new("debit-standard");
    bench.sale(1, 100, Pin::Wrong);
    let balance = bench.state.balance;
    let told = bench.sale(2, 100, Pin::OfAnotherCard);
    assert!(!matches!(told.reason, ReasonCode::Approved | ReasonCode::WrongPin), "{told:?}");
    assert_eq!((bench.state.tries.used(), bench.state.balance), (1, balance));
}

#[test]
fn a_right_pin_that_a_sandbox_takes_as_wrong_costs_a_try() {
    let mut bench = Bench::new("debit-standard");
    let mut request = Bench::request(Kind::Sale, 1, 100);
    request.sandbox = Some(Sandbox::WrongPin);
    assert_eq!(bench.pay(&request, Pin::Right).reason, ReasonCode::WrongPin);
    assert_eq!(bench.state.tries.used(), 1);
}

#[test]
fn tries_are_given_back_only_when_there_are_some_to_give() {
    let mut bench = Bench::new("debit-standard");
    bench.sale(1, 100, Pin::Right);
    assert!(!bench.effects.contains(&Effect::ResetTries), "nothing was used");
    bench.sale(2, 100, Pin::Wrong);
    bench.sale(3, 100, Pin::Right);
    assert!(bench.effects.contains(&Effect::ResetTries));
    for stan in 4..=6 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    assert_eq!(bench.state.locks_in_a_row, 1);
    bench.now = bench.now.plus_s(24 * 3600);
    bench.sale(7, 100, Pin::Right);
    assert!(bench.effects.contains(&Effect::ResetTries), "the lock's count goes as well");
    assert_eq!(bench.state.locks_in_a_row, 0);
}

#[test]
fn a_lock_ends_at_its_moment_and_not_before() {
    let mut bench = Bench::new("debit-standard");
    let locked = bench.now.0;
    for stan in 1..=3 {
        bench.sale(stan, 100, Pin::Wrong);
    }
    let until = bench.state.lock.unwrap().until.unwrap();
    assert_eq!(until.0, locked + 24 * HOUR_MS);
    assert_eq!(at(&mut bench, until.0 - 1).sale(4, 100, Pin::Right).reason, ReasonCode::CardLocked);
    assert_eq!(bench.state.tries.used(), 3);
    assert_eq!(at(&mut bench, until.0).sale(5, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn a_restriction_has_an_end_an_amount_and_a_word_on_cash() {
    let mut bench = Bench::new("debit-careful");
    let start = bench.now.0;
    bench.sale(1, 100, Pin::Wrong);
    assert!(bench.state.restriction.is_none());
    bench.sale(2, 100, Pin::Wrong);
    let restriction = bench.state.restriction.unwrap();
    assert_eq!((restriction.until.0, restriction.max_amount), (start + 24 * HOUR_MS, Amount(50_000)));
    assert_eq!(bench.sale(3, 50_000, Pin::Right).reason, ReasonCode::Approved);
    assert_eq!(bench.sale(4, 50_001, Pin::Right).reason, ReasonCode::RestrictedAfterWrongPins);
    assert_eq!(cash(&mut bench, 5, 100), ReasonCode::RestrictedAfterWrongPins);
    bench.now = Timestamp(restriction.until.0 - 1);
    assert_eq!(bench.sale(6, 50_001, Pin::Right).reason, ReasonCode::RestrictedAfterWrongPins);
    bench.now = restriction.until;
    assert_eq!(bench.sale(7, 50_001, Pin::Right).reason, ReasonCode::Approved);
    assert_eq!(cash(&mut bench, 8, 100), ReasonCode::Approved);
}

#[test]
fn a_passed_step_up_counts_until_its_moment() {
    let step_up_passed = || {
        let mut bench = Bench::new("debit-careful");
        for stan in 1..=3 {
            bench.sale(stan, 100, Pin::Wrong);
        }
        assert_eq!(bench.sale(4, 100, Pin::Right).reason, ReasonCode::StepUpRequired);
        let effects = act(&bench.state, Action::PassStepUp, bench.now).unwrap();
        bench.state.apply(bench.state.seq + 1, 99, bench.now, &effects);
        let until = bench.now.0 + 300_000;
        (bench, until)
    };
    let (mut bench, until) = step_up_passed();
    assert_eq!(at(&mut bench, until - 1).sale(5, 100, Pin::Right).reason, ReasonCode::Approved);
    let (mut bench, until) = step_up_passed();
    assert_eq!(at(&mut bench, until).sale(5, 100, Pin::Right).reason, ReasonCode::StepUpRequired);
}

#[test]
fn only_cash_needs_a_product_that_gives_it() {
    let product = |cash: bool| {
        let text = format!(
            "[product.p]\npin_try_limit = 3\ncash = {cash}\nlock = [{{ release = {{ after_h = 24 }} }}]\n"
        );
        Bench::of(Products::from_toml(&text).unwrap(), "p")
    };
    let mut without = product(false);
    assert_eq!(cash(&mut without, 1, 100), ReasonCode::NotPermittedToCard);
    assert_eq!(without.sale(2, 100, Pin::Right).reason, ReasonCode::Approved);
    let mut with = product(true);
    assert_eq!(cash(&mut with, 1, 100), ReasonCode::Approved);
    assert_eq!(with.sale(2, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn a_request_that_its_reversal_overtook_is_not_posted() {
    let mut bench = Bench::new("debit-standard");
    let balance = bench.state.balance;
    let mut request = Bench::request(Kind::Sale, 1, 100);
    request.overtaken = true;
    assert_eq!(bench.pay(&request, Pin::Right).reason, ReasonCode::OvertakenByReversal);
    assert_eq!(bench.reverse(2, 100).reason, ReasonCode::Reversed);
    assert_eq!(bench.sale(2, 100, Pin::Right).reason, ReasonCode::OvertakenByReversal);
    assert_eq!(
        bench.sale(3, 100, Pin::Right).reason,
        ReasonCode::Approved,
        "another one's reversal is not its"
    );
    assert_eq!(bench.state.balance.0, balance.0 - 100);
}

#[test]
fn a_repeat_is_the_same_request_and_nothing_else() {
    let mut bench = Bench::new("debit-standard");
    bench.sale(1, 100, Pin::Wrong);
    let again = bench.sale(1, 100, Pin::Wrong);
    assert_eq!((again.reason, again.repeat), (ReasonCode::WrongPin, true));
    let other = bench.sale(1, 200, Pin::Wrong);
    assert_eq!((other.reason, other.repeat), (ReasonCode::DuplicateTrace, false));
    assert_eq!(bench.state.tries.used(), 1, "neither costs a try");
    bench.sale(2, 100, Pin::Right);
    assert!(!bench.reverse(2, 100).repeat);
    assert!(bench.reverse(2, 100).repeat);
    assert!(!bench.reverse(1, 100).repeat, "another one's reversal");
}

#[test]
fn a_card_is_refused_for_what_it_is_before_its_pin_is_asked_for() {
    let refused = |change: &dyn Fn(&mut Bench, &mut authorization::request::Request), kind| {
        let mut bench = Bench::new("debit-standard");
        let mut request = Bench::request(kind, 1, 100);
        change(&mut bench, &mut request);
        let told = bench.pay(&request, Pin::Wrong);
        assert!(!told.pin_asked && bench.state.tries.used() == 0, "{told:?}");
        told.reason
    };
    for (block, reason) in [
        (Block::Lost, ReasonCode::LostCard),
        (Block::Stolen, ReasonCode::StolenCard),
        (Block::Staff, ReasonCode::BlockedCard),
        (Block::Rule, ReasonCode::BlockedCard),
    ] {
        assert_eq!(refused(&|bench, _| bench.state.block = Some(block), Kind::Sale), reason);
    }
    let expired = |bench: &mut Bench, _: &mut _| bench.now = Timestamp(4_102_531_200_001);
    assert_eq!(refused(&expired, Kind::Sale), ReasonCode::ExpiredCard);
    let other_expiry =
        |_: &mut Bench, r: &mut authorization::request::Request| r.expiry = Some("3001".parse().unwrap());
    assert_eq!(refused(&other_expiry, Kind::Sale), ReasonCode::ExpiryMismatch);
    assert_eq!(refused(&|_, r| r.amount = Amount(0), Kind::Sale), ReasonCode::InvalidAmount);
    assert_eq!(refused(&|_, r| r.currency.0 = 840, Kind::Sale), ReasonCode::WrongCurrency);
    let mut bench = Bench::new("debit-standard");
    let mut request = Bench::request(Kind::Sale, 1, 1);
    request.expiry = Some("9912".parse().unwrap());
    assert_eq!(bench.pay(&request, Pin::Right).reason, ReasonCode::Approved);
    let mut balance = Bench::request(Kind::Balance, 2, 0);
    balance.currency.0 = 840;
    assert_eq!(bench.pay(&balance, Pin::Right).reason, ReasonCode::Approved, "it has neither");
}
