//! Sliding windows against a model that keeps everything and counts it anew each time; and their limits.

use std::{collections::BTreeSet, sync::Arc};

use model::{CardId, Timestamp};
use proptest::prelude::*;
use risk::{Limits, PinResult, RiskEvent, RuleEngine, RuleSet, Verdict};

const MINUTE: i64 = 60_000;
const TERMINALS: [&str; 3] = ["T0000001", "T0000002", "T0000003"];

/// What the model keeps.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: i64,
    card: u8,
    terminal: usize,
    amount: i64,
    mismatch: bool,
    verified: bool,
    approved: bool,
}

impl Seen {
    fn event(&self) -> RiskEvent<'static> {
        RiskEvent {
            amount: Some(self.amount),
            pin: match (self.mismatch, self.verified) {
                (true, _) => PinResult::Mismatch,
                (_, true) => PinResult::Verified,
                _ => PinResult::NotPresent,
            },
            approved: self.approved,
            ..RiskEvent::new(
                Timestamp(self.at),
                CardId([self.card; 16]),
                "900000",
                TERMINALS[self.terminal],
                "M00000000000001",
            )
        }
    }
}

/// Counters, and what each of them is in the model.
type Naive = fn(&[Seen], &Seen) -> i64;

fn inside(all: &[Seen], this: &Seen, window: i64) -> Vec<Seen> {
    let stored = all.iter().filter(|seen| seen.at > this.at - window).copied();
    stored.chain([*this]).collect()
}

const COUNTERS: &[(&str, Naive)] = &[
    ("count(card, pin_mismatch, '1h')", |all, this| {
        let inside = inside(all, this, 60 * MINUTE);
        inside.iter().filter(|s| s.card == this.card && s.mismatch).count() as i64
    }),
    ("count(bin, '10m')", |all, this| inside(all, this, 10 * MINUTE).len() as i64),
    ("sum(card, amount, approved, '24h')", |all, this| {
        let inside = inside(all, this, 24 * 60 * MINUTE);
        inside.iter().filter(|s| s.card == this.card && s.approved).map(|s| s.amount).sum()
    }),
    ("distinct(terminal, card, '10m')", |all, this| {
        let inside = inside(all, this, 10 * MINUTE);
        let cards: BTreeSet<u8> =
            inside.iter().filter(|s| s.terminal == this.terminal).map(|s| s.card).collect();
        cards.len() as i64
    }),
    ("distinct(card, terminal, approved, '2h')", |all, this| {
        let inside = inside(all, this, 120 * MINUTE);
        let shops: BTreeSet<usize> =
            inside.iter().filter(|s| s.card == this.card && s.approved).map(|s| s.terminal).collect();
        shops.len() as i64
    }),
    ("distinct_unless(terminal, card, pin_mismatch, pin_verified, '30m')", |all, this| {
        let inside = inside(all, this, 30 * MINUTE);
        let here = || inside.iter().filter(|s| s.terminal == this.terminal);
        let wrong: BTreeSet<u8> = here().filter(|s| s.mismatch).map(|s| s.card).collect();
        let right: BTreeSet<u8> = here().filter(|s| s.verified).map(|s| s.card).collect();
        wrong.difference(&right).count() as i64
    }),
];

fn engine(conditions: &[String], limits: Limits) -> RuleEngine {
    let mut file = "name = 'windows'\n".to_owned();
    for (place, when) in conditions.iter().enumerate() {
        file += &format!(
            "[[rule]]\nid = 'r{place}'\nname = {{ zh = 'x', en = 'x' }}\ngroup = 'x'\nphase = 'authorize'\n\
             when = \"\"\"{when}\"\"\"\naction = 'review'\nmode = 'shadow'\nowner = 'x'\nscore = 1\n"
        );
    }
    let set = RuleSet::parse(&file).unwrap_or_else(|problems| panic!("{problems:#?}"));
    RuleEngine::new(Arc::new(set), limits)
}

/// A counter's value, read from the explanation of a rule that always fires.
fn values(verdict: &Verdict) -> Vec<i64> {
    assert_eq!(verdict.errors, []);
    verdict.shadow.iter().map(|fired| fired.terms[0].values[0].1.parse().expect("a number")).collect()
}

fn seen() -> impl Strategy<Value = (i64, bool, Seen)> {
    let step = prop_oneof![4 => 0..2 * MINUTE, 2 => 0..30 * MINUTE, 1 => 0..600 * MINUTE];
    (step, prop::bool::weighted(0.2), 0u8..5, 0usize..3, 0i64..1000, 0u8..3, any::<bool>()).prop_map(
        |(step, late, card, terminal, amount, pin, approved)| {
            let (mismatch, verified) = (pin == 1, pin == 2);
            (step, late, Seen { at: 0, card, terminal, amount, mismatch, verified, approved })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_window_holds_what_the_model_holds(steps in prop::collection::vec(seen(), 1..120)) {
        let conditions: Vec<String> = COUNTERS.iter().map(|(counter, _)| format!("{counter} >= 0")).collect();
        let mut engine = engine(&conditions, Limits::default());
        let (mut all, mut now) = (Vec::new(), 1_000_000_000_000_i64);
        for (step, late, mut seen) in steps {
            if late {
                // something of before that was not known: of another host
                seen.at = now - step;
            } else {
                now += step;
                seen.at = now;
                let expected: Vec<i64> = COUNTERS.iter().map(|(_, naive)| naive(&all, &seen)).collect();
                let verdict = engine.assess(&seen.event(), Timestamp(now));
                prop_assert_eq!(values(&verdict), expected, "{:?}", seen);
            }
            engine.learn(&seen.event());
            all.push(seen);
        }
    }
}

fn at(minute: i64, card: u8) -> Seen {
    let at = 1_000_000_000_000 + minute * MINUTE;
    Seen { at, card, terminal: 0, amount: 100, mismatch: true, verified: false, approved: true }
}

#[test]
fn a_full_counter_is_an_error_until_the_window_has_passed() {
    let mut engine =
        engine(&["count(card, '10m') >= 0".to_owned()], Limits { entries: 3, ..Limits::default() });
    for card in 0..4 {
        engine.learn(&at(0, card).event());
    }
    assert_eq!(engine.held().not_taken, 1);
    let early = at(9, 9);
    let verdict = engine.assess(&early.event(), Timestamp(early.at));
    assert_eq!(verdict.errors[0].fault, "counter-full");
    let later = at(10, 9);
    let verdict = engine.assess(&later.event(), Timestamp(later.at));
    assert_eq!(values(&verdict), [1]);
}

#[test]
fn beyond_the_limit_of_one_key_counts_stand_still_and_sums_are_errors() {
    let counters = ["count(card, '10m')", "distinct(bin, card, '10m')", "sum(card, amount, '10m')"];
    let conditions: Vec<String> = counters.iter().map(|counter| format!("{counter} >= 0")).collect();
    let mut engine = engine(&conditions, Limits { events: 5, ..Limits::default() });
    for card in 0..20 {
        engine.learn(&at(0, 1).event());
        engine.learn(&at(0, card).event());
    }
    let this = at(1, 1);
    let verdict = engine.assess(&this.event(), Timestamp(this.at));
    // five are kept, and the event counts itself; card 1 was the first of twenty and is new again
    let kept: Vec<&str> = verdict.shadow.iter().map(|f| f.terms[0].values[0].1.as_str()).collect();
    assert_eq!((kept, verdict.errors[0].rule.as_str()), (vec!["6", "5"], "r2"));
}

#[test]
fn what_has_left_every_window_is_forgotten() {
    let mut engine = engine(&["count(card, '10m') >= 0".to_owned()], Limits::default());
    for card in 0..200 {
        engine.learn(&at(0, card).event());
    }
    assert_eq!(engine.held().keys, 200);
    for minute in 0..200 {
        engine.learn(&at(20 + minute, 250).event());
    }
    assert_eq!(engine.held().keys, 1);
}
