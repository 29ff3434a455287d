//! The groups `pin_block`, `pvv` and `ibm3624`.

use paycrypto::key::{AesKey, BlockKey, TdesKey};
use paycrypto::pin::{Account12, PanForPin, Pin};
use paycrypto::pin_block::{self, ClearPinBlock, Format3Fill, PinBlockError};
use paycrypto::pin_verify::{ibm3624 as ibm, pvv as visa};
use serde_json::Value;

use super::{Case, Trouble, digits_value, exactly, hex_value, unknown};

pub(super) fn pin(case: &Case<'_>) -> Result<Pin, Trouble> {
    Pin::from_ascii(case.any_text(&["pin", "clear_pin"])?.as_bytes()).map_err(Trouble::refused)
}

pub(super) fn pan(case: &Case<'_>) -> Result<PanForPin, Trouble> {
    PanForPin::zero_filled(&case.text("pan")?).map_err(Trouble::refused)
}

/// The twelve digits: given as such, or taken out of the account number.
pub(super) fn account(case: &Case<'_>) -> Result<Account12, Trouble> {
    let twelve = ["account12", "account_digits12", "account12_no_check_digit"];
    match twelve.iter().any(|name| case.has(name)) {
        true => Account12::new(&case.any_text(&twelve)?).map_err(Trouble::refused),
        false => Ok(pan(case)?.account12()),
    }
}

fn tdes_key(case: &Case<'_>) -> Result<TdesKey, Trouble> {
    TdesKey::new(&case.any_bytes(&["key_tdes", "key"])?).map_err(Trouble::refused)
}

fn aes_key(case: &Case<'_>) -> Result<AesKey, Trouble> {
    AesKey::new(&case.any_bytes(&["key_aes", "key"])?).map_err(Trouble::refused)
}

/// The format that the algorithm text or the name of the output (`clear_3`) speaks of.
fn format(case: &Case<'_>, name: &str) -> Result<u8, Trouble> {
    let named = name.strip_prefix("clear_").or(name.strip_prefix("encrypted_"));
    match named.map(str::as_bytes) {
        Some([digit @ b'0'..=b'4']) => return Ok(digit - b'0'),
        Some(other) if other != b"pin_block" => {
            return Err(Trouble::not_supported(format!("output {name}")));
        }
        _ => (),
    }
    let algorithm = case.algorithm();
    let after = algorithm.split_once("format ").map(|(_, after)| after.as_bytes());
    match after {
        Some([digit @ b'0'..=b'4', ..]) => Ok(digit - b'0'),
        _ => Err(Trouble::not_supported(format!("algorithm {algorithm}"))),
    }
}

pub(super) fn pin_block(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    if name == "pan_field" {
        return hex_value(pin_block::format_4_pan_field(&pan(case)?));
    }
    match format(case, name)? {
        4 => format_4(case, name),
        format => format_0_to_3(case, name, format),
    }
}

fn format_4(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let encrypted = || exactly(&case.bytes("encrypted_pin_block")?, "encrypted_pin_block");
    match name {
        "pin_field" if case.has("encrypted_pin_block") => {
            hex_value(pin_block::decrypt_format_4_pin_field(&aes_key(case)?, &encrypted()?, &pan(case)?))
        }
        "pin_field" => {
            let random = exactly(&case.bytes("random8")?, "random8")?;
            hex_value(pin_block::format_4_pin_field(&pin(case)?, &random))
        }
        "encrypted_pin_block" | "encrypted_4" => {
            let random = exactly(&case.bytes("random8")?, "random8")?;
            hex_value(pin_block::encrypt_format_4(&aes_key(case)?, &pin(case)?, &pan(case)?, &random))
        }
        "pin" | "result" => {
            let found = pin_block::decrypt_format_4(&aes_key(case)?, &encrypted()?, &pan(case)?);
            digits_value(found.map_err(Trouble::refused)?.expose_digits())
        }
        _ => unknown("output", name),
    }
}

fn format_0_to_3(case: &Case<'_>, name: &str, format: u8) -> Result<Value, Trouble> {
    match name {
        "clear_pin_block" | "clear_0" | "clear_1" | "clear_2" | "clear_3" => {
            hex_value(encode(case, format)?.expose_bytes())
        }
        "encrypted_pin_block" | "encrypted_0" | "encrypted_1" | "encrypted_3" => {
            hex_value(encode(case, format)?.encrypt(&tdes_key(case)?))
        }
        "pin" | "result" => digits_value(decode(case, format)?.expose_digits()),
        _ => unknown("output", name),
    }
}

fn encode(case: &Case<'_>, format: u8) -> Result<ClearPinBlock, Trouble> {
    if case.has("clear_pin_block") && !case.has("pin") {
        let block = exactly(&case.bytes("clear_pin_block")?, "clear_pin_block")?;
        return Ok(ClearPinBlock::from_bytes(&block));
    }
    let pin = pin(case)?;
    Ok(match format {
        0 => pin_block::encode_format_0(&pin, &account(case)?),
        1 => {
            let fill = fill_nibbles(case, &["fill", "fill1"])?;
            let mut nibbles = [0u8; 16];
            let place =
                nibbles.len().checked_sub(fill.len()).ok_or(Trouble::Refused("fill too long".into()))?;
            if place != 2 + pin.len() {
                return Err(Trouble::Refused("the fill does not complete the block".into()));
            }
            nibbles[place..].copy_from_slice(&fill);
            let random: Vec<u8> = nibbles.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect();
            pin_block::encode_format_1(&pin, &exactly(&random, "fill")?)
        }
        2 => pin_block::encode_format_2_for_ic_card(&pin),
        _ => {
            let fill = fill_nibbles(case, &["fill", "fill3"])?;
            if fill.len() + pin.len() != 14 {
                return Err(Trouble::Refused("the fill does not complete the block".into()));
            }
            let fill = Format3Fill::from_nibbles(&fill).ok_or(Trouble::Refused("fill not A to F".into()))?;
            pin_block::encode_format_3(&pin, &account(case)?, &fill)
        }
    })
}

fn decode(case: &Case<'_>, format: u8) -> Result<Pin, Trouble> {
    let clear = match case.has("clear_pin_block") {
        true => ClearPinBlock::from_bytes(&exactly(&case.bytes("clear_pin_block")?, "clear_pin_block")?),
        false => {
            let block = exactly(&case.bytes("encrypted_pin_block")?, "encrypted_pin_block")?;
            ClearPinBlock::decrypt(&tdes_key(case)?, &block)
        }
    };
    // Formats 1 and 2 know no account number; vectors give one all the same.
    if format == 1 || format == 2 {
        let _ = case.any_text(&["pan", "account12"]);
    }
    let pin: Result<Pin, PinBlockError> = match format {
        0 => pin_block::decode_format_0(&clear, &account(case)?),
        1 => pin_block::decode_format_1(&clear),
        2 => pin_block::decode_format_2_on_ic_card(&clear),
        _ => pin_block::decode_format_3(&clear, &account(case)?),
    };
    pin.map_err(Trouble::refused)
}

fn fill_nibbles(case: &Case<'_>, names: &[&str]) -> Result<Vec<u8>, Trouble> {
    let nibble = |character: char| character.to_digit(16).map(|digit| digit as u8);
    let nibbles: Option<Vec<u8>> = case.any_text(names)?.chars().map(nibble).collect();
    nibbles.ok_or(Trouble::Refused("the fill is not hexadecimal".into()))
}

pub(super) fn pvv(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let pvk = TdesKey::new(&case.any_bytes(&["pvk", "pvk_pair", "key"])?).map_err(Trouble::refused)?;
    let pvki = case.text("pvki")?.parse().map_err(|_| Trouble::Refused("pvki is not a number".into()))?;
    let pvki = visa::Pvki::new(pvki).map_err(Trouble::refused)?;
    let (pin, account) = (pin(case)?, account(case)?);
    let parameter = || {
        let digits = account.digits()[1..].iter().copied().chain([pvki.value()]);
        let digits = digits.chain(pin.expose_digits()[..4].iter().copied());
        digits.fold(0u64, |field, digit| (field << 4) | u64::from(digit)).to_be_bytes()
    };
    match name {
        "pvv" => {
            let pvv = visa::generate(&pvk, pvki, &pin, &account);
            if visa::verify(&pvk, pvki, &pin, &account, &pvv) != paycrypto::pin_verify::Verdict::Right {
                return Err(Trouble::Refused("the generated PVV does not verify".into()));
            }
            Ok(Value::from(String::from_utf8_lossy(&pvv.expose_ascii()).into_owned()))
        }
        "tsp" | "transformed_security_parameter" => hex_value(parameter()),
        "tsp_ciphertext" => {
            let mut block = parameter();
            pvk.encrypt_block(&mut block);
            hex_value(block)
        }
        _ => unknown("output", name),
    }
}

pub(super) fn ibm3624(case: &Case<'_>, name: &str) -> Result<Value, Trouble> {
    let pvk = TdesKey::new(&case.any_bytes(&["pvk", "key"])?).map_err(Trouble::refused)?;
    let table = case.any_text(&["decimalization_table", "decimalisation_table", "dec_table"])?;
    let table = ibm::DecimalisationTable::new(&table).map_err(Trouble::refused)?;
    let text = case.text("validation_data")?;
    let data = match text.contains('N') {
        true => ibm::ValidationData::from_template(&text, &account(case)?),
        false => ibm::ValidationData::new(&text),
    }
    .map_err(Trouble::refused)?;
    let check_length = || match case.has("check_length") {
        true => case.text("check_length")?.parse().map_err(|_| Trouble::Refused("check_length".into())),
        false => Ok(pin(case)?.len()),
    };
    let digits = |digits: &[u8]| digits_value(digits);
    match name {
        "natural_pin_16" => digits(ibm::natural_digits(&pvk, &table, data).as_slice()),
        "natural_pin" => {
            let length = case.expected(name).map_or_else(check_length, |expected| Ok(expected.len()))?;
            let natural = ibm::natural_pin(&pvk, &table, data, length).map_err(Trouble::refused)?;
            digits(natural.expose_digits())
        }
        "encrypted_validation_data" => {
            let mut block = exactly(&hex::decode(&text).map_err(Trouble::refused)?, "validation_data")?;
            pvk.encrypt_block(&mut block);
            hex_value(block)
        }
        "offset" => {
            let (pin, length) = (pin(case)?, check_length()?);
            let offset = ibm::offset(&pvk, &table, data, &pin, length).map_err(Trouble::refused)?;
            let verdict = ibm::verify(&pvk, &table, data, &offset, &pin, length).map_err(Trouble::refused)?;
            if verdict != paycrypto::pin_verify::Verdict::Right {
                return Err(Trouble::Refused("the computed offset does not verify".into()));
            }
            Ok(Value::from(String::from_utf8_lossy(&offset.expose_ascii()).into_owned()))
        }
        "pin" => {
            let offset =
                ibm::Offset::from_ascii(case.text("offset")?.as_bytes()).map_err(Trouble::refused)?;
            let pin = ibm::pin_of_offset(&pvk, &table, data, &offset).map_err(Trouble::refused)?;
            digits(pin.expose_digits())
        }
        _ => unknown("output", name),
    }
}
