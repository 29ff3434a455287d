//! Webhooks, by the Standard Webhooks specification 1.0.0: how a message is signed, where it may go, and how it gets there.

pub mod guard;
pub mod sign;

pub(crate) mod send;
