//! Cards, terminals and entries for the tests. Card numbers are from the range that UnionPay's sandbox publishes.

use std::{path::Path, sync::Arc, time::Duration};

use authorization::{
    CardRecord, Effect, PinVerdict, Role, Status, Trace,
    key_set::KeySet,
    pin_try::Counter,
    settlement::Movement,
    terminal::{Site, TerminalEffect, TerminalRecord},
};
use model::{
    Amount, BatchNumber, Currency, Expiry, KeyBlock, KeyScheme, Kind, MerchantId, Pan, PinReference,
    ReasonCode, ResponseCode, Rrn, Stan, TerminalId, Timestamp, TransactionKey,
};
use store::{
    Archive, Card, Engine, Entry, Event, Exchange, Registration, Subject,
    journal::{DeskAction, TerminalEvent, Transaction},
};
use store_sql::{Limits, SqliteEngine, postgres};

use crate::server::Server;

/// Runs each case on both engines.
macro_rules! on_both_engines {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$case($crate::world::embedded()).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$case($crate::world::on_postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// Decides and looks up.
pub(crate) trait Whole: Engine + Archive {}
impl<T: Engine + Archive> Whole for T {}

/// An engine with nothing in it, and where its files or its key are.
pub(crate) struct Bench {
    pub(crate) engine: Arc<dyn Whole>,
    _dir: tempfile::TempDir,
}

pub(crate) fn embedded() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    Bench { engine: open(dir.path()), _dir: dir }
}

pub(crate) async fn on_postgres() -> Bench {
    let url = Server::shared().database().await;
    let dir = tempfile::tempdir().unwrap();
    Bench { engine: postgres::open(dir.path(), &url, few_partitions()).await.unwrap(), _dir: dir }
}

/// Few, so that a new database is made in a moment; several, so that every test crosses them.
pub(crate) fn few_partitions() -> postgres::Limits {
    postgres::Limits { partitions: 5, ..postgres::Limits::default() }
}

pub(crate) const T0: i64 = 1_795_000_000_000;

pub(crate) fn pan(n: u32) -> Pan {
    format!("6216261{n:012}").parse().unwrap()
}

pub(crate) fn record(pan: &Pan) -> CardRecord {
    CardRecord {
        pan: pan.masked(),
        expiry: Expiry::from_yymm(3012).unwrap(),
        product: "debit".into(),
        currency: Currency::CNY,
        opening_balance: Amount(1_000_000),
    }
}

pub(crate) fn card(n: u32) -> Registration {
    let reference = PinReference::Pvv { key: "pvk".into(), pvki: 1, pvv: *b"1234" };
    Registration::Card { pan: pan(n), record: record(&pan(n)), reference: Some(reference) }
}

pub(crate) fn terminal_id(n: u32) -> TerminalId {
    format!("T{n:07}").parse().unwrap()
}

pub(crate) fn merchant() -> MerchantId {
    "898411070110001".parse().unwrap()
}

pub(crate) fn terminal(n: u32) -> Registration {
    Registration::Terminal(TerminalRecord {
        id: terminal_id(n),
        merchant: merchant(),
        merchant_name: format!("面馆 Noodles {n}"),
        site: Site::default(),
        keys: KeySet {
            scheme: KeyScheme::Tdes,
            key: KeyBlock::new("D0112K0AB00E0000".into()),
            format: KeyScheme::Tdes.usual_format(),
            device: None,
            check_value: "A1B2C3D4".into(),
        },
    })
}

/// Cards 1 to `cards`, terminals 1 to `terminals`.
pub(crate) fn everybody(cards: u32, terminals: u32) -> Vec<Registration> {
    (1..=cards).map(card).chain((1..=terminals).map(terminal)).collect()
}

pub(crate) fn key(terminal: u32, batch: u32, stan: u32) -> TransactionKey {
    TransactionKey {
        terminal: terminal_id(terminal),
        batch: BatchNumber::new(batch).unwrap(),
        stan: Stan::new(stan).unwrap(),
        day: 0,
    }
}

/// What a test varies about a transaction.
#[derive(Clone, Copy)]
pub(crate) struct Tx {
    pub(crate) terminal: u32,
    pub(crate) stan: u32,
    pub(crate) amount: i64,
    pub(crate) at: i64,
    pub(crate) reason: ReasonCode,
    pub(crate) code: &'static str,
    pub(crate) lock: bool,
}

impl Default for Tx {
    fn default() -> Self {
        Self {
            terminal: 1,
            stan: 1,
            amount: 2500,
            at: T0,
            reason: ReasonCode::Approved,
            code: "00",
            lock: false,
        }
    }
}

pub(crate) fn rrn(stan: u32) -> Rrn {
    format!("{stan:012}").parse().unwrap()
}

/// The next entry of a card, as the host would make it.
pub(crate) fn sale(card: &Card, tx: Tx) -> Entry {
    let approved = tx.code == "00";
    let wrong_pin = matches!(tx.reason, ReasonCode::WrongPin | ReasonCode::PinTriesExceeded);
    let key = key(tx.terminal, 1, tx.stan);
    let mut effects = Vec::new();
    let used = card.state.tries.used() + u8::from(wrong_pin);
    if wrong_pin {
        effects.push(Effect::CountTry { counter: counter(used) });
    }
    if tx.lock {
        let lock = authorization::lock::Lock { since: Timestamp(tx.at), until: None };
        effects.push(Effect::Lock { lock, in_a_row: 1 });
    }
    if approved {
        effects.push(Effect::Post { delta: Amount(-tx.amount) });
    }
    let trace = Trace {
        key,
        role: Role::Financial(Kind::Sale),
        digest: 7,
        status: if approved { Status::Approved } else { Status::Declined },
        amount: Amount(tx.amount),
        at: Timestamp(tx.at),
        rrn: rrn(tx.stan),
        approval: None,
        original: None,
        journal_seq: 0,
    };
    effects.push(Effect::Remember { trace });
    let debit = Movement { debit_count: 1, debit_sum: Amount(tx.amount), ..Movement::default() };
    let transaction = Transaction {
        role: Role::Financial(Kind::Sale),
        key,
        pan: card.record.pan.clone(),
        merchant: merchant(),
        amount: Amount(tx.amount),
        currency: Currency::CNY,
        rrn: rrn(tx.stan),
        approval: approved.then(|| "A1B2C3".parse().unwrap()),
        reason: tx.reason,
        code: ResponseCode::new(tx.code).unwrap(),
        pin: if wrong_pin { PinVerdict::Mismatch } else { PinVerdict::Verified },
        tries_left: 3u8.saturating_sub(used),
        tries_limit: 3,
        locked: tx.lock.then_some(store::journal::LockedUntil(None)),
        effects,
        movement: if approved { debit } else { Movement::default() },
        original: None,
        forwarded: None,
        rules: None,
        operator: None,
    };
    Entry {
        subject: Subject::Card(card.id),
        seq: card.state.seq + 1,
        at: Timestamp(tx.at),
        event: Event::Transaction(Box::new(transaction)),
        exchange: Some(Exchange {
            dialect: "unionpay".into(),
            request: b"0200 wiped".to_vec(),
            reply: format!("0210 answer {}", tx.stan).into_bytes(),
            received: Timestamp(tx.at - 3),
            took_us: 100 + tx.stan % 100,
            instance: None,
        }),
    }
}

fn counter(used: u8) -> Counter {
    minicbor::decode(&minicbor::to_vec(used).unwrap()).unwrap()
}

/// An entry of a terminal.
pub(crate) fn at_terminal(n: u32, seq: u32, at: i64, effect: TerminalEffect, reason: ReasonCode) -> Entry {
    Entry {
        subject: Subject::Terminal(terminal_id(n)),
        seq,
        at: Timestamp(at),
        event: Event::Terminal(TerminalEvent {
            effect,
            merchant: merchant(),
            stan: Some(Stan::new(9).unwrap()),
            rrn: None,
            reason,
            code: None,
            pan: None,
            amount: None,
        }),
        exchange: None,
    }
}

/// An unlock at the desk.
pub(crate) fn unlock(card: &Card, at: i64) -> Entry {
    Entry {
        subject: Subject::Card(card.id),
        seq: card.state.seq + 1,
        at: Timestamp(at),
        event: Event::Desk(DeskAction {
            action: "unlock".into(),
            actor: "li.na".into(),
            why: "identity seen".into(),
            effects: vec![Effect::Unlock { by: authorization::ReleasedBy::Staff }],
        }),
        exchange: None,
    }
}

/// Waits until the look-up tables have every entry; lists wait for that a moment only, which a busy machine may need for
/// itself.
pub(crate) async fn filled(archive: &(impl Archive + ?Sized)) {
    for _ in 0..2000 {
        let progress = archive.progress().await.unwrap();
        if progress.filled >= progress.journal {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The card `n` as the engine has it.
pub(crate) async fn get(engine: &dyn Engine, n: u32) -> Arc<Card> {
    engine.card(&engine.card_id(&pan(n))).await.unwrap().unwrap()
}

/// Appends a sale on card `n` and returns its place.
pub(crate) async fn pay(engine: &dyn Engine, n: u32, tx: Tx) -> u64 {
    let card = get(engine, n).await;
    engine.append(sale(&card, tx)).await.unwrap()
}

/// Limits under which nothing is saved by the clock: what a crash leaves is the journal's tail.
pub(crate) fn never_saving() -> Limits {
    Limits { checkpoint_interval: Duration::from_secs(3600), tail_entries: u64::MAX, ..Limits::default() }
}

/// Limits under which everything happens all the time.
pub(crate) fn hectic() -> Limits {
    Limits {
        checkpoint_interval: Duration::ZERO,
        tail_entries: 1,
        cards_cached: 1,
        terminals_cached: 1,
        batch_entries: 3,
        archive_round: 2,
        segment_bytes: 16 * 1024,
        ..Limits::default()
    }
}

pub(crate) fn open(dir: &Path) -> Arc<SqliteEngine> {
    store_sql::open(dir).unwrap()
}

/// Copies the files of a store, as a crash would leave them.
pub(crate) fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_into(from, to.path());
    to
}

fn copy_into(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let (file, name) = file.map(|file| (file.path(), file.file_name())).unwrap();
        if file.is_dir() {
            std::fs::create_dir(to.join(&name)).unwrap();
            copy_into(&file, &to.join(name));
        // The shared-memory file does not outlive the last process; a journal's file is whole when it has its name.
        } else if !name.to_string_lossy().ends_with("-shm") && name != "spare" {
            std::fs::copy(file, to.join(name)).unwrap();
        }
    }
}
