//! The whole host over TCP: the simulator's terminals in front, SQLite or a database underneath, the soft module behind a
//! switch.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::Context;
use async_trait::async_trait;
use authorization::{
    CardRecord, Products,
    key_set::KeySet,
    terminal::{Site, TerminalRecord},
};
use hsm::{
    ChangePin, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacKey, MacOutcome, ModuleError,
    PinChangeRefused, PinChanged, SecurityModule, TranslatePin, VerifyPin, WorkKeyLayout,
    soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule},
};
use model::{
    Amount, Currency, Expiry, KeyBlock, KeyScheme, Pan, PinOutcome, Secret, Timestamp, Unverifiable,
};
use paycrypto::{key::TdesKey, key_block::KeyUsage};
use risk::RuleSet;
use simulator::{
    Answer, Outcome, Sandbox, Terminal,
    memory::Memory,
    sandbox::{Card, Listener, TerminalEntry},
    story::{Act, PinChoice, Verb},
    terminal::Settings,
};
use store::{Engine, Registration, Store};
use store_sql::postgres;

use crate::{
    Happened,
    core::facts,
    scenario::{Directive, RulesDirective, Scenario, Step, Who},
};

/// Runs a scenario on listeners of every kind a sandbox has, on SQLite; an error names line and difference.
///
/// # Errors
/// The first line that does not come out as expected.
pub async fn run(scenario: &Scenario) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    run_on(scenario, store_sql::open(folder.path())?).await
}

/// The same on an empty database.
///
/// # Errors
/// The first line that does not come out as expected.
pub async fn run_on_postgres(scenario: &Scenario, url: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // What is made for each scenario is made quickly.
    let limits = postgres::Limits { partitions: 1, ..postgres::Limits::default() };
    run_on(scenario, postgres::open(folder.path(), url, limits).await?).await
}

async fn run_on(scenario: &Scenario, engine: Arc<dyn Engine>) -> anyhow::Result<()> {
    play(scenario, engine, START).await
}

/// The same on a store that the caller has, and from a moment on: what is in it afterwards is the caller's to look at.
///
/// # Errors
/// The first line that does not come out as expected.
pub async fn play(scenario: &Scenario, engine: Arc<dyn Engine>, start: Timestamp) -> anyhow::Result<()> {
    let mut world = World::over(scenario, engine, 1).await?;
    world.clock.advance_ms(start.since_ms(START));
    for step in scenario.steps() {
        match step {
            Step::Directive(Directive::Clock(ms)) => world.clock.advance_ms(ms),
            Step::Directive(Directive::Module(up)) => world.module.up.store(up, Ordering::SeqCst),
            Step::Directive(Directive::Rules(directive)) => world.about_rules(&directive).await?,
            Step::Act { line, text, act } => {
                let happened = world.act(act).await;
                happened
                    .and_then(|happened| scenario.check(line, act, &happened))
                    .with_context(|| format!("{} (wire), line {line}: {text}", scenario.story.name))?;
            }
        }
    }
    world.host.shutdown().await;
    Ok(())
}

const START: Timestamp = Timestamp(1_795_000_000_000);
const TMK: [u8; 16] = *b"\x0f\x1e\x2d\x3c\x4b\x5a\x69\x78\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0";
const MERCHANT: &str = "898510154110283";

/// Listeners in the order in which stories number them.
const LISTENERS: [(&str, &str, &str); 3] = [
    ("cup-pos", "len2+tpdu+header", "cup-ecb-8"),
    ("cup-pos", "len2+tpdu+header", "x919"),
    ("ascii87-bin", "len2", "x919"),
];

pub(crate) struct World {
    pub(crate) engine: Arc<dyn Engine>,
    products: Products,
    clock: Arc<host::ManualClock>,
    module: Arc<Switched>,
    pub(crate) host: host::Host,
    pub(crate) sandbox: Sandbox,
    pub(crate) terminals: Vec<Terminal>,
    /// The card that each terminal saw last.
    last: Vec<Option<model::MaskedPan>>,
}

impl World {
    /// A world over a store that may have been used; its terminals number their requests from `first_stan` on.
    pub(crate) async fn over(
        scenario: &Scenario,
        engine: Arc<dyn Engine>,
        first_stan: u32,
    ) -> anyhow::Result<Self> {
        let module = Arc::new(Switched::new()?);
        let cards = register(scenario, &*engine, &module.soft).await?;
        let clock = Arc::new(host::ManualClock::at(START));
        let products = Products::builtin();
        let parts = host::Parts {
            store: Store::new(Arc::clone(&engine)),
            module: Arc::clone(&module) as Arc<dyn SecurityModule>,
            products: products.clone(),
            clock: Arc::clone(&clock) as Arc<dyn host::Clock>,
            settings: host::Settings { sandbox: true, ..host::Settings::default() },
            references_start: 0,
            routes: Vec::new(),
        };
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let configs = LISTENERS.map(|(dialect, framing, mac)| host::ListenerConfig {
            address: free,
            dialect: dialect.to_owned(),
            framing: framing.to_owned(),
            mac: mac.to_owned(),
            profile: None,
            tls: None,
            limits: host::ListenerLimits::default(),
        });
        let host = host::Host::start(parts, &configs).await?;
        let sandbox = sandbox(scenario, host.addresses(), cards)?;
        let settings = Settings { reply_timeout: std::time::Duration::from_secs(10), ..Settings::default() };
        let terminals = sandbox.terminals.iter().map(|entry| {
            let memory = Memory::volatile(model::Stan::new(first_stan).context("trace number")?);
            Ok(Terminal::with_memory(&sandbox, entry.tid, settings, memory)?)
        });
        let terminals = terminals.collect::<anyhow::Result<Vec<_>>>()?;
        let last = vec![None; terminals.len()];
        Ok(Self { last, engine, products, clock, module, host, sandbox, terminals })
    }

    async fn act(&mut self, act: &Act) -> anyhow::Result<Happened> {
        let asked_before = self.module.asked.load(Ordering::SeqCst);
        let terminal = &mut self.terminals[act.terminal];
        terminal.faults = act.faults.clone();
        terminal.take_log();
        let outcome = match &act.verb {
            Verb::SignIn => terminal.sign_in().await.map(Some),
            Verb::SwitchKeys => terminal.switch_to_next().map(Some),
            Verb::SwitchBack => terminal.switch_back().map(Some),
            Verb::SignOut => terminal.sign_out().await.map(Some),
            Verb::Echo => terminal.echo().await.map(Some),
            Verb::Settle => terminal.settle().await.map(Some),
            Verb::Reverse => terminal.send_owed_reversal().await,
            Verb::Repeat => terminal.repeat().await.map(Some),
            Verb::Void => terminal.void(None).await.map(Some),
            Verb::Complete { amount } => terminal.complete(*amount).await.map(Some),
            Verb::Refund { card, amount } => {
                let card = &self.sandbox.cards[*card];
                terminal.pay(model::Kind::Refund, card, *amount, None).await.map(Some)
            }
            Verb::Balance { card, pin } => {
                pay(terminal, model::Kind::Balance, &self.sandbox.cards[*card], Amount::ZERO, pin)
                    .await
                    .map(Some)
            }
            Verb::Sale { card, amount, pin } => {
                pay(terminal, model::Kind::Sale, &self.sandbox.cards[*card], *amount, pin).await.map(Some)
            }
            Verb::PreAuth { card, amount, pin } => {
                pay(terminal, model::Kind::PreAuth, &self.sandbox.cards[*card], *amount, pin).await.map(Some)
            }
            Verb::ChangePin { card, pin, new } => {
                let card = &self.sandbox.cards[*card];
                terminal.change_pin(card, pin.typed(card).reveal(), new.typed(card).reveal()).await.map(Some)
            }
            Verb::Operator(act) => terminal.operate(act).await.map(Some),
        }?;
        let log = self.terminals[act.terminal].take_log();
        let of_main = outcome.as_ref().map(|o| o.step.what);
        let reversal = log.iter().rev().find(|s| s.what == "reversal" && of_main != Some("reversal"));
        // A repeat is logged without its card: it is the last one's.
        let pan = log.iter().rev().find_map(|s| s.card.clone()).or_else(|| self.last[act.terminal].clone());
        let pan = pan.filter(|_| {
            !matches!(
                act.verb,
                Verb::SignIn
                    | Verb::SignOut
                    | Verb::Echo
                    | Verb::Settle
                    | Verb::Operator(_)
                    | Verb::SwitchKeys
                    | Verb::SwitchBack
            )
        });
        self.last[act.terminal].clone_from(&pan);
        Ok(Happened {
            answer: outcome.as_ref().map_or("!!".to_owned(), |o| spelled(&o.answer)),
            reversed: reversal.and_then(|s| s.answer.code()).map(|c| c.to_string()),
            same_bytes: outcome.as_ref().and_then(|o| o.same_bytes),
            balanced: outcome.as_ref().and_then(|o: &Outcome| o.balanced),
            pin_checked: self.module.asked.load(Ordering::SeqCst) > asked_before,
            card: match pan {
                Some(masked) => Some(self.facts(&masked).await?),
                None => None,
            },
        })
    }

    /// As the console's decisions are carried out.
    async fn about_rules(&self, directive: &RulesDirective) -> anyhow::Result<()> {
        use host::Clock;
        let at = self.clock.now();
        let (by, why) = (|| "testkit".to_owned(), || "scenario".to_owned());
        let change = match directive {
            RulesDirective::Publish(name) => {
                let set =
                    RuleSet::parse(&rules_text(name)?).map_err(|said| anyhow::anyhow!("{name}: {said:?}"))?;
                self.host.rules().publish(Some(Arc::new(set)), Vec::new(), risk::Limits::default());
                return Ok(());
            }
            RulesDirective::Suspended(who) => return self.is_suspended(*who).await,
            RulesDirective::List(list, who, ms) => risk::Change::Listed {
                list: list.clone(),
                member: self.member(*who)?,
                until: Some(at.plus_ms(*ms)),
                by: by(),
                why: why(),
                at,
            },
            RulesDirective::Snooze(rule, who, ms) => risk::Change::Snoozed {
                rule: rule.clone(),
                member: self.member(*who)?,
                until: at.plus_ms(*ms),
                by: by(),
                why: why(),
                at,
            },
        };
        self.host.rules().apply(&change);
        Ok(())
    }

    async fn is_suspended(&self, who: Who) -> anyhow::Result<()> {
        const LOOKS: u32 = 1000;
        let id = self.member(who)?.parse()?;
        for _ in 0..LOOKS {
            if self.engine.terminal(&id).await?.context("registered terminal")?.state.suspended {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        anyhow::bail!("the terminal {id} is not suspended")
    }

    fn member(&self, who: Who) -> anyhow::Result<String> {
        match who {
            Who::Terminal(index) => {
                let entry = self.sandbox.terminals.get(index).context("terminal of the scenario")?;
                Ok(entry.tid.as_str().trim().to_owned())
            }
            Who::Card(index) => {
                let card = self.sandbox.cards.get(index).context("card of the scenario")?;
                Ok(self.engine.card_id(&card.pan).to_string())
            }
        }
    }

    async fn facts(&self, masked: &model::MaskedPan) -> anyhow::Result<crate::CardFacts> {
        let card =
            self.sandbox.cards.iter().find(|c| c.pan.masked() == *masked).context("card of the scenario")?;
        let id = self.engine.card_id(&card.pan);
        let card = self.engine.card(&id).await?.context("registered card")?;
        use host::Clock;
        facts(&card, &self.products, self.clock.now())
    }
}

async fn pay(
    terminal: &mut Terminal,
    kind: model::Kind,
    card: &Card,
    amount: Amount,
    pin: &PinChoice,
) -> Result<Outcome, simulator::TerminalError> {
    let wrong = card.wrong_pin();
    let typed = match pin {
        PinChoice::Right => Some(card.pin.reveal().as_str()),
        PinChoice::Wrong => Some(wrong.reveal().as_str()),
        PinChoice::Digits(digits) => Some(digits.as_str()),
        PinChoice::None => None,
    };
    terminal.pay(kind, card, amount, typed).await
}

fn rules_text(name: &str) -> anyhow::Result<String> {
    if name == "starter" {
        return Ok(risk::STARTER.to_owned());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/rules").join(name);
    std::fs::read_to_string(&path).with_context(|| format!("the rule set {}", path.display()))
}

fn spelled(answer: &Answer) -> String {
    answer.to_string()
}

fn number(index: usize) -> String {
    format!("91000199{:08}", index + 1)
}

async fn register(scenario: &Scenario, engine: &dyn Engine, soft: &SoftModule) -> anyhow::Result<Vec<Card>> {
    let mut cards = Vec::new();
    let mut registrations = Vec::new();
    for (index, wish) in scenario.story.cards.iter().enumerate() {
        let (pan, pin): (Pan, &str) = (number(index).parse()?, "372915");
        let product = wish.product.clone().unwrap_or_else(|| "debit-standard".to_owned());
        let expiry: Expiry = "9912".parse()?;
        let record = CardRecord {
            pan: pan.masked(),
            expiry,
            product: product.clone(),
            currency: Currency::CNY,
            opening_balance: Amount(10_000_000),
        };
        let reference =
            Some(soft.test_reference(&ReferenceMethod::Ibm3624 { key: "issuer".to_owned() }, &pan, pin)?);
        registrations.push(Registration::Card { pan: pan.clone(), record, reference });
        cards.push(Card { pan, expiry, pin: Secret::new(pin.to_owned()), product });
    }
    for index in 0..scenario.story.terminals.len() {
        registrations.push(Registration::Terminal(TerminalRecord {
            id: terminal_id(scenario, index)?,
            merchant: MERCHANT.parse()?,
            merchant_name: "testkit".to_owned(),
            site: Site::default(),
            keys: KeySet {
                scheme: KeyScheme::Tdes,
                key: soft.import_test_key(KeyAttributes::tdes(KeyUsage::KeyEncryption), &TMK)?,
                format: KeyScheme::Tdes.usual_format(),
                device: None,
                check_value: "made up".to_owned(),
            },
        }));
    }
    engine.register(registrations).await?;
    Ok(cards)
}

fn terminal_id(scenario: &Scenario, index: usize) -> anyhow::Result<model::TerminalId> {
    match scenario.story.terminals[index].id {
        Some(id) => Ok(id),
        None => Ok(format!("{:08}", 10_000_001 + index).parse()?),
    }
}

fn sandbox(scenario: &Scenario, addresses: &[SocketAddr], cards: Vec<Card>) -> anyhow::Result<Sandbox> {
    let mut listeners = Vec::new();
    for ((dialect, framing, mac), address) in LISTENERS.iter().zip(addresses) {
        listeners.push(Listener {
            address: address.to_string(),
            dialect: (*dialect).to_owned(),
            framing: framing.parse()?,
            mac: match *mac {
                "cup-ecb-8" => simulator::sandbox::MacAlgorithm::CupEcb8,
                _ => simulator::sandbox::MacAlgorithm::X919,
            },
        });
    }
    let mut terminals = Vec::new();
    for (index, wish) in scenario.story.terminals.iter().enumerate() {
        terminals.push(TerminalEntry {
            tid: terminal_id(scenario, index)?,
            mid: MERCHANT.parse()?,
            merchant: None,
            listener: wish.listener.unwrap_or(0),
            keys: simulator::sandbox::KeySet::tdes(TdesKey::double(&TMK)),
            next: None,
            // Every scenario is played with reports: they change nothing.
            device: Some(simulator::Device { model: "testkit".to_owned(), ..simulator::Device::default() }),
        });
    }
    Ok(Sandbox {
        listeners,
        console: None,
        terminals,
        scheme_terminals: Vec::new(),
        cards,
        foreign_cards: Vec::new(),
        directory: None,
    })
}

/// The soft module behind a switch; counts how often it was asked about a PIN.
struct Switched {
    soft: SoftModule,
    up: AtomicBool,
    asked: AtomicU64,
}

impl Switched {
    fn new() -> anyhow::Result<Self> {
        let maker = SoftModule::new(MasterKey::new(&[5; 32]), KeyPolicy::Sandbox, Configuration::default());
        let key = maker.generate_key(KeyAttributes::tdes(KeyUsage::PinVerificationIbm3624))?;
        let configuration =
            Configuration::default().with_ibm3624("issuer", key, "0123456789012345", "1234567N")?;
        let soft = SoftModule::new(MasterKey::new(&[5; 32]), KeyPolicy::Sandbox, configuration);
        Ok(Self { soft, up: AtomicBool::new(true), asked: AtomicU64::new(0) })
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

    fn supports_mac(&self, algorithm: MacAlgorithm) -> bool {
        self.soft.supports_mac(algorithm)
    }

    fn supports_scheme(&self, scheme: KeyScheme) -> bool {
        self.soft.supports_scheme(scheme)
    }

    async fn translate_pin(&self, request: TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable> {
        self.soft.translate_pin(request).await
    }

    async fn change_pin(&self, request: ChangePin<'_>) -> Result<PinChanged, PinChangeRefused> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.up.load(Ordering::SeqCst) {
            self.soft.change_pin(request).await
        } else {
            Err(PinChangeRefused::Unverifiable(Unverifiable::ModuleUnavailable))
        }
    }

    async fn check(&self) -> Result<(), ModuleError> {
        self.soft.check().await
    }

    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        self.soft.generate_work_keys(tmk, layout).await
    }

    async fn verify_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError> {
        self.soft.verify_mac(key, algorithm, message, mac).await
    }

    async fn generate_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        self.soft.generate_mac(key, algorithm, message).await
    }

    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.up.load(Ordering::SeqCst) {
            self.soft.verify_pin(request).await
        } else {
            PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable)
        }
    }
}
