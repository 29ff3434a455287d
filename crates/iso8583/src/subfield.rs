//! Positional sub-fields: a table of lengths inside a field, such as UnionPay's F60 (type 2, batch 6, network code 3, …).
//!
//! Terminals truncate these fields wherever their software stops caring, so every prefix is legal: a sub-field is there
//! when all its characters are, and the rest of the table is simply not sent.

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubSpec {
    /// What follows the dot in `60.2`.
    pub(crate) id: String,
    pub(crate) name_en: String,
    pub(crate) name_zh: String,
    /// Characters; for the last row, where `open`, at most so many.
    pub(crate) len: usize,
    /// Takes what is left; only the last row may.
    pub(crate) open: bool,
}

/// Where a sub-field lies in a value of `units` characters. `None` if there is no such row or its characters are cut off.
pub(crate) fn range(table: &[SubSpec], id: &str, units: usize) -> Option<(usize, usize)> {
    let mut start = 0;
    for row in table {
        let end = if row.open { units.min(start + row.len) } else { start + row.len };
        if row.id == id {
            let there = if row.open { start < units } else { end <= units };
            return there.then_some((start, end));
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<SubSpec> {
        [("1", 2, false), ("2", 6, false), ("3", 3, false), ("4", 5, true)]
            .map(|(id, len, open)| SubSpec {
                id: id.to_owned(),
                name_en: String::new(),
                name_zh: String::new(),
                len,
                open,
            })
            .to_vec()
    }

    fn check(id: &str, units: usize, expected: Option<(usize, usize)>) {
        assert_eq!(range(&table(), id, units), expected, "{id} of {units}");
    }

    #[test]
    fn every_prefix_is_legal() {
        check("1", 1, None);
        check("1", 2, Some((0, 2)));
        check("2", 7, None);
        check("2", 8, Some((2, 8)));
        check("3", 11, Some((8, 11)));
        check("4", 11, None);
        check("4", 12, Some((11, 12)));
        check("4", 99, Some((11, 16)));
        check("9", 99, None);
    }
}
