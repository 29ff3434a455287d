//! `pinward calc ibm3624`: natural PIN, offset and verification by the IBM 3624 method. Which of them is asked for
//! follows from what is given: nothing more, a PIN, an offset, or both.

use paycrypto::key::{BlockKey, TdesKey};
use paycrypto::pin_verify::Verdict;
use paycrypto::pin_verify::ibm3624::{self, DecimalisationTable, Offset, ValidationData};

use super::input::{self, bad, bad_option, digit_text, upper_hex};
use super::page::Page;

/// The natural PIN, the offset, or the PIN by the IBM 3624 method.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The PIN verification key, 16 or 24 bytes
    #[arg(long, value_name = "HEX")]
    pvk: String,
    /// The decimalisation table, sixteen digits
    #[arg(long, value_name = "DIGITS")]
    table: String,
    /// The validation data, sixteen hexadecimal digits
    #[arg(long, value_name = "HEX")]
    validation: String,
    /// The PIN: alone for its offset, with --offset to verify it; the exit code is 0 for a wrong PIN too
    #[arg(long)]
    pin: Option<String>,
    /// The offset: alone for the PIN that belongs to it
    #[arg(long)]
    offset: Option<String>,
    /// How many of the rightmost PIN digits are checked [default: as long as PIN or offset, else 4]
    #[arg(long, value_name = "DIGITS")]
    check_length: Option<usize>,
}

/// What is computed from, proven.
struct Method {
    pvk: TdesKey,
    table: DecimalisationTable,
    validation: ValidationData,
}

pub(super) fn page(options: &Options) -> anyhow::Result<Page> {
    let method = Method {
        pvk: input::tdes("pvk", &options.pvk)?,
        table: DecimalisationTable::new(&options.table).map_err(|error| bad_option("table", error))?,
        validation: ValidationData::new(&options.validation)
            .map_err(|error| bad_option("validation", error))?,
    };
    let mut page = Page::default();
    page.input("pvk", &options.pvk);
    page.input("table", &options.table);
    page.input("validation", &options.validation);
    page.step("validation data", options.validation.to_ascii_uppercase());
    let mut enciphered = input::block::<8>("validation", &options.validation)?;
    method.pvk.encrypt_block(&mut enciphered);
    page.step("validation data enciphered under the PIN verification key", upper_hex(enciphered));
    page.step("decimalisation table: 0 to F become", &options.table);
    let natural = ibm3624::natural_digits(&method.pvk, &method.table, method.validation);
    page.step("decimalised", digit_text(natural.as_slice()));
    match (&options.pin, &options.offset) {
        (None, None) => natural_pin(page, &method, options),
        (Some(pin), None) => offset(page, &method, options, pin),
        (None, Some(offset)) => {
            input::not_for("check-length", options.check_length.as_ref(), "an offset without a PIN")?;
            pin_of_offset(page, &method, offset)
        }
        (Some(pin), Some(offset)) => verify(page, &method, options, pin, offset),
    }
}

fn natural_pin(page: Page, method: &Method, options: &Options) -> anyhow::Result<Page> {
    let length = options.check_length.unwrap_or(4);
    let pin = ibm3624::natural_pin(&method.pvk, &method.table, method.validation, length).map_err(bad)?;
    Ok(page.end("natural PIN, the leftmost digits", digit_text(pin.expose_digits())))
}

fn offset(mut page: Page, method: &Method, options: &Options, pin: &str) -> anyhow::Result<Page> {
    let digits = input::pin(pin)?;
    let check_length = options.check_length.unwrap_or(digits.len());
    let offset = ibm3624::offset(&method.pvk, &method.table, method.validation, &digits, check_length)
        .map_err(|error| bad_option("check-length", error))?;
    natural_step(&mut page, method, digits.len())?;
    page.input("pin", pin);
    page.step("customer-selected PIN", pin);
    page.step("check length, rightmost digits", check_length);
    let offset = String::from_utf8_lossy(&offset.expose_ascii()).into_owned();
    Ok(page.end("offset: PIN minus natural PIN, modulo 10 in each digit", offset))
}

fn pin_of_offset(mut page: Page, method: &Method, text: &str) -> anyhow::Result<Page> {
    let offset = read_offset(&mut page, text)?;
    natural_step(&mut page, method, text.len())?;
    page.step("offset", text);
    let pin = ibm3624::pin_of_offset(&method.pvk, &method.table, method.validation, &offset).map_err(bad)?;
    Ok(page.end("PIN: natural PIN plus offset, modulo 10 in each digit", digit_text(pin.expose_digits())))
}

fn verify(
    mut page: Page,
    method: &Method,
    options: &Options,
    pin: &str,
    offset: &str,
) -> anyhow::Result<Page> {
    let (digits, stored) = (input::pin(pin)?, read_offset(&mut page, offset)?);
    let check_length = options.check_length.unwrap_or(offset.len());
    natural_step(&mut page, method, digits.len())?;
    page.input("pin", pin);
    page.step("offset", offset);
    page.step("check length, rightmost digits", check_length);
    page.step("PIN to verify", pin);
    let Method { pvk, table, validation } = method;
    let verdict = ibm3624::verify(pvk, table, *validation, &stored, &digits, check_length)
        .map_err(|error| bad_option("check-length", error))?;
    Ok(page.end("the PIN is", if verdict == Verdict::Right { "right" } else { "wrong" }))
}

fn natural_step(page: &mut Page, method: &Method, length: usize) -> anyhow::Result<()> {
    let pin = ibm3624::natural_pin(&method.pvk, &method.table, method.validation, length).map_err(bad)?;
    page.step("natural PIN, the leftmost digits", digit_text(pin.expose_digits()));
    Ok(())
}

fn read_offset(page: &mut Page, text: &str) -> anyhow::Result<Offset> {
    page.input("offset", text);
    Offset::from_ascii(text.as_bytes()).map_err(|error| bad_option("offset", error))
}

#[cfg(test)]
mod tests {
    use crate::command::calc::tests::{check, check_refused, page_of, text, vectors};

    #[test]
    fn published_offsets_natural_pins_and_the_way_back() {
        for vector in vectors("ibm3624", "IBM 3624") {
            let input = |name| text(&vector, "inputs", name).unwrap_or_else(|| panic!("{name} in {vector}"));
            let method = format!(
                "ibm3624 --pvk {} --table {} --validation {}",
                input("pvk"),
                input("decimalization_table"),
                input("validation_data")
            );
            let pin = input("pin");
            let length = vector["inputs"]["check_length"].as_u64().unwrap_or(pin.len() as u64);
            let offset = text(&vector, "outputs", "offset").unwrap();
            check(&format!("{method} --pin {pin} --check-length {length}"), offset);
            check(&format!("{method} --pin {pin} --offset {offset}"), "right");
            let page = page_of(&method).unwrap();
            if let Some(digits) = text(&vector, "outputs", "natural_pin_16") {
                assert_eq!(page.value("decimalised"), digits);
                check(&method, &digits[..4]);
            }
            if let Some(enciphered) = text(&vector, "outputs", "encrypted_validation_data") {
                let step = "validation data enciphered under the PIN verification key";
                assert_eq!(page.value(step), enciphered);
            }
        }
    }

    #[test]
    fn the_pin_of_an_offset_and_mistakes() {
        let method = "ibm3624 --pvk 0123456789ABCDEFFEDCBA9876543210 --table 1234567890123456 \
                      --validation 1122334455667788";
        check(&format!("{method} --offset 1111"), "5635");
        check(&format!("{method} --pin 5636 --offset 1111"), "wrong");
        check_refused(&format!("{method} --pin 123"), "4 to 12 digits");
        check_refused(&format!("{method} --pin 1234 --check-length 6"), "--check-length");
        check_refused(
            &format!("{method} --offset 1111 --check-length 4"),
            "--check-length: does not apply to",
        );
    }
}
