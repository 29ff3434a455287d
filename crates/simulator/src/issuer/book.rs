//! What an issuer knows: cards, money, tries, and every message that it has answered.

use std::collections::HashMap;

use iso8583::Message;
use model::Pan;
use paycrypto::{
    key::TdesKey,
    pin::PanForPin,
    pin_block::{ClearPinBlock, decode_format_0},
};

/// A card of the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its PIN.
    pub pin: String,
    /// What may be spent.
    pub balance: i64,
}

/// A message that the issuer was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Message type: a repeat is told by its last digit.
    pub mti: String,
    /// DE 11.
    pub stan: String,
    /// DE 7.
    pub at: String,
    /// DE 4.
    pub amount: i64,
    /// DE 90.
    pub original: Option<String>,
    /// DE 39 of the answer that it made, whether or not it sent it.
    pub answer: String,
}

/// How an answer is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Now,
    Late,
    Never,
    HangUp,
}

/// What the issuer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: String,
    pub(crate) approval: Option<String>,
    pub(crate) delivery: Delivery,
}

struct Card {
    account: Account,
    spent: i64,
    wrong: u32,
}

/// A question that was answered: by DE 11 and DE 7.
struct Done {
    answer: Answer,
    pan: String,
    posted: i64,
    undone: bool,
}

pub(crate) struct Book {
    cards: HashMap<String, Card>,
    tries: u32,
    done: HashMap<String, Done>,
    /// Reversals that came before their originals.
    tombstones: Vec<String>,
    heard: Vec<Heard>,
    sign_ons: u32,
    echoes: u32,
    approvals: u32,
}

impl Book {
    pub(crate) fn new(accounts: Vec<(Pan, Account)>, tries: u32) -> Self {
        let card =
            |(pan, account): (Pan, Account)| (pan.reveal().to_owned(), Card { account, spent: 0, wrong: 0 });
        Self {
            cards: accounts.into_iter().map(card).collect(),
            tries,
            done: HashMap::new(),
            tombstones: Vec::new(),
            heard: Vec::new(),
            sign_ons: 0,
            echoes: 0,
            approvals: 0,
        }
    }

    pub(crate) fn heard(&self) -> &[Heard] {
        &self.heard
    }

    pub(crate) fn network(&self) -> (u32, u32) {
        (self.sign_ons, self.echoes)
    }

    pub(crate) fn spent(&self, pan: &Pan) -> i64 {
        self.cards.get(pan.reveal()).map_or(0, |card| card.spent)
    }

    pub(crate) fn wrong_pins(&self, pan: &Pan) -> u32 {
        self.cards.get(pan.reveal()).map_or(0, |card| card.wrong)
    }

    pub(crate) fn note_network(&mut self, code: &str) {
        match code {
            "001" => self.sign_ons += 1,
            "301" => self.echoes += 1,
            _ => {}
        }
    }

    /// Decides about a message, and remembers that it did.
    pub(crate) fn decide(&mut self, message: &Message<'_>, zone: &TdesKey) -> Option<Answer> {
        let text = |n: u8| message.short(n).map(|text| text.as_str().to_owned());
        let id = format!("{}{}", text(11)?, text(7)?);
        let amount = message.digits(4).and_then(|minor| i64::try_from(minor).ok()).unwrap_or(0);
        let is_undo = message.mti().class() == iso8583::MessageClass::Reversal;
        let answer = match self.done.get(&id) {
            Some(done) => Answer { delivery: Delivery::Now, ..done.answer.clone() },
            None if is_undo => self.undo(&id, &text(90)?),
            None => self.pay(&id, message, amount, zone)?,
        };
        self.heard.push(Heard {
            mti: message.mti().to_string(),
            stan: text(11)?,
            at: text(7)?,
            amount,
            original: text(90),
            answer: answer.code.clone(),
        });
        Some(answer)
    }

    fn undo(&mut self, id: &str, original: &str) -> Answer {
        let answer = Answer { code: "00".to_owned(), approval: None, delivery: Delivery::Now };
        // DE 90: message type 4, trace 6, DE 7 10.
        let of = original.get(4..20).unwrap_or_default().to_owned();
        match self.done.get_mut(&of) {
            Some(done) if !done.undone => {
                done.undone = true;
                if let Some(card) = self.cards.get_mut(&done.pan) {
                    card.spent -= done.posted;
                }
            }
            Some(_) => {}
            None => self.tombstones.push(of),
        }
        let done = Done { answer: answer.clone(), pan: String::new(), posted: 0, undone: true };
        self.done.insert(id.to_owned(), done);
        answer
    }

    fn pay(&mut self, id: &str, message: &Message<'_>, amount: i64, zone: &TdesKey) -> Option<Answer> {
        let pan = message.short(2)?.as_str().to_owned();
        let lever = amount.rem_euclid(100);
        let code = self.code(&pan, message, amount, zone, lever);
        let delivery = match lever {
            68 => Delivery::Late,
            97 | 98 => Delivery::Never,
            95 => Delivery::HangUp,
            _ => Delivery::Now,
        };
        let approved = code == "00";
        let sign = match message.short(3)?.as_str().get(..2)? {
            "31" => 0,
            "02" | "20" => -1,
            _ => 1,
        };
        let posted = if approved && lever != 97 { amount * sign } else { 0 };
        if let Some(card) = self.cards.get_mut(&pan) {
            card.spent += posted;
        }
        self.approvals += 1;
        let approval = approved.then(|| format!("I{:05}", self.approvals % 100_000));
        let answer = Answer { code, approval, delivery };
        if lever != 97 {
            let done = Done { answer: answer.clone(), pan, posted, undone: false };
            self.done.insert(id.to_owned(), done);
        }
        Some(answer)
    }

    fn code(&mut self, pan: &str, message: &Message<'_>, amount: i64, zone: &TdesKey, lever: i64) -> String {
        let id = format!(
            "{}{}",
            message.short(11).map(|t| t.as_str().to_owned()).unwrap_or_default(),
            message.short(7).map(|t| t.as_str().to_owned()).unwrap_or_default()
        );
        if self.tombstones.contains(&id) {
            return "94".to_owned();
        }
        let tries = self.tries;
        let Some(card) = self.cards.get_mut(pan) else { return "14".to_owned() };
        if card.wrong >= tries {
            return "75".to_owned();
        }
        if let Some(block) = message.raw(52) {
            match pin(block, pan, zone) {
                None => return "99".to_owned(),
                Some(digits) if digits != card.account.pin || lever == 55 => {
                    card.wrong += 1;
                    return if card.wrong >= tries { "75" } else { "55" }.to_owned();
                }
                Some(_) => card.wrong = 0,
            }
        }
        match lever {
            0 | 68 | 95 | 97 | 98 if card.spent + amount <= card.account.balance => "00".to_owned(),
            0 | 68 | 95 | 97 | 98 => "51".to_owned(),
            other => format!("{other:02}"),
        }
    }
}

/// The PIN in a block of format 0 under the zone's key; `None` if it is no such block.
fn pin(block: &[u8], pan: &str, zone: &TdesKey) -> Option<String> {
    let block: &[u8; 8] = block.try_into().ok()?;
    let pan = PanForPin::new(pan).ok()?;
    let clear = ClearPinBlock::decrypt(zone, block);
    let pin = decode_format_0(&clear, &pan.account12()).ok()?;
    Some(pin.expose_digits().iter().map(|digit| char::from(b'0' + digit)).collect())
}
