//! What became of a request, and what a terminal keeps of an approval.

use model::{Amount, BatchNumber, Expiry, Kind, Pan, Stan};

use crate::step::{Answer, Step};
use crate::terminal::Exchange;

/// An approved transaction, as far as a later void or a receipt needs it.
#[derive(Debug, Clone)]
pub struct Approved {
    /// What it was.
    pub kind: Kind,
    /// The card.
    pub pan: Pan,
    /// Its expiry date.
    pub expiry: Expiry,
    /// How much.
    pub amount: Amount,
    /// DE 11.
    pub stan: Stan,
    /// DE 60.2.
    pub batch: BatchNumber,
    /// Message type of the request.
    pub mti: String,
    /// DE 13, MMDD.
    pub date: String,
    /// DE 7, where there is one.
    pub sent_at: String,
    /// DE 37.
    pub rrn: Option<String>,
    /// DE 38.
    pub approval: Option<String>,
    /// Was it voided or completed since?
    pub closed: bool,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What came back.
    pub answer: Answer,
    /// The exchange as it was logged.
    pub step: Step,
    /// DE 38.
    pub approval: Option<String>,
    /// DE 54 of a balance inquiry.
    pub balance: Option<Amount>,
    /// DE 12 and 13 as the host filled them: hhmmss, MMDD.
    pub host_time: Option<(String, String)>,
    /// Does the settlement agree? Only after a settlement.
    pub balanced: Option<bool>,
    /// Were both replies to a frame that was sent twice the same, byte for byte?
    pub same_bytes: Option<bool>,
}

impl Outcome {
    pub(crate) fn bare(step: Step) -> Outcome {
        Outcome {
            answer: step.answer.clone(),
            step,
            approval: None,
            balance: None,
            host_time: None,
            balanced: None,
            same_bytes: None,
        }
    }

    pub(crate) fn of(mut step: Step, exchange: &Exchange) -> Outcome {
        step.answer = match exchange {
            Exchange::Believed(reply) => Answer::Code(reply.code),
            Exchange::Disbelieved(why) => Answer::Unusable(why.to_string()),
            Exchange::Silence => Answer::Silence,
        };
        let Exchange::Believed(reply) = exchange else { return Outcome::bare(step) };
        step.rrn.clone_from(&reply.rrn);
        Outcome {
            approval: reply.approval.clone(),
            balance: reply.balance,
            host_time: reply.time.clone().zip(reply.date.clone()),
            ..Outcome::bare(step)
        }
    }
}
