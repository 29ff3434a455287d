//! 签购单: the slip, as plain text of a fixed width. 58 mm paper has 32 half-width columns, 80 mm has 48
//! (docs/reference/rules.md Q1 to Q5).
//!
//! A declined slip says so in both languages, because the person who reads it may not be the one who chose the language, and
//! it never says how many tries are left.

use model::{Amount, Kind, MaskedPan, MerchantId, TerminalId};

use crate::clock::Civil;
use crate::sandbox::{Card, TerminalEntry};
use crate::step::Answer;
use crate::terminal::{Outcome, Terminal};
use crate::words::{Language, columns, wrapped};

/// Paper width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// 58 mm, 32 columns.
    Mm58,
    /// 80 mm, 48 columns.
    Mm80,
}

impl Paper {
    /// Half-width columns.
    #[must_use]
    pub fn columns(self) -> usize {
        match self {
            Paper::Mm58 => 32,
            Paper::Mm80 => 48,
        }
    }
}

/// Who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// 商户存根, with a place for the signature.
    Merchant,
    /// 持卡人存根.
    Cardholder,
}

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
    /// How the card was read: `S` swiped, `I` chip, `M` typed.
    pub entry: char,
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
            entry: if kind.needs_original() || kind == Kind::Refund { 'M' } else { 'S' },
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
        let mut slip = Slip { width: paper.columns(), language, lines: Vec::new() };
        slip.head(copy);
        slip.rule();
        slip.merchant(self);
        slip.rule();
        slip.transaction(self);
        slip.rule();
        if self.answer.is_approval() {
            slip.consent(copy)
        } else {
            slip.decline(&self.answer)
        }
        slip.lines.join("\n") + "\n"
    }
}

/// The paper while it is printed.
struct Slip {
    width: usize,
    language: Language,
    lines: Vec<String>,
}

impl Slip {
    fn text(&self, key: &'static str) -> &'static str {
        self.language.text(key)
    }

    fn line(&mut self, text: &str) {
        self.lines.extend(wrapped(text, self.width));
    }

    fn rule(&mut self) {
        self.lines.push("-".repeat(self.width));
    }

    fn centred(&mut self, text: &str) {
        let left = self.width.saturating_sub(columns(text)) / 2;
        self.lines.push(format!("{}{text}", " ".repeat(left)));
    }

    fn field(&mut self, key: &'static str, value: &str) {
        self.line(&format!("{}: {value}", self.text(key)));
    }

    /// Two fields on one line if they fit, otherwise on two.
    fn pair(&mut self, left: (&'static str, &str), right: (&'static str, &str)) {
        let both = format!("{}: {}  {}: {}", self.text(left.0), left.1, self.text(right.0), right.1);
        if columns(&both) <= self.width {
            self.lines.push(both);
        } else {
            self.field(left.0, left.1);
            self.field(right.0, right.1);
        }
    }

    fn head(&mut self, copy: Copy) {
        self.centred(self.text("title"));
        self.centred(match copy {
            Copy::Merchant => self.text("merchant-copy"),
            Copy::Cardholder => self.text("cardholder-copy"),
        });
    }

    fn merchant(&mut self, receipt: &Receipt) {
        if let Some(name) = &receipt.merchant_name {
            self.field("merchant-name", name);
        }
        self.field("merchant-number", receipt.merchant.as_str());
        self.pair(("terminal-number", receipt.terminal.as_str()), ("operator", &receipt.operator));
    }

    fn transaction(&mut self, receipt: &Receipt) {
        self.field("card", &format!("{} /{}", receipt.card, receipt.entry));
        self.field("expiry", &receipt.expiry);
        let name = receipt.kind.name();
        let (here, there) = (self.language.kind(name), Language::En.kind(name));
        let kind = if here == there { here.to_owned() } else { format!("{here}/{there}") };
        self.field("kind", &kind);
        self.pair(("batch", &receipt.batch), ("voucher", &receipt.voucher));
        if let Some(approval) = &receipt.approval {
            self.field("approval", approval);
        }
        if let Some(reference) = &receipt.reference {
            self.field("reference", reference);
        }
        let at = &receipt.at;
        let date = format!("{:04}/{:02}/{:02} {}", at.year, at.month, at.day, at.time_of_day());
        self.field("date-time", &date);
        if receipt.kind.needs_amount() {
            self.field("amount", &format!("RMB {}", grouped(receipt.amount)));
        }
    }

    fn consent(&mut self, copy: Copy) {
        self.field("remark", "");
        if copy == Copy::Merchant {
            self.field("signature", "");
            self.lines.push(String::new());
        }
        self.line(self.text("consent"));
    }

    fn decline(&mut self, answer: &Answer) {
        let code = answer.code().map(|c| format!("  {}: {c}", self.text("code"))).unwrap_or_default();
        self.line(&format!("{}{code}", self.text("declined")));
        self.line(Language::Zh.answer(answer));
        self.line(Language::En.answer(answer));
    }
}

/// `1,280.00`
#[must_use]
pub fn grouped(amount: Amount) -> String {
    let text = amount.to_string();
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{sign}{out}.{cents}")
}
