//! The header of a key block: its fields as types, and how it is read and written (X9.143:2021, clause 6).
//!
//! Reading is strict about structure - lengths, characters, optional blocks that end where they say - and lenient about
//! meaning: a usage that the list does not know is kept as it is. Nothing read here is believed before the MAC.

use super::{KeyBlockError, nibble};

/// The version of a block: which ciphers bind and protect it (X9.143:2021, 6.2, byte 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// TDEA, key variants, 4-byte CBC-MAC over the ciphertext. Deprecated.
    A,
    /// TDEA, derived keys, 8-byte CMAC over the clear key.
    B,
    /// As A. Deprecated.
    C,
    /// AES-CBC, derived keys, 16-byte CMAC over the clear key: the one to use.
    D,
    /// AES-CTR, derived keys, 16-byte CMAC (ISO 20038:2017).
    E,
    /// Thales key block version 0 under a 3DES key-block LMK, whose construction is that of A.
    Thales0,
}

impl Version {
    pub(super) fn from_character(character: u8) -> Option<Version> {
        Some(match character {
            b'A' => Version::A,
            b'B' => Version::B,
            b'C' => Version::C,
            b'D' => Version::D,
            b'E' => Version::E,
            b'0' => Version::Thales0,
            _ => return None,
        })
    }

    fn character(self) -> u8 {
        match self {
            Version::A => b'A',
            Version::B => b'B',
            Version::C => b'C',
            Version::D => b'D',
            Version::E => b'E',
            Version::Thales0 => b'0',
        }
    }

    /// The length of the MAC at the end, in bytes.
    pub(super) fn mac_length(self) -> usize {
        match self {
            Version::A | Version::C | Version::Thales0 => 4,
            Version::B => 8,
            Version::D | Version::E => 16,
        }
    }

    /// The whole header and the whole block have a multiple of this many characters.
    pub(super) fn alignment(self) -> usize {
        match self {
            Version::A | Version::B | Version::C | Version::Thales0 => 8,
            Version::D | Version::E => 16,
        }
    }

    /// The enciphered part has a multiple of this many bytes: a cipher block, or nothing for counter mode.
    pub(super) fn data_alignment(self) -> usize {
        match self {
            Version::E => 1,
            Version::A | Version::B | Version::C | Version::D | Version::Thales0 => self.alignment(),
        }
    }
}

macro_rules! key_usages {
    ($($name:ident $code:literal $text:literal,)*) => {
        /// What a key is for (X9.143:2021, Table 2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum KeyUsage {
            $(#[doc = concat!($text, " (", $code, ").")] $name,)*
            /// A numeric code, which X9.143 leaves to proprietary use (Thales: 71 = TPK), or one that this
            /// list does not know.
            Other([u8; 2]),
        }

        impl KeyUsage {
            /// Every usage of the list.
            pub const ALL: &[KeyUsage] = &[$(KeyUsage::$name),*];

            /// The two characters of the header.
            #[must_use]
            pub fn code(self) -> [u8; 2] {
                match self {
                    $(KeyUsage::$name => {
                        const CODE: &[u8; 2] = $code.as_bytes().first_chunk().unwrap();
                        *CODE
                    })*
                    KeyUsage::Other(code) => code,
                }
            }

            /// What the two characters mean.
            #[must_use]
            pub fn from_code(code: [u8; 2]) -> KeyUsage {
                match core::str::from_utf8(&code) {
                    $(Ok($code) => KeyUsage::$name,)*
                    _ => KeyUsage::Other(code),
                }
            }
        }
    };
}

key_usages! {
    BaseDerivation "B0" "Base derivation key (BDK)",
    DukptInitial "B1" "Initial DUKPT key",
    BaseKeyVariant "B2" "Base key variant key",
    KeyDerivation "B3" "Key derivation key, not X9.24",
    CardVerification "C0" "Card verification key",
    Data "D0" "Symmetric key for data encryption",
    AsymmetricData "D1" "Asymmetric key for data encryption",
    DecimalisationTableData "D2" "Data encryption key for decimalisation tables",
    SensitiveData "D3" "Data encryption key for sensitive data",
    EmvCryptogram "E0" "EMV issuer master key: application cryptograms",
    EmvConfidentiality "E1" "EMV issuer master key: secure messaging, confidentiality",
    EmvIntegrity "E2" "EMV issuer master key: secure messaging, integrity",
    EmvDataAuthentication "E3" "EMV issuer master key: data authentication code",
    EmvDynamicNumbers "E4" "EMV issuer master key: dynamic numbers",
    EmvPersonalisation "E5" "EMV issuer master key: card personalisation",
    EmvOther "E6" "EMV issuer master key: other",
    EmvMasterPersonalisation "E7" "EMV master personalisation key",
    InitialisationVector "I0" "Initialisation vector",
    KeyEncryption "K0" "Key encryption or wrapping key",
    KeyBlockProtection "K1" "Key block protection key (TR-31, X9.143)",
    Tr34Asymmetric "K2" "TR-34 asymmetric key",
    KeyAgreement "K3" "Asymmetric key for key agreement or wrapping",
    Iso20038Protection "K4" "Key block protection key (ISO 20038)",
    Mac16609 "M0" "ISO 16609 MAC algorithm 1 with TDEA",
    Mac97971Algorithm1 "M1" "ISO 9797-1 MAC algorithm 1",
    Mac97971Algorithm2 "M2" "ISO 9797-1 MAC algorithm 2",
    Mac97971Algorithm3 "M3" "ISO 9797-1 MAC algorithm 3 (retail MAC)",
    Mac97971Algorithm4 "M4" "ISO 9797-1 MAC algorithm 4",
    Mac97971Algorithm5Old "M5" "ISO 9797-1:1999 MAC algorithm 5",
    MacCmac "M6" "ISO 9797-1:2011 MAC algorithm 5, CMAC",
    MacHmac "M7" "HMAC",
    Mac97971Algorithm6 "M8" "ISO 9797-1:2011 MAC algorithm 6",
    PinEncryption "P0" "PIN encryption key",
    PinGeneration "P1" "PIN generation key",
    AsymmetricSignature "S0" "Asymmetric key pair for signatures",
    CertificateAuthority "S1" "Asymmetric key pair of a certificate authority",
    AsymmetricOther "S2" "Asymmetric key pair, other than X9.24",
    PinVerificationOther "V0" "PIN verification key, other",
    PinVerificationIbm3624 "V1" "PIN verification key, IBM 3624",
    PinVerificationVisaPvv "V2" "PIN verification key, Visa PVV",
    PinVerificationX9132Algorithm1 "V3" "PIN verification key, X9.132 algorithm 1",
    PinVerificationX9132Algorithm2 "V4" "PIN verification key, X9.132 algorithm 2",
    PinVerificationX9132Algorithm3 "V5" "PIN verification key, X9.132 algorithm 3",
}

/// The cipher a key is for (X9.143:2021, Table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// AES.
    Aes,
    /// Single DES.
    Des,
    /// Elliptic curves.
    EllipticCurve,
    /// HMAC.
    Hmac,
    /// RSA.
    Rsa,
    /// DSA.
    Dsa,
    /// TDEA.
    Tdea,
    /// A numeric character, which X9.143 leaves to proprietary use.
    Proprietary(u8),
}

impl Algorithm {
    /// SM4, for which X9.143 has no letter: the proprietary character that our own key store uses.
    pub const SM4: Algorithm = Algorithm::Proprietary(b'4');

    fn from_character(character: u8) -> Option<Algorithm> {
        Some(match character {
            b'A' => Algorithm::Aes,
            b'D' => Algorithm::Des,
            b'E' => Algorithm::EllipticCurve,
            b'H' => Algorithm::Hmac,
            b'R' => Algorithm::Rsa,
            b'S' => Algorithm::Dsa,
            b'T' => Algorithm::Tdea,
            b'0'..=b'9' => Algorithm::Proprietary(character),
            _ => return None,
        })
    }

    /// The character of the header.
    #[must_use]
    pub fn character(self) -> u8 {
        match self {
            Algorithm::Aes => b'A',
            Algorithm::Des => b'D',
            Algorithm::EllipticCurve => b'E',
            Algorithm::Hmac => b'H',
            Algorithm::Rsa => b'R',
            Algorithm::Dsa => b'S',
            Algorithm::Tdea => b'T',
            Algorithm::Proprietary(character) => character,
        }
    }

    /// The longest symmetric key of the algorithm in bytes: blocks are padded to it, so that their length
    /// does not tell the key's (X9.143:2021, 6.4).
    pub(super) fn longest_key(self) -> usize {
        match self {
            Algorithm::Aes => 32,
            Algorithm::Des | Algorithm::Tdea => 24,
            Algorithm::EllipticCurve
            | Algorithm::Hmac
            | Algorithm::Rsa
            | Algorithm::Dsa
            | Algorithm::Proprietary(_) => 0,
        }
    }
}

macro_rules! header_letters {
    ($(#[$doc:meta])* $type:ident { $($(#[$case_doc:meta])* $name:ident $letter:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$case_doc])* $name,)*
        }

        impl $type {
            fn from_character(character: u8) -> Option<$type> {
                match character {
                    $($letter => Some($type::$name),)*
                    _ => None,
                }
            }

            /// The character of the header.
            #[must_use]
            pub fn character(self) -> u8 {
                match self {
                    $($type::$name => $letter,)*
                }
            }
        }
    };
}

header_letters! {
    /// The operations a key may perform (X9.143:2021, Table 4).
    ModeOfUse {
        /// Both encrypt and decrypt, or wrap and unwrap.
        EncryptAndDecrypt b'B',
        /// Both generate and verify.
        GenerateAndVerify b'C',
        /// Decrypt or unwrap only.
        DecryptOnly b'D',
        /// Encrypt or wrap only.
        EncryptOnly b'E',
        /// Generate only.
        GenerateOnly b'G',
        /// No restriction other than the usage.
        NoRestriction b'N',
        /// Signatures only.
        SignOnly b'S',
        /// Both sign and decrypt.
        SignAndDecrypt b'T',
        /// Verify only.
        VerifyOnly b'V',
        /// Derive other keys.
        DeriveKeys b'X',
        /// Create key variants.
        CreateVariants b'Y',
        /// A proprietary mode.
        Proprietary b'1',
    }
}

header_letters! {
    /// Under which keys a key may leave (X9.143:2021, Table 6).
    Exportability {
        /// Exportable under a key block protection key of a trusted block.
        Trusted b'E',
        /// Not exportable.
        No b'N',
        /// Exportable under any key encryption key, in any form.
        Sensitive b'S',
    }
}

/// An optional block of the header, kept as it was found (X9.143:2021, 6.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalBlock {
    /// Two characters: `KS` key set identifier, `KC` check value, `TS` time of creation, …
    pub id: [u8; 2],
    /// The data, printable ASCII.
    pub data: String,
}

/// The id of the block that pads the optional blocks to the cipher's block length.
const PADDING_BLOCK: [u8; 2] = *b"PB";

/// The header of a key block: everything that is bound to the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The construction of the block.
    pub version: Version,
    /// What the key is for.
    pub usage: KeyUsage,
    /// Which cipher it is for.
    pub algorithm: Algorithm,
    /// Which operations it may perform.
    pub mode_of_use: ModeOfUse,
    /// Two characters: `00` no version, `c` + digit a component, anything else a version of the key.
    pub key_version: [u8; 2],
    /// Whether the key may leave.
    pub exportability: Exportability,
    /// Two characters, `00` in X9.143; the LMK identifier in Thales blocks.
    pub reserved: [u8; 2],
    /// The optional blocks in their order, without padding blocks, which are put in as needed.
    pub optional_blocks: Vec<OptionalBlock>,
}

impl Header {
    /// A header without optional blocks, key version `00`.
    #[must_use]
    pub fn new(
        version: Version,
        usage: KeyUsage,
        algorithm: Algorithm,
        mode_of_use: ModeOfUse,
        exportability: Exportability,
    ) -> Header {
        Header {
            version,
            usage,
            algorithm,
            mode_of_use,
            key_version: *b"00",
            exportability,
            reserved: *b"00",
            optional_blocks: Vec::new(),
        }
    }
}

/// The longest block that the four digits of the length field can say, in characters.
pub const BLOCK_LENGTH_MAX: usize = 9999;

/// The fixed part of the header, in characters.
const HEADER_LENGTH: usize = 16;

/// Reads the header and returns it with its length in characters.
pub(super) fn read_header(block: &str) -> Result<(Header, usize), KeyBlockError> {
    let bytes = block.as_bytes();
    if !bytes.iter().all(|byte| (0x20..=0x7E).contains(byte)) {
        return Err(KeyBlockError::Character);
    }
    let Some((fixed, mut rest)) = bytes.split_first_chunk::<HEADER_LENGTH>() else {
        return Err(KeyBlockError::BlockLength);
    };
    let version = Version::from_character(fixed[0]).ok_or(KeyBlockError::Version)?;
    let length = decimal(&fixed[1..5]).ok_or(KeyBlockError::BlockLength)?;
    if length != bytes.len() || !length.is_multiple_of(version.alignment()) && version != Version::E {
        return Err(KeyBlockError::BlockLength);
    }
    let alphanumeric = |field: [u8; 2]| match field.iter().all(u8::is_ascii_alphanumeric) {
        true => Ok(field),
        false => Err(KeyBlockError::Character),
    };
    let mut header = Header {
        version,
        usage: KeyUsage::from_code(alphanumeric([fixed[5], fixed[6]])?),
        algorithm: Algorithm::from_character(fixed[7]).ok_or(KeyBlockError::Algorithm)?,
        mode_of_use: ModeOfUse::from_character(fixed[8]).ok_or(KeyBlockError::ModeOfUse)?,
        key_version: alphanumeric([fixed[9], fixed[10]])?,
        exportability: Exportability::from_character(fixed[11]).ok_or(KeyBlockError::Exportability)?,
        reserved: alphanumeric([fixed[14], fixed[15]])?,
        optional_blocks: Vec::new(),
    };
    let count = decimal(&fixed[12..14]).ok_or(KeyBlockError::OptionalBlock)?;
    for place in 0..count {
        let (optional, after) = read_optional_block(rest).ok_or(KeyBlockError::OptionalBlock)?;
        rest = after;
        match optional.id == PADDING_BLOCK {
            // Padding comes last if it comes at all (X9.143:2021, 6.3.6).
            true if place + 1 != count => return Err(KeyBlockError::OptionalBlock),
            true => (),
            false => header.optional_blocks.push(optional),
        }
    }
    let header_length = bytes.len() - rest.len();
    if !header_length.is_multiple_of(version.alignment()) {
        return Err(KeyBlockError::OptionalBlock);
    }
    Ok((header, header_length))
}

/// One optional block: id, length in two hexadecimal digits - or `00`, the number of length digits, and the
/// length in that many - then the data. The length counts the whole block.
fn read_optional_block(bytes: &[u8]) -> Option<(OptionalBlock, &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<2>()?;
    if !id.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let (short_length, rest) = rest.split_at_checked(2)?;
    let (length, before_data, rest) = match hexadecimal(short_length)? {
        0 => {
            let (digits, rest) = rest.split_at_checked(2)?;
            let digits = hexadecimal(digits)?;
            if digits == 0 || digits > 4 {
                return None; // more than 65,535 characters do not fit a block anyway
            }
            let (length, rest) = rest.split_at_checked(digits)?;
            (hexadecimal(length)?, 6 + digits, rest)
        }
        length => (length, 4, rest),
    };
    let (data, rest) = rest.split_at_checked(length.checked_sub(before_data)?)?;
    let data = core::str::from_utf8(data).ok()?.to_owned();
    Some((OptionalBlock { id: *id, data }, rest))
}

/// Writes the header for key data of `data_length` bytes, with a padding block if the optional blocks need one.
pub(super) fn write_header(header: &Header, data_length: usize) -> Result<String, KeyBlockError> {
    let alignment = header.version.alignment();
    let mut optional = String::new();
    let mut count = header.optional_blocks.len();
    for block in &header.optional_blocks {
        push_optional_block(&mut optional, block)?;
    }
    let over = optional.len() % alignment;
    if over != 0 {
        // A padding block has at least its id and length, four characters.
        let fill = (over + 4).next_multiple_of(alignment) - over - 4;
        push_optional_block(&mut optional, &OptionalBlock { id: PADDING_BLOCK, data: "0".repeat(fill) })?;
        count += 1;
    }
    let length = HEADER_LENGTH + optional.len() + 2 * (data_length + header.version.mac_length());
    if length > BLOCK_LENGTH_MAX || count > 99 {
        return Err(KeyBlockError::BlockLength);
    }
    if header.optional_blocks.iter().any(|block| block.id == PADDING_BLOCK) {
        return Err(KeyBlockError::OptionalBlock);
    }
    let text = |field: [u8; 2]| match field.iter().all(u8::is_ascii_alphanumeric) {
        true => Ok(field.map(char::from).iter().collect::<String>()),
        false => Err(KeyBlockError::Character),
    };
    let (usage, key_version, reserved) =
        (text(header.usage.code())?, text(header.key_version)?, text(header.reserved)?);
    let algorithm =
        Algorithm::from_character(header.algorithm.character()).ok_or(KeyBlockError::Algorithm)?;
    Ok(format!(
        "{}{length:04}{usage}{}{}{key_version}{}{count:02}{reserved}{optional}",
        char::from(header.version.character()),
        char::from(algorithm.character()),
        char::from(header.mode_of_use.character()),
        char::from(header.exportability.character()),
    ))
}

fn push_optional_block(to: &mut String, block: &OptionalBlock) -> Result<(), KeyBlockError> {
    let printable = block.data.bytes().all(|byte| (0x20..=0x7E).contains(&byte));
    if !printable || !block.id.iter().all(u8::is_ascii_alphanumeric) {
        return Err(KeyBlockError::OptionalBlock);
    }
    to.extend(block.id.map(char::from));
    match block.data.len() + 4 {
        length @ ..=0xFF => to.push_str(&format!("{length:02X}")),
        length => to.push_str(&format!("0004{:04X}", length + 6)),
    }
    to.push_str(&block.data);
    Ok(())
}

fn decimal(digits: &[u8]) -> Option<usize> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0')))
}

/// At most four upper-case hexadecimal digits.
fn hexadecimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |number, digit| Some(number * 16 + usize::from(nibble(*digit)?)))
}
