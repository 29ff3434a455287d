//! The desk from outside: its data, its clocks against a naive model, its gates against every sequence of deeds.

mod clock;
mod data;
mod figures;
mod gates;
mod identity;
mod world;
