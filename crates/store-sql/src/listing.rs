//! What every archive does alike with a query: how many rows, which page, what was typed.

use store::archive::Page;

const ROWS_DEFAULT: u32 = 50;
const ROWS_LIMIT: u32 = 500;

/// How many rows are wanted.
pub(crate) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(ROWS_DEFAULT).clamp(1, ROWS_LIMIT)
}

/// One row more than asked for tells that there are more.
pub(crate) fn page<T>(mut data: Vec<T>, limit: u32, cursor: impl Fn(&T) -> u64) -> Page<T> {
    let has_more = data.len() > limit as usize;
    data.truncate(limit as usize);
    let next = if has_more { data.last().map(cursor) } else { None };
    Page { data, has_more, next }
}

/// What was typed, if anything was.
pub(crate) fn search_text(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// For a pattern whose escape character is the backslash.
pub(crate) fn escape_like(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

/// A voucher number as it is printed: six digits.
pub(crate) fn printed_voucher(text: &str) -> Option<i64> {
    (text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// An amount as it is printed, in minor units: two decimals, perhaps in groups of three.
pub(crate) fn printed_amount(text: &str) -> Option<i64> {
    let (major, minor) = text.split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let major = major.replace(',', "");
    if !digits(&major) || !digits(minor) || minor.len() != 2 {
        return None;
    }
    major.parse::<i64>().ok()?.checked_mul(100)?.checked_add(minor.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_paper_is_read() {
        assert_eq!(
            (printed_voucher("000345"), printed_voucher("345"), printed_voucher("00034x")),
            (Some(345), None, None)
        );
        assert_eq!((printed_amount("1,280.00"), printed_amount("0.05")), (Some(128_000), Some(5)));
        for text in ["1280", "1280.0", ".50", "-1.00", "99999999999999999999.00"] {
            assert_eq!(printed_amount(text), None, "{text}");
        }
    }
}
