//! What people look up: complete, masked, in order, and the same after it was thrown away.

use std::time::Duration;

use authorization::{
    settlement::{Movement, Totals},
    terminal::{Session, TerminalEffect, WorkKeys},
};
use model::{Amount, BatchNumber, KeyBlock, KeyScheme, ReasonCode, Timestamp, reason::Family};
use store::{
    Archive, Engine, Event,
    archive::{CardQuery, Overview, Page, TransactionQuery, TransactionRow},
};

use crate::world::*;

const MINUTE: i64 = 60_000;

fn query() -> TransactionQuery {
    TransactionQuery::default()
}

async fn find(archive: &dyn Archive, query: TransactionQuery) -> Vec<TransactionRow> {
    filled(archive).await;
    archive.transactions(&query).await.unwrap().data
}

/// A store after [`morning`]. Its entries are numbered as they were appended: places in a journal may have gaps.
struct Morning {
    bench: Bench,
    places: Vec<u64>,
}

impl Morning {
    async fn of(bench: Bench) -> Self {
        let places = morning(&*bench.engine).await;
        filled(&*bench.engine).await;
        Self { bench, places }
    }

    fn engine(&self) -> &dyn Whole {
        &*self.bench.engine
    }

    fn number(&self, place: u64) -> usize {
        self.places.iter().position(|p| *p == place).map_or(0, |index| index + 1)
    }

    fn numbers<'a>(&self, rows: impl IntoIterator<Item = &'a TransactionRow>) -> Vec<usize> {
        rows.into_iter().map(|row| self.number(row.seq)).collect()
    }

    async fn search(&self, text: &str) -> Vec<usize> {
        self.numbers(&find(self.engine(), TransactionQuery { search: Some(text.into()), ..query() }).await)
    }
}

/// Entries 1 to 12: a morning at two terminals. Gives their places.
pub(crate) async fn morning(engine: &dyn Engine) -> Vec<u64> {
    let mut places = Vec::new();
    engine.register(everybody(9, 3)).await.unwrap();
    let at = |minute: i64| T0 + minute * MINUTE;
    let session = Session {
        since: Timestamp(at(0)),
        scheme: KeyScheme::Tdes,
        work: Some(WorkKeys {
            tpk: KeyBlock::new("TPK".into()),
            tak: KeyBlock::new("TAK".into()),
            tdk: None,
        }),
        previous: None,
        check_values: vec!["A1B2C3".into(), "D4E5F6".into()],
    };
    let sign_in = TerminalEffect::SignIn { session, batch: BatchNumber::new(1).unwrap(), grace_ms: 1000 };
    places.push(engine.append(at_terminal(1, 1, at(0), sign_in, ReasonCode::Approved)).await.unwrap());
    places.push(pay(engine, 1, Tx { stan: 1, at: at(1), ..Tx::default() }).await);
    for (n, stan) in [(2, 2), (3, 3), (4, 4)] {
        let wrong = Tx { stan, at: at(2), reason: ReasonCode::WrongPin, code: "55", ..Tx::default() };
        places.push(pay(engine, n, wrong).await);
    }
    let wrong = Tx { stan: 5, at: at(3), reason: ReasonCode::WrongPin, code: "55", ..Tx::default() };
    places.push(pay(engine, 4, wrong).await);
    let last = Tx {
        stan: 6,
        at: at(4),
        reason: ReasonCode::PinTriesExceeded,
        code: "75",
        lock: true,
        ..Tx::default()
    };
    places.push(pay(engine, 4, last).await);
    let wrong =
        Tx { stan: 7, terminal: 2, at: at(5), reason: ReasonCode::WrongPin, code: "55", ..Tx::default() };
    places.push(pay(engine, 2, wrong).await);
    for seq in 1..=2 {
        let refused = TerminalEffect::Refused { reason: ReasonCode::MacInvalid };
        places
            .push(engine.append(at_terminal(2, seq, at(6), refused, ReasonCode::MacInvalid)).await.unwrap());
    }
    let totals = Totals::default();
    let settle = TerminalEffect::Settle { batch: BatchNumber::new(1).unwrap(), ours: totals, theirs: totals };
    places.push(engine.append(at_terminal(1, 2, at(7), settle, ReasonCode::Approved)).await.unwrap());
    places.push(void_of_the_first_sale(engine, at(8)).await);
    places
}

async fn void_of_the_first_sale(engine: &dyn Engine, at: i64) -> u64 {
    let card = get(engine, 1).await;
    let mut entry = sale(&card, Tx { stan: 8, at, ..Tx::default() });
    if let Event::Transaction(t) = &mut entry.event {
        t.role = authorization::Role::Financial(model::Kind::SaleVoid);
        t.original = Some(key(1, 1, 1));
        t.movement = Movement { debit_count: -1, debit_sum: Amount(-2500), ..Movement::default() };
    }
    engine.append(entry).await.unwrap()
}

on_both_engines!(
    lists_find_what_people_type,
    a_line_says_what_happened,
    pages_follow_each_other,
    a_transaction_is_there_when_its_answer_is,
    one_transaction_with_everything_around_it,
    locked_cards_are_listed_until_staff_unlock_them,
    terminals_show_their_session_and_batch,
    the_overview_counts_the_window_and_names_what_needs_a_person,
    progress_is_counted_in_entries,
);

async fn progress_is_counted_in_entries(bench: Bench) {
    let morning = Morning::of(bench).await;
    find(morning.engine(), query()).await;
    let progress = morning.engine().progress().await.unwrap();
    assert_eq!((progress.filled, progress.journal), (12, 12));
}

async fn lists_find_what_people_type(bench: Bench) {
    let morning = Morning::of(bench).await;
    let engine = morning.engine();
    let all = find(engine, query()).await;
    assert_eq!(morning.numbers(&all), (1..=12).rev().collect::<Vec<_>>());
    let kinds: Vec<_> = all.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds[0..5], ["sale-void", "settlement", "refused", "refused", "sale"]);
    assert_eq!(kinds[11], "sign-in");

    assert_eq!(morning.search("0004").await, [7, 6, 5]);
    assert_eq!(morning.search(pan(1).masked().as_str()).await, [12, 2]);
    assert_eq!(morning.search("000000000007").await, [8]);
    assert_eq!(morning.search("T0000002").await, [10, 9, 8]);
    assert_eq!(morning.search("75").await, [7]);
    assert_eq!(morning.search("898411070110001").await.len(), 12);
    assert_eq!(morning.search("面馆").await.len(), 12);
    assert_eq!(morning.search("noodles 2").await, [10, 9, 8]);
    assert_eq!(morning.search("%").await, [0; 0]);
    let printed = &find(engine, TransactionQuery { code: Some("75".into()), ..query() }).await[0];
    let (stan, batch, amount) = (printed.stan, printed.batch, printed.amount);
    let on_paper = TransactionQuery { stan, batch, amount, ..query() };
    assert!(morning.numbers(&find(engine, on_paper.clone()).await).contains(&7), "as it stands on the slip");
    let other = TransactionQuery { amount: Some(model::Amount(1)), ..on_paper };
    assert_eq!(find(engine, other).await.len(), 0);
    if let Some(stan) = stan {
        assert!(morning.search(&format!("{stan:06}")).await.contains(&7));
    }
    if let Some(amount) = amount {
        assert!(morning.search(&amount.to_string()).await.contains(&7));
    }
    assert_eq!(morning.search("' OR 1=1 --").await, [0; 0]);

    let declined = find(engine, TransactionQuery { declined: true, ..query() }).await;
    assert_eq!(morning.numbers(&declined), [10, 9, 8, 7, 6, 5, 4, 3]);
    let locks = find(engine, TransactionQuery { family: Some(Family::Lock), ..query() }).await;
    assert_eq!(locks.len(), 1);
    let (from, to) = (Some(Timestamp(T0 + MINUTE)), Some(Timestamp(T0 + 3 * MINUTE)));
    assert_eq!(find(engine, TransactionQuery { from, to, ..query() }).await.len(), 4);
}

async fn a_line_says_what_happened(bench: Bench) {
    let morning = Morning::of(bench).await;
    let engine = morning.engine();
    let lock = &find(engine, TransactionQuery { code: Some("75".into()), ..query() }).await[0];
    assert_eq!(
        (lock.pin.as_str(), lock.try_charged, lock.tries_left, lock.tries_limit),
        ("mismatch", true, Some(0), Some(3))
    );
    assert_eq!(lock.locked_until, Some(0), "until staff act");
    assert_eq!(
        (lock.reason.as_str(), lock.family, lock.currency),
        ("pin-tries-exceeded", Family::Lock, Some(156))
    );
    assert_eq!((lock.terminal.as_str(), lock.merchant_name.as_str()), ("T0000001", "面馆 Noodles 1"));
    assert_eq!((lock.took_us, lock.batch, lock.stan), (Some(106), Some(1), Some(6)));
    let refused = &find(engine, TransactionQuery { terminal: Some("T0000002".into()), ..query() }).await[0];
    assert_eq!(
        (refused.rrn.as_str(), refused.reason.as_str(), refused.code.as_str()),
        (format!("-{}", morning.places[9]).as_str(), "mac-invalid", "")
    );
}

async fn pages_follow_each_other(bench: Bench) {
    let morning = Morning::of(bench).await;
    let engine = morning.engine();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let Page { data, has_more, next } =
            engine.transactions(&TransactionQuery { limit: Some(5), after, ..query() }).await.unwrap();
        seen.extend(morning.numbers(&data));
        assert_eq!(has_more, next.is_some());
        after = next;
        if !has_more {
            break;
        }
    }
    assert_eq!(seen, (1..=12).rev().collect::<Vec<_>>());

    let mut cards = Vec::new();
    let mut after = None;
    loop {
        let page = engine.cards(&CardQuery { limit: Some(2), after, ..CardQuery::default() }).await.unwrap();
        cards.extend(page.data.iter().map(|view| view.record.pan.last_four().to_owned()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(cards[..4], ["0001", "0002", "0004", "0003"]);
    assert_eq!(cards.len(), 9);
}

async fn a_transaction_is_there_when_its_answer_is(bench: Bench) {
    let engine = &*bench.engine;
    engine.register(everybody(1, 1)).await.unwrap();
    for stan in 1..50 {
        let place = pay(engine, 1, Tx { stan, ..Tx::default() }).await;
        let detail = engine.transaction(&rrn(stan).to_string()).await.unwrap().expect("at once");
        assert_eq!(detail.row.seq, place);
    }
}

async fn one_transaction_with_everything_around_it(bench: Bench) {
    let morning = Morning::of(bench).await;
    let engine = morning.engine();
    let first = engine.transaction("000000000001").await.unwrap().unwrap();
    assert_eq!(first.followed_by, ["000000000008"]);
    assert_eq!(first.approval.as_deref(), Some("A1B2C3"));
    assert_eq!(morning.numbers(&first.same_card), [2, 12]);
    assert_eq!(morning.numbers(&first.same_terminal), [1, 2, 3, 4, 5, 6, 7, 11, 12]);
    assert_eq!(first.request.unwrap().bytes, b"0200 wiped");
    assert_eq!(first.reply.unwrap().bytes, b"0210 answer 1");
    assert!(first.effects.iter().any(|effect| effect.get("post").is_some()), "{:?}", first.effects);
    let void = engine.transaction("000000000008").await.unwrap().unwrap();
    assert_eq!(void.original_rrn.as_deref(), Some("000000000001"));
    let sign_in = engine.transaction(&format!("-{}", morning.places[0])).await.unwrap().unwrap();
    assert_eq!(sign_in.effects[0]["sign-in"]["check_values"][0], "A1B2C3");
    assert!(!format!("{:?}", sign_in.effects).contains("TPK"));
    assert!(engine.transaction("999999999999").await.unwrap().is_none());
}

async fn locked_cards_are_listed_until_staff_unlock_them(bench: Bench) {
    let morning = Morning::of(bench).await;
    let engine = morning.engine();
    let locked = CardQuery { locked: true, ..CardQuery::default() };
    let page = engine.cards(&locked).await.unwrap();
    assert_eq!(page.data.len(), 1);
    assert!(page.data[0].state.lock.is_some());
    let id = page.data[0].id;
    let card = engine.card(&id).await.unwrap().unwrap();
    engine.append(unlock(&card, T0 + 9 * MINUTE)).await.unwrap();
    filled(engine).await;
    assert_eq!(engine.cards(&locked).await.unwrap().data.len(), 0);
    let view = engine.card_view(&id).await.unwrap().unwrap();
    assert_eq!((view.last_used, view.state.lock), (Some(Timestamp(T0 + 9 * MINUTE)), None));
    let line = &find(engine, query()).await[0];
    assert_eq!((line.kind.as_str(), line.pan.as_ref()), ("unlock", Some(&pan(4).masked())));
    let detail = engine.transaction(&line.rrn).await.unwrap().unwrap();
    assert_eq!(detail.effects[0]["desk"]["actor"], "li.na");
}

async fn terminals_show_their_session_and_batch(bench: Bench) {
    let morning = Morning::of(bench).await;
    let engine = morning.engine();
    let terminals = engine.terminals().await.unwrap();
    assert_eq!(terminals.len(), 3);
    assert_eq!((terminals[0].id.as_str(), terminals[0].batch), ("T0000001", 2));
    assert_eq!(terminals[0].session.as_ref().unwrap().check_values[1], "D4E5F6");
    assert_eq!(terminals[0].last_seen, Some(Timestamp(T0 + 8 * MINUTE)));
    assert_eq!(terminals[2].last_seen, None);
}

fn attention(overview: &Overview) -> Vec<(&str, &str, u32)> {
    overview.attention.iter().map(|item| (item.what.as_str(), item.object.as_str(), item.count)).collect()
}

async fn the_overview_counts_the_window_and_names_what_needs_a_person(bench: Bench) {
    let morning = Morning::of(bench).await;
    let engine = morning.engine();
    let overview = engine.overview(3600, Timestamp(T0 + 10 * MINUTE)).await.unwrap();
    let current = overview.current;
    assert_eq!((current.total, current.approved, current.wrong_pin, current.tries_exceeded), (10, 2, 5, 1));
    assert_eq!((current.terminals_seen, overview.terminals, overview.cards_locked), (2, 3, 1));
    assert_eq!((current.p99_us, overview.before.total), (108, 0));
    assert_eq!(overview.slots.len(), 60);
    assert_eq!(overview.slots.iter().map(|slot| slot.total).sum::<u32>(), 10);
    let (pan2, pan4) = (pan(2).masked(), pan(4).masked());
    assert_eq!(
        attention(&overview),
        [
            ("wrong-pins-at-terminal", "T0000001", 5),
            ("card-locked", pan4.as_str(), 1),
            ("mac-failures", "T0000002", 2),
            ("wrong-pins-on-card", pan2.as_str(), 2),
        ]
    );
    assert_eq!(overview.attention[0].rrn, "000000000006");
    assert_eq!(morning.numbers(&overview.last_declines), [10, 9, 8, 7, 6, 5, 4, 3]);
    let later = engine.overview(300, Timestamp(T0 + 60 * MINUTE)).await.unwrap();
    assert_eq!((later.current.total, later.attention.len()), (0, 0));
    let next = engine.overview(600, Timestamp(T0 + 15 * MINUTE)).await.unwrap();
    assert_eq!((next.current.total, next.before.total), (3, 7));
}

/// Everything that the archive answers, to compare.
pub(crate) async fn picture(archive: &dyn Archive) -> Vec<String> {
    let mut picture = Vec::new();
    let lines = find(archive, TransactionQuery { limit: Some(500), ..query() }).await;
    for line in &lines {
        picture.push(format!("{:?}", archive.transaction(&line.rrn).await.unwrap()));
    }
    picture.push(format!("{:?}", archive.cards(&CardQuery::default()).await.unwrap()));
    picture.push(format!("{:?}", archive.terminals().await.unwrap()));
    picture.push(format!("{:?}", archive.overview(3600, Timestamp(T0 + 10 * MINUTE)).await.unwrap()));
    picture
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_was_deleted_or_damaged_is_the_same_again() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    morning(&*engine).await;
    let before = picture(&*engine).await;
    drop(engine);
    std::fs::remove_file(dir.path().join("archive.db")).unwrap();
    assert_eq!(picture(&*open(dir.path())).await, before);
    std::fs::write(dir.path().join("archive.db"), [9; 5000]).unwrap();
    assert_eq!(picture(&*open(dir.path())).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_reads_along() {
    let dir = tempfile::tempdir().unwrap();
    let engine = store_sql::sqlite::open_with(dir.path(), never_saving()).unwrap();
    morning(&*engine).await;
    let before = picture(&*engine).await;
    let reader = store_sql::open_archive(dir.path()).unwrap();
    assert_eq!(picture(&*reader).await, before);
    let (mut here, mut there) = (engine.subscribe(), reader.subscribe());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let place = pay(&*engine, 5, Tx { stan: 20, ..Tx::default() }).await;
    for receiver in [&mut here, &mut there] {
        let row = tokio::time::timeout(Duration::from_secs(5), receiver.recv()).await.unwrap().unwrap();
        assert_eq!(row.seq, place);
    }
    drop(engine);
    let progress = reader.progress().await.unwrap();
    assert_eq!((progress.filled, progress.journal), (13, 13));
}
