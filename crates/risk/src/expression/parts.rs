//! What a condition asks for: the fields, counters and lists in it.

use super::tree::{Number, Test, Text};
use crate::field::Field;

/// One thing that a condition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Field(Field),
    Counter(u16),
}

impl Test {
    /// Tells every field and every counter in it.
    pub(crate) fn parts(&self, tell: &mut impl FnMut(Part)) {
        match self {
            Self::Constant(_) => {}
            Self::Field(field) | Self::Has(field) | Self::Listed(field, _) => tell(Part::Field(*field)),
            Self::Not(test) => test.parts(tell),
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.parts(tell)),
            Self::If(parts) => {
                parts.0.parts(tell);
                parts.1.parts(tell);
                parts.2.parts(tell);
            }
            Self::Same(_, sides) => {
                sides.0.parts(tell);
                sides.1.parts(tell);
            }
            Self::Number(_, sides) => {
                sides.0.parts(tell);
                sides.1.parts(tell);
            }
            Self::Text(_, sides) | Self::Begins(sides) => {
                sides.0.parts(tell);
                sides.1.parts(tell);
            }
            Self::NumberIn(number, _) => number.parts(tell),
            Self::TextIn(text, _) => text.parts(tell),
        }
    }
}

impl Number {
    fn parts(&self, tell: &mut impl FnMut(Part)) {
        match self {
            Self::Constant(_) | Self::Duration(_) | Self::Timestamp(_) => {}
            Self::Field(field) => tell(Part::Field(*field)),
            Self::Counter(counter) => tell(Part::Counter(*counter)),
            Self::Negative(number) => number.parts(tell),
            Self::Computed(_, sides) => {
                sides.0.parts(tell);
                sides.1.parts(tell);
            }
            Self::If(parts) => {
                parts.0.parts(tell);
                parts.1.parts(tell);
                parts.2.parts(tell);
            }
        }
    }
}

impl Text {
    fn parts(&self, tell: &mut impl FnMut(Part)) {
        match self {
            Self::Constant(_) => {}
            Self::Field(field) => tell(Part::Field(*field)),
            Self::If(parts) => {
                parts.0.parts(tell);
                parts.1.parts(tell);
                parts.2.parts(tell);
            }
        }
    }
}
