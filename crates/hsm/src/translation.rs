//! Which PIN block formats may be translated into which: PCI PIN 3-3 as data (`policy/translation.toml`). Soft module and HSM
//! client ask the same table before anything else is done.

use std::{collections::BTreeMap, sync::LazyLock};

use model::PinBlockFormat;
use serde::Deserialize;

/// Formats 0 to 4, rows and columns.
const FORMATS: usize = 5;

/// What may become of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Rule {
    SamePan,
    Never,
    IcCard,
}

/// Does the PIN go on for the PAN it came with?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanOfTranslation {
    /// Yes: the transaction's.
    Same,
    /// No. No verb of a module can ask for this; the table refuses it all the same.
    Changed,
}

static TABLE: LazyLock<Result<[[Rule; FORMATS]; FORMATS], String>> =
    LazyLock::new(|| table(include_str!("../policy/translation.toml")));

/// May a block of one format become a block of another? What the table does not say is refused.
#[must_use]
pub fn allows(from: PinBlockFormat, to: PinBlockFormat, pan: PanOfTranslation) -> bool {
    match &*TABLE {
        Ok(table) => table[row(from)][row(to)] == Rule::SamePan && pan == PanOfTranslation::Same,
        Err(_) => false, // a test reads the table that comes with the program
    }
}

fn row(format: PinBlockFormat) -> usize {
    match format {
        PinBlockFormat::Iso0 | PinBlockFormat::Sm4Layout1 | PinBlockFormat::Sm4Layout2 => 0,
        PinBlockFormat::Iso1 => 1,
        PinBlockFormat::Iso2 => 2,
        PinBlockFormat::Iso3 => 3,
        PinBlockFormat::Iso4 => 4,
    }
}

fn table(text: &str) -> Result<[[Rule; FORMATS]; FORMATS], String> {
    let read: BTreeMap<PinBlockFormat, BTreeMap<PinBlockFormat, Rule>> =
        toml::from_str(text).map_err(|e| e.to_string())?;
    let mut table = [[Rule::Never; FORMATS]; FORMATS];
    for from in PinBlockFormat::ALL.iter().take(FORMATS) {
        for to in PinBlockFormat::ALL.iter().take(FORMATS) {
            let rule = read.get(from).and_then(|columns| columns.get(to));
            table[row(*from)][row(*to)] =
                *rule.ok_or_else(|| format!("no rule from {} to {}", from.name(), to.name()))?;
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_with_the_same_and_with_another_pan() {
        assert!(TABLE.is_ok(), "{:?}", *TABLE);
        use PinBlockFormat::{Iso0, Iso1, Iso2, Iso3, Iso4};
        for from in [Iso0, Iso1, Iso2, Iso3, Iso4] {
            for to in [Iso0, Iso1, Iso2, Iso3, Iso4] {
                let bound = [Iso0, Iso3, Iso4];
                let expected = bound.contains(&to) && from != Iso2;
                assert_eq!(allows(from, to, PanOfTranslation::Same), expected, "{from:?} to {to:?}");
                assert!(!allows(from, to, PanOfTranslation::Changed), "{from:?} to {to:?}, another PAN");
            }
        }
    }

    #[test]
    fn a_table_with_a_hole_is_no_table() {
        let whole = include_str!("../policy/translation.toml");
        let hole = whole.replacen("iso4 = \"same-pan\"\n", "", 1);
        assert_eq!(table(&hole), Err("no rule from iso0 to iso4".to_owned()));
        assert!(table(&whole.replacen("\"never\"", "\"perhaps\"", 1)).is_err());
    }
}
