//! The rules as people write them, and the engine as the host uses it.

mod backtest;
mod corpus;
mod differential;
mod documentation;
mod engine;
mod file;
mod language;
mod register;
mod starter;
mod windows;
mod words;
