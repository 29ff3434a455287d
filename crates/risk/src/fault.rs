//! Why a rule has no truth value for an event. A fault is not *false*: it is reported as the rule's status.

use crate::field::Field;

/// What went wrong while a rule was evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The event does not have the field.
    #[error("{} is not known", .0.name())]
    Missing(Field),
    /// A result does not fit into 64 bits.
    #[error("a number left the range of 64 bits")]
    Overflow,
    /// Division by zero, or the remainder of one.
    #[error("a division by zero")]
    DivisionByZero,
    /// A counter reached one of its limits, so that its value would be too low.
    #[error("a counter is full")]
    CounterFull,
    /// The list that the rule names is not there.
    #[error("the list is not there")]
    UnknownList,
}

impl Fault {
    /// The fixed name, as in metrics and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division-by-zero",
            Self::CounterFull => "counter-full",
            Self::UnknownList => "unknown-list",
        }
    }
}
