//! A host with cards and terminals, the store underneath, and a security module that can be slowed or silenced.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use authorization::{
    CardRecord, CardState, Products,
    key_set::KeySet,
    terminal::{Site, TerminalRecord},
};
use host::{Host, ListenerConfig, ManualClock, Parts, Settings};
use hsm::{
    ChangePin, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacKey, MacOutcome, ModuleError,
    PinChangeRefused, PinChanged, SecurityModule, TranslatePin, VerifyPin, WorkKeyLayout,
    soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule},
};
use model::{Amount, Currency, KeyBlock, KeyScheme, Pan, PinOutcome, Timestamp, Unverifiable};
use paycrypto::key_block::KeyUsage;
use store::{Engine, Entry, Event, Registration, Store, memory::MemoryEngine};

use crate::client::{Pos, Wire};

pub(crate) const TMK: [u8; 16] = *b"\x0f\x1e\x2d\x3c\x4b\x5a\x69\x78\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0";
pub(crate) const MERCHANT: &str = "898510154110283";
pub(crate) const PIN: &str = "372915";
pub(crate) const WRONG: &str = "483026";
pub(crate) const OPENING: Amount = Amount(10_000_000);
pub(crate) const START: Timestamp = Timestamp(1_795_000_000_000);
const TERMINALS: usize = 3;
const CARDS: usize = 4;

pub(crate) struct World {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) module: Arc<Switched>,
    pub(crate) host: Host,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings than the default ones.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Arc::new(MemoryEngine::default()), change).await
    }

    /// On another store than memory.
    pub(crate) async fn on(engine: Arc<dyn Engine>, change: impl FnOnce(&mut Settings)) -> Self {
        Self::listening(engine, change, &[terminals(), hosts()]).await
    }

    /// With the terminals' port as the listener says, and the hosts' port as usual.
    pub(crate) async fn at(listener: ListenerConfig, change: impl FnOnce(&mut Settings)) -> Self {
        Self::listening(Arc::new(MemoryEngine::default()), change, &[listener, hosts()]).await
    }

    async fn listening(
        engine: Arc<dyn Engine>,
        change: impl FnOnce(&mut Settings),
        listeners: &[ListenerConfig],
    ) -> Self {
        let module = Arc::new(Switched::new());
        register(&*engine, &module.soft).await;
        let clock = Arc::new(ManualClock::at(START));
        let mut settings = Settings::default();
        change(&mut settings);
        let parts = parts(Arc::clone(&engine), Arc::clone(&module), Arc::clone(&clock), settings);
        let host = Host::start(parts, listeners).await.unwrap();
        Self { engine, clock, module, host }
    }

    /// A connection to the UnionPay terminals' port.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::open(self.host.addresses()[0], Pos::unionpay(1)).await
    }

    /// A terminal that has signed in, with its connection.
    pub(crate) async fn signed_in(&self) -> (Pos, Wire) {
        let (mut pos, mut wire) = (Pos::unionpay(1), self.wire().await);
        pos.sign_in(&mut wire, 1).await;
        (pos, wire)
    }

    /// The same on the port of ISO 8583 hosts.
    pub(crate) async fn signed_in_host(&self) -> (Pos, Wire) {
        let mut pos = Pos::iso87(2);
        let mut wire = Wire::open(self.host.addresses()[1], pos.clone()).await;
        pos.sign_in(&mut wire, 1).await;
        (pos, wire)
    }

    /// How often the edge refused for this cause.
    pub(crate) fn refused(&self, cause: &str) -> u64 {
        let mut counts = self.host.edge_refusals();
        counts.find_map(|(name, count)| (name == cause).then_some(count)).expect("a cause of this name")
    }

    /// Waits until it did so often.
    pub(crate) async fn until_refused(&self, cause: &str, times: u64) {
        for _ in 0..1000 {
            if self.refused(cause) >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{cause}: {} times, not {times}", self.refused(cause));
    }

    pub(crate) async fn card(&self, index: usize) -> CardState {
        let pan: Pan = pan(index).parse().unwrap();
        self.engine.card(&self.engine.card_id(&pan)).await.unwrap().unwrap().state.clone()
    }

    pub(crate) async fn journal(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        while let Some(entry) = self.engine.entry(entries.len() as u64 + 1).await.unwrap() {
            entries.push(entry);
        }
        entries
    }

    /// How many decisions about cards the journal has.
    pub(crate) async fn transactions(&self) -> usize {
        self.journal().await.iter().filter(|e| matches!(e.event, Event::Transaction(_))).count()
    }
}

pub(crate) fn parts(
    engine: Arc<dyn Engine>,
    module: Arc<Switched>,
    clock: Arc<ManualClock>,
    settings: Settings,
) -> Parts {
    let (store, products) = (Store::new(engine), Products::builtin());
    Parts { store, module, products, clock, settings, references_start: 0, routes: Vec::new() }
}

/// Parts of a host that nobody will talk to.
pub(crate) fn idle_parts(settings: Settings) -> Parts {
    let clock = Arc::new(ManualClock::at(START));
    parts(Arc::new(MemoryEngine::default()), Arc::new(Switched::new()), clock, settings)
}

pub(crate) fn terminals() -> ListenerConfig {
    listener("cup-pos", "len2+tpdu+header", "cup-ecb-8")
}

fn hosts() -> ListenerConfig {
    listener("ascii87-bin", "len2", "x919")
}

pub(crate) fn listener(dialect: &str, framing: &str, mac: &str) -> ListenerConfig {
    ListenerConfig {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        dialect: dialect.to_owned(),
        framing: framing.to_owned(),
        mac: mac.to_owned(),
        profile: None,
        tls: None,
        limits: host::ListenerLimits::default(),
    }
}

pub(crate) fn pan(index: usize) -> String {
    format!("91000199{:08}", index + 1)
}

pub(crate) async fn register(engine: &dyn Engine, soft: &SoftModule) {
    let mut registrations = Vec::new();
    for index in 0..CARDS {
        let pan: Pan = pan(index).parse().unwrap();
        let record = CardRecord {
            pan: pan.masked(),
            expiry: "9912".parse().unwrap(),
            product: "debit-standard".to_owned(),
            currency: Currency::CNY,
            opening_balance: OPENING,
        };
        let reference = Some(
            soft.test_reference(&ReferenceMethod::Ibm3624 { key: "issuer".to_owned() }, &pan, PIN).unwrap(),
        );
        registrations.push(Registration::Card { pan, record, reference });
    }
    for index in 1..=TERMINALS {
        registrations.push(Registration::Terminal(TerminalRecord {
            id: format!("{:08}", 10_000_000 + index).parse().unwrap(),
            merchant: MERCHANT.parse().unwrap(),
            merchant_name: "corner shop".to_owned(),
            site: Site::default(),
            keys: master_key(soft),
        }));
    }
    engine.register(registrations).await.unwrap();
}

/// Keys of a terminal that never speaks.
pub(crate) fn made_up_keys() -> KeySet {
    master_key(&Switched::new().soft)
}

fn master_key(soft: &SoftModule) -> KeySet {
    KeySet {
        scheme: KeyScheme::Tdes,
        key: soft.import_test_key(KeyAttributes::tdes(KeyUsage::KeyEncryption), &TMK).unwrap(),
        format: KeyScheme::Tdes.usual_format(),
        device: None,
        check_value: "made up".to_owned(),
    }
}

/// The soft module behind switches.
pub(crate) struct Switched {
    pub(crate) soft: SoftModule,
    /// Never answers anything.
    pub(crate) silent: AtomicBool,
    /// Never answers about PINs; MACs go on.
    pub(crate) silent_about_pins: AtomicBool,
    /// Takes so long about a PIN.
    pub(crate) pin_ms: AtomicU64,
    /// How often it was asked about a PIN.
    pub(crate) pins: AtomicU64,
}

impl Switched {
    pub(crate) fn new() -> Self {
        let soft = |c| SoftModule::new(MasterKey::new(&[5; 32]), KeyPolicy::Sandbox, c);
        let key = soft(Configuration::default())
            .generate_key(KeyAttributes::tdes(KeyUsage::PinVerificationIbm3624))
            .unwrap();
        let configuration =
            Configuration::default().with_ibm3624("issuer", key, "0123456789012345", "1234567N").unwrap();
        Self {
            soft: soft(configuration),
            silent: AtomicBool::new(false),
            silent_about_pins: AtomicBool::new(false),
            pin_ms: AtomicU64::new(0),
            pins: AtomicU64::new(0),
        }
    }

    pub(crate) fn asked_about_pins(&self) -> u64 {
        self.pins.load(SeqCst)
    }

    async fn up(&self) {
        if self.silent.load(SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl SecurityModule for Switched {
    fn describe(&self) -> String {
        self.soft.describe()
    }

    fn is_secure_device(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), ModuleError> {
        self.up().await;
        self.soft.check().await
    }

    fn supports_mac(&self, algorithm: MacAlgorithm) -> bool {
        self.soft.supports_mac(algorithm)
    }

    fn supports_scheme(&self, scheme: KeyScheme) -> bool {
        self.soft.supports_scheme(scheme)
    }

    async fn translate_pin(&self, request: TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable> {
        self.up().await;
        self.soft.translate_pin(request).await
    }

    async fn change_pin(&self, request: ChangePin<'_>) -> Result<PinChanged, PinChangeRefused> {
        self.up().await;
        self.soft.change_pin(request).await
    }

    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        self.up().await;
        self.soft.generate_work_keys(tmk, layout).await
    }

    async fn verify_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError> {
        self.up().await;
        self.soft.verify_mac(key, algorithm, message, mac).await
    }

    async fn generate_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        self.up().await;
        self.soft.generate_mac(key, algorithm, message).await
    }

    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome {
        self.pins.fetch_add(1, SeqCst);
        self.up().await;
        if self.silent_about_pins.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(self.pin_ms.load(SeqCst))).await;
        self.soft.verify_pin(request).await
    }
}
