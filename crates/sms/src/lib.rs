//! Short messages to cardholders: a one-time code, a link, a notice that something was changed.
//!
//! ```text
//! Order ──► text (data, zh and en) ──► limits (facts in the store's book) ──► Gateway ──► what came of it, a fact too
//!                                                                              outbox: kept here and shown
//!                                                                              http, smpp: a service that sends
//! ```
//!
//! A message is counted before it is sent, so that no number of hosts sends more than one would. What the book has of it is
//! never its text and never the whole number: a digest under a key of this store, and the number with stars for people. A
//! message that was under way when the program ended is not sent again: its code would be old, and whoever waits asks again.
//!
//! Knows no card but its name, and no PIN: there is no text that could hold one.

pub mod contacts;
pub mod gateway;
pub mod http;
pub mod ledger;
pub mod limits;
pub mod number;
pub mod outbox;
mod secret;
pub mod service;
pub mod settings;
pub mod smpp;
pub mod text;
mod tls;

pub use contacts::{Contact, Contacts};
pub use gateway::{Gateway, NotTaken, Outgoing, Receipt, Taken};
pub use ledger::{Sent, Status};
pub use limits::{Limited, Limits};
pub use number::PhoneNumber;
pub use outbox::{Outbox, Shown};
pub use service::{Clock, Order, SmsError, SmsService};
pub use settings::{Carrier, Settings};
pub use text::{Kind, Language, Values};
