//! Drills: labelled days for the diagnosis, played through the real host, and the scores of what it says about them.
//!
//! ```text
//! seed ─► day: a plan ─► play: real terminals, real host, virtual clock ─► journal ─► observations ─► a diagnosis
//!           │                                                                                             │
//!           └──────────────────────────────── labels ────────────────────► evaluate ◄── incidents ────────┘
//! ```
//!
//! A detector sees observations only. Labels, seeds and strengths stay on this side; `evaluate` compares afterwards.
//! docs/concepts/drills.md explains the numbers.

pub mod chance;
pub mod data;
pub mod day;
pub mod evaluate;
pub mod play;
pub mod practice;

pub use day::Day;
pub use evaluate::{Score, Tally, score};
pub use play::{Kit, Labels, Recorded, play};
