//! A payment on which everything may differ that differs between shops, and that goes wrong: for drills, which play a day of many
//! terminals. The keys and the MAC are the terminal's own, and so is the trace number; what else the message says is the
//! caller's, and when it is sent, too.
//!
//! Who has a line of their own sends what is written; [`Terminal::pay_varied`] sends it on the terminal's. The memory of a
//! reversal that is owed is the caller's matter, too.

use model::{Amount, Expiry, Kind, MerchantId, Pan, Stan};
use paycrypto::pin::PanForPin;

use super::{Entered, Terminal, TerminalError};
use crate::clock::Civil;
use crate::keys::MessageKeys;
use crate::memory::OwedReversal;
use crate::reply;
use crate::request::{Financial, Setting};
use crate::step::Answer;

/// What is paid, how, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Varied<'a> {
    /// What is asked for.
    pub kind: Kind,
    /// The card's number.
    pub pan: &'a Pan,
    /// Its expiry date, as the terminal reads it.
    pub expiry: Expiry,
    /// DE 4.
    pub amount: Amount,
    /// The digits that the keypad gave; `None`: no PIN was entered.
    pub digits: Option<&'a str>,
    /// The number that the PIN block is made with, when it is not the card's.
    pub bound_to: Option<&'a Pan>,
    /// The PIN is encrypted under a key that the host does not have.
    pub wrong_tpk: bool,
    /// Under the key serial number of the payment before (DUKPT).
    pub replayed_ksn: bool,
    /// The terminal's clock, in milliseconds since 1970: DE 12 and DE 13.
    pub local_ms: i64,
    /// DE 22, the first two digits.
    pub entry: &'a str,
    /// DE 42, when it is not the registered one.
    pub merchant: Option<MerchantId>,
    /// DE 18.
    pub category: Option<u16>,
    /// DE 43.
    pub name: Option<&'a str>,
    /// DE 59.
    pub own: Option<&'a str>,
}

/// A message, ready to be sent.
#[derive(Debug)]
pub struct Written {
    /// DE 11.
    pub stan: Stan,
    /// The whole frame.
    pub frame: Vec<u8>,
    /// What would undo it.
    pub undo: Option<OwedReversal>,
}

impl Terminal {
    /// Writes a payment and takes a trace number for it. `may_be_lost`: with what would undo it.
    ///
    /// # Errors
    /// [`TerminalError::NothingToDo`] when the digits are no PIN: a keypad takes four to twelve, and nothing is sent.
    pub fn write(&mut self, what: &Varied<'_>, may_be_lost: bool) -> Result<Written, TerminalError> {
        let keys = self.line.keys.payment(&mut self.memory, what.replayed_ksn)?;
        let pin_block = match what.digits {
            Some(digits) => Some(block(&keys, what, digits)?),
            None => None,
        };
        let setting = self.setting_at(what);
        let stan = self.memory.take_stan()?;
        let financial = Financial {
            kind: what.kind,
            pan: what.pan,
            expiry: what.expiry,
            amount: what.amount,
            stan,
            ksn: keys.ksn,
            pin_block,
            new_pin_block: None,
            original: None,
        };
        let mut message = setting.financial(&financial);
        let with_pin = if what.digits.is_some() { '1' } else { '2' };
        message.set(22, &format!("{}{with_pin}", what.entry));
        if let Some(category) = what.category {
            message.set(18, &format!("{category:04}"));
        }
        if let Some(name) = what.name {
            message.set(43, name);
        }
        if let Some(own) = what.own {
            message.set(59, own);
        }
        let body = reply::sealed_body(self.dialect(), &message, Some(&keys.request_mac))?;
        let undo = may_be_lost.then(|| setting.owed(&financial));
        Ok(Written { stan, frame: self.frame(&body)?, undo })
    }

    /// Writes a payment and sends it. `lost`: the answer does not reach the terminal, which owes a reversal then.
    ///
    /// # Errors
    /// [`TerminalError`]; nobody is there, or as for [`Terminal::write`].
    pub async fn pay_varied(
        &mut self,
        what: &Varied<'_>,
        lost: bool,
    ) -> Result<(Answer, Option<OwedReversal>), TerminalError> {
        let written = self.write(what, lost)?;
        let answer = self.ask(&written.frame).await?;
        Ok((if lost { Answer::Silence } else { answer }, written.undo))
    }

    /// Sends the reversal of a payment whose answer did not come.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub async fn reverse_varied(&mut self, undo: &OwedReversal) -> Result<Answer, TerminalError> {
        let frame = self.write_reversal(undo)?;
        self.ask(&frame).await
    }

    async fn ask(&mut self, frame: &[u8]) -> Result<Answer, TerminalError> {
        self.connect().await?;
        if self.line.link.send(frame).await.is_err() {
            return Ok(Answer::Silence);
        }
        match self.line.link.receive(self.settings.reply_timeout).await {
            Ok(reply) => Ok(self.answer_in(&reply.body)),
            Err(_) => {
                self.line.link.hang_up();
                Ok(Answer::Silence)
            }
        }
    }

    /// Writes the reversal of a payment whose answer did not come.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub fn write_reversal(&mut self, undo: &OwedReversal) -> Result<Vec<u8>, TerminalError> {
        let keys = self.line.keys.reversal(&mut self.memory, undo.sends > 0)?;
        let message = self.setting().reversal(undo, keys.ksn);
        let body = reply::sealed_body(self.dialect(), &message, Some(&keys.request_mac))?;
        self.frame(&body)
    }

    fn setting_at(&self, what: &Varied<'_>) -> Setting {
        let setting = self.setting();
        Setting {
            merchant: what.merchant.unwrap_or(setting.merchant),
            local: Civil::in_china(what.local_ms),
            utc: Civil::utc(what.local_ms),
            sends_time: true,
            ..setting
        }
    }
}

fn block(keys: &MessageKeys, what: &Varied<'_>, digits: &str) -> Result<Vec<u8>, TerminalError> {
    let mut entered =
        Entered::at(what.pan, digits).map_err(|_| TerminalError::NothingToDo("PIN of 4 to 12 digits"))?;
    if let Some(other) = what.bound_to {
        entered.pan = PanForPin::new(other.reveal())
            .map_err(|_| TerminalError::NothingToDo("card number that is long enough for a PIN block"))?;
    }
    let block = match what.wrong_tpk {
        true => keys.pin.another().block(&entered.pin, &entered.pan)?,
        false => keys.pin.block(&entered.pin, &entered.pan)?,
    };
    Ok(block)
}
