//! The pool against the Python counterpart of a payShield, and what it is made of against random streams.

mod faults;
mod garbage;
mod logs;
mod peer;
mod recorded;
mod replay;
mod session;
mod settings;
mod verbs;
