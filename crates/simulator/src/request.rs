//! What a terminal writes: one function per message, in two dialects.
//!
//! UnionPay terminals (docs/reference/rules.md) name the batch in DE 60, the original in DE 61, and reverse under the
//! original's trace number. Terminals of plain ISO 8583:1987 put date and time in DE 7, 12 and 13, point at the original
//! with DE 90 and give a reversal a number of its own. The table of transactions (rules T1) is [`coding`].

use iso8583::{Dialect, Encoding, MessageBuilder, Mti};
use model::{Amount, BatchNumber, Expiry, KeyScheme, Kind, Ksn, MerchantId, Pan, Stan, TerminalId};

use crate::clock::Civil;
use crate::memory::{OwedReversal, Totals};
use crate::terminal::Approved;

/// Yuan, as DE 49 writes it.
const CURRENCY: &str = "156";
/// DE 26: up to twelve digits of PIN.
const PIN_CAPTURE: &str = "12";
/// DE 63.1: operator 01.
const OPERATOR: &str = "01 ";
/// DE 60.4 to 60.6: reads chip and stripe, no chip trouble, no partial approval.
const CAPABILITIES: &str = "500";
/// DE 32 of the second listener's terminals.
const ACQUIRER: &str = "010200";

/// Which of the two ways a listener's dialect wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    UnionPay,
    Iso87,
}

impl Family {
    pub(crate) fn of(dialect: &str) -> Family {
        if dialect.starts_with("cup-pos") { Family::UnionPay } else { Family::Iso87 }
    }
}

/// Where a DUKPT terminal names its key (rules D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KsnField {
    /// DE 57, as hexadecimal text.
    Text57,
    /// DE 53 of the 1993 edition, which is binary there and made for it.
    Binary53,
}

impl KsnField {
    pub(crate) fn of(dialect: &Dialect) -> KsnField {
        let binary = dialect.axes(53).is_some_and(|axes| axes.encoding == Encoding::Binary);
        if binary { KsnField::Binary53 } else { KsnField::Text57 }
    }
}

/// DE 53: a PIN block with the card's number in it, then the cipher (rules D4, D13).
fn security_control(scheme: KeyScheme) -> &'static str {
    match scheme {
        KeyScheme::Tdes | KeyScheme::TdesDukpt => "2600000000000000",
        KeyScheme::Sm4 => "2300000000000000",
        KeyScheme::AesDukpt => "2400000000000000",
    }
}

/// What stays the same in all messages of a moment.
pub(crate) struct Setting {
    pub(crate) family: Family,
    pub(crate) scheme: KeyScheme,
    pub(crate) ksn_field: KsnField,
    pub(crate) terminal: TerminalId,
    pub(crate) merchant: MerchantId,
    pub(crate) batch: BatchNumber,
    pub(crate) local: Civil,
    pub(crate) utc: Civil,
    /// A terminal with a wrong clock sends its time also where the host would fill it in.
    pub(crate) sends_time: bool,
}

/// A financial transaction to be written.
pub(crate) struct Financial<'a> {
    pub(crate) kind: Kind,
    pub(crate) pan: &'a Pan,
    pub(crate) expiry: Expiry,
    pub(crate) amount: Amount,
    pub(crate) stan: Stan,
    /// The transaction's key, with DUKPT.
    pub(crate) ksn: Option<Ksn>,
    pub(crate) pin_block: Option<Vec<u8>>,
    /// Of the new PIN, in a PIN change.
    pub(crate) new_pin_block: Option<Vec<u8>>,
    pub(crate) original: Option<&'a Approved>,
}

/// Message type, DE 3, DE 25, DE 60.1.
struct Coding(u16, &'static str, &'static str, &'static str);

fn coding(family: Family, kind: Kind) -> Coding {
    match family {
        Family::UnionPay => union_pay_coding(kind),
        Family::Iso87 => iso87_coding(kind),
    }
}

/// ISO 8583:1987: DE 3 02 takes a debit back, 20 gives goods back; 0100 holds, 0220 completes. There is no DE 60.1.
fn iso87_coding(kind: Kind) -> Coding {
    match kind {
        Kind::Balance => Coding(0x0200, "310000", "00", ""),
        Kind::Sale => Coding(0x0200, "000000", "00", ""),
        Kind::SaleVoid => Coding(0x0200, "020000", "00", ""),
        Kind::Refund => Coding(0x0220, "200000", "00", ""),
        Kind::PreAuth => Coding(0x0100, "000000", "06", ""),
        Kind::PreAuthVoid => Coding(0x0100, "020000", "06", ""),
        Kind::Completion => Coding(0x0220, "000000", "06", ""),
        Kind::CompletionVoid => Coding(0x0200, "020000", "06", ""),
        Kind::Cash => Coding(0x0200, "010000", "00", ""),
        Kind::PinChange => Coding(0x0600, "700000", "00", ""),
    }
}

/// Rules T1.
fn union_pay_coding(kind: Kind) -> Coding {
    match kind {
        Kind::Balance => Coding(0x0200, "310000", "00", "01"),
        Kind::Sale => Coding(0x0200, "000000", "00", "22"),
        Kind::SaleVoid => Coding(0x0200, "200000", "00", "23"),
        Kind::Refund => Coding(0x0220, "200000", "00", "25"),
        Kind::PreAuth => Coding(0x0100, "030000", "06", "10"),
        Kind::PreAuthVoid => Coding(0x0100, "200000", "06", "11"),
        Kind::Completion => Coding(0x0200, "000000", "06", "20"),
        Kind::CompletionVoid => Coding(0x0200, "200000", "06", "21"),
        // Not in T1: POS terminals give no cash. DE 3 01 is ISO 8583's.
        Kind::Cash => Coding(0x0200, "010000", "00", "22"),
        // Nor does any public source have a PIN change: an administrative message, which no till takes for a payment.
        Kind::PinChange => Coding(0x0600, "700000", "00", "01"),
    }
}

/// Only for the literals of this file.
const fn mti(packed: u16) -> Mti {
    match Mti::packed(packed) {
        Some(mti) => mti,
        None => panic!("a message type literal has decimal digits"),
    }
}

impl Setting {
    fn message(&self, packed: u16) -> MessageBuilder {
        let mut message = MessageBuilder::new(mti(packed));
        message.set(41, padded(self.terminal.as_bytes())).set(42, padded(self.merchant.as_bytes()));
        if self.family == Family::Iso87 {
            message.set(7, &format!("{}{}", self.utc.mmdd(), self.utc.hhmmss()));
        }
        if self.family == Family::Iso87 || (self.sends_time && packed < 0x0500) {
            message.set(12, &self.local.hhmmss()).set(13, &self.local.mmdd());
        }
        message
    }

    /// DE 60 of a message that is not about money, or DE 70.
    fn network_code(&self, message: &mut MessageBuilder, code: &str) {
        match self.family {
            Family::UnionPay => message.set(60, &format!("00{}{code}", self.batch)),
            Family::Iso87 => message.set(70, code),
        };
    }

    fn name_key(&self, message: &mut MessageBuilder, ksn: Option<Ksn>) {
        match (ksn, self.ksn_field) {
            (Some(ksn), KsnField::Text57) => message.set(57, &ksn.to_string()),
            (Some(ksn), KsnField::Binary53) => message.set_bytes(53, ksn.as_bytes()),
            (None, _) => message,
        };
    }

    /// Is there a sign-in that brings keys of this scheme? SM4 keys are UnionPay's alone.
    pub(crate) fn has_sign_in(&self) -> bool {
        self.family == Family::UnionPay || self.scheme != KeyScheme::Sm4
    }

    /// 签到. In ISO-87, DE 70 101 asks for keys. A device names itself, and gets its batch alone (rules S11).
    pub(crate) fn sign_in(&self, stan: Stan, device: Option<Ksn>) -> MessageBuilder {
        let mut message = self.message(0x0800);
        message.set(11, &stan.to_string());
        match (self.family, self.scheme) {
            (Family::UnionPay, KeyScheme::Sm4) => self.network_code(&mut message, "006"),
            (Family::UnionPay, _) => self.network_code(&mut message, "003"),
            (Family::Iso87, _) => self.network_code(&mut message, "101"),
        }
        if self.family == Family::UnionPay {
            message.set(63, OPERATOR);
        }
        self.name_key(&mut message, device);
        message
    }

    /// 签退.
    pub(crate) fn sign_out(&self, stan: Stan) -> MessageBuilder {
        let mut message = self.message(self.network_type());
        message.set(11, &stan.to_string());
        self.network_code(&mut message, "002");
        message
    }

    /// 回响. A UnionPay terminal sends three fields and no trace number.
    pub(crate) fn echo(&self, stan: Stan) -> MessageBuilder {
        let mut message = self.message(self.network_type());
        if self.family == Family::Iso87 {
            message.set(11, &stan.to_string());
        }
        self.network_code(&mut message, "301");
        message
    }

    /// One of the shop's own people (rules O1 to O6); `field` is DE 47.
    pub(crate) fn operator(
        &self,
        stan: Stan,
        code: &str,
        field: Option<&str>,
        ksn: Option<Ksn>,
    ) -> MessageBuilder {
        let mut message = self.message(self.network_type());
        message.set(11, &stan.to_string());
        if let Some(field) = field {
            message.set(47, field);
        }
        self.network_code(&mut message, code);
        self.name_key(&mut message, ksn);
        message
    }

    fn network_type(&self) -> u16 {
        match self.family {
            Family::UnionPay => 0x0820,
            Family::Iso87 => 0x0800,
        }
    }

    /// 批结算. DE 48: our own cards, then foreign ones, of which there are none.
    pub(crate) fn settlement(&self, stan: Stan, totals: Totals) -> MessageBuilder {
        let mut message = self.message(0x0500);
        message.set(11, &stan.to_string()).set(48, &settlement_totals(totals)).set(49, CURRENCY);
        self.network_code(&mut message, "201");
        if self.family == Family::UnionPay {
            message.set(63, OPERATOR);
        }
        message
    }

    pub(crate) fn financial(&self, what: &Financial<'_>) -> MessageBuilder {
        let Coding(packed, processing_code, condition, _) = coding(self.family, what.kind);
        let mut message = self.message(packed);
        message
            .set(3, processing_code)
            .set(11, &what.stan.to_string())
            .set(22, entry_mode(what))
            .set(25, condition)
            .set(49, CURRENCY);
        if what.kind.needs_amount() {
            message.set(4, &format!("{:012}", what.amount.0));
        }
        self.card(&mut message, what);
        if let Some(block) = &what.pin_block {
            message.set(26, PIN_CAPTURE).set_bytes(52, block).set(53, security_control(self.scheme));
        }
        if let Some(block) = &what.new_pin_block {
            match self.family {
                Family::UnionPay => message.set_bytes(62, block),
                Family::Iso87 => message.set(125, &hex_digits(block)),
            };
        }
        self.name_key(&mut message, what.ksn);
        match self.family {
            Family::UnionPay => self.union_pay_private(&mut message, what),
            Family::Iso87 => self.iso87_references(&mut message, what),
        }
        message
    }

    /// A swiped card sends its track, a card that the terminal remembers its number.
    fn card(&self, message: &mut MessageBuilder, what: &Financial<'_>) {
        if what.original.is_none() && what.kind != Kind::Refund {
            message.set(35, &track_2(what.pan, what.expiry));
        } else {
            message.set(2, what.pan.reveal()).set(14, &what.expiry.to_string());
        }
    }

    fn union_pay_private(&self, message: &mut MessageBuilder, what: &Financial<'_>) {
        let Coding(_, _, _, kind) = coding(self.family, what.kind);
        message.set(60, &format!("{kind}{}000{CAPABILITIES}", self.batch));
        if let Some(original) = what.original {
            reference(message, original);
            message.set(61, &original_of(original));
        }
        if what.kind == Kind::Refund {
            message.set(63, OPERATOR);
        }
    }

    fn iso87_references(&self, message: &mut MessageBuilder, what: &Financial<'_>) {
        message.set(32, ACQUIRER);
        if let Some(original) = what.original {
            reference(message, original);
            message.set(90, &data_elements(&original.mti, original.stan, &original.sent_at));
        }
    }

    /// What would undo this transaction, written down before it is sent (rules R4).
    pub(crate) fn owed(&self, what: &Financial<'_>) -> OwedReversal {
        let Coding(packed, processing_code, condition, kind) = coding(self.family, what.kind);
        OwedReversal {
            mti: mti(packed).to_string(),
            pan: what.pan.reveal().to_owned(),
            expiry: what.expiry.to_string(),
            processing_code: processing_code.to_owned(),
            amount: what.amount.0,
            stan: what.stan.get(),
            sent_at: format!("{}{}", self.utc.mmdd(), self.utc.hhmmss()),
            entry_mode: entry_mode(what).to_owned(),
            condition: condition.to_owned(),
            private: format!("{kind}{}", self.batch),
            original: what.original.map(original_of),
            merchant: self.merchant,
            reason: "98".to_owned(),
            own_stan: None,
            sends: 0,
        }
    }

    /// 冲正. Without track, PIN block and DE 53 (rules R7); the card's number is in DE 2, so that the issuer
    /// can remember the reversal of a sale that it never saw.
    pub(crate) fn reversal(&self, owed: &OwedReversal, ksn: Option<Ksn>) -> MessageBuilder {
        let packed = match (self.family, owed.sends) {
            (Family::UnionPay, _) => 0x0400,
            (Family::Iso87, 0) => 0x0420,
            (Family::Iso87, _) => 0x0421,
        };
        let mut message = self.message(packed);
        message
            .set(2, &owed.pan)
            .set(3, &owed.processing_code)
            .set(4, &format!("{:012}", owed.amount))
            .set(11, &format!("{:06}", owed.own_stan.unwrap_or(owed.stan)))
            .set(14, &owed.expiry)
            .set(22, &owed.entry_mode)
            .set(25, &owed.condition)
            .set(39, &owed.reason)
            .set(42, padded(owed.merchant.as_bytes()))
            .set(49, CURRENCY);
        self.name_key(&mut message, ksn);
        match self.family {
            Family::UnionPay => {
                message.set(60, &owed.private);
                if let Some(original) = &owed.original {
                    message.set(61, original);
                }
            }
            Family::Iso87 => {
                let number = Stan::new(owed.stan).map(|s| s.to_string()).unwrap_or_default();
                message.set(32, ACQUIRER).set(90, &original_elements(&owed.mti, &number, &owed.sent_at));
            }
        }
        message
    }
}

/// DE 22: stripe or typed in; third digit 1 with PIN, 2 without.
fn entry_mode(what: &Financial<'_>) -> &'static str {
    match (what.original.is_some() || what.kind == Kind::Refund, what.pin_block.is_some()) {
        (false, true) => "021",
        (false, false) => "022",
        (true, true) => "011",
        (true, false) => "012",
    }
}

fn hex_digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn reference(message: &mut MessageBuilder, original: &Approved) {
    if let Some(rrn) = &original.rrn {
        message.set(37, rrn);
    }
    if let Some(approval) = &original.approval {
        message.set(38, approval);
    }
}

/// DE 61: batch, trace number and date of the original.
fn original_of(original: &Approved) -> String {
    format!("{}{}{}", original.batch, original.stan, original.date)
}

fn data_elements(mti: &str, stan: Stan, sent_at: &str) -> String {
    original_elements(mti, &stan.to_string(), sent_at)
}

/// DE 90: message type 4, trace number 6, DE 7 10, acquirer and forwarder 11 each.
fn original_elements(mti: &str, stan: &str, sent_at: &str) -> String {
    format!("{mti}{stan}{sent_at}{ACQUIRER:0>11}{:011}", 0)
}

/// Track 2 (ISO 7813) with service code 120: no chip, online, PIN required; filled with zeros to 37 characters.
fn track_2(pan: &Pan, expiry: Expiry) -> String {
    format!("{:0<37}", format!("{}D{expiry}120", pan.reveal()))
}

/// 31 digits: debit sum and count, credit sum and count, result 0; then the same for foreign cards, which there are none of.
/// The layout is general knowledge; the host reads the same.
pub(crate) fn settlement_totals(totals: Totals) -> String {
    let of = |t: Totals| {
        let sum = |amount: Amount| format!("{:012}", amount.0.max(0));
        format!(
            "{}{:03}{}{:03}0",
            sum(t.debit_sum),
            t.debit_count % 1000,
            sum(t.credit_sum),
            t.credit_count % 1000
        )
    };
    format!("{}{}", of(totals), of(Totals::default()))
}

fn padded(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: &str, field: KsnField) {
        assert_eq!(KsnField::of(&Dialect::builtin(dialect).unwrap()), field, "{dialect}");
    }

    #[test]
    fn a_key_is_named_in_57_and_in_1993_in_53() {
        check("cup-pos", KsnField::Text57);
        check("cup-pos-sm4", KsnField::Text57);
        check("ascii87", KsnField::Text57);
        check("ascii87-bin", KsnField::Text57);
        check("ascii93-bin", KsnField::Binary53);
    }

    #[test]
    fn a_binary_key_serial_number_is_all_of_field_53() {
        let dialect = Dialect::builtin("ascii93-bin").unwrap();
        let now = Civil::utc(0);
        let setting = Setting {
            family: Family::Iso87,
            scheme: KeyScheme::TdesDukpt,
            ksn_field: KsnField::of(&dialect),
            terminal: "T0000001".parse().unwrap(),
            merchant: "898510154110283".parse().unwrap(),
            batch: BatchNumber::NONE,
            local: now,
            utc: now,
            sends_time: false,
        };
        let ksn: Ksn = "FFFF9876543210E00001".parse().unwrap();
        let mut message = MessageBuilder::new(mti(0x1800));
        setting.name_key(message.set(11, "000001"), Some(ksn));
        let mut body = Vec::new();
        message.encode(&dialect, &mut body).unwrap();
        assert_eq!(dialect.decode(&body).unwrap().raw(53), Some(ksn.as_bytes()));
    }
}
