//! How good a diagnosis is: it is shown what was journalled, and what it said is compared with what was so
//! (docs/concepts/drills.md has the protocol).
//!
//! [`watch`] writes down what it said and when; [`matching`] says which of its incidents is which of the truths; [`tally`]
//! counts over many days; [`report`] makes the figures. [`watched`] asks what it suspects, as the baseline is asked.

mod cost;
pub mod matching;
mod notes;
pub mod report;
pub mod run;
pub mod tally;
pub mod watch;
pub mod watched;

use diagnosis::Diagnose;

use crate::play::Recorded;
pub use report::Score;
pub use run::{run, run_days};
pub use tally::Tally;
pub use watch::Heard;

/// Shows a day to a diagnosis and scores what it said.
pub fn score<D: Diagnose>(recorded: &mut Recorded, diagnosis: impl Fn() -> D) -> Tally {
    let questions = watched::questions(&recorded.labels, &mut recorded.names);
    let heard = watch::watch(&recorded.observations, &recorded.labels.refusals, &questions, diagnosis());
    let mut tally = Tally::of_day(&heard, &recorded.labels, &mut recorded.names);
    tally.watched(&questions, &heard.answers);
    tally.nanos = cost::nanos(&recorded.observations, diagnosis());
    tally
}
