//! Copies, reversals and crossings on the wire: whatever order they come in, a transaction happens once, and its
//! answer is the same bytes for ever.

use std::sync::atomic::Ordering::SeqCst;

use model::Amount;

use crate::{
    client::Pos,
    world::{OPENING, PIN, WRONG, World},
};

#[tokio::test]
async fn a_repeat_gets_the_same_bytes() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    for (stan, pin, code) in [(2, PIN, "00"), (3, WRONG, "55")] {
        let sale = pos.sale(stan, 1000, 0, pin);
        let first = wire.ask(&pos.sealed(&sale)).await;
        assert_eq!(first.code(), code);
        pos.assert_genuine(&first);
        let state = world.card(0).await;
        let again = wire.ask(&pos.sealed(&sale)).await;
        let marked = wire.ask(&pos.sealed(sale.clone().set_mti("0201".parse().unwrap()))).await;
        assert!(again.frame == first.frame && marked.frame == first.frame);
        assert_eq!(world.card(0).await, state, "a repeat moves nothing");
    }
    assert_eq!(world.transactions().await, 2);
}

/// Found by the simulation: the stored answer was signed under the keys of the session before, so the terminal did not
/// believe it and would have repeated its reversal for ever.
#[tokio::test]
async fn a_reversal_that_is_repeated_after_a_sign_in_is_answered_under_the_new_keys() {
    let world = World::new().await;
    let (mut pos, mut wire) = world.signed_in().await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await.code(), "00");
    let first = wire.ask(&pos.sealed(&pos.reversal(2, 1000))).await;
    pos.sign_in(&mut wire, 3).await;
    let again = wire.ask(&pos.sealed(&pos.reversal(2, 1000))).await;
    pos.assert_genuine(&again);
    let contents = |frame: &[u8]| frame[..frame.len() - 8].to_vec();
    assert!(contents(&again.frame) == contents(&first.frame) && again.frame != first.frame);
    assert_eq!((world.card(0).await.balance, world.transactions().await), (OPENING, 2));
}

#[tokio::test]
async fn a_trace_number_means_one_thing() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await.code(), "00");
    let asked = world.module.asked_about_pins();
    let other_amount = wire.ask(&pos.sealed(&pos.sale(2, 2000, 0, PIN))).await;
    let other_pin = wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, WRONG))).await;
    assert_eq!((other_amount.code(), other_pin.code()), ("94".to_owned(), "94".to_owned()));
    let card = world.card(0).await;
    assert_eq!((card.tries.used(), card.balance), (0, Amount(OPENING.0 - 1000)));
    assert_eq!(world.module.asked_about_pins(), asked, "nobody looked at the other PIN block");
}

#[tokio::test]
async fn a_trace_number_used_for_another_card_is_94_and_the_reversal_undoes_the_first() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await.code(), "00");
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 1, WRONG))).await.code(), "94");
    assert_eq!(world.card(1).await.tries.used(), 0);
    assert_eq!(wire.ask(&pos.sealed(&pos.reversal(2, 1000))).await.code(), "00");
    let balances = (world.card(0).await.balance, world.card(1).await.balance);
    assert_eq!(balances, (OPENING, OPENING));
}

#[tokio::test]
async fn two_copies_at_once_are_one_transaction() {
    let world = World::new().await;
    let (pos, mut one) = world.signed_in().await;
    let mut other = world.wire().await;
    world.module.pin_ms.store(100, SeqCst);
    let frame = pos.sealed(&pos.sale(2, 1000, 0, PIN));
    one.send(&frame).await;
    other.send(&frame).await;
    let (one, other) = (one.answer().await, other.answer().await);
    assert_eq!((one.code().as_str(), one.frame == other.frame), ("00", true));
    assert_eq!((world.transactions().await, world.module.asked_about_pins()), (1, 1));
}

#[tokio::test]
async fn a_reversal_before_its_original_wins() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let reversal = pos.sealed(&pos.reversal(2, 1000));
    let first = wire.ask(&reversal).await;
    assert_eq!(first.code(), "00");
    assert!(wire.ask(&reversal).await.frame == first.frame);
    let late = wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, WRONG))).await;
    assert_eq!(late.code(), "94");
    let card = world.card(0).await;
    assert_eq!((card.tries.used(), card.balance), (0, OPENING));
    assert_eq!(world.module.asked_about_pins(), 0);
}

/// The reversal waits for the sale that is still being decided, and then undoes it.
#[tokio::test]
async fn a_reversal_meets_its_original_under_way() {
    let world = World::new().await;
    let (pos, mut one) = world.signed_in().await;
    let mut other = world.wire().await;
    world.module.pin_ms.store(200, SeqCst);
    one.send(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await;
    while world.module.asked_about_pins() == 0 {
        tokio::task::yield_now().await;
    }
    let reversed = other.ask(&pos.sealed(&pos.reversal(2, 1000))).await;
    assert_eq!((one.answer().await.code(), reversed.code()), ("00".to_owned(), "00".to_owned()));
    assert_eq!(world.card(0).await.balance, OPENING);
}

#[tokio::test]
async fn a_reversal_finds_its_original_in_another_session() {
    let world = World::new().await;
    let (mut pos, mut wire) = world.signed_in().await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await.code(), "00");
    let old = pos.keys;
    pos.sign_in(&mut wire, 3).await;
    assert_ne!(pos.keys, old);
    let first = wire.ask(&pos.sealed(&pos.reversal(2, 1000))).await;
    assert_eq!((first.code().as_str(), world.card(0).await.balance), ("00", OPENING));
    assert!(wire.ask(&pos.sealed(&pos.reversal(2, 1000))).await.frame == first.frame);
    assert_eq!(world.card(0).await.balance, OPENING);
}

/// Messages that crossed a sign-in on the wire still count, for a while.
#[tokio::test]
async fn old_keys_count_for_the_grace_time_only() {
    let world = World::new().await;
    let (old, mut wire) = world.signed_in().await;
    let mut new: Pos = old.clone();
    new.sign_in(&mut wire, 2).await;
    let answer = wire.ask(&old.sealed(&old.sale(3, 1000, 0, PIN))).await;
    assert_eq!(answer.code(), "00");
    old.assert_genuine(&answer);
    world.clock.advance_ms(60_000);
    let answer = wire.ask(&old.sealed(&old.sale(4, 1000, 0, WRONG))).await;
    assert_eq!((answer.code().as_str(), answer.order()), ("A0", 3));
    assert_eq!(wire.ask(&new.sealed(&new.sale(5, 1000, 0, PIN))).await.code(), "00");
    assert_eq!(world.card(0).await.tries.used(), 0);
}
