//! The service desk: who calls, about what, what is done, and by when.
//!
//! ```text
//!  phone, refusal, terminal, alarm, incident ──► Opening ──► Case (a fold of its facts)
//!                                                             │ playbook, frozen with it: steps, some of them gates
//!                                                             │ two clocks on a business calendar, paused and resumed
//!                                                             │ proofs of identity ──► Level ──► may this action be asked for?
//!                                                             ▼
//!                                          closed (never while a gate is open) ──► one question, 1 to 5 ──► Figures
//! ```
//!
//! Pure: [`Desk`] is a fold of [`Fact`]s, every deed is a function from what is known and `now` to the next fact or a
//! [`Refusal`]; whoever calls keeps the facts. Calendars, plans, playbooks, replies and the matrix of identity are files in
//! `data/` that a person without Rust can review ([`House`] reads them). No page, no store, no message; a card is its id and
//! its masked number, and texts are masked when they enter ([`matter::masked`]).

pub mod calendar;
pub mod case;
pub mod clock;
pub mod desk;
pub mod fact;
pub mod figures;
pub mod house;
pub mod identity;
pub mod matter;
pub mod plan;
pub mod playbook;
pub mod reply;

mod deeds;

pub use calendar::{Calendar, Calendars};
pub use case::{Case, CaseNo, Outcome, Priority, Source, Status, Subject, WaitsOn};
pub use clock::{ClockKind, Reading, Targets};
pub use deeds::{Opening, Refusal};
pub use desk::{Desk, Due};
pub use fact::{Closing, Evidence, EvidenceKind, Fact, SentCode};
pub use figures::{Figures, Share};
pub use house::{BadData, House};
pub use identity::{Action, Admitted, CODE_METHOD, Identity, Level, Proof};
pub use plan::{Plan, Plans};
pub use playbook::{FrozenStep, Playbook, Playbooks};
pub use reply::{Replies, ReplyFacts};
