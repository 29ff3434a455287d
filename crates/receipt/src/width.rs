//! Widths on paper, in half-width columns: a Chinese character takes two, and a line breaks before the character that would not
//! fit.

/// Columns that a text takes on paper.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

/// Columns of one character: whatever is not ASCII is two bytes or more in GB18030, and a printer draws those full width. That
/// holds for dashes and dots too, which UAX #11 calls ambiguous.
#[must_use]
pub fn char_columns(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}

/// Breaks a text at a width of at least two columns, at a space where there is one, between any two characters otherwise.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for c in text.chars() {
        if columns(&line) + char_columns(c) > width {
            let rest = match line.rfind(' ') {
                Some(at) if c != ' ' && c.is_ascii() => line.split_off(at).trim_start().to_owned(),
                _ => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest));
        }
        if !(line.is_empty() && c == ' ') {
            line.push(c);
        }
    }
    lines.push(line);
    lines.iter_mut().for_each(|l| l.truncate(l.trim_end().len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_takes_two_columns_and_breaks_anywhere() {
        assert_eq!(columns("\u{91D1}\u{989D}/AMOUNT: \u{A5}1"), 16);
        assert_eq!(wrapped("\u{5BC6}\u{7801}\u{9519}\u{8BEF}", 5), ["\u{5BC6}\u{7801}", "\u{9519}\u{8BEF}"]);
        assert_eq!(wrapped("Too many wrong PINs", 10), ["Too many", "wrong PINs"]);
    }
}
