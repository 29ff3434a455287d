//! Fields of commands that are made of a transaction's data: PIN block, account number, key serial number. They are
//! wiped after use and never printed.

use model::{Ksn, Pan, PinBlockFormat};
use paycrypto::pin::PanForPin;
use zeroize::Zeroizing;

use crate::module::EncryptedPinBlock;

/// What cannot be said in the device's commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The device has no code for the PIN block format, or not for an online PIN.
    #[error("the device has no such PIN block format")]
    Format,
    /// The PIN block is not as long as its format says.
    #[error("the PIN block has another length than its format")]
    BlockLength,
    /// The account number has too few digits.
    #[error("the account number is too short for a PIN block")]
    Account,
    /// More data than a command takes, or none at all.
    #[error("more data than a command of the device takes, or none")]
    DataLength,
    /// A PIN verification value, an index or an offset is none.
    #[error("the PIN reference is none")]
    Reference,
}

/// The two digits for a PIN block format.
///
/// # Errors
/// [`FieldError::Format`] for formats that the device does not have, and for format 2, which is between a terminal
/// and a chip (ISO 9564-1:2017, 9.3.4).
pub fn format_code(format: PinBlockFormat) -> Result<&'static str, FieldError> {
    match format {
        PinBlockFormat::Iso0 => Ok("01"),
        PinBlockFormat::Iso1 => Ok("05"),
        PinBlockFormat::Iso3 => Ok("47"),
        PinBlockFormat::Iso4 => Ok("48"),
        PinBlockFormat::Iso2 | PinBlockFormat::Sm4Layout1 | PinBlockFormat::Sm4Layout2 => {
            Err(FieldError::Format)
        }
    }
}

/// Bytes of a block of a format.
#[must_use]
pub fn block_length(format: PinBlockFormat) -> usize {
    match format {
        PinBlockFormat::Iso0 | PinBlockFormat::Iso1 | PinBlockFormat::Iso2 | PinBlockFormat::Iso3 => 8,
        PinBlockFormat::Iso4 | PinBlockFormat::Sm4Layout1 | PinBlockFormat::Sm4Layout2 => 16,
    }
}

/// The block in hexadecimal digits.
///
/// # Errors
/// [`FieldError::BlockLength`].
pub fn block(block: &EncryptedPinBlock, format: PinBlockFormat) -> Result<Zeroizing<String>, FieldError> {
    if block.as_bytes().len() != block_length(format) {
        return Err(FieldError::BlockLength);
    }
    Ok(Zeroizing::new(hex::encode_upper(block.as_bytes())))
}

/// The account number as the device wants it: the twelve rightmost digits without the check digit; the whole number
/// and `;` if one of the formats is 4, whose block holds the whole number.
///
/// # Errors
/// [`FieldError::Account`].
pub fn account(pan: &Pan, formats: &[PinBlockFormat]) -> Result<Zeroizing<String>, FieldError> {
    if formats.contains(&PinBlockFormat::Iso4) {
        return if (12..=19).contains(&pan.reveal().len()) {
            Ok(Zeroizing::new(format!("{};", pan.reveal())))
        } else {
            Err(FieldError::Account)
        };
    }
    let whole = PanForPin::new(pan.reveal()).map_err(|_| FieldError::Account)?;
    let digits = whole.account12().digits().iter().map(|digit| char::from(b'0' + digit % 10)).collect();
    Ok(Zeroizing::new(digits))
}

/// The descriptor of a key serial number and the number. The descriptor's digits are the lengths of the key set
/// identifier, the sub-key identifier and the device identifier; the counter has the five digits that are left.
#[must_use]
pub fn key_serial_number(ksn: &Ksn) -> (&'static str, String) {
    let descriptor = if ksn.as_bytes().len() == Ksn::AES_LEN { "808" } else { "A05" };
    (descriptor, ksn.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers() {
        let pan: Pan = "9000000000123457".parse().unwrap();
        assert_eq!(*account(&pan, &[PinBlockFormat::Iso0]).unwrap(), "000000012345");
        assert_eq!(*account(&pan, &[PinBlockFormat::Iso4]).unwrap(), "9000000000123457;");
        let both = account(&pan, &[PinBlockFormat::Iso4, PinBlockFormat::Iso0]).unwrap();
        assert_eq!(*both, "9000000000123457;");
    }

    #[test]
    fn descriptors_say_how_a_number_is_made_up() {
        for text in ["FFFF9876543210E00001", "123456789012345600000001"] {
            let ksn: Ksn = text.parse().unwrap();
            let (descriptor, number) = key_serial_number(&ksn);
            assert_eq!((descriptor.len(), number.as_str()), (3, text));
            let parts: u32 = descriptor.chars().filter_map(|c| c.to_digit(16)).sum();
            let counter = if text.len() == 20 { 5 } else { 8 };
            assert_eq!(parts + counter, u32::try_from(text.len()).unwrap());
        }
    }

    #[test]
    fn a_block_is_as_long_as_its_format() {
        let eight = EncryptedPinBlock::new(&[0xAB; 8]).unwrap();
        assert_eq!(*block(&eight, PinBlockFormat::Iso0).unwrap(), "AB".repeat(8));
        assert_eq!(block(&eight, PinBlockFormat::Iso4), Err(FieldError::BlockLength));
        assert_eq!(format_code(PinBlockFormat::Iso2), Err(FieldError::Format));
    }
}
