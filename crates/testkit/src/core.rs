//! The pure world: decisions over the memory store, without a message, a key or a socket. Faults on the wire become
//! what they mean: a request that never arrives decides nothing, a wrong key makes the PIN unverifiable.

mod reversing;

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use anyhow::{Context, bail};
use async_trait::async_trait;
use authorization::{
    Outcome, PinChangeOutcome, PinEvidence, PinVerdict, ProductPolicy, Products, Profile, Role,
    decide::{Case, References, decide},
    request::{OriginalRef, Request, ReversalRequest},
    settlement::Totals,
};
use model::{
    Amount, BatchNumber, CardId, Currency, Kind, Pan, PinOutcome, PinVerified, ReasonCode, SealedReference,
    Stan, Timestamp, TransactionKey, Unverifiable,
};
use simulator::{
    Faults,
    story::{Act, PinChoice, Verb},
};
use store::{
    Card, CardWork, Engine, Entry, Event, Exchange, Registration, Step as WorkStep, Store, Subject,
    journal::{LockedUntil, Transaction},
    memory::MemoryEngine,
};

use self::reversing::Reversing;
use crate::{
    CardFacts, Happened,
    scenario::{Directive, Scenario, Step},
};

/// Runs a scenario; an error names line and difference.
///
/// # Errors
/// The first line that does not come out as expected.
pub async fn run(scenario: &Scenario) -> anyhow::Result<()> {
    let mut world = World::new(scenario).await?;
    for step in scenario.steps() {
        match step {
            Step::Directive(Directive::Clock(ms)) => world.now = world.now.plus_ms(ms),
            Step::Directive(Directive::Module(up)) => world.module_up = up,
            Step::Directive(Directive::Rules(_)) => {
                bail!("rules are asked by the host, not by the pure core")
            }
            Step::Act { line, text, act } => {
                let happened = world.act(act).await;
                happened
                    .and_then(|happened| scenario.check(line, act, &happened))
                    .with_context(|| format!("{} (core), line {line}: {text}", scenario.story.name))?;
            }
        }
    }
    Ok(())
}

const START: Timestamp = Timestamp(1_795_000_000_000);
const OPENING_BALANCE: i64 = 10_000_000;

struct World {
    store: Store,
    engine: Arc<MemoryEngine>,
    products: Products,
    profile: Profile,
    terminals: Vec<Till>,
    cards: Vec<CardId>,
    /// PINs that cards changed to.
    pins: BTreeMap<CardId, String>,
    now: Timestamp,
    module_up: bool,
    /// Was the module asked in this line?
    asked: bool,
    serial: u64,
}

/// What a terminal remembers.
struct Till {
    id: model::TerminalId,
    batch: BatchNumber,
    stan: u32,
    signed_in: bool,
    owed: Option<Owed>,
    /// Open approvals: kind, amount, key, card, approval code.
    open: Vec<Open>,
    totals: Totals,
    last: Option<(Request, Entered, CardId)>,
}

#[derive(Clone)]
struct Owed {
    original: TransactionKey,
    amount: Amount,
    card: CardId,
    /// Did the original reach the host?
    arrived: bool,
}

#[derive(Clone)]
struct Open {
    kind: Kind,
    amount: Amount,
    key: TransactionKey,
    card: CardId,
}

/// What was typed: the PIN, and in a PIN change the digits of the new one.
#[derive(Clone)]
struct Entered {
    pin: Pin,
    new: Option<String>,
}

/// What the security module would find.
#[derive(Clone, Copy, PartialEq)]
enum Pin {
    Right,
    Wrong,
    Garbled,
    None,
}

impl World {
    async fn new(scenario: &Scenario) -> anyhow::Result<Self> {
        let engine = Arc::new(MemoryEngine::default());
        let store = Store::new(Arc::clone(&engine) as Arc<dyn Engine>);
        let mut cards = Vec::new();
        for (index, wish) in scenario.story.cards.iter().enumerate() {
            let pan: Pan = format!("91000199{:08}", index + 1).parse()?;
            cards.push(engine.card_id(&pan));
            let record = authorization::CardRecord {
                pan: pan.masked(),
                expiry: "9912".parse()?,
                product: wish.product.clone().unwrap_or_else(|| "debit-standard".to_owned()),
                currency: Currency::CNY,
                opening_balance: Amount(OPENING_BALANCE),
            };
            engine.register(vec![Registration::Card { pan, record, reference: None }]).await?;
        }
        let till = |index: usize| -> anyhow::Result<Till> {
            Ok(Till {
                id: format!("{:08}", 10_000_001 + index).parse()?,
                batch: BatchNumber::new(1)?,
                stan: 0,
                signed_in: false,
                owed: None,
                open: Vec::new(),
                totals: Totals::default(),
                last: None,
            })
        };
        let terminals = (0..scenario.story.terminals.len()).map(till).collect::<Result<_, _>>()?;
        Ok(Self {
            store,
            engine,
            products: Products::builtin(),
            profile: Profile::builtin("unionpay").context("built-in profile")?,
            terminals,
            cards,
            pins: BTreeMap::new(),
            now: START,
            module_up: true,
            asked: false,
            serial: 0,
        })
    }

    async fn act(&mut self, act: &Act) -> anyhow::Result<Happened> {
        self.asked = false;
        let money = |world: &Self, verb: &Verb| world.money(act.terminal, verb);
        let mut happened = Happened {
            answer: "00".to_owned(),
            reversed: None,
            same_bytes: None,
            balanced: None,
            pin_checked: false,
            card: None,
        };
        let card = match &act.verb {
            Verb::SignIn => {
                self.terminals[act.terminal].signed_in = true;
                None
            }
            Verb::SignOut => {
                self.terminals[act.terminal].signed_in = false;
                None
            }
            Verb::Echo => None,
            // The shop's people are not part of what this world decides about.
            Verb::Operator(_) => bail!("operators are of the world on the wire"),
            Verb::Settle => {
                happened.balanced = Some(self.settle(act.terminal).await?);
                None
            }
            Verb::Reverse => {
                let card = self.terminals[act.terminal].owed.as_ref().map(|o| o.card);
                happened.answer = self.reverse_owed(act.terminal).await?.unwrap_or_else(|| "!!".to_owned());
                card
            }
            Verb::Repeat => {
                let (request, entered, card) =
                    self.terminals[act.terminal].last.clone().context("nothing to repeat")?;
                let (first, _) = self.decide(&request, &entered, card).await?;
                happened.answer = first;
                happened.same_bytes = Some(true);
                Some(card)
            }
            verb => {
                happened.reversed = self.reverse_owed(act.terminal).await?;
                let Some((request, entered, card)) = money(self, verb)? else {
                    bail!("nothing open for {verb:?}")
                };
                self.pay(act.terminal, request, entered, card, &act.faults, &mut happened).await?;
                Some(card)
            }
        };
        happened.pin_checked = self.asked;
        happened.card = match card {
            Some(card) => Some(self.facts(card).await?),
            None => None,
        };
        Ok(happened)
    }

    /// The request that a verb makes, and what its PIN is worth.
    fn money(&self, terminal: usize, verb: &Verb) -> anyhow::Result<Option<(Request, Entered, CardId)>> {
        let till = &self.terminals[terminal];
        let open = |kinds: &[Kind]| till.open.iter().rev().find(|o| kinds.contains(&o.kind)).cloned();
        let plain = |kind, card: usize, amount, pin: &PinChoice| {
            Some((kind, self.cards[card], amount, self.worth(&self.cards[card], pin), None))
        };
        let parts = match verb {
            Verb::Balance { card, pin } => plain(Kind::Balance, *card, Amount::ZERO, pin),
            Verb::Sale { card, amount, pin } => plain(Kind::Sale, *card, *amount, pin),
            Verb::PreAuth { card, amount, pin } => plain(Kind::PreAuth, *card, *amount, pin),
            Verb::ChangePin { card, pin, .. } => plain(Kind::PinChange, *card, Amount::ZERO, pin),
            Verb::Refund { card, amount } => {
                Some((Kind::Refund, self.cards[*card], *amount, Pin::None, None))
            }
            Verb::Complete { amount } => {
                open(&[Kind::PreAuth]).map(|o| (Kind::Completion, o.card, *amount, Pin::None, Some(o.key)))
            }
            Verb::Void => open(&[Kind::Sale, Kind::PreAuth, Kind::Completion]).map(|o| {
                let kind = match o.kind {
                    Kind::PreAuth => Kind::PreAuthVoid,
                    Kind::Completion => Kind::CompletionVoid,
                    _ => Kind::SaleVoid,
                };
                (kind, o.card, o.amount, Pin::None, Some(o.key))
            }),
            other => bail!("{other:?} is not about money"),
        };
        let Some((kind, card, amount, pin, original)) = parts else { return Ok(None) };
        let stan = Stan::new(till.stan + 1)?;
        let key = TransactionKey { terminal: till.id, batch: till.batch, stan, day: 0 };
        let request = Request {
            kind,
            key,
            digest: u64::from(stan.get()),
            amount,
            currency: Currency::CNY,
            merchant: "898510154110283".parse()?,
            expiry: None,
            has_pin: pin != Pin::None,
            original: original
                .map(|key| OriginalRef { trace: Some((key.batch, key.stan)), ..OriginalRef::default() }),
            overtaken: false,
            sandbox: None,
        };
        let new = match verb {
            Verb::ChangePin { new: PinChoice::Digits(digits), .. } => Some(digits.clone()),
            Verb::ChangePin { .. } => Some(String::new()),
            _ => None,
        };
        Ok(Some((request, Entered { pin, new }, card)))
    }

    /// "Right" is the PIN that the card was issued with; once it was changed, only the digits are right.
    fn worth(&self, card: &CardId, pin: &PinChoice) -> Pin {
        match (pin, self.pins.get(card)) {
            (PinChoice::None, _) => Pin::None,
            (PinChoice::Right, None) => Pin::Right,
            (PinChoice::Digits(digits), Some(changed)) if digits == changed => Pin::Right,
            (PinChoice::Right | PinChoice::Wrong | PinChoice::Digits(_), _) => Pin::Wrong,
        }
    }

    async fn pay(
        &mut self,
        terminal: usize,
        request: Request,
        entered: Entered,
        card: CardId,
        faults: &Faults,
        happened: &mut Happened,
    ) -> anyhow::Result<()> {
        self.terminals[terminal].stan += 1;
        let lost = faults.drop_request || faults.truncated_frame;
        if lost || faults.drop_reply {
            if !lost {
                self.decide(&request, &entered, card).await?;
            }
            if request.kind.reversible() {
                let owed = Owed { original: request.key, amount: request.amount, card, arrived: !lost };
                self.terminals[terminal].owed = Some(owed);
            }
            happened.answer = "--".to_owned();
            return Ok(());
        }
        if !self.terminals[terminal].signed_in {
            happened.answer = "!!".to_owned();
            return Ok(());
        }
        if faults.corrupt_mac || faults.wrong_tak {
            happened.answer = self.profile.code(ReasonCode::MacInvalid, false).to_string();
            return Ok(());
        }
        let garbled = faults.wrong_tpk && entered.pin != Pin::None;
        let entered = if garbled { Entered { pin: Pin::Garbled, ..entered } } else { entered };
        let (answer, journal_seq) = self.decide(&request, &entered, card).await?;
        if faults.duplicate {
            let (again, seq_again) = self.decide(&request, &entered, card).await?;
            happened.same_bytes = Some(answer == again && journal_seq == seq_again);
        }
        if answer == "00" {
            self.book(terminal, &request, card);
        }
        self.terminals[terminal].last = Some((request, entered, card));
        happened.answer = answer;
        Ok(())
    }

    /// What the terminal keeps of an approval.
    fn book(&mut self, terminal: usize, request: &Request, card: CardId) {
        let till = &mut self.terminals[terminal];
        let (amount, key) = (request.amount, request.key);
        let original = request.original.and_then(|o| o.trace);
        let position = till
            .open
            .iter()
            .position(|o| original.is_some_and(|(batch, stan)| o.key.batch == batch && o.key.stan == stan));
        let closed = position.map(|index| till.open.remove(index));
        match request.kind {
            Kind::Sale | Kind::Completion => {
                till.totals.debit_count += 1;
                till.totals.debit_sum.0 += amount.0;
            }
            Kind::SaleVoid | Kind::CompletionVoid => {
                till.totals.debit_count -= 1;
                till.totals.debit_sum.0 -= closed.map_or(0, |c| c.amount.0);
            }
            Kind::Refund => {
                till.totals.credit_count += 1;
                till.totals.credit_sum.0 += amount.0;
            }
            _ => {}
        }
        if matches!(request.kind, Kind::Sale | Kind::PreAuth | Kind::Completion) {
            till.open.push(Open { kind: request.kind, amount, key, card });
        }
    }

    async fn decide(
        &mut self,
        request: &Request,
        entered: &Entered,
        card: CardId,
    ) -> anyhow::Result<(String, u64)> {
        self.serial += 1;
        let mut work = Paying {
            request: request.clone(),
            products: &self.products,
            profile: &self.profile,
            references: references(self.serial)?,
            now: self.now,
            entered,
            module_up: self.module_up,
            outcome: None,
        };
        let journaled = self.store.with_card(&card, &mut work).await.map_err(|e| anyhow::anyhow!("{e}"))?;
        self.asked |= work.outcome.is_some();
        let entry = self.engine.entry(journaled.journal_seq()).await?.context("entry")?;
        let Event::Transaction(transaction) = entry.event else { bail!("no transaction") };
        let new = entered.new.clone().filter(|_| transaction.reason == ReasonCode::Approved);
        if let Some(new) = new {
            self.pins.insert(card, new);
        }
        Ok((transaction.code.to_string(), journaled.journal_seq()))
    }

    /// Sends the reversal that the terminal owes.
    async fn reverse_owed(&mut self, terminal: usize) -> anyhow::Result<Option<String>> {
        let Some(owed) = self.terminals[terminal].owed.take() else { return Ok(None) };
        self.serial += 1;
        let request =
            ReversalRequest { key: owed.original, digest: 1, original: owed.original, amount: owed.amount };
        let mut work = Reversing {
            request,
            profile: &self.profile,
            products: &self.products,
            references: references(self.serial)?,
            now: self.now,
        };
        let journaled =
            self.store.with_card(&owed.card, &mut work).await.map_err(|e| anyhow::anyhow!("{e}"))?;
        let entry = self.engine.entry(journaled.journal_seq()).await?.context("entry")?;
        let Event::Transaction(transaction) = entry.event else { bail!("no transaction") };
        anyhow::ensure!(owed.arrived || transaction.original.is_none(), "there was nothing to undo");
        Ok(Some(transaction.code.to_string()))
    }

    async fn settle(&mut self, terminal: usize) -> anyhow::Result<bool> {
        let till = &self.terminals[terminal];
        let ours = self.engine.batch_totals(&till.id, till.batch).await?;
        let balanced = authorization::terminal::is_balanced(&ours, &till.totals);
        let till = &mut self.terminals[terminal];
        (till.batch, till.totals) = (till.batch.next(), Totals::default());
        Ok(balanced)
    }

    async fn facts(&self, card: CardId) -> anyhow::Result<CardFacts> {
        let card = self.engine.card(&card).await?.context("card")?;
        facts(&card, &self.products, self.now)
    }
}

/// A card's state in the words of scenarios.
pub(crate) fn facts(card: &Card, products: &Products, now: Timestamp) -> anyhow::Result<CardFacts> {
    let policy = products.get(&card.record.product).context("policy")?;
    Ok(CardFacts {
        tries_left: card.state.tries.left(policy.pin_try_limit),
        locked: card.state.lock.is_some_and(|lock| !lock.has_expired(now)),
        posted: card.record.opening_balance.0 - card.state.balance.0,
        held: card.state.held.0,
    })
}

fn references(serial: u64) -> anyhow::Result<References> {
    Ok(References { rrn: format!("{serial:012}").parse()?, approval: format!("{serial:06}").parse()? })
}

struct Paying<'a> {
    request: Request,
    products: &'a Products,
    profile: &'a Profile,
    references: References,
    now: Timestamp,
    entered: &'a Entered,
    module_up: bool,
    outcome: Option<Said>,
}

/// What the security module said.
enum Said {
    Asked(PinOutcome),
    Changed(PinChangeOutcome),
}

impl Paying<'_> {
    fn case<'c>(&'c self, card: &'c Card, policy: &'c ProductPolicy) -> Case<'c> {
        Case {
            card: card.id,
            policy,
            record: &card.record,
            state: &card.state,
            request: &self.request,
            references: self.references,
            risk: authorization::RiskVerdict::Pass,
            second: authorization::Second::default(),
            now: self.now,
        }
    }

    fn ask(&self, card: &Card, policy: &ProductPolicy) -> Said {
        let asked = self.about_pin(card.id);
        let Some(new) = &self.entered.new else { return Said::Asked(asked) };
        let digits: Vec<u8> = new.bytes().map(|byte| byte.wrapping_sub(b'0')).collect();
        let allowed = hsm::pin_rules::allows(&policy.pin.rules, &digits, &[], &model::NOBODY);
        Said::Changed(match asked {
            PinOutcome::Verified(verified) if allowed => PinChangeOutcome::Changed {
                verified,
                reference: SealedReference::new(vec![1]),
                retired: SealedReference::new(vec![0]),
            },
            PinOutcome::Verified(_) => PinChangeOutcome::NewPinRefused,
            other => PinChangeOutcome::Unchanged(other),
        })
    }

    fn about_pin(&self, card: CardId) -> PinOutcome {
        match self.entered.pin {
            _ if !self.module_up => PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable),
            Pin::Right => PinOutcome::Verified(PinVerified::attest(card)),
            Pin::Wrong => PinOutcome::Mismatch,
            Pin::Garbled | Pin::None => PinOutcome::Unverifiable(Unverifiable::PinBlockFormat),
        }
    }
}

#[async_trait]
impl CardWork for Paying<'_> {
    type Error = Infallible;

    async fn decide(&mut self, card: &Card) -> Result<WorkStep, Infallible> {
        let products = self.products;
        let Some(policy) = products.get(&card.record.product) else {
            unreachable!("scenarios name known products")
        };
        if self.outcome.is_none()
            && decide(&self.case(card, policy), PinEvidence::NotAsked) == Outcome::NeedsPin
        {
            self.outcome = Some(self.ask(card, policy));
        }
        let evidence = match &self.outcome {
            None => PinEvidence::NotAsked,
            Some(Said::Asked(outcome)) => PinEvidence::Asked(outcome),
            Some(Said::Changed(outcome)) => PinEvidence::Changed(outcome),
        };
        let decision = match decide(&self.case(card, policy), evidence) {
            Outcome::Repeat { journal_seq } => return Ok(WorkStep::Repeat(journal_seq)),
            Outcome::Decided(decision) => decision,
            Outcome::NeedsPin => unreachable!("the module was asked"),
        };
        if decision.pin == PinVerdict::Verified {
            assert!(matches!(self.entered.pin, Pin::Right), "only a right PIN is verified");
        }
        let code = decision.forced.unwrap_or_else(|| self.profile.code(decision.reason, policy.pick_up));
        let after = card.state.with_effects(self.now, &decision.effects);
        let transaction = Transaction {
            role: Role::Financial(self.request.kind),
            key: self.request.key,
            pan: card.record.pan.clone(),
            merchant: self.request.merchant,
            amount: self.request.amount,
            currency: self.request.currency,
            rrn: self.references.rrn,
            approval: None,
            reason: decision.reason,
            code,
            pin: decision.pin,
            tries_left: after.tries.left(policy.pin_try_limit),
            tries_limit: policy.pin_try_limit.get(),
            locked: after.lock.map(|lock| LockedUntil(lock.until)),
            effects: decision.effects,
            movement: decision.movement,
            original: decision.original,
            forwarded: None,
            rules: None,
            operator: None,
        };
        Ok(append(card, self.now, transaction))
    }
}

fn append(card: &Card, now: Timestamp, transaction: Transaction) -> WorkStep {
    let exchange = Exchange {
        dialect: "none".to_owned(),
        request: Vec::new(),
        reply: vec![1],
        received: now,
        took_us: 0,
        instance: None,
    };
    WorkStep::Append(Box::new(Entry {
        subject: Subject::Card(card.id),
        seq: card.state.seq + 1,
        at: now,
        event: Event::Transaction(Box::new(transaction)),
        exchange: Some(exchange),
    }))
}
