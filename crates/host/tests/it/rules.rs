//! Risk rules within the authorization: refused, blocked, suspended, counted, and kept with the entry.

use std::sync::Arc;

use host::{Clock as _, past::Past, rules::Rules};
use model::ReasonCode;
use risk::{Contents, Key, Limits, RuleSet};
use store::{Engine, Event, journal::Transaction};

use crate::world::{OPENING, PIN, WRONG, World, pan, terminals};

fn rule(id: &str, when: &str, action: &str) -> String {
    let reason =
        if action == "step-up" || action == "review" { "" } else { "reason = \"suspected-fraud\"\n" };
    format!(
        "[[rule]]\nid = \"{id}\"\nname = {{ zh = \"gui ze\", en = \"rule\" }}\ngroup = \"test\"\nphase = \"authorize\"\n\
         when = '{when}'\naction = \"{action}\"\n{reason}mode = \"live\"\nowner = \"risk desk\"\nscore = 80\n\n"
    )
}

pub(crate) fn set(rules: &[(&str, &str, &str)]) -> Arc<RuleSet> {
    let rules: String = rules.iter().map(|(id, when, action)| rule(id, when, action)).collect();
    Arc::new(RuleSet::parse(&format!("name = \"test\"\n\n{rules}")).unwrap_or_else(|e| panic!("{e:?}")))
}

async fn world(rules: &[(&str, &str, &str)]) -> (World, Arc<Rules>) {
    let world = World::new().await;
    let live = world.host.rules();
    live.publish(Some(set(rules)), Vec::new(), Limits::default());
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
    live.publish(None, Vec::new(), Limits::default());
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

/// Every field that a condition may look at, and every key that events are counted by.
pub(crate) fn everything() -> Arc<RuleSet> {
    let conditions = [
        "true",
        "approved",
        "pin_mismatch",
        "pin_verified",
        "locked",
        "hour >= 12",
        "weekday <= 5",
        "amount > 1500",
        "currency == 156",
        r#"kind == "cash""#,
        r#"entry == "chip""#,
        r#"entry == "magstripe""#,
        r#"pin == "unverifiable""#,
        r#"has(event.pin_fault)"#,
        "tries_left < 3",
        r#"has(event.since_ok) && since_ok < duration("10m")"#,
        r#"has(event.since_last) && since_last < duration("10m")"#,
        r#"has(event.since_change)"#,
        "has(event.last_area) && last_area == area",
        "has(event.last_terminal) && last_terminal == terminal",
        "has(event.speed_kmh)",
        r#"reason == "wrong-pin""#,
        r#"has(event.mcc) && mcc == "5411""#,
        r#"has(event.merchant_mcc)"#,
        r#"has(event.zone)"#,
        r#"product == "debit-standard""#,
    ];
    let mut terms = Vec::new();
    for (n, condition) in conditions.iter().enumerate() {
        let key = ["card", "terminal", "merchant", "bin", "area", "product"][n % 6];
        terms.push(format!("count({key}, {condition}, \"24h\") > 1000"));
    }
    terms.push(r#"sum(card, amount, has(event.amount), "24h") > 100000000"#.to_owned());
    terms.push(r#"distinct(terminal, card, "24h") > 1000"#.to_owned());
    terms.push(r#"distinct_unless(terminal, card, pin_mismatch, pin_verified, "24h") > 1000"#.to_owned());
    let named: Vec<(String, String)> =
        terms.into_iter().enumerate().map(|(n, term)| (format!("r{n}"), term)).collect();
    let rules: Vec<(&str, &str, &str)> =
        named.iter().map(|(id, term)| (id.as_str(), term.as_str(), "review")).collect();
    set(&rules)
}

/// What a host counts that starts on this journal now.
pub(crate) async fn told_again(
    engine: &dyn Engine,
    listeners: &[host::ListenerConfig],
    (set, now): (Arc<RuleSet>, model::Timestamp),
) -> Contents {
    let rules = Rules::default();
    assert!(rules.publish(Some(set), Vec::new(), Limits::default()), "the past has to be told");
    let zone = jiff::tz::TimeZone::get(&host::Settings::default().time_zone).unwrap();
    let mut rebuild = rules.rebuild(Past::new(listeners, zone)).unwrap();
    let mut place = 0;
    while let Some(entry) = engine.entry(place + 1).await.unwrap() {
        place += 1;
        if let Some(id) = host::observe::Observer::terminal_of(&entry) {
            let terminal = engine.terminal(&id).await.unwrap().unwrap();
            rebuild.past().observer().learn(&terminal.record);
        }
        if let Some(id) = rebuild.past().needs_product_of(&entry) {
            let card = engine.card(&id).await.unwrap().unwrap();
            rebuild.past().learn_product(id, Arc::clone(&card.record));
        }
        rebuild.learn(place, &entry);
    }
    rebuild.catch_up();
    rebuild.finish();
    rules.contents(now)
}

/// After a restart every counter is exactly what it was: by card, terminal, merchant, range, region and product, for every
/// field that a condition may look at.
#[tokio::test]
async fn counters_are_after_a_restart_what_they_were() {
    let world = World::new().await;
    let (live, set) = (world.host.rules(), everything());
    live.publish(Some(Arc::clone(&set)), Vec::new(), Limits::default());
    let (pos, mut wire) = world.signed_in().await;
    let mut stan = 1;
    for (card, pin) in [
        (0, PIN),
        (0, WRONG),
        (0, PIN),
        (1, WRONG),
        (1, WRONG),
        (1, WRONG),
        (1, PIN),
        (2, PIN),
        (3, WRONG),
        (3, PIN),
    ] {
        stan += 1;
        world.clock.advance_ms(61_000);
        let mut request = pos.sale(stan, 1000 + i64::from(stan) * 100, card, pin);
        if stan % 2 == 0 {
            request.set(18, "5411");
        }
        wire.ask(&pos.sealed(&request)).await;
    }
    let mut cash = pos.sale(40, 5000, 0, PIN);
    cash.set(3, "010000").set(22, "051");
    wire.ask(&pos.sealed(&cash)).await;
    let now = world.clock.now();
    let counted = live.contents(now);
    let rebuilt = told_again(&*world.engine, &[terminals()], (set, now)).await;
    for (counter, keys) in &counted {
        assert_eq!(rebuilt.get(counter), Some(keys), "{counter}");
    }
    assert_eq!(counted, rebuilt);
    // and not because there was nothing to count
    let empty: Vec<&String> =
        counted.iter().filter(|(_, keys)| keys.is_empty()).map(|(counter, _)| counter).collect();
    assert!(empty.len() <= 7, "{empty:#?}");
}

/// A payment that is decided while the past is told counts once.
#[tokio::test]
async fn what_is_decided_while_the_past_is_told_counts_once() {
    let when = r#"count(card, "1h") >= 4"#;
    let (world, live) = world(&[]).await;
    let (pos, mut wire) = world.signed_in().await;
    for stan in [2, 3] {
        assert_eq!(wire.ask(&pos.sealed(&pos.sale(stan, 1000, 0, PIN))).await.code(), "00");
    }
    assert!(live.publish(Some(set(&[("often", when, "decline")])), Vec::new(), Limits::default()));
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let mut rebuild = live.rebuild(Past::new(&[terminals()], zone)).unwrap();
    assert!(rebuild.history_ms() >= 3_600_000);
    rebuild.catch_up();
    // decided before the journal was read to its end, and after
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(4, 1000, 0, PIN))).await.code(), "00");
    let journal = world.journal().await;
    for (place, entry) in (1..).zip(&journal) {
        rebuild.past().observer();
        rebuild.learn(place, entry);
    }
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(5, 1000, 1, PIN))).await.code(), "00");
    rebuild.finish();
    let card = |index: usize| Key::card(&world.engine.card_id(&pan(index).parse().unwrap()));
    let contents = live.contents(world.clock.now());
    let of = |index: usize| contents[r#"count(card, "1h")"#].get(&card(index)).map_or(0, Vec::len);
    assert_eq!((of(0), of(1)), (3, 1));
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(6, 1000, 0, PIN))).await.code(), "59");
    world.clock.advance_ms(3_600_001);
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(7, 1000, 0, PIN))).await.code(), "00");
}

/// A set in shadow is asked beside the live one, and changes nothing.
#[tokio::test]
async fn a_set_in_shadow_says_what_it_would_do() {
    let (world, live) = world(&[("large", "amount > 100000", "decline")]).await;
    let strict = set(&[("small", "amount > 50000", "decline"), ("odd", r#"country == "CN""#, "decline")]);
    live.publish(
        Some(set(&[("large", "amount > 100000", "decline")])),
        vec![Arc::clone(&strict)],
        Limits::default(),
    );
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 60_000, 0, PIN))).await.code(), "00");
    let hits = last(&world).await.rules.unwrap();
    let beside = &hits.beside.as_ref().unwrap()[0];
    assert!(hits.fired.is_empty() && strict.digest().starts_with(&beside.version));
    assert_eq!(
        (beside.declines, beside.rules.as_slice(), beside.errors.as_slice()),
        (true, &["small".to_owned()][..], &["odd".to_owned()][..])
    );
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(3, 200_000, 0, PIN))).await.code(), "59");
    let hits = last(&world).await.rules.unwrap();
    assert!(hits.declines() && hits.beside.unwrap()[0].declines);
    // alone, without a live set
    live.publish(None, vec![strict], Limits::default());
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(4, 200_000, 0, PIN))).await.code(), "00");
    assert!(last(&world).await.rules.unwrap().beside.unwrap()[0].declines);
}

/// Why a rule fired, and why another had no truth value, stands in the entry.
#[tokio::test]
async fn an_entry_explains_what_rules_said() {
    let counted = r#"count(card, "1h") >= 1 && amount > 100000"#;
    let rules = [("large", counted, "decline"), ("nowhere", r#"country != "CN""#, "decline")];
    let (world, _) = world(&rules).await;
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 200_000, 0, PIN))).await.code(), "59");
    let hits = last(&world).await.rules.unwrap();
    let terms = hits.fired[0].terms.as_ref().unwrap();
    let values: Vec<&str> = terms.iter().flat_map(|term| &term.values).map(String::as_str).collect();
    assert_eq!(values, [r#"count(card, "1h") = 1"#, "amount = 200000"]);
    assert_eq!(hits.fired[0].reason.as_deref(), Some("suspected-fraud"));
    assert_eq!(
        (hits.errors.as_slice(), hits.faults.unwrap().as_slice()),
        (&["nowhere".to_owned()][..], &["country is not known".to_owned()][..])
    );
    // an error is no decline
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(3, 1000, 0, PIN))).await.code(), "00");
    assert_eq!(last(&world).await.rules.unwrap().errors, ["nowhere"]);
}
