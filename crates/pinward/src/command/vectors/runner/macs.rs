//! The groups `mac`, `cmac` and `sm4`.

use paycrypto::kcv::KcvMethod;
use paycrypto::key::{AesKey, BlockKey, DesKey, Sm4Key, TdesKey};
use paycrypto::mac::{self, Padding};
use paycrypto::mode;
use paycrypto::pin_block::{self, ClearPinBlock};
use serde_json::Value;

use super::{Case, Trouble, digits_value, exactly, hex_value, keys, leftmost, numbered, pins, unknown};

/// The padding method of the vector; method 1 if it does not say.
fn padding(case: &Case<'_>) -> Result<Padding, Trouble> {
    if !case.has("padding") {
        return Ok(Padding::Method1);
    }
    match case.text("padding")?.as_str() {
        "1" | "zeros" => Ok(Padding::Method1),
        "2" => Ok(Padding::Method2),
        "3" => Ok(Padding::Method3),
        other => Err(Trouble::not_supported(format!("padding {other}"))),
    }
}

pub(super) fn mac(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let name = name.strip_suffix("_computed").unwrap_or(name);
    let (stem, length) = numbered(name);
    let algorithm = case.algorithm();
    match stem {
        "tak" => {
            let tmk = TdesKey::new(&case.bytes("tmk")?).map_err(Trouble::refused)?;
            let mut key = case.bytes("encrypted_tak")?;
            if !mode::is_whole_blocks::<8>(&key) {
                return Err(Trouble::Refused("the encrypted key is not whole blocks".into()));
            }
            mode::ecb_decrypt(&tmk, &mut key);
            return hex_value(key);
        }
        "mac_field64" => return hex_value(union_pay(case)?),
        "mac_ascii" => return Ok(Value::from(String::from_utf8_lossy(&union_pay(case)?).into_owned())),
        "mac" => (),
        _ => return unknown("output", name),
    }
    if algorithm.contains("sm4") {
        return leftmost(&mac::algorithm_1(&sm4_key(case)?, padding(case)?, &case.data()?), length);
    }
    if algorithm.contains("cmac") {
        return cmac_value(case, length);
    }
    if case.has("key1") {
        let key = |name| TdesKey::new(&case.bytes(name)?).map_err(Trouble::refused);
        let computed = mac::algorithm_3(&key("key1")?, &key("key2")?, padding(case)?, &case.data()?);
        return leftmost(&computed, length);
    }
    let key = case.any_bytes(&["key", "mak"])?;
    let retail = ["algorithm 3", "x9.19", "retail"].iter().any(|word| algorithm.contains(word));
    let simple = ["algorithm 1", "x9.9", "fips 113", "cbc-mac"].iter().any(|word| algorithm.contains(word));
    let computed = match (retail, simple, key.len()) {
        (true, _, _) => {
            mac::retail(&TdesKey::new(&key).map_err(Trouble::refused)?, padding(case)?, &case.data()?)
        }
        (_, true, 8) => mac::algorithm_1(&DesKey::new(&exactly(&key, "key")?), padding(case)?, &case.data()?),
        (_, true, _) => {
            mac::algorithm_1(&TdesKey::new(&key).map_err(Trouble::refused)?, padding(case)?, &case.data()?)
        }
        _ => return Err(Trouble::not_supported(format!("algorithm {algorithm}"))),
    };
    leftmost(&computed, length)
}

/// The eight characters of field 64, with the key as long as it was given.
fn union_pay(case: &Case<'_>) -> Result<[u8; 8], Trouble> {
    let (key, data) = (case.any_bytes(&["mak", "tak", "key"])?, case.data()?);
    if case.algorithm().contains("sm4") {
        return Ok(mac::union_pay_sm4(&Sm4Key::from_slice(&key).map_err(Trouble::refused)?, &data));
    }
    Ok(match key.len() {
        8 => mac::union_pay_ecb(&DesKey::new(&exactly(&key, "key")?), &data),
        _ => mac::union_pay_ecb(&TdesKey::new(&key).map_err(Trouble::refused)?, &data),
    })
}

pub(super) fn cmac(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    match numbered(name) {
        ("cmac" | "mac", length) => cmac_value(case, length),
        _ => unknown("output", name),
    }
}

fn cmac_value(case: &Case<'_>, length: Option<usize>) -> Result<Value, Trouble> {
    let (algorithm, key, data) = (case.algorithm(), case.bytes("key")?, case.data()?);
    if algorithm.contains("aes") {
        return leftmost(&mac::cmac(&AesKey::new(&key).map_err(Trouble::refused)?, &data), length);
    }
    if algorithm.contains("sm4") {
        return leftmost(&mac::cmac(&sm4_key(case)?, &data), length);
    }
    if algorithm.contains("des") || algorithm.contains("tdea") {
        return leftmost(&mac::cmac(&TdesKey::new(&key).map_err(Trouble::refused)?, &data), length);
    }
    Err(Trouble::not_supported(format!("algorithm {algorithm}")))
}

fn sm4_key(case: &Case<'_>) -> Result<Sm4Key, Trouble> {
    Sm4Key::from_slice(&case.any_bytes(&["key", "tmk"])?).map_err(Trouble::refused)
}

pub(super) fn sm4(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let algorithm = case.algorithm();
    let (stem, length) = numbered(name);
    match stem {
        "ciphertext" => {
            let (key, mut data) = (sm4_key(case)?, case.bytes("plaintext")?);
            if !mode::is_whole_blocks::<16>(&data) {
                return Err(Trouble::Refused("the plaintext is not whole blocks".into()));
            }
            let iterations = match case.has("iterations") {
                true => case.text("iterations")?.parse().map_err(Trouble::refused)?,
                false => 1u32,
            };
            (0..iterations).for_each(|_| mode::ecb_encrypt(&key, &mut data));
            hex_value(data)
        }
        "plaintext" => {
            let (key, mut data) = (sm4_key(case)?, case.bytes("ciphertext")?);
            if !mode::is_whole_blocks::<16>(&data) {
                return Err(Trouble::Refused("the ciphertext is not whole blocks".into()));
            }
            mode::ecb_decrypt(&key, &mut data);
            hex_value(data)
        }
        "key" => hex_value(downloaded_key(case)?),
        "check_value" | "kcv" => {
            let key = if case.has("encrypted_key") { downloaded_key(case)? } else { case.bytes("key")? };
            let length = case.expected(name).map_or(8, |expected| expected.len() / 2);
            keys::kcv_by(KcvMethod::Sm4Zeros, &key, length)
        }
        "pin_field" => {
            let pin = pins::pin(case)?;
            let without_account = paycrypto::pin::Account12::new("000000000000").map_err(Trouble::refused)?;
            hex_value(pin_block::encode_sm4_layout_1(&pin, &without_account))
        }
        "pan_field" => {
            let mut field = [0u8; 16];
            for (pair, byte) in pins::account(case)?.digits().chunks(2).zip(&mut field[10..]) {
                *byte = (pair[0] << 4) | pair[1];
            }
            hex_value(field)
        }
        "clear_pin_block" if case.expected(name).is_some_and(|block| block.len() == 16) => {
            hex_value(pin_block::encode_format_0(&pins::pin(case)?, &pins::account(case)?).expose_bytes())
        }
        "clear_pin_block" => {
            hex_value(pin_block::encode_sm4_layout_1(&pins::pin(case)?, &pins::account(case)?))
        }
        "encrypted_pin_block" => encrypted_pin_block(case),
        "pin" | "result" => {
            let block = exactly(&case.bytes("encrypted_pin_block")?, "encrypted_pin_block")?;
            let (key, account) = (sm4_key(case)?, pins::account(case)?);
            let pin = match algorithm.contains("8-byte") {
                true => pin_block::decrypt_sm4_layout_2(&key, &block, &account),
                false => pin_block::decrypt_sm4_layout_1(&key, &block, &account),
            };
            digits_value(pin.map_err(Trouble::refused)?.expose_digits())
        }
        "cmac" => leftmost(&mac::cmac(&sm4_key(case)?, &case.data()?), length),
        "mac" if algorithm.contains("cmac") => leftmost(&mac::cmac(&sm4_key(case)?, &case.data()?), length),
        "mac" if algorithm.contains("cbc-mac") || algorithm.contains("cbc mac") => {
            leftmost(&mac::algorithm_1(&sm4_key(case)?, padding(case)?, &case.data()?), length)
        }
        "mac_field64" => hex_value(union_pay(case)?),
        "mac_ascii" => Ok(Value::from(String::from_utf8_lossy(&union_pay(case)?).into_owned())),
        _ => unknown("output", name),
    }
}

/// A key of any length in whole SM4 blocks, sent under the terminal master key.
fn downloaded_key(case: &Case<'_>) -> Result<Vec<u8>, Trouble> {
    let (tmk, mut key) = (sm4_key(case)?, case.bytes("encrypted_key")?);
    if !mode::is_whole_blocks::<16>(&key) {
        return Err(Trouble::Refused("the encrypted key is not whole blocks".into()));
    }
    mode::ecb_decrypt(&tmk, &mut key);
    Ok(key)
}

/// One SM4 block over the clear block that is given, or over the one of the layout that the algorithm names.
fn encrypted_pin_block(case: &Case<'_>) -> Result<Value, Trouble> {
    let key = sm4_key(case)?;
    let layout_2 = case.algorithm().contains("8-byte");
    if case.has("pin") {
        let (pin, account) = (pins::pin(case)?, pins::account(case)?);
        return hex_value(match layout_2 {
            true => pin_block::encrypt_sm4_layout_2(&key, &pin, &account),
            false => pin_block::encrypt_sm4_layout_1(&key, &pin, &account),
        });
    }
    let clear = case.bytes("clear_pin_block")?;
    match clear.len() {
        8 => {
            let clear = ClearPinBlock::from_bytes(&exactly(&clear, "clear_pin_block")?);
            hex_value(pin_block::encrypt_sm4_layout_2_block(&key, &clear))
        }
        _ => {
            let mut block: [u8; 16] = exactly(&clear, "clear_pin_block")?;
            key.encrypt_block(&mut block);
            hex_value(block)
        }
    }
}
