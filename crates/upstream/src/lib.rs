//! Links to other issuers: which card goes where, what is said there, and which answer belongs to which question.
//!
//! ```text
//!  ask, undo ─► route by BIN ─► a line that is up ─► message ─► frame ─► socket
//!                                     │ not sent: the next line               │
//!  answer ◄── correlation (DE 11, DE 7, DE 32) ◄── message ◄── frame ◄────────┘
//!               └─► nobody waits any more: the sink for late answers
//! ```
//!
//! [`session`] and [`table`] are the rules, without a socket; [`line`] is the socket. A request that may have left is
//! never sent on another line: whoever asked learns that its fate is unknown, and undoes it. Knows no card's state, no
//! store and no terminal.

pub mod config;
mod line;
pub mod message;
pub mod metrics;
pub mod profile;
pub mod route;
mod session;
mod table;
mod upstream;

pub use config::{LineConfig, RouteConfig};
pub use message::{Ask, Original, Reply, UndoMessage};
pub use profile::{Meaning, Profile};
pub use route::{Bins, Route};
pub use upstream::{About, AskError, Late, LineStatus, RouteStatus, StartError, Upstream, check};
