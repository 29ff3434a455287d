//! `pinward calc keyblock`: wraps a key in a key block of ANSI X9.143 (formerly TR-31) or ISO 20038, or opens one,
//! and reads the header out field by field.
//!
//! What it does not show: the encryption and authentication keys derived from the protection key, which
//! never leave `paycrypto`.

use paycrypto::key_block::{self, Header, ProtectionKey, RANDOM_LENGTH, Version};

use super::input::{self, bad, bad_option, needed, upper_hex};
use super::page::Page;

/// Wrap a key in a key block, or open one.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The key block protection key: TDEA for versions A, B, C and 0, AES for D and E
    #[arg(long, value_name = "HEX")]
    kbpk: String,
    /// Wrap this key
    #[arg(long, value_name = "HEX", required_unless_present = "unwrap", requires = "header")]
    wrap: Option<String>,
    /// Open this block
    #[arg(long, value_name = "BLOCK", conflicts_with_all = ["wrap", "header"])]
    unwrap: Option<String>,
    /// To wrap: the 16 characters of the header, such as D0000P0TE00N0000; the length is counted anew
    #[arg(long, value_name = "HEADER")]
    header: Option<String>,
    /// To wrap: 48 random bytes, of which the padding is taken [default: fresh ones]
    #[arg(long, value_name = "HEX")]
    random: Option<String>,
    /// To wrap: exactly this padding instead
    #[arg(long, value_name = "HEX", conflicts_with = "random")]
    padding: Option<String>,
}

/// The fixed part of a header, in characters.
const HEADER_LENGTH: usize = 16;

pub(super) fn page(options: &Options) -> anyhow::Result<Page> {
    let mut page = Page::default();
    page.input("kbpk", &options.kbpk);
    match (&options.wrap, &options.unwrap) {
        (_, Some(block)) => unwrap(page, options, block),
        (Some(key), None) => wrap(page, options, key),
        (None, None) => Err(bad("give --wrap or --unwrap")),
    }
}

fn wrap(mut page: Page, options: &Options, key: &str) -> anyhow::Result<Page> {
    let header_text = needed("header", options.header.as_deref())?;
    page.input("wrap", key);
    page.input("header", header_text);
    let header = read_template(header_text)?;
    let kbpk = protection_key(&header, &options.kbpk)?;
    let key = input::bytes("wrap", key)?;
    let block = match &options.padding {
        Some(padding) => {
            page.input("padding", padding);
            let padding = input::bytes("padding", padding)?;
            key_block::wrap_with_padding(&kbpk, &header, &key, &padding)
        }
        None => {
            let random = input::random::<RANDOM_LENGTH>(options.random.as_deref())?;
            page.step("random bytes, of which the padding is taken", upper_hex(random));
            key_block::wrap(&kbpk, &header, &key, &random)
        }
    };
    let block = block.map_err(bad)?;
    header_steps(&mut page, &header, &block);
    page.step("key length field, in bits", format!("{:04X}", key.len() * 8));
    page.step("key", upper_hex(&key));
    body_steps(&mut page, &header, &block);
    Ok(page.end("key block", block))
}

fn unwrap(mut page: Page, options: &Options, block: &str) -> anyhow::Result<Page> {
    page.input("unwrap", block);
    // The scheme tag of payShield stands before the block and is no part of it.
    let block = block.strip_prefix('S').unwrap_or(block);
    let claimed = key_block::read_unverified_header(block).map_err(|error| bad_option("unwrap", error))?;
    let kbpk = protection_key(&claimed, &options.kbpk)?;
    let (header, key) = key_block::unwrap(&kbpk, block).map_err(|error| bad_option("unwrap", error))?;
    header_steps(&mut page, &header, block);
    body_steps(&mut page, &header, block);
    page.step("MAC verified over header and key data", "yes");
    page.step("key length field, in bits", format!("{:04X}", key.expose_bytes().len() * 8));
    Ok(page.end("key", upper_hex(key.expose_bytes())))
}

/// A header without key data is a whole block to the reader if its length says 16.
fn read_template(text: &str) -> anyhow::Result<Header> {
    if text.len() != HEADER_LENGTH || !text.is_ascii() {
        return Err(bad_option("header", "has 16 characters, such as D0000P0TE00N0000"));
    }
    if &text[12..14] != "00" {
        return Err(bad_option("header", "the number of optional blocks must be 00 here"));
    }
    let whole = format!("{}{HEADER_LENGTH:04}{}", &text[..1], &text[5..]);
    key_block::read_unverified_header(&whole).map_err(|error| bad_option("header", error))
}

fn protection_key(header: &Header, kbpk: &str) -> anyhow::Result<ProtectionKey> {
    match header.version {
        Version::A | Version::B | Version::C | Version::Thales0 => {
            input::tdes("kbpk", kbpk).map(ProtectionKey::Tdes)
        }
        Version::D | Version::E => input::aes("kbpk", kbpk).map(ProtectionKey::Aes),
    }
}

fn header_steps(page: &mut Page, header: &Header, block: &str) {
    let (version, how) = (block.get(..1).unwrap_or_default(), binding_method(header.version));
    page.step("key block version ID", format!("{version}: {how}"));
    page.step("key block length", block.get(1..5).unwrap_or_default());
    page.step("key usage", format!("{}: {:?}", ascii(&header.usage.code()), header.usage));
    page.step("algorithm", format!("{}: {:?}", ascii(&[header.algorithm.character()]), header.algorithm));
    let mode = header.mode_of_use;
    page.step("mode of use", format!("{}: {mode:?}", ascii(&[mode.character()])));
    page.step("key version number", ascii(&header.key_version));
    let exportability = header.exportability;
    page.step("exportability", format!("{}: {exportability:?}", ascii(&[exportability.character()])));
    page.step("number of optional blocks", block.get(12..14).unwrap_or_default());
    for optional in &header.optional_blocks {
        page.step(format!("optional block {}", ascii(&optional.id)), &optional.data);
    }
}

/// What follows the header: the key data enciphered, and the MAC.
fn body_steps(page: &mut Page, header: &Header, block: &str) {
    let mac_length = match header.version {
        Version::A | Version::C | Version::Thales0 => 8,
        Version::B => 16,
        Version::D | Version::E => 32,
    };
    let Some((before, mac)) = block.split_at_checked(block.len().saturating_sub(mac_length)) else { return };
    page.step("header, then the key data enciphered", before);
    page.step("MAC", mac);
}

fn binding_method(version: Version) -> &'static str {
    match version {
        Version::A | Version::C | Version::Thales0 => "TDEA, key variant binding method",
        Version::B => "TDEA, key derivation binding method",
        Version::D => "AES-CBC, key derivation binding method",
        Version::E => "AES-CTR, key derivation binding method",
    }
}

fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use crate::command::calc::tests::{check, check_refused, page_of, text, vectors};

    #[test]
    fn published_blocks_are_opened() {
        for vector in vectors("tr31", "TR-31/X9.143 key block version") {
            let input = |name| text(&vector, "inputs", name).unwrap();
            let line = format!("keyblock --kbpk {} --unwrap {}", input("kbpk"), input("key_block"));
            check(&line, text(&vector, "outputs", "key").unwrap());
            if let Some(usage) = text(&vector, "outputs", "key_usage") {
                assert!(page_of(&line).unwrap().value("key usage").starts_with(usage));
            }
        }
        for vector in vectors("payshield_keyblock", "Thales key block (scheme S, version 0") {
            let input = |name| text(&vector, "inputs", name).unwrap();
            let line = format!("keyblock --kbpk {} --unwrap {}", input("lmk"), input("key_block"));
            check(&line, text(&vector, "outputs", "key").unwrap());
        }
    }

    #[test]
    fn what_is_wrapped_is_opened_again() {
        let key = "5DB50B454F8389ADCE573BE50861F2BF";
        for (version, kbpk) in [("B", key), ("D", key), ("E", key)] {
            let header = format!("{version}0000P0TE00N0000");
            let line = format!("keyblock --kbpk {kbpk} --wrap {key} --header {header}");
            let fixed = format!("{line} --random {}", "A5".repeat(48));
            let page = page_of(&fixed).unwrap();
            check(&fixed, page.result());
            check(&format!("keyblock --kbpk {kbpk} --unwrap {}", page.result()), key);
            assert_ne!(page_of(&line).unwrap().result(), page.result(), "fresh random bytes");
        }
    }

    #[test]
    fn what_was_changed_or_is_no_header_is_refused() {
        for vector in vectors("tr31", "TR-31 tampered block must be rejected") {
            let input = |name| text(&vector, "inputs", name).unwrap();
            let line = format!("keyblock --kbpk {} --unwrap {}", input("kbpk"), input("key_block"));
            check_refused(&line, "--unwrap: key block:");
        }
        let line = "keyblock --kbpk 5DB50B454F8389ADCE573BE50861F2BF --wrap 00 --header";
        check_refused(&format!("{line} D0000P0TE00N00"), "16 characters");
        check_refused(&format!("{line} X0000P0TE00N0000"), "unknown version");
        check_refused(&format!("{line} D0000P0TE00N0100"), "must be 00");
    }
}
