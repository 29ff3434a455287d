//! What really happened: from observations of payments to the cause of a refusal, and to incidents that many refusals
//! share.
//!
//! ```text
//! journal, telemetry ─► Observation ─► card sessions, features ─► detectors ─► hierarchy ─► incidents
//!                                              └────────────► verdict of one refusal ◄───────────┘
//! ```
//!
//! Pure: it knows no message, no store and no clock. Fed with the same observations it says the same again, so all of it
//! can be rebuilt from the journal.

pub mod cause;
pub mod engine;
pub mod evidence;
pub mod incident;
pub mod observation;
pub mod tuning;
pub mod verdict;

mod card;
mod cohort;
mod detector;
mod diagnosis;
mod fleet;
mod harm;
mod hypothesis;
mod intake;
mod lifecycle;
mod memory;
mod pace;
mod refusal;
mod register;
mod session;
mod stats;
mod suspicion;

pub use cause::Cause;
pub use diagnosis::Diagnosis;
pub use engine::{Change, Diagnose};
pub use incident::{Incident, Scope, Status};
pub use observation::{Observation, What};
pub use suspicion::Suspicion;
pub use tuning::{Tuning, TuningError};
pub use verdict::{Evidence, Verdict};
