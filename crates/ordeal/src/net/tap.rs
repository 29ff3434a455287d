//! What the judge hears of the network: which transaction a frame asks for, and with what it is answered.

use std::sync::{Arc, Mutex};

use iso8583::{Dialect, FrameLimit, Framing, Message};
use model::{BatchNumber, ResponseCode, TerminalId, TransactionKey};
use simulator::{Connecting, Network, Wire};

use super::Net;
use crate::{
    dice::Dice,
    judge::{Intent, Side},
    run::{Run, lock},
};

/// What a frame is about, as far as the judge cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// A payment, or its reversal.
    pub side: Side,
    /// Is it an answer?
    pub answer: bool,
    /// Whose.
    pub key: TransactionKey,
    /// DE 39.
    pub code: Option<ResponseCode>,
}

/// Reads a frame with its length prefix; `None` for what is no payment and no reversal.
#[must_use]
pub fn spoken(dialect: &Dialect, frame: &[u8]) -> Option<Spoken> {
    let frame = Framing::Len2TpduHeader.split(frame, FrameLimit::default()).ok()??;
    let message = dialect.decode(frame.body).ok()?;
    let (side, answer) = match message.mti().to_string().as_str() {
        "0200" => (Side::Payment, false),
        "0210" => (Side::Payment, true),
        "0400" => (Side::Reversal, false),
        "0410" => (Side::Reversal, true),
        _ => return None,
    };
    let code = message.short(39).and_then(|text| text.parse().ok());
    Some(Spoken { side, answer, key: key(&message)?, code })
}

fn key(message: &Message<'_>) -> Option<TransactionKey> {
    Some(TransactionKey {
        terminal: TerminalId::new(message.short(41)?.as_bytes()).ok()?,
        batch: BatchNumber::new(message.sub(60, "2")?.get(..6)?.parse().ok()?).ok()?,
        stan: model::Stan::new(u32::try_from(message.digits(11)?).ok()?).ok()?,
        day: 0,
    })
}

/// An answer leaves a host.
pub(super) fn answered(run: &Run, host: usize, frame: &[u8]) {
    let Some(Spoken { side, answer: true, key, code: Some(code) }) = spoken(&run.kit.dialect, frame) else {
        run.step(format_args!("host {host} answers something else"));
        return;
    };
    run.step(format_args!("host {host} answers {side:?} {key:?} with {code}"));
    run.judge(|judge| judge.answered(side, key, code, &frame[2..]));
}

/// One more of a frame is on its way to a host.
pub(super) fn copied(run: &Run, frame: &[u8]) {
    if let Some(Spoken { side, answer: false, key, .. }) = spoken(&run.kit.dialect, frame) {
        run.judge(|judge| judge.copied(side, key));
    }
}

/// A terminal's way into the network: whichever host it gets, and what it is about to ask.
pub struct Line {
    run: Arc<Run>,
    net: Arc<Net>,
    dice: Mutex<Dice>,
    asking: Asking,
}

/// What the person at a terminal wants, told to the judge with the first frame that asks for it.
pub type Asking = Arc<Mutex<Option<Intent>>>;

impl Line {
    /// A line of this terminal.
    #[must_use]
    pub fn new(run: &Arc<Run>, net: &Arc<Net>, terminal: TerminalId) -> (Arc<Self>, Asking) {
        let asking = Asking::default();
        let dice = run.dice(&format!("line of {terminal}"));
        let line = Self { run: Arc::clone(run), net: Arc::clone(net), dice, asking: Arc::clone(&asking) };
        (Arc::new(line), asking)
    }
}

impl Network for Line {
    fn connect<'a>(&'a self, _: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let host = lock(&self.dice).below(self.net.hosts() as u64) as usize;
            let mut wire = self.net.connect(host).await?;
            let (run, asking) = (Arc::clone(&self.run), Arc::clone(&self.asking));
            wire.asked = Some(Box::new(move |frame| asked(&run, host, &asking, frame)));
            Ok(Box::new(wire) as Box<dyn Wire>)
        })
    }
}

fn asked(run: &Run, host: usize, asking: &Asking, frame: &[u8]) {
    let Some(Spoken { side, answer: false, key, .. }) = spoken(&run.kit.dialect, frame) else {
        run.step(format_args!("host {host} is asked something else"));
        return;
    };
    run.step(format_args!("host {host} is asked {side:?} {key:?}"));
    let intent = *lock(asking);
    run.judge(|judge| judge.asked(side, key, intent));
}
