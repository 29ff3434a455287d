//! The embedded store, from outside: the same behaviour as the memory store, and what only files can do to it.

mod archive;
mod behaviour;
mod crash;
mod limits;
mod race;
mod refusal;
mod sealed;
mod world;
