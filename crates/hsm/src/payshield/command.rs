//! Commands, typed, and their bytes. Only what the verbs of [`crate::SecurityModule`] and the seeding of a sandbox
//! need. Fields stand in the order of the host command reference; each variant says it in one line.

use std::fmt;

use model::{Ksn, Pan, PinBlockFormat};
use zeroize::Zeroizing;

use super::{
    field::FieldError,
    key::{Form, HsmKey},
    reply::Shape,
    settings::Ibm3624Rule,
    write::{
        Writer, data_length, index, write_change, write_dukpt_mac, write_mac, write_own_choice,
        write_translation, write_verification,
    },
};
use crate::module::EncryptedPinBlock;

/// The most data in one MAC or echo command, in bytes. GW has four decimal digits for it; no message is near it.
pub const MAX_DATA: usize = 8 * 1024;

/// Under which key a PIN block is, in the device's terms.
#[derive(Clone, Copy)]
pub enum PinSource<'a> {
    /// A terminal PIN key (TPK).
    Terminal(HsmKey<'a>),
    /// A zone PIN key (ZPK).
    Zone(HsmKey<'a>),
    /// The PIN key of one DUKPT transaction.
    Derived(HsmKey<'a>, Ksn),
}

/// A PIN block with what belongs to it.
#[derive(Clone, Copy)]
pub struct PinField<'a> {
    /// Its key.
    pub source: PinSource<'a>,
    /// The cipher text.
    pub block: &'a EncryptedPinBlock,
    /// Its format.
    pub format: PinBlockFormat,
    /// The PAN of the transaction.
    pub pan: &'a Pan,
}

/// How a PIN is compared, with the value to compare with.
#[derive(Clone, Copy)]
pub enum Comparison<'a> {
    /// Visa PVV.
    Pvv {
        /// PIN verification key pair.
        pvk: HsmKey<'a>,
        /// Index, 0 to 9.
        pvki: u8,
        /// Four digits.
        pvv: &'a [u8; 4],
    },
    /// IBM 3624 offset.
    Offset {
        /// Key, decimalisation table and validation data.
        rule: &'a Ibm3624Rule,
        /// The rule's key.
        pvk: HsmKey<'a>,
        /// 4 to 12 digits.
        offset: &'a [u8],
    },
}

/// MAC algorithms of M6 and M8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacKind {
    /// ISO 9797-1 algorithm 1, whole blocks, no padding.
    Algorithm1,
    /// ISO 9797-1 algorithm 3 (X9.19), filled with zeros (padding method 1).
    Algorithm3,
    /// ISO 9797-1 algorithm 3 on whole blocks, no padding.
    Algorithm3Whole,
    /// CMAC.
    Cmac,
}

/// Which key of a DUKPT transaction makes a MAC: GW's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DukptMacKey {
    /// X9.19 with the key for requests.
    X919Request,
    /// X9.19 with the key for answers.
    X919Answer,
    /// CMAC with the key for requests.
    CmacRequest,
    /// CMAC with the key for answers.
    CmacAnswer,
}

/// What the key block of a new key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Usage, such as `P0`.
    pub usage: &'static str,
    /// Mode of use.
    pub mode: char,
    /// Exportability: `N` none, `S` also outside key blocks.
    pub exportability: char,
}

/// What a variant key is, where no key block says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// 001.
    Zpk,
    /// 002: TPK, TMK, PVK.
    Tpk,
    /// 003.
    Tak,
    /// 009.
    Bdk,
}

impl KeyType {
    fn code(self) -> &'static str {
        match self {
            Self::Zpk => "001",
            Self::Tpk => "002",
            Self::Tak => "003",
            Self::Bdk => "009",
        }
    }

    /// The three characters of a command's key type field.
    pub(super) fn field(self, key: &HsmKey<'_>) -> &'static str {
        if key.header().is_some() { "FFF" } else { self.code() }
    }
}

/// One command.
#[derive(Clone, Copy)]
pub enum Command<'a> {
    /// NC: which device, which LMK.
    Diagnostics,
    /// B2: length 4H, data.
    Echo(&'a [u8]),
    /// A0 mode 1: a double-length TDES key under the LMK and under a terminal master key in plain ECB (scheme X).
    GenerateKey {
        /// What its block says; a variant key becomes a `U` of the type.
        attributes: Attributes,
        /// For variant keys.
        key_type: KeyType,
        /// Terminal master key.
        tmk: HsmKey<'a>,
    },
    /// BU: 16 digits of a key's check value.
    CheckValue {
        /// The key.
        key: HsmKey<'a>,
        /// For variant keys.
        key_type: KeyType,
    },
    /// CA, CC, G0: PIN block from one key to another.
    Translate {
        /// What came.
        pin: PinField<'a>,
        /// The next zone's key.
        to: HsmKey<'a>,
        /// The format that leaves.
        format: PinBlockFormat,
    },
    /// DC, EC, GQ (PVV), DA, EA, GO (IBM 3624): compare.
    Verify {
        /// The PIN.
        pin: PinField<'a>,
        /// With what.
        with: Comparison<'a>,
    },
    /// CU (PVV), DU (IBM 3624): compare, then the reference for another PIN.
    Change {
        /// The PIN as it is.
        pin: PinField<'a>,
        /// Its reference.
        with: Comparison<'a>,
        /// The new PIN, same key, same format.
        new_block: &'a EncryptedPinBlock,
    },
    /// FW: the PVV of a PIN in a block. Sandboxes only.
    MakePvv {
        /// The PIN.
        pin: PinField<'a>,
        /// PIN verification key pair.
        pvk: HsmKey<'a>,
        /// Index.
        pvki: u8,
    },
    /// BK: the IBM 3624 offset of a PIN in a block. Sandboxes only.
    MakeOffset {
        /// The PIN.
        pin: PinField<'a>,
        /// Rule.
        rule: &'a Ibm3624Rule,
        /// The rule's key.
        pvk: HsmKey<'a>,
        /// Digits of the PIN.
        length: usize,
    },
    /// M6: MAC of one message, 8 or 16 digits.
    GenerateMac {
        /// MAC key.
        key: HsmKey<'a>,
        /// Algorithm and padding.
        kind: MacKind,
        /// 8 bytes instead of 4.
        long: bool,
        /// The message.
        data: &'a [u8],
    },
    /// M8: compare a MAC of 4 or 8 bytes.
    VerifyMac {
        /// MAC key.
        key: HsmKey<'a>,
        /// Algorithm and padding.
        kind: MacKind,
        /// What came.
        mac: &'a [u8],
        /// The message.
        data: &'a [u8],
    },
    /// GW: MAC of 8 bytes under a DUKPT key; compares when there is one to compare with.
    DukptMac {
        /// Base derivation key.
        bdk: HsmKey<'a>,
        /// Transaction.
        ksn: Ksn,
        /// Algorithm and key.
        method: DukptMacKey,
        /// What came.
        compare: Option<&'a [u8; 8]>,
        /// The message.
        data: &'a [u8],
    },
    /// A6: a key that came under a zone master key. Sandboxes only.
    ImportKey {
        /// For keys outside key blocks.
        attributes: Attributes,
        /// For variant keys.
        key_type: KeyType,
        /// Zone master key.
        zmk: HsmKey<'a>,
        /// The key under it.
        key: HsmKey<'a>,
    },
}

/// What a command proves when it is answered with 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proves {
    /// Nothing about a secret.
    Nothing,
    /// That a PIN is the card's.
    Pin,
    /// That an authentication code is the message's.
    Mac,
}

/// A command's bytes behind the header, with what its reply must look like. Wiped after use; prints as its code.
pub struct Encoded {
    code: [u8; 2],
    shape: Shape,
    proves: Proves,
    bytes: Zeroizing<Vec<u8>>,
}

impl Encoded {
    /// Command code, such as `DC`.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("??")
    }

    /// The reply's code: the second character is one higher.
    #[must_use]
    pub fn reply_code(&self) -> [u8; 2] {
        [self.code[0], self.code[1] + 1]
    }

    /// The reply's fields.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What a reply 00 proves.
    #[must_use]
    pub fn proves(&self) -> Proves {
        self.proves
    }

    /// Code and fields.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({} ***)", self.code())
    }
}

impl Command<'_> {
    /// The bytes, for a device whose LMK is to be named, or that has one only.
    ///
    /// # Errors
    /// [`FieldError`] for what the device's commands cannot say.
    pub fn encode(&self, lmk: Option<u8>) -> Result<Encoded, FieldError> {
        let (code, shape, proves) = self.kind();
        // Room for any command but long data, so that no half of a PIN block stays behind where the bytes were before.
        let mut to = Writer { bytes: Zeroizing::new(Vec::with_capacity(4096)) };
        to.text(code);
        match self {
            Self::GenerateKey { .. } | Self::ImportKey { .. } => self.write_new_key(&mut to, lmk),
            _ => {
                self.write(&mut to)?;
                to.lmk(lmk);
            }
        }
        let code = code.as_bytes().first_chunk::<2>().copied().unwrap_or(*b"??");
        Ok(Encoded { code, shape, proves, bytes: to.bytes })
    }

    fn kind(&self) -> (&'static str, Shape, Proves) {
        match self {
            Self::Diagnostics => ("NC", Shape::Diagnostics, Proves::Nothing),
            Self::Echo(data) => ("B2", Shape::Echo(data.len()), Proves::Nothing),
            Self::GenerateKey { .. } => ("A0", Shape::GeneratedKey, Proves::Nothing),
            Self::CheckValue { .. } => ("BU", Shape::CheckValue, Proves::Nothing),
            Self::Translate { pin, format, .. } => {
                let code = by_source(&pin.source, ["CA", "CC", "G0"]);
                (code, Shape::Translated(*format), Proves::Nothing)
            }
            Self::Verify { pin, with: Comparison::Pvv { .. } } => {
                (by_source(&pin.source, ["DC", "EC", "GQ"]), Shape::Nothing, Proves::Pin)
            }
            Self::Verify { pin, with: Comparison::Offset { .. } } => {
                (by_source(&pin.source, ["DA", "EA", "GO"]), Shape::Nothing, Proves::Pin)
            }
            Self::Change { with: Comparison::Pvv { .. }, .. } => ("CU", Shape::Pvv, Proves::Pin),
            Self::Change { with: Comparison::Offset { .. }, .. } => ("DU", Shape::Offset, Proves::Pin),
            Self::MakePvv { .. } => ("FW", Shape::Pvv, Proves::Nothing),
            Self::MakeOffset { .. } => ("BK", Shape::Offset, Proves::Nothing),
            Self::GenerateMac { long, .. } => ("M6", Shape::Mac(if *long { 16 } else { 8 }), Proves::Nothing),
            Self::VerifyMac { .. } => ("M8", Shape::Nothing, Proves::Mac),
            Self::DukptMac { compare: None, .. } => ("GW", Shape::Mac(16), Proves::Nothing),
            Self::DukptMac { compare: Some(_), .. } => ("GW", Shape::Nothing, Proves::Mac),
            Self::ImportKey { .. } => ("A6", Shape::ImportedKey, Proves::Nothing),
        }
    }

    fn write(&self, to: &mut Writer) -> Result<(), FieldError> {
        match self {
            Self::Diagnostics | Self::GenerateKey { .. } | Self::ImportKey { .. } => Ok(()),
            Self::Echo(data) => {
                let length = data_length(data)?;
                to.text(&format!("{length:04X}")).bytes.extend_from_slice(data);
                Ok(())
            }
            Self::CheckValue { key, key_type } => {
                let flag = match key.form() {
                    Form::Variant(8) => "0",
                    Form::Variant(16) => "1",
                    Form::Variant(_) => "2",
                    Form::Block(_) | Form::Tr31 | Form::Ecb(_) => "F",
                };
                to.text("FF").text(flag).key(key).text(";").text(key_type.field(key)).text(";000");
                Ok(())
            }
            Self::Translate { pin, to: zone, format } => write_translation(to, pin, zone, *format),
            Self::Verify { pin, with } => write_verification(to, pin, with),
            Self::Change { pin, with, new_block } => write_change(to, pin, with, new_block),
            Self::MakePvv { pin, pvk, pvki } => {
                let account = write_own_choice(to, pin, pvk)?;
                to.text(&account).text(&index(*pvki)?);
                Ok(())
            }
            Self::MakeOffset { pin, rule, pvk, length } => {
                let account = write_own_choice(to, pin, pvk)?;
                to.text(&format!("{length:02}")).text(&account).rule(rule);
                Ok(())
            }
            Self::GenerateMac { key, kind, long, data } => write_mac(to, key, *kind, *long, data),
            Self::VerifyMac { key, kind, mac, data } => {
                write_mac(to, key, *kind, mac.len() == 8, data)?;
                to.text(&hex::encode_upper(mac));
                Ok(())
            }
            Self::DukptMac { bdk, ksn, method, compare, data } => {
                write_dukpt_mac(to, bdk, ksn, *method, *compare, data)
            }
        }
    }

    /// A0 and A6 have the LMK's number before the attributes.
    fn write_new_key(&self, to: &mut Writer, lmk: Option<u8>) {
        let attributes = |of: &Attributes, algorithm: &str| {
            format!("#{}{algorithm}{}00{}00", of.usage, of.mode, of.exportability)
        };
        match self {
            Self::GenerateKey { attributes: of, key_type, tmk } => {
                let blocks = tmk.header().is_some();
                to.text("1").text(key_type.field(tmk)).text(if blocks { "S" } else { "U" });
                to.text(";1").key(tmk).text("X").lmk(lmk);
                if blocks {
                    to.text(&attributes(of, "T2"));
                }
            }
            Self::ImportKey { attributes: of, key_type, zmk, key } => {
                let blocks = zmk.header().is_some();
                let scheme = match (blocks, key.form()) {
                    (true, _) => "S",
                    (false, Form::Variant(8) | Form::Ecb(8)) => "Z",
                    (false, Form::Variant(24) | Form::Ecb(24)) => "T",
                    (false, _) => "U",
                };
                to.text(key_type.field(zmk)).key(zmk).key(key).text(scheme).lmk(lmk);
                if blocks && !matches!(key.form(), Form::Block(_) | Form::Tr31) {
                    to.text(&attributes(of, ""));
                }
            }
            _ => {}
        }
    }
}

fn by_source(source: &PinSource<'_>, [terminal, zone, derived]: [&'static str; 3]) -> &'static str {
    match source {
        PinSource::Terminal(_) => terminal,
        PinSource::Zone(_) => zone,
        PinSource::Derived(..) => derived,
    }
}
