//! The store over SQL engines. [`sqlite`] is embedded and the default; engines that speak PostgreSQL's wire protocol
//! come beside it, mirrored file for file.
//!
//! What every SQL engine shares stands here: [`store_key`] and [`seal`] keep card numbers out of the files, [`body`]
//! writes journal entries, [`line`] turns an entry into the row that people look up, [`figures`] counts rows for the
//! overview. What only SQLite does is under [`sqlite`], with its SQL text in files of its own.
//!
//! Knows no message format and no HTTP.

pub mod postgres;
pub mod sqlite;

mod attention;
mod body;
mod figures;
mod line;
mod listing;
mod row;
mod seal;
mod store_key;

pub use postgres::{PostgresBook, PostgresEngine};
pub use sqlite::{Limits, OpenError, SqliteArchive, SqliteBook, SqliteEngine, open, open_archive, open_book};
