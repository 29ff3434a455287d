//! Deterministic simulation: the real host, its unit of work and its security module, and real terminals, in a world where
//! the clock is virtual and everything else goes wrong. A [`judge`] looks on and compares with what must hold; a seed tells
//! the whole story again.
//!
//! ```text
//!   people ──► terminals ──► net ──► HOST ──► module (the real soft one, slow or away)
//!   (thieves)  (real)        │       (real)
//!                            │         └────► engine ──► disk that fails, tears, forgets
//!                            ▼                      └──► database with collisions and lost results
//!                          judge ◄── every frame, every durable entry, every state handed out
//! ```
//!
//! Nothing here is a model of the host. What is simulated is what it touches: [`net`], [`engine`], [`module`], time, and its
//! own end ([`life`]). Not to be confused with `simulator`, whose terminals are used here.

pub mod bug;
pub mod dice;
pub mod engine;
pub mod judge;
pub mod kit;
pub mod life;
pub mod module;
pub mod net;
pub mod people;
pub mod plan;
pub mod run;
pub mod tamper;
pub mod trace;
pub mod world;

pub use bug::Bug;
pub use kit::Kit;
pub use world::{Report, run as simulate};
