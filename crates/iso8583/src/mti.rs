//! The message type identifier: four digits that say version, class, function and origin (ISO 8583:1987 4.1, 1993 4.2).
//!
//! The reply to a message is a matter of these four digits alone, and so it lives here: function 0 is answered by 1, advice 2
//! by 3, and a repeat is answered exactly as its original, because the repeat digit is not part of a transaction's identity.

use std::fmt;
use std::str::FromStr;

/// Four decimal digits, packed two to a byte as BCD dialects send them: `0200` is `0x0200`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mti(u16);

/// The second digit: what the message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// x1xx: may this be paid?
    Authorization,
    /// x2xx: pay this.
    Financial,
    /// x3xx: change a file; UnionPay terminals upload their batch with it.
    FileAction,
    /// x4xx: undo.
    Reversal,
    /// x5xx: do our totals agree?
    Reconciliation,
    /// x6xx: administrative.
    Administrative,
    /// x7xx: fee collection.
    Fee,
    /// x8xx: sign-in, keys, echo.
    Network,
    /// 0 and 9, which the standard reserves.
    Reserved,
}

/// The third digit: what the sender wants done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageFunction {
    /// xx0x: please do.
    Request,
    /// xx1x: the answer to a request.
    Reply,
    /// xx2x: this was done; it may not be refused.
    Advice,
    /// xx3x: the answer to an advice.
    AdviceReply,
    /// xx4x: for information, not answered.
    Notification,
    /// 5 to 9: acknowledgements, instructions and reserved values of later versions.
    Other,
}

impl Mti {
    /// `0000`: no message type was read.
    pub(crate) const ZERO: Mti = Mti(0);

    /// From the packed form, `Mti::packed(0x0200)`; `None` if a nibble is not a digit.
    pub const fn packed(value: u16) -> Option<Mti> {
        // A nibble above 9 has bit 3 together with bit 2 or bit 1.
        if (value >> 3) & ((value >> 2) | (value >> 1)) & 0x1111 != 0 { None } else { Some(Mti(value)) }
    }

    /// The packed form: `0x0200` for `0200`.
    pub const fn to_packed(self) -> u16 {
        self.0
    }

    /// First digit: 0 is the 1987 edition, 1 is 1993, 2 is 2003.
    pub const fn version(self) -> u8 {
        (self.0 >> 12) as u8
    }

    /// Second digit.
    pub const fn class(self) -> MessageClass {
        match (self.0 >> 8) & 0xF {
            1 => MessageClass::Authorization,
            2 => MessageClass::Financial,
            3 => MessageClass::FileAction,
            4 => MessageClass::Reversal,
            5 => MessageClass::Reconciliation,
            6 => MessageClass::Administrative,
            7 => MessageClass::Fee,
            8 => MessageClass::Network,
            _ => MessageClass::Reserved,
        }
    }

    /// Third digit.
    pub const fn function(self) -> MessageFunction {
        match (self.0 >> 4) & 0xF {
            0 => MessageFunction::Request,
            1 => MessageFunction::Reply,
            2 => MessageFunction::Advice,
            3 => MessageFunction::AdviceReply,
            4 => MessageFunction::Notification,
            _ => MessageFunction::Other,
        }
    }

    /// Fourth digit: 0 acquirer, 2 issuer, 4 other; odd values are repeats of the even one before.
    pub const fn origin(self) -> u8 {
        (self.0 & 0xF) as u8
    }

    /// Was this message sent before? (fourth digit 1, 3 or 5)
    pub const fn is_repeat(self) -> bool {
        matches!(self.origin(), 1 | 3 | 5)
    }

    /// The same message as if it were sent for the first time: 0401 becomes 0400.
    pub const fn without_repeat(self) -> Mti {
        if self.is_repeat() { Mti(self.0 - 1) } else { self }
    }

    /// The same message marked as sent before: 0420 becomes 0421.
    pub const fn as_repeat(self) -> Mti {
        if matches!(self.origin(), 0 | 2 | 4) { Mti(self.0 + 1) } else { self }
    }

    /// What answers this message: 0200 and 0201 give 0210, 0420 and 0421 give 0430. `None` for what is not answered.
    pub const fn reply(self) -> Option<Mti> {
        match self.function() {
            MessageFunction::Request | MessageFunction::Advice => Some(Mti(self.without_repeat().0 + 0x10)),
            _ => None,
        }
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mti({self})")
    }
}

/// A message type is written with exactly four decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message type is four decimal digits, like 0200")]
pub struct MtiError;

impl FromStr for Mti {
    type Err = MtiError;

    fn from_str(text: &str) -> Result<Mti, MtiError> {
        if text.len() != 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(MtiError);
        }
        u16::from_str_radix(text, 16).map(Mti).map_err(|_| MtiError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_reply(request: &str, reply: Option<&str>) {
        let mti: Mti = request.parse().unwrap();
        assert_eq!(mti.reply().map(|m| m.to_string()).as_deref(), reply, "reply to {request}");
    }

    #[test]
    fn a_request_and_its_repeat_have_one_reply() {
        for (request, reply) in [
            ("0100", "0110"),
            ("0200", "0210"),
            ("0201", "0210"),
            ("0220", "0230"),
            ("0221", "0230"),
            ("0320", "0330"),
            ("0400", "0410"),
            ("0401", "0410"),
            ("0420", "0430"),
            ("0421", "0430"),
            ("0500", "0510"),
            ("0620", "0630"),
            ("0800", "0810"),
            ("0820", "0830"),
            ("1100", "1110"),
            ("1420", "1430"),
            ("0203", "0212"),
        ] {
            check_reply(request, Some(reply));
        }
    }

    #[test]
    fn replies_and_notifications_are_not_answered() {
        check_reply("0210", None);
        check_reply("0430", None);
        check_reply("1644", None);
    }

    #[test]
    fn only_digits_make_a_type() {
        assert_eq!(Mti::packed(0x02A0), None);
        assert_eq!(Mti::packed(0x9999).map(|m| m.to_string()).as_deref(), Some("9999"));
        assert_eq!("02 0".parse::<Mti>(), Err(MtiError));
        assert_eq!("+200".parse::<Mti>(), Err(MtiError));
    }
}
