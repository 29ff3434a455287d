//! Cards of another bank: what the terminal hears, what the other bank has posted in the end, and what is left to do, for
//! every way in which a link, a bank or a host can fail. The other bank's book is the measure: after everything was
//! delivered it has posted what terminals were told was approved, and nothing else.

mod answers;
mod crashes;
mod lines;
mod rules;
mod undo;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use authorization::CardState;
use host::{Host, LineConfig, ManualClock, Parts, RouteConfig, Settings};
use hsm::soft::KeyAttributes;
use iso8583::{Dialect, Framing, MessageBuilder};
use model::Pan;
use paycrypto::{key::TdesKey, key_block::Algorithm};
use simulator::issuer::{Account, Issuer, Settings as IssuerSettings};
use store::{Engine, Entry, Event, Store, journal::UpstreamStep};
use tokio::runtime::Runtime;

use crate::{
    client::{Answer, Pos, Wire},
    world::{START, Switched, listener, register, terminals},
};

const ZPK: [u8; 16] = *b"\x2a\x3b\x4c\x5d\x6e\x7f\x80\x91\xa2\xb3\xc4\xd5\xe6\xf7\x08\x19";
pub(super) const FOREIGN: &str = "9555000000000012";
pub(super) const FOREIGN_PIN: &str = "2468";
/// How long the other bank has.
pub(super) const ANSWER_MS: u64 = 600;
/// Longer than anything takes here, on a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// Another bank with one card.
pub(super) async fn bank() -> Issuer {
    bank_at("127.0.0.1:0".parse().unwrap()).await
}

pub(super) async fn bank_at(address: SocketAddr) -> Issuer {
    let account = Account { pin: FOREIGN_PIN.to_owned(), balance: 1_000_000 };
    let settings = IssuerSettings {
        address,
        dialect: Dialect::builtin("ascii87-bin").unwrap(),
        framing: Framing::Len2,
        zone_pin_key: Arc::new(TdesKey::double(&ZPK)),
        accounts: vec![(foreign(), account)],
        tries: 3,
        late: Duration::from_millis(ANSWER_MS * 2),
    };
    Issuer::start(settings).await.unwrap()
}

pub(super) fn foreign() -> Pan {
    FOREIGN.parse().unwrap()
}

/// A host that may die: it has a runtime of its own, and all else outlives it.
pub(super) struct Mortal {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) clock: Arc<ManualClock>,
    module: Arc<Switched>,
    routes: Vec<RouteConfig>,
    running: Option<(Runtime, Host)>,
}

impl Mortal {
    /// With a route over these lines, the earlier ones preferred.
    pub(super) async fn new(engine: Arc<dyn Engine>, lines: &[SocketAddr]) -> Self {
        let module = Arc::new(Switched::new());
        register(&*engine, &module.soft).await;
        let routes = vec![route(&module, lines)];
        let clock = Arc::new(ManualClock::at(START));
        let mut mortal = Self { engine, clock, module, routes, running: None };
        mortal.start().await;
        mortal.until_up().await;
        mortal
    }

    pub(super) async fn in_memory(lines: &[SocketAddr]) -> Self {
        Self::new(Arc::new(store::memory::MemoryEngine::default()), lines).await
    }

    /// With the same everything, but the store.
    pub(super) async fn reborn(&mut self, engine: Arc<dyn Engine>) {
        self.engine = engine;
        self.start().await;
    }

    /// The same, over other lines; not started yet.
    pub(super) fn with_lines(&self, lines: &[SocketAddr]) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            clock: Arc::clone(&self.clock),
            module: Arc::clone(&self.module),
            routes: vec![route(&self.module, lines)],
            running: None,
        }
    }

    /// Another host beside this one.
    pub(super) async fn twin(&self) -> Self {
        let lines: Vec<SocketAddr> = self.routes[0].line.iter().map(|line| line.address).collect();
        let mut twin = self.with_lines(&lines);
        twin.start().await;
        twin.until_up().await;
        twin
    }

    pub(super) async fn start(&mut self) {
        let mut settings = Settings::default();
        settings.upstream.undo_retry_ms = 100;
        settings.upstream.undo_retry_most_ms = 200;
        settings.upstream.sweep_ms = 50;
        settings.upstream.slack_ms = 1_000;
        let parts = Parts {
            store: Store::new(Arc::clone(&self.engine)),
            module: Arc::clone(&self.module) as Arc<dyn hsm::SecurityModule>,
            products: authorization::Products::builtin(),
            clock: Arc::clone(&self.clock) as Arc<dyn host::Clock>,
            settings,
            references_start: self.entries().await.len() as u64,
            routes: self.routes.clone(),
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listeners = [terminals(), listener("ascii87-bin", "len2", "x919")];
        let host = runtime.spawn(async move { Host::start(parts, &listeners).await }).await.unwrap().unwrap();
        self.running = Some((runtime, host));
    }

    /// Ends between two instructions, wherever that is.
    pub(super) fn crash(&mut self) {
        let (runtime, _host) = self.running.take().unwrap();
        runtime.shutdown_background();
    }

    pub(super) async fn stop(&mut self) {
        let (runtime, host) = self.running.take().unwrap();
        runtime.spawn(host.shutdown()).await.unwrap();
        runtime.shutdown_background();
    }

    pub(super) fn host(&self) -> &Host {
        &self.running.as_ref().unwrap().1
    }

    pub(super) fn lines_up(&self) -> usize {
        let (routes, _) = self.host().upstream();
        routes.iter().flat_map(|route| &route.lines).filter(|line| line.up).count()
    }

    async fn until_up(&self) {
        let lines = self.routes[0].line.len();
        until("all lines are up", || async { self.lines_up() == lines }).await;
    }

    pub(super) async fn wire(&self, pos: &Pos) -> Wire {
        Wire::open(self.host().addresses()[0], pos.clone()).await
    }

    pub(super) async fn signed_in(&self) -> (Pos, Wire) {
        let mut pos = Pos::unionpay(1);
        let mut wire = self.wire(&pos).await;
        pos.sign_in(&mut wire, 1).await;
        (pos, wire)
    }

    pub(super) async fn state(&self) -> Option<CardState> {
        let id = self.engine.card_id(&foreign());
        self.engine.card(&id).await.unwrap().map(|card| card.state.clone())
    }

    pub(super) async fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        while let Some(entry) = self.engine.entry(entries.len() as u64 + 1).await.unwrap() {
            entries.push(entry);
        }
        entries
    }

    /// Steps between us and the other bank, in order.
    pub(super) async fn steps(&self) -> Vec<UpstreamStep> {
        let step = |entry: &Entry| match &entry.event {
            Event::Upstream(event) => Some(event.step),
            _ => None,
        };
        self.entries().await.iter().filter_map(step).collect()
    }

    /// Waits until nothing is left to be said to the other bank.
    pub(super) async fn until_settled(&self) {
        until("nothing is outstanding", || async {
            self.state().await.is_none_or(|state| state.forwards().is_empty())
        })
        .await;
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some((runtime, _)) = self.running.take() {
            runtime.shutdown_background();
        }
    }
}

fn route(module: &Switched, lines: &[SocketAddr]) -> RouteConfig {
    let zone_pin_key =
        module.soft.import_test_key(KeyAttributes::zone_pin_out(Algorithm::Tdea), &ZPK).unwrap();
    let text = format!(
        "name = 'bank-b'
         bins = ['9555', '91']
         dialect = 'ascii87-bin'
         framing = 'len2'
         zone_pin_key = '{}'
         answer_ms = {ANSWER_MS}
         echo_ms = 300
         network_ms = 5000
         reconnect_ms = 20
         reconnect_most_ms = 100
         line = []",
        zone_pin_key.as_str()
    );
    let line = |(priority, address): (usize, &SocketAddr)| LineConfig {
        address: *address,
        priority: u8::try_from(priority).unwrap(),
    };
    let route: RouteConfig = toml::from_str(&text).unwrap();
    RouteConfig { line: lines.iter().enumerate().map(line).collect(), ..route }
}

/// Waits until something is so.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let began = tokio::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A sale with the other bank's card.
pub(super) fn sale(pos: &Pos, stan: u32, amount: i64, pin: &str) -> MessageBuilder {
    let mut sale = pos.sale(stan, amount, 0, pin);
    sale.set(2, FOREIGN);
    sale.set_bytes(52, &pos.pin_block(FOREIGN, pin));
    sale
}

pub(super) async fn pay(pos: &Pos, wire: &mut Wire, stan: u32, amount: i64) -> Answer {
    wire.ask(&pos.sealed(&sale(pos, stan, amount, FOREIGN_PIN))).await
}

/// Message types that a bank heard.
pub(super) fn types(bank: &Issuer) -> Vec<String> {
    bank.heard().into_iter().map(|heard| heard.mti).collect()
}
