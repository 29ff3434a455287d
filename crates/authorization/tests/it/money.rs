//! Money: voids, holds, completions, refunds and their reversals, to the fen.

use model::{Kind, ReasonCode};

use crate::bench::{Bench, Pin};

const OPENING: i64 = 1_000_000;

#[track_caller]
fn has(bench: &Bench, balance: i64, held: i64) {
    assert_eq!((bench.state.balance.0, bench.state.held.0), (balance, held));
}

fn follow(bench: &mut Bench, kind: Kind, stan: u32, minor: i64, original: u32) -> ReasonCode {
    let mut request = Bench::request(kind, stan, minor);
    request.original = Bench::pointing_at(original);
    bench.pay(&request, Pin::None).reason
}

fn hold(bench: &mut Bench, stan: u32, minor: i64) {
    let request = Bench::request(Kind::PreAuth, stan, minor);
    assert_eq!(bench.pay(&request, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn a_void_undoes_a_sale_once_and_its_reversal_brings_the_sale_back() {
    let mut bench = Bench::new("debit-standard");
    bench.sale(1, 500, Pin::Right);
    assert_eq!(follow(&mut bench, Kind::SaleVoid, 2, 400, 1), ReasonCode::OriginalAmountMismatch);
    assert_eq!(follow(&mut bench, Kind::SaleVoid, 3, 500, 1), ReasonCode::Approved);
    has(&bench, OPENING, 0);
    assert_eq!(follow(&mut bench, Kind::SaleVoid, 4, 500, 1), ReasonCode::OriginalNotSuitable);
    bench.reverse(3, 500);
    has(&bench, OPENING - 500, 0);
    assert_eq!(follow(&mut bench, Kind::SaleVoid, 5, 500, 1), ReasonCode::Approved);
    has(&bench, OPENING, 0);
}

#[test]
fn a_completion_takes_the_hold_and_may_exceed_it_by_fifteen_per_cent() {
    let mut bench = Bench::new("debit-standard");
    hold(&mut bench, 1, 1000);
    has(&bench, OPENING, 1000);
    assert_eq!(follow(&mut bench, Kind::Completion, 2, 1151, 1), ReasonCode::OriginalAmountMismatch);
    assert_eq!(follow(&mut bench, Kind::Completion, 3, 1150, 1), ReasonCode::Approved);
    has(&bench, OPENING - 1150, 0);
    assert_eq!(follow(&mut bench, Kind::Completion, 4, 1000, 1), ReasonCode::OriginalNotSuitable);
    bench.reverse(3, 1150);
    has(&bench, OPENING, 1000);
    assert_eq!(follow(&mut bench, Kind::PreAuthVoid, 5, 1000, 1), ReasonCode::Approved);
    has(&bench, OPENING, 0);
}

#[test]
fn a_completion_void_restores_the_hold_and_its_reversal_the_completion() {
    let mut bench = Bench::new("debit-standard");
    hold(&mut bench, 1, 1000);
    follow(&mut bench, Kind::Completion, 2, 900, 1);
    assert_eq!(follow(&mut bench, Kind::CompletionVoid, 3, 900, 2), ReasonCode::Approved);
    has(&bench, OPENING, 1000);
    bench.reverse(3, 900);
    has(&bench, OPENING - 900, 0);
}

#[test]
fn held_money_cannot_be_spent() {
    let mut bench = Bench::new("debit-standard");
    hold(&mut bench, 1, OPENING);
    assert_eq!(bench.sale(2, 1, Pin::Right).reason, ReasonCode::InsufficientFunds);
    bench.reverse(1, OPENING);
    assert_eq!(bench.sale(3, 1, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn a_refund_may_not_exceed_its_original_and_is_never_reversed() {
    let mut bench = Bench::new("debit-standard");
    bench.sale(1, 500, Pin::Right);
    assert_eq!(follow(&mut bench, Kind::Refund, 2, 501, 1), ReasonCode::OriginalAmountMismatch);
    assert_eq!(follow(&mut bench, Kind::Refund, 3, 200, 1), ReasonCode::Approved);
    has(&bench, OPENING - 300, 0);
    assert_eq!(bench.reverse(3, 200).reason, ReasonCode::OriginalNotSuitable);
    has(&bench, OPENING - 300, 0);
}

#[test]
fn a_void_of_nothing_is_told_so() {
    let mut bench = Bench::new("debit-standard");
    assert_eq!(follow(&mut bench, Kind::SaleVoid, 1, 100, 77), ReasonCode::OriginalNotFound);
    let mut pointless = Bench::request(Kind::SaleVoid, 2, 100);
    pointless.original = None;
    assert_eq!(bench.pay(&pointless, Pin::None).reason, ReasonCode::OriginalNotFound);
}
