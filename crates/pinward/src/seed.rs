//! The sandbox: made-up merchants, terminals with test keys, cards with known PINs (`sandbox/sandbox.toml`), written
//! into a new store and, for whoever plays a terminal, into `sandbox.json`.

mod devices;
mod more;

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use authorization::{CardRecord, card::FOREIGN, terminal::TerminalRecord};
use hsm::soft::ReferenceMethod;
use model::{Amount, Currency, Expiry, KeyScheme, Pan, TerminalId};
use serde::{Deserialize, Serialize};
use store::{Engine, Registration};

use self::devices::{DeviceJson, DevicesPlan};
pub(crate) use self::more::More;
use crate::{
    keys,
    module::ModuleConfig,
    other_bank::OtherBank,
    people::{self, StaffJson, StaffPlan},
    shops::{self, OperatorJson},
    test_keys::{TerminalKeysJson, TestKeys},
    test_module::{TestHsm, TestModule},
};

/// `sandbox.json`, as others read it. Test keys and PINs of test cards: the file is for its owner alone all the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SandboxJson {
    pub(crate) listeners: Vec<ListenerJson>,
    pub(crate) console: String,
    /// Terminals with a TDES master key.
    pub(crate) terminals: Vec<TerminalJson>,
    /// Terminals of the other key schemes. A list of their own: who reads the first one finds a `tmk` in every entry.
    #[serde(default)]
    pub(crate) scheme_terminals: Vec<TerminalJson>,
    pub(crate) cards: Vec<CardJson>,
    /// Cards of another bank, which the simulator plays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) foreign_cards: Vec<CardJson>,
    /// Who works here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) staff: Vec<StaffJson>,
    /// The people of every shop: who signs on at its terminals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) operators: Vec<OperatorJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ListenerJson {
    pub(crate) address: String,
    pub(crate) dialect: String,
    pub(crate) framing: String,
    pub(crate) mac: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TerminalJson {
    pub(crate) tid: String,
    pub(crate) mid: String,
    #[serde(flatten)]
    pub(crate) keys: TerminalKeysJson,
    pub(crate) listener: usize,
    pub(crate) merchant: String,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<DeviceJson>,
    /// Keys that a migration loaded into the terminal; it has not moved yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<NextKeysJson>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NextKeysJson {
    #[serde(flatten)]
    pub(crate) keys: TerminalKeysJson,
    pub(crate) listener: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CardJson {
    pub(crate) pan: String,
    pub(crate) expiry: String,
    pub(crate) pin: String,
    pub(crate) product: String,
    /// Where its holder gets messages: made up, in a country code that nobody has (E.164, +999).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<String>,
}

/// What was seeded: the public part, and the card and terminal of the opening story.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seeded {
    /// The security module that has the keys.
    #[serde(default)]
    pub(crate) module: ModuleConfig,
    pub(crate) public: SandboxJson,
    pub(crate) opening: SandboxJson,
    /// The other bank; none with an HSM, whose zone keys come by ceremony.
    #[serde(default)]
    pub(crate) bank: Option<OtherBank>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    issuer: IssuerPlan,
    balance: BalancePlan,
    cards: Vec<CardsPlan>,
    hero: CardPlan,
    weak: CardPlan,
    opening: OpeningPlan,
    merchants: Vec<MerchantPlan>,
    terminals: TerminalsPlan,
    devices: DevicesPlan,
    listeners: Vec<ListenerPlan>,
    people: PeoplePlan,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeoplePlan {
    password: String,
    staff: Vec<StaffPlan>,
}

impl Plan {
    fn with(mut self, more: More) -> Plan {
        if let Some(group) = self.cards.first_mut() {
            group.count += more.cards;
        }
        if let Some(count) = self.terminals.per_listener.first_mut() {
            *count += more.terminals;
            self.terminals.more = more.terminals;
        }
        self
    }

    /// Cards of the plan that have a number of their own.
    fn names(&self, pan: &str) -> bool {
        [&self.hero.pan, &self.weak.pan, &self.opening.pan].into_iter().any(|named| named == pan)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerPlan {
    pvv_key: String,
    ibm3624_key: String,
    table: String,
    validation: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BalancePlan {
    minor: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardsPlan {
    product: String,
    count: u32,
    pin_digits: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardPlan {
    pan: String,
    pin: String,
    product: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningPlan {
    pan: String,
    pin: String,
    product: String,
    tid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MerchantPlan {
    mid: String,
    name: String,
    place: [f64; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TerminalsPlan {
    per_listener: Vec<u32>,
    /// Of the first listener's, so many for load runs. They stand in one town: the cards of a load pay at all of them within
    /// a second, and are not to look copied.
    #[serde(skip)]
    more: u32,
    special: Vec<String>,
    scheme: Vec<SchemePlan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemePlan {
    scheme: KeyScheme,
    listener: usize,
    count: u32,
    first: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenerPlan {
    dialect: String,
    framing: String,
    mac: String,
}

/// The listener whose PIN blocks have 16 bytes, in the order of the plan.
const WIDE_LISTENER: usize = 3;

/// For whoever plays a terminal.
const PUBLISHED: &str = "sandbox.json";

/// Expiry of every seeded card: YYMM.
const EXPIRY: &str = "3012";

/// The listeners of a sandbox: the first where the caller wants it, the others on free ports of loopback.
pub(crate) fn listeners(
    first: SocketAddr,
    module: &ModuleConfig,
) -> anyhow::Result<Vec<host::ListenerConfig>> {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let configs = plan()?.listeners.into_iter().enumerate().map(|(index, listener)| host::ListenerConfig {
        address: if index == 0 { first } else { free },
        dialect: listener.dialect,
        framing: listener.framing,
        mac: mac_for(listener.mac, module),
        profile: None,
        tls: None,
        limits: host::ListenerLimits::default(),
    });
    Ok(configs.collect())
}

/// An HSM takes no double-length key whose halves are equal, so UnionPay's MAC with eight bytes is none of its.
fn mac_for(mac: String, module: &ModuleConfig) -> String {
    match module {
        ModuleConfig::Payshield(_) if mac == "cup-ecb-8" => "cup-ecb-16".to_owned(),
        ModuleConfig::Payshield(_) | ModuleConfig::Soft => mac,
    }
}

/// Makes the keys of a new sandbox; the store is opened after this.
pub(crate) async fn create_keys(data: &Path, hsm: Option<&TestHsm>) -> anyhow::Result<ModuleConfig> {
    let issuer = plan()?.issuer;
    let rules = keys::IssuerRules {
        pvv_key: &issuer.pvv_key,
        ibm3624_key: &issuer.ibm3624_key,
        table: &issuer.table,
        validation: &issuer.validation,
    };
    TestModule::create(data, hsm, &rules).await
}

/// Registers everything and remembers it in `sandbox-seed.json`, the last thing that is written: a directory without it
/// was not seeded to the end.
pub(crate) async fn seed(
    data: &Path,
    engine: &dyn Engine,
    config: &ModuleConfig,
    more: More,
) -> anyhow::Result<Seeded> {
    let plan = plan()?.with(more);
    let module = TestModule::open(data, config).await?;
    let keys = TestKeys::new(&module).await?;
    let seeder = Seeder { plan: &plan, module: &module, keys, registrations: Vec::new() };
    let (mut seeded, registrations) = seeder.run(config.clone()).await?;
    seeded.public.staff = people::invent(&plan.people.staff, &plan.people.password)?;
    engine.register(registrations).await.context("cannot register the sandbox's cards and terminals")?;
    write_private(&seed_path(data), &serde_json::to_vec(&seeded)?)?;
    Ok(seeded)
}

/// Was this directory seeded before?
pub(crate) fn read(data: &Path) -> anyhow::Result<Option<Seeded>> {
    match fs::read(seed_path(data)) {
        Ok(text) => serde_json::from_slice(&text).map(Some).context("sandbox-seed.json is damaged"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read sandbox-seed.json"),
    }
}

/// Was a sandbox made here, and finished?
pub(crate) fn is_sandbox(data: &Path) -> bool {
    seed_path(data).exists()
}

/// Keys that a migration loaded into a terminal. Blocks of 16 bytes do not fit into the usual dialect, so the terminal
/// changes its listener with its keys.
pub(crate) fn load_next(seeded: &mut Seeded, id: TerminalId, keys: TerminalKeysJson) {
    let wide = keys.scheme.is_some_and(|scheme| scheme.pin_block_length() == 16);
    let sandboxes = [&mut seeded.public, &mut seeded.opening];
    let all = sandboxes.into_iter().flat_map(|s| s.terminals.iter_mut().chain(&mut s.scheme_terminals));
    for terminal in all.filter(|terminal| terminal.tid == id.as_str()) {
        let listener = if wide { WIDE_LISTENER } else { terminal.listener };
        terminal.next = Some(NextKeysJson { keys: keys.clone(), listener });
    }
}

/// A terminal's old keys are gone: the new ones are its keys now.
pub(crate) fn retire_old(seeded: &mut Seeded, id: TerminalId) {
    for sandbox in [&mut seeded.public, &mut seeded.opening] {
        let found = sandbox.terminals.iter().position(|t| t.tid == id.as_str() && t.next.is_some());
        if let Some(at) = found {
            // Its `tmk` may be another cipher's now: the first list has TDES master keys only.
            let terminal = sandbox.terminals.remove(at);
            sandbox.scheme_terminals.push(terminal);
        }
        for terminal in sandbox.scheme_terminals.iter_mut().filter(|t| t.tid == id.as_str()) {
            if let Some(next) = terminal.next.take() {
                (terminal.keys, terminal.listener) = (next.keys, next.listener);
            }
        }
    }
}

/// Writes down what changed since the directory was seeded; whoever reads `sandbox.json` finds it there too.
pub(crate) fn save(data: &Path, seeded: &Seeded) -> anyhow::Result<()> {
    write_private(&seed_path(data), &serde_json::to_vec(seeded)?)?;
    let path = data.join(PUBLISHED);
    if let Ok(text) = fs::read(&path) {
        let published: SandboxJson = serde_json::from_slice(&text).context("sandbox.json is damaged")?;
        let changed = SandboxJson {
            listeners: published.listeners,
            console: published.console,
            ..seeded.public.clone()
        };
        publish(data, &changed)?;
    }
    Ok(())
}

/// Writes `sandbox.json` in one step, so that who waits for it never sees half of it.
pub(crate) fn publish(data: &Path, sandbox: &SandboxJson) -> anyhow::Result<PathBuf> {
    publish_as(data, PUBLISHED, sandbox)
}

/// The same under another name: of a host beside the one that `sandbox.json` is about.
pub(crate) fn publish_as(data: &Path, name: &str, sandbox: &SandboxJson) -> anyhow::Result<PathBuf> {
    let path = data.join(name);
    let draft = data.join(format!("{name}.new-{}", std::process::id()));
    write_private(&draft, &serde_json::to_vec_pretty(sandbox)?)?;
    fs::rename(&draft, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// What was published last, if it can be read.
pub(crate) fn published(data: &Path) -> Option<SandboxJson> {
    fs::read(data.join(PUBLISHED)).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

fn seed_path(data: &Path) -> PathBuf {
    data.join("sandbox-seed.json")
}

fn plan() -> anyhow::Result<Plan> {
    toml::from_str(include_str!("../sandbox/sandbox.toml")).context("the built-in sandbox plan is damaged")
}

pub(crate) fn write_private(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(contents));
    written.with_context(|| format!("cannot write {}", path.display()))
}

struct Seeder<'a> {
    plan: &'a Plan,
    module: &'a TestModule,
    keys: TestKeys<'a>,
    registrations: Vec<Registration>,
}

impl Seeder<'_> {
    async fn run(mut self, module: ModuleConfig) -> anyhow::Result<(Seeded, Vec<Registration>)> {
        let cards = self.cards().await?;
        let terminals = self.terminals().await?;
        let scheme_terminals = self.scheme_terminals().await?;
        let opening_plan = &self.plan.opening;
        let opening_card = self.card(&opening_plan.pan, &opening_plan.pin, &opening_plan.product).await?;
        let opening_terminal = self.terminal(&opening_plan.tid, (0, 0), 0, KeyScheme::Tdes).await?;
        let sandbox = |terminals, scheme_terminals, cards| SandboxJson {
            listeners: Vec::new(),
            console: String::new(),
            terminals,
            scheme_terminals,
            cards,
            foreign_cards: Vec::new(),
            staff: Vec::new(),
            operators: shops::listed(),
        };
        let bank = match module {
            ModuleConfig::Soft => Some(OtherBank::make(self.module, foreign_cards()?).await?),
            ModuleConfig::Payshield(_) => None,
        };
        let mut public = sandbox(terminals, scheme_terminals, cards);
        public.foreign_cards = bank.iter().flat_map(|bank| bank.cards.clone()).collect();
        let opening = sandbox(vec![opening_terminal], Vec::new(), vec![opening_card]);
        Ok((Seeded { module, public, opening, bank }, self.registrations))
    }

    async fn cards(&mut self) -> anyhow::Result<Vec<CardJson>> {
        let (hero, weak) = (&self.plan.hero, &self.plan.weak);
        let mut cards = vec![
            self.card(&hero.pan, &hero.pin, &hero.product).await?,
            self.card(&weak.pan, &weak.pin, &weak.product).await?,
        ];
        let mut serial = 1;
        for group in &self.plan.cards {
            for _ in 0..group.count {
                let mut pan = with_check_digit(&format!("910001{serial:012}"));
                if self.plan.names(&pan) {
                    serial += 1;
                    pan = with_check_digit(&format!("910001{serial:012}"));
                }
                cards.push(self.card(&pan, &random_pin(group.pin_digits)?, &group.product).await?);
                serial += 1;
            }
        }
        Ok(cards)
    }

    async fn card(&mut self, number: &str, pin: &str, product: &str) -> anyhow::Result<CardJson> {
        let pan: Pan = number.parse()?;
        let issuer = &self.plan.issuer;
        let method = if pin.len() == 4 {
            ReferenceMethod::Pvv { key: issuer.pvv_key.clone(), pvki: 1 }
        } else {
            ReferenceMethod::Ibm3624 { key: issuer.ibm3624_key.clone() }
        };
        let reference = self.module.reference(&method, &pan, pin).await?;
        let expiry: Expiry = EXPIRY.parse()?;
        let record = CardRecord {
            pan: pan.masked(),
            expiry,
            product: product.to_owned(),
            currency: Currency::CNY,
            opening_balance: Amount(self.plan.balance.minor),
        };
        self.registrations.push(Registration::Card { pan, record, reference: Some(reference) });
        Ok(CardJson {
            pan: number.to_owned(),
            expiry: EXPIRY.to_owned(),
            pin: pin.to_owned(),
            product: product.to_owned(),
            phone: Some(format!("+999{:08}", self.registrations.len())),
        })
    }

    async fn terminals(&mut self) -> anyhow::Result<Vec<TerminalJson>> {
        let mut terminals = Vec::new();
        for (listener, count) in self.plan.terminals.per_listener.iter().enumerate() {
            let more = if listener == 0 { self.plan.terminals.more } else { 0 };
            for index in 1..=*count {
                let tid = format!("{:08}", 10_000_000 * (listener + 1) + index as usize);
                let merchant = if index > count - more { 0 } else { index as usize };
                terminals
                    .push(self.terminal(&tid, (index as usize, merchant), listener, KeyScheme::Tdes).await?);
            }
        }
        for (index, tid) in self.plan.terminals.special.iter().enumerate() {
            terminals.push(self.terminal(tid, (index, index), 0, KeyScheme::Tdes).await?);
        }
        Ok(terminals)
    }

    async fn scheme_terminals(&mut self) -> anyhow::Result<Vec<TerminalJson>> {
        let mut terminals = Vec::new();
        let supported = |group: &&SchemePlan| self.module.supports_scheme(group.scheme);
        let groups: Vec<&SchemePlan> = self.plan.terminals.scheme.iter().filter(supported).collect();
        for group in groups {
            for index in 0..group.count {
                let tid = format!("{:08}", group.first + index);
                terminals.push(
                    self.terminal(&tid, (index as usize, index as usize), group.listener, group.scheme)
                        .await?,
                );
            }
        }
        Ok(terminals)
    }

    async fn terminal(
        &mut self,
        tid: &str,
        (index, merchant): (usize, usize),
        listener: usize,
        scheme: KeyScheme,
    ) -> anyhow::Result<TerminalJson> {
        let merchant = &self.plan.merchants[merchant % self.plan.merchants.len()];
        let (key_set, keys) = self.keys.make(scheme).await?;
        let device = self.plan.devices.device(index, merchant.place);
        self.registrations.push(Registration::Terminal(TerminalRecord {
            id: tid.parse()?,
            merchant: merchant.mid.parse()?,
            merchant_name: merchant.name.clone(),
            keys: key_set,
            site: device.site(&merchant.mid),
        }));
        Ok(TerminalJson {
            tid: tid.to_owned(),
            mid: merchant.mid.clone(),
            keys,
            listener,
            merchant: merchant.name.clone(),
            device: Some(device),
            next: None,
        })
    }
}

/// The other bank's cards. They are not registered here: the host meets them at a terminal.
fn foreign_cards() -> anyhow::Result<Vec<CardJson>> {
    let card = |number: String| {
        Ok(CardJson {
            pan: with_check_digit(&number),
            expiry: EXPIRY.to_owned(),
            pin: random_pin(6)?,
            product: FOREIGN.to_owned(),
            phone: None,
        })
    };
    OtherBank::numbers().map(card).collect()
}

/// A PIN in which no digit comes more than twice: not one that a guesser tries first, and long enough for a keypad with
/// a dead key.
fn random_pin(digits: usize) -> anyhow::Result<String> {
    const ATTEMPTS: usize = 256; // one in six PINs is turned down
    for _ in 0..ATTEMPTS {
        let mut bytes = [0; 12];
        getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
        let pin: String = bytes.iter().take(digits).map(|b| char::from(b'0' + b % 10)).collect();
        if pin.bytes().all(|digit| pin.bytes().filter(|other| *other == digit).count() <= 2) {
            return Ok(pin);
        }
    }
    anyhow::bail!("the random generator repeats itself")
}

/// Adds the Luhn check digit (ISO/IEC 7812-1, annex B).
fn with_check_digit(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0');
            let value = if place % 2 == 0 { value * 2 } else { value };
            value / 10 + value % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_luhn() {
        assert_eq!(with_check_digit("7992739871"), "79927398713");
        assert_eq!(with_check_digit("621626100000000001"), "6216261000000000018");
    }

    #[test]
    fn the_built_in_plan_gives_enough_cards_and_terminals() {
        let plan = plan().unwrap();
        let standard: u32 =
            plan.cards.iter().filter(|c| c.product == "debit-standard").map(|c| c.count).sum();
        assert!(standard >= 30);
        assert!(plan.cards.iter().map(|c| c.count).sum::<u32>() + 2 >= 50);
        assert!(plan.terminals.per_listener.iter().sum::<u32>() >= 20);
    }
}
