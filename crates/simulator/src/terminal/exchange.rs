//! One request and its reply, with whatever shall go wrong on the way. Whatever hinders bytes is silence to the terminal; what
//! arrives is believed or not (docs/reference/rules.md R14).

use std::io;
use std::sync::Arc;
use std::time::Instant;

use iso8583::MessageBuilder;
use model::{Amount, MaskedPan, Stan};

use super::{Outcome, Terminal, TerminalError};
use crate::clock;
use crate::fault::Faults;
use crate::keys::MessageKeys;
use crate::link::Received;
use crate::reply::{self, Disbelief, Reply};
use crate::step::{Answer, Step};

/// The last exchange that was answered: for sending the same frame once more.
#[derive(Clone)]
pub(super) struct Answered {
    frame: Vec<u8>,
    reply: Vec<u8>,
    step: Step,
}

/// What is about to be sent.
pub(super) struct Sending<'a> {
    pub(super) message: MessageBuilder,
    pub(super) what: &'static str,
    pub(super) stan: Option<Stan>,
    pub(super) card: Option<MaskedPan>,
    pub(super) amount: Option<Amount>,
    /// What it and its answer are signed with; `None` for messages without a MAC (rules T4).
    pub(super) keys: Option<Arc<MessageKeys>>,
    pub(super) faults: &'a Faults,
}

/// What came of it.
pub(crate) enum Exchange {
    Believed(Box<Reply>),
    Disbelieved(Disbelief),
    Silence,
}

impl Terminal {
    /// Sends the last frame once more, unchanged, and says whether the same bytes came back.
    ///
    /// # Errors
    /// [`TerminalError::NothingToDo`] before the first answer.
    pub async fn repeat(&mut self) -> Result<Outcome, TerminalError> {
        let Answered { frame, reply: first, mut step } =
            self.last.clone().ok_or(TerminalError::NothingToDo("frame to repeat"))?;
        self.connect().await?;
        let began = (clock::now_ms(), Instant::now());
        let second = match self.line.link.send(&frame).await {
            Ok(()) => self.line.link.receive(self.settings.reply_timeout).await.ok(),
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
    pub(super) fn answer_in(&self, body: &[u8]) -> Answer {
        match self.line.dialect.decode(body) {
            Ok(reply) => reply
                .text(39)
                .and_then(|code| code.to_string().parse().ok())
                .map_or_else(|| Answer::Unusable(Disbelief::Unreadable.to_string()), Answer::Code),
            Err(_) => Answer::Unusable(Disbelief::Unreadable.to_string()),
        }
    }

    pub(super) async fn network(
        &mut self,
        message: MessageBuilder,
        what: &'static str,
        stan: Option<Stan>,
    ) -> Result<(Outcome, Exchange), TerminalError> {
        let faults = std::mem::take(&mut self.faults);
        self.exchange(Sending { message, what, stan, card: None, amount: None, keys: None, faults: &faults })
            .await
    }

    /// One request and its reply.
    pub(super) async fn exchange(
        &mut self,
        mut sending: Sending<'_>,
    ) -> Result<(Outcome, Exchange), TerminalError> {
        self.report_in(&mut sending.message);
        let mut body = self.body(&sending)?;
        if sending.faults.corrupt_mac
            && let Some(last) = body.last_mut()
        {
            *last ^= 0x01;
        }
        let frame = self.line.link.frame(&body).map_err(|e| self.unreachable(e))?;
        self.connect().await?;
        let began = (clock::now_ms(), Instant::now());
        let mut notes = Vec::new();
        if sending.faults.replayed_ksn && sending.keys.as_ref().is_some_and(|keys| keys.ksn.is_some()) {
            notes.push("key serial number used again".to_owned());
        }
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
            Some(first) => {
                self.sign_in_ordered = first.order == SIGN_IN_AGAIN;
                notes.extend(order_note(first.order).map(str::to_owned));
            }
            None => self.line.link.hang_up(),
        }
        step.note = notes.join("; ");
        self.note_exchange(&exchange, step.took_ms);
        let outcome = Outcome { same_bytes: received.same_bytes, ..Outcome::of(step, &exchange) };
        if let Some(first) = received.first {
            self.last = Some(Answered { frame, reply: first.body, step: outcome.step.clone() });
        }
        self.log.push(outcome.step.clone());
        Ok((outcome, exchange))
    }

    fn body(&self, sending: &Sending<'_>) -> Result<Vec<u8>, TerminalError> {
        let foreign;
        let mac_key = match &sending.keys {
            Some(keys) if sending.faults.wrong_tak => {
                foreign = keys.request_mac.another();
                Some(&foreign)
            }
            Some(keys) => Some(&*keys.request_mac),
            None => None,
        };
        Ok(reply::sealed_body(&self.line.dialect, &sending.message, mac_key)?)
    }

    /// Bytes out and bytes in. Whatever hinders them is silence to the terminal.
    async fn transfer(&mut self, frame: &[u8], faults: &Faults, notes: &mut Vec<String>) -> Transferred {
        if let Some(delay) = faults.delay {
            notes.push(format!("held back {} ms", delay.as_millis()));
            tokio::time::sleep(delay).await;
        }
        if faults.truncated_frame {
            notes.push("half of the frame was sent".to_owned());
            let _ = self.line.link.send(&frame[..frame.len() / 2]).await;
            return Transferred::default();
        }
        if faults.drop_request || self.lottery.loses(self.habits.loss_percent) {
            notes.push("request lost".to_owned());
            return Transferred::default();
        }
        if self.line.link.send(frame).await.is_err()
            || (faults.duplicate && self.line.link.send(frame).await.is_err())
        {
            return Transferred::default();
        }
        let first = self.line.link.receive(self.settings.reply_timeout).await.ok();
        let same_bytes = if faults.duplicate {
            notes.push("sent twice".to_owned());
            let second = self.line.link.receive(self.settings.reply_timeout).await.ok();
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
        let mac_key = sending.keys.as_ref().map(|keys| &*keys.answer_mac);
        match reply::read(&self.line.dialect, body, &received.body, mac_key) {
            Ok(reply) => Exchange::Believed(Box::new(reply)),
            Err(why) => Exchange::Disbelieved(why),
        }
    }

    pub(super) async fn connect(&mut self) -> Result<(), TerminalError> {
        self.line.link.connect(self.settings.connect_timeout).await.map_err(|e| self.unreachable(e))
    }

    fn unreachable(&self, source: io::Error) -> TerminalError {
        TerminalError::Unreachable { address: self.line.listener.address.clone(), source }
    }

    pub(super) fn note(&mut self, note: &str) {
        if let Some(step) = self.log.last_mut() {
            step.note = [step.note.as_str(), note]
                .into_iter()
                .filter(|n| !n.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
        }
    }

    pub(super) fn empty_step(&self, what: &'static str) -> Step {
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

/// The order after which a terminal signs in.
const SIGN_IN_AGAIN: u8 = 3;

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

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
