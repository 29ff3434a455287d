//! The pool against the Python counterpart of a payShield, and what it is made of against random streams.

mod faults;
mod peer;
mod replay;
mod session;
mod settings;
mod verbs;
