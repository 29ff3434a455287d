//! The slip of a card payment, 签购单: who sold, which card, what was asked and what came of it, on 58 or 80 mm of paper.
//!
//! A [`Slip`] is the values. [`Layout::of`] decides once what stands on which line; text, HTML, a printer's bytes and a picture
//! are four ways to draw that one layout, so that what the customer holds is what the merchant sees on the screen. A refused
//! slip carries the words that it is given for the cardholder, and has no place for the tries that are left: whoever found the
//! card would read them too.
//!
//! Pure: no clock, no files, no network. Fonts arrive as bytes. Facts: docs/reference/rules.md, Q1 to Q5.
//!
//! Read in this order: [`slip`], [`layout`]; then how it is drawn: [`text`], [`html`], [`escpos`], [`picture`]; below them
//! [`signature`], [`words`], [`width`] and [`clean`].

pub mod slip;

pub mod layout;

pub mod escpos;
pub mod html;
pub mod picture;
pub mod text;

pub mod clean;
pub mod signature;
pub mod width;
pub mod words;

pub use layout::{Align, Layout, Line, Style};
pub use signature::{Signature, SignatureError};
pub use slip::{Chip, Consent, Copy, Entry, Moment, Original, Outcome, Paper, Slip};
pub use width::{columns, wrapped};
pub use words::Language;
