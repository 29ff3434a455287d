//! Load on hosts that are made to misbehave, and on the floor.

mod fake_host;
mod floor;
mod judged;
mod latency;
