//! What a backtest of the starter rules costs for a journal of a month: entries as the host keeps them, a million a day, each at
//! its own moment, are written into a store of the run's own; then `pinward rules backtest` reads them, as anybody would.
//!
//! The payments are made up and ordinary: three in a hundred with a wrong PIN, each card three times a day at any of many
//! terminals. No host decided them, so that a month is not a month of payments.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use authorization::{
    CardRecord, Effect, PinVerdict, Role, Status, Trace,
    key_set::KeySet,
    settlement::Movement,
    terminal::{Site, TerminalRecord},
};
use iso8583::{Dialect, MessageBuilder};
use model::{
    Amount, BatchNumber, CardId, Currency, KeyBlock, KeyScheme, Kind, MaskedPan, Pan, ReasonCode,
    ResponseCode, Rrn, Stan, TerminalId, Timestamp, TransactionKey,
};
use serde::Serialize;
use store::{Archive, Engine, Entry, Event, Exchange, Registration, Subject, journal::Transaction};
use tokio::task::JoinSet;

use super::child;

/// The first payment: it does not matter when.
const BEGIN: Timestamp = Timestamp(1_795_000_000_000);
/// Between two payments: a million a day.
const GAP_MS: i64 = 86;
const A_MONTH: f64 = 30e6;
const TERMINALS: u64 = 10_000;
const CARDS_MAX: u64 = 300_000;
/// Entries that are written at once; as many cards in a row are different ones.
const AT_ONCE: u64 = 1_000;
/// Registers that are written at once.
const REGISTERED_AT_ONCE: u64 = 10_000;
const MERCHANT: &str = "898584054110001";

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    /// Payments of the journal, all of which were judged.
    payments: u64,
    /// Rules of the set.
    rules: usize,
    /// What its rules said about them.
    hits: u64,
    /// Of the whole command, opening the store included.
    seconds: f64,
    seconds_per_million: f64,
    /// At the same pace, thirty days of a million.
    minutes_per_month: f64,
}

/// Writes a journal, reads it, says what that took.
///
/// # Errors
/// When the store cannot be made, or the command fails.
pub(super) fn measure(
    folder: &Path,
    payments: u64,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Cost> {
    let data = folder.join("backtest");
    eprintln!("writing a journal of {payments} payments");
    runtime.block_on(write(&data, payments))?;
    let set = folder.join("starter.toml");
    fs::write(&set, risk::STARTER)?;
    eprintln!("reading it again");
    let began = Instant::now();
    let report = child::backtest(&set, &data)?;
    let seconds = began.elapsed().as_secs_f64();
    fs::remove_dir_all(&data)?;
    let number = |name: &str| report["candidate"][name].as_u64().context("a figure is missing in the report");
    let judged = number("events")?;
    anyhow::ensure!(judged == payments, "{judged} of {payments} payments were judged");
    let per_million = seconds / payments as f64 * 1e6;
    Ok(Cost {
        payments,
        rules: report["candidate"]["rules"].as_object().map_or(0, serde_json::Map::len),
        hits: number("hits")?,
        seconds: super::round(seconds),
        seconds_per_million: super::round(per_million),
        minutes_per_month: super::round(per_million * A_MONTH / 1e6 / 60.0),
    })
}

impl Cost {
    pub(super) fn print(&self) {
        println!(
            "{} payments, {} rules: {} s, {} s per million; a month of a million a day: {} minutes",
            self.payments, self.rules, self.seconds, self.seconds_per_million, self.minutes_per_month
        );
    }
}

async fn write(data: &Path, payments: u64) -> anyhow::Result<()> {
    fs::create_dir_all(data)?;
    let engine = store_sql::open(data)?;
    let cards = (payments / 3).clamp(AT_ONCE, CARDS_MAX);
    register(&*engine, cards).await?;
    let dialect = Dialect::builtin("cup-pos").context("the dialect cup-pos")?;
    let ids: Vec<(CardId, MaskedPan)> = (0..cards)
        .map(|n| number(n).map(|pan| (engine.card_id(&pan), pan.masked())))
        .collect::<anyhow::Result<_>>()?;
    let mut n = 0;
    while n < payments {
        let mut writing = JoinSet::new();
        let end = payments.min(n + AT_ONCE);
        for payment in n..end {
            // each card once before any comes again
            let card = usize::try_from(payment % cards)?;
            let (id, pan) = ids.get(card).context("a card")?;
            let seq = u32::try_from(payment / cards + 1)?;
            let entry = entry(payment, (*id, pan.clone()), seq, &dialect)?;
            let engine = engine.clone();
            writing.spawn(async move { engine.append(entry).await });
        }
        while let Some(written) = writing.join_next().await {
            written??;
        }
        n = end;
    }
    // what people look up is filled behind; the measurement is not to pay for it
    loop {
        let progress = engine.progress().await?;
        if progress.filled >= progress.journal {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::task::spawn_blocking(move || engine.close()).await?;
    Ok(())
}

async fn register(engine: &dyn Engine, cards: u64) -> anyhow::Result<()> {
    let mut begin = 0;
    while begin < cards {
        let end = cards.min(begin + REGISTERED_AT_ONCE);
        let batch = (begin..end).map(|n| {
            let pan = number(n)?;
            let record = CardRecord {
                pan: pan.masked(),
                expiry: "9912".parse()?,
                product: "debit-standard".to_owned(),
                currency: Currency::CNY,
                opening_balance: Amount(10_000_000),
            };
            Ok(Registration::Card { pan, record, reference: None })
        });
        engine.register(batch.collect::<anyhow::Result<_>>()?).await?;
        begin = end;
    }
    let terminals = (0..TERMINALS).map(|n| {
        Ok(Registration::Terminal(TerminalRecord {
            id: terminal(n)?,
            merchant: MERCHANT.parse()?,
            merchant_name: "Noodles".to_owned(),
            site: Site::default(),
            keys: KeySet {
                scheme: KeyScheme::Tdes,
                key: KeyBlock::new("D0112K0AB00E0000".to_owned()),
                format: KeyScheme::Tdes.usual_format(),
                device: None,
                check_value: "A1B2C3D4".to_owned(),
            },
        }))
    });
    Ok(engine.register(terminals.collect::<anyhow::Result<_>>()?).await?)
}

fn number(n: u64) -> anyhow::Result<Pan> {
    Ok(format!("9100019{n:09}").parse()?)
}

fn terminal(n: u64) -> anyhow::Result<TerminalId> {
    Ok(format!("T{n:07}").parse()?)
}

/// Numbers without a pattern (SplitMix64).
fn mixed(n: u64) -> u64 {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// One payment as the journal keeps it.
fn entry(n: u64, (card, pan): (CardId, MaskedPan), seq: u32, dialect: &Dialect) -> anyhow::Result<Entry> {
    let random = mixed(n);
    let at = BEGIN.plus_ms(i64::try_from(n)? * GAP_MS);
    let key = TransactionKey {
        terminal: terminal((random >> 20) % TERMINALS)?,
        batch: BatchNumber::new(1)?,
        stan: Stan::new(u32::try_from(n % 999_999 + 1)?)?,
        day: 0,
    };
    let mistyped = (random >> 40).is_multiple_of(33);
    let amount = Amount(i64::try_from((random >> 8) % 30_000 + 100)?);
    let rrn: Rrn = format!("{n:012}").parse()?;
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
        pan,
        merchant: MERCHANT.parse()?,
        amount,
        currency: Currency::CNY,
        rrn,
        approval: None,
        reason,
        code: ResponseCode::new(code)?,
        pin: if mistyped { PinVerdict::Mismatch } else { PinVerdict::Verified },
        tries_left: 3,
        tries_limit: 3,
        locked: None,
        effects: vec![Effect::Remember { trace }],
        movement: Movement::default(),
        original: None,
        forwarded: None,
        rules: None,
        operator: None,
    };
    let exchange = Exchange {
        dialect: "cup-pos".to_owned(),
        request: request(&key, amount, dialect)?,
        // read by nobody who follows the journal, and on the disk all the same
        reply: vec![0; 96],
        received: at,
        took_us: 1200,
        instance: None,
    };
    let event = Event::Transaction(Box::new(transaction));
    Ok(Entry { subject: Subject::Card(card), seq, at, event, exchange: Some(exchange) })
}

fn request(key: &TransactionKey, amount: Amount, dialect: &Dialect) -> anyhow::Result<Vec<u8>> {
    let mut sale = MessageBuilder::new("0200".parse()?);
    sale.set(3, "000000").set(4, &format!("{:012}", amount.0)).set(11, &format!("{:06}", key.stan.get()));
    sale.set(12, "104302").set(13, "1122").set(22, "051").set(25, "00").set(26, "12");
    sale.set(41, key.terminal.as_str()).set(42, MERCHANT).set(49, "156").set(60, "22000001");
    let mut bytes = Vec::new();
    sale.encode(dialect, &mut bytes)?;
    Ok(bytes)
}
