//! A POS terminal: keys, trace numbers, and the stubbornness with which it reverses what was not answered.
//!
//! The life of a payment is [`Terminal::pay`]: send a reversal that is still owed, take a number, write down what would undo the
//! payment, send, read, believe or not, and strike out the reversal only when the answer is known (docs/reference/rules.md
//! R4 to R6). A decline is a normal [`Outcome`]; a [`TerminalError`]: nobody is there, or the terminal is not able.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iso8583::{Dialect, MessageBuilder};
use model::{Amount, BatchNumber, Expiry, Kind, MaskedPan, Pan, Stan, TerminalId};
use paycrypto::key::TdesKey;
use paycrypto::pin::{PanForPin, Pin};
use paycrypto::pin_block;

use crate::clock::{self, Civil};
use crate::fault::{self, Faults, Habits, Lottery};
use crate::keys::{self, KeyDownloadError, WorkKeys};
use crate::link::{Link, Received};
use crate::memory::{Memory, MemoryError, OwedReversal, Totals};
pub use crate::outcome::{Approved, Outcome};
use crate::reply::{self, Disbelief, Reply, Seal};
use crate::request::{Family, Financial, Setting};
use crate::sandbox::{Card, Listener, Sandbox, TerminalEntry};
use crate::step::{Answer, Step};

/// What may be set on a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long it waits for a reply.
    pub reply_timeout: Duration,
    /// How long it waits for a connection.
    pub connect_timeout: Duration,
    /// How often a reversal is sent before the terminal prints "call the service desk" and forgets it.
    pub reversal_sends_max: u32,
}

impl Default for Settings {
    /// Terminals wait 60 seconds; in a sandbox fifteen are enough for a person to notice.
    fn default() -> Self {
        Settings {
            reply_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            reversal_sends_max: 3,
        }
    }
}

/// Why a terminal could not do it.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// The number is not in the sandbox, or its listener is not.
    #[error("the sandbox has no terminal {0} with a listener")]
    Unknown(TerminalId),
    /// The listener speaks a dialect that this program does not have.
    #[error("no dialect is called {0}")]
    Dialect(String),
    /// Nobody listens.
    #[error("nothing listens on {address}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A payment before the first sign-in.
    #[error("the terminal has not signed in")]
    NotSignedIn,
    /// The host sent keys that are not for this terminal.
    #[error("the terminal refuses the keys")]
    Keys(#[from] KeyDownloadError),
    /// The dialect cannot carry it.
    #[error("the message cannot be written")]
    Encode(#[from] iso8583::EncodeError),
    /// Trace numbers cannot be kept.
    #[error("the terminal's memory fails")]
    Memory(#[from] MemoryError),
    /// There is nothing to void, complete or repeat.
    #[error("there is no {0} in this terminal's memory")]
    NothingToDo(&'static str),
    /// The dialect has no such message.
    #[error("this dialect has no {0}")]
    NotInDialect(&'static str),
}

/// A terminal.
pub struct Terminal {
    id: TerminalId,
    merchant: model::MerchantId,
    tmk: TdesKey,
    listener: Listener,
    dialect: Arc<Dialect>,
    family: Family,
    link: Link,
    keys: Option<WorkKeys>,
    memory: Memory,
    settings: Settings,
    habits: Habits,
    lottery: Lottery,
    financial_messages: u32,
    /// What shall go wrong with the next message; then it is forgotten.
    pub faults: Faults,
    approved: Vec<Approved>,
    last: Option<Answered>,
    log: Vec<Step>,
}

/// The last exchange that was answered: for sending the same frame once more.
#[derive(Clone)]
struct Answered {
    frame: Vec<u8>,
    reply: Vec<u8>,
    step: Step,
}

/// What is about to be sent.
struct Sending<'a> {
    message: MessageBuilder,
    what: &'static str,
    stan: Option<Stan>,
    card: Option<MaskedPan>,
    amount: Option<Amount>,
    signed: bool,
    faults: &'a Faults,
}

/// What came of it.
pub(crate) enum Exchange {
    Believed(Box<Reply>),
    Disbelieved(Disbelief),
    Silence,
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
        let listener = sandbox.listener_of(entry).ok_or(TerminalError::Unknown(id))?.clone();
        let dialect = Dialect::builtin(&listener.dialect)
            .ok_or_else(|| TerminalError::Dialect(listener.dialect.clone()))?;
        Ok(Terminal {
            id,
            merchant: entry.mid,
            tmk: copy_of_key(entry),
            family: Family::of(&listener.dialect),
            link: Link::new(listener.address.clone(), listener.framing),
            listener,
            dialect,
            keys: None,
            memory,
            settings,
            habits: Habits::of(id),
            lottery: Lottery::seeded(id),
            financial_messages: 0,
            faults: Faults::default(),
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

    /// For load: writes used trace numbers in blocks.
    pub fn reserve_trace_numbers(&mut self, at_a_time: u32) {
        self.memory.reserve_at_a_time(at_a_time);
    }

    /// Has it keys?
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.keys.is_some()
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
        let stan = self.memory.take_stan()?;
        self.keys = None;
        let message = self.setting().sign_in(stan);
        let (outcome, exchange) = self.network(message, "sign-in", Some(stan)).await?;
        if let Exchange::Believed(reply) = exchange
            && outcome.answer.is_approval()
        {
            self.keys = Some(WorkKeys::unwrap(&self.tmk, &reply.keys)?);
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
            self.keys = None;
        }
        Ok(outcome)
    }

    /// 回响: is anybody there?
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn echo(&mut self) -> Result<Outcome, TerminalError> {
        let stan = match self.family {
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
        if self.family == Family::Iso87 {
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
                self.keys = None;
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
        let pin_block = match entered.map(|pin| self.pin_block(pin, &card.pan)).transpose() {
            Ok(block) => block,
            Err(why) => return why.into_outcome(self, kind, card, amount),
        };
        self.financial(kind, &card.pan, card.expiry, amount, pin_block, None).await
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

    /// Sends the last frame once more, unchanged, and says whether the same bytes came back.
    ///
    /// # Errors
    /// [`TerminalError::NothingToDo`] before the first answer.
    pub async fn repeat(&mut self) -> Result<Outcome, TerminalError> {
        let Answered { frame, reply: first, mut step } =
            self.last.clone().ok_or(TerminalError::NothingToDo("frame to repeat"))?;
        self.connect().await?;
        let began = (clock::now_ms(), Instant::now());
        let second = match self.link.send(&frame).await {
            Ok(()) => self.link.receive(self.settings.reply_timeout).await.ok(),
            Err(_) => None,
        };
        let same = second.as_ref().map(|s| s.body == first);
        (step.at_ms, step.took_ms, step.what) = (began.0, millis(began.1), "repeat");
        step.answer = second.as_ref().map_or(Answer::Silence, |reply| self.answer_in(&reply.body));
        step.note = match same {
            Some(true) => "same bytes".to_owned(),
            Some(false) => "other bytes than the first time".to_owned(),
            None => String::new(),
        };
        self.log.push(step.clone());
        Ok(Outcome { same_bytes: same, ..Outcome::bare(step) })
    }

    /// DE 39 of a reply that is not judged any further.
    fn answer_in(&self, body: &[u8]) -> Answer {
        match self.dialect.decode(body) {
            Ok(reply) => reply
                .text(39)
                .and_then(|code| code.to_string().parse().ok())
                .map_or_else(|| Answer::Unusable(Disbelief::Unreadable.to_string()), Answer::Code),
            Err(_) => Answer::Unusable(Disbelief::Unreadable.to_string()),
        }
    }

    /// Sends the reversal that is owed, if one is, until it is answered or was sent often enough.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn send_owed_reversal(&mut self) -> Result<Option<Outcome>, TerminalError> {
        let mut last = None;
        while let Some(owed) = self.memory.reversal().cloned() {
            let outcome = self.reverse(owed).await?;
            let finished = outcome.answer.code().is_some_and(|c| matches!(c.as_str(), "00" | "12" | "25"));
            let sends = self.memory.reversal().map_or(0, |r| r.sends);
            if finished || sends >= self.settings.reversal_sends_max {
                self.memory.owe(None)?;
            }
            if !finished && sends >= self.settings.reversal_sends_max {
                self.note("reversal given up: call the service desk");
            }
            last = Some(outcome);
        }
        Ok(last)
    }

    async fn reverse(&mut self, mut owed: OwedReversal) -> Result<Outcome, TerminalError> {
        if self.keys.is_none() {
            return Err(TerminalError::NotSignedIn);
        }
        if self.family == Family::Iso87 && owed.own_stan.is_none() {
            owed.own_stan = Some(self.memory.take_stan()?.get());
        }
        let message = self.setting().reversal(&owed);
        owed.sends += 1;
        self.memory.owe(Some(owed.clone()))?;
        let faults = std::mem::take(&mut self.faults);
        let sending = Sending {
            message,
            what: "reversal",
            stan: Stan::new(owed.own_stan.unwrap_or(owed.stan)).ok(),
            card: owed.pan.parse::<Pan>().ok().map(|p| p.masked()),
            amount: Some(Amount(owed.amount)),
            signed: true,
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
        pin_block: Option<[u8; 8]>,
        original: Option<&Approved>,
    ) -> Result<Outcome, TerminalError> {
        if self.keys.is_none() {
            return Err(TerminalError::NotSignedIn);
        }
        self.connect().await?;
        self.send_owed_reversal().await?;
        self.financial_messages = self.financial_messages.wrapping_add(1);
        let setting = self.setting();
        let stan = self.memory.take_stan()?;
        let what = Financial { kind, pan, expiry, amount, stan, pin_block, original };
        if kind.reversible() {
            self.memory.owe(Some(setting.owed(&what)))?;
        }
        let faults = std::mem::take(&mut self.faults);
        let (outcome, exchange) = self
            .exchange(Sending {
                message: setting.financial(&what),
                what: kind.name(),
                stan: Some(stan),
                card: Some(pan.masked()),
                amount: kind.needs_amount().then_some(amount),
                signed: true,
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
            Kind::Balance | Kind::PreAuth | Kind::PreAuthVoid => {}
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

    async fn network(
        &mut self,
        message: MessageBuilder,
        what: &'static str,
        stan: Option<Stan>,
    ) -> Result<(Outcome, Exchange), TerminalError> {
        let faults = std::mem::take(&mut self.faults);
        self.exchange(Sending {
            message,
            what,
            stan,
            card: None,
            amount: None,
            signed: false,
            faults: &faults,
        })
        .await
    }

    /// One request and its reply, with whatever shall go wrong on the way.
    async fn exchange(&mut self, sending: Sending<'_>) -> Result<(Outcome, Exchange), TerminalError> {
        let mut body = self.body(&sending)?;
        if sending.faults.corrupt_mac
            && let Some(last) = body.last_mut()
        {
            *last ^= 0x01;
        }
        let frame = self.link.frame(&body).map_err(|e| self.unreachable(e))?;
        self.connect().await?;
        let began = (clock::now_ms(), Instant::now());
        let mut notes = Vec::new();
        let received = self.transfer(&frame, sending.faults, &mut notes).await;
        let mut step = Step {
            at_ms: began.0,
            mti: sending.message.mti().to_string(),
            stan: sending.stan.map(|s| s.to_string()),
            card: sending.card.clone(),
            amount: sending.amount,
            took_ms: millis(began.1),
            ..self.empty_step(sending.what)
        };
        let exchange = self.judge(&sending, &body, received.first.as_ref());
        match &received.first {
            Some(first) => notes.extend(order_note(first.order).map(str::to_owned)),
            None => self.link.hang_up(),
        }
        step.note = notes.join("; ");
        let outcome = Outcome { same_bytes: received.same_bytes, ..Outcome::of(step, &exchange) };
        if let Some(first) = received.first {
            self.last = Some(Answered { frame, reply: first.body, step: outcome.step.clone() });
        }
        self.log.push(outcome.step.clone());
        Ok((outcome, exchange))
    }

    fn body(&self, sending: &Sending<'_>) -> Result<Vec<u8>, TerminalError> {
        let foreign;
        let seal = match (&self.keys, sending.signed) {
            (Some(keys), true) if sending.faults.wrong_tak => {
                foreign = WorkKeys { tpk: keys::another(&keys.tpk), tak: keys::another(&keys.tak) };
                Some(Seal { algorithm: self.listener.mac, keys: &foreign })
            }
            (Some(keys), true) => Some(Seal { algorithm: self.listener.mac, keys }),
            _ => None,
        };
        Ok(reply::sealed_body(&self.dialect, &sending.message, seal)?)
    }

    /// Bytes out and bytes in. Whatever hinders them is silence to the terminal.
    async fn transfer(&mut self, frame: &[u8], faults: &Faults, notes: &mut Vec<String>) -> Transferred {
        if let Some(delay) = faults.delay {
            notes.push(format!("held back {} ms", delay.as_millis()));
            tokio::time::sleep(delay).await;
        }
        if faults.truncated_frame {
            notes.push("half of the frame was sent".to_owned());
            let _ = self.link.send(&frame[..frame.len() / 2]).await;
            return Transferred::default();
        }
        if faults.drop_request || self.lottery.loses(self.habits.loss_percent) {
            notes.push("request lost".to_owned());
            return Transferred::default();
        }
        if self.link.send(frame).await.is_err() || (faults.duplicate && self.link.send(frame).await.is_err())
        {
            return Transferred::default();
        }
        let first = self.link.receive(self.settings.reply_timeout).await.ok();
        let same_bytes = if faults.duplicate {
            notes.push("sent twice".to_owned());
            let second = self.link.receive(self.settings.reply_timeout).await.ok();
            first.as_ref().zip(second.as_ref()).map(|(a, b)| a.body == b.body)
        } else {
            None
        };
        if faults.drop_reply || (first.is_some() && self.lottery.loses(self.habits.loss_percent)) {
            notes.push("reply lost".to_owned());
            return Transferred { first: None, same_bytes };
        }
        Transferred { first, same_bytes }
    }

    fn judge(&self, sending: &Sending<'_>, body: &[u8], received: Option<&Received>) -> Exchange {
        let Some(received) = received else { return Exchange::Silence };
        let seal = match (&self.keys, sending.signed) {
            (Some(keys), true) => Some(Seal { algorithm: self.listener.mac, keys }),
            _ => None,
        };
        match reply::read(&self.dialect, body, &received.body, seal) {
            Ok(reply) => Exchange::Believed(Box::new(reply)),
            Err(why) => Exchange::Disbelieved(why),
        }
    }

    fn pin_block(&self, entered: &str, pan: &Pan) -> Result<[u8; 8], NoPinBlock> {
        let keys = self.keys.as_ref().ok_or(NoPinBlock::Keys)?;
        let pin = Pin::from_ascii(entered.as_bytes()).map_err(|_| NoPinBlock::Digits(entered.len()))?;
        let account = PanForPin::new(pan.reveal()).map_err(|_| NoPinBlock::Pan)?.account12();
        let clear = pin_block::encode_format_0(&pin, &account);
        Ok(if self.faults.wrong_tpk {
            clear.encrypt(&keys::another(&keys.tpk))
        } else {
            clear.encrypt(&keys.tpk)
        })
    }

    fn setting(&self) -> Setting {
        let now = clock::now_ms();
        let ahead = self.habits.clock_ahead_s;
        let jumps = self.habits.jumps_every.is_some_and(|n| self.financial_messages % n == n - 1);
        Setting {
            family: self.family,
            terminal: self.id,
            merchant: if jumps { fault::jumped(self.merchant) } else { self.merchant },
            batch: self.memory.batch(),
            local: Civil::in_china(now + ahead * 1000),
            utc: Civil::utc(now + ahead * 1000),
            sends_time: ahead != 0,
        }
    }

    async fn connect(&mut self) -> Result<(), TerminalError> {
        self.link.connect(self.settings.connect_timeout).await.map_err(|e| self.unreachable(e))
    }

    fn unreachable(&self, source: io::Error) -> TerminalError {
        TerminalError::Unreachable { address: self.listener.address.clone(), source }
    }

    fn note(&mut self, note: &str) {
        if let Some(step) = self.log.last_mut() {
            step.note = [step.note.as_str(), note]
                .into_iter()
                .filter(|n| !n.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
        }
    }

    fn empty_step(&self, what: &'static str) -> Step {
        Step {
            at_ms: clock::now_ms(),
            terminal: self.id,
            mti: "----".to_owned(),
            what,
            stan: None,
            card: None,
            amount: None,
            answer: Answer::Silence,
            rrn: None,
            took_ms: 0,
            note: String::new(),
        }
    }
}

#[derive(Default)]
struct Transferred {
    first: Option<Received>,
    same_bytes: Option<bool>,
}

/// Why a PIN pad gives no block.
enum NoPinBlock {
    Keys,
    Digits(usize),
    Pan,
}

impl NoPinBlock {
    /// Too few digits are a normal thing to happen at a PIN pad; nothing is sent.
    fn into_outcome(
        self,
        terminal: &mut Terminal,
        kind: Kind,
        card: &Card,
        amount: Amount,
    ) -> Result<Outcome, TerminalError> {
        let why = match self {
            NoPinBlock::Keys => return Err(TerminalError::NotSignedIn),
            NoPinBlock::Digits(count) => format!("{count} digits arrived; a PIN has 4 to 12"),
            NoPinBlock::Pan => "the card number is too short for a PIN block".to_owned(),
        };
        terminal.faults = Faults::default();
        let step = Step {
            card: Some(card.pan.masked()),
            amount: kind.needs_amount().then_some(amount),
            answer: Answer::NotSent(why),
            ..terminal.empty_step(kind.name())
        };
        terminal.log.push(step.clone());
        Ok(Outcome::bare(step))
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
        | Kind::Cash => None,
    }
}

/// The header's 处理要求 (rules F3).
fn order_note(order: u8) -> Option<&'static str> {
    match order {
        1 => Some("host orders: download parameters"),
        2 => Some("host orders: upload status"),
        3 => Some("host orders: sign in again"),
        4 => Some("host orders: download CA keys"),
        5 => Some("host orders: download chip parameters"),
        6 => Some("host orders: download the application"),
        7 => Some("host orders: download the BIN blacklist"),
        _ => None,
    }
}

fn copy_of_key(entry: &TerminalEntry) -> TdesKey {
    let bytes = entry.tmk.expose_bytes();
    match (<&[u8; 16]>::try_from(bytes), <&[u8; 24]>::try_from(bytes)) {
        (Ok(double), _) => TdesKey::double(double),
        (_, Ok(triple)) => TdesKey::triple(triple),
        _ => unreachable!("a TDES key has 16 or 24 bytes"),
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
