//! Scenarios and worlds for tests; never part of the product.
//!
//! A [`scenario::Scenario`] is a story (the simulator's language) with expectations about the card's state. It runs in
//! two worlds that must agree: [`core`] (pure decisions over the memory store) and [`wire`] (the whole host over TCP,
//! SQLite underneath, the simulator's terminals in front). [`power_cut`] runs the second on a machine whose power goes.

pub mod core;
pub mod power_cut;
pub mod scenario;
pub mod wire;

/// What a world did with one line of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Response code, or `--`, `??`, `!!` as in stories.
    pub answer: String,
    /// The code that an owed reversal got, when one was sent first.
    pub reversed: Option<String>,
    /// Were both answers to a repeated request equal?
    pub same_bytes: Option<bool>,
    /// Did the settlement agree?
    pub balanced: Option<bool>,
    /// Was the security module asked about the PIN?
    pub pin_checked: bool,
    /// The card's state afterwards.
    pub card: Option<CardFacts>,
}

/// The card's state as scenarios speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFacts {
    /// Tries left.
    pub tries_left: u8,
    /// Locked?
    pub locked: bool,
    /// What moved since the card was registered, in minor units.
    pub posted: i64,
    /// What is set aside.
    pub held: i64,
}
