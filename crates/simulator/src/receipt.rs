//! 签购单: what the terminal knows for a slip. How it looks is the crate `receipt`'s matter, for the terminal's printer and the
//! host's console alike.
//!
//! A declined slip says so in both languages, because the person who reads it may not be the one who chose the language, and
//! it never says how many tries are left.

use ::receipt::{Consent, Layout, Moment, Outcome as SlipOutcome, Slip, text};
use model::{Amount, Currency, Kind, MaskedPan, MerchantId, TerminalId};

pub use ::receipt::slip::grouped;
pub use ::receipt::{Copy, Entry, Paper};

use crate::clock::Civil;
use crate::sandbox::{Card, TerminalEntry};
use crate::step::Answer;
use crate::terminal::{Outcome, Terminal};
use crate::words::Language;

/// What stands on a slip.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The merchant's name.
    pub merchant_name: Option<String>,
    /// DE 42.
    pub merchant: MerchantId,
    /// DE 41.
    pub terminal: TerminalId,
    /// Operator.
    pub operator: String,
    /// The card, masked.
    pub card: MaskedPan,
    /// YY/MM.
    pub expiry: String,
    /// How the card was read.
    pub entry: Entry,
    /// What was asked.
    pub kind: Kind,
    /// DE 60.2.
    pub batch: String,
    /// DE 11.
    pub voucher: String,
    /// DE 38.
    pub approval: Option<String>,
    /// DE 37.
    pub reference: Option<String>,
    /// When.
    pub at: Civil,
    /// DE 4.
    pub amount: Amount,
    /// The answer.
    pub answer: Answer,
}

impl Receipt {
    /// The slip of a payment that was just made with this card.
    #[must_use]
    pub fn of(
        terminal: &Terminal,
        entry: &TerminalEntry,
        card: &Card,
        kind: Kind,
        outcome: &Outcome,
    ) -> Receipt {
        let expiry = card.expiry.to_string();
        let voided = terminal.approved().last().filter(|a| Some(a.stan.to_string()) == outcome.step.stan);
        Receipt {
            merchant_name: entry.merchant.clone(),
            merchant: terminal.merchant(),
            terminal: terminal.id(),
            operator: "01".to_owned(),
            card: outcome.step.card.clone().unwrap_or_else(|| card.pan.masked()),
            expiry: format!("{}/{}", &expiry[..2], &expiry[2..]),
            entry: if kind.needs_original() || kind == Kind::Refund { Entry::Manual } else { Entry::Swiped },
            kind,
            batch: terminal.memory().batch().to_string(),
            voucher: outcome.step.stan.clone().unwrap_or_else(|| "------".to_owned()),
            approval: outcome.approval.clone(),
            reference: outcome.step.rrn.clone(),
            at: Civil::in_china(outcome.step.at_ms),
            amount: outcome.step.amount.or(voided.map(|a| a.amount)).unwrap_or(Amount::ZERO),
            answer: outcome.answer.clone(),
        }
    }

    /// The text, each line at most as wide as the paper.
    #[must_use]
    pub fn render(&self, paper: Paper, language: Language, copy: Copy) -> String {
        text::text(&Layout::of(&self.slip(), paper, language.on_paper(), copy))
    }

    fn slip(&self) -> Slip {
        Slip {
            merchant_name: self.merchant_name.clone(),
            merchant: self.merchant.as_str().to_owned(),
            terminal: self.terminal.as_str().to_owned(),
            operator: Some(self.operator.clone()),
            issuer: None,
            acquirer: None,
            card: Some(self.card.clone()),
            entry: Some(self.entry),
            expiry: Some(self.expiry.clone()),
            kind: self.kind,
            batch: Some(self.batch.clone()),
            voucher: Some(self.voucher.clone()),
            approval: self.approval.clone(),
            reference: self.reference.clone(),
            at: moment(&self.at),
            amount: self.kind.needs_amount().then_some(self.amount),
            currency: Currency::CNY,
            original: None,
            chip: None,
            outcome: self.outcome(),
            reprint: false,
        }
    }

    fn outcome(&self) -> SlipOutcome {
        if self.answer.is_approval() {
            return SlipOutcome::Approved(Consent::OnPaper);
        }
        let code = self.answer.code().map(|code| code.to_string());
        SlipOutcome::refused(
            code.as_deref(),
            Language::Zh.answer(&self.answer),
            Language::En.answer(&self.answer),
        )
    }
}

fn moment(at: &Civil) -> Moment {
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    Moment {
        year: i32::try_from(at.year).unwrap_or_default(),
        month: small(at.month),
        day: small(at.day),
        hour: small(at.hour),
        minute: small(at.minute),
        second: small(at.second),
    }
}
