//! `pinward calc keyblock`: wraps a key in a key block of ANSI X9.143 (formerly TR-31) or ISO 20038, or opens one,
//! and reads the header out field by field.
//!
//! What it does not show: the encryption and authentication keys derived from the protection key, which
//! never leave `paycrypto`.

use paycrypto::key_block::{self, Algorithm, Header, KeyBlockError, ProtectionKey, RANDOM_LENGTH, Version};

use super::input::{self, bad, bad_option, needed, not_for, upper_hex};
use super::keyblock_words::{algorithm, exportability, mode_of_use, usage};
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
    check_key_length(header.algorithm, key.len())?;
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
    not_for("random", options.random.as_ref(), "--unwrap")?;
    not_for("padding", options.padding.as_ref(), "--unwrap")?;
    // The scheme tag of payShield stands before the block and is no part of it.
    let block = block.strip_prefix('S').unwrap_or(block);
    let claimed =
        key_block::read_unverified_header(block).map_err(|error| refused("unwrap", block, error))?;
    let kbpk = protection_key(&claimed, &options.kbpk)?;
    let (header, key) = key_block::unwrap(&kbpk, block).map_err(|error| refused("unwrap", block, error))?;
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
    key_block::read_unverified_header(&whole).map_err(|error| refused("header", text, error))
}

/// The place where a lower-case letter is right: `c1` in the key version number is a component
/// (X9.143:2021, Table 5).
const KEY_VERSION: usize = 9;

/// What is wrong with a block or a header, and that the header is in lower case if that alone can be the reason.
fn refused(option: &str, text: &str, error: KeyBlockError) -> anyhow::Error {
    let of_a_letter = matches!(
        error,
        KeyBlockError::Version
            | KeyBlockError::Algorithm
            | KeyBlockError::ModeOfUse
            | KeyBlockError::Exportability
    );
    let mut header = text.bytes().take(HEADER_LENGTH).enumerate();
    let lower = header.any(|(place, letter)| place != KEY_VERSION && letter.is_ascii_lowercase());
    match of_a_letter && lower {
        true => bad_option(option, format!("{error}: key blocks are upper case, and this header is not")),
        false => bad_option(option, error),
    }
}

/// A key of a length that its algorithm does not have would be refused by every reader of the block.
fn check_key_length(of: Algorithm, length: usize) -> anyhow::Result<()> {
    let (lengths, words): (&[usize], _) = match of {
        Algorithm::Aes => (&[16, 24, 32], "16, 24 or 32"),
        Algorithm::Tdea => (&[16, 24], "16 or 24"),
        Algorithm::Des => (&[8], "8"),
        Algorithm::SM4 => (&[16], "16"),
        // The others have no fixed length.
        _ => return Ok(()),
    };
    match lengths.contains(&length) {
        true => Ok(()),
        false => {
            let name = algorithm(of);
            Err(bad_option("wrap", format!("a key of algorithm {name} has {words} bytes, and not {length}")))
        }
    }
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
    page.step("key usage", format!("{}: {}", ascii(&header.usage.code()), usage(header.usage)));
    let letter = ascii(&[header.algorithm.character()]);
    page.step("algorithm", format!("{letter}: {}", algorithm(header.algorithm)));
    let letter = ascii(&[header.mode_of_use.character()]);
    page.step("mode of use", format!("{letter}: {}", mode_of_use(header.mode_of_use)));
    page.step("key version number", ascii(&header.key_version));
    let letter = ascii(&[header.exportability.character()]);
    page.step("exportability", format!("{letter}: {}", exportability(header.exportability)));
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
        check_refused(&format!("{line} d0000P0TE00N0000"), "key blocks are upper case");
    }

    #[test]
    fn a_key_has_a_length_of_its_algorithm() {
        for (letter, lengths, bad) in [
            ("T", [16, 24, 24], [8, 15, 32]),
            ("A", [16, 24, 32], [8, 15, 33]),
            ("D", [8, 8, 8], [7, 9, 16]),
            ("4", [16, 16, 16], [8, 15, 24]),
        ] {
            let line = format!("keyblock --kbpk {} --header D0000P0{letter}E00N0000", "41".repeat(32));
            for length in lengths {
                let key = "5D".repeat(length);
                let block = page_of(&format!("{line} --wrap {key}")).unwrap();
                check(&format!("keyblock --kbpk {} --unwrap {}", "41".repeat(32), block.result()), &key);
            }
            for length in bad {
                let words = format!("bytes, and not {length}");
                check_refused(&format!("{line} --wrap {}", "5D".repeat(length)), &words);
            }
        }
    }

    #[test]
    fn the_header_is_told_in_the_words_of_the_standard_and_lower_case_is_named() {
        let kbpk = "41".repeat(32);
        let line = format!("keyblock --kbpk {kbpk} --wrap {} --header D0000B0TN00N0000", "5D".repeat(16));
        let page = page_of(&line).unwrap();
        assert_eq!(page.value("key usage"), "B0: base derivation key (BDK)");
        assert_eq!(page.value("algorithm"), "T: TDEA");
        assert_eq!(page.value("mode of use"), "N: no special restrictions");
        assert_eq!(page.value("exportability"), "N: not exportable");
        let block = page.result();
        let unwrap = |block: &str| format!("keyblock --kbpk {kbpk} --unwrap {block}");
        check_refused(&unwrap(&block.to_lowercase()), "key blocks are upper case");
        let (header, data) = block.split_at(16);
        // Hexadecimal digits are read in either case.
        check(&unwrap(&format!("{header}{}", data.to_lowercase())), &"5D".repeat(16));
        check_refused(&format!("{} --random 00", unwrap(block)), "--random: does not apply to --unwrap");
        check_refused(&format!("{} --padding 00", unwrap(block)), "--padding: does not apply to --unwrap");
    }
}
