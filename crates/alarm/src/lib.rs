//! Alarms: something happened that a person should know of, and somebody is told.
//!
//! An [`Alert`] is what an incident or a rule raises. Alerts about the same thing are one alarm; an alarm that nobody
//! acknowledges climbs a ladder of steps ([`Settings`]); a silence holds it back. All that is decided by [`desk::Desk`], the fold
//! of facts in the store's book, as functions of facts and time. Around it stand the edges:
//!
//! ```text
//!  raise ──► service ──► facts (book) ──► desk: who is to be told, and when
//!               │                            │
//!            console (live)             webhook, mail ──► what came of it is a fact too
//! ```
//!
//! A notification that was decided is told at least once, whatever ends in between: what is due follows from the facts. Whoever
//! gets one twice sees the same id.
//!
//! Nothing here holds a card number: digits that look like one are masked when an alert comes in. Knows no message, no
//! card and no cause: the texts come with the alert.

pub mod alert;
pub mod desk;
pub mod payload;
pub mod service;
pub mod settings;
pub mod webhook;

mod mail;
mod matter;
mod sender;
mod texts;
mod trust;

pub use alert::{Alert, AlertError, Scope, Severity, Text};
pub use desk::{
    Alarm, Attempt, Delivery, Desk, Event, Matcher, Reason, Refusal, Silence, Standing, Target, Webhook,
};
pub use matter::masked;
pub use service::{AlarmError, AlarmService, Clock, Live, Parts};
pub use settings::{Channel, Language, Mail, MailTls, Settings, Step};
pub use texts::text as words;
