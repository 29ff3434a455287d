//! What must not be told: card numbers in texts that come from elsewhere.

/// The shortest and the longest card number (ISO/IEC 7812-1).
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// The text with every run of digits that may be a card number cut to its first six and last four (PCI DSS 4.0, 3.4.1).
/// A number is taken for one when its check digit is right, so that a reference or a moment stays legible.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        out.push_str(before);
        if DIGITS.contains(&run.len()) && has_check_digit(run) {
            out.push_str(&run[..6]);
            out.extend(std::iter::repeat_n('*', run.len() - 10));
            out.push_str(&run[run.len() - 4..]);
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// ISO/IEC 7812-1, annex B.
fn has_check_digit(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// What another server said, short and harmless: for the delivery log, which people read.
pub(crate) fn excerpt(bytes: &[u8], longest: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect();
    masked(plain.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_cut_and_other_numbers_stay() {
        assert_eq!(masked("card 6216261000000000018 at till"), "card 621626*********0018 at till");
        assert_eq!(masked("4111111111111111"), "411111******1111");
        for text in ["", "RRN 123456789012", "1795000000001", "no digits", "6216261000000000017", "1 2 3"] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn what_a_server_said_is_one_short_line() {
        assert_eq!(
            excerpt(b" ok\r\n\x1b[31m\xff 4111111111111111 and more", 60),
            "ok   [31m\u{fffd} 411111******1111 and more"
        );
        assert_eq!(excerpt(b"abcdef", 3), "abc");
    }
}
