//! Load on a host: many terminals' payments over few sockets, cheaply, and every answer judged.
//!
//! It shares the machine with the host that it measures, so it is built to cost little: messages are forms that are filled in
//! ([`simulator::bulk`]), everything that has arrived on a socket is read at once and what follows leaves in one write.
//! It is still a terminal's honest side of the conversation: PIN blocks and MACs under the keys of a sign-in, answers
//! correlated by trace number and checked, repeats that must come back byte for byte, totals that must balance at the end.
//!
//! Read in this order: [`plan`](Plan) is what to do, `crew` who does it, `deck` which card pays, `pace` when, `line` a
//! connection, `worker` the loop over them, `tally` what came back, `run` all of it with its report.

mod crew;
mod deck;
pub mod floor;
mod line;
mod pace;
mod plan;
mod run;
mod tally;
mod worker;

pub use crew::{Choice, Crew, CrewError};
pub use plan::{DEPTH_MAX, Mix, MixError, Plan};
pub use run::{News, Report, run};
pub use tally::Trouble;
