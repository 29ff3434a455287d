//! `pinward calc mac`: message authentication codes, block by block, so that two sides that disagree find the block
//! where they part. What is not here: truncation, which is the field's matter, and the choice of what is covered.

use clap::ValueEnum;
use paycrypto::key::BlockKey;
use paycrypto::mac::{self, Padding};

use super::input::{self, bad_option, count, needed, not_for, upper_hex, xor};
use super::page::Page;

/// A message authentication code.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How the MAC is made
    #[arg(long)]
    algorithm: Algorithm,
    /// The MAC key
    #[arg(long, value_name = "HEX")]
    key: String,
    /// The message
    #[arg(long, value_name = "HEX", required_unless_present = "text", conflicts_with = "text")]
    data: Option<String>,
    /// The message as characters instead
    #[arg(long)]
    text: Option<String>,
    /// Padding method of ISO/IEC 9797-1, for iso1, iso3 and sm4-cbc [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    padding: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    /// ANSI X9.9: single DES, algorithm 1 with zeros
    #[value(name = "x9.9")]
    X99,
    /// ANSI X9.19, the retail MAC: algorithm 3 with zeros
    #[value(name = "x9.19")]
    X919,
    /// ISO/IEC 9797-1 algorithm 1 with DES or TDEA
    Iso1,
    /// ISO/IEC 9797-1 algorithm 3 with a double-length key
    Iso3,
    /// UnionPay terminals, single-length key
    #[value(name = "cup-ecb-8")]
    CupEcb8,
    /// UnionPay terminals, double-length key
    #[value(name = "cup-ecb-16")]
    CupEcb16,
    /// UnionPay terminals, SM4
    CupSm4,
    /// ISO/IEC 9797-1 algorithm 1 with SM4
    Sm4Cbc,
    /// CMAC with TDEA
    CmacTdes,
    /// CMAC with AES
    CmacAes,
    /// CMAC with SM4
    CmacSm4,
}

pub(super) fn page(options: &Options) -> anyhow::Result<Page> {
    let mut page = Page::default();
    let name = options.algorithm.to_possible_value();
    page.input("algorithm", name.as_ref().map_or("", |value| value.get_name()));
    page.input("key", &options.key);
    let data = match &options.text {
        Some(text) if text.len() > input::DATA_BYTES_MAX => {
            return Err(bad_option("text", format!("has more than {} bytes", input::DATA_BYTES_MAX)));
        }
        Some(text) => text.as_bytes().to_vec(),
        None => input::bytes("data", needed("data", options.data.as_deref())?)?,
    };
    page.input("data", upper_hex(&data));
    let padding = padding(options)?;
    let key = options.key.as_str();
    match options.algorithm {
        Algorithm::X99 => Ok(algorithm_1(page, &input::des("key", key)?, padding, &data)),
        Algorithm::Iso1 if key.len() == 16 => Ok(algorithm_1(page, &input::des("key", key)?, padding, &data)),
        Algorithm::Iso1 => Ok(algorithm_1(page, &input::tdes("key", key)?, padding, &data)),
        Algorithm::Sm4Cbc => Ok(algorithm_1(page, &input::sm4("key", key)?, padding, &data)),
        Algorithm::X919 | Algorithm::Iso3 => algorithm_3(page, key, padding, &data),
        Algorithm::CupEcb8 => Ok(union_pay(page, &input::des("key", key)?, &data)),
        Algorithm::CupEcb16 => Ok(union_pay(page, &input::tdes("key", key)?, &data)),
        Algorithm::CupSm4 => {
            let key = input::sm4("key", key)?;
            let characters = mac::union_pay_sm4(&key, &data);
            union_pay_steps(&mut page, &key, &data);
            Ok(union_pay_end(page, characters))
        }
        Algorithm::CmacTdes => Ok(cmac(page, &input::tdes("key", key)?, &data)),
        Algorithm::CmacAes => Ok(cmac(page, &input::aes("key", key)?, &data)),
        Algorithm::CmacSm4 => Ok(cmac(page, &input::sm4("key", key)?, &data)),
    }
}

fn padding(options: &Options) -> anyhow::Result<Padding> {
    let choice = matches!(options.algorithm, Algorithm::Iso1 | Algorithm::Iso3 | Algorithm::Sm4Cbc);
    if !choice {
        let name = options.algorithm.to_possible_value();
        not_for("padding", options.padding.as_ref(), name.as_ref().map_or("", |value| value.get_name()))?;
    }
    Ok(match options.padding {
        Some(2) => Padding::Method2,
        Some(3) => Padding::Method3,
        _ => Padding::Method1,
    })
}

/// The padded message in blocks (ISO/IEC 9797-1:2011, 6.3).
fn padded<const N: usize>(padding: Padding, data: &[u8]) -> Vec<[u8; N]> {
    let mut bytes = Vec::with_capacity(data.len() + 2 * N);
    if padding == Padding::Method3 {
        let bits = (data.len() * 8).to_be_bytes();
        bytes.extend(std::iter::repeat_n(0, N - bits.len().min(N)));
        bytes.extend_from_slice(&bits);
    }
    bytes.extend_from_slice(data);
    match padding {
        Padding::Method2 => bytes.push(0x80),
        Padding::Method1 | Padding::Method3 if data.is_empty() => bytes.push(0),
        Padding::Method1 | Padding::Method3 => (),
    }
    bytes.resize(bytes.len().next_multiple_of(N), 0);
    bytes.as_chunks::<N>().0.to_vec()
}

/// The chain of blocks: each is XORed to the last output and enciphered.
fn chain<const N: usize>(page: &mut Page, key: &impl BlockKey<N>, blocks: &[[u8; N]]) -> [u8; N] {
    let mut state = [0; N];
    for (number, block) in (1..).zip(blocks) {
        page.step(format!("D{number}, data block"), upper_hex(block));
        state = xor(&state, block);
        if number > 1 {
            page.step(format!("D{number} XOR H{}", number - 1), upper_hex(state));
        }
        key.encrypt_block(&mut state);
        page.step(format!("H{number}, enciphered"), upper_hex(state));
    }
    state
}

fn padding_step<const N: usize>(page: &mut Page, padding: Padding, data: &[u8]) -> Vec<[u8; N]> {
    let blocks = padded(padding, data);
    let (method, words) = match padding {
        Padding::Method1 => (1, "zeros"),
        Padding::Method2 => (2, "one bit 1, then zeros"),
        Padding::Method3 => (3, "a first block with the length in bits, then zeros"),
    };
    page.step(format!("padding method {method}"), format!("{words}; {}", count(blocks.len(), "block")));
    blocks
}

fn algorithm_1<const N: usize>(
    mut page: Page,
    key: &impl BlockKey<N>,
    padding: Padding,
    data: &[u8],
) -> Page {
    let blocks = padding_step(&mut page, padding, data);
    chain(&mut page, key, &blocks);
    page.end("MAC: the last block", upper_hex(mac::algorithm_1(key, padding, data)))
}

fn algorithm_3(mut page: Page, key: &str, padding: Padding, data: &[u8]) -> anyhow::Result<Page> {
    let key = input::tdes_pair("key", key)?;
    let (first, second) = (key.first_part(), key.second_part());
    page.step("K, first part of the key", upper_hex(first.expose_bytes()));
    page.step("K', second part of the key", upper_hex(second.expose_bytes()));
    let blocks = padding_step(&mut page, padding, data);
    let mut state = chain(&mut page, &first, &blocks);
    second.decrypt_block(&mut state);
    page.step("output transformation: deciphered under K'", upper_hex(state));
    let mac = mac::retail(&key, padding, data);
    Ok(page.end("MAC: enciphered under K", upper_hex(mac)))
}

fn union_pay(mut page: Page, key: &impl BlockKey<8>, data: &[u8]) -> Page {
    union_pay_steps(&mut page, key, data);
    union_pay_end(page, mac::union_pay_ecb(key, data))
}

/// The steps of the "ECB" MAC of UnionPay terminals: fold, write as characters, encipher, XOR, encipher.
fn union_pay_steps<const N: usize>(page: &mut Page, key: &impl BlockKey<N>, data: &[u8]) {
    let blocks = padding_step::<N>(page, Padding::Method1, data);
    let folded = blocks.iter().fold([0; N], |folded, block| xor(&folded, block));
    page.step("XOR of all blocks", upper_hex(folded));
    let characters = upper_hex(folded);
    let half =
        |place: usize| -> [u8; N] { std::array::from_fn(|byte| characters.as_bytes()[place * N + byte]) };
    page.step("as characters, first half", upper_hex(half(0)));
    page.step("as characters, second half", upper_hex(half(1)));
    let mut state = half(0);
    key.encrypt_block(&mut state);
    page.step("first half enciphered", upper_hex(state));
    state = xor(&state, &half(1));
    page.step("XOR second half", upper_hex(state));
    key.encrypt_block(&mut state);
    page.step("enciphered", upper_hex(state));
}

fn union_pay_end(mut page: Page, characters: [u8; 8]) -> Page {
    page.step("the first 8 hexadecimal characters", String::from_utf8_lossy(&characters));
    page.end("MAC: these characters, field 64", upper_hex(characters))
}

fn cmac<const N: usize>(mut page: Page, key: &impl BlockKey<N>, data: &[u8]) -> Page {
    let mut subkey = [0; N];
    key.encrypt_block(&mut subkey);
    page.step("L, a block of zeros enciphered", upper_hex(subkey));
    let subkey_1 = doubled(subkey);
    let subkey_2 = doubled(subkey_1);
    page.step("subkey K1, for a complete last block", upper_hex(subkey_1));
    page.step("subkey K2, for an incomplete last block", upper_hex(subkey_2));
    let complete = !data.is_empty() && data.len().is_multiple_of(N);
    let padding = if complete { Padding::Method1 } else { Padding::Method2 };
    let mut blocks = padded::<N>(padding, data);
    if let Some(last) = blocks.last_mut() {
        let (name, subkey) = if complete { ("K1", subkey_1) } else { ("K2", subkey_2) };
        page.step("last block, padded if incomplete", upper_hex(*last));
        *last = xor(last, &subkey);
        page.step(format!("last block XOR {name}"), upper_hex(*last));
    }
    chain(&mut page, key, &blocks);
    page.end("CMAC: the last block", upper_hex(mac::cmac(key, data)))
}

/// Multiplied by x in GF(2^64) or GF(2^128) (NIST SP 800-38B, 6.1).
fn doubled<const N: usize>(block: [u8; N]) -> [u8; N] {
    let reduction = if N == 8 { 0x1B } else { 0x87 };
    let carries = block[0] >> 7 == 1;
    std::array::from_fn(|place| {
        let carry = block.get(place + 1).map_or(if carries { reduction } else { 0 }, |next| next >> 7);
        block[place] << 1 ^ carry
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::input::upper_hex;
    use crate::command::calc::tests::{check_refused, page_of, text, vectors};

    fn data(vector: &Value) -> String {
        let data = text(vector, "inputs", "data").or(text(vector, "inputs", "mab")).map(str::to_owned);
        data.unwrap_or_else(|| upper_hex(text(vector, "inputs", "data_ascii").unwrap()))
    }

    /// The result begins with what is published, and the last enciphered block with the result.
    #[track_caller]
    fn check(vector: &Value, algorithm: &str, key: &str, outputs: &[&str]) {
        let key = text(vector, "inputs", key).unwrap();
        let padding = match vector["inputs"]["padding"].as_u64() {
            Some(method) if ["iso1", "iso3", "sm4-cbc"].contains(&algorithm) => {
                format!(" --padding {method}")
            }
            _ => String::new(),
        };
        let line = format!("mac --algorithm {algorithm} --key {key} --data={}{padding}", data(vector));
        let page = page_of(&line).unwrap_or_else(|error| panic!("{vector}: {error}"));
        let published = outputs.iter().filter_map(|name| text(vector, "outputs", name));
        let published: Vec<&str> = published.collect();
        assert!(!published.is_empty(), "{vector}");
        for mac in published {
            assert!(page.result().starts_with(mac), "{vector}\n{}", page.text());
        }
    }

    #[test]
    fn published_macs_of_algorithms_1_and_3() {
        let outputs = ["mac_4", "mac_8", "mac_8_computed", "mac_16"];
        for vector in vectors("mac", "ISO 9797-1 MAC algorithm 1") {
            check(&vector, "iso1", "key", &outputs);
        }
        for vector in vectors("mac", "FIPS 113") {
            check(&vector, "x9.9", "key", &outputs);
        }
        for vector in vectors("mac", "ISO 9797-1 MAC algorithm 3") {
            check(&vector, "iso3", "key", &outputs);
        }
        for vector in vectors("mac", "ANSI X9.19 retail MAC") {
            let x9_19 = vector["inputs"]["padding"].as_u64().is_none_or(|method| method == 1);
            check(&vector, if x9_19 { "x9.19" } else { "iso3" }, "key", &outputs);
        }
        for vector in vectors("sm4", "SM4 CBC-MAC") {
            check(&vector, "sm4-cbc", "key", &outputs);
        }
    }

    #[test]
    fn published_macs_of_union_pay_terminals_and_cmac() {
        for vector in vectors("mac", "UnionPay POS MAC, double-length") {
            check(&vector, "cup-ecb-16", "mak", &["mac_field64"]);
        }
        for (group, words, algorithm) in
            [("cmac", "AES-", "cmac-aes"), ("cmac", "TDES-", "cmac-tdes"), ("sm4", "SM4-CMAC", "cmac-sm4")]
        {
            for vector in vectors(group, words) {
                check(&vector, algorithm, "key", &["cmac", "mac_4", "mac_8"]);
            }
        }
    }

    #[test]
    fn the_steps_lead_to_the_result() {
        let key = "0123456789ABCDEFFEDCBA9876543210";
        let last_enciphered = |page: &str| {
            let last =
                page.lines().rfind(|line| line.contains(", enciphered") || line.contains("  enciphered"));
            last.unwrap().split(' ').next_back().unwrap().to_owned()
        };
        for length in [0, 1, 7, 8, 9, 15, 16, 17, 40] {
            let data = "A5".repeat(length);
            for algorithm in ["iso1", "sm4-cbc", "cmac-tdes", "cmac-aes", "cmac-sm4"] {
                let paddings = [" --padding 1", " --padding 2", " --padding 3"];
                let paddings = if algorithm.starts_with("cmac") { &[""] } else { paddings.as_slice() };
                for padding in paddings {
                    let line = format!("mac --algorithm {algorithm} --key {key} --data={data}{padding}");
                    let page = page_of(&line).unwrap();
                    assert_eq!(last_enciphered(&page.text()), page.result(), "{line}\n{}", page.text());
                }
            }
            for algorithm in ["cup-ecb-16", "cup-sm4"] {
                let page =
                    page_of(&format!("mac --algorithm {algorithm} --key {key} --data={data}")).unwrap();
                let characters = last_enciphered(&page.text())[..8].to_owned();
                assert_eq!(upper_hex(characters), page.result(), "{algorithm} {length}\n{}", page.text());
            }
        }
    }

    #[test]
    fn the_caller_s_mistakes() {
        check_refused("mac --algorithm x9.9 --key 0123456789ABCDEFFE --data 00", "9 bytes where 8");
        check_refused("mac --algorithm cmac-aes --key 00 --data 00", "--key");
        check_refused("mac --algorithm x9.9 --key 0123456789ABCDEF --data 0", "--data");
        for algorithm in ["x9.9", "x9.19", "cup-ecb-16", "cmac-aes"] {
            let line = format!("mac --algorithm {algorithm} --key 0123456789ABCDEF --data 00");
            for padding in 1..=3 {
                let words = format!("--padding: does not apply to {algorithm}");
                check_refused(&format!("{line} --padding {padding}"), &words);
            }
        }
    }
}
