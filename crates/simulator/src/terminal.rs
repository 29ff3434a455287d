//! A POS terminal: keys, trace numbers, and the stubbornness with which it reverses what was not answered.
//!
//! The life of a payment is [`Terminal::pay`]: send a reversal that is still owed, take a number, write down what would undo the
//! payment, send, read, believe or not, and strike out the reversal only when the answer is known (docs/reference/rules.md
//! R4 to R6). A decline is a normal [`Outcome`]; a [`TerminalError`]: nobody is there, or the terminal is not able.

mod error;
mod exchange;
mod line;
mod operators;
mod report;
mod varied;

use std::io;
use std::time::Duration;

use model::{Amount, BatchNumber, Expiry, Kind, Pan, Stan, TerminalId};
use paycrypto::pin::{PanForPin, Pin};

use crate::clock::{self, Civil};
use crate::device::{self, Diary};
use crate::fault::{self, Faults, Habits, Lottery};
pub use crate::keys::{KeyDownloadError, KeysError, NoRandomness};
use crate::memory::{Memory, MemoryError, OwedReversal, Totals};
pub use crate::outcome::{Approved, Outcome};
use crate::reply;
use crate::request::{Family, Financial, KsnField, Setting};
use crate::sandbox::{Card, Sandbox};
use crate::step::{Answer, Step};
pub use error::TerminalError;
pub(crate) use exchange::Exchange;
use exchange::{Answered, Sending};
use line::{KeySets, Line};
pub use operators::OperatorAct;
pub use varied::{Varied, Written};

/// What may be set on a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long it waits for a reply.
    pub reply_timeout: Duration,
    /// How long it waits for a connection.
    pub connect_timeout: Duration,
    /// How often a reversal is sent before the terminal prints "call the service desk" and forgets it.
    pub reversal_sends_max: u32,
    /// Does it sign in again before its next payment, when the host orders it? Otherwise the order is only noted.
    pub obeys: bool,
}

impl Default for Settings {
    /// Terminals wait 60 seconds; in a sandbox fifteen are enough for a person to notice.
    fn default() -> Self {
        Settings {
            reply_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            reversal_sends_max: 3,
            obeys: true,
        }
    }
}

/// A terminal.
pub struct Terminal {
    id: TerminalId,
    merchant: model::MerchantId,
    key_sets: KeySets,
    line: Line,
    memory: Memory,
    settings: Settings,
    habits: Habits,
    lottery: Lottery,
    financial_messages: u32,
    /// The last answer ordered a sign-in.
    pub(crate) sign_in_ordered: bool,
    diary: Option<Diary>,
    /// What shall go wrong with the next message; then it is forgotten.
    pub faults: Faults,
    /// The code of a second proof that is typed with the next payment (rules P12); then it is forgotten.
    pub code: Option<String>,
    approved: Vec<Approved>,
    last: Option<Answered>,
    log: Vec<Step>,
}

/// How many approved transactions a terminal remembers for voids. A real one keeps its batch; this bounds load runs.
const APPROVED_MAX: usize = 1000;

impl Terminal {
    /// The terminal of this number, with its memory in the sandbox's directory if there is one.
    ///
    /// # Errors
    /// [`TerminalError`], among them [`MemoryError::InUse`] when another process is this terminal.
    pub fn open(sandbox: &Sandbox, id: TerminalId, settings: Settings) -> Result<Terminal, TerminalError> {
        let memory = match &sandbox.directory {
            Some(directory) => Memory::open(directory, id)?,
            None => Memory::from_clock(clock::now_ms()),
        };
        Terminal::with_memory(sandbox, id, settings, memory)
    }

    /// The same with a memory of the caller's.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub fn with_memory(
        sandbox: &Sandbox,
        id: TerminalId,
        settings: Settings,
        memory: Memory,
    ) -> Result<Terminal, TerminalError> {
        let entry = sandbox.terminal(id).ok_or(TerminalError::Unknown(id))?;
        let key_sets = KeySets::of(sandbox, entry).ok_or(TerminalError::Unknown(id))?;
        let line = key_sets.switch_on(&memory)?;
        Ok(Terminal {
            id,
            merchant: entry.mid,
            key_sets,
            line,
            memory,
            settings,
            habits: Habits::of(id),
            lottery: Lottery::seeded(id),
            financial_messages: 0,
            sign_in_ordered: false,
            diary: entry.device.clone().map(Diary::of),
            faults: Faults::default(),
            code: None,
            approved: Vec::new(),
            last: None,
            log: Vec::new(),
        })
    }

    /// DE 41.
    #[must_use]
    pub fn id(&self) -> TerminalId {
        self.id
    }

    /// DE 42, as it is registered.
    #[must_use]
    pub fn merchant(&self) -> model::MerchantId {
        self.merchant
    }

    /// Its lasting faults.
    #[must_use]
    pub fn habits(&self) -> &Habits {
        &self.habits
    }

    /// What it remembers.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// For load: writes used trace numbers and key serial numbers in blocks.
    pub fn reserve_trace_numbers(&mut self, at_a_time: u32) {
        self.memory.reserve_at_a_time(at_a_time);
    }

    /// Is it able to pay? A DUKPT device has its keys without a sign-in, and needs one only where there are batches.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.line.keys.are_ready(self.line.family == Family::UnionPay)
    }

    /// Approved transactions of this run, oldest first.
    #[must_use]
    pub fn approved(&self) -> &[Approved] {
        &self.approved
    }

    /// The steps since the last call.
    pub fn take_log(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.log)
    }

    /// 签到: takes keys and batch from the host.
    ///
    /// # Errors
    /// [`TerminalError`]; keys with a wrong check value are refused and the old ones are gone.
    pub async fn sign_in(&mut self) -> Result<Outcome, TerminalError> {
        let (setting, device) = (self.setting(), self.line.keys.device());
        if !setting.has_sign_in() {
            return Err(TerminalError::NotInDialect("sign-in for SM4 keys"));
        }
        let stan = self.memory.take_stan()?;
        self.line.keys.sign_out();
        self.sign_in_ordered = false;
        let message = setting.sign_in(stan, device);
        let (outcome, exchange) = self.network(message, "sign-in", Some(stan)).await?;
        if let Exchange::Believed(reply) = exchange
            && outcome.answer.is_approval()
        {
            self.line.keys.sign_in(&reply.keys)?;
            if let Some(batch) = reply.batch.and_then(|b| BatchNumber::new(b).ok()) {
                self.memory.set_batch(batch)?;
            }
        }
        Ok(outcome)
    }

    /// 签退.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn sign_out(&mut self) -> Result<Outcome, TerminalError> {
        let stan = self.memory.take_stan()?;
        let message = self.setting().sign_out(stan);
        let (outcome, _) = self.network(message, "sign-out", Some(stan)).await?;
        if outcome.answer.is_approval() {
            self.line.keys.sign_out();
        }
        Ok(outcome)
    }

    /// 回响: is anybody there?
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn echo(&mut self) -> Result<Outcome, TerminalError> {
        let stan = match self.line.family {
            Family::Iso87 => Some(self.memory.take_stan()?),
            Family::UnionPay => None,
        };
        let number =
            stan.map_or_else(|| Stan::new(0), Ok).map_err(|e| MemoryError::Io(io::Error::other(e)))?;
        let message = self.setting().echo(number);
        Ok(self.network(message, "echo", stan).await?.0)
    }

    /// 批结算: compares totals; when the host has answered, a new batch begins with the next sign-in.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn settle(&mut self) -> Result<Outcome, TerminalError> {
        if self.line.family == Family::Iso87 {
            return Err(TerminalError::NotInDialect("batch settlement"));
        }
        self.send_owed_reversal().await?;
        let stan = self.memory.take_stan()?;
        let message = self.setting().settlement(stan, self.memory.totals());
        let (mut outcome, exchange) = self.network(message, "settlement", Some(stan)).await?;
        if let Exchange::Believed(reply) = exchange {
            outcome.balanced = reply.settlement.as_deref().and_then(reply::settlement_result);
            if outcome.answer.is_approval() {
                self.memory.set_totals(Totals::default())?;
                self.approved.clear();
                self.line.keys.sign_out();
            }
        }
        Ok(outcome)
    }

    /// Balance, sale, pre-authorization, refund: a card at the terminal. `typed` is what fingers typed; the keypad
    /// decides what arrives.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn pay(
        &mut self,
        kind: Kind,
        card: &Card,
        amount: Amount,
        typed: Option<&str>,
    ) -> Result<Outcome, TerminalError> {
        let entered = typed.map(|typed| self.habits.keypad.enter(typed));
        self.pay_with(kind, card, amount, entered.as_ref().map(|pin| pin.reveal().as_str())).await
    }

    /// The same with the digits that the keypad gave.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn pay_with(
        &mut self,
        kind: Kind,
        card: &Card,
        amount: Amount,
        entered: Option<&str>,
    ) -> Result<Outcome, TerminalError> {
        self.able_to_pay()?;
        match entered.map(|pin| Entered::at(&card.pan, pin)).transpose() {
            Ok(entered) => self.financial(kind, &card.pan, card.expiry, amount, entered.as_ref(), None).await,
            Err(why) => Ok(self.not_sent(kind, card, amount, why)),
        }
    }

    /// PIN change: the holder types the present PIN and a new one. A keypad that misbehaves does so with both.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn change_pin(&mut self, card: &Card, old: &str, new: &str) -> Result<Outcome, TerminalError> {
        self.able_to_pay()?;
        let (old, new) = (self.habits.keypad.enter(old), self.habits.keypad.enter(new));
        let entered = Entered::at(&card.pan, old.reveal()).and_then(|old| old.with_new(new.reveal()));
        let kind = Kind::PinChange;
        match entered {
            Ok(entered) => {
                self.financial(kind, &card.pan, card.expiry, Amount::ZERO, Some(&entered), None).await
            }
            Err(why) => Ok(self.not_sent(kind, card, Amount::ZERO, why)),
        }
    }

    /// Voids an approved transaction (撤销), or the last one that is open.
    ///
    /// # Errors
    /// [`TerminalError::NothingToDo`] when there is none.
    pub async fn void(&mut self, stan: Option<Stan>) -> Result<Outcome, TerminalError> {
        let at = self
            .approved
            .iter()
            .rposition(|a| !a.closed && void_of(a.kind).is_some() && stan.is_none_or(|s| s == a.stan))
            .ok_or(TerminalError::NothingToDo("transaction to void"))?;
        let original = self.approved[at].clone();
        let kind = void_of(original.kind).ok_or(TerminalError::NothingToDo("transaction to void"))?;
        self.follow_up(kind, at, original.amount).await
    }

    /// Completes the last open pre-authorization (预授权完成).
    ///
    /// # Errors
    /// [`TerminalError::NothingToDo`] when there is none.
    pub async fn complete(&mut self, amount: Amount) -> Result<Outcome, TerminalError> {
        let at = self
            .approved
            .iter()
            .rposition(|a| !a.closed && a.kind == Kind::PreAuth)
            .ok_or(TerminalError::NothingToDo("pre-authorization to complete"))?;
        self.follow_up(Kind::Completion, at, amount).await
    }

    async fn follow_up(&mut self, kind: Kind, at: usize, amount: Amount) -> Result<Outcome, TerminalError> {
        let original = self.approved[at].clone();
        let (pan, expiry) = (original.pan.clone(), original.expiry);
        let outcome = self.financial(kind, &pan, expiry, amount, None, Some(&original)).await?;
        if outcome.answer.is_approval()
            && let Some(original) = self.approved.iter_mut().find(|a| a.stan == original.stan)
        {
            original.closed = true;
        }
        Ok(outcome)
    }

    /// Sends the reversal that is owed, if one is, until it is answered or was sent often enough.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn send_owed_reversal(&mut self) -> Result<Option<Outcome>, TerminalError> {
        let mut last = None;
        while let Some(outcome) = self.try_owed_reversal().await? {
            last = Some(outcome);
            if self.memory.reversal().is_some_and(|owed| owed.sends >= self.settings.reversal_sends_max) {
                self.memory.owe(None)?;
                self.note("reversal given up: call the service desk");
            }
        }
        Ok(last)
    }

    /// Sends the reversal that is owed once. Unless it was answered it is still owed afterwards: for callers who never
    /// give up, and who sign in again when the host asks for it.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn try_owed_reversal(&mut self) -> Result<Option<Outcome>, TerminalError> {
        let Some(owed) = self.memory.reversal().cloned() else { return Ok(None) };
        let outcome = self.reverse(owed).await?;
        if outcome.answer.code().is_some_and(|c| matches!(c.as_str(), "00" | "12" | "25")) {
            self.memory.owe(None)?;
        }
        Ok(Some(outcome))
    }

    async fn reverse(&mut self, mut owed: OwedReversal) -> Result<Outcome, TerminalError> {
        self.able_to_pay()?;
        let keys = self.line.keys.reversal(&mut self.memory, owed.sends > 0)?;
        if self.line.family == Family::Iso87 && owed.own_stan.is_none() {
            owed.own_stan = Some(self.memory.take_stan()?.get());
        }
        let message = self.setting().reversal(&owed, keys.ksn);
        owed.sends += 1;
        self.memory.owe(Some(owed.clone()))?;
        let faults = std::mem::take(&mut self.faults);
        let sending = Sending {
            message,
            what: "reversal",
            stan: Stan::new(owed.own_stan.unwrap_or(owed.stan)).ok(),
            card: owed.pan.parse::<Pan>().ok().map(|p| p.masked()),
            amount: Some(Amount(owed.amount)),
            keys: Some(keys),
            // Faults were ordered for the payment that follows, not for the reversal before it.
            faults: &Faults::default(),
        };
        let result = self.exchange(sending).await;
        self.faults = faults;
        let (outcome, _) = result?;
        Ok(outcome)
    }

    async fn financial(
        &mut self,
        kind: Kind,
        pan: &Pan,
        expiry: Expiry,
        amount: Amount,
        entered: Option<&Entered>,
        original: Option<&Approved>,
    ) -> Result<Outcome, TerminalError> {
        self.able_to_pay()?;
        self.connect().await?;
        self.send_owed_reversal().await?;
        if self.settings.obeys && self.sign_in_ordered {
            // What was ordered to go wrong is for the payment.
            let faults = std::mem::take(&mut self.faults);
            let signed_in = Box::pin(self.sign_in()).await;
            self.faults = faults;
            signed_in?;
            self.able_to_pay()?;
        }
        let keys = self.line.keys.payment(&mut self.memory, self.faults.replayed_ksn)?;
        let block = |pin: &Pin, pan: &PanForPin| match self.faults.wrong_tpk {
            true => keys.pin.another().block(pin, pan),
            false => keys.pin.block(pin, pan),
        };
        let pin_block = entered.map(|entered| block(&entered.pin, &entered.pan)).transpose()?;
        let new_pin = entered.and_then(|entered| entered.new_pin.as_ref().map(|pin| (pin, &entered.pan)));
        let new_pin_block = new_pin.map(|(pin, pan)| block(pin, pan)).transpose()?;
        self.financial_messages = self.financial_messages.wrapping_add(1);
        let setting = self.setting();
        let stan = self.memory.take_stan()?;
        if let (Some(diary), Some(entered)) = (&mut self.diary, entered) {
            diary.pin_entry_ms.get_or_insert(device::usual_typing_ms(entered.digits, stan.get()));
        }
        let what =
            Financial { kind, pan, expiry, amount, stan, ksn: keys.ksn, pin_block, new_pin_block, original };
        if kind.reversible() {
            self.memory.owe(Some(setting.owed(&what)))?;
        }
        let faults = std::mem::take(&mut self.faults);
        let mut message = setting.financial(&what);
        if let Some(code) = self.code.take() {
            message.set(47, &format!("PW02{code}"));
        }
        let (outcome, exchange) = self
            .exchange(Sending {
                message,
                what: kind.name(),
                stan: Some(stan),
                card: Some(pan.masked()),
                amount: kind.needs_amount().then_some(amount),
                keys: Some(keys),
                faults: &faults,
            })
            .await?;
        self.conclude(exchange)?;
        if outcome.answer.is_approval() {
            self.book(&what, &setting, &outcome)?;
        }
        Ok(outcome)
    }

    /// Strikes the reversal out when the outcome is known, or writes the reason on it (rules R5).
    fn conclude(&mut self, exchange: Exchange) -> Result<(), MemoryError> {
        let reason = match exchange {
            // 68 and 98 say that somebody behind the host did not answer in time: the outcome is unknown.
            Exchange::Believed(reply) if matches!(reply.code.as_str(), "68" | "98") => "98",
            Exchange::Believed(_) => return self.memory.owe(None),
            Exchange::Disbelieved(why) => why.reversal_reason(),
            Exchange::Silence => "98",
        };
        match self.memory.reversal().cloned() {
            Some(owed) => self.memory.owe(Some(OwedReversal { reason: reason.to_owned(), ..owed })),
            None => Ok(()),
        }
    }

    fn book(
        &mut self,
        what: &Financial<'_>,
        setting: &Setting,
        outcome: &Outcome,
    ) -> Result<(), MemoryError> {
        let mut totals = self.memory.totals();
        match what.kind {
            Kind::Sale | Kind::Completion | Kind::Cash => totals.debit(what.amount),
            Kind::SaleVoid | Kind::CompletionVoid => totals.undo_debit(what.amount),
            Kind::Refund => totals.credit(what.amount),
            Kind::Balance | Kind::PreAuth | Kind::PreAuthVoid | Kind::PinChange => {}
        }
        if totals != self.memory.totals() {
            self.memory.set_totals(totals)?;
        }
        if self.approved.len() >= APPROVED_MAX {
            self.approved.remove(0);
        }
        self.approved.push(Approved {
            kind: what.kind,
            pan: what.pan.clone(),
            expiry: what.expiry,
            amount: what.amount,
            stan: what.stan,
            batch: setting.batch,
            mti: outcome.step.mti.clone(),
            date: outcome.host_time.as_ref().map_or_else(|| setting.local.mmdd(), |(_, date)| date.clone()),
            sent_at: format!("{}{}", setting.utc.mmdd(), setting.utc.hhmmss()),
            rrn: outcome.step.rrn.clone(),
            approval: outcome.approval.clone(),
            closed: false,
        });
        Ok(())
    }

    fn able_to_pay(&self) -> Result<(), TerminalError> {
        if self.is_signed_in() { Ok(()) } else { Err(TerminalError::NotSignedIn) }
    }

    /// Too few digits are a normal thing to happen at a PIN pad; nothing is sent.
    fn not_sent(&mut self, kind: Kind, card: &Card, amount: Amount, why: String) -> Outcome {
        self.faults = Faults::default();
        let step = Step {
            card: Some(card.pan.masked()),
            amount: kind.needs_amount().then_some(amount),
            answer: Answer::NotSent(why),
            ..self.empty_step(kind.name())
        };
        self.log.push(step.clone());
        Outcome::bare(step)
    }

    pub(crate) fn setting(&self) -> Setting {
        let now = clock::now_ms();
        let ahead = self.habits.clock_ahead_s;
        let jumps = self.habits.jumps_every.is_some_and(|n| self.financial_messages % n == n - 1);
        Setting {
            family: self.line.family,
            scheme: self.line.scheme,
            ksn_field: KsnField::of(&self.line.dialect),
            terminal: self.id,
            merchant: if jumps { fault::jumped(self.merchant) } else { self.merchant },
            batch: self.memory.batch(),
            local: Civil::in_china(now + ahead * 1000),
            utc: Civil::utc(now + ahead * 1000),
            sends_time: ahead != 0,
        }
    }
}

/// A PIN as it came from the keypad, and the card that it is for.
pub(crate) struct Entered {
    pub(crate) pin: Pin,
    pub(crate) pan: PanForPin,
    digits: usize,
    /// In a PIN change.
    new_pin: Option<Pin>,
}

impl Entered {
    /// The error says why a PIN pad refuses it.
    pub(crate) fn at(pan: &Pan, digits: &str) -> Result<Entered, String> {
        let pin = Pin::from_ascii(digits.as_bytes())
            .map_err(|_| format!("{} digits arrived; a PIN has 4 to 12", digits.len()))?;
        let pan = PanForPin::new(pan.reveal())
            .map_err(|_| "the card number is too short for a PIN block".to_owned())?;
        Ok(Entered { pin, pan, digits: digits.len(), new_pin: None })
    }

    fn with_new(self, digits: &str) -> Result<Entered, String> {
        let new = Pin::from_ascii(digits.as_bytes())
            .map_err(|_| format!("{} digits arrived; a PIN has 4 to 12", digits.len()))?;
        Ok(Entered { new_pin: Some(new), ..self })
    }
}

fn void_of(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Sale => Some(Kind::SaleVoid),
        Kind::PreAuth => Some(Kind::PreAuthVoid),
        Kind::Completion => Some(Kind::CompletionVoid),
        Kind::Balance
        | Kind::SaleVoid
        | Kind::Refund
        | Kind::PreAuthVoid
        | Kind::CompletionVoid
        | Kind::Cash
        | Kind::PinChange => None,
    }
}
