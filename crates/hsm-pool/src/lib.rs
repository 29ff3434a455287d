//! The payShields of a site as one security module: several devices, several connections to each, many commands under
//! way on each connection. What is said over a connection is `hsm::payshield`'s; here are the sockets, the clock and the
//! question which device is asked.
//!
//! A command that was not answered in time, or whose connection broke, is asked once more elsewhere: every command of
//! ours may be carried out twice. When nothing is left, the module is away. No fault of a device or of the line is ever a
//! statement about a PIN.

mod breaker;
mod config;
mod connection;
mod device;
mod examine;
mod loader;
mod pool;
mod verbs;

pub use config::{Ibm3624Config, KeyText, PoolConfig};
pub use examine::{Finding, Level, examine};
pub use loader::Loader;
pub use pool::{Pool, PoolError};
