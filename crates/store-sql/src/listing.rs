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
