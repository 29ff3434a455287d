//! The terminal against a host that is written only for these tests: canned answers over the loopback. What the real
//! host makes of the same messages is tested where both are known.

mod fake_host;
mod host_side;

mod key_scheme;
mod receipt;
mod story;
mod terminal;
