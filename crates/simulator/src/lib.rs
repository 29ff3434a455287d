//! The other side of the wire: terminals with their keypads and bad habits, receipts, stories; and other banks.
//!
//! A [`Terminal`] does what a POS terminal in a shop does - signs in, encrypts PINs, signs messages, keeps a reversal until it is
//! answered - and, on request, what terminals in shops also do: lose packets, send a frame twice, use yesterday's keys.
//! A [`story`] is a text that says who pays what with which PIN and which answer must come.
//!
//! It imports nothing of the host: what both sides would get wrong in the same way must show here.
//! Everything it knows about a host is a [`Sandbox`] file: addresses, terminals with test keys of any scheme, cards with test PINs.
//!
//! [`issuer`] is another bank, to which a host forwards cards that are not its own.
//!
//! Read in this order, in which a payment meets them: [`sandbox`], [`keypad`], [`fault`], `keys`, `request`, `link`, `reply`, [`memory`],
//! [`terminal`]; then what people see of it: [`step`], [`words`], [`receipt`]; then [`story`] and [`runner`].
//! [`bulk`] is for load: the same terminal, written for speed.

pub mod bulk;
pub mod clock;
pub mod device;
pub mod fault;
pub mod issuer;
pub mod keypad;
mod keys;
mod link;
pub mod memory;
pub mod outcome;
mod reply;
mod request;
pub mod sandbox;
pub mod terminal;

pub mod receipt;
pub mod runner;
pub mod step;
pub mod story;
pub mod words;

pub use bulk::{Bulk, SaleForm};
pub use device::Device;
pub use fault::Faults;
pub use issuer::Issuer;
pub use keypad::Keypad;
pub use link::{Connecting, Network, Wire};
pub use receipt::{Paper, Receipt};
pub use runner::{Report, run};
pub use sandbox::Sandbox;
pub use step::{Answer, Step};
pub use story::Story;
pub use terminal::{Outcome, Terminal, TerminalError, Varied, Written};
pub use words::Language;
