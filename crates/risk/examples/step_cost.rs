//! What the risk step costs within an authorization: 100 rules, 20 counters, 20,000 cards over 200 terminals, and beside it
//! the floor of the same run: the same number of comparisons and hash-map look-ups written by hand.
//!
//! ```text
//! cargo run --release -p risk --example step_cost
//! ```
#![allow(clippy::disallowed_methods, reason = "a measurement needs a stopwatch")]

use std::{collections::HashMap, hint::black_box, sync::Arc, time::Instant};

use model::{CardId, Timestamp};
use risk::{EntryMode, Limits, PinResult, RiskEvent, RuleEngine, RuleSet};

const RULES: usize = 100;
const EVENTS: usize = 200_000;
const CARDS: u64 = 20_000;
const TERMINALS: usize = 200;

const COUNTERS: [&str; 20] = [
    "count(card, pin_mismatch, '1h')",
    "count(card, '10m')",
    "count(card, approved, '24h')",
    "count(terminal, pin_mismatch, '10m')",
    "count(terminal, '1h')",
    "count(merchant, !approved, '1h')",
    "count(bin, pin_mismatch, '10m')",
    "count(merchant, '10m')",
    "sum(card, amount, approved, '24h')",
    "sum(card, amount, '1h')",
    "sum(terminal, amount, approved, '1h')",
    "sum(merchant, amount, '1h')",
    "distinct(terminal, card, '10m')",
    "distinct(card, terminal, '24h')",
    "distinct(merchant, card, '1h')",
    "distinct(card, area, '24h')",
    "distinct_unless(terminal, card, pin_mismatch, pin_verified, '10m')",
    "distinct_unless(merchant, card, pin_mismatch, pin_verified, '10m')",
    "distinct(card, merchant, approved, '7d')",
    "count(area, pin_mismatch, '10m')",
];

fn main() {
    let set = Arc::new(RuleSet::parse(&rules()).unwrap_or_else(|problems| panic!("{problems:#?}")));
    println!("{} rules, {} counters", set.rules().len(), set.counters().len());
    let mut engine = RuleEngine::new(set, Limits::default());
    let terminals: Vec<String> = (0..TERMINALS).map(|t| format!("T{t:07}")).collect();
    let merchants: Vec<String> = (0..TERMINALS).map(|t| format!("M{:014}", t / 4)).collect();
    let events: Vec<RiskEvent<'_>> = (0..EVENTS as u64).map(|i| event(i, &terminals, &merchants)).collect();
    let (filling, asked) = events.split_at(EVENTS / 2);
    filling.iter().for_each(|event| engine.learn(event));

    let (mut assess, mut observe) = (Vec::with_capacity(asked.len()), Vec::with_capacity(asked.len()));
    let mut fired = 0;
    for event in asked {
        let begin = Instant::now();
        let verdict = black_box(engine.assess(black_box(event), event.at));
        let middle = Instant::now();
        black_box(engine.observe(event, &verdict));
        observe.push(middle.elapsed().as_nanos() as u64);
        assess.push(middle.duration_since(begin).as_nanos() as u64);
        fired += usize::from(!verdict.is_silent());
    }
    let floor = floor(asked);
    let held = engine.held();
    println!("{fired} of {} events met a rule; {} keys in the windows", asked.len(), held.keys);
    let both: Vec<u64> = assess.iter().zip(&observe).map(|(one, other)| one + other).collect();
    for (name, mut times) in [("assess", assess), ("observe", observe), ("both", both), ("floor", floor)] {
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
        println!("{name:8} p50 {:.2} us, p99 {:.2} us, p99.9 {:.2} us", at(0.5), at(0.99), at(0.999));
    }
}

/// A hundred rules as people write them: some about the payment alone, most with one of twenty counters, half of them behind
/// a condition that seldom holds.
fn rules() -> String {
    let mut file = "name = 'cost'\n".to_owned();
    for rule in 0..RULES {
        let counter = COUNTERS[rule % COUNTERS.len()];
        let other = COUNTERS[(rule / 4) % COUNTERS.len()];
        let when = match rule % 4 {
            0 => format!("{counter} >= {}", 900_000_000_000_u64 + rule as u64),
            1 => {
                format!("amount > {} && !(mcc in ['5411', '5812']) && {other} > 900000000000", 50_000 + rule)
            }
            2 => format!("has(event.since_ok) && since_ok < duration('{}s') && {other} > 100000", 60 + rule),
            _ => format!(
                "{counter} > {} && entry != 'chip' && kind == 'sale'",
                900_000_000_000_u64 + rule as u64
            ),
        };
        file += &format!(
            "[[rule]]\nid = 'r{rule}'\nname = {{ zh = 'x', en = 'x' }}\ngroup = 'x'\nphase = 'authorize'\n\
             when = \"\"\"{when}\"\"\"\naction = 'review'\nmode = 'live'\nowner = 'x'\nscore = 1\n"
        );
    }
    file
}

fn event<'a>(i: u64, terminals: &'a [String], merchants: &'a [String]) -> RiskEvent<'a> {
    // numbers without a pattern (SplitMix64)
    let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let mut card = [0; 16];
    card[..8].copy_from_slice(&(mixed % CARDS).to_le_bytes());
    let place = (mixed >> 20) as usize % TERMINALS;
    let mistyped = (mixed >> 40).is_multiple_of(33);
    RiskEvent {
        amount: Some((mixed >> 8) as i64 % 300_000 + 100),
        currency: Some(156),
        mcc: Some("5999"),
        area: Some("5840"),
        entry: Some(EntryMode::Chip),
        pin: if mistyped { PinResult::Mismatch } else { PinResult::Verified },
        hour: 12,
        since_ok_ms: Some(3_600_000),
        approved: !mistyped,
        // a million a day
        ..RiskEvent::new(
            Timestamp(1_795_000_000_000 + i as i64 * 86),
            CardId(card),
            "900000",
            &terminals[place],
            &merchants[place],
        )
    }
}

/// The least that such a step does: twenty look-ups by card, a hundred comparisons.
fn floor(events: &[RiskEvent<'_>]) -> Vec<u64> {
    let mut seen: HashMap<[u8; 16], u64> = HashMap::new();
    let mut times = Vec::with_capacity(events.len());
    for event in events {
        *seen.entry(event.card.0).or_default() += 1;
        let begin = Instant::now();
        let mut sum = 0;
        for counter in 0..20_u8 {
            let mut key = event.card.0;
            key[15] ^= black_box(counter) & 1;
            sum += seen.get(&key).copied().unwrap_or(0);
        }
        let above = (0..RULES as u64).filter(|rule| black_box(sum) > 1_000_000 + rule).count();
        black_box(above);
        times.push(begin.elapsed().as_nanos() as u64);
    }
    times
}
