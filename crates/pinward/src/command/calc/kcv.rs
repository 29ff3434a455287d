//! `pinward calc kcv`: the check value of a key, always with the method that makes it.

use clap::ValueEnum;
use paycrypto::kcv::{KcvMethod, KeyToCheck, check_value};
use paycrypto::key::BlockKey;
use paycrypto::mac::cmac;

use super::input::{self, bad_option, count, upper_hex};
use super::page::Page;

/// The check value of a key.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The key
    #[arg(long, value_name = "HEX")]
    key: String,
    /// How the value is made
    #[arg(long)]
    method: Method,
    /// The length of the value in bytes, 1 to 8
    #[arg(long, value_name = "BYTES", default_value_t = 3)]
    length: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// Eight zero bytes under DES or TDEA (ANSI X9.24-1)
    TdesZeros,
    /// CMAC of sixteen zero bytes under AES (ANSI X9.24-3)
    AesCmac,
    /// Sixteen zero bytes under AES: older software
    AesZeros,
    /// Sixteen zero bytes under SM4
    Sm4Zeros,
}

pub(super) fn page(options: &Options) -> anyhow::Result<Page> {
    let mut page = Page::default();
    page.input("key", &options.key);
    page.input(
        "method",
        options.method.to_possible_value().map_or_else(String::new, |v| v.get_name().into()),
    );
    page.input("length", options.length);
    let key = options.key.as_str();
    match options.method {
        Method::TdesZeros if key.len() == 16 => {
            let key = input::des("key", key)?;
            enciphered_zeros(&mut page, &key);
            end(page, options, KcvMethod::TdesZeros, KeyToCheck::Des(&key))
        }
        Method::TdesZeros => {
            let key = input::tdes("key", key)?;
            enciphered_zeros(&mut page, &key);
            end(page, options, KcvMethod::TdesZeros, KeyToCheck::Tdes(&key))
        }
        Method::AesCmac => {
            let key = input::aes("key", key)?;
            page.step("block of binary zeros", upper_hex([0; 16]));
            page.step("CMAC of the block", upper_hex(cmac(&key, &[0; 16])));
            end(page, options, KcvMethod::AesCmac, KeyToCheck::Aes(&key))
        }
        Method::AesZeros => {
            let key = input::aes("key", key)?;
            enciphered_zeros(&mut page, &key);
            end(page, options, KcvMethod::AesZeros, KeyToCheck::Aes(&key))
        }
        Method::Sm4Zeros => {
            let key = input::sm4("key", key)?;
            enciphered_zeros(&mut page, &key);
            end(page, options, KcvMethod::Sm4Zeros, KeyToCheck::Sm4(&key))
        }
    }
}

fn enciphered_zeros<const N: usize>(page: &mut Page, key: &impl BlockKey<N>) {
    let mut block = [0; N];
    page.step("block of binary zeros", upper_hex(block));
    key.encrypt_block(&mut block);
    page.step("enciphered under the key", upper_hex(block));
}

fn end(page: Page, options: &Options, method: KcvMethod, key: KeyToCheck<'_>) -> anyhow::Result<Page> {
    let value = check_value(method, key, options.length).map_err(|error| bad_option("length", error))?;
    Ok(page.end(format!("key check value, the leftmost {}", count(options.length, "byte")), value))
}

#[cfg(test)]
mod tests {
    use crate::command::calc::tests::{check, check_refused, text, vectors};

    #[test]
    fn published_check_values() {
        for (algorithm, method) in [("TDES zeros", "tdes-zeros"), ("AES CMAC", "aes-cmac")] {
            for vector in vectors("kcv", algorithm) {
                let key = text(&vector, "inputs", "key").unwrap();
                let kcv = text(&vector, "outputs", "kcv").unwrap();
                let length = kcv.len() / 2;
                check(&format!("kcv --key {key} --method {method} --length {length}"), kcv);
            }
        }
    }

    #[test]
    fn the_check_value_of_a_chinese_work_key() {
        let key = "F351D490994603795C6EBEE8FAEBB481";
        check(&format!("kcv --key {key} --method sm4-zeros --length 8"), "861E83E31FAEBF10");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        check_refused(
            "kcv --key 0123 --method aes-cmac",
            "--key: an AES key has 16, 24 or 32 bytes, and not 2",
        );
        check_refused("kcv --key 01 --method sm4-zeros", "--key: an SM4 key has 16 bytes, and not 1");
        check_refused("kcv --key 01x3 --method tdes-zeros", "--key: character 3 is not a hexadecimal digit");
        check_refused("kcv --key 0123456789ABCDEF --method tdes-zeros --length 9", "9 bytes");
    }
}
