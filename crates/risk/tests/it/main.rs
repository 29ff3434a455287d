//! The rules as people write them, and the engine as the host uses it.

mod differential;
mod engine;
mod language;
mod windows;
