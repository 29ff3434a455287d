//! What a backtest costs for each payment of a journal: its entry is decoded, its message read, what was known about its card
//! found, and the starter set asked and told, as `pinward rules backtest` does it. Reading the disk is left out.
//!
//! ```text
//! cargo run --profile sim -p host --example backtest_cost -- 1000000
//! ```
#![allow(clippy::disallowed_methods, reason = "a measurement needs a stopwatch")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use authorization::{
    Effect, PinVerdict, Role, Status, Trace,
    key_set::KeySet,
    settlement::Movement,
    terminal::{Site, TerminalRecord},
};
use host::{ListenerConfig, past::Past};
use iso8583::{Dialect, MessageBuilder};
use model::{
    Amount, BatchNumber, CardId, Currency, KeyBlock, KeyScheme, Kind, Pan, ReasonCode, ResponseCode, Rrn,
    Stan, TerminalId, Timestamp, TransactionKey,
};
use risk::{
    Limits, RuleEngine, RuleSet, STARTER,
    backtest::{Backtest, Case, Settings},
};
use store::{Entry, Event, Exchange, Subject, journal::Transaction};

const BEGIN: i64 = 1_795_000_000_000;
const PAGE: u64 = 1024;
const CARDS: u64 = 300_000;
const TERMINALS: u64 = 10_000;
const MERCHANT: &str = "898584054110001";

fn main() {
    let payments: u64 = std::env::args().nth(1).map_or(1_000_000, |n| n.parse().expect("a number"));
    let set = Arc::new(RuleSet::parse(STARTER).expect("ours"));
    println!("{} rules, {} counters", set.rules().len(), set.counters().len());
    let engine = RuleEngine::new(set, Limits::default());
    let mut test = Backtest::new(engine, None, Timestamp(0), Settings::default());
    let listener: ListenerConfig = toml::from_str(
        "address = '127.0.0.1:0'\ndialect = 'cup-pos'\nframing = 'len2+tpdu+header'\nmac = 'cup-ecb-8'",
    )
    .expect("a listener");
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").expect("a zone");
    let mut past = Past::new(&[listener], zone);
    (0..TERMINALS).for_each(|n| past.observer().learn(&record(n)));
    let (mut took, mut reading) = (Duration::ZERO, Duration::ZERO);
    for page in 0..payments / PAGE {
        let kept: Vec<Vec<u8>> = (page * PAGE..(page + 1) * PAGE).map(entry).collect();
        let began = Instant::now();
        let entries: Vec<Entry> =
            kept.iter().map(|bytes| minicbor::decode(bytes).expect("an entry")).collect();
        reading += began.elapsed();
        for (place, entry) in (page * PAGE..).zip(&entries) {
            let payment = past.payment(place + 1, entry).expect("a payment");
            let (event, reference) = (payment.event(), payment.rrn());
            test.feed(&Case { event, outcome: event, reference: reference.as_str(), label: None });
        }
        took += began.elapsed();
    }
    let report = test.report().candidate;
    let seconds = took.as_secs_f64() / report.events as f64 * 1e6;
    println!(
        "{} payments, {} hits: {seconds:.2} s per million ({:.0} a second), of that {:.2} s decoding entries",
        report.events,
        report.hits,
        1e6 / seconds,
        reading.as_secs_f64() / report.events as f64 * 1e6
    );
}

fn terminal(n: u64) -> TerminalId {
    format!("T{n:07}").parse().expect("a terminal")
}

fn record(n: u64) -> TerminalRecord {
    TerminalRecord {
        id: terminal(n),
        merchant: MERCHANT.parse().expect("a merchant"),
        merchant_name: "Noodles".to_owned(),
        site: Site::default(),
        keys: KeySet {
            scheme: KeyScheme::Tdes,
            key: KeyBlock::new("D0112K0AB00E0000".to_owned()),
            format: KeyScheme::Tdes.usual_format(),
            device: None,
            check_value: "A1B2C3D4".to_owned(),
        },
    }
}

/// Numbers without a pattern (SplitMix64).
fn mixed(n: u64) -> u64 {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// One payment as the journal keeps it: a million a day, three in a hundred with a wrong PIN.
fn entry(n: u64) -> Vec<u8> {
    let random = mixed(n);
    let at = Timestamp(BEGIN + i64::try_from(n * 86).expect("a time"));
    let card = random % CARDS;
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mixed(card).to_le_bytes());
    let pan: Pan = format!("9100019{card:09}").parse().expect("a number");
    let key = TransactionKey {
        terminal: terminal((random >> 20) % TERMINALS),
        batch: BatchNumber::new(1).expect("a batch"),
        stan: Stan::new(u32::try_from(n % 999_999 + 1).expect("six digits")).expect("a trace number"),
        day: 0,
    };
    let mistyped = (random >> 40).is_multiple_of(33);
    let amount = Amount(i64::try_from((random >> 8) % 30_000 + 100).expect("an amount"));
    let rrn: Rrn = format!("{n:012}").parse().expect("a reference");
    let (reason, code) = if mistyped { (ReasonCode::WrongPin, "55") } else { (ReasonCode::Approved, "00") };
    let trace = Trace {
        key,
        role: Role::Financial(Kind::Sale),
        digest: random,
        status: if mistyped { Status::Declined } else { Status::Approved },
        amount,
        at,
        rrn,
        approval: None,
        original: None,
        journal_seq: 0,
    };
    let transaction = Transaction {
        role: Role::Financial(Kind::Sale),
        key,
        pan: pan.masked(),
        merchant: MERCHANT.parse().expect("a merchant"),
        amount,
        currency: Currency::CNY,
        rrn,
        approval: None,
        reason,
        code: ResponseCode::new(code).expect("a code"),
        pin: if mistyped { PinVerdict::Mismatch } else { PinVerdict::Verified },
        tries_left: 3,
        tries_limit: 3,
        locked: None,
        effects: vec![Effect::Remember { trace }],
        movement: Movement::default(),
        original: None,
        forwarded: None,
        rules: None,
    };
    let exchange = Exchange {
        dialect: "cup-pos".to_owned(),
        request: request(&key, amount),
        reply: Vec::new(),
        received: at,
        took_us: 1200,
        instance: None,
    };
    let entry = Entry {
        subject: Subject::Card(CardId(id)),
        seq: 1,
        at,
        event: Event::Transaction(Box::new(transaction)),
        exchange: Some(exchange),
    };
    minicbor::to_vec(&entry).expect("an entry")
}

fn request(key: &TransactionKey, amount: Amount) -> Vec<u8> {
    let dialect = Dialect::builtin("cup-pos").expect("ours");
    let mut sale = MessageBuilder::new("0200".parse().expect("a type"));
    sale.set(3, "000000").set(4, &format!("{:012}", amount.0)).set(11, &format!("{:06}", key.stan.get()));
    sale.set(12, "104302")
        .set(13, "1122")
        .set(22, "051")
        .set(25, "00")
        .set(26, "12")
        .set(41, key.terminal.as_str());
    sale.set(42, MERCHANT).set(49, "156").set(60, "22000001");
    let mut bytes = Vec::new();
    sale.encode(&dialect, &mut bytes).expect("a message");
    bytes
}
