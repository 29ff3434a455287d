//! The groups `tdes_dukpt` and `aes_dukpt`.

use paycrypto::dukpt::aes::KeyType;
use paycrypto::dukpt::{aes, tdes};
use paycrypto::key::{AesKey, TdesKey};
use paycrypto::{mac, mode, pin_block};
use serde_json::Value;

use super::{Case, Trouble, digits_value, exactly, hex_value, leftmost, numbered, pins, unknown};

pub(super) fn tdes(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let ksn = tdes::KeySerialNumber::from_slice(&case.bytes("ksn")?).map_err(Trouble::refused)?;
    let initial_key = match case.has("bdk") {
        true => {
            tdes::BaseDerivationKey::new(&case.bytes("bdk")?).map_err(Trouble::refused)?.initial_key(&ksn)
        }
        false => {
            let bytes = case.any_bytes(&["ipek", "initial_key"])?;
            tdes::InitialKey::from_bytes(&bytes).map_err(Trouble::refused)?
        }
    };
    let key = initial_key.transaction_key(&ksn);
    let (stem, length) = numbered(name);
    match stem {
        "ipek" | "initial_key" | "ik" => return hex_value(initial_key.expose_bytes()),
        "transaction_key" => return hex_value(key.expose_bytes()),
        "pin_key" => return hex_value(key.pin_key().expose_bytes()),
        "mac_request_key" => return hex_value(key.mac_request_key().expose_bytes()),
        "mac_response_key" => return hex_value(key.mac_response_key().expose_bytes()),
        "data_request_key" => return hex_value(key.data_request_key().expose_bytes()),
        "data_response_key" => return hex_value(key.data_response_key().expose_bytes()),
        "clear_pin_block" | "encrypted_pin_block" => {
            let clear = pin_block::encode_format_0(&pins::pin(case)?, &pins::account(case)?);
            return match stem {
                "clear_pin_block" => hex_value(clear.expose_bytes()),
                _ => hex_value(clear.encrypt(&key.pin_key())),
            };
        }
        "pin" | "result" => {
            let block = exactly(&case.bytes("encrypted_pin_block")?, "encrypted_pin_block")?;
            let clear = pin_block::ClearPinBlock::decrypt(&key.pin_key(), &block);
            let pin = pin_block::decode_format_0(&clear, &pins::account(case)?).map_err(Trouble::refused)?;
            return digits_value(pin.expose_digits());
        }
        "mac_request" | "mac_8" | "mac" => {
            return leftmost(&mac::x9_19(&key.mac_request_key(), &case.data()?), length);
        }
        "mac_response" => return leftmost(&mac::x9_19(&key.mac_response_key(), &case.data()?), length),
        "cmac_request" => return leftmost(&mac::cmac(&key.mac_request_key(), &case.data()?), length),
        "cmac_response" => return leftmost(&mac::cmac(&key.mac_response_key(), &case.data()?), length),
        _ => (),
    }
    // data_request_cbc_iv0_zeropad24: the number is the padded length
    let encrypt = |key: TdesKey, padded: &str| encrypt_data(&key, &case.data()?, padded);
    if let Some(padded) = name.strip_prefix("data_request_cbc_iv0") {
        return encrypt(key.data_request_key(), padded);
    }
    if let Some(padded) = name.strip_prefix("data_response_cbc_iv0") {
        return encrypt(key.data_response_key(), padded);
    }
    unknown("output", name)
}

fn encrypt_data(key: &TdesKey, data: &[u8], padded: &str) -> Result<Value, Trouble> {
    let length = data.len().next_multiple_of(8);
    let stated = padded.strip_prefix("_zeropad").unwrap_or(padded);
    if !stated.is_empty() && stated.parse() != Ok(length) {
        return Err(Trouble::not_supported(format!("padding {padded} of {} bytes", data.len())));
    }
    let mut data = data.to_vec();
    data.resize(length, 0);
    mode::cbc_encrypt(key, &[0; 8], &mut data);
    hex_value(data)
}

pub(super) fn aes(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let (id, counter) = serial_number(case)?;
    let initial_key = match case.has("bdk") {
        true => {
            let bdk = AesKey::new(&case.bytes("bdk")?).map_err(Trouble::refused)?;
            aes::InitialKey::of_base_key(&bdk, id)
        }
        false => aes::InitialKey::from_bytes(&case.any_bytes(&["initial_key", "ik"])?, id),
    }
    .map_err(Trouble::refused)?;
    // The key of the last counter is the whole operation of a vector that prints it.
    let ends_with_update = || case.output_names().any(|output| output == "update_key");
    match name {
        "result" if ends_with_update() => return unknown("output", name),
        "initial_key" | "ik" => return hex_value(initial_key.expose_bytes()),
        "update_key" => {
            if counter != u32::MAX {
                return Err(Trouble::Refused("an update key belongs to counter FFFFFFFF".into()));
            }
            let usage = case.text("usage").unwrap_or_else(|_| "0002".into());
            if !usage.starts_with("0002") {
                return Err(Trouble::not_supported(format!("update key of usage {usage}")));
            }
            let update_key = initial_key.update_key(key_type(&case.text("key_type")?)?);
            return hex_value(update_key.map_err(Trouble::refused)?.expose_bytes());
        }
        _ => (),
    }
    let ksn = aes::KeySerialNumber::new(id, counter).map_err(Trouble::refused)?;
    let key = initial_key.transaction_key(&ksn);
    let working =
        |usage: aes::KeyUsage, key_type: KeyType| key.working_key(usage, key_type).map_err(Trouble::refused);
    let mac_key = |usage: aes::KeyUsage| {
        let key_type =
            named_type(case, &["mac_gen_key_", "mac_ver_key_", "mac_key_"]).unwrap_or(KeyType::Aes128);
        AesKey::new(working(usage, key_type)?.expose_bytes()).map_err(Trouble::refused)
    };
    if let Some((usage, kind)) = name.rsplit_once("_key_") {
        return hex_value(working(usage_of(usage)?, key_type(kind)?)?.expose_bytes());
    }
    let (stem, length) = numbered(name);
    match stem {
        "transaction_key" | "intermediate_derivation_key" => hex_value(key.expose_bytes()),
        "working_key" | "derived_key" => {
            let usage = case.text("usage")?;
            let usage = usage_of(usage.split([' ', '(']).next().unwrap_or(&usage))?;
            hex_value(working(usage, key_type(&case.text("key_type")?)?)?.expose_bytes())
        }
        "cmac_request" => {
            leftmost(&mac::cmac(&mac_key(aes::KeyUsage::MacGeneration)?, &case.data()?), length)
        }
        "cmac_response" => {
            leftmost(&mac::cmac(&mac_key(aes::KeyUsage::MacVerification)?, &case.data()?), length)
        }
        "encrypted_pin_block_iso4" | "encrypted_pin_block" => {
            let random = exactly(&case.any_bytes(&["iso4_random8", "random8"])?, "random")?;
            let pin_key = pin_key(case, &key)?;
            let (pin, pan) = (pins::pin(case)?, pins::pan(case)?);
            hex_value(pin_block::encrypt_format_4(&pin_key, &pin, &pan, &random))
        }
        "pin" | "result" => {
            let block = case.any_bytes(&["encrypted_pin_block_iso4", "encrypted_pin_block"])?;
            let block = exactly(&block, "encrypted PIN block")?;
            let pin = pin_block::decrypt_format_4(&pin_key(case, &key)?, &block, &pins::pan(case)?);
            digits_value(pin.map_err(Trouble::refused)?.expose_digits())
        }
        _ => unknown("output", name),
    }
}

/// The identifier and counter, out of `ksn` or of `initial_key_id` and `counter`; if both are given they must agree.
fn serial_number(case: &Case<'_>) -> Result<(aes::InitialKeyId, u32), Trouble> {
    let (id, counter) = match case.has("ksn") {
        true => {
            let ksn: [u8; 12] = exactly(&case.bytes("ksn")?, "ksn")?;
            let (id, counter) = ksn.split_at(8);
            (id.to_vec(), counter.to_vec())
        }
        false => (case.bytes("initial_key_id")?, case.bytes("counter")?),
    };
    let differs = |name: &str, from: &[u8]| Ok::<bool, Trouble>(case.has(name) && case.bytes(name)? != from);
    if differs("initial_key_id", &id)? || differs("counter", &counter)? {
        return Err(Trouble::Refused("the serial number contradicts initial_key_id or counter".into()));
    }
    Ok((exactly(&id, "initial_key_id")?, u32::from_be_bytes(exactly(&counter, "counter")?)))
}

/// The PIN key of a block: of the type that the vector also prints if it prints one, else AES-128.
fn pin_key(case: &Case<'_>, key: &aes::TransactionKey) -> Result<AesKey, Trouble> {
    let key_type = named_type(case, &["pin_key_"]).unwrap_or(KeyType::Aes128);
    key.pin_key(key_type).map_err(Trouble::refused)
}

/// The key type in the only output name with one of the prefixes.
fn named_type(case: &Case<'_>, prefixes: &[&str]) -> Option<KeyType> {
    let strip =
        |name: &'_ str| prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).map(str::to_owned);
    let mut names = case.output_names().filter_map(strip);
    match (names.next(), names.next()) {
        (Some(only), None) => key_type(&only).ok(),
        _ => None,
    }
}

fn key_type(text: &str) -> Result<KeyType, Trouble> {
    let plain: String = text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(match plain.as_str() {
        "tdes2" | "2tdea" | "tdes2key" | "0000" => KeyType::Tdes2,
        "tdes3" | "3tdea" | "tdes3key" | "0001" => KeyType::Tdes3,
        "aes128" | "0002" => KeyType::Aes128,
        "aes192" | "0003" => KeyType::Aes192,
        "aes256" | "0004" => KeyType::Aes256,
        "hmac128" => KeyType::Hmac128,
        "hmac192" => KeyType::Hmac192,
        "hmac256" => KeyType::Hmac256,
        _ => return Err(Trouble::not_supported(format!("key type {text}"))),
    })
}

fn usage_of(text: &str) -> Result<aes::KeyUsage, Trouble> {
    use aes::KeyUsage;
    Ok(match text.to_lowercase().as_str() {
        "0002" | "kek" | "key_enc" | "key_encryption" => KeyUsage::KeyEncryption,
        "1000" | "pin" | "pin_enc" => KeyUsage::PinEncryption,
        "2000" | "mac_gen" | "mac_request" => KeyUsage::MacGeneration,
        "2001" | "mac_ver" | "mac_verify" | "mac_response" => KeyUsage::MacVerification,
        "2002" | "mac_both" | "mac" => KeyUsage::MacBothWays,
        "3000" | "data_enc" | "data_request" => KeyUsage::DataEncryption,
        "3001" | "data_dec" | "data_response" => KeyUsage::DataDecryption,
        "3002" | "data_both" | "data" => KeyUsage::DataBothWays,
        _ => return Err(Trouble::not_supported(format!("key usage {text}"))),
    })
}
