//! `pinward calc pinblock`: PIN blocks of ISO 9564-1 and the two layouts with SM4, there and back.
//!
//! Format 2 is here to be looked at only; no online path takes it.

use clap::ValueEnum;
use paycrypto::key::BlockKey;
use paycrypto::pin::{Account12, Pin};
use paycrypto::pin_block::{self, ClearPinBlock, Format3Fill};

use super::input::{self, bad, bad_option, digit_text, needed, not_for, upper_hex, xor};
use super::page::Page;

/// A PIN block: encode a PIN, or decode a block.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The format
    #[arg(long)]
    format: Format,
    /// The PIN to encode
    #[arg(long, required_unless_present = "decode", conflicts_with = "decode")]
    pin: Option<String>,
    /// The account number, 12 to 19 digits with its check digit; format 4 fills a shorter one with zeros on the left
    #[arg(long)]
    pan: Option<String>,
    /// The PIN key: TDEA for formats 0 to 3, AES for 4, SM4 for the SM4 layouts
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// Decode this block; it is deciphered first if there is a key
    #[arg(long, value_name = "HEX")]
    decode: Option<String>,
    /// Eight random bytes for formats 1, 3 and 4 [default: fresh ones]
    #[arg(long, value_name = "HEX")]
    random: Option<String>,
    /// The fill of format 3 as it stands at the end, digits A to F, instead of random bytes
    #[arg(long, value_name = "DIGITS", conflicts_with = "random")]
    fill: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// ISO format 0, ANSI X9.8
    #[value(name = "0")]
    Iso0,
    /// ISO format 1, without account
    #[value(name = "1")]
    Iso1,
    /// ISO format 2, for IC cards only
    #[value(name = "2")]
    Iso2,
    /// ISO format 3, with random fill
    #[value(name = "3")]
    Iso3,
    /// ISO format 4, AES
    #[value(name = "4")]
    Iso4,
    /// SM4 layout 1: X9.8 stretched to 16 bytes
    #[value(name = "sm4-1")]
    Sm4Layout1,
    /// SM4 layout 2: the block of format 0, then zeros
    #[value(name = "sm4-2")]
    Sm4Layout2,
}

impl Format {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether the block is bound to an account.
    fn has_account(self) -> bool {
        !matches!(self, Format::Iso1 | Format::Iso2)
    }
}

/// Every option that is given is looked at.
fn refuse_what_does_not_apply(options: &Options) -> anyhow::Result<()> {
    let (format, decodes) = (options.format, options.decode.is_some());
    let here = match (decodes, format) {
        (true, _) => "decoding".to_owned(),
        (false, format) => format!("format {}", format.name()),
    };
    if decodes || !matches!(format, Format::Iso1 | Format::Iso3 | Format::Iso4) {
        not_for("random", options.random.as_ref(), &here)?;
    }
    if decodes || format != Format::Iso3 {
        not_for("fill", options.fill.as_ref(), &here)?;
    }
    if !format.has_account() {
        not_for("pan", options.pan.as_ref(), format!("format {}", format.name()))?;
    }
    Ok(())
}

pub(super) fn page(options: &Options) -> anyhow::Result<Page> {
    refuse_what_does_not_apply(options)?;
    let mut page = Page::default();
    page.input("format", options.format.name());
    let given =
        [("pin", &options.pin), ("pan", &options.pan), ("key", &options.key), ("decode", &options.decode)];
    for (name, value) in given {
        if let Some(value) = value {
            page.input(name, value);
        }
    }
    match (&options.pin, &options.decode) {
        (_, Some(block)) => decode(page, options, block),
        (Some(pin), None) => encode(page, options, &input::pin(pin)?),
        (None, None) => Err(bad("give --pin to encode or --decode to decode")),
    }
}

fn encode(mut page: Page, options: &Options, pin: &Pin) -> anyhow::Result<Page> {
    let (control, fill) = match options.format {
        Format::Iso0 | Format::Sm4Layout1 | Format::Sm4Layout2 => (0, "F"),
        Format::Iso1 => (1, "random"),
        Format::Iso2 => (2, "F"),
        Format::Iso3 => (3, "random A to F"),
        Format::Iso4 => (4, "A"),
    };
    page.step("control field", control);
    page.step("PIN length field", format!("{:X}", pin.len()));
    page.step("PIN digits", digit_text(pin.expose_digits()));
    page.step("fill digits", fill);
    match options.format {
        Format::Iso0 | Format::Iso1 | Format::Iso2 | Format::Iso3 => encode_8(page, options, pin),
        Format::Iso4 => encode_format_4(page, options, pin),
        Format::Sm4Layout1 | Format::Sm4Layout2 => encode_sm4(page, options, pin),
    }
}

fn encode_8(mut page: Page, options: &Options, pin: &Pin) -> anyhow::Result<Page> {
    let clear = clear_8(&mut page, options, pin)?;
    let Some(key) = &options.key else {
        return Ok(page.end("clear PIN block", upper_hex(clear.expose_bytes().as_slice())));
    };
    page.step("clear PIN block", upper_hex(clear.expose_bytes().as_slice()));
    let enciphered = clear.encrypt(&input::tdes("key", key)?);
    Ok(page.end("PIN block enciphered under the PIN key (TDEA)", upper_hex(enciphered)))
}

/// The clear block of formats 0 to 3, and the steps to it.
fn clear_8(page: &mut Page, options: &Options, pin: &Pin) -> anyhow::Result<ClearPinBlock> {
    if options.format.has_account() {
        let account = account(page, options)?;
        // With an account of zeros, the block is the field before the XOR.
        let zeros = Account12::new("000000000000").map_err(bad)?;
        let (field, block) = match options.format {
            Format::Iso3 => {
                let fill = format_3_fill(page, options)?;
                let encode = |account| pin_block::encode_format_3(pin, account, &fill);
                (encode(&zeros), encode(&account))
            }
            _ => (pin_block::encode_format_0(pin, &zeros), pin_block::encode_format_0(pin, &account)),
        };
        page.step("plain text PIN field", upper_hex(field.expose_bytes().as_slice()));
        page.step("account number field", format!("0000{}", digit_text(account.digits())));
        page.step("PIN field XOR account number field", upper_hex(block.expose_bytes().as_slice()));
        return Ok(block);
    }
    if options.format == Format::Iso2 {
        return Ok(pin_block::encode_format_2_for_ic_card(pin));
    }
    let random = input::random::<8>(options.random.as_deref())?;
    page.step("random bytes", upper_hex(random));
    Ok(pin_block::encode_format_1(pin, &random))
}

fn format_3_fill(page: &mut Page, options: &Options) -> anyhow::Result<Format3Fill> {
    let Some(fill) = &options.fill else {
        let random = input::random::<8>(options.random.as_deref())?;
        page.step("random bytes", upper_hex(random));
        return Ok(Format3Fill::from_random(&random));
    };
    let nibbles: Option<Vec<u8>> =
        fill.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    nibbles
        .and_then(|nibbles| Format3Fill::from_nibbles(&nibbles))
        .ok_or_else(|| bad_option("fill", "has at most ten digits, each A to F"))
}

fn encode_format_4(mut page: Page, options: &Options, pin: &Pin) -> anyhow::Result<Page> {
    let pan = input::pan_of_format_4(&mut page, needed("pan", options.pan.as_deref())?)?;
    let key = input::aes("key", needed("key", options.key.as_deref())?)?;
    let random = input::random::<8>(options.random.as_deref())?;
    page.step("random bytes", upper_hex(random));
    let mut block = *pin_block::format_4_pin_field(pin, &random);
    page.step("plain text PIN field", upper_hex(block));
    let pan_field = pin_block::format_4_pan_field(&pan);
    page.step("plain text PAN field", upper_hex(pan_field));
    key.encrypt_block(&mut block);
    page.step("intermediate block A: PIN field enciphered", upper_hex(block));
    page.step("intermediate block B: A XOR PAN field", upper_hex(xor(&block, &pan_field)));
    let enciphered = pin_block::encrypt_format_4(&key, pin, &pan, &random);
    Ok(page.end("enciphered PIN block: B enciphered", upper_hex(enciphered)))
}

fn encode_sm4(mut page: Page, options: &Options, pin: &Pin) -> anyhow::Result<Page> {
    let account = account(&mut page, options)?;
    let mut clear = [0; 16];
    if options.format == Format::Sm4Layout1 {
        let zeros = Account12::new("000000000000").map_err(bad)?;
        page.step("PIN field", upper_hex(pin_block::encode_sm4_layout_1(pin, &zeros).as_slice()));
        page.step("account number field", format!("{:0>32}", digit_text(account.digits())));
        clear.copy_from_slice(pin_block::encode_sm4_layout_1(pin, &account).as_slice());
    } else {
        let format_0 = pin_block::encode_format_0(pin, &account);
        page.step("PIN block of format 0", upper_hex(format_0.expose_bytes().as_slice()));
        clear[..8].copy_from_slice(format_0.expose_bytes().as_slice());
    }
    let Some(key) = &options.key else {
        return Ok(page.end("clear PIN block", upper_hex(clear)));
    };
    page.step("clear PIN block", upper_hex(clear));
    let key = input::sm4("key", key)?;
    let enciphered = match options.format {
        Format::Sm4Layout1 => pin_block::encrypt_sm4_layout_1(&key, pin, &account),
        _ => pin_block::encrypt_sm4_layout_2(&key, pin, &account),
    };
    Ok(page.end("PIN block enciphered under the PIN key (SM4)", upper_hex(enciphered)))
}

fn decode(page: Page, options: &Options, block: &str) -> anyhow::Result<Page> {
    match options.format {
        Format::Iso0 | Format::Iso1 | Format::Iso2 | Format::Iso3 => decode_8(page, options, block),
        Format::Iso4 => decode_format_4(page, options, block),
        Format::Sm4Layout1 | Format::Sm4Layout2 => decode_sm4(page, options, block),
    }
}

fn decode_8(mut page: Page, options: &Options, block: &str) -> anyhow::Result<Page> {
    let block = input::block::<8>("decode", block)?;
    let clear = match &options.key {
        Some(key) => {
            page.step("enciphered PIN block", upper_hex(block));
            ClearPinBlock::decrypt(&input::tdes("key", key)?, &block)
        }
        None => ClearPinBlock::from_bytes(&block),
    };
    let clear_bytes = *clear.expose_bytes();
    page.step("clear PIN block", upper_hex(clear_bytes));
    let account = if options.format.has_account() {
        let account = account(&mut page, options)?;
        let field = format!("0000{}", digit_text(account.digits()));
        page.step("account number field", &field);
        page.step("plain text PIN field", upper_hex(xor(&clear_bytes, &input::block("pan", &field)?)));
        Some(account)
    } else {
        None
    };
    let decoded = match (options.format, account) {
        (Format::Iso3, Some(account)) => pin_block::decode_format_3(&clear, &account),
        (_, Some(account)) => pin_block::decode_format_0(&clear, &account),
        (Format::Iso2, None) => pin_block::decode_format_2_on_ic_card(&clear),
        (_, None) => pin_block::decode_format_1(&clear),
    };
    end_with_pin(page, decoded)
}

fn decode_format_4(mut page: Page, options: &Options, block: &str) -> anyhow::Result<Page> {
    let pan = input::pan_of_format_4(&mut page, needed("pan", options.pan.as_deref())?)?;
    let key = input::aes("key", needed("key", options.key.as_deref())?)?;
    let block = input::block::<16>("decode", block)?;
    page.step("enciphered PIN block", upper_hex(block));
    let mut intermediate = block;
    key.decrypt_block(&mut intermediate);
    page.step("intermediate block B: deciphered", upper_hex(intermediate));
    let pan_field = pin_block::format_4_pan_field(&pan);
    page.step("plain text PAN field", upper_hex(pan_field));
    page.step("intermediate block A: B XOR PAN field", upper_hex(xor(&intermediate, &pan_field)));
    let field = pin_block::decrypt_format_4_pin_field(&key, &block, &pan);
    page.step("plain text PIN field: A deciphered", upper_hex(field.as_slice()));
    end_with_pin(page, pin_block::decrypt_format_4(&key, &block, &pan))
}

fn decode_sm4(mut page: Page, options: &Options, block: &str) -> anyhow::Result<Page> {
    let account = account(&mut page, options)?;
    let key = input::sm4("key", needed("key", options.key.as_deref())?)?;
    let block = input::block::<16>("decode", block)?;
    page.step("enciphered PIN block", upper_hex(block));
    let mut clear = block;
    key.decrypt_block(&mut clear);
    page.step("clear PIN block", upper_hex(clear));
    end_with_pin(
        page,
        match options.format {
            Format::Sm4Layout1 => pin_block::decrypt_sm4_layout_1(&key, &block, &account),
            _ => pin_block::decrypt_sm4_layout_2(&key, &block, &account),
        },
    )
}

fn end_with_pin(page: Page, decoded: Result<Pin, pin_block::PinBlockError>) -> anyhow::Result<Page> {
    let pin = decoded.map_err(|error| bad_option("decode", error))?;
    Ok(page.end("PIN", digit_text(pin.expose_digits())))
}

fn account(page: &mut Page, options: &Options) -> anyhow::Result<Account12> {
    input::account(page, needed("pan", options.pan.as_deref())?)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::command::calc::tests::{check, check_refused, page_of, text, vectors};

    /// `--pin … --pan … --key … --random …`, as far as the vector has them.
    fn given(vector: &Value, names: &[(&str, &str)]) -> String {
        let option = |(name, option): &(&str, &str)| {
            text(vector, "inputs", name).map(|value| format!(" --{option} {value}"))
        };
        names.iter().filter_map(option).collect()
    }

    #[test]
    fn published_blocks_of_format_0_there_and_back() {
        for vector in vectors("pin_block", "format 0 (ANSI X9.8 / VISA-1") {
            let block = text(&vector, "outputs", "clear_pin_block").unwrap();
            check(
                &format!("pinblock --format 0{}", given(&vector, &[("pin", "pin"), ("pan", "pan")])),
                block,
            );
            let line = format!("pinblock --format 0{} --decode {block}", given(&vector, &[("pan", "pan")]));
            check(&line, text(&vector, "inputs", "pin").unwrap());
        }
        let key = "E0F4543F3E2A2C5FFC7E5E5A222E3E4D";
        let line = format!("pinblock --format 0 --pan 4111111111111111 --key {key}");
        check(&format!("{line} --pin 1234"), "6042012526A9C2E0");
        check(&format!("{line} --decode 6042012526A9C2E0"), "1234");
    }

    #[test]
    fn published_blocks_of_formats_1_2_and_3() {
        check("pinblock --format 1 --pin 12345 --random 0000000EDCBA9876", "1512345EDCBA9876");
        check("pinblock --format 1 --decode 141234FFFFFFFFFF", "1234");
        check("pinblock --format 2 --pin 123456789", "29123456789FFFFF");
        for vector in vectors("pin_block", "formats 0 and 3 under TDES") {
            let names = [("pin", "pin"), ("pan", "pan"), ("key_tdes", "key")];
            let line = format!("pinblock --format 3{}", given(&vector, &names));
            let line = format!("{line} --fill {}", text(&vector, "inputs", "fill3").unwrap());
            check(&line, text(&vector, "outputs", "encrypted_3").unwrap());
            assert_eq!(
                page_of(&line).unwrap().value("clear PIN block"),
                text(&vector, "outputs", "clear_3").unwrap()
            );
        }
    }

    #[test]
    fn published_blocks_of_format_4_there_and_back() {
        for vector in vectors("pin_block", "format 4 (AES)") {
            let Some(block) = text(&vector, "outputs", "encrypted_pin_block") else { continue };
            let bound = given(&vector, &[("pan", "pan"), ("key", "key")]);
            let line = format!(
                "pinblock --format 4{bound}{}",
                given(&vector, &[("pin", "pin"), ("random8", "random")])
            );
            check(&line, block);
            for (name, step) in [("pin_field", "plain text PIN field"), ("pan_field", "plain text PAN field")]
            {
                if let Some(field) = text(&vector, "inputs", name) {
                    assert_eq!(page_of(&line).unwrap().value(step), field);
                }
            }
            let line = format!("pinblock --format 4{bound} --decode {block}");
            check(&line, text(&vector, "inputs", "pin").unwrap());
        }
    }

    #[test]
    fn published_blocks_with_sm4() {
        check(
            "pinblock --format sm4-1 --pin 123654 --pan 6230606601007726888",
            "06123654FFFFFFFFFFFF99FEFF88D977",
        );
        let names = [("pin", "pin"), ("pan", "pan"), ("key", "key")];
        for vector in vectors("sm4", "SM4 16-byte PIN block encrypted") {
            let block = text(&vector, "outputs", "encrypted_pin_block").unwrap();
            check(&format!("pinblock --format sm4-1{}", given(&vector, &names)), block);
            let line = format!("pinblock --format sm4-1{} --decode {block}", given(&vector, &names[1..]));
            check(&line, text(&vector, "inputs", "pin").unwrap());
        }
    }

    #[test]
    fn what_is_no_block_or_no_pin_is_refused() {
        check_refused("pinblock --format 2 --decode 2C12345678901FFF", "non-decimal PIN digit");
        check_refused("pinblock --format 0 --pin 123 --pan 5432101234567891", "--pin: a PIN has 4 to 12");
        check_refused("pinblock --format 0 --pin 1234", "--pan: is needed");
        check_refused("pinblock --format 4 --pin 1234 --pan 4111111111111111", "--key: is needed");
        check_refused("pinblock --format 1 --pin 1234 --random 00", "1 byte where 8");
    }

    #[test]
    fn options_that_do_not_apply_are_refused() {
        let pan = "--pan 4111111111111111";
        for (line, words) in [
            (format!("--format 0 --pin 1234 {pan} --fill AAAAAAAAAA"), "--fill: does not apply to format 0"),
            (format!("--format 0 --pin 1234 {pan} --random 00"), "--random: does not apply to format 0"),
            (
                format!("--format sm4-2 --pin 1234 {pan} --random 00"),
                "--random: does not apply to format sm4-2",
            ),
            (format!("--format 4 --pin 1234 {pan} --fill AA"), "--fill: does not apply to format 4"),
            (format!("--format 1 --pin 1234 {pan}"), "--pan: does not apply to format 1"),
            (format!("--format 2 --decode 241234FFFFFFFFFF {pan}"), "--pan: does not apply to format 2"),
            (format!("--format 3 --decode 00 {pan} --fill AA"), "--fill: does not apply to decoding"),
            (format!("--format 4 --decode 00 {pan} --random AA"), "--random: does not apply to decoding"),
        ] {
            check_refused(&format!("pinblock {line}"), words);
        }
    }

    #[test]
    fn only_format_4_takes_a_short_account_number_and_says_how_it_is_filled() {
        for format in ["0", "3", "sm4-1", "sm4-2"] {
            let line = format!("pinblock --format {format} --pin 1234 --pan");
            check_refused(&format!("{line} 41111111111"), "--pan: has 11 digits where 12 to 19 are needed");
        }
        let line = "pinblock --format 4 --key 00112233445566778899AABBCCDDEEFF --pan";
        let block = "--decode 39B69B1B91FE05D48F7EF0D68EB2CBD6";
        let page = page_of(&format!("{line} 1 {block}")).unwrap();
        assert_eq!(page.result(), "123456");
        let step = "account number, filled with zeros on the left to 12 digits";
        assert_eq!(page.value(step), "000000000001");
        check_refused(&format!("{line} 91111111111111111111 {block}"), "where 1 to 19 are needed");
        let page = page_of("pinblock --format 0 --pin 1234 --pan 4111111111111112").unwrap();
        assert_eq!(page.hints().len(), 1);
    }
}
