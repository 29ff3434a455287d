//! The journal, and the one read-modify-write that both doors use.
//!
//! [`journal::Entry`] is what was decided; a card's or terminal's state is the fold of its entries, in order. An
//! [`Engine`] keeps entries durable and states at hand: [`memory`] here for tests, SQL engines in `store-sql`.
//! [`Store`] wraps an engine, and it alone mints [`Journaled`]: the proof that an answer may leave.
//!
//! Beside it the [`book`]: what people decided about the system, such as rules, silences and who is told.
//!
//! Knows no SQL dialect, no message and no socket.

pub mod archive;
pub mod book;
pub mod desk;
pub mod engine;
pub mod journal;
pub mod memory;
mod memory_book;
pub mod unit_of_work;

pub use archive::Archive;
pub use book::{Book, BookError, Fact};
pub use desk::DeskWork;
pub use engine::{AppendError, Card, Engine, Outstanding, Registration, StoreError, Terminal};
pub use journal::{Entry, Event, Exchange, Subject};
pub use memory_book::MemoryBook;
pub use unit_of_work::{CardWork, Journaled, Step, Store, TerminalWork, WorkError};
