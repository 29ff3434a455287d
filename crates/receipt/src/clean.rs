//! Values from outside, made fit for paper: no control characters (a printer would obey them), nothing that changes the
//! direction or has no width, no more characters than the field may have. What is taken away is not replaced silently: a cut
//! text ends in an ellipsis, a character that no printer has becomes a question mark.

/// The most characters of a merchant's name (docs/reference/rules.md Q2).
pub const MERCHANT_NAME_CHARS: usize = 40;

/// The most characters of any other value.
pub const VALUE_CHARS: usize = 40;

/// The most characters of what the cardholder is told.
pub const SENTENCE_CHARS: usize = 200;

/// At most `limit` characters that have ink or are single spaces.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut spaced = true;
    // a bound before the work: a text of megabytes is not walked to its end
    for c in text.chars().take(limit.saturating_mul(8)).filter_map(printable) {
        if c == ' ' && spaced {
            continue;
        }
        spaced = c == ' ';
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    let cut = out.char_indices().nth(limit).is_some();
    if cut {
        let end = out.char_indices().nth(limit.saturating_sub(1)).map_or(0, |(at, _)| at);
        out.truncate(end);
        out.push('\u{2026}');
    }
    out
}

fn printable(c: char) -> Option<char> {
    match u32::from(c) {
        0x09 | 0x0A | 0x0D | 0xA0 | 0x2000..=0x200A | 0x2028 | 0x2029 | 0x3000 => Some(' '),
        0x00..=0x1F | 0x7F..=0x9F | 0xAD => None,
        // marks that sit on another character, and what joins, hides or turns text
        0x0300..=0x036F
        | 0x061C
        | 0x180E
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x206F
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0xFFF0..=0xFFFB
        | 0xE_0000..=0xE_FFFF => None,
        // private use, and pictures beyond the basic plane
        0xE000..=0xF8FF | 0x1_0000..=0x1_FFFF | 0xF_0000..=0x10_FFFF => Some('?'),
        _ => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_printer_would_obey_is_taken_out() {
        assert_eq!(clean("a\u{1B}@b\u{202E}c\n\n d\u{1F600}", 40), "a@bc d?");
        assert_eq!(clean("\u{5546}\u{5546}\u{5546}", 2), "\u{5546}\u{2026}");
        assert_eq!(clean("   ", 5), "");
    }
}
