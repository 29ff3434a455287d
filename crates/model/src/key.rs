//! Keys as the rest of pinward sees them: sealed, with the words for how they are used.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// A key in a key block (ANSI X9.143 / TR-31, printable ASCII): encrypted under the security module's master
/// key, with its usage bound to it. Only the module can open it, so it may be stored; it still prints as its
/// 16-character header alone.
#[derive(Clone, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct KeyBlock(#[n(0)] String);

impl KeyBlock {
    /// Takes a block that a security module made; it is checked when it is used.
    #[must_use]
    pub fn new(block: String) -> Self {
        Self(block)
    }

    /// The whole block.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlock({}…)", self.0.get(..16).unwrap_or("?"))
    }
}

/// How a terminal's keys protect PIN blocks and messages: a property of its key set, not of the terminal's dialect.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum KeyScheme {
    /// A terminal master key, and work keys under it at sign-in: double-length TDES.
    #[n(0)]
    Tdes,
    /// TDES DUKPT (ANSI X9.24-1:2009): a key per transaction, none is downloaded.
    #[n(1)]
    TdesDukpt,
    /// AES DUKPT (ANSI X9.24-3:2017).
    #[n(2)]
    AesDukpt,
    /// A terminal master key, and work keys under it at sign-in: SM4 (GB/T 32907-2016).
    #[n(3)]
    Sm4,
}

impl KeyScheme {
    /// Every scheme, weakest first.
    pub const ALL: [Self; 4] = [Self::Tdes, Self::TdesDukpt, Self::AesDukpt, Self::Sm4];

    /// The fixed name, as in files and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tdes => "tdes",
            Self::TdesDukpt => "tdes-dukpt",
            Self::AesDukpt => "aes-dukpt",
            Self::Sm4 => "sm4",
        }
    }

    /// Is there a key of its own for every transaction (DUKPT)?
    #[must_use]
    pub fn is_derived(self) -> bool {
        matches!(self, Self::TdesDukpt | Self::AesDukpt)
    }

    /// Bytes of a PIN block (DE 52) under such keys: one block of the cipher.
    #[must_use]
    pub fn pin_block_length(self) -> usize {
        match self {
            Self::Tdes | Self::TdesDukpt => 8,
            Self::AesDukpt | Self::Sm4 => 16,
        }
    }

    /// The PIN block format of such keys unless a key set names another.
    #[must_use]
    pub fn usual_format(self) -> PinBlockFormat {
        match self {
            Self::Tdes | Self::TdesDukpt => PinBlockFormat::Iso0,
            Self::AesDukpt => PinBlockFormat::Iso4,
            Self::Sm4 => PinBlockFormat::Sm4Layout1,
        }
    }
}

impl fmt::Display for KeyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyScheme {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = "tdes, tdes-dukpt, aes-dukpt or sm4";
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(Invalid { noun: "key scheme", expected })
    }
}

/// How a PIN stands in its block: ISO 9564-1:2017 formats 0 to 4, and two layouts for SM4 that are in use in China and
/// in no international standard.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum PinBlockFormat {
    /// Format 0 (ANSI X9.8; "with PAN" in UnionPay's words), 9.3.2.
    #[n(0)]
    Iso0,
    /// Format 1: no PAN, 9.3.3.
    #[n(1)]
    Iso1,
    /// Format 2: between a terminal and the card's chip only, 9.3.4.
    #[n(2)]
    Iso2,
    /// Format 3: as 0 with random fill, 9.3.5.
    #[n(3)]
    Iso3,
    /// Format 4: AES, 9.4.2.
    #[n(4)]
    Iso4,
    /// SM4: PIN and account in one block of 16 bytes, combined as in format 0.
    #[n(5)]
    #[serde(rename = "sm4-layout-1")]
    Sm4Layout1,
    /// SM4: a block of format 0, filled with zeros to 16 bytes.
    #[n(6)]
    #[serde(rename = "sm4-layout-2")]
    Sm4Layout2,
}

impl PinBlockFormat {
    /// Every format.
    pub const ALL: [Self; 7] =
        [Self::Iso0, Self::Iso1, Self::Iso2, Self::Iso3, Self::Iso4, Self::Sm4Layout1, Self::Sm4Layout2];

    /// The fixed name, as in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iso0 => "iso0",
            Self::Iso1 => "iso1",
            Self::Iso2 => "iso2",
            Self::Iso3 => "iso3",
            Self::Iso4 => "iso4",
            Self::Sm4Layout1 => "sm4-layout-1",
            Self::Sm4Layout2 => "sm4-layout-2",
        }
    }
}

impl FromStr for PinBlockFormat {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = "iso0, iso1, iso2, iso3, iso4, sm4-layout-1 or sm4-layout-2";
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(Invalid { noun: "PIN block format", expected })
    }
}

/// A key serial number (KSN): which device, and which of its transactions (ANSI X9.24). Ten bytes with TDES, the last 21
/// bits counting; twelve with AES, the last 32. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ksn {
    bytes: [u8; Self::AES_LEN],
    len: u8,
}

impl Ksn {
    /// Bytes with TDES (X9.24-1:2009).
    pub const TDES_LEN: usize = 10;
    /// Bytes with AES (X9.24-3:2017).
    pub const AES_LEN: usize = 12;
    /// The counter's bits with TDES.
    const TDES_COUNTER: u32 = 0x1F_FFFF;

    /// Takes 10 or 12 bytes.
    ///
    /// # Errors
    /// [`Invalid`] for any other number of bytes.
    pub fn new(from: &[u8]) -> Result<Self, Invalid> {
        let len = match from.len() {
            Self::TDES_LEN => 10,
            Self::AES_LEN => 12,
            _ => return Err(Invalid { noun: "key serial number", expected: "10 or 12 bytes" }),
        };
        let mut bytes = [0; Self::AES_LEN];
        bytes[..from.len()].copy_from_slice(from);
        Ok(Self { bytes, len })
    }

    /// As it was sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The number of the transaction at its device.
    #[must_use]
    pub fn counter(&self) -> u32 {
        let end = usize::from(self.len);
        let last = [0, 1, 2, 3].map(|place| self.bytes[end - 4 + place]);
        let word = u32::from_be_bytes(last);
        if end == Self::TDES_LEN { word & Self::TDES_COUNTER } else { word }
    }

    /// The device: the number with its counter at zero.
    #[must_use]
    pub fn device(&self) -> Self {
        let mut device = *self;
        let end = usize::from(self.len);
        let word = [0, 1, 2, 3].map(|place| self.bytes[end - 4 + place]);
        let kept = if end == Self::TDES_LEN { u32::from_be_bytes(word) & !Self::TDES_COUNTER } else { 0 };
        device.bytes[end - 4..end].copy_from_slice(&kept.to_be_bytes());
        device
    }
}

impl fmt::Display for Ksn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Ksn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ksn({self})")
    }
}

impl FromStr for Ksn {
    type Err = Invalid;

    /// Reads 20 or 24 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = Invalid { noun: "key serial number", expected: "20 or 24 hexadecimal digits" };
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect::<Option<_>>()
            .ok_or(wrong)?;
        let bytes: Vec<u8> = digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect();
        if digits.len().is_multiple_of(2) { Self::new(&bytes).map_err(|_| wrong) } else { Err(wrong) }
    }
}

impl<C> Encode<C> for Ksn {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(self.as_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Ksn {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.bytes()?).map_err(minicbor::decode::Error::message)
    }
}

impl Serialize for Ksn {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Proof that the journal remembers a key serial number as used by this request, and by no earlier one: a security
/// module decrypts a PIN block under a derived key only with it, so a PIN block that is sent again proves nothing.
///
/// Only the host's stage that journals it calls [`journaled`](Self::journaled); `cargo xtask tidy` refuses a call
/// anywhere else in product code.
#[derive(Debug, PartialEq, Eq)]
pub struct AdmittedKsn(Ksn);

impl AdmittedKsn {
    /// Minted when the number is durably noted.
    #[must_use]
    pub fn journaled(ksn: Ksn) -> Self {
        Self(ksn)
    }

    /// The number.
    #[must_use]
    pub fn ksn(&self) -> Ksn {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_the_last_bits() {
        let tdes: Ksn = "FFFF9876543210EFFFFF".parse().unwrap();
        assert_eq!(
            (tdes.counter(), tdes.device().to_string()),
            (0x0F_FFFF, "FFFF9876543210E00000".to_owned())
        );
        let aes: Ksn = "123456789012345600000001".parse().unwrap();
        assert_eq!((aes.counter(), aes.device().to_string()), (1, "123456789012345600000000".to_owned()));
        for wrong in ["", "12", "FFFF9876543210E0000", "FFFF9876543210E0000G", "1234567890123456000000011"] {
            assert!(wrong.parse::<Ksn>().is_err(), "{wrong}");
        }
        let mut bytes = Vec::new();
        minicbor::encode(tdes, &mut bytes).unwrap();
        assert_eq!(minicbor::decode::<Ksn>(&bytes).unwrap(), tdes);
    }

    #[test]
    fn names_are_read_back() {
        assert!(KeyScheme::ALL.iter().all(|s| s.name().parse() == Ok(*s)));
        assert!(PinBlockFormat::ALL.iter().all(|f| f.name().parse() == Ok(*f)));
    }
}
