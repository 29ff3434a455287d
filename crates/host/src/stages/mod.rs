//! The stages of a message, one file each, in the order in which a payment passes them:
//!
//! 1. [`terminal`]      known, not suspended, at its merchant, signed in, in the right batch?
//! 2. [`authenticate`]  is the MAC right, and under which keys? ([`key_set`]: it moved to others)
//! 3. [`payment`]       card, duplicate, lock, PIN, funds: one decision, appended to the card's journal
//!    [`pin`]      what the security module says, to a PIN and to a new one
//!    [`risk`]          what the rules say about it, before it is appended
//!    [`forward`]       the same for a card of another issuer, whom it asks
//! 4. [`reversal`]      undo, or remember that there was nothing to undo yet
//! 5. [`sign_in`], [`settle`], [`notice`]   the terminal's own life
//!    [`mod@operator`]      and that of the shop's people at it
//! 6. [`refuse`]        whatever stops earlier: answered, journalled at the terminal, no counter moved

pub(crate) mod authenticate;
pub(crate) mod forward;
pub(crate) mod key_set;
pub(crate) mod notice;
pub(crate) mod operator;
pub(crate) mod payment;
pub(crate) mod pin;
pub(crate) mod refuse;
pub(crate) mod reversal;
pub(crate) mod risk;
pub(crate) mod settle;
pub(crate) mod sign_in;
pub(crate) mod terminal;

use std::time::Instant;

use authorization::decide::References;
use iso8583::Message;
use model::{ReasonCode, ResponseCode, TerminalId, Timestamp};
use store::{
    Card, Entry, Event, Exchange, Journaled, Step, Subject, Terminal,
    journal::{TerminalEvent, Transaction},
};
use tracing::{debug, error, info};

use self::authenticate::Keys;
use crate::{
    Shared,
    connection::{Arrived, Peer},
    intake::{self, Identity},
    listener::Link,
    profile::Task,
    reply::{Asked, signed_again},
    sandbox::Delivery,
    signal,
    telemetry::{self, Report},
    throttle::causes::Cause,
};

/// What becomes of a frame.
pub(crate) struct Handled {
    /// The answer without length prefix; `None` closes the connection.
    pub(crate) frame: Option<Vec<u8>>,
    /// How it is delivered.
    pub(crate) delivery: Delivery,
    /// Whom it is for, where that is known.
    pub(crate) terminal: TerminalId,
}

/// An answer that may leave.
pub(crate) enum Answered {
    /// Decided and durable.
    Decided(Journaled),
    /// Decided and durable before; the stored answer, signed for whoever asks now.
    Again(Journaled, Vec<u8>),
    /// Nobody knows whether it was decided: any answer would claim something. The terminal reverses, as after a time-out.
    Silence,
    /// Nothing was decided: an echo, or a refusal that claims no decision.
    Undecided(Vec<u8>),
}

/// One message under work: what every stage may look at.
pub(crate) struct Work<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) link: &'a Link,
    pub(crate) message: &'a Message<'a>,
    pub(crate) identity: Identity,
    pub(crate) asked: Asked<'a>,
    /// What the terminal tells about itself with it; read once the terminal is known.
    pub(crate) report: Option<Report<'a>>,
    pub(crate) received: Instant,
    pub(crate) now: Timestamp,
}

impl Work<'_> {
    /// A fresh reference and approval code.
    async fn references(&self) -> Result<References, ReasonCode> {
        let fresh =
            self.shared.references.next(self.shared.store.engine(), self.now, &self.shared.zone).await;
        fresh.map_err(|error| terminal::away(&error))
    }

    /// The next entry of a terminal's journal.
    pub(crate) fn terminal_step(&self, terminal: &Terminal, event: TerminalEvent, reply: Vec<u8>) -> Step {
        Step::Append(Box::new(Entry {
            subject: Subject::Terminal(terminal.record.id),
            seq: terminal.state.seq + 1,
            at: self.now,
            event: Event::Terminal(event),
            exchange: Some(self.exchange(reply)),
        }))
    }

    /// The next entry of a card's journal.
    pub(crate) fn card_step(&self, card: &Card, transaction: Transaction, reply: Vec<u8>) -> Step {
        Step::Append(Box::new(Entry {
            subject: Subject::Card(card.id),
            seq: card.state.seq + 1,
            at: self.now,
            event: Event::Transaction(Box::new(transaction)),
            exchange: Some(self.exchange(reply)),
        }))
    }

    /// Request and answer for the journal. The request is wiped of everything that must not be stored.
    fn exchange(&self, reply: Vec<u8>) -> Exchange {
        Exchange {
            dialect: self.link.dialect.name().to_owned(),
            request: self
                .asked
                .readable
                .then(|| self.link.dialect.sanitized_message(self.message))
                .flatten()
                .unwrap_or_default(),
            reply,
            received: self.now,
            took_us: u32::try_from(self.received.elapsed().as_micros()).unwrap_or(u32::MAX),
            instance: self.shared.settings.instance.clone(),
        }
    }
}

/// Works on one frame from its first byte to its durable answer.
pub(crate) async fn handle(shared: &Shared, link: &Link, peer: &Peer, arrived: Arrived) -> Handled {
    let decoded = link.dialect.decode(&arrived.body);
    let (message, unreadable) = match &decoded {
        Ok(message) => (message, None),
        Err(error) => (error.partial(), Some(error)),
    };
    let Some(identity) = intake::identity(message).filter(|_| message.mti().reply().is_some()) else {
        match unreadable {
            Some(error) => debug!(%peer, %error, "unreadable message"),
            None => debug!(%peer, mti = %message.mti(), "a message that cannot be answered"),
        }
        return Handled { frame: None, delivery: Delivery::Normal, terminal: TerminalId::BLANK };
    };
    let mut work = Work {
        shared,
        link,
        message,
        identity,
        asked: Asked {
            link,
            message,
            readable: unreadable.is_none(),
            tpdu: arrived.tpdu,
            header: arrived.header,
            sign_in_ordered: false,
        },
        report: None,
        received: arrived.received,
        now: shared.now(),
    };
    let mut delivery = Delivery::Normal;
    let terminal = identity.terminal;
    let answered = match (admit(&work, peer), unreadable) {
        (_, Some(error)) if identity.stan.is_none() => {
            debug!(%peer, %error, "unreadable message without a trace number");
            shared.signals.tell(terminal, work.now, signal::Kind::Unreadable);
            return Handled { frame: None, delivery, terminal };
        }
        (Err(reason), _) => refuse::refuse(&work, None, reason).await,
        (Ok(()), Some(error)) => {
            if shared.tally.admits_line() {
                info!(%peer, terminal = %identity.terminal, %error, "unreadable message answered 30");
            }
            refuse::refuse(&work, None, ReasonCode::FormatError).await
        }
        (Ok(()), None) => dispatch(&mut work, &mut delivery).await,
    };
    let frame = match answered {
        Answered::Decided(journaled) => {
            shared.signals.note(journaled.journal_seq());
            journaled.reply().to_vec()
        }
        Answered::Again(first, frame) => {
            debug!(journal_seq = first.journal_seq(), "asked again");
            frame
        }
        Answered::Undecided(frame) => frame,
        // The connection stays: others' answers may be under way on it.
        Answered::Silence => {
            shared.signals.tell(terminal, work.now, signal::Kind::Withheld);
            return Handled { frame: Some(Vec::new()), delivery: Delivery::Lost, terminal };
        }
    };
    debug!(%peer, mti = %message.mti(), terminal = %identity.terminal, "answered");
    Handled { frame: (!frame.is_empty()).then_some(frame), delivery, terminal }
}

/// May this peer speak in this terminal's name, and so often? Asked before anything is looked up.
fn admit(work: &Work<'_>, peer: &Peer) -> Result<(), ReasonCode> {
    let (shared, terminal) = (work.shared, &work.identity.terminal);
    if !peer.may_speak_for(terminal) {
        shared.tally.refused(Cause::ForeignTerminal, &format_args!("{peer} as {terminal}"));
        return Err(ReasonCode::TerminalSuspended);
    }
    if !shared.throttles.admits_terminal(terminal, work.now) {
        shared.tally.refused(Cause::TerminalRate, &format_args!("{peer} as {terminal}"));
        return Err(ReasonCode::Overloaded);
    }
    Ok(())
}

/// Sends the message to the stage of its task.
async fn dispatch(work: &mut Work<'_>, delivery: &mut Delivery) -> Answered {
    let terminal = match terminal::find(work).await {
        Ok(terminal) => terminal,
        Err(reason) => return refuse::refuse(work, None, reason).await,
    };
    work.report = telemetry::of(work.link.profile.telemetry_field, work.message);
    telemetry::count_unreadable(work.report.as_ref());
    let task = intake::task(&work.link.profile, work.message);
    work.asked.sign_in_ordered = terminal.state.sign_in_ordered && !matches!(task, Some(Task::SignIn(_)));
    let work = &*work;
    match task {
        Some(Task::Payment(kind)) => payment::stage(work, kind, delivery).await,
        Some(Task::Reversal) => reversal::stage(work).await,
        Some(Task::SignIn(layout)) => {
            report(work);
            sign_in::sign_in(work, &terminal, layout).await
        }
        Some(Task::SignOut) => sign_in::sign_out(work).await,
        Some(Task::Echo) => {
            report(work);
            notice::echo(work).await
        }
        Some(Task::Advice) => notice::advice(work, &terminal).await,
        Some(Task::Operator(wanted)) => operator::stage(work, &terminal, wanted).await,
        Some(Task::Settlement) => settle::stage(work, &terminal).await,
        None => refuse::refuse(work, Some(&terminal), ReasonCode::NotSupported).await,
    }
}

/// Passes on what a terminal reports with a message whose report is in no payment.
fn report(work: &Work<'_>) {
    if let Some(report) = &work.report {
        let told = Box::new(report.into());
        work.shared.signals.tell(work.identity.terminal, work.now, signal::Kind::Report(told));
    }
}

/// What a repeat is answered with.
pub(crate) async fn again(work: &Work<'_>, journaled: Journaled, keys: &Keys) -> Answered {
    if let Ok(key) = intake::key(&work.link.profile, work.message, &work.identity) {
        work.shared.signals.tell(work.identity.terminal, work.now, signal::Kind::Repeated { key });
    }
    let frame = signed_again(work.shared, work.link, journaled.reply(), keys.signer(work)).await;
    Answered::Again(journaled, frame)
}

/// What an entry whose fate is not known is answered with.
pub(crate) fn silence(work: &Work<'_>, why: &str) -> Answered {
    error!(terminal = %work.identity.terminal, why, "a decision is in doubt, so there is no answer");
    crate::metrics::answer_withheld();
    Answered::Silence
}

/// Counts an answer.
pub(crate) fn count(work: &Work<'_>, code: ResponseCode, reason: ReasonCode) {
    work.shared.metrics.answered(work.message.mti(), code, reason, work.received.elapsed());
}
