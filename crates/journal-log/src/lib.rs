//! An append-only log on files that were written in full before they are used, so that making a group of records durable
//! is one write and one fdatasync that changes nothing but data: no file grows, no block is looked for, no journal of the
//! file system is waited for.
//!
//! ```text
//!  journal/00000001.seg  00000002.seg …      each: a header, records, zeros to its end
//!
//!  appender ── group ──► write ──► fdatasync ──► acknowledged
//!  preparer ── zeros ──► the next segment, at the pace of the appender, never in one go
//!  cursors  ── read up to the last acknowledged place
//! ```
//!
//! A record says its place (1, 2, 3 …), which of its group it is, and a CRC-32C that begins with the segment's own salt; what
//! another segment or an earlier file left on the disk is no record here. A record therefore also says what was durable
//! when it was written, and that is how a start tells two things apart that look alike: a *torn tail* (power went during
//! the last group; nobody was answered) is cut and reported, *damage* (something behind it had been written when it was
//! durable already) is refused. What cannot be told apart from a torn tail is damage within the very last group; so a log
//! that is closed ends with a mark, and then every record in it is vouched for by something behind it.
//!
//! Assumed of the disk is what SQLite assumes too: writing a sector again with the same bytes in front leaves those bytes
//! whole if power goes ("powersafe overwrite"), and fdatasync tells the truth.
//!
//! Knows no entry's contents, no SQL and no thread: whoever opens it runs the [`Preparer`].

mod append;
mod crc;
mod cursor;
mod error;
pub mod fuzzing;
mod index;
mod log;
mod open;
mod prepare;
mod record;
mod recover;
mod segment;
mod walk;

pub use append::Appender;
pub use crc::crc32c;
pub use cursor::Cursor;
pub use error::{AppendError, LogError};
pub use log::Log;
pub use open::{Cut, Opened, Options, create, exists, open, open_to_read};
pub use prepare::Preparer;
pub use record::MAX_BODY;
