//! Everybody outside the hosts: [`till`] pays, [`thief`] guesses and replays, [`clerk`] gives back what a fault cost.

pub mod clerk;
pub mod thief;
pub mod till;
