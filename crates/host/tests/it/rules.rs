//! Risk rules within the authorization: refused, blocked, suspended, counted, and kept with the entry.

use std::sync::Arc;

use host::rules::Rules;
use model::ReasonCode;
use risk::{Limits, RuleSet};
use store::{Event, journal::Transaction};

use crate::world::{OPENING, PIN, WRONG, World};

fn rule(id: &str, when: &str, action: &str) -> String {
    let reason =
        if action == "step-up" || action == "review" { "" } else { "reason = \"suspected-fraud\"\n" };
    format!(
        "[[rule]]\nid = \"{id}\"\nname = {{ zh = \"gui ze\", en = \"rule\" }}\ngroup = \"test\"\nphase = \"authorize\"\n\
         when = '{when}'\naction = \"{action}\"\n{reason}mode = \"live\"\nowner = \"risk desk\"\nscore = 80\n\n"
    )
}

fn set(rules: &[(&str, &str, &str)]) -> Arc<RuleSet> {
    let rules: String = rules.iter().map(|(id, when, action)| rule(id, when, action)).collect();
    Arc::new(RuleSet::parse(&format!("name = \"test\"\n\n{rules}")).unwrap_or_else(|e| panic!("{e:?}")))
}

async fn world(rules: &[(&str, &str, &str)]) -> (World, Arc<Rules>) {
    let world = World::new().await;
    let live = world.host.rules();
    live.publish(Some(set(rules)), Limits::default());
    (world, live)
}

async fn last(world: &World) -> Transaction {
    let transactions = world.journal().await.into_iter().rev();
    transactions
        .filter_map(|entry| match entry.event {
            Event::Transaction(transaction) => Some(*transaction),
            _ => None,
        })
        .next()
        .unwrap()
}

#[tokio::test]
async fn a_rule_refuses_and_its_id_stays_with_the_entry() {
    let rules = [("large", "amount > 100000", "decline"), ("odd", "amount == 7", "review")];
    let (world, live) = world(&rules).await;
    let (pos, mut wire) = world.signed_in().await;
    let frame = pos.sealed(&pos.sale(2, 200_000, 0, PIN));
    let refused = wire.ask(&frame).await;
    pos.assert_genuine(&refused);
    assert_eq!(refused.code(), "59");
    let entry = last(&world).await;
    let hits = entry.rules.clone().unwrap();
    assert_eq!(
        (entry.reason, hits.fired.len(), hits.fired[0].rule.as_str()),
        (ReasonCode::SuspectedFraud, 1, "large")
    );
    assert_eq!((hits.fired[0].action.as_str(), hits.version.len()), ("decline", 64));
    assert!(minicbor::to_vec(&hits).unwrap().len() < 2048);
    assert!(wire.ask(&frame).await.frame == refused.frame, "a repeat is a repeat");
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(3, 7, 0, PIN))).await.code(), "00");
    assert_eq!(last(&world).await.rules.unwrap().fired[0].action, "review");
    assert_eq!(world.card(0).await.balance.0, OPENING.0 - 7);
    // Another set, while payments go on.
    live.publish(None, Limits::default());
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(4, 200_000, 0, PIN))).await.code(), "00");
    assert!(last(&world).await.rules.is_none());
}

#[tokio::test]
async fn a_wrong_pin_is_counted_once_under_a_rule_that_blocks() {
    let when = r#"count(card, pin_mismatch, "1h") >= 2"#;
    let (world, _) = world(&[("two-wrong", when, "block-card")]).await;
    let (pos, mut wire) = world.signed_in().await;
    for (stan, code, used) in [(2, "55", 1), (3, "55", 2)] {
        assert_eq!(wire.ask(&pos.sealed(&pos.sale(stan, 1000, 0, WRONG))).await.code(), code);
        assert_eq!(world.card(0).await.tries.used(), used);
    }
    assert!(world.card(0).await.block.is_some());
    let asked = world.module.asked_about_pins();
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(4, 1000, 0, PIN))).await.code(), "62");
    assert_eq!(world.module.asked_about_pins(), asked, "a blocked card is not asked for its PIN");
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(5, 1000, 1, PIN))).await.code(), "00");
}

#[tokio::test]
async fn a_spray_suspends_the_terminal() {
    let when = r#"distinct_unless(terminal, card, pin_mismatch, pin_verified, "10m") >= 3"#;
    let (world, _) = world(&[("spray", when, "block-terminal")]).await;
    let (pos, mut wire) = world.signed_in().await;
    for card in 0..3 {
        assert_eq!(wire.ask(&pos.sealed(&pos.sale(2 + card as u32, 1000, card, WRONG))).await.code(), "55");
    }
    let id = pos.id.parse().unwrap();
    for _ in 0..1000 {
        if world.engine.terminal(&id).await.unwrap().unwrap().state.suspended {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the terminal is not suspended");
}

/// What counters know after a start is what the journal tells.
#[tokio::test]
async fn counters_are_rebuilt_from_the_journal() {
    let when = r#"count(card, "1h") >= 3"#;
    let (world, live) = world(&[("often", when, "decline")]).await;
    let (pos, mut wire) = world.signed_in().await;
    for stan in [2, 3] {
        assert_eq!(wire.ask(&pos.sealed(&pos.sale(stan, 1000, 0, PIN))).await.code(), "00");
    }
    live.publish(None, Limits::default());
    live.publish(Some(set(&[("often", when, "decline")])), Limits::default());
    assert!(live.history_ms().is_some_and(|ms| ms >= 3_600_000));
    for entry in world.journal().await {
        live.learn(&entry);
    }
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(4, 1000, 0, PIN))).await.code(), "59");
    world.clock.advance_ms(3_600_001);
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(5, 1000, 0, PIN))).await.code(), "00");
}
