//! Replies, read strictly: the reply code of the command, an error code, and exactly the fields that the command's reply
//! has. A reply that is anything else is no reply, and nobody may conclude anything from it.

use std::fmt;

use model::PinBlockFormat;
use zeroize::Zeroizing;

use super::{
    command::Encoded,
    error::ErrorCode,
    field::{block_length, format_code},
    key::{Form, HsmKey},
};
use crate::module::EncryptedPinBlock;

/// Which fields a reply has behind its error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// None.
    Nothing,
    /// LMK check value 16H, firmware.
    Diagnostics,
    /// What was sent, so many bytes.
    Echo(usize),
    /// Key under the LMK, key under the TMK in plain ECB, check value 6H.
    GeneratedKey,
    /// Key under the LMK, check value 6H.
    ImportedKey,
    /// Check value 16H.
    CheckValue,
    /// PIN length 2N, block, format 2N.
    Translated(PinBlockFormat),
    /// 4N.
    Pvv,
    /// 12H, left-justified, filled with F.
    Offset,
    /// So many hexadecimal digits; their number may stand before them.
    Mac(usize),
}

/// What a reply said behind its error code.
pub enum Content {
    /// No fields.
    Nothing,
    /// Which device this is.
    Diagnostics(Diagnostics),
    /// What was sent.
    Echo(Vec<u8>),
    /// A new key, twice.
    GeneratedKey {
        /// Under the LMK.
        key: String,
        /// Under the terminal's master key, ECB.
        for_terminal: [u8; 16],
        /// Three bytes.
        check_value: [u8; 3],
    },
    /// A key that was brought in.
    ImportedKey {
        /// Under the LMK.
        key: String,
        /// Three bytes.
        check_value: [u8; 3],
    },
    /// Eight bytes of the zero block under a key, or its CMAC.
    CheckValue([u8; 8]),
    /// A PIN block for the next zone.
    Translated(EncryptedPinBlock),
    /// PIN verification value, ASCII digits.
    Pvv([u8; 4]),
    /// As many digits as were compared, ASCII.
    Offset(Vec<u8>),
    /// Authentication code: 4 or 8 bytes.
    Mac(Vec<u8>),
}

/// Which device answers, and which LMK it has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostics {
    /// Check value of the LMK, 16 hexadecimal digits.
    pub lmk_check_value: String,
    /// Firmware number, such as `0007-E000`.
    pub firmware: String,
}

/// A reply that fits its command.
pub struct Reply {
    /// The error code.
    pub error: ErrorCode,
    /// The fields.
    pub content: Content,
}

/// Bytes that are no reply to the command. Says where, never what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// No room for reply code and error code.
    #[error("no room for reply code and error code")]
    TooShort,
    /// The reply to another command.
    #[error("the reply code is another command's")]
    Code,
    /// The error code is not two digits or capital letters.
    #[error("the error code is none")]
    ErrorCode,
    /// A field is missing, too short, or has characters that it cannot have.
    #[error("field {0} is malformed")]
    Field(&'static str),
    /// Something follows the last field.
    #[error("more fields than the reply has")]
    LeftOver,
}

impl Reply {
    /// Reads the reply to a command, without its header.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn parse(command: &Encoded, body: &[u8]) -> Result<Self, ReplyError> {
        Self::parse_as(command.reply_code(), command.shape(), body)
    }

    /// Reads a reply with a code and fields.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn parse_as(code: [u8; 2], shape: Shape, body: &[u8]) -> Result<Self, ReplyError> {
        let (head, fields) = body.split_first_chunk::<4>().ok_or(ReplyError::TooShort)?;
        let [c0, c1, e0, e1] = *head;
        if [c0, c1] != code {
            return Err(ReplyError::Code);
        }
        let error = ErrorCode::new([e0, e1]).ok_or(ReplyError::ErrorCode)?;
        // 01 and 02 are warnings to some commands: done all the same, with all fields.
        let warning = matches!(shape, Shape::ImportedKey) && error == ErrorCode::VERIFICATION_FAILED
            || matches!(shape, Shape::Offset) && error == ErrorCode::KEY_LENGTH_WARNING;
        let has_fields = error == ErrorCode::DONE || warning && !fields.is_empty();
        let shape = if has_fields { shape } else { Shape::Nothing };
        let mut fields = Fields { rest: fields };
        let content = fields.content(shape)?;
        if fields.rest.is_empty() { Ok(Self { error, content }) } else { Err(ReplyError::LeftOver) }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply {{ error: {}, *** }}", self.error)
    }
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn content(&mut self, shape: Shape) -> Result<Content, ReplyError> {
        Ok(match shape {
            Shape::Nothing => Content::Nothing,
            Shape::Diagnostics => Content::Diagnostics(self.diagnostics()?),
            Shape::Echo(length) => Content::Echo(self.take(length, "data")?.to_vec()),
            Shape::GeneratedKey => {
                let key =
                    self.key("key under the LMK", |form| matches!(form, Form::Block(_) | Form::Variant(_)))?;
                let exported = self.key("key under the TMK", |form| form == Form::Ecb(16))?;
                let mut for_terminal = [0; 16];
                let digits = exported.text().get(1..).unwrap_or_default();
                hex::decode_to_slice(digits, &mut for_terminal)
                    .map_err(|_| ReplyError::Field("key under the TMK"))?;
                Content::GeneratedKey {
                    key: key.text().to_owned(),
                    for_terminal,
                    check_value: self.bytes("check value")?,
                }
            }
            Shape::ImportedKey => {
                let key =
                    self.key("key under the LMK", |form| matches!(form, Form::Block(_) | Form::Variant(_)))?;
                Content::ImportedKey { key: key.text().to_owned(), check_value: self.bytes("check value")? }
            }
            Shape::CheckValue => Content::CheckValue(self.bytes("check value")?),
            Shape::Translated(format) => Content::Translated(self.translated(format)?),
            Shape::Pvv => {
                let digits = self.take(4, "PVV")?.first_chunk::<4>().ok_or(ReplyError::Field("PVV"))?;
                if !digits.iter().all(u8::is_ascii_digit) {
                    return Err(ReplyError::Field("PVV"));
                }
                Content::Pvv(*digits)
            }
            Shape::Offset => Content::Offset(self.offset()?),
            Shape::Mac(digits) => Content::Mac(self.mac(digits)?),
        })
    }

    fn diagnostics(&mut self) -> Result<Diagnostics, ReplyError> {
        const LONGEST_FIRMWARE: usize = 16; // nine characters in every description
        let check_value = self.take(16, "LMK check value")?;
        let firmware = std::mem::take(&mut self.rest);
        let printable = |c: &u8| c.is_ascii_alphanumeric() || b"-./ ".contains(c);
        if !check_value.iter().all(u8::is_ascii_hexdigit) {
            return Err(ReplyError::Field("LMK check value"));
        }
        if firmware.is_empty() || firmware.len() > LONGEST_FIRMWARE || !firmware.iter().all(printable) {
            return Err(ReplyError::Field("firmware number"));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Diagnostics { lmk_check_value: text(check_value).to_ascii_uppercase(), firmware: text(firmware) })
    }

    fn translated(&mut self, format: PinBlockFormat) -> Result<EncryptedPinBlock, ReplyError> {
        let length = self.take(2, "PIN length")?;
        if !(b"04"..=b"12").contains(&length.first_chunk().ok_or(ReplyError::Field("PIN length"))?)
            || !length.iter().all(u8::is_ascii_digit)
        {
            return Err(ReplyError::Field("PIN length"));
        }
        let block = decode(self.take(2 * block_length(format), "PIN block")?, "PIN block")?;
        let code = format_code(format).map_err(|_| ReplyError::Field("PIN block format"))?;
        if self.take(2, "PIN block format")? != code.as_bytes() {
            return Err(ReplyError::Field("PIN block format"));
        }
        EncryptedPinBlock::new(&block).ok_or(ReplyError::Field("PIN block"))
    }

    fn offset(&mut self) -> Result<Vec<u8>, ReplyError> {
        let field = self.take(12, "offset")?;
        let digits: Vec<u8> = field.iter().copied().take_while(u8::is_ascii_digit).collect();
        let filled = field[digits.len()..].iter().all(|c| *c == b'F');
        if digits.len() >= 4 && filled { Ok(digits) } else { Err(ReplyError::Field("offset")) }
    }

    /// Some devices put the number of digits in front, four decimal digits.
    fn mac(&mut self, digits: usize) -> Result<Vec<u8>, ReplyError> {
        if self.rest.len() == digits + 4 && self.take(4, "MAC length")? != format!("{digits:04}").as_bytes() {
            return Err(ReplyError::Field("MAC length"));
        }
        Ok(decode(self.take(digits, "MAC")?, "MAC")?.to_vec())
    }

    fn key(&mut self, name: &'static str, fits: impl Fn(Form) -> bool) -> Result<HsmKey<'a>, ReplyError> {
        let (key, rest) = HsmKey::first_of(self.rest).map_err(|_| ReplyError::Field(name))?;
        if !fits(key.form()) {
            return Err(ReplyError::Field(name));
        }
        self.rest = rest;
        Ok(key)
    }

    fn bytes<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], ReplyError> {
        let mut bytes = [0; N];
        hex::decode_to_slice(self.take(2 * N, name)?, &mut bytes).map_err(|_| ReplyError::Field(name))?;
        Ok(bytes)
    }

    fn take(&mut self, length: usize, name: &'static str) -> Result<&'a [u8], ReplyError> {
        let (field, rest) = self.rest.split_at_checked(length).ok_or(ReplyError::Field(name))?;
        self.rest = rest;
        Ok(field)
    }
}

fn decode(digits: &[u8], name: &'static str) -> Result<Zeroizing<Vec<u8>>, ReplyError> {
    hex::decode(digits).map(Zeroizing::new).map_err(|_| ReplyError::Field(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: Shape, body: &str, expect: Result<&str, ReplyError>) {
        let read = Reply::parse_as(*b"XX", shape, body.as_bytes());
        let error = read.as_ref().map(|reply| reply.error.to_string());
        assert_eq!(error.as_deref().map_err(|e| **e), expect, "{body}");
    }

    #[test]
    fn fields_are_neither_missing_nor_left_over() {
        check(Shape::Nothing, "XX00", Ok("00"));
        check(Shape::Nothing, "XX01", Ok("01"));
        check(Shape::Nothing, "XX0", Err(ReplyError::TooShort));
        check(Shape::Nothing, "XX00 ", Err(ReplyError::LeftOver));
        check(Shape::Nothing, "XX010", Err(ReplyError::LeftOver));
        check(Shape::Nothing, "XY00", Err(ReplyError::Code));
        check(Shape::Nothing, "XX0a", Err(ReplyError::ErrorCode));
        check(Shape::Pvv, "XX001234", Ok("00"));
        check(Shape::Pvv, "XX00123A", Err(ReplyError::Field("PVV")));
        check(Shape::Pvv, "XX00123", Err(ReplyError::Field("PVV")));
        check(Shape::Pvv, "XX01", Ok("01"));
        check(Shape::Mac(8), "XX0000112233", Ok("00"));
        check(Shape::Mac(16), "XX0000112233", Err(ReplyError::Field("MAC")));
        check(Shape::Mac(8), "XX00000800112233", Ok("00"));
        check(Shape::Mac(8), "XX00000900112233", Err(ReplyError::Field("MAC length")));
        check(Shape::Echo(3), "XX00abc", Ok("00"));
        check(Shape::Echo(3), "XX00abcd", Err(ReplyError::LeftOver));
    }

    #[test]
    fn devices_and_blocks() {
        check(Shape::Diagnostics, "XX0026860469000000000007-E000", Ok("00"));
        check(Shape::Diagnostics, "XX002686046900000000", Err(ReplyError::Field("firmware number")));
        check(Shape::Diagnostics, "XX00268604690000000G0007-E000", Err(ReplyError::Field("LMK check value")));
        let iso_0 = Shape::Translated(PinBlockFormat::Iso0);
        check(iso_0, "XX0004001122334455667701", Ok("00"));
        check(iso_0, "XX0004001122334455667747", Err(ReplyError::Field("PIN block format")));
        check(iso_0, "XX0003001122334455667701", Err(ReplyError::Field("PIN length")));
        check(iso_0, "XX000:001122334455667701", Err(ReplyError::Field("PIN length")));
        check(iso_0, "XX00040011223344556601", Err(ReplyError::Field("PIN block format")));
    }

    #[test]
    fn offsets_end_where_the_fill_begins() {
        check(Shape::Offset, "XX001234FFFFFFFF", Ok("00"));
        check(Shape::Offset, "XX00123FFFFFFFFF", Err(ReplyError::Field("offset")));
        check(Shape::Offset, "XX001234FFFF1FFF", Err(ReplyError::Field("offset")));
        check(Shape::Offset, "XX021234FFFFFFFF", Ok("02"));
        check(Shape::Offset, "XX02", Ok("02"));
    }

    #[test]
    fn new_keys_come_under_the_lmk_and_the_terminals_key() {
        let block = "S00072K0TB00E0001DB045F29C053EEFF7B9425B3A88C7258EB7EA7E40E2C47878647072A";
        let under_tmk = format!("X{}", "AB".repeat(16));
        check(Shape::GeneratedKey, &format!("XX00{block}{under_tmk}112233"), Ok("00"));
        let swapped = Err(ReplyError::Field("key under the LMK"));
        check(Shape::GeneratedKey, &format!("XX00{under_tmk}{block}112233"), swapped);
        let single = Err(ReplyError::Field("key under the TMK"));
        check(Shape::GeneratedKey, &format!("XX00{block}0011223344556677112233"), single);
        check(Shape::ImportedKey, &format!("XX01{block}112233"), Ok("01"));
        check(Shape::ImportedKey, &format!("XX02{block}112233"), Err(ReplyError::LeftOver));
    }
}
