//! The diagnosis at work: it follows the journal, keeps what was found, and what people did about it.
//!
//! ```text
//!  journal ─► reader ─► Observe ─► worker's thread: Diagnose ─► keeper ─► Picture ─► pages, API, alarms
//!          (its thread)          (asked for verdicts)           │  ▲
//!                                                                ▼  │ facts: status, notes, answers, tries given back
//!                                                               the book
//! ```
//!
//! [`Watch`] is what others hold. A payment never waits for it: it reads what is durable, in its own time, and whoever
//! asks it gets a snapshot or an answer from its thread. After a restart it reads its window of the journal again and
//! comes to the same conclusions; what people added stands in the [book](store::Book), under numbers that stay.
//!
//! It knows no message, no page and no rule of the diagnosis: what an entry shows comes from an [`Observe`], what it means
//! from a [`diagnosis::Diagnose`].

mod apart;
mod feedback;
mod found;
mod keeper;
mod observe;
mod progress;
mod reader;
mod register;
mod restore;
mod settings;
mod suspected;
mod watch;
mod worker;

pub use feedback::{Judgement, Precision, Tally};
pub use found::{Found, Piece, ScopeName};
pub use observe::{Names, Observe};
pub use progress::{Gap, GapKind, Progress};
pub use register::{
    ActError, Answer, AnswerKind, Handling, Note, Rates, Record, Request, RestoreResult, Standing,
};
pub use restore::{ChargedTry, Fate, Order, RestoreTries, Restored};
pub use settings::Settings;
pub use suspected::{SUSPICIONS_MAX, Suspected};
pub use watch::{Cleared, News, NewsKind, Parts, Picture, Told, Watch};
