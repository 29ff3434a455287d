//! A journal, an observer that reads decisions only, and a diagnosis simple enough to be foreseen: two cards in a row whose
//! PIN block cannot be read at a terminal mean a wrong key there; a PIN that is right afterwards means that it is repaired.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use authorization::{
    CardRecord, PinVerdict, Role, key_set::KeySet, settlement::Movement, terminal::TerminalRecord,
};
use diagnosis::{
    Cause, Change, Diagnose, Evidence, Incident, Observation, Scope, Status, Suspicion, Verdict, What,
    observation::{Device, Entry as Read, Payment, PinSeen, Symbol, Telemetry},
};
use model::{
    Amount, BatchNumber, CardId, Currency, Expiry, KeyBlock, KeyScheme, Kind, MerchantId, Pan, ReasonCode,
    ResponseCode, Rrn, Stan, TerminalId, Timestamp, TransactionKey, Unverifiable,
};
use store::{
    Book, Engine, Entry, Event, Registration, StoreError, Subject, journal::Transaction, memory::MemoryEngine,
};
use watch::{ChargedTry, Names, Observe, Order, Parts, RestoreTries, Restored, Settings, Watch};

pub(crate) const T0: i64 = 1_795_000_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// A store, and a clock that is set.
pub(crate) struct World {
    pub(crate) engine: Arc<MemoryEngine>,
    pub(crate) book: Arc<dyn Book>,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) desk: Arc<Desk>,
    stan: AtomicUsize,
}

pub(crate) fn pan(n: u32) -> Pan {
    format!("9000000{n:09}").parse().unwrap()
}

pub(crate) fn terminal_id(n: u32) -> TerminalId {
    format!("T{n:07}").parse().unwrap()
}

fn merchant() -> MerchantId {
    "898411070110001".parse().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let world = Self {
            engine: Arc::default(),
            book: Arc::new(store::MemoryBook::default()),
            clock: Arc::new(AtomicI64::new(T0)),
            desk: Arc::default(),
            stan: AtomicUsize::new(0),
        };
        let cards = (1..=20).map(|n| Registration::Card {
            pan: pan(n),
            record: CardRecord {
                pan: pan(n).masked(),
                expiry: Expiry::from_yymm(3012).unwrap(),
                product: "debit".into(),
                currency: Currency::CNY,
                opening_balance: Amount(1_000_000),
            },
            reference: None,
        });
        world.engine.register(cards.chain((1..=5).map(terminal)).collect()).await.unwrap();
        world
    }

    /// The diagnosis begins to follow.
    pub(crate) fn watch(&self) -> Arc<Watch> {
        self.watch_with(Box::new(TwoInARow::default()))
    }

    pub(crate) fn watch_with(&self, diagnose: Box<dyn Diagnose>) -> Arc<Watch> {
        let clock = self.clock.clone();
        Watch::start(Parts {
            engine: self.engine.clone(),
            book: self.book.clone(),
            observe: Box::new(Decisions),
            diagnose,
            restore: self.desk.clone(),
            now: Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))),
            settings: Settings::default(),
        })
        .unwrap()
    }

    pub(crate) fn id(&self, card: u32) -> CardId {
        self.engine.card_id(&pan(card))
    }

    /// A payment is decided, a second after the one before.
    pub(crate) async fn pay(&self, card: u32, terminal: u32, pin: PinVerdict) -> Rrn {
        let at = self.clock.fetch_add(1000, Ordering::SeqCst) + 1000;
        let stan = self.stan.fetch_add(1, Ordering::SeqCst) as u32 + 1;
        let found = self.engine.card(&self.id(card)).await.unwrap().unwrap();
        let (reason, code) = match pin {
            PinVerdict::Verified => (ReasonCode::Approved, "00"),
            _ => (ReasonCode::PinBlockUnreadable, "99"),
        };
        let rrn: Rrn = format!("{stan:012}").parse().unwrap();
        let transaction = Transaction {
            role: Role::Financial(Kind::Sale),
            key: TransactionKey {
                terminal: terminal_id(terminal),
                batch: BatchNumber::new(1).unwrap(),
                stan: Stan::new(stan).unwrap(),
                day: 0,
            },
            pan: pan(card).masked(),
            merchant: merchant(),
            amount: Amount(2500),
            currency: Currency::CNY,
            rrn,
            approval: None,
            reason,
            code: ResponseCode::new(code).unwrap(),
            pin,
            tries_left: 3,
            tries_limit: 3,
            locked: None,
            effects: Vec::new(),
            movement: Movement::default(),
            original: None,
            forwarded: None,
            rules: None,
            operator: None,
        };
        if pin != PinVerdict::Verified {
            let charged = ChargedTry { key: transaction.key, rrn: Some(rrn), at: Timestamp(at) };
            self.desk.charged.lock().unwrap().entry(found.id).or_default().push(charged);
        }
        let entry = Entry {
            subject: Subject::Card(found.id),
            seq: found.state.seq + 1,
            at: Timestamp(at),
            event: Event::Transaction(Box::new(transaction)),
            exchange: None,
        };
        self.engine.append(entry).await.unwrap();
        rrn
    }

    /// Cards 1 and 2 cannot be read at a terminal.
    pub(crate) async fn wrong_key(&self, terminal: u32) -> [Rrn; 2] {
        [self.pay(1, terminal, UNREADABLE).await, self.pay(2, terminal, UNREADABLE).await]
    }
}

pub(crate) const UNREADABLE: PinVerdict = PinVerdict::Unverifiable(Unverifiable::PinBlockFormat);

fn terminal(n: u32) -> Registration {
    Registration::Terminal(TerminalRecord {
        id: terminal_id(n),
        merchant: merchant(),
        merchant_name: format!("Noodles {n}"),
        keys: KeySet {
            scheme: KeyScheme::Tdes,
            key: KeyBlock::new("D0112K0AB00E0000".into()),
            format: KeyScheme::Tdes.usual_format(),
            device: None,
            check_value: "A1B2C3D4".into(),
        },
        site: authorization::terminal::Site::default(),
    })
}

/// Waits until something is so; a busy machine may need its time.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not so in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Reads decisions only.
struct Decisions;

struct NoNames;

impl Names for NoNames {
    fn name(&self, _: Symbol) -> Option<String> {
        None
    }
}

#[async_trait]
impl Observe for Decisions {
    async fn observe(
        &mut self,
        place: u64,
        entry: &Entry,
        shown: &mut Vec<Observation>,
    ) -> Result<(), StoreError> {
        let (Event::Transaction(t), Subject::Card(card)) = (&entry.event, entry.subject) else {
            return Ok(());
        };
        let device = Device {
            terminal: t.key.terminal,
            merchant: t.merchant,
            model: Symbol::UNKNOWN,
            firmware: Symbol::UNKNOWN,
            carrier: Symbol::UNKNOWN,
            position: None,
            registered: None,
        };
        let pin = match t.pin {
            PinVerdict::Verified => PinSeen::Verified,
            PinVerdict::Unverifiable(cause) => PinSeen::Unverifiable(cause),
            _ => PinSeen::NotAsked,
        };
        let payment = Payment {
            rrn: t.rrn,
            key: t.key,
            card,
            bin: 900_000,
            last_four: 1,
            zone: Symbol::UNKNOWN,
            kind: Kind::Sale,
            entry: Read::Chip,
            amount: t.amount,
            currency: t.currency,
            reason: t.reason,
            code: t.code,
            pin,
            try_charged: false,
            tries: (t.tries_left, t.tries_limit),
            locked: false,
            stan: t.key.stan,
            merchant_sent: None,
            category_sent: None,
            category_registered: None,
            name_differs: false,
            drift_s: None,
            took_us: None,
            telemetry: Telemetry::default(),
        };
        let what = What::Payment(payment);
        shown.push(Observation { place, at: entry.at, instance: Symbol::UNKNOWN, device, what });
        Ok(())
    }

    fn beside(&mut self, _: u64, _: &mut Vec<Observation>) {}

    fn names(&self) -> Arc<dyn Names> {
        Arc::new(NoNames)
    }
}

/// The diagnosis of these tests.
#[derive(Default)]
pub(crate) struct TwoInARow {
    /// Cards in a row at each terminal.
    run: HashMap<TerminalId, Vec<CardId>>,
    verdicts: HashMap<Rrn, (TerminalId, Timestamp)>,
    incidents: Vec<Incident>,
    changes: Vec<Change>,
    pub(crate) gaps: Arc<Mutex<Vec<Timestamp>>>,
}

impl TwoInARow {
    fn fault(&mut self, terminal: TerminalId, at: Timestamp, payment: &Payment) {
        self.verdicts.insert(payment.rrn, (terminal, at));
        let run = self.run.entry(terminal).or_default();
        if !run.contains(&payment.card) {
            run.push(payment.card);
        }
        let (cards, scope) = (run.clone(), Scope::Terminal(terminal));
        let open = |i: &&mut Incident| i.scope == scope && i.status == Status::Open;
        if let Some(incident) = self.incidents.iter_mut().find(open) {
            (incident.cards, incident.harmed, incident.last_seen) = (cards.len() as u32, cards, at);
            self.changes.push(Change::Revised(incident.id));
        } else if cards.len() == 2 {
            let id = self.incidents.len() as u64 + 100;
            self.incidents.push(Incident {
                id,
                cause: Cause::WrongTerminalKey,
                scope,
                onset: at,
                detected: at,
                last_seen: at,
                ended: None,
                confidence: 0.9,
                second: None,
                status: Status::Open,
                parent: None,
                evidence: Vec::new(),
                sessions_to_detection: 2,
                cards: 2,
                refused: (2, 5000),
                harmed: cards,
            });
            self.changes.push(Change::Opened(id));
        }
    }

    fn fine(&mut self, terminal: TerminalId, at: Timestamp) {
        self.run.remove(&terminal);
        for incident in &mut self.incidents {
            if incident.scope == Scope::Terminal(terminal) && incident.status == Status::Open {
                (incident.status, incident.ended) = (Status::Over, Some(at));
                self.changes.push(Change::Ended(incident.id));
            }
        }
    }
}

impl Diagnose for TwoInARow {
    fn observe(&mut self, observation: &Observation) {
        let terminal = observation.device.terminal;
        match &observation.what {
            What::Payment(payment) => match payment.pin {
                PinSeen::Unverifiable(_) => self.fault(terminal, observation.at, payment),
                _ => self.fine(terminal, observation.at),
            },
            What::Gap { since } => self.gaps.lock().unwrap().push(*since),
            _ => {}
        }
    }

    fn advance(&mut self, _: Timestamp) {}

    /// A terminal with an open incident is odd.
    fn suspicions(&self, most: usize) -> Vec<Suspicion> {
        let open = self.incidents.iter().filter(|incident| incident.status == Status::Open).take(most);
        let suspicion = |incident: &Incident| Suspicion {
            scope: incident.scope,
            cause: incident.cause,
            since: incident.onset,
            sessions: 2,
            log_odds: 4.5,
            others: vec![(Cause::KeypadFault, -1.0)],
            evidence: vec![Evidence {
                name: "format-errors-in-a-row",
                weight: 5.0,
                values: vec![("cards", 2.0)],
            }],
            incident: Some(incident.id),
        };
        open.map(suspicion).collect()
    }

    fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn verdict(&self, rrn: &Rrn) -> Option<Verdict> {
        let (terminal, at) = self.verdicts.get(rrn)?;
        let behind = self.incidents.iter().find(|i| i.scope == Scope::Terminal(*terminal)).map(|i| i.id);
        let part = Evidence {
            name: "part-of-incident",
            weight: 5.0,
            values: vec![("incident", behind.unwrap_or_default() as f64)],
        };
        Some(Verdict {
            rrn: *rrn,
            cause: Cause::WrongTerminalKey,
            confidence: 0.8,
            others: Vec::new(),
            evidence: vec![part],
            incident: behind,
            revised: (0, *at),
        })
    }

    fn incident(&self, id: u64) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.id == id)
    }

    fn incidents(&self) -> Vec<&Incident> {
        self.incidents.iter().rev().collect()
    }
}

/// Keeps which tries count, and counts what it was asked to give back; may fail after so many cards.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) charged: Mutex<HashMap<CardId, Vec<ChargedTry>>>,
    pub(crate) given: Mutex<Vec<(CardId, Order)>>,
    /// Fails when so many were given; 0: never.
    pub(crate) fails_after: AtomicUsize,
}

#[async_trait]
impl RestoreTries for Desk {
    async fn charged(&self, card: &CardId) -> Result<Option<Vec<ChargedTry>>, StoreError> {
        Ok(self.charged.lock().unwrap().get(card).cloned())
    }

    async fn restore(
        &self,
        card: &CardId,
        transactions: &[TransactionKey],
        order: &Order,
    ) -> Result<Restored, StoreError> {
        let mut given = self.given.lock().unwrap();
        let limit = self.fails_after.load(Ordering::SeqCst);
        if limit > 0 && given.len() >= limit {
            return Err(StoreError::Away("test".to_owned()));
        }
        given.push((*card, order.clone()));
        let mut charged = self.charged.lock().unwrap();
        charged.entry(*card).or_default().retain(|charged| !transactions.contains(&charged.key));
        Ok(Restored::Restored)
    }
}
