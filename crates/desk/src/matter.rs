//! What must not be kept: card numbers in what people type.

/// The shortest and the longest card number (ISO/IEC 7812-1).
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// A run without separators of so many digits is masked whatever its check digit: references and merchant numbers are shorter.
const ALWAYS: usize = 16;

/// The text with everything that may be a card number cut to its first six and last four (PCI DSS 4.0, 3.4.1), also when it was
/// typed in groups: `6216 2610 …`. A number of 13 to 15 digits, or one in groups, is taken for one when its check digit is
/// right (ISO/IEC 7812-1, annex B).
#[must_use]
pub fn masked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_digit() {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        let plain = run(&chars, at, false);
        // The longest run of groups that is a card's number; else the digits that stand together.
        let grouped = (plain + 1..=run(&chars, at, true)).rev().find(|end| {
            !chars.get(*end).is_some_and(char::is_ascii_digit) && is_card(&chars[at..*end], false)
        });
        let end = grouped.unwrap_or(plain);
        if grouped.is_some() || is_card(&chars[at..end], true) {
            mask(&chars[at..end], &mut out);
        } else {
            out.extend(&chars[at..end]);
        }
        at = end;
    }
    out
}

/// Where a run of digits ends; with groups, single spaces and dashes between digits belong to it.
fn run(chars: &[char], from: usize, groups: bool) -> usize {
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut end = from;
    while digit(end) || (groups && matches!(chars.get(end), Some(' ' | '-')) && digit(end + 1)) {
        end += 1;
    }
    end
}

fn is_card(part: &[char], contiguous: bool) -> bool {
    let digits: Vec<u32> = part.iter().filter_map(|c| c.to_digit(10)).collect();
    if !DIGITS.contains(&digits.len()) {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10) || contiguous && digits.len() >= ALWAYS
}

fn mask(part: &[char], out: &mut String) {
    let digits = part.iter().filter(|c| c.is_ascii_digit()).count();
    let mut place = 0;
    for c in part {
        if !c.is_ascii_digit() {
            out.push(*c);
            continue;
        }
        place += 1;
        out.push(if place <= 6 || place + 4 > digits { *c } else { '*' });
    }
}

/// A text that people typed: trimmed, masked, without control characters, 1 to `longest` characters.
pub(crate) fn typed(text: &str, longest: usize) -> Option<String> {
    let text: String =
        text.trim().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    (1..=longest).contains(&text.chars().count()).then(|| masked(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_cut_however_it_is_typed() {
        for (typed, kept) in [
            ("card 6216261000000000018.", "card 621626*********0018."),
            ("6216 2610 0000 0000 018", "6216 26** **** ***0 018"),
            ("4111-1111-1111-1111 at till 3", "4111-11**-****-1111 at till 3"),
            ("378282246310005", "378282*****0005"),
            ("6216261000000000017", "621626*********0017"),
            ("4111 1111 1111 1111 12 till 3", "4111 11** **** 1111 12 till 3"),
            ("5 4111111111111111", "5 411111******1111"),
        ] {
            assert_eq!(masked(typed), kept);
        }
    }

    #[test]
    fn references_moments_and_telephones_stay() {
        for text in [
            "",
            "RRN 632610004417",
            "898510154110280",
            "1795000000001",
            "2026-11-22 10:43",
            "138 0013 8000",
            "1 2 3",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn typed_texts_have_a_length() {
        assert_eq!(typed("  a\tb  ", 3), Some("a b".to_owned()));
        assert_eq!(typed("   ", 3), None);
        assert_eq!(typed("abcd", 3), None);
    }
}
