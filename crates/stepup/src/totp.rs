//! Time-based one-time passwords of RFC 6238: six digits, thirty seconds, HMAC-SHA-1, as every authenticator app makes them.

use model::Timestamp;
use ring::hmac;
use subtle::ConstantTimeEq as _;

/// Seconds of a step.
pub const STEP_S: i64 = 30;
/// Steps before and after the present one that are taken: clocks differ.
const SKEW: i64 = 1;
/// Bytes of a secret (RFC 4226, 4: at least 128 bits, 160 recommended).
pub const SECRET_LEN: usize = 20;

/// The step at a time.
#[must_use]
pub fn step(now: Timestamp) -> i64 {
    now.0.div_euclid(1000).div_euclid(STEP_S)
}

/// The code of a step.
#[must_use]
pub fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes[bytes.len() - 1] & 0x0F);
    let window = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]];
    format!("{:06}", (u32::from_be_bytes(window) & 0x7FFF_FFFF) % 1_000_000)
}

/// The step of a right code, if it is newer than the last one that was used: a code works once.
#[must_use]
pub fn accept(secret: &[u8], said: &str, now: Timestamp, last_used: Option<i64>) -> Option<i64> {
    let present = step(now);
    let mut found = None;
    for candidate in present - SKEW..=present + SKEW {
        let right: bool = code(secret, candidate).as_bytes().ct_eq(said.as_bytes()).into();
        if right && last_used.is_none_or(|last| candidate > last) {
            found = Some(candidate);
        }
    }
    found
}

/// The secret in Base32 without padding, as people type it (RFC 4648, 6).
#[must_use]
pub fn base32(secret: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in secret {
        (bits, held) = ((bits << 8 | u32::from(*byte)) & 0xFFFF, held + 8);
        while held >= 5 {
            held -= 5;
            text.push(char::from(ALPHABET[((bits >> held) & 31) as usize]));
        }
    }
    if held > 0 {
        text.push(char::from(ALPHABET[((bits << (5 - held)) & 31) as usize]));
    }
    text
}

/// Reads it again; `None` if it is something else.
#[must_use]
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for sign in text.bytes() {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'2'..=b'7' => sign - b'2' + 26,
            _ => return None,
        };
        (bits, held) = ((bits << 5 | u32::from(value)) & 0xFFFF, held + 5);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

/// What an authenticator app reads from a picture.
#[must_use]
pub fn uri(secret: &[u8], issuer: &str, account: &str) -> String {
    let plain = |text: &str| -> String {
        text.bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(b).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    format!(
        "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}",
        base32(secret),
        issuer = plain(issuer),
        account = plain(account)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1, last six digits of the eight.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(b"12345678901234567890", step(Timestamp(second * 1000))), expected);
        }
    }

    #[test]
    fn a_code_works_once_and_only_near_its_time() {
        let secret = [9; SECRET_LEN];
        let now = Timestamp(1_700_000_000_000);
        let said = code(&secret, step(now));
        let used = accept(&secret, &said, now, None);
        assert_eq!(used, Some(step(now)));
        assert_eq!(accept(&secret, &said, now, used), None, "used");
        assert_eq!(accept(&secret, &said, now.plus_s(STEP_S), None), used, "a slow clock");
        assert_eq!(accept(&secret, &said, now.plus_s(3 * STEP_S), None), None);
        assert_eq!(accept(&secret, "", now, None), None);
    }

    /// RFC 4648, 10, without padding.
    #[test]
    fn base32_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert!(
            uri(&[1; 20], "pinward", "li na@bank")
                .starts_with("otpauth://totp/pinward:li%20na%40bank?secret=")
        );
    }
}
