//! The stores over SQL, from outside: both engines behave like the memory store, and what only files and only a server
//! can do to them.

mod archive;
mod behaviour;
mod book;
mod convert;
mod crash;
mod disk;
mod feed;
mod limits;
mod postgres;
mod proxy;
mod race;
mod refusal;
mod sealed;
mod server;
mod world;
