//! The console and the REST API: what people and programs see of a pinward host.
//!
//! One service layer ([`service`]) feeds both; [`views`] writes HTML that works without scripts, [`api`] writes JSON.
//! Everything shown is masked already by the archive. This crate knows no ISO 8583, no SQL and no key: the binary
//! hands in a [`MessageDescriber`] for messages, an archive for what happened, and [`HealthCheck`] for how the host is.
//!
//! Whoever asks is an [`actor`], each address says what it [`needs`], and what changes something goes through one place
//! ([`perform`], [`views::deeds`]). Without TLS and staff accounts [`bind`] refuses every address that another machine
//! could reach.

mod actor;
mod api;
mod assets;
mod case_acts;
mod cases;
mod chart;
mod contact;
mod desk_figures;
mod door;
mod entrance;
mod error;
mod format;
pub mod insight;
mod lang;
mod needs;
mod perform;
pub mod receipts;
mod register;
mod router;
pub mod rules;
mod seen;
mod serve;
mod service;
mod shops;
mod state;
mod tries;
mod views;
mod visit;

pub use api::told;
pub use door::{Stream, Terminator};
pub use format::{UnknownZone, Zone};
pub use router::{ACTIONS, Console, ROUTES};
pub use serve::{BindError, Fences, bind, serve};
pub use state::{
    Check, DescribedField, Entrance, HealthCheck, MessageDescriber, Messages, Metrics, SandboxStaff, WebState,
};
