//! An archive with made-up rows, for tests and for `examples/console.rs`. It plays "error 75" on one card, with an
//! issuer's time-out in between that charges no try, and a quiet day's business around it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use authorization::{
    Block, CardRecord, CardState, Effect, Products, ReleasedBy, Status,
    effect::{RestoredTries, Restriction},
    forward::Undo,
    key_set::{KeySetView, Stage},
    lock::Lock,
    pin_try::Counter,
    terminal::SessionView,
};
use model::{Amount, CardId, Currency, KeyScheme, Pan, ReasonCode, ResponseCode, Timestamp, reason::Family};
use serde_json::json;
use store::{
    Archive, StoreError,
    archive::{
        Attention, CardQuery, CardView, Figures, Overview, Page, Progress, Slot, TerminalView,
        TransactionDetail, TransactionQuery, TransactionRow, Wire,
    },
};
use tokio::sync::broadcast;
use web::{Check, DescribedField, HealthCheck, MessageDescriber, WebState, Zone};

#[path = "fake/alarms.rs"]
pub(crate) mod alarms;
#[path = "fake/cases.rs"]
pub(crate) mod cases;
#[path = "fake/pins.rs"]
mod pins;
#[path = "fake/second.rs"]
mod second;
#[path = "fake/shops.rs"]
mod shops;

/// The published sandbox card: the only full number in the fake; it must never reach a page.
pub(crate) const HERO_PAN: &str = "6216261000000000018";
/// Where the hero pays.
pub(crate) const MERCHANT: &str = "898510154110280";
/// The transaction that used up the last try.
pub(crate) const HERO_RRN: &str = "632610004417";

pub(crate) struct FakeArchive {
    rows: Vec<TransactionRow>,
    pub(crate) cards: Vec<CardView>,
    news: broadcast::Sender<Arc<TransactionRow>>,
    pub(crate) away: AtomicBool,
    now: Timestamp,
}

/// What a planted row says.
struct Plan {
    ago_s: i64,
    card: Option<usize>,
    kind: &'static str,
    code: &'static str,
    reason: ReasonCode,
    minor: Option<i64>,
    terminal: usize,
    left: Option<u8>,
    charged: bool,
}

fn plan(ago_s: i64, card: usize, code: &'static str, reason: ReasonCode, minor: i64) -> Plan {
    Plan {
        ago_s,
        card: Some(card),
        kind: "sale",
        code,
        reason,
        minor: Some(minor),
        terminal: 0,
        left: None,
        charged: false,
    }
}

fn merchants() -> Vec<&'static str> {
    include_str!("merchants.txt").lines().collect()
}

fn pans() -> Vec<Pan> {
    let bulk = (1..40_u64).map(|n| format!("9{:015}", 1_2345_0000_0000 + n * 7_919));
    std::iter::once(HERO_PAN.to_owned()).chain(bulk).map(|p| p.parse().expect("19 or 16 digits")).collect()
}

fn card_id(n: usize) -> CardId {
    CardId([0xa0 ^ n as u8, 0x5e, 0x17, n as u8, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0xff, 0xee])
}

impl FakeArchive {
    pub(crate) fn new(now: Timestamp) -> Self {
        let rows = rows(now);
        Self { cards: cards(now), rows, news: broadcast::channel(64).0, away: AtomicBool::new(false), now }
    }

    pub(crate) fn empty(now: Timestamp) -> Self {
        Self {
            cards: Vec::new(),
            rows: Vec::new(),
            news: broadcast::channel(64).0,
            away: AtomicBool::new(false),
            now,
        }
    }

    /// A new row, as if it had just been decided.
    pub(crate) fn announce(&self) {
        let mut row = self.rows[0].clone();
        row.seq += 1_000;
        let _ = self.news.send(Arc::new(row));
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::Relaxed) { Err(StoreError::Away("disk full".into())) } else { Ok(()) }
    }
}

fn rows(now: Timestamp) -> Vec<TransactionRow> {
    let hero = [
        Plan { left: Some(2), charged: true, ..plan(1_135, 0, "55", ReasonCode::WrongPin, 128_000) },
        plan(1_090, 0, "96", ReasonCode::SecurityModuleAway, 128_000),
        Plan { kind: "reversal", ..plan(1_075, 0, "00", ReasonCode::Reversed, 128_000) },
        Plan { left: Some(1), charged: true, ..plan(1_062, 0, "55", ReasonCode::WrongPin, 128_000) },
        plan(1_061, 0, "94", ReasonCode::DuplicateTrace, 128_000),
        Plan { left: Some(0), charged: true, ..plan(1_020, 0, "75", ReasonCode::PinTriesExceeded, 128_000) },
        Plan { left: Some(0), ..plan(960, 0, "75", ReasonCode::CardLocked, 128_000) },
    ];
    let other = [
        Plan { card: None, kind: "sign-in", minor: None, ..plan(3_500, 0, "00", ReasonCode::Approved, 0) },
        Plan {
            card: None,
            kind: "refused",
            minor: None,
            terminal: 2,
            ..plan(700, 0, "A0", ReasonCode::MacInvalid, 0)
        },
        Plan {
            card: None,
            kind: "settlement",
            minor: None,
            terminal: 3,
            ..plan(2_900, 0, "00", ReasonCode::Approved, 0)
        },
        Plan { card: Some(5), kind: "unlock", minor: None, ..plan(400, 5, "", ReasonCode::Approved, 0) },
        Plan { kind: "sale-void", ..plan(350, 4, "00", ReasonCode::Approved, 3_650) },
    ];
    let mut plans: Vec<Plan> = hero.into_iter().chain(other).chain(business()).collect();
    plans.sort_by_key(|p| -p.ago_s);
    let mut rows: Vec<TransactionRow> = plans.iter().enumerate().map(|(i, p)| row(now, i, p)).collect();
    rows.reverse();
    rows
}

/// A day's business: mostly approved, with a wave of wrong PINs and one of time-outs.
fn business() -> Vec<Plan> {
    let mut seed: u32 = 75;
    let mut next = move |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    (0..900)
        .map(|i| {
            let ago_s = 5 + i64::from(i) * 9 + i64::from(next(8));
            let wave = (900..1_500).contains(&ago_s);
            let outage = (2_300..2_520).contains(&ago_s);
            let (code, reason, left) = match next(100) {
                _ if outage && next(3) > 0 => ("96", ReasonCode::StoreAway, None),
                n if wave && n < 45 => ("55", ReasonCode::WrongPin, Some(2)),
                0..3 => ("55", ReasonCode::WrongPin, Some(1 + (next(2) as u8))),
                3..5 => ("75", ReasonCode::CardLocked, Some(0)),
                5..10 => ("51", ReasonCode::InsufficientFunds, None),
                10..11 => ("43", ReasonCode::StolenCard, None),
                11..13 => ("13", ReasonCode::InvalidAmount, None),
                _ => ("00", ReasonCode::Approved, None),
            };
            let plan = plan(ago_s, 1 + next(38) as usize, code, reason, i64::from(100 + next(90_000)));
            Plan { terminal: next(6) as usize, charged: code == "55", left, ..plan }
        })
        .collect()
}

fn row(now: Timestamp, i: usize, plan: &Plan) -> TransactionRow {
    let names = merchants();
    let is_hero = plan.ago_s == 1_020 && plan.card == Some(0);
    let locked = match plan.reason {
        ReasonCode::PinTriesExceeded | ReasonCode::CardLocked => Some(now.plus_s(85_400).0),
        _ => None,
    };
    TransactionRow {
        seq: i as u64 + 1,
        at: now.plus_s(-plan.ago_s),
        rrn: match (is_hero, plan.kind) {
            (true, _) => HERO_RRN.to_owned(),
            (_, "refused" | "unlock") => format!("-{}", i + 1),
            _ => format!("6326{:08}", i + 1),
        },
        kind: plan.kind.to_owned(),
        stan: Some(i as u32 + 1),
        batch: Some(1),
        pan: plan.card.map(|c| pans()[c].masked()),
        card: plan.card.map(card_id),
        terminal: format!("T{:07}", 1_234 + plan.terminal),
        merchant: format!("8985101541102{:02}", 80 + plan.terminal),
        merchant_name: names[plan.terminal].to_owned(),
        amount: plan.minor.map(Amount),
        currency: plan.minor.map(|_| 156),
        code: plan.code.to_owned(),
        reason: plan.reason.name().to_owned(),
        family: plan.reason.family(),
        pin: match plan.reason {
            ReasonCode::WrongPin | ReasonCode::PinTriesExceeded => "mismatch",
            ReasonCode::SecurityModuleAway => "unverifiable:security-module-away",
            ReasonCode::Approved if plan.minor.is_some() => "verified",
            _ => "not-asked",
        }
        .to_owned(),
        try_charged: plan.charged,
        tries_left: plan.left,
        tries_limit: plan.left.map(|_| 3),
        locked_until: locked,
        took_us: plan.minor.map(|_| 1_800 + (i as u32 * 37) % 9_000),
    }
}

fn cards(now: Timestamp) -> Vec<CardView> {
    let product = ["debit-standard", "debit-standard", "debit-careful", "debit-day", "credit-pickup"];
    pans()
        .iter()
        .enumerate()
        .map(|(n, pan)| {
            let record = CardRecord {
                pan: pan.masked(),
                expiry: "3012".parse().expect("a month"),
                product: product[n % product.len()].to_owned(),
                currency: Currency::CNY,
                opening_balance: Amount(500_000 + n as i64 * 12_345),
            };
            let mut state = CardState::new(&record);
            let effects = standing(n, now, &record.product);
            if !effects.is_empty() {
                state.apply(1, 1, now, &effects);
            }
            CardView { id: card_id(n), record, state, last_used: Some(now.plus_s(-(n as i64) * 613 - 20)) }
        })
        .collect()
}

fn tried(times: u8, product: &str) -> Effect {
    let products = Products::builtin();
    let limit = products.get(product).expect("a built-in product").pin_try_limit;
    let counter = (0..times).fold(Counter::default(), |c, _| c.after_mismatch(limit));
    Effect::CountTry { counter }
}

fn json_of(effects: &[Effect]) -> Vec<serde_json::Value> {
    effects.iter().map(|effect| json!(effect)).collect()
}

fn hero_effects(at: Timestamp) -> Vec<Effect> {
    vec![
        tried(3, "debit-standard"),
        Effect::Lock { lock: Lock { since: at, until: Some(at.plus_s(86_400)) }, in_a_row: 1 },
    ]
}

/// Every effect that a journal may hold, written as the store writes it.
fn every_effect(at: Timestamp) -> Vec<serde_json::Value> {
    let key = model::TransactionKey {
        terminal: "T0001234".parse().expect("eight characters"),
        batch: model::BatchNumber::NONE,
        stan: model::Stan::new(1).expect("six digits"),
        day: 0,
    };
    let restriction = Restriction { max_amount: Amount(50_000), no_cash: true, until: at };
    let undo = Undo { stan: key.stan, at, why: model::ReasonCode::IssuerTimeout, said: false };
    let of_cards = [
        Effect::ResetTries,
        Effect::Lock { lock: Lock { since: at, until: None }, in_a_row: 2 },
        Effect::Unlock { by: ReleasedBy::Time },
        Effect::Unlock { by: ReleasedBy::Staff },
        Effect::RequireStepUp { valid_s: 300 },
        Effect::StepUpPassed { until: at },
        Effect::Restrict { restriction },
        Effect::Unrestrict,
        Effect::RestoreTries {
            restored: Box::new(RestoredTries {
                incident: 17,
                transactions: vec![key],
                counter: Counter::default(),
                lifts_lock: true,
                lifts_step_up: false,
            }),
        },
        Effect::Post { delta: Amount(-128_000) },
        Effect::Hold { delta: Amount(100) },
        Effect::Mark { key, status: Status::Reversed },
        Effect::SetBlock { block: Some(Block::Lost) },
        Effect::SetBlock { block: None },
        Effect::Undo { key, undo },
        Effect::UndoSaid { key },
        Effect::ForwardDone { key },
    ];
    let others = [
        json!({"issuer": {"route": "other-bank", "stan": 779_830, "at": 0, "code": "55"}, "took_ms": 12}),
        json!({"issuer": {"route": "other-bank", "stan": 779_831, "at": 0, "code": null}}),
        json!({"forward": {"forward": {}}}),
        json!({"desk": {"action": "unlock", "actor": "desk", "why": "identity proven"}}),
        json!({"remember": {"trace": {}}}),
        json!({"sign-in": {"check_values": ["8A1F2B"], "batch": 7, "grace_ms": 0}}),
        json!("sign-out"),
        json!({"settle": {"batch": 7, "ours": {}, "theirs": {}}}),
        json!({"refused": {"reason": "mac-invalid"}}),
        json!({"bury": {}}),
        json!("noted"),
        json!("order-sign-in"),
        json!({"suspend": {"suspended": true}}),
    ];
    let of_proofs = json_of(&second::effects(at));
    [json_of(&hero_effects(at)), json_of(&of_cards), of_proofs, pins::effects(), others.to_vec()].concat()
}

fn standing(n: usize, now: Timestamp, product: &str) -> Vec<Effect> {
    match n {
        0 => vec![
            tried(3, product),
            Effect::Lock {
                lock: Lock { since: now.plus_s(-1_020), until: Some(now.plus_s(85_400)) },
                in_a_row: 1,
            },
        ],
        2 => vec![
            tried(3, product),
            Effect::Restrict {
                restriction: Restriction {
                    max_amount: Amount(50_000),
                    no_cash: true,
                    until: now.plus_s(40_000),
                },
            },
            Effect::RequireStepUp { valid_s: 300 },
        ],
        3 => vec![tried(1, product)],
        4 => vec![
            tried(3, product),
            Effect::Lock { lock: Lock { since: now.plus_s(-9_000), until: None }, in_a_row: 2 },
        ],
        6 => vec![Effect::SetBlock { block: Some(Block::Stolen) }],
        7 => vec![Effect::Hold { delta: Amount(20_000) }],
        _ => vec![],
    }
}

#[async_trait]
impl Archive for FakeArchive {
    async fn transactions(&self, query: &TransactionQuery) -> Result<Page<TransactionRow>, StoreError> {
        self.check()?;
        let limit = query.limit.unwrap_or(50) as usize;
        let mut found =
            self.rows.iter().filter(|row| fits(query, row)).take(limit + 1).cloned().collect::<Vec<_>>();
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(|row| row.seq);
        Ok(Page { data: found, has_more, next })
    }

    async fn transaction(&self, rrn: &str) -> Result<Option<TransactionDetail>, StoreError> {
        self.check()?;
        assert_ne!(rrn, "panic", "a bug, as asked");
        let Some(row) = self.rows.iter().find(|row| row.rrn == rrn).cloned() else { return Ok(None) };
        let around = |same: &dyn Fn(&TransactionRow) -> bool| {
            let mut rows: Vec<_> = self
                .rows
                .iter()
                .filter(|r| {
                    same(r)
                        && (r.at.0 - row.at.0).abs() < 140_000 + 1_000 * 800 * i64::from(r.card == row.card)
                })
                .take(12)
                .cloned()
                .collect();
            rows.reverse();
            rows
        };
        let is_hero = rrn == HERO_RRN;
        let wire = || Some(Wire { dialect: "unionpay-1987".into(), bytes: row.code.clone().into_bytes() });
        Ok(Some(TransactionDetail {
            operator: "01".parse().ok(),
            same_card: around(&|r| r.card.is_some() && r.card == row.card),
            same_terminal: around(&|r| r.terminal == row.terminal),
            approval: ResponseCode::new(&row.code)
                .is_ok_and(|c| c.is_approval())
                .then(|| "A0B1C2".to_owned()),
            original_rrn: (row.kind == "reversal").then(|| "632600000002".to_owned()),
            followed_by: if row.reason == "security-module-away" {
                vec!["632600000003".into()]
            } else {
                vec![]
            },
            effects: match row.kind.as_str() {
                "unlock" => every_effect(row.at),
                _ if is_hero => json_of(&hero_effects(row.at)),
                _ => vec![],
            },
            rules: is_hero.then(crate::fake_rules::hero_rules),
            request: if row.minor_known() { wire() } else { None },
            reply: if row.minor_known() { wire() } else { None },
            row,
        }))
    }

    async fn cards(&self, query: &CardQuery) -> Result<Page<CardView>, StoreError> {
        self.check()?;
        let limit = query.limit.unwrap_or(50) as usize;
        let skip = query.after.unwrap_or(0) as usize;
        let all: Vec<&CardView> = self
            .cards
            .iter()
            .filter(|c| !query.locked || c.state.lock.is_some())
            .filter(|c| query.search.as_ref().is_none_or(|s| c.record.pan.as_str().contains(s.as_str())))
            .collect();
        let data: Vec<CardView> = all.iter().skip(skip).take(limit).map(|c| (*c).clone()).collect();
        let has_more = all.len() > skip + data.len();
        Ok(Page { next: has_more.then_some((skip + data.len()) as u64), data, has_more })
    }

    async fn card_view(&self, id: &CardId) -> Result<Option<CardView>, StoreError> {
        self.check()?;
        Ok(self.cards.iter().find(|c| c.id == *id).cloned())
    }

    async fn terminals(&self) -> Result<Vec<TerminalView>, StoreError> {
        self.check()?;
        if self.rows.is_empty() {
            return Ok(vec![]);
        }
        Ok(merchants()
            .iter()
            .enumerate()
            .map(|(n, name)| TerminalView {
                id: format!("T{:07}", 1_234 + n),
                merchant: format!("8985101541102{:02}", 80 + n),
                merchant_name: (*name).to_owned(),
                batch: 1 + n as u32,
                session: (n != 4).then(|| SessionView {
                    since: self.now.plus_s(-3_500),
                    scheme: KeyScheme::Tdes,
                    check_values: vec!["8A1F2B".into(), "33C0D4".into()],
                }),
                keys: KeySetView {
                    scheme: KeyScheme::Tdes,
                    check_value: "5C1E0A97".into(),
                    plan: (n == 1).then(|| "sm4-2026".to_owned()),
                    stage: (n == 1).then_some(Stage::Staged(self.now)),
                    next: (n == 1).then_some(KeyScheme::Sm4),
                    fallbacks: 0,
                },
                suspended: n == 5,
                last_seen: (n != 4).then(|| self.now.plus_s(-30 * n as i64)),
            })
            .collect())
    }

    async fn overview(&self, window_s: u32, now: Timestamp) -> Result<Overview, StoreError> {
        self.check()?;
        let from = now.plus_s(-i64::from(window_s));
        let payments: Vec<&TransactionRow> = self.rows.iter().filter(|r| r.minor_known()).collect();
        let within = |from: Timestamp, to: Timestamp| {
            payments.iter().copied().filter(move |r| r.at >= from && r.at < to).collect::<Vec<_>>()
        };
        let slot_ms = i64::from(window_s) * 1000 / 60;
        let slots = (0..60)
            .map(|i| {
                let from = from.plus_ms(i * slot_ms);
                slot(from, &within(from, from.plus_ms(slot_ms)))
            })
            .collect();
        Ok(Overview {
            window_s,
            now,
            current: figures(&within(from, now.plus_s(1))),
            before: figures(&within(from.plus_s(-i64::from(window_s)), from)),
            slots,
            terminals_seen: if self.rows.is_empty() { 0 } else { 6 },
            terminals: if self.rows.is_empty() { 0 } else { 6 },
            cards_locked: 2,
            attention: if self.rows.is_empty() { vec![] } else { attention(now) },
            last_declines: self.rows.iter().filter(|r| r.family != Family::Ok).take(8).cloned().collect(),
        })
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<TransactionRow>> {
        self.news.subscribe()
    }

    async fn progress(&self) -> Result<Progress, StoreError> {
        self.check()?;
        Ok(Progress { filled: self.rows.len() as u64, journal: self.rows.len() as u64 + 2 })
    }
}

trait MinorKnown {
    fn minor_known(&self) -> bool;
}

impl MinorKnown for TransactionRow {
    fn minor_known(&self) -> bool {
        self.amount.is_some()
    }
}

fn fits(query: &TransactionQuery, row: &TransactionRow) -> bool {
    let declined = !ResponseCode::new(&row.code).is_ok_and(|c| c.is_approval());
    query.code.as_ref().is_none_or(|c| *c == row.code)
        && query.family.is_none_or(|f| f == row.family)
        && (!query.declined || declined)
        && query.card.is_none_or(|c| Some(c) == row.card)
        && query.terminal.as_ref().is_none_or(|t| *t == row.terminal)
        && query.from.is_none_or(|t| row.at >= t)
        && query.to.is_none_or(|t| row.at < t)
        && query.after.is_none_or(|seq| row.seq < seq)
        && query.search.as_ref().is_none_or(|s| {
            row.rrn.contains(s.as_str())
                || row.terminal.contains(s.as_str())
                || row.merchant_name.contains(s.as_str())
                || row.merchant == *s
                || row.code == *s
                || row.pan.as_ref().is_some_and(|p| p.as_str().contains(s.as_str()))
        })
}

fn figures(rows: &[&TransactionRow]) -> Figures {
    let count = |f: &dyn Fn(&TransactionRow) -> bool| rows.iter().filter(|r| f(r)).count() as u32;
    Figures {
        total: rows.len() as u32,
        approved: count(&|r| r.code == "00"),
        wrong_pin: count(&|r| r.code == "55"),
        tries_exceeded: count(&|r| r.code == "75"),
        p99_us: rows.iter().filter_map(|r| r.took_us).max().unwrap_or_default(),
        terminals_seen: 6,
    }
}

fn slot(from: Timestamp, rows: &[&TransactionRow]) -> Slot {
    let of = |family: Family| rows.iter().filter(|r| r.family == family).count() as u32;
    Slot {
        from,
        total: rows.len() as u32,
        approved: of(Family::Ok),
        declines: [of(Family::Warn), of(Family::Lock), of(Family::Sys), of(Family::Bad), of(Family::Neutral)],
        p99_us: rows.iter().filter_map(|r| r.took_us).max().unwrap_or_default(),
        terminals_seen: rows.iter().map(|r| &r.terminal).collect::<std::collections::BTreeSet<_>>().len()
            as u32,
    }
}

fn attention(now: Timestamp) -> Vec<Attention> {
    let item = |what: &str, family, count, object_kind: &str, object: &str, card, ago_s: i64| Attention {
        what: what.to_owned(),
        family,
        count,
        object_kind: object_kind.to_owned(),
        object: object.to_owned(),
        card,
        at: now.plus_s(-ago_s),
        rrn: HERO_RRN.to_owned(),
    };
    vec![
        item("wrong-pins-at-terminal", Family::Bad, 27, "terminal", "T0001234", None, 240),
        item("card-locked", Family::Lock, 1, "card", pans()[0].masked().as_str(), Some(card_id(0)), 360),
        item("mac-failures", Family::Sys, 4, "terminal", "T0001236", None, 1_260),
        item(
            "wrong-pins-on-card",
            Family::Warn,
            2,
            "card",
            pans()[3].masked().as_str(),
            Some(card_id(3)),
            1_980,
        ),
        item("keys-out-of-step", Family::Sys, 1, "terminal", "T0001238", None, 3_480),
    ]
}

/// Describes nothing but what the fake planted, a PAN in a free text among it: the console must mask it.
pub(crate) struct FakeDescriber;

impl MessageDescriber for FakeDescriber {
    fn describe(&self, _: &str, bytes: &[u8], is_reply_frame: bool) -> Vec<DescribedField> {
        let code = String::from_utf8_lossy(bytes).into_owned();
        let value = |path: &str| -> Option<String> {
            let text = match path {
                "MTI" if is_reply_frame => "0210",
                "MTI" => "0200",
                "DE 2" => "621626*********0018",
                "DE 3" => "000000",
                "DE 4" => "000000128000",
                "DE 11" => "004417",
                "DE 22" if !is_reply_frame => "051",
                "DE 37" if is_reply_frame => HERO_RRN,
                "DE 39" if is_reply_frame => code.as_str(),
                "DE 41" => "T0001234",
                "DE 42" => "898510154110280",
                "DE 49" => "156",
                "DE 52" if !is_reply_frame => "****************",
                "DE 60" => "22000001 PAN 6216261000000000018",
                "DE 64" => "9F3C27A1 B5E04D68",
                _ => return None,
            };
            Some(text.to_owned())
        };
        include_str!("field-names.txt")
            .lines()
            .enumerate()
            .filter_map(|(i, line)| {
                let mut names = line.split('|').map(str::to_owned);
                let path = names.next()?;
                Some(DescribedField {
                    value: value(&path)?,
                    path,
                    name_en: names.next()?,
                    name_zh: names.next()?,
                    offset: 11 + i * 7,
                })
            })
            .collect()
    }
}

pub(crate) struct FakeHealth {
    pub(crate) ok: bool,
}

impl HealthCheck for FakeHealth {
    fn checks(&self) -> Vec<Check> {
        let check = |name: &str, ok, detail: &str, took_us| Check {
            name: name.into(),
            ok,
            detail: detail.into(),
            took_us,
        };
        vec![
            check("store", true, "SQLite, WAL, synchronous=FULL", 214),
            check("security-module", self.ok, "software module, test keys", 1_950),
            check("clock", true, "offset 3 ms", 12),
        ]
    }
}

pub(crate) fn state(archive: Arc<FakeArchive>, sandbox: bool) -> WebState {
    WebState {
        insight: Arc::new(crate::fake_insight::FakeInsight::new(archive.now)),
        rules: crate::fake_rules::desk(),
        archive,
        store: None,
        office: None,
        relying_party: passkey::RelyingParty::of_address("http://127.0.0.1:8080").ok(),
        holder: None,
        shop: Some(Arc::new(shops::desk())),
        sandbox_staff: Vec::new(),
        products: Products::builtin(),
        describer: Arc::new(FakeDescriber),
        sandbox,
        cases: Arc::new(cases::desk(card_id(0), &pans()[0])),
        alarms: alarms::asleep(),
        messages: None,
        confirmations: None,
        health: Arc::new(FakeHealth { ok: true }),
        metrics: Arc::new(|| "pinward_auth_total{rc=\"55\"} 1\n".to_owned()),
        entrance: web::Entrance::default(),
        version: "0.1.0-test".to_owned(),
        zone: Zone::default(),
    }
}
