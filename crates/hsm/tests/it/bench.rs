//! A soft module with keys of every cipher, and a terminal that makes PIN blocks under them with `paycrypto` alone.

use hsm::{
    EncryptedPinBlock, PinBlockFormat, PinKey, SecurityModule, VerifyPin,
    soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule},
};
use model::{AdmittedKsn, CardId, KeyBlock, Ksn, Pan, PinOutcome, PinReference};
use paycrypto::{
    dukpt,
    key::{AesKey, Sm4Key, TdesKey},
    key_block::{Algorithm, KeyUsage},
    pin::{PanForPin, Pin},
    pin_block::{
        Format3Fill, encode_format_0, encode_format_1, encode_format_3, encrypt_format_4,
        encrypt_sm4_layout_1, encrypt_sm4_layout_2,
    },
};

pub(crate) const KEY: [u8; 16] = *b"\x13\x2a\x4b\x3d\x4c\x5e\x6e\x70\x8f\x91\xa2\xb3\xc4\xd5\xe6\xf7";
pub(crate) const OTHER_KEY: [u8; 16] = *b"\x31\xa2\xb4\xd3\xc4\xe5\xe6\x07\xf8\x19\x2a\x3b\x4c\x5d\x6e\x7f";
const PVK: [u8; 16] = *b"\x26\x45\x89\x0d\xce\x51\x73\xf8\x94\xb0\x1f\x2a\x37\xc7\xe9\x62";
pub(crate) const CARD: CardId = CardId([9; 16]);
pub(crate) const PAN: &str = "6299990000000009";
pub(crate) const OTHER_PAN: &str = "6299991357924683";

pub(crate) struct Bench {
    pub(crate) module: SoftModule,
    pub(crate) pan: Pan,
}

pub(crate) fn soft(policy: KeyPolicy, configuration: Configuration) -> SoftModule {
    SoftModule::new(MasterKey::new(&[7; 32]), policy, configuration)
}

pub(crate) fn bench() -> Bench {
    let maker = soft(KeyPolicy::Sandbox, Configuration::default());
    // Always the same keys: under a random one two PINs have one PVV once in ten thousand runs.
    let make = |usage| maker.import_test_key(KeyAttributes::tdes(usage), &PVK).unwrap();
    let configuration = Configuration::default()
        .with_pvk("pvk", make(KeyUsage::PinVerificationVisaPvv))
        .with_ibm3624("ibm", make(KeyUsage::PinVerificationIbm3624), "0123456789012345", "123456N")
        .unwrap();
    Bench { module: soft(KeyPolicy::Sandbox, configuration), pan: PAN.parse().unwrap() }
}

pub(crate) fn pvv() -> ReferenceMethod {
    ReferenceMethod::Pvv { key: "pvk".to_owned(), pvki: 1 }
}

pub(crate) fn ibm() -> ReferenceMethod {
    ReferenceMethod::Ibm3624 { key: "ibm".to_owned() }
}

/// The cipher under which blocks of a format travel.
pub(crate) fn cipher(format: PinBlockFormat) -> Algorithm {
    match format {
        PinBlockFormat::Iso4 => Algorithm::Aes,
        PinBlockFormat::Sm4Layout1 | PinBlockFormat::Sm4Layout2 => Algorithm::SM4,
        _ => Algorithm::Tdea,
    }
}

impl Bench {
    pub(crate) fn reference(&self, method: &ReferenceMethod, pin: &str) -> PinReference {
        self.module.test_reference(method, &self.pan, pin).unwrap()
    }

    /// A terminal PIN key for blocks of a format.
    pub(crate) fn tpk(&self, format: PinBlockFormat) -> KeyBlock {
        let of = KeyAttributes::of(KeyUsage::PinEncryption, cipher(format));
        self.module.import_test_key(of, &KEY).unwrap()
    }

    /// A zone PIN key for blocks of a format that leave.
    pub(crate) fn zone_key(&self, format: PinBlockFormat) -> KeyBlock {
        self.module.import_test_key(KeyAttributes::zone_pin_out(cipher(format)), &OTHER_KEY).unwrap()
    }

    pub(crate) async fn verify(
        &self,
        key: PinKey<'_>,
        format: PinBlockFormat,
        block: EncryptedPinBlock,
        reference: &PinReference,
    ) -> PinOutcome {
        let request = VerifyPin { card: CARD, pan: &self.pan, key, block, format, reference };
        self.module.verify_pin(request).await
    }
}

/// A block as a terminal makes it.
pub(crate) fn block(key: &[u8; 16], format: PinBlockFormat, pan: &str, pin: &str) -> EncryptedPinBlock {
    let whole = PanForPin::new(pan).unwrap();
    let (account, pin) = (whole.account12(), Pin::from_ascii(pin.as_bytes()).unwrap());
    let tdes = TdesKey::double(key);
    let random = [0x5A; 8];
    let made = match format {
        PinBlockFormat::Iso0 => encode_format_0(&pin, &account).encrypt(&tdes).to_vec(),
        PinBlockFormat::Iso1 | PinBlockFormat::Iso2 => encode_format_1(&pin, &random).encrypt(&tdes).to_vec(),
        PinBlockFormat::Iso3 => {
            encode_format_3(&pin, &account, &Format3Fill::from_random(&random)).encrypt(&tdes).to_vec()
        }
        PinBlockFormat::Iso4 => encrypt_format_4(&AesKey::new(key).unwrap(), &pin, &whole, &random).to_vec(),
        PinBlockFormat::Sm4Layout1 => encrypt_sm4_layout_1(&Sm4Key::new(key), &pin, &account).to_vec(),
        PinBlockFormat::Sm4Layout2 => encrypt_sm4_layout_2(&Sm4Key::new(key), &pin, &account).to_vec(),
    };
    EncryptedPinBlock::new(&made).unwrap()
}

pub(crate) fn ksn(text: &str) -> Ksn {
    text.parse().unwrap()
}

/// A PIN key of one transaction.
pub(crate) fn derived<'a>(bdk: &'a KeyBlock, admitted: &'a AdmittedKsn) -> PinKey<'a> {
    PinKey::Derived { bdk, ksn: admitted }
}

/// The PIN key that a TDES DUKPT device has for a transaction.
pub(crate) fn tdes_pin_key(ksn: Ksn) -> [u8; 16] {
    let base = dukpt::tdes::BaseDerivationKey::new(&KEY).unwrap();
    let serial = dukpt::tdes::KeySerialNumber::from_slice(ksn.as_bytes()).unwrap();
    base.transaction_key(&serial).pin_key().expose_bytes().try_into().unwrap()
}

/// The PIN key that an AES DUKPT device has for a transaction.
pub(crate) fn aes_pin_key(ksn: Ksn) -> [u8; 16] {
    let base = AesKey::new(&KEY).unwrap();
    let serial = dukpt::aes::KeySerialNumber::from_slice(ksn.as_bytes()).unwrap();
    let initial = dukpt::aes::InitialKey::of_base_key(&base, serial.initial_key_id()).unwrap();
    let key = initial.transaction_key(&serial).pin_key(dukpt::aes::KeyType::Aes128).unwrap();
    key.expose_bytes().try_into().unwrap()
}
