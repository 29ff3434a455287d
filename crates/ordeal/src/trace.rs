//! What happened, in order: counted, hashed, and the end of it kept for whoever looks for a cause. Two runs of a seed are
//! the same run when their hashes are equal.

use std::{collections::VecDeque, fmt, fmt::Write as _};

/// Lines that are kept for the report of a violation.
const KEPT: usize = 2000;
/// More violations of one seed say nothing new.
const VIOLATIONS_KEPT: usize = 5;

/// The record of one seed.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    steps: u64,
    faults: u64,
    violations: Vec<String>,
    lines: VecDeque<String>,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            hash: 0xCBF2_9CE4_8422_2325,
            steps: 0,
            faults: 0,
            violations: Vec::new(),
            lines: VecDeque::new(),
        }
    }
}

impl Trace {
    /// Something happened.
    pub fn step(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        self.steps += 1;
        self.note(at_ms, what);
    }

    /// Something was made to go wrong.
    pub fn fault(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        self.faults += 1;
        self.note(at_ms, format_args!("! {what}"));
    }

    /// Something happened that must not.
    pub fn violation(&mut self, at_ms: u64, what: &str) {
        self.note(at_ms, format_args!("VIOLATION {what}"));
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(what.to_owned());
        }
    }

    fn note(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        let oldest = if self.lines.len() >= KEPT { self.lines.pop_front() } else { None };
        let mut line = oldest.unwrap_or_default();
        line.clear();
        // Writing into a string cannot fail.
        let _ = write!(line, "{:>8}.{:03} {what}", at_ms / 1000, at_ms % 1000);
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self.lines.push_back(line);
    }

    /// The hash over everything that happened.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How much happened.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How much was made to go wrong.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// What must not happen and did, the first few.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The last lines, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}
