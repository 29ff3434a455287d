//! The password of one of the shop's own people on its way to the host. No public source has a field for it, so this form is ours
//! (docs/reference/rules.md O3): a key stream in counter mode, whose pseudo-random function is the message authentication code under
//! the terminal's MAC key (NIST SP 800-108r1, 4.1), over a label that no message begins with. The PIN keys have no part in it, so that
//! nobody can have a cardholder's PIN block opened by passing it off as an operator's password.
//!
//! ```text
//!  label    FF 50 | part | operator | DE 11, four bytes         one for each half of the stream
//!  stream   16 half-bytes: one of each byte of two codes
//!  clear    E | digits | 4 to 12 digits | F ... F               16 half-bytes
//! ```

use zeroize::Zeroizing;

/// Bytes of a field.
pub const FIELD_LEN: usize = 8;
/// A label is one block, and no message: message types begin with a digit.
pub const LABEL_LEN: usize = 8;

const CONTROL: u8 = 0xE;
const FILL: u8 = 0xF;
const HALVES: usize = 2 * FIELD_LEN;

/// What the codes are made of, for the password at a place: 0 the present one, 1 a new one.
#[must_use]
pub fn labels(operator: u8, stan: u32, place: u8) -> [[u8; LABEL_LEN]; 2] {
    let [a, b, c, d] = stan.to_be_bytes();
    [0, 1].map(|half| [0xFF, 0x50, 2 * place + half, operator, a, b, c, d])
}

/// Covers the digits of a password; `None` unless they are 4 to 12 digits.
#[must_use]
pub fn cover(digits: &str, codes: &[[u8; 8]; 2]) -> Option<[u8; FIELD_LEN]> {
    let fits = (4..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if !fits {
        return None;
    }
    let mut clear = Zeroizing::new([FILL; HALVES]);
    clear[0] = CONTROL;
    clear[1] = u8::try_from(digits.len()).ok()?;
    for (half, digit) in clear[2..].iter_mut().zip(digits.bytes()) {
        *half = digit - b'0';
    }
    let stream = stream(codes);
    let mut field = [0; FIELD_LEN];
    for (at, byte) in field.iter_mut().enumerate() {
        *byte = ((clear[2 * at] ^ stream[2 * at]) << 4) | (clear[2 * at + 1] ^ stream[2 * at + 1]);
    }
    Some(field)
}

/// Uncovers them; `None` for everything that is none: other keys, another operator, another message.
#[must_use]
pub fn uncover(field: &[u8; FIELD_LEN], codes: &[[u8; 8]; 2]) -> Option<Zeroizing<String>> {
    let stream = stream(codes);
    let halves = field.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    let clear: Zeroizing<Vec<u8>> = Zeroizing::new(halves.zip(stream.iter()).map(|(a, b)| a ^ b).collect());
    let (head, rest) = clear.split_at_checked(2)?;
    let (digits, fill) = rest.split_at_checked(usize::from(head[1]))?;
    let is_one = head[0] == CONTROL
        && (4..=12).contains(&head[1])
        && digits.iter().all(|digit| *digit < 10)
        && fill.iter().all(|half| *half == FILL);
    is_one.then(|| Zeroizing::new(digits.iter().map(|digit| char::from(b'0' + digit)).collect()))
}

/// One half-byte of each byte of a code: UnionPay's codes are eight hexadecimal characters, all others eight bytes, and for both
/// every half-byte is as likely as the next.
fn stream(codes: &[[u8; 8]; 2]) -> Zeroizing<[u8; HALVES]> {
    let mut stream = Zeroizing::new([0; HALVES]);
    for (half, byte) in stream.iter_mut().zip(codes.iter().flatten()) {
        *half = ((byte & 0xF) + 9 * ((byte >> 6) & 1)) & 0xF;
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [[u8; 8]; 2] = [*b"0A9F31C7", *b"5E6B0D24"];

    #[test]
    fn what_is_covered_is_uncovered_and_nothing_else() {
        for digits in ["7395", "482917", "314159265358"] {
            let field = cover(digits, &CODES).unwrap();
            assert_eq!(uncover(&field, &CODES).unwrap().as_str(), digits);
            assert_eq!(uncover(&field, &[CODES[1], CODES[0]]), None, "another stream");
        }
        for bad in ["739", "7395a", "3141592653589", ""] {
            assert_eq!(cover(bad, &CODES), None, "{bad}");
        }
    }

    #[test]
    fn hexadecimal_characters_and_bytes_give_every_half_byte_alike() {
        let mut seen = [0; 16];
        for byte in b"0123456789ABCDEF" {
            seen[usize::from(stream(&[[*byte; 8]; 2])[0])] += 1;
        }
        assert_eq!(seen, [1; 16]);
        let mut seen = [0; 16];
        for byte in 0..=255 {
            seen[usize::from(stream(&[[byte; 8]; 2])[0])] += 1;
        }
        assert_eq!(seen, [16; 16]);
    }

    #[test]
    fn labels_differ_and_are_no_message() {
        let all: std::collections::BTreeSet<_> = [(1, 5, 0), (1, 5, 1), (2, 5, 0), (1, 6, 0)]
            .map(|(o, s, p)| labels(o, s, p))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(all.len(), 8);
        assert!(all.iter().all(|label| label[0] == 0xFF));
    }
}
