//! The diagnosis at work, over a store in memory and with a diagnosis that knows one cause.

mod people;
mod restart;
mod verdicts;
mod world;
