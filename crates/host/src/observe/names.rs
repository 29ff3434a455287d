//! Names of cohorts as small numbers, so that an observation is copied without an allocation.

use std::collections::HashMap;

use diagnosis::observation::Symbol;

/// Names come from terminals: more different ones than this are one that is not known.
const NAMES_MAX: usize = 65_536;

/// Names and their numbers, which are given in the order in which names are met: fed with the same journal, the same names
/// have the same numbers.
#[derive(Debug, Default)]
pub struct Names {
    symbols: HashMap<Box<str>, Symbol>,
    names: Vec<Box<str>>,
}

impl Names {
    /// The number of a name; an empty one is not known.
    pub fn symbol(&mut self, name: &str) -> Symbol {
        if let Some(symbol) = self.symbols.get(name) {
            return *symbol;
        }
        if name.is_empty() || self.names.len() >= NAMES_MAX {
            return Symbol::UNKNOWN;
        }
        let symbol = Symbol(u32::try_from(self.names.len() + 1).unwrap_or(0));
        self.names.push(name.into());
        self.symbols.insert(name.into(), symbol);
        symbol
    }

    /// All names in the order of their numbers, from 1.
    #[must_use]
    pub fn list(&self) -> &[Box<str>] {
        &self.names
    }

    /// The name behind a number.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> Option<&str> {
        let index = usize::try_from(symbol.0).ok()?.checked_sub(1)?;
        self.names.get(index).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::default();
        let (a, b) = (names.symbol("S920"), names.symbol("cmcc-4g"));
        assert_ne!(a, b);
        assert_eq!(names.symbol("S920"), a);
        assert_eq!((names.name(a), names.name(b)), (Some("S920"), Some("cmcc-4g")));
        assert_eq!(
            (names.symbol(""), names.name(Symbol::UNKNOWN), names.name(Symbol(9))),
            (Symbol::UNKNOWN, None, None)
        );
    }

    #[test]
    fn names_without_end_are_one_that_is_not_known() {
        let mut names = Names::default();
        for n in 0..NAMES_MAX {
            assert_ne!(names.symbol(&n.to_string()), Symbol::UNKNOWN);
        }
        assert_eq!(names.symbol("one more"), Symbol::UNKNOWN);
        assert_eq!(names.symbol("0"), Symbol(1));
    }
}
