//! What may have been approved there and was not here is undone there, however long it takes.

use std::time::Duration;

use simulator::issuer::{Issuer, Mood};
use store::journal::UpstreamStep;

use super::{ANSWER_MS, FOREIGN, Mortal, bank, foreign, pay, types, until};

/// The reversals that a bank heard: type, trace number and time, and what they point at.
fn undone(bank: &Issuer) -> Vec<(String, String, String)> {
    let heard = bank.heard().into_iter().filter(|heard| heard.mti.starts_with("042"));
    heard.map(|heard| (heard.mti, heard.stan + &heard.at, heard.original.unwrap_or_default())).collect()
}

/// A sale with this lever is answered 98 and undone.
async fn check(amount: i64) {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    let began = tokio::time::Instant::now();
    assert_eq!(pay(&pos, &mut wire, 2, amount).await.code(), "98", "{amount}");
    assert!(began.elapsed() < Duration::from_millis(ANSWER_MS) + Duration::from_secs(8), "{amount}");
    mortal.until_settled().await;
    assert_eq!(bank.spent(&foreign()), 0, "{amount}");
    let question = bank.heard().into_iter().find(|heard| heard.mti == "0200").unwrap();
    let (first, _, original) = undone(&bank).remove(0);
    assert_eq!(first, "0420", "{amount}");
    assert!(original.starts_with(&format!("0200{}{}", question.stan, question.at)), "{original}");
    // The stored answer, and nothing is asked anew.
    assert_eq!(pay(&pos, &mut wire, 2, amount).await.code(), "98", "{amount}");
    assert_eq!(types(&bank).iter().filter(|mti| *mti == "0200").count(), 1, "{amount}");
}

#[tokio::test]
async fn posted_and_never_answered() {
    check(1098).await;
}

#[tokio::test]
async fn neither_posted_nor_answered() {
    check(1097).await;
}

#[tokio::test]
async fn posted_and_hung_up() {
    check(1095).await;
}

#[tokio::test]
async fn a_late_answer_is_recorded_and_not_passed_on() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 1068).await.code(), "98");
    until("the late answer is in the journal", || async {
        mortal.steps().await.contains(&UpstreamStep::LateReply)
    })
    .await;
    mortal.until_settled().await;
    wire.expect_silence(100).await;
    assert_eq!(bank.spent(&foreign()), 0);
}

#[tokio::test]
async fn every_sending_but_the_first_is_a_repeat() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    bank.set_mood(Mood::DeafToReversals);
    assert_eq!(pay(&pos, &mut wire, 2, 1098).await.code(), "98");
    until("the reversal was sent three times", || async { undone(&bank).len() >= 3 }).await;
    assert!(!mortal.state().await.unwrap().forwards().is_empty(), "not acknowledged yet");
    bank.set_mood(Mood::Well);
    mortal.until_settled().await;
    let undone = undone(&bank);
    let types: Vec<&str> = undone.iter().map(|(mti, _, _)| mti.as_str()).collect();
    assert_eq!(types[0], "0420");
    assert!(types[1..].iter().all(|mti| *mti == "0421"), "{types:?}");
    assert!(undone.iter().all(|(_, id, _)| *id == undone[0].1), "one identity: {undone:?}");
    assert_eq!(bank.spent(&foreign()), 0);
}

#[tokio::test]
async fn a_terminals_reversal_is_answered_at_once_and_delivered_later() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 1000).await.code(), "00");
    bank.set_mood(Mood::DeafToReversals);
    let reversal = pos.sealed(&pos.reversal(2, 1000));
    let answer = wire.ask(&reversal).await;
    assert_eq!((answer.code().as_str(), bank.spent(&foreign()) >= 0), ("00", true));
    assert!(!mortal.state().await.unwrap().forwards().is_empty());
    bank.set_mood(Mood::Well);
    mortal.until_settled().await;
    assert_eq!(bank.spent(&foreign()), 0);
    let again = wire.ask(&reversal).await;
    assert!(again.frame == answer.frame);
    assert_eq!(mortal.state().await.unwrap().balance.0, 0, "the money is the issuer's");
    let (terminal, batch) = (pos.id.parse().unwrap(), model::BatchNumber::new(1).unwrap());
    let totals = mortal.engine.batch_totals(&terminal, batch).await.unwrap();
    assert_eq!(totals.debit_sum.0, 0);
}

#[tokio::test]
async fn a_void_goes_to_the_bank_and_points_at_its_sale() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 1000).await.code(), "00");
    let question = bank.heard().remove(0);
    let mut void = pos.sale(3, 1000, 0, "0000");
    void.set(2, FOREIGN).set(3, "200000").set(61, &format!("{}000002", pos.batch)).remove(52);
    void.remove(26).remove(53).set(22, "022").set(60, &format!("23{}", pos.batch));
    assert_eq!(wire.ask(&pos.sealed(&void)).await.code(), "00");
    assert_eq!(bank.spent(&foreign()), 0);
    let told = bank.heard().remove(1);
    let original = told.original.unwrap();
    assert!(original.starts_with(&format!("0200{}{}", question.stan, question.at)), "{original}");
    void.set(11, "000004");
    assert_eq!(wire.ask(&pos.sealed(&void)).await.code(), "22", "once is enough");
}
