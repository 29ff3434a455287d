//! A terminal for load: signed in like any other, then it fills in a form instead of writing each message.
//!
//! [`Terminal::pay`] is one careful payment at a time; at fifty thousand a second its care would be what is measured. Here a
//! sale is written once ([`SaleForm`]), and each further one differs in trace number, track 2, PIN block and MAC, which stand
//! at known places. The MAC is made for each message, with the session's key: nothing that a host verifies is left out.
//!
//! Not here: sockets, time-outs and the memory of a reversal that is owed. Who uses this keeps track of them.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use iso8583::{Dialect, Framing, Message};
use model::{Amount, Kind, Stan, TerminalId};
use paycrypto::key::DesKey;
use paycrypto::mac;

use crate::keys::{MacKey, MessageKeys, PinKey};
use crate::memory::Totals;
use crate::outcome::Outcome;
use crate::reply;
use crate::request::{Family, Financial};
use crate::sandbox::{Card, KeySet, MacAlgorithm, Sandbox, TerminalEntry};
use crate::terminal::{Entered, Settings, Terminal, TerminalError};

/// A signed-in terminal whose messages are written in bulk.
pub struct Bulk {
    terminal: Terminal,
    keys: Arc<MessageKeys>,
    request_mac: Signing,
    totals: Totals,
}

/// A MAC key that is ready for many messages: the half of a double-length key is taken out once.
enum Signing {
    Half(DesKey),
    Other(Arc<MacKey>),
}

impl Signing {
    fn with(key: &Arc<MacKey>) -> Signing {
        match &**key {
            MacKey::Tdes(key, MacAlgorithm::CupEcb8) => Signing::Half(key.first_part()),
            MacKey::Tdes(_, MacAlgorithm::CupEcb16 | MacAlgorithm::X919)
            | MacKey::Aes(_)
            | MacKey::Sm4(_) => Signing::Other(Arc::clone(key)),
        }
    }

    fn mac(&self, covered: &[u8]) -> [u8; 8] {
        match self {
            Signing::Half(key) => mac::union_pay_ecb(key, covered),
            Signing::Other(key) => key.mac(covered),
        }
    }
}

/// A whole frame of a sale, and where in it stands what differs between sales of one terminal.
#[derive(Clone)]
pub struct SaleForm {
    frame: Vec<u8>,
    stan: Range<usize>,
    track: Range<usize>,
    pin_block: Range<usize>,
    covered: Range<usize>,
    mac: Range<usize>,
}

impl SaleForm {
    /// DE 35 as it stands in the frame: what another card puts there.
    #[must_use]
    pub fn track(&self) -> &[u8] {
        &self.frame[self.track.clone()]
    }

    /// The frame's length, its prefix included.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        self.frame.len()
    }

    /// Where DE 11 stands in the frame.
    #[must_use]
    pub fn stan(&self) -> Range<usize> {
        self.stan.clone()
    }
}

/// Does a terminal have working keys of a sign-in? Those with a key for each transaction are not for bulk.
#[must_use]
pub fn has_working_keys(entry: &TerminalEntry) -> bool {
    matches!(&*entry.keys, KeySet::Tdes { .. } | KeySet::Sm4 { .. })
}

impl Terminal {
    /// Of a terminal that has signed in.
    ///
    /// # Errors
    /// [`TerminalError::NotSignedIn`], also for a terminal without working keys.
    pub fn into_bulk(self) -> Result<Bulk, TerminalError> {
        let keys = self.session_keys().ok_or(TerminalError::NotSignedIn)?;
        let totals = self.memory().totals();
        Ok(Bulk { request_mac: Signing::with(&keys.request_mac), terminal: self, keys, totals })
    }
}

impl Bulk {
    /// A terminal with made-up working keys, for a host that verifies nothing.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub fn made_up(sandbox: &Sandbox, id: TerminalId) -> Result<Bulk, TerminalError> {
        let mut terminal = Terminal::open(sandbox, id, Settings::default())?;
        terminal.take_made_up_keys();
        terminal.into_bulk()
    }

    /// DE 41.
    #[must_use]
    pub fn id(&self) -> TerminalId {
        self.terminal.id()
    }

    /// Where its host listens; `None` if that is no address.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.terminal.listener().address.parse().ok()
    }

    /// The framing of its line.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.terminal.listener().framing
    }

    /// The dialect of its line.
    #[must_use]
    pub fn dialect(&self) -> &Arc<Dialect> {
        self.terminal.dialect()
    }

    /// Do its messages carry the time? Then a form is good for a second.
    #[must_use]
    pub fn has_times(&self) -> bool {
        self.terminal.family() == Family::Iso87
    }

    /// The next trace number.
    ///
    /// # Errors
    /// [`TerminalError::Memory`].
    pub fn take_stan(&mut self) -> Result<Stan, TerminalError> {
        self.terminal.take_stan()
    }

    /// A form with this card and this amount in it.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub fn sale_form(&self, card: &Card, amount: Amount) -> Result<SaleForm, TerminalError> {
        let message = self.terminal.setting().financial(&Financial {
            kind: Kind::Sale,
            pan: &card.pan,
            expiry: card.expiry,
            amount,
            stan: Stan::new(1).map_err(|_| TerminalError::NothingToDo("trace number 1"))?,
            ksn: None,
            pin_block: Some(self.pin_block(card, card.pin.reveal())?),
            new_pin_block: None,
            original: None,
        });
        let mut body = Vec::with_capacity(256);
        message.encode_signed(self.dialect(), &mut body, |_| [0; 8])?;
        let frame = self.terminal.frame(&body)?;
        let before = frame.len() - body.len();
        let written =
            self.dialect().decode(&body).map_err(|_| TerminalError::NothingToDo("readable form"))?;
        let place = |n: u8| {
            let (at, raw) = written.offset_of(n).zip(written.raw(n))?;
            Some(before + at..before + at + raw.len())
        };
        let (Some(stan), Some(track), Some(pin_block), Some(mac)) =
            (place(11), place(35), place(52), written.mac_field().and_then(place))
        else {
            return Err(TerminalError::NotInDialect("sale with track and PIN block"));
        };
        let covered = written.mac_field().and_then(|n| written.before(n)).map_or(0, <[u8]>::len);
        Ok(SaleForm { stan, track, pin_block, mac, covered: before..before + covered, frame })
    }

    /// Fills in the form, signs it and appends it to `out`.
    pub fn write_sale(
        &self,
        form: &mut SaleForm,
        stan: Stan,
        track: &[u8],
        pin_block: &[u8],
        out: &mut Vec<u8>,
    ) {
        write_number(stan, &mut form.frame[form.stan.clone()]);
        form.frame[form.track.clone()].copy_from_slice(track);
        form.frame[form.pin_block.clone()].copy_from_slice(pin_block);
        let value = self.request_mac.mac(&form.frame[form.covered.clone()]);
        write_mac(&value, &mut form.frame[form.mac.clone()]);
        out.extend_from_slice(&form.frame);
    }

    /// DE 52 for this card with these digits. The same again under the same keys, where the format has no random fill.
    ///
    /// # Errors
    /// [`TerminalError`] when the digits are no PIN, or there is no randomness.
    pub fn pin_block(&self, card: &Card, digits: &str) -> Result<Vec<u8>, TerminalError> {
        let entered = Entered::at(&card.pan, digits)
            .map_err(|_| TerminalError::NothingToDo("PIN of 4 to 12 digits"))?;
        let key: &PinKey = &self.keys.pin;
        Ok(key.block(&entered.pin, &entered.pan)?)
    }

    /// The reversal of a sale that was sent under this trace number, whole, and the trace number that it has itself.
    ///
    /// # Errors
    /// [`TerminalError`].
    pub fn reversal(
        &mut self,
        card: &Card,
        amount: Amount,
        stan: Stan,
    ) -> Result<(Stan, Vec<u8>), TerminalError> {
        let setting = self.terminal.setting();
        let mut owed = setting.owed(&Financial {
            kind: Kind::Sale,
            pan: &card.pan,
            expiry: card.expiry,
            amount,
            stan,
            ksn: None,
            pin_block: Some(Vec::new()),
            new_pin_block: None,
            original: None,
        });
        let mut own = stan;
        if self.has_times() {
            own = self.take_stan()?;
            owed.own_stan = Some(own.get());
        }
        let message = setting.reversal(&owed, None);
        let body = reply::sealed_body(self.dialect(), &message, Some(&self.keys.request_mac))?;
        Ok((own, self.terminal.frame(&body)?))
    }

    /// Is the MAC of an answer there and right?
    #[must_use]
    pub fn believes(&self, answer: &Message<'_>) -> bool {
        reply::sealed(answer, &self.keys.answer_mac).is_ok()
    }

    /// A sale was approved, and stays: it is in the totals that the next settlement compares.
    pub fn book(&mut self, amount: Amount) {
        self.totals.debit(amount);
    }

    /// Can DE 48 carry the totals? Its counts have three digits, so that no settlement of a longer batch can balance.
    #[must_use]
    pub fn totals_fit(&self) -> bool {
        self.totals.debit_count <= 999
    }

    /// Closes the batch; `balanced` of the outcome says whether the host has counted the same.
    ///
    /// # Errors
    /// [`TerminalError`], among them [`TerminalError::NotInDialect`] where there is no settlement.
    pub async fn settle(&mut self) -> Result<Outcome, TerminalError> {
        self.terminal.set_totals(self.totals)?;
        self.terminal.settle().await
    }
}

/// DE 11 in the dialect's encoding: packed digits, or characters.
fn write_number(stan: Stan, place: &mut [u8]) {
    let mut rest = stan.get();
    let packed = place.len() == 3;
    for byte in place.iter_mut().rev() {
        if packed {
            *byte = (((rest / 10 % 10) << 4) | (rest % 10)) as u8;
            rest /= 100;
        } else {
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

/// Eight bytes, or sixteen hexadecimal digits.
fn write_mac(mac: &[u8; 8], place: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if place.len() == mac.len() {
        place.copy_from_slice(mac);
        return;
    }
    for (pair, byte) in place.chunks_exact_mut(2).zip(mac) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}
