//! Rules look at other banks' cards, too: before anything is sent, with what the bank's answers told about the PINs before.

use authorization::card::Block;
use host::Clock as _;
use model::ReasonCode;
use risk::Limits;
use store::{Event, journal::Transaction};

use super::{FOREIGN_PIN, Mortal, bank, foreign, pay, sale, types};
use crate::{
    rules::{everything, set, told_again},
    world::terminals,
};

async fn last(mortal: &Mortal) -> Transaction {
    let found = mortal.entries().await.into_iter().rev().find_map(|entry| match entry.event {
        Event::Transaction(transaction) => Some(*transaction),
        _ => None,
    });
    found.expect("a transaction")
}

#[tokio::test]
async fn what_a_rule_declines_is_not_sent() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let rules =
        [("large", r#"zone == "bank-b" && amount > 100000"#, "decline"), ("odd", "amount == 700", "review")];
    mortal.host().rules().publish(Some(set(&rules)), Vec::new(), Limits::default());
    let (pos, mut wire) = mortal.signed_in().await;
    let refused = pay(&pos, &mut wire, 2, 200_000).await;
    pos.assert_genuine(&refused);
    assert_eq!((refused.code().as_str(), types(&bank).len()), ("59", 0));
    let entry = last(&mortal).await;
    assert_eq!((entry.reason, entry.forwarded), (ReasonCode::SuspectedFraud, None));
    assert_eq!(entry.rules.unwrap().fired[0].rule, "large");
    assert_eq!(mortal.state().await.unwrap().forwards(), []);
    assert!(pay(&pos, &mut wire, 2, 200_000).await.frame == refused.frame, "a repeat is a repeat");
    // what only tells stands with the bank's answer
    assert_eq!(pay(&pos, &mut wire, 3, 700).await.code(), "00");
    let entry = last(&mortal).await;
    assert!(entry.forwarded.is_some() && entry.rules.unwrap().fired[0].action == "review");
    assert_eq!(bank.spent(&foreign()), 700);
}

#[tokio::test]
async fn the_banks_answers_are_counted_and_a_blocked_card_does_not_reach_it() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let when = r#"count(card, pin_mismatch, "1h") >= 2"#;
    mortal.host().rules().publish(
        Some(set(&[("two-wrong", when, "block-card")])),
        Vec::new(),
        Limits::default(),
    );
    let (pos, mut wire) = mortal.signed_in().await;
    for stan in [2, 3] {
        let answer = wire.ask(&pos.sealed(&sale(&pos, stan, 1000, "1111"))).await;
        assert_eq!(answer.code(), "55");
    }
    assert_eq!(wire.ask(&pos.sealed(&sale(&pos, 4, 1000, FOREIGN_PIN))).await.code(), "59");
    assert_eq!((mortal.state().await.unwrap().block, types(&bank).len()), (Some(Block::Rule), 2));
    assert_eq!(wire.ask(&pos.sealed(&sale(&pos, 5, 1000, FOREIGN_PIN))).await.code(), "62");
    assert_eq!(types(&bank).len(), 2);
}

#[tokio::test]
async fn counters_of_foreign_cards_are_after_a_restart_what_they_were() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (live, rules) = (mortal.host().rules(), everything());
    live.publish(Some(std::sync::Arc::clone(&rules)), Vec::new(), Limits::default());
    let (pos, mut wire) = mortal.signed_in().await;
    for (stan, pin) in [(2, FOREIGN_PIN), (3, "1111"), (4, FOREIGN_PIN)] {
        wire.ask(&pos.sealed(&sale(&pos, stan, 1000 + i64::from(stan), pin))).await;
    }
    let now = mortal.clock.now();
    let counted = live.contents(now);
    assert_eq!(counted, told_again(&*mortal.engine, &[terminals()], (rules, now)).await);
    let mismatches = &counted[r#"count(merchant, pin_mismatch, "24h")"#];
    assert_eq!(mismatches.values().map(Vec::len).sum::<usize>(), 1);
}
