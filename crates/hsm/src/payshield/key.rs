//! A key as the device's commands write it: `S` and a key block under its key-block LMK, or `U`, `T`, `X`, `Y` or nothing
//! and hexadecimal digits. We cannot open any of them; the lengths are checked, so that a key is always one field and
//! nothing behind it, and the header of a key block tells its usage.

use model::KeyBlock;

/// A key in a command or a reply, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HsmKey<'a> {
    text: &'a str,
    form: Form,
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `S`: a key block, with the parts of its header that matter here.
    Block(BlockHeader),
    /// `R`: a TR-31 key block, between zones only.
    Tr31,
    /// Under a variant of the LMK (or of a zone key): no integrity, no usage. Bytes of the key.
    Variant(u8),
    /// `X`, `Y`: plain ECB, between zones only. Bytes of the key.
    Ecb(u8),
}

/// What the header of a key block says in clear (Thales key block; positions as in ANSI X9.143:2021, Table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// Two characters, such as `P0` or `72`.
    pub usage: [u8; 2],
    /// `A` AES, `D` single DES, `T` TDES.
    pub algorithm: u8,
    /// `B`, `D`, `E`, `N` and others.
    pub mode: u8,
}

/// A text that is no key of this notation. Says nothing of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HsmKeyError {
    /// Neither `S`, `R`, `U`, `T`, `X`, `Y` nor a hexadecimal digit.
    #[error("not the notation of a key")]
    Notation,
    /// Shorter or longer than its beginning says.
    #[error("a key of another length than its beginning says")]
    Length,
    /// A digit that is none, or a control character in a key block.
    #[error("a key with impossible characters")]
    Characters,
}

/// Characters of a key block's header, without tag.
const HEADER: usize = 16;

/// The longest key block: far above any that is in use, far below a frame.
const LONGEST_BLOCK: usize = 2048;

impl<'a> HsmKey<'a> {
    /// Takes a whole text.
    ///
    /// # Errors
    /// [`HsmKeyError`].
    pub fn parse(text: &'a str) -> Result<Self, HsmKeyError> {
        let (key, rest) = Self::first_of(text.as_bytes())?;
        if rest.is_empty() { Ok(key) } else { Err(HsmKeyError::Length) }
    }

    /// The key of a key block as it is stored.
    ///
    /// # Errors
    /// [`HsmKeyError`].
    pub fn of(block: &'a KeyBlock) -> Result<Self, HsmKeyError> {
        Self::parse(block.as_str())
    }

    /// Takes a key from the front of a reply's fields; also what follows.
    ///
    /// # Errors
    /// [`HsmKeyError`].
    pub fn first_of(fields: &'a [u8]) -> Result<(Self, &'a [u8]), HsmKeyError> {
        let digits = |tag: usize, bytes: u8| (tag + 2 * usize::from(bytes), tag);
        let (length, after_tag) = match fields.first() {
            Some(b'S' | b'R') => (block_length(fields)?, 1),
            Some(b'U' | b'X') => digits(1, 16),
            Some(b'T' | b'Y') => digits(1, 24),
            Some(c) if c.is_ascii_hexdigit() => digits(0, 8),
            _ => return Err(HsmKeyError::Notation),
        };
        let (key, rest) = fields.split_at_checked(length).ok_or(HsmKeyError::Length)?;
        let text = std::str::from_utf8(key).map_err(|_| HsmKeyError::Characters)?;
        let body = &key[after_tag..];
        let form = match key.first() {
            Some(b'S') => Form::Block(block_header(body)?),
            Some(b'R') => block_header(body).map(|_| Form::Tr31)?,
            tag => {
                if !body.iter().all(u8::is_ascii_hexdigit) {
                    return Err(HsmKeyError::Characters);
                }
                let bytes = u8::try_from(body.len() / 2).map_err(|_| HsmKeyError::Length)?;
                if matches!(tag, Some(b'X' | b'Y')) { Form::Ecb(bytes) } else { Form::Variant(bytes) }
            }
        };
        Ok((Self { text, form }, rest))
    }

    /// As it stands in a command.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// How it is written.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The header, if it is a key block.
    #[must_use]
    pub fn header(&self) -> Option<BlockHeader> {
        match self.form {
            Form::Block(header) => Some(header),
            Form::Tr31 | Form::Variant(_) | Form::Ecb(_) => None,
        }
    }

    /// An AES key, as far as can be told.
    #[must_use]
    pub fn is_aes(&self) -> bool {
        self.header().is_some_and(|header| header.algorithm == b'A')
    }
}

/// The length field of a key block counts everything but the tag.
fn block_length(fields: &[u8]) -> Result<usize, HsmKeyError> {
    let counted = fields.get(2..6).ok_or(HsmKeyError::Length)?;
    let digits = std::str::from_utf8(counted).map_err(|_| HsmKeyError::Characters)?;
    if !counted.iter().all(u8::is_ascii_digit) {
        return Err(HsmKeyError::Characters);
    }
    let length: usize = digits.parse().map_err(|_| HsmKeyError::Characters)?;
    if (HEADER + 1..=LONGEST_BLOCK).contains(&length) { Ok(length + 1) } else { Err(HsmKeyError::Length) }
}

fn block_header(body: &[u8]) -> Result<BlockHeader, HsmKeyError> {
    let [version, _, _, _, _, usage @ .., algorithm, mode] =
        body.first_chunk::<9>().ok_or(HsmKeyError::Length)?;
    if !body.iter().all(|c| (b' '..=b'~').contains(c)) || !version.is_ascii_alphanumeric() {
        return Err(HsmKeyError::Characters);
    }
    Ok(BlockHeader { usage: *usage, algorithm: *algorithm, mode: *mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Thales key block of the published vectors (vectors/crypto-vectors.json, payshield_keyblock-002).
    const BLOCK: &str = "S00072K0TB00E0001DB045F29C053EEFF7B9425B3A88C7258EB7EA7E40E2C47878647072A";

    #[test]
    fn a_key_block_tells_its_usage() {
        let header = HsmKey::parse(BLOCK).unwrap().header().unwrap();
        assert_eq!((header.usage, header.algorithm, header.mode), (*b"K0", b'T', b'B'));
    }

    #[test]
    fn a_key_is_one_field_and_nothing_behind_it() {
        let check =
            |text: &str, expect: HsmKeyError| assert_eq!(HsmKey::parse(text).err(), Some(expect), "{text}");
        check("", HsmKeyError::Notation);
        check("Z0123456789ABCDEF", HsmKeyError::Notation);
        check("0123456789ABCDE", HsmKeyError::Length);
        check("0123456789ABCDEF0", HsmKeyError::Length);
        check("U0123456789ABCDEF", HsmKeyError::Length);
        check("U0123456789ABCDEF0123456789ABCDEG", HsmKeyError::Characters);
        check(&BLOCK[..BLOCK.len() - 1], HsmKeyError::Length);
        check(&format!("{BLOCK}0"), HsmKeyError::Length);
        check(&BLOCK.replace("S00072", "S00010"), HsmKeyError::Length);
        check(&BLOCK.replace("S00072", "S0007x"), HsmKeyError::Characters);
        check(&BLOCK.replace("K0TB", "K0T\u{19}"), HsmKeyError::Characters);
        assert_eq!(HsmKey::parse("U0123456789ABCDEF0123456789ABCDEF").unwrap().form(), Form::Variant(16));
        assert_eq!(HsmKey::parse("0123456789ABCDEF").unwrap().form(), Form::Variant(8));
        assert_eq!(HsmKey::parse(&format!("X{}", "A".repeat(32))).unwrap().form(), Form::Ecb(16));
        assert_eq!(HsmKey::parse(&format!("T{}", "A".repeat(48))).unwrap().form(), Form::Variant(24));
    }
}
