//! Hosts that die with questions under way and reversals undelivered.

use std::sync::Arc;

use simulator::issuer::{Issuer, Mood};
use store::journal::UpstreamStep;

use super::{ANSWER_MS, FOREIGN_PIN, Mortal, bank, foreign, pay, sale, types, until};

/// Long enough that nobody waits for an answer any more.
const LONG_MS: i64 = ANSWER_MS as i64 + 60_000;

/// Sends a sale that the bank posts and never answers, and lets the host die while it waits.
async fn die_waiting(mortal: &mut Mortal, bank: &Issuer) -> crate::client::Pos {
    let (pos, mut wire) = mortal.signed_in().await;
    bank.set_mood(Mood::Busy);
    wire.send(&pos.sealed(&sale(&pos, 2, 1000, FOREIGN_PIN))).await;
    until("the bank has the question", || async { !types(bank).is_empty() }).await;
    mortal.crash();
    assert_eq!(bank.spent(&foreign()), 1000);
    bank.set_mood(Mood::Well);
    pos
}

#[tokio::test]
async fn a_question_whose_host_died_is_undone_after_the_restart() {
    let bank = bank().await;
    let mut mortal = Mortal::in_memory(&[bank.address()]).await;
    let pos = die_waiting(&mut mortal, &bank).await;
    mortal.start().await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(types(&bank), ["0200"], "another host might still wait for it");
    mortal.clock.advance_ms(LONG_MS);
    mortal.until_settled().await;
    assert_eq!(bank.spent(&foreign()), 0);
    let steps = [UpstreamStep::Asked, UpstreamStep::GivenUp, UpstreamStep::UndoSent, UpstreamStep::Undone];
    assert_eq!(mortal.steps().await, steps);
    // The terminal never had an answer: what it does next is a payment of its own.
    let mut wire = mortal.wire(&pos).await;
    assert_eq!(pay(&pos, &mut wire, 3, 500).await.code(), "00");
    assert_eq!(bank.spent(&foreign()), 500);
}

#[tokio::test]
async fn on_disk_the_queue_survives_its_host_and_says_that_it_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank().await;
    let engine = store_sql::open(folder.path()).unwrap();
    let mut mortal = Mortal::new(engine.clone(), &[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    bank.set_mood(Mood::DeafToReversals);
    assert_eq!(pay(&pos, &mut wire, 2, 1098).await.code(), "98");
    until("the reversal was sent", || async { types(&bank).contains(&"0420".to_owned()) }).await;
    mortal.crash();
    engine.close();
    let before = types(&bank).len();
    let engine = store_sql::open(folder.path()).unwrap();
    mortal.reborn(engine.clone()).await;
    until("it is sent again", || async { types(&bank).len() > before }).await;
    bank.set_mood(Mood::Well);
    mortal.until_settled().await;
    let undone: Vec<_> = bank.heard().into_iter().filter(|heard| heard.mti.starts_with("042")).collect();
    assert!(undone[1..].iter().all(|heard| heard.mti == "0421"), "{undone:?}");
    assert!(undone.iter().all(|heard| (&heard.stan, &heard.at) == (&undone[0].stan, &undone[0].at)));
    assert_eq!(bank.spent(&foreign()), 0);
    mortal.stop().await;
    drop(mortal);
    engine.close();
}

#[tokio::test]
async fn a_question_on_disk_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank().await;
    let engine = store_sql::open(folder.path()).unwrap();
    let mut mortal = Mortal::new(engine.clone(), &[bank.address()]).await;
    die_waiting(&mut mortal, &bank).await;
    engine.close();
    mortal.clock.advance_ms(LONG_MS);
    let engine = store_sql::open(folder.path()).unwrap();
    mortal.reborn(engine.clone()).await;
    mortal.until_settled().await;
    assert_eq!(bank.spent(&foreign()), 0);
    mortal.stop().await;
    drop(mortal);
    engine.close();
}

#[tokio::test]
async fn two_hosts_deliver_what_a_third_left_and_undo_it_once() {
    let bank = bank().await;
    let mut mortal = Mortal::in_memory(&[bank.address()]).await;
    die_waiting(&mut mortal, &bank).await;
    bank.set_mood(Mood::DeafToReversals);
    let (one, other) = (mortal.twin().await, mortal.twin().await);
    one.clock.advance_ms(LONG_MS);
    until("it is being undone", || async { types(&bank).iter().any(|mti| mti.starts_with("042")) }).await;
    bank.set_mood(Mood::Well);
    one.until_settled().await;
    assert_eq!(bank.spent(&foreign()), 0, "once");
    let steps = other.steps().await;
    for step in [UpstreamStep::GivenUp, UpstreamStep::UndoSent, UpstreamStep::Undone] {
        assert_eq!(steps.iter().filter(|s| **s == step).count(), 1, "{steps:?}");
    }
    let engine = Arc::clone(&other.engine);
    assert!(engine.outstanding().await.unwrap().iter().all(|o| o.card.state.forwards().is_empty()));
}

#[tokio::test]
async fn a_repeat_after_the_crash_is_not_a_second_payment() {
    let bank = bank().await;
    let mut mortal = Mortal::in_memory(&[bank.address()]).await;
    let pos = die_waiting(&mut mortal, &bank).await;
    bank.set_mood(Mood::DeafToReversals);
    mortal.start().await;
    mortal.clock.advance_ms(LONG_MS);
    until("it was given up", || async { mortal.steps().await.contains(&UpstreamStep::GivenUp) }).await;
    let mut wire = mortal.wire(&pos).await;
    assert_eq!(pay(&pos, &mut wire, 2, 1000).await.code(), "98", "the same sale again");
    assert_eq!(types(&bank).iter().filter(|mti| *mti == "0200").count(), 1);
    bank.set_mood(Mood::Well);
    mortal.until_settled().await;
    assert_eq!(bank.spent(&foreign()), 0);
}
