//! Does the simulation find what it should, does it find nothing else, and is it the same every time?

mod commit_protocol;
mod mistakes;
mod seeds;
