//! The groups `tr31`, `kcv` and `weak_keys`.

use paycrypto::kcv::{KcvMethod, check_value};
use paycrypto::key::{self, AesKey, DesKey, Sm4Key, TdesKey};
use paycrypto::key_block::{self, Algorithm, ProtectionKey};
use serde_json::Value;

use super::{Case, Trouble, exactly, hex_value, numbered, unknown};

pub(super) fn tr31(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let text = case.text("key_block")?;
    let kbpk = protection_key(&text, &case.bytes("kbpk")?)?;
    let (header, unwrapped) = key_block::unwrap(&kbpk, &text).map_err(Trouble::refused)?;
    let letters = |letters: &[u8]| Ok(Value::from(String::from_utf8_lossy(letters).into_owned()));
    match name {
        "key" => hex_value(unwrapped.expose_bytes()),
        // As much as the vector prints, with the optional blocks or without, but never less than the fixed part.
        "header" => {
            let length = case.expected(name).map_or(16, str::len).max(16).min(text.len());
            letters(&text.as_bytes()[..length])
        }
        "version" | "version_id" => letters(&text.as_bytes()[..1]),
        "length" => letters(&text.as_bytes()[1..5]),
        "key_usage" => letters(&header.usage.code()),
        "algorithm" => letters(&[header.algorithm.character()]),
        "mode_of_use" => letters(&[header.mode_of_use.character()]),
        "key_version" | "version_number" => letters(&header.key_version),
        "exportability" => letters(&[header.exportability.character()]),
        "optional_blocks" => {
            let block = |block: &key_block::OptionalBlock| {
                format!("{}{}", block.id.map(char::from).iter().collect::<String>(), block.data)
            };
            Ok(header.optional_blocks.iter().map(block).collect::<Vec<_>>().into())
        }
        "kcv" => {
            let length = case.expected(name).map_or(3, |expected| expected.len() / 2);
            kcv_of(header.algorithm, unwrapped.expose_bytes(), length)
        }
        "result" => Ok(Value::from("accept")),
        _ => unknown("output", name),
    }
}

/// A protection key of the cipher that the version of the block asks for.
fn protection_key(block: &str, bytes: &[u8]) -> Result<ProtectionKey, Trouble> {
    Ok(match block.as_bytes().first() {
        Some(b'D' | b'E') => ProtectionKey::Aes(AesKey::new(bytes).map_err(Trouble::refused)?),
        _ => ProtectionKey::Tdes(TdesKey::new(bytes).map_err(Trouble::refused)?),
    })
}

/// The check value that goes with the algorithm of a header.
pub(super) fn kcv_of(algorithm: Algorithm, bytes: &[u8], length: usize) -> Result<Value, Trouble> {
    let method = match algorithm {
        Algorithm::Tdea | Algorithm::Des => KcvMethod::TdesZeros,
        Algorithm::Aes => KcvMethod::AesCmac,
        Algorithm::SM4 => KcvMethod::Sm4Zeros,
        _ => return Err(Trouble::not_supported("a check value for this algorithm")),
    };
    kcv_by(method, bytes, length)
}

pub(super) fn kcv_by(method: KcvMethod, bytes: &[u8], length: usize) -> Result<Value, Trouble> {
    let value = match method {
        KcvMethod::TdesZeros if bytes.len() == 8 => {
            check_value(method, &DesKey::new(&exactly(bytes, "key")?), length)
        }
        KcvMethod::TdesZeros => check_value(method, &TdesKey::new(bytes).map_err(Trouble::refused)?, length),
        KcvMethod::AesCmac | KcvMethod::AesZeros => {
            check_value(method, &AesKey::new(bytes).map_err(Trouble::refused)?, length)
        }
        KcvMethod::Sm4Zeros => {
            check_value(method, &Sm4Key::from_slice(bytes).map_err(Trouble::refused)?, length)
        }
    };
    Ok(Value::from(value.map_err(Trouble::refused)?.to_string()))
}

pub(super) fn kcv(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let stated = match numbered(name) {
        ("kcv" | "check_value", stated) => stated,
        _ => return unknown("output", name),
    };
    let algorithm = case.algorithm();
    let has = |word: &str| algorithm.contains(word);
    let method = match (has("aes"), has("cmac"), has("sm4"), has("des")) {
        (true, true, false, false) => KcvMethod::AesCmac,
        (true, false, false, false) => KcvMethod::AesZeros,
        (false, false, true, false) => KcvMethod::Sm4Zeros,
        (false, false, false, true) => KcvMethod::TdesZeros,
        _ => return Err(Trouble::not_supported(format!("algorithm {algorithm}"))),
    };
    let length = stated.unwrap_or_else(|| case.expected(name).map_or(3, |expected| expected.len() / 2));
    kcv_by(method, &case.bytes("key")?, length)
}

pub(super) fn weak_keys(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let list = |keys: &[u64]| keys.iter().map(|key| format!("{key:016X}")).collect::<Vec<_>>().into();
    Ok(match name {
        "weak" => list(&key::WEAK),
        "semi_weak" => list(&key::SEMI_WEAK),
        "possibly_weak" => list(&key::POSSIBLY_WEAK),
        "count" => (key::WEAK.len() + key::SEMI_WEAK.len() + key::POSSIBLY_WEAK.len()).into(),
        "is_weak" | "result" => {
            let weak = key::is_weak_des_key(&exactly(&case.bytes("key")?, "key")?);
            match (name, weak) {
                ("result", true) => return Err(Trouble::Refused("weak key".into())),
                _ => weak.into(),
            }
        }
        _ => return unknown("output", name),
    })
}
