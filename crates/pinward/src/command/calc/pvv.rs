//! `pinward calc pvv`: the Visa PIN verification value, with the transformed security parameter and both passes of
//! the decimalisation.

use paycrypto::key::BlockKey;
use paycrypto::pin_verify::{Verdict, pvv};

use super::input::{self, bad_option, digit_text, upper_hex};
use super::page::Page;

/// The Visa PIN verification value.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The PIN verification key pair, two keys of 8 bytes: 16 bytes
    #[arg(long, value_name = "HEX")]
    pvk: String,
    /// The PIN verification key index, 0 to 9
    #[arg(long, value_name = "DIGIT")]
    pvki: u8,
    /// The PIN
    #[arg(long)]
    pin: String,
    /// The account number, 12 to 19 digits with its check digit
    #[arg(long)]
    pan: String,
    /// Verify the PIN against this value; the exit code is 0 for a wrong PIN too
    #[arg(long)]
    pvv: Option<String>,
}

/// The digits of a value.
const PVV_LENGTH: usize = 4;

pub(super) fn page(options: &Options) -> anyhow::Result<Page> {
    let mut page = Page::default();
    let key = input::tdes_pair("pvk", &options.pvk)?;
    let index = pvv::Pvki::new(options.pvki).map_err(|error| bad_option("pvki", error))?;
    let (pin, account) = (input::pin(&options.pin)?, input::account(&mut page, &options.pan)?);

    page.input("pvk", &options.pvk);
    page.input("pvki", options.pvki);
    page.input("pin", &options.pin);
    page.input("pan", &options.pan);
    let account_part = digit_text(&account.digits()[1..]);
    let pin_part = digit_text(&pin.expose_digits()[..PVV_LENGTH]);
    page.step("11 rightmost account digits, without the check digit", &account_part);
    page.step("PIN verification key index (PVKI)", options.pvki);
    page.step("4 leftmost PIN digits", &pin_part);
    let parameter = format!("{account_part}{}{pin_part}", options.pvki);
    page.step("transformed security parameter (TSP)", &parameter);
    let mut enciphered = input::block::<8>("pan", &parameter)?;
    key.encrypt_block(&mut enciphered);
    let enciphered = upper_hex(enciphered);
    page.step("TSP enciphered E-D-E under the key pair", &enciphered);
    decimalisation(&mut page, &enciphered);

    let computed = pvv::generate(&key, index, &pin, &account).expose_ascii();
    let computed = String::from_utf8_lossy(&computed).into_owned();
    let Some(stored) = &options.pvv else {
        return Ok(page.end("PIN verification value (PVV)", computed));
    };
    page.input("pvv", stored);
    page.step("PIN verification value (PVV)", computed);
    let stored = pvv::Pvv::from_ascii(stored.as_bytes()).map_err(|error| bad_option("pvv", error))?;
    let verdict = pvv::verify(&key, index, &pin, &account, &stored);
    Ok(page.end("the PIN is", if verdict == Verdict::Right { "right" } else { "wrong" }))
}

fn decimalisation(page: &mut Page, enciphered: &str) {
    let decimal: String = enciphered.chars().filter(char::is_ascii_digit).take(PVV_LENGTH).collect();
    let missing = PVV_LENGTH - decimal.len();
    page.step("first pass: decimal digits from the left", &decimal);
    if missing > 0 {
        let letters = enciphered.bytes().filter(u8::is_ascii_uppercase).take(missing);
        let second: String = letters.map(|letter| char::from(letter - b'A' + b'0')).collect();
        page.step("second pass: A to F from the left, minus 10", second);
    }
}

#[cfg(test)]
mod tests {
    use crate::command::calc::tests::{check, check_refused, page_of, text, vectors};

    #[test]
    fn published_values_and_their_verification() {
        let mut computed = 0;
        for vector in vectors("pvv", "Visa PVV") {
            let input = |name| text(&vector, "inputs", name);
            let (Some(pvk), Some(pvki), Some(pin), Some(pan)) =
                (input("pvk"), input("pvki"), input("pin"), input("pan"))
            else {
                continue;
            };
            let pvv = text(&vector, "outputs", "pvv").unwrap();
            let line = format!("pvv --pvk {pvk} --pvki {pvki} --pin {pin} --pan {pan}");
            check(&line, pvv);
            check(&format!("{line} --pvv {pvv}"), "right");
            let page = page_of(&line).unwrap();
            let first = page.value("first pass: decimal digits from the left");
            assert!(pvv.starts_with(first), "{}", page.text());
            computed += 1;
        }
        assert!(computed >= 3);
    }

    #[test]
    fn the_caller_s_mistakes() {
        let line = "pvv --pvk 0123456789ABCDEFFEDCBA9876543210 --pin 1234 --pan 1122334455667788";
        check_refused(&format!("{line} --pvki 10"), "--pvki");
        check_refused(&format!("{line} --pvki 1 --pvv 12"), "four digits");
        check(&format!("{line} --pvki 1 --pvv 0000"), "wrong");
        let line = "pvv --pvki 1 --pin 1234 --pan 1122334455667788 --pvk";
        check_refused(&format!("{line} {}", "0123456789ABCDEF".repeat(3)), "--pvk: has two parts of 8 bytes");
    }

    #[test]
    fn an_account_number_has_12_to_19_digits_and_its_check_digit() {
        let line = "pvv --pvk 0123456789ABCDEFFEDCBA9876543210 --pvki 1 --pin 1234 --pan";
        check_refused(&format!("{line} 1"), "--pan: has 1 digit where 12 to 19 are needed");
        check_refused(&format!("{line} 41111111111"), "11 digits");
        check_refused(&format!("{line} 41111111111111111111"), "20 digits");
        check_refused(&format!("{line} 41111111111111x1"), "decimal digits");
        assert_eq!(page_of(&format!("{line} 411111111111")).unwrap().hints().len(), 1);
        assert_eq!(page_of(&format!("{line} 4111111111111111")).unwrap().hints(), [""; 0]);
        let page = page_of(&format!("{line} 4111111111111112")).unwrap();
        assert!(page.hints()[0].contains("not this number's check digit"), "{:?}", page.hints());
    }
}
