//! The card: its number in three forms, and when it expires.
//!
//! The clear [`Pan`] lives only between the wire and the security module; a [`CardId`] (keyed hash) names the
//! card everywhere else, a [`MaskedPan`] is what people see.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::Invalid;

/// A primary account number (DE 2), 12 to 19 digits including the check digit. Luhn is not demanded: published
/// sandbox cards fail it. Prints masked, wipes itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Pan {
    digits: [u8; 19],
    len: u8,
}

impl Pan {
    /// Takes ASCII digits.
    ///
    /// # Errors
    /// [`Invalid`] unless there are 12 to 19 digits and nothing else.
    pub fn new(digits: &[u8]) -> Result<Self, Invalid> {
        if !(12..=19).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Invalid { noun: "card number", expected: "12 to 19 digits" });
        }
        let mut pan = Self { digits: [0; 19], len: digits.len() as u8 };
        pan.digits[..digits.len()].copy_from_slice(digits);
        Ok(pan)
    }

    /// The clear digits: for the security module and the keyed hash, never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.digits[..usize::from(self.len)]).unwrap_or_default()
    }

    /// First six and last four, as on receipts.
    #[must_use]
    pub fn masked(&self) -> MaskedPan {
        let clear = self.reveal();
        let (first, last) = (&clear[..6], &clear[clear.len() - 4..]);
        MaskedPan(format!("{first}{}{last}", "*".repeat(clear.len() - 10)))
    }

    /// Issuer identification number: the first six digits, enough to name the issuer.
    #[must_use]
    pub fn iin(&self) -> &str {
        &self.reveal()[..6]
    }
}

impl Drop for Pan {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan({})", self.masked().0)
    }
}

impl std::str::FromStr for Pan {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::new(text.as_bytes())
    }
}

/// A card number as people may see it: first six, stars, last four (PCI DSS 3.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct MaskedPan(#[n(0)] String);

impl MaskedPan {
    /// Reads back what [`Pan::masked`] wrote.
    ///
    /// # Errors
    /// [`Invalid`] when the middle is not masked.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let masked =
            text.len() >= 12 && text.is_ascii() && text[6..text.len() - 4].bytes().all(|b| b == b'*');
        if masked {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid { noun: "masked card number", expected: "six digits, stars, four digits" })
        }
    }

    /// The masked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last four digits, which people read out on the phone.
    #[must_use]
    pub fn last_four(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Display for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A card's name inside pinward: 128 bits of a keyed hash of its number. Useless without the store's key, the
/// same on every host that shares the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardId(pub [u8; 16]);

impl Hash for CardId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_le_bytes(self.0));
    }
}

impl fmt::Display for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardId({self})")
    }
}

impl std::str::FromStr for CardId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const INVALID: Invalid = Invalid { noun: "card id", expected: "32 hexadecimal digits" };
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(INVALID);
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| INVALID)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| INVALID)?;
        }
        Ok(Self(id))
    }
}

impl Serialize for CardId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CardId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<C> Encode<C> for CardId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CardId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        bytes.try_into().map(Self).map_err(|_| minicbor::decode::Error::message("card id is not 16 bytes"))
    }
}

/// Expiry date (DE 14) as YYMM; the card is good through the last day of that month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Expiry(#[n(0)] u16);

impl Expiry {
    /// The last one that can be written: a card whose date nobody here was told.
    pub const UNKNOWN: Self = Self(9912);

    /// Takes YYMM as a number, for instance 3012.
    ///
    /// # Errors
    /// [`Invalid`] when the month is not 01 to 12.
    pub fn from_yymm(yymm: u16) -> Result<Self, Invalid> {
        if yymm <= 9912 && (1..=12).contains(&(yymm % 100)) {
            Ok(Self(yymm))
        } else {
            Err(Invalid { noun: "expiry date", expected: "YYMM with a month from 01 to 12" })
        }
    }

    /// YYMM as a number.
    #[must_use]
    pub fn yymm(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl std::str::FromStr for Expiry {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid { noun: "expiry date", expected: "YYMM with a month from 01 to 12" };
        if text.len() != 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid);
        }
        text.parse().map_err(|_| invalid).and_then(Self::from_yymm)
    }
}

impl Serialize for Expiry {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_never_prints_its_middle() {
        let pan: Pan = "6216261000000000018".parse().unwrap();
        assert_eq!(format!("{pan:?}"), "Pan(621626*********0018)");
        assert_eq!(pan.masked().last_four(), "0018");
        assert_eq!(MaskedPan::new("621626*********0018").unwrap(), pan.masked());
        assert!(MaskedPan::new("6216261000000000018").is_err());
    }

    #[test]
    fn only_12_to_19_digits_are_a_card_number() {
        for bad in ["", "12345678901", "12345678901234567890", "62162610000000000a8"] {
            assert!(bad.parse::<Pan>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_card_id_survives_its_own_text() {
        let id = CardId([7; 16]);
        assert_eq!(id.to_string().parse::<CardId>().unwrap(), id);
    }
}
