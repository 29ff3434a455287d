//! A telephone number as it is dialled from anywhere (ITU-T E.164). It prints with stars: which number belongs to a card is
//! the holder's affair, and a log is no place for it.

use std::{fmt, str::FromStr};

use zeroize::Zeroizing;

/// Digits of a number, country code included (E.164, 6.2.1: at most 15).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Digits of a Chinese mobile number without its country code.
const CN_MOBILE_LEN: usize = 11;

/// A number, `+` and its digits.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(Zeroizing<String>);

/// It is no telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number is `+`, the country code and the subscriber's digits, 8 to 15 in all")]
pub struct NoNumber;

impl FromStr for PhoneNumber {
    type Err = NoNumber;

    /// Spaces, dashes and brackets are passed over; eleven digits that begin with 1 and 3 to 9 are a Chinese mobile number.
    fn from_str(text: &str) -> Result<Self, NoNumber> {
        let mut digits = Zeroizing::new(String::new());
        let international = text.trim_start().starts_with('+');
        for sign in text.trim().trim_start_matches('+').chars() {
            match sign {
                '0'..='9' => digits.push(sign),
                ' ' | '-' | '(' | ')' => {}
                _ => return Err(NoNumber),
            }
        }
        let is_cn_mobile = digits.len() == CN_MOBILE_LEN
            && digits.starts_with('1')
            && digits.as_bytes().get(1).is_some_and(|second| (b'3'..=b'9').contains(second));
        if !international && !is_cn_mobile {
            return Err(NoNumber);
        }
        if !DIGITS.contains(&digits.len()) || digits.starts_with('0') {
            return Err(NoNumber);
        }
        let country = if international { "+" } else { "+86" };
        Ok(Self(Zeroizing::new(format!("{country}{}", digits.as_str()))))
    }
}

impl PhoneNumber {
    /// `+` and all digits, for the gateway alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// For people: the beginning and the last digits, never more than half of it.
    #[must_use]
    pub fn masked(&self) -> String {
        let digits = &self.0[1..];
        let (head, tail) = if digits.len() >= 11 { (3, 4) } else { (2, 2) };
        format!("+{}****{}", &digits[..head], &digits[digits.len() - tail..])
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<PhoneNumber>().ok();
        assert_eq!(read.as_ref().map(PhoneNumber::reveal), expected, "{text}");
    }

    #[test]
    fn a_number_is_read_in_the_forms_that_people_write() {
        check("+1 (202) 555-0143", Some("+12025550143"));
        check("13900000001", Some("+8613900000001"));
        check("139 0000 0001", Some("+8613900000001"));
        check("+8613900000001", Some("+8613900000001"));
        for bad in
            ["", "+", "12345", "+0123456789", "+1234567", "+1234567890123456", "02112345678", "1390000000a"]
        {
            check(bad, None);
        }
    }

    #[test]
    fn it_prints_with_stars() {
        let number: PhoneNumber = "13900001234".parse().unwrap();
        assert_eq!(number.to_string(), "+861****1234");
        assert_eq!(format!("{number:?}"), "PhoneNumber(+861****1234)");
        let short: PhoneNumber = "+35312345".parse().unwrap();
        assert_eq!(short.masked(), "+35****45");
    }
}
