//! The groups `payshield_variant`, `payshield_keyblock` and `payshield_framing`: recorded exchanges with a payShield
//! and its simulators, answered here with the cryptography alone.
//!
//! This is no module and no second implementation of the host protocol: it reads just the fields of the commands that
//! the vectors use, with the public test LMKs.

use paycrypto::dukpt::tdes as dukpt;
use paycrypto::kcv;
use paycrypto::key::{BlockKey, DesKey, TdesKey};
use paycrypto::key_block::{self, KeyUsage, ProtectionKey};
use paycrypto::mac::{self, Padding};
use paycrypto::pin::{Account12, Pin};
use paycrypto::pin_block::{self, ClearPinBlock};
use paycrypto::pin_verify::{Verdict, pvv};
use paycrypto::thales::{self, KeyScheme, KeyType, LMK_PAIRS, VariantLmk};
use serde_json::Value;

use super::{Case, Trouble, digits_value, exactly, hex_value, keys, leftmost, numbered, unknown};

/// The double-length variant test LMKs that Thales prints in its manuals, pairs 00-01 to 38-39.
const TEST_LMK: [u128; LMK_PAIRS] = [
    0x0101010101010101_7902CD1FD36EF8BA,
    0x2020202020202020_3131313131313131,
    0x4040404040404040_5151515151515151,
    0x6161616161616161_7070707070707070,
    0x8080808080808080_9191919191919191,
    0xA1A1A1A1A1A1A1A1_B0B0B0B0B0B0B0B0,
    0xC1C1010101010101_D0D0010101010101,
    0xE0E0010101010101_F1F1010101010101,
    0x1C587F1C13924FEF_0101010101010101,
    0x0101010101010101_0101010101010101,
    0x0202020202020202_0404040404040404,
    0x0707070707070707_1010101010101010,
    0x1313131313131313_1515151515151515,
    0x1616161616161616_1919191919191919,
    0x1A1A1A1A1A1A1A1A_1C1C1C1C1C1C1C1C,
    0x2323232323232323_2525252525252525,
    0x2626262626262626_2929292929292929,
    0x2A2A2A2A2A2A2A2A_2C2C2C2C2C2C2C2C,
    0x2F2F2F2F2F2F2F2F_3131313131313131,
    0x0101010101010101_0101010101010101,
];

/// The 3DES test LMK for key blocks, identifier 01.
const TEST_KEY_BLOCK_LMK: &str = "0123456789ABCDEF8080808080808080FEDCBA9876543210";

fn test_lmk() -> VariantLmk {
    VariantLmk::new(&TEST_LMK.map(u128::to_be_bytes))
}

/// Accepts the name of the one set that is known here.
fn known_lmk(case: &Case<'_>, words: &[&str]) -> Result<(), Trouble> {
    let lmk = if case.has("lmk") { case.text("lmk")?.to_lowercase() } else { return Ok(()) };
    match words.iter().all(|word| lmk.contains(word)) {
        true => Ok(()),
        false => Err(Trouble::not_supported(format!("LMK {lmk}"))),
    }
}

pub(super) fn variant(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    known_lmk(case, &["variant", "test"])?;
    if case.has("command") {
        return exchange(case, name);
    }
    let key_type = KeyType::from_code(&case.text("key_type")?).map_err(Trouble::refused)?;
    let scheme = |tag: Option<char>| KeyScheme::from_tag(tag.unwrap_or('Z')).map_err(Trouble::refused);
    let clear = || match case.has("clear_key") {
        true => case.bytes("clear_key"),
        false => {
            let (scheme, encrypted) = tagged_key(&case.text("key_under_lmk")?)?;
            let key = test_lmk().decrypt_key(key_type, scheme, &encrypted).map_err(Trouble::refused)?;
            Ok(key.to_vec())
        }
    };
    match name {
        "key_under_lmk" => {
            let scheme = scheme(case.text("scheme")?.chars().next())?;
            let key = test_lmk().encrypt_key(key_type, scheme, &clear()?).map_err(Trouble::refused)?;
            Ok(Value::from(format!("{}{}", scheme.tag(), hex::encode_upper(key))))
        }
        "clear_key" | "key" => hex_value(clear()?),
        "kcv" => {
            let _ = case.text("scheme");
            let length = case.expected(name).map_or(3, |expected| expected.len() / 2);
            keys::kcv_by(kcv::KcvMethod::TdesZeros, &clear()?, length)
        }
        _ => unknown("output", name),
    }
}

/// A key in a command's own notation: a tag and hexadecimal digits, or 16 digits without a tag.
fn tagged_key(text: &str) -> Result<(KeyScheme, Vec<u8>), Trouble> {
    let mut fields = Fields { rest: text };
    fields.tagged_key()
}

pub(super) fn key_block(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    if case.has("command") {
        known_lmk(case, &["key-block", "test"])?;
        return exchange(case, name);
    }
    if case.has("bdk") {
        let ksn = dukpt::KeySerialNumber::from_slice(&case.bytes("ksn")?).map_err(Trouble::refused)?;
        let bdk = dukpt::BaseDerivationKey::new(&case.bytes("bdk")?).map_err(Trouble::refused)?;
        let (stem, length) = numbered(name);
        if stem != "mac" {
            return unknown("output", name);
        }
        let padding = if case.has("padding") { case.text("padding")? } else { "zeros".into() };
        if padding != "zeros" {
            return Err(Trouble::not_supported(format!("padding {padding}")));
        }
        return leftmost(&mac::x9_19(&bdk.transaction_key(&ksn).mac_request_key(), &case.data()?), length);
    }
    let lmk = TdesKey::new(&case.bytes("lmk")?).map_err(Trouble::refused)?;
    let text = case.text("key_block")?;
    let block = text.strip_prefix('S').ok_or(Trouble::Refused("a Thales key block begins with S".into()))?;
    let (header, key) = key_block::unwrap(&ProtectionKey::Tdes(lmk), block).map_err(Trouble::refused)?;
    let letters = |letters: &[u8]| Ok(Value::from(String::from_utf8_lossy(letters).into_owned()));
    match name {
        "key" => hex_value(key.expose_bytes()),
        "kcv" => {
            let length = case.expected(name).map_or(3, |expected| expected.len() / 2);
            keys::kcv_of(header.algorithm, key.expose_bytes(), length)
        }
        "key_usage" => letters(&header.usage.code()),
        "mode_of_use" => letters(&[header.mode_of_use.character()]),
        "exportability" => letters(&[header.exportability.character()]),
        "algorithm" => letters(&[header.algorithm.character()]),
        "result" => Ok(Value::from("accept")),
        _ => unknown("output", name),
    }
}

/// Two bytes of length, header, payload; in the answer the code's second letter is one higher.
pub(super) fn framing(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let (header, payload) = (case.bytes("header_hex")?, case.text("payload")?);
    match name {
        "request_hex" => hex_value(framed(&header, payload.as_bytes())?),
        "response_example_hex" => {
            let response = hex::decode(case.expected(name).unwrap_or_default()).map_err(Trouble::refused)?;
            let body = response.get(2 + header.len()..).unwrap_or_default();
            let [first, second, ..] = payload.as_bytes() else {
                return Err(Trouble::Refused("no command code".into()));
            };
            // The answer of a module to the example is its own affair beyond the code and "no error".
            match body.starts_with(&[*first, second.saturating_add(1), b'0', b'0']) {
                true => hex_value(framed(&header, body)?),
                false => Err(Trouble::Refused("the response has another code".into())),
            }
        }
        _ => unknown("output", name),
    }
}

fn framed(header: &[u8], payload: &[u8]) -> Result<Vec<u8>, Trouble> {
    let length = u16::try_from(header.len() + payload.len()).map_err(Trouble::refused)?;
    Ok([&length.to_be_bytes(), header, payload].concat())
}

/// The answer to a command, or a value on the way to it.
fn exchange(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let text = case.text("command")?;
    let text = text.split('%').next().unwrap_or_default(); // the LMK identifier behind % is not needed
    let (code, rest) = text.split_at_checked(2).ok_or(Trouble::Refused("no command code".into()))?;
    let mut fields = Fields { rest };
    let answer = match code {
        "CA" => translate(&mut fields, KeyType::TPK),
        "CC" => translate(&mut fields, KeyType::ZPK),
        "DC" => verify_pvv(&mut fields, KeyType::TPK),
        "EC" => verify_pvv(&mut fields, KeyType::ZPK),
        "GQ" => verify_dukpt_pvv(&mut fields),
        "DG" => generate_pvv(&mut fields),
        "BU" => check_value(&mut fields),
        "A6" => import_key(&mut fields),
        "M6" => generate_mac(&mut fields),
        "M8" => verify_mac(&mut fields),
        _ => return Err(Trouble::not_supported(format!("command {code}"))),
    }?;
    match name {
        "response" => {
            let letters = code.as_bytes();
            let code = [char::from(letters[0]), char::from(letters[1] + 1)];
            Ok(Value::from(format!("{}{}", code.iter().collect::<String>(), answer.response)))
        }
        "clear_pin" => match answer.pin {
            Some(pin) => digits_value(pin.expose_digits()),
            None => unknown("output", name),
        },
        "account12" => match answer.account {
            Some(account) => digits_value(account.digits()),
            None => unknown("output", name),
        },
        _ => unknown("output", name),
    }
}

/// What a command gives: error code and fields, and what vectors state beside them.
struct Answer {
    response: String,
    pin: Option<Pin>,
    account: Option<Account12>,
}

impl From<String> for Answer {
    fn from(response: String) -> Answer {
        Answer { response, pin: None, account: None }
    }
}

/// CA and CC: source key, destination key, maximum length, block, formats, account.
fn translate(fields: &mut Fields<'_>, source: KeyType) -> Result<Answer, Trouble> {
    let (source, destination) = (fields.key(source)?, fields.key(KeyType::ZPK)?);
    let _maximum_length = fields.take(2)?;
    let block = fields.block()?;
    let (source_format, destination_format) = (fields.take(2)?, fields.take(2)?);
    let account = fields.account()?;
    let pin = decode(source_format, &decrypt(&source, &block), &account)?;
    let clear = match destination_format {
        "01" => pin_block::encode_format_0(&pin, &account),
        "03" => thales::encode_diebold(&pin),
        other => return Err(Trouble::not_supported(format!("PIN block format {other}"))),
    };
    let mut block = *clear.expose_bytes();
    cipher(&destination).encrypt_block(&mut block);
    let response = format!("00{:02}{}{destination_format}", pin.len(), hex::encode_upper(block));
    Ok(Answer { response, pin: Some(pin), account: Some(account) })
}

/// DC and EC: PIN key, PVK, block, format, account, PVKI, PVV.
fn verify_pvv(fields: &mut Fields<'_>, pin_key: KeyType) -> Result<Answer, Trouble> {
    let (pin_key, pvk) = (fields.key(pin_key)?, fields.key(KeyType::TPK)?);
    let block = fields.block()?;
    finish_pvv(fields, &pvk, &decrypt(&pin_key, &block))
}

/// GQ: mode, BDK, PVK, KSN descriptor, KSN, block, format, account, PVKI, PVV.
fn verify_dukpt_pvv(fields: &mut Fields<'_>) -> Result<Answer, Trouble> {
    if fields.take(1)? != "0" {
        return Err(Trouble::not_supported("GQ with a MAC"));
    }
    let (bdk, pvk) = (fields.clear_key(KeyType::ZMK)?, fields.key(KeyType::TPK)?);
    let descriptor = fields.take(3)?;
    let ksn_length =
        usize::from_str_radix(descriptor.get(..1).unwrap_or_default(), 16).map_err(Trouble::refused)?;
    let ksn = hex::decode(fields.take(2 * ksn_length)?).map_err(Trouble::refused)?;
    let ksn = dukpt::KeySerialNumber::from_slice(&ksn).map_err(Trouble::refused)?;
    let bdk = dukpt::BaseDerivationKey::new(&bdk).map_err(Trouble::refused)?;
    let block = fields.block()?;
    let clear = ClearPinBlock::decrypt(&bdk.transaction_key(&ksn).pin_key(), &block);
    finish_pvv(fields, &pvk, &clear)
}

fn finish_pvv(fields: &mut Fields<'_>, pvk: &Key, clear: &ClearPinBlock) -> Result<Answer, Trouble> {
    let format = fields.take(2)?;
    let account = fields.account()?;
    let pvki = fields.pvki()?;
    let stored = pvv::Pvv::from_ascii(fields.take(4)?.as_bytes()).map_err(Trouble::refused)?;
    let pin = decode(format, clear, &account)?;
    let response = match pvv::verify(pvk.tdes()?, pvki, &pin, &account, &stored) {
        Verdict::Right => "00",
        Verdict::Wrong => "01",
    };
    Ok(Answer { response: response.into(), pin: Some(pin), account: Some(account) })
}

/// DG: PVK, PIN under LMK, account, PVKI. The simulators that recorded these exchanges write a PIN under the test LMK
/// as the clear PIN behind a zero.
fn generate_pvv(fields: &mut Fields<'_>) -> Result<Answer, Trouble> {
    let pvk = fields.key(KeyType::TPK)?;
    let pin_length =
        fields.rest.len().checked_sub(12 + 1).ok_or(Trouble::Refused("DG is too short".into()))?;
    let pin = fields.take(pin_length)?.strip_prefix('0').ok_or(Trouble::not_supported("enciphered PIN"))?;
    let pin = Pin::from_ascii(pin.as_bytes()).map_err(Trouble::refused)?;
    let (account, pvki) = (fields.account()?, fields.pvki()?);
    let pvv = pvv::generate(pvk.tdes()?, pvki, &pin, &account);
    let response = format!("00{}", String::from_utf8_lossy(&pvv.expose_ascii()));
    Ok(Answer { response, pin: Some(pin), account: Some(account) })
}

/// BU: pair code, length flag, key; the answer is the whole encrypted zero block.
fn check_value(fields: &mut Fields<'_>) -> Result<Answer, Trouble> {
    let code = format!("0{}", fields.take(2)?);
    let _length_flag = fields.take(1)?;
    let key = fields.key(KeyType::from_code(&code).map_err(Trouble::refused)?)?;
    let mut block = [0; 8];
    cipher(&key).encrypt_block(&mut block);
    Ok(format!("00{}", hex::encode_upper(block)).into())
}

/// A6: key type, ZMK, key under ZMK, scheme for the LMK; the answer is the key under the LMK and its check value.
fn import_key(fields: &mut Fields<'_>) -> Result<Answer, Trouble> {
    let key_type = KeyType::from_code(fields.take(3)?).map_err(Trouble::refused)?;
    let zmk = exactly(&fields.clear_key(KeyType::ZMK)?, "ZMK")?;
    let (scheme, encrypted) = fields.tagged_key()?;
    let key = thales::decrypt_key_under_zmk(&zmk, scheme, &encrypted).map_err(Trouble::refused)?;
    let scheme = KeyScheme::from_tag(fields.tag()?).map_err(Trouble::refused)?;
    let check = keys::kcv_by(kcv::KcvMethod::TdesZeros, &key, 3)?;
    let stored = test_lmk().encrypt_key(key_type, scheme, &key).map_err(Trouble::refused)?;
    let check = check.as_str().unwrap_or_default();
    Ok(format!("00{}{}{check}", scheme.tag(), hex::encode_upper(stored)).into())
}

/// M6: as M8 without the MAC. A payShield answers with the MAC; the simulators with variant LMKs put its length before.
fn generate_mac(fields: &mut Fields<'_>) -> Result<Answer, Trouble> {
    let request = MacRequest::read(fields)?;
    let mac = hex::encode_upper(request.compute()?);
    let mac = &mac[..request.mac_digits];
    Ok(match request.key_block {
        true => format!("00{mac}"),
        false => format!("00{:04}{mac}", mac.len()),
    }
    .into())
}

/// M8: the fields of [`MacRequest`], then the MAC.
fn verify_mac(fields: &mut Fields<'_>) -> Result<Answer, Trouble> {
    let request = MacRequest::read(fields)?;
    let received = hex::decode(fields.take(request.mac_digits)?).map_err(Trouble::refused)?;
    Ok(match mac::verify(&request.compute()?, &received) {
        Ok(()) => String::from("00"),
        Err(_) => String::from("01"),
    }
    .into())
}

/// The common fields of M6 and M8: mode, input format, MAC size, algorithm, padding, key type, key, length, message.
struct MacRequest {
    mac_digits: usize,
    algorithm: char,
    padding: Padding,
    key: Key,
    key_block: bool,
    message: Vec<u8>,
}

impl MacRequest {
    fn read(fields: &mut Fields<'_>) -> Result<MacRequest, Trouble> {
        if fields.take(1)? != "0" {
            return Err(Trouble::not_supported("a message in several blocks"));
        }
        let format = fields.tag()?;
        let mac_digits = if fields.tag()? == '0' { 8 } else { 16 };
        let algorithm = fields.tag()?;
        let padding = padding(fields.take(1)?)?;
        let key_type = fields.take(3)?;
        let key_block = key_type == "FFF";
        let key_type = if key_block { Ok(KeyType::TPK) } else { KeyType::from_code(key_type) };
        let key = fields.key(key_type.map_err(Trouble::refused)?)?;
        let length = usize::from_str_radix(fields.take(4)?, 16).map_err(Trouble::refused)?;
        let message = fields.take(length)?;
        let message = match format {
            '1' => hex::decode(message).map_err(Trouble::refused)?,
            '0' | '2' => message.as_bytes().to_vec(),
            other => return Err(Trouble::not_supported(format!("input format {other}"))),
        };
        Ok(MacRequest { mac_digits, algorithm, padding, key, key_block, message })
    }

    fn compute(&self) -> Result<[u8; 8], Trouble> {
        Ok(match (self.algorithm, &self.key) {
            ('1', Key::Des(key)) => mac::algorithm_1(key, self.padding, &self.message),
            ('1', Key::Tdes(key)) => mac::algorithm_1(key.as_ref(), self.padding, &self.message),
            ('3', Key::Tdes(key)) => mac::retail(key, self.padding, &self.message),
            ('6', Key::Tdes(key)) => mac::cmac(key.as_ref(), &self.message),
            (other, _) => return Err(Trouble::not_supported(format!("MAC algorithm {other}"))),
        })
    }
}

fn padding(code: &str) -> Result<Padding, Trouble> {
    match code {
        "1" => Ok(Padding::Method1),
        "2" => Ok(Padding::Method2),
        "3" => Ok(Padding::Method3),
        other => Err(Trouble::not_supported(format!("padding {other}"))),
    }
}

fn decode(format: &str, clear: &ClearPinBlock, account: &Account12) -> Result<Pin, Trouble> {
    match format {
        "01" => pin_block::decode_format_0(clear, account).map_err(Trouble::refused),
        "05" => pin_block::decode_format_1(clear).map_err(Trouble::refused),
        "47" => pin_block::decode_format_3(clear, account).map_err(Trouble::refused),
        "03" => thales::decode_diebold(clear).map_err(Trouble::refused),
        other => Err(Trouble::not_supported(format!("PIN block format {other}"))),
    }
}

fn decrypt(key: &Key, block: &[u8; 8]) -> ClearPinBlock {
    let mut block = *block;
    cipher(key).decrypt_block(&mut block);
    ClearPinBlock::from_bytes(&block)
}

/// Old estates have single-length PIN keys, which `paycrypto` keeps away from PINs: here, for recorded exchanges only.
enum Key {
    Des(DesKey),
    Tdes(Box<TdesKey>),
}

impl Key {
    fn tdes(&self) -> Result<&TdesKey, Trouble> {
        match self {
            Key::Tdes(key) => Ok(key),
            Key::Des(_) => Err(Trouble::Refused("a single-length key".into())),
        }
    }
}

fn cipher(key: &Key) -> &dyn BlockKey<8> {
    match key {
        Key::Des(key) => key,
        Key::Tdes(key) => key.as_ref(),
    }
}

/// The fields of a command, taken from the left.
struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a str, Trouble> {
        let (field, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| Trouble::Refused(format!("the command ends before a field of {length}")))?;
        self.rest = rest;
        Ok(field)
    }

    fn tag(&mut self) -> Result<char, Trouble> {
        Ok(self.take(1)?.chars().next().unwrap_or(' '))
    }

    fn block(&mut self) -> Result<[u8; 8], Trouble> {
        exactly(&hex::decode(self.take(16)?).map_err(Trouble::refused)?, "PIN block")
    }

    fn account(&mut self) -> Result<Account12, Trouble> {
        Account12::new(self.take(12)?).map_err(Trouble::refused)
    }

    fn pvki(&mut self) -> Result<pvv::Pvki, Trouble> {
        pvv::Pvki::new(self.take(1)?.parse().map_err(Trouble::refused)?).map_err(Trouble::refused)
    }

    fn tagged_key(&mut self) -> Result<(KeyScheme, Vec<u8>), Trouble> {
        let scheme = match self.rest.chars().next() {
            Some(digit) if digit.is_ascii_hexdigit() => KeyScheme::Single,
            _ => KeyScheme::from_tag(self.tag()?).map_err(Trouble::refused)?,
        };
        let key = hex::decode(self.take(2 * scheme.key_length())?).map_err(Trouble::refused)?;
        Ok((scheme, key))
    }

    /// A key under the LMK, in variant form or as a key block, in clear.
    fn clear_key(&mut self, key_type: KeyType) -> Result<Vec<u8>, Trouble> {
        if let Some(rest) = self.rest.strip_prefix('S') {
            self.rest = rest;
            let length = rest.get(1..5).and_then(|digits| digits.parse().ok()).unwrap_or(0);
            let block = self.take(length)?;
            let lmk = hex::decode(TEST_KEY_BLOCK_LMK).map_err(Trouble::refused)?;
            let lmk = ProtectionKey::Tdes(TdesKey::new(&lmk).map_err(Trouble::refused)?);
            let (header, key) = key_block::unwrap(&lmk, block).map_err(Trouble::refused)?;
            let for_pins_macs_or_bdk = matches!(
                header.usage,
                KeyUsage::PinEncryption
                    | KeyUsage::PinVerificationVisaPvv
                    | KeyUsage::BaseDerivation
                    | KeyUsage::Mac97971Algorithm1
                    | KeyUsage::Mac97971Algorithm3
                    | KeyUsage::Other(_)
            );
            return match for_pins_macs_or_bdk {
                true => Ok(key.expose_bytes().to_vec()),
                false => Err(Trouble::Refused("a key of another usage".into())),
            };
        }
        let (scheme, encrypted) = self.tagged_key()?;
        let key = test_lmk().decrypt_key(key_type, scheme, &encrypted).map_err(Trouble::refused)?;
        Ok(key.to_vec())
    }

    fn key(&mut self, key_type: KeyType) -> Result<Key, Trouble> {
        let bytes = self.clear_key(key_type)?;
        match <&[u8; 8]>::try_from(bytes.as_slice()) {
            Ok(single) => Ok(Key::Des(DesKey::new(single))),
            Err(_) => Ok(Key::Tdes(Box::new(TdesKey::new(&bytes).map_err(Trouble::refused)?))),
        }
    }
}
