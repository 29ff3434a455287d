//! What really happened to one refused payment.

use model::{Rrn, Timestamp};

use crate::cause::Cause;

/// The verdict about one refusal; later evidence may revise it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whose.
    pub rrn: Rrn,
    /// Why.
    pub cause: Cause,
    /// Calibrated probability, 0 to 1.
    pub confidence: f32,
    /// The next best explanations with their probabilities, best first.
    pub others: Vec<(Cause, f32)>,
    /// What speaks for it and against it, heaviest first.
    pub evidence: Vec<Evidence>,
    /// The incident behind it.
    pub incident: Option<u64>,
    /// How often it was revised, and when last.
    pub revised: (u32, Timestamp),
}

/// One piece of evidence. Its sentence in two languages is data of the handbook, under its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Fixed kebab-case name, such as `format-errors-in-a-row`.
    pub name: &'static str,
    /// Logarithm of the likelihood ratio: positive speaks for the cause, negative against it.
    pub weight: f32,
    /// The numbers of its sentence, by name.
    pub values: Vec<(&'static str, f64)>,
}
