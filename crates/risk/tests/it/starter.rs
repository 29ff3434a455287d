//! The starter set: it leaves normal traffic alone, and stops what it was written for.

use std::sync::Arc;

use model::{CardId, Kind, ReasonCode, Timestamp, Unverifiable};
use risk::{Action, Change, EntryMode, Limits, PinResult, RiskEvent, RuleEngine, RuleSet, STARTER, Verdict};

use crate::differential::Random;

const BEGIN: i64 = 1_795_000_000_000;
const TERMINALS: [&str; 8] =
    ["T0000001", "T0000002", "T0000003", "T0000004", "T0000005", "T0000006", "T0000007", "T0000008"];

fn starter() -> RuleEngine {
    let set = RuleSet::parse(STARTER).unwrap_or_else(|problems| panic!("{problems:#?}"));
    RuleEngine::new(Arc::new(set), Limits::default())
}

fn card(number: u64) -> CardId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    CardId(id)
}

/// An ordinary purchase with the right PIN.
fn purchase(second: i64, number: u64, terminal: &'static str) -> RiskEvent<'static> {
    RiskEvent {
        amount: Some(12_800),
        currency: Some(156),
        mcc: Some("5411"),
        merchant_mcc: Some("5411"),
        area: Some("5840"),
        entry: Some(EntryMode::Chip),
        pin: PinResult::Verified,
        tries_left: Some(3),
        hour: 12,
        ..RiskEvent::new(
            Timestamp(BEGIN + second * 1000),
            card(number),
            "900000",
            terminal,
            "M00000000000001",
        )
    }
}

fn wrong(event: RiskEvent<'static>) -> RiskEvent<'static> {
    RiskEvent { pin: PinResult::Mismatch, tries_left: Some(2), ..event }.decided(ReasonCode::WrongPin, false)
}

/// As the host does it: asked, decided, entered.
fn pass(engine: &mut RuleEngine, event: &RiskEvent<'_>) -> Verdict {
    let verdict = engine.assess(event, event.at);
    let after = engine.assess_after(event, event.at);
    let declined = verdict.action.and_then(Action::declines).is_some();
    let decided = if declined { event.decided(ReasonCode::BlockedCard, false) } else { *event };
    assert_eq!(engine.observe(&decided, &verdict), [], "demoted");
    assert_eq!((&verdict.errors, &after.errors), (&vec![], &vec![]));
    Verdict { fired: [verdict.fired, after.fired].concat(), ..verdict }
}

fn fired(verdict: &Verdict) -> Vec<&str> {
    verdict.fired.iter().map(|fired| fired.rule.as_str()).collect()
}

#[test]
fn normal_traffic_is_left_alone() {
    let mut engine = starter();
    let mut random = Random(1);
    let (mut second, mut payments) = (0, 0);
    while payments < 30_000 {
        second += random.below(20) as i64; // eight tills, together some eight thousand cards a day
        let event = RiskEvent {
            amount: Some(100 + random.below(300_000) as i64),
            kind: if random.chance(5) { Kind::Balance } else { Kind::Sale },
            ..purchase(second, random.next() % 4000, random.one(&TERMINALS))
        };
        // three in a hundred mistype; one in five of these goes away without having paid
        let attempts = match random.below(1000) {
            0..24 => vec![wrong(event), event],
            24..30 => vec![wrong(event)],
            30..50 => vec![event.decided(ReasonCode::InsufficientFunds, false)],
            _ => vec![event],
        };
        for attempt in attempts {
            let verdict = pass(&mut engine, &attempt);
            assert_eq!(fired(&verdict), Vec::<&str>::new(), "{attempt:?}");
            payments += 1;
        }
    }
}

#[test]
fn a_spray_is_blocked_before_the_sixth_card_in_the_middle_of_normal_traffic() {
    for seed in 0..100 {
        let mut engine = starter();
        let mut random = Random(seed);
        let (mut second, mut cards, mut blocked) = (0, 0, false);
        while !blocked {
            second += 1 + random.below(60) as i64;
            if random.chance(30) {
                pass(&mut engine, &purchase(second, random.next(), random.one(&TERMINALS)));
                continue;
            }
            cards += 1;
            let number = random.next();
            // one or two guesses at each card
            for _ in 0..1 + random.below(2) {
                let verdict = pass(&mut engine, &wrong(purchase(second, number, "T0000009")));
                blocked |= matches!(verdict.action, Some(Action::BlockTerminal(_)));
                second += 5;
            }
        }
        assert!(cards < 6, "seed {seed}: {cards} cards");
    }
}

/// Copies are guessed at slowly, between many customers who pay by chip.
#[test]
fn a_slow_spray_of_copies_at_a_busy_terminal_is_blocked_before_the_sixth_card() {
    for seed in 0..60 {
        let mut engine = starter();
        let mut random = Random(seed);
        let (mut second, mut cards, mut blocked) = (0, 0, false);
        while !blocked {
            second += 20 + random.below(60) as i64;
            if !random.chance(35) {
                pass(&mut engine, &purchase(second, random.next(), "T0000009"));
                continue;
            }
            cards += 1;
            let copy =
                RiskEvent { entry: Some(EntryMode::Fallback), ..purchase(second, random.next(), "T0000009") };
            blocked |= matches!(pass(&mut engine, &wrong(copy)).action, Some(Action::BlockTerminal(_)));
        }
        assert!(cards < 6, "seed {seed}: {cards} cards");
    }
}

/// Every third card fails at a keypad with a dead key, and goes elsewhere. The others pay, and shall.
#[test]
fn a_dead_key_is_no_spray() {
    let mut engine = starter();
    let mut random = Random(7);
    let (mut second, mut blocked) = (0, 0);
    for _ in 0..2_000 {
        second += 40 + random.below(60) as i64;
        let event = purchase(second, random.next(), "T0000009");
        let verdict = pass(&mut engine, &if random.chance(33) { wrong(event) } else { event });
        blocked += fired(&verdict).len();
    }
    // five in a row now and then, by chance
    assert!(blocked <= 4, "{blocked}");
}

#[test]
fn each_attack_meets_its_rule() {
    type Attack = fn(i64) -> RiskEvent<'static>;
    let attacks: &[(&str, Attack)] = &[
        ("brute-force-card", |i| wrong(purchase(i * 3600, 1, TERMINALS[i as usize % 3]))),
        ("brute-force-slow", |i| wrong(purchase(i * 100_000, 1, TERMINALS[i as usize % 5]))),
        ("locked-card-hammered", |i| RiskEvent { locked: true, ..wrong(purchase(i * 60, 1, "T0000001")) }),
        ("spray-merchant", |i| wrong(purchase(i * 10, i as u64, TERMINALS[i as usize % 8]))),
        ("spray-bin", |i| RiskEvent {
            terminal: ["A", "B", "C", "D", "E", "F", "G", "H"][i as usize % 8],
            merchant: ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"][i as usize % 8],
            entry: Some(EntryMode::Magstripe),
            ..wrong(purchase(i * 10, i as u64, "T0000001"))
        }),
        ("card-testing-bin", |i| RiskEvent {
            merchant: ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"][i as usize % 8],
            amount: Some(100),
            ..purchase(i * 10, i as u64, TERMINALS[i as usize % 8]).decided(ReasonCode::ExpiryMismatch, false)
        }),
        ("card-testing-merchant", |i| RiskEvent {
            amount: Some(100),
            ..purchase(i * 10, i as u64, TERMINALS[i as usize % 8]).decided(ReasonCode::ExpiryMismatch, false)
        }),
        ("balance-probe", |i| RiskEvent {
            kind: Kind::Balance,
            amount: None,
            ..purchase(i * 10, i as u64, "T0000001")
        }),
        ("cash-out-card", |i| RiskEvent {
            kind: Kind::Cash,
            entry: Some(EntryMode::Magstripe),
            ..purchase(i * 60, 1, "T0000001")
        }),
        ("cash-out-terminal", |i| RiskEvent {
            kind: Kind::Cash,
            entry: Some(EntryMode::Fallback),
            ..purchase(i * 60, i as u64, "T0000001")
        }),
        ("unlimited-operation", |i| RiskEvent {
            kind: Kind::Cash,
            amount: Some(500_000),
            since_change_ms: Some(i * 60_000),
            ..purchase(i * 60, 1, "T0000001")
        }),
        ("unlimited-operation-range", |i| RiskEvent {
            kind: Kind::Cash,
            since_change_ms: Some(60_000),
            ..purchase(i * 60, i as u64, TERMINALS[i as usize % 8])
        }),
        ("impossible-travel", |i| RiskEvent {
            speed_kmh: Some(1200),
            entry: Some(EntryMode::Fallback),
            ..purchase(i, 1, "T0000001")
        }),
        ("impossible-travel-chip", |i| RiskEvent { speed_kmh: Some(1200), ..purchase(i, 1, "T0000001") }),
        ("spray-copies", |i| RiskEvent {
            entry: Some(EntryMode::Fallback),
            ..wrong(purchase(i * 200, i as u64, "T0000001"))
        }),
        ("area-hopping", |i| RiskEvent {
            area: Some(["5840", "1000", "2900", "3010"][i as usize % 4]),
            ..purchase(i * 600, 1, "T0000001")
        }),
        ("code-jumping", |i| RiskEvent { mcc: Some("8062"), ..purchase(i * 600, i as u64, "T0000001") }),
        ("many-merchants", |i| RiskEvent {
            merchant: ["M1", "M2", "M3", "M4"][i as usize % 4],
            ..purchase(i * 600, i as u64, "T0000001")
        }),
        ("moved-terminal", |i| RiskEvent {
            terminal_area: Some("1000"),
            ..purchase(i * 600, i as u64, "T0000001")
        }),
        ("ksn-replay", |i| RiskEvent {
            pin: PinResult::Unverifiable(Unverifiable::KsnReplayed),
            ..purchase(i * 60, i as u64, "T0000001").decided(ReasonCode::KsnReplayed, false)
        }),
    ];
    for (rule, attack) in attacks {
        let mut engine = starter();
        let met = (1..30).find(|step| fired(&pass(&mut engine, &attack(*step))).contains(rule));
        assert!(met.is_some(), "{rule} never fired");
    }
}

#[test]
fn lists_are_looked_at() {
    let mut engine = starter();
    let listed = |list: &str, member: &str| Change::Listed {
        list: list.to_owned(),
        member: member.to_owned(),
        until: None,
        by: "ada".to_owned(),
        why: "test".to_owned(),
        at: Timestamp(BEGIN),
    };
    engine.apply(&listed("stolen-cards", &card(1).to_string()));
    engine.apply(&listed("watched-terminals", "T0000002"));
    engine.apply(&listed("trusted-terminals", "T0000003"));
    let stolen = pass(&mut engine, &purchase(1, 1, "T0000001"));
    assert!(matches!(stolen.action, Some(Action::BlockCard(_))));
    assert_eq!(pass(&mut engine, &purchase(2, 2, "T0000002")).action, Some(Action::Review));
    assert_eq!(pass(&mut engine, &purchase(3, 3, "T0000003")).action, Some(Action::Approve));
}

#[test]
fn an_event_of_which_little_is_known_is_no_error() {
    let engine = starter();
    let bare = RiskEvent::new(Timestamp(BEGIN), card(1), "900000", "T0000001", "M00000000000001");
    for verdict in [engine.assess(&bare, bare.at), engine.assess_after(&bare, bare.at)] {
        assert!(verdict.is_silent(), "{verdict:?}");
    }
}

#[test]
fn every_rule_says_what_it_is_in_both_languages() {
    let set = RuleSet::parse(STARTER).expect("checked above");
    for rule in set.rules() {
        assert!(rule.name.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}", rule.id);
        assert!(rule.name.en.is_ascii(), "{}", rule.id);
    }
}
