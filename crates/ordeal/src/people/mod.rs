//! Everybody outside the hosts: [`till`] pays, [`thief`] guesses and replays.

pub mod thief;
pub mod till;
