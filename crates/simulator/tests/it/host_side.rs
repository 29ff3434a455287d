//! The host's side of every key scheme, computed with the host's functions: work keys that it gives away, and the keys of any DUKPT
//! transaction from the base derivation key and the serial number alone. Nothing here is the terminal's.

use model::KeyScheme;
use paycrypto::dukpt::aes::{self, KeyType, KeyUsage};
use paycrypto::dukpt::tdes::{self, BaseDerivationKey};
use paycrypto::kcv::{KcvMethod, check_value};
use paycrypto::key::{AesKey, Sm4Key, TdesKey};
use paycrypto::pin::{PanForPin, Pin};
use paycrypto::pin_block::{self, ClearPinBlock, PinBlockError};
use paycrypto::{mac, mode};

const TMK: [u8; 16] =
    [0x0F, 0x1E, 0x2D, 0x3C, 0x4B, 0x5A, 0x69, 0x78, 0x87, 0x96, 0xA5, 0xB4, 0xC3, 0xD2, 0xE1, 0xF0];
const TPK: [u8; 16] = [0x11; 16];
const TAK: [u8; 16] = [0x23; 16];
/// The base derivation key of both standards' examples; AES takes as much of it, twice over, as it needs.
const BDK: [u8; 32] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10\
                         \x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
pub(crate) const TDES_DEVICE: &str = "FFFF9876543210E00000";
pub(crate) const AES_DEVICE: &str = "123456789012345600000000";

/// A scheme with what there is to choose in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Tdes,
    TdesIso3,
    Sm4,
    Sm4Layout2,
    TdesDukpt,
    TdesDukptIso3,
    /// With the bytes of its keys.
    AesDukpt(usize),
}

impl Side {
    pub(crate) const ALL: [Side; 9] = [
        Side::Tdes,
        Side::TdesIso3,
        Side::Sm4,
        Side::Sm4Layout2,
        Side::TdesDukpt,
        Side::TdesDukptIso3,
        Side::AesDukpt(16),
        Side::AesDukpt(24),
        Side::AesDukpt(32),
    ];

    pub(crate) fn scheme(self) -> KeyScheme {
        match self {
            Side::Tdes | Side::TdesIso3 => KeyScheme::Tdes,
            Side::Sm4 | Side::Sm4Layout2 => KeyScheme::Sm4,
            Side::TdesDukpt | Side::TdesDukptIso3 => KeyScheme::TdesDukpt,
            Side::AesDukpt(_) => KeyScheme::AesDukpt,
        }
    }

    /// The UnionPay dialect that has room for its PIN blocks.
    pub(crate) fn dialect(self) -> &'static str {
        if self.scheme().pin_block_length() == 16 { "cup-pos-sm4" } else { "cup-pos" }
    }

    /// The key fields of a terminal in `sandbox.json`.
    pub(crate) fn fields(self) -> String {
        let format = match self {
            Side::TdesIso3 | Side::TdesDukptIso3 => r#","format":"iso3""#,
            Side::Sm4Layout2 => r#","format":"sm4-layout-2""#,
            Side::Tdes | Side::Sm4 | Side::TdesDukpt | Side::AesDukpt(_) => "",
        };
        let keys = match self {
            Side::Tdes | Side::TdesIso3 => format!(r#""tmk":"{}""#, hex::encode(TMK)),
            Side::Sm4 | Side::Sm4Layout2 => format!(r#""scheme":"sm4","tmk":"{}""#, hex::encode(TMK)),
            Side::TdesDukpt | Side::TdesDukptIso3 => {
                let ksn = tdes_ksn(&hex::decode(TDES_DEVICE).unwrap());
                let key = BaseDerivationKey::new(&BDK[..16]).unwrap().initial_key(&ksn);
                let key = hex::encode_upper(*key.expose_bytes());
                format!(r#""scheme":"tdes-dukpt","initial_key":"{key}","ksn":"{TDES_DEVICE}""#)
            }
            Side::AesDukpt(length) => {
                let key = aes_initial(length, &hex::decode(AES_DEVICE).unwrap());
                let key = hex::encode_upper(key.expose_bytes());
                format!(r#""scheme":"aes-dukpt","initial_key":"{key}","ksn":"{AES_DEVICE}""#)
            }
        };
        keys + format
    }

    /// DE 60.3 of the sign-in that gets keys, and DE 62 of its answer.
    pub(crate) fn download(self) -> Option<(&'static str, Vec<u8>)> {
        let both = |wrapped: fn(&[u8; 16]) -> Vec<u8>| [wrapped(&TPK), wrapped(&TAK)].concat();
        match self.scheme() {
            KeyScheme::Tdes => Some(("003", both(tdes_wrapped))),
            KeyScheme::Sm4 => Some(("006", both(sm4_wrapped))),
            KeyScheme::TdesDukpt | KeyScheme::AesDukpt => None,
        }
    }

    /// DE 64 of a request.
    pub(crate) fn request_mac(self, ksn: &[u8], covered: &[u8]) -> [u8; 8] {
        match self.scheme() {
            KeyScheme::TdesDukpt => mac::x9_19(&tdes_key(ksn).mac_request_key(), covered),
            KeyScheme::AesDukpt => self.cmac(ksn, KeyUsage::MacGeneration, covered),
            KeyScheme::Tdes | KeyScheme::Sm4 => self.answer_mac(ksn, covered),
        }
    }

    /// DE 64 of an answer.
    pub(crate) fn answer_mac(self, ksn: &[u8], covered: &[u8]) -> [u8; 8] {
        match self.scheme() {
            KeyScheme::Tdes => mac::union_pay_ecb(&TdesKey::double(&TAK).first_part(), covered),
            KeyScheme::Sm4 => mac::union_pay_sm4(&Sm4Key::new(&TAK), covered),
            KeyScheme::TdesDukpt => mac::x9_19(&tdes_key(ksn).mac_response_key(), covered),
            KeyScheme::AesDukpt => self.cmac(ksn, KeyUsage::MacVerification, covered),
        }
    }

    fn cmac(self, ksn: &[u8], usage: KeyUsage, covered: &[u8]) -> [u8; 8] {
        mac::cmac(&self.aes_key(ksn, usage), covered)[..8].try_into().unwrap()
    }

    fn aes_key(self, ksn: &[u8], usage: KeyUsage) -> AesKey {
        let Side::AesDukpt(length) = self else { panic!("{self:?} has no AES key") };
        let key_type = match length {
            16 => KeyType::Aes128,
            24 => KeyType::Aes192,
            _ => KeyType::Aes256,
        };
        let key = aes_initial(length, ksn).transaction_key(&aes::KeySerialNumber::from_slice(ksn).unwrap());
        key.working_key(usage, key_type).unwrap().to_aes().unwrap()
    }

    /// The PIN in DE 52, or what is wrong with the block.
    pub(crate) fn pin(self, ksn: &[u8], block: &[u8], pan: &str) -> String {
        match self.decode(ksn, block, &PanForPin::new(pan).unwrap()) {
            Ok(pin) => pin.expose_digits().iter().map(|d| char::from(b'0' + d)).collect(),
            Err(error) => error.to_string(),
        }
    }

    fn decode(self, ksn: &[u8], block: &[u8], pan: &PanForPin) -> Result<Pin, PinBlockError> {
        let account = pan.account12();
        let short = |key: &TdesKey| ClearPinBlock::decrypt(key, block.try_into().unwrap());
        let long = || <&[u8; 16]>::try_from(block).unwrap();
        match self {
            Side::Tdes => pin_block::decode_format_0(&short(&TdesKey::double(&TPK)), &account),
            Side::TdesIso3 => pin_block::decode_format_3(&short(&TdesKey::double(&TPK)), &account),
            Side::TdesDukpt => pin_block::decode_format_0(&short(&tdes_key(ksn).pin_key()), &account),
            Side::TdesDukptIso3 => pin_block::decode_format_3(&short(&tdes_key(ksn).pin_key()), &account),
            Side::Sm4 => pin_block::decrypt_sm4_layout_1(&Sm4Key::new(&TPK), long(), &account),
            Side::Sm4Layout2 => pin_block::decrypt_sm4_layout_2(&Sm4Key::new(&TPK), long(), &account),
            Side::AesDukpt(_) => {
                pin_block::decrypt_format_4(&self.aes_key(ksn, KeyUsage::PinEncryption), long(), pan)
            }
        }
    }
}

fn tdes_ksn(bytes: &[u8]) -> tdes::KeySerialNumber {
    tdes::KeySerialNumber::from_slice(bytes).unwrap()
}

fn tdes_key(ksn: &[u8]) -> tdes::TransactionKey {
    BaseDerivationKey::new(&BDK[..16]).unwrap().transaction_key(&tdes_ksn(ksn))
}

fn aes_initial(length: usize, ksn: &[u8]) -> aes::InitialKey {
    let base = AesKey::new(&BDK[..length]).unwrap();
    aes::InitialKey::of_base_key(&base, ksn[..8].try_into().unwrap()).unwrap()
}

fn tdes_wrapped(key: &[u8; 16]) -> Vec<u8> {
    let mut bytes = key.to_vec();
    mode::ecb_encrypt(&TdesKey::double(&TMK), &mut bytes);
    bytes.extend(check_value(KcvMethod::TdesZeros, &TdesKey::double(key), 4).unwrap().bytes());
    bytes
}

fn sm4_wrapped(key: &[u8; 16]) -> Vec<u8> {
    let mut bytes = key.to_vec();
    mode::ecb_encrypt(&Sm4Key::new(&TMK), &mut bytes);
    bytes.extend(check_value(KcvMethod::Sm4Zeros, &Sm4Key::new(key), 4).unwrap().bytes());
    bytes
}
