//! The words for people: what each response code and each reason means and what to do, in Chinese and English.
//!
//! Tables, all of them data that a person without Rust can review:
//!
//! * `data/response-codes.json`: the network's two or three characters (DE 39), one entry per code: meaning, prompt
//!   for the till, what staff do, what happened, and what the code does to the PIN try counter.
//! * `data/reasons.toml`: our exact reasons ([`model::ReasonCode`]): a verdict for the chip, one sentence with the
//!   facts of the case, and what the cardholder, the cashier and the engineer do now.
//! * `data/causes.toml`: what the diagnosis found behind refusals ([`diagnosis::Cause`]): a verdict in one sentence, a
//!   playbook for everybody concerned, and what prevents the next one; `data/evidence.toml`: what speaks for it.
//!
//! Which reason is answered with which code is the network profile's matter (`authorization/profiles`), not ours.
//! Nothing here decides anything, reads a clock or knows a card. Sentences may say how many tries are left and are for
//! staff; prompts and what the cardholder is told never do, because they end up on receipts.

mod cause_page;
mod cause_text;
mod evidence_text;
mod label;
mod lang;
mod reason_text;
mod response_code;
mod sentence;

pub use cause_page::causes_page;
pub use cause_text::{CauseFacts, CauseText, Role, cause_text, cause_texts};
pub use evidence_text::{EvidenceText, evidence_text, evidence_texts};
pub use label::{Labels, labels};
pub use lang::{Bilingual, Lang};
pub use reason_text::{Audience, ReasonText, TryCharged, reason, reasons};
pub use response_code::{
    Cause, Class, CodeEntry, CounterEffect, Source, code, codes, family_text, unknown_code_prompt,
};
pub use sentence::{Facts, LockEnd, Sentence, SentenceError};

#[cfg(test)]
mod tests;
