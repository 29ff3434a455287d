//! Decisions as a whole: one card's life through the public functions.

mod bench;
mod boundary;
mod counter;
mod money;
mod pins;
mod restoring;
mod rules;
mod second;
