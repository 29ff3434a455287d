//! What can be wrong with a log.

use std::{io, path::PathBuf};

/// Why a log does not open, or a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system's trouble.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in it cannot be.
    #[error("{0}")]
    Corrupt(String),
    /// It was written under another label.
    #[error("{0} belongs to another log")]
    WrongLabel(PathBuf),
    /// A newer program wrote it.
    #[error("its form is {found}, this program knows {known}")]
    Newer {
        /// Its form.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// There is no room for the next record.
    #[error("the journal is full: {0}")]
    Full(String),
}

impl LogError {
    pub(crate) fn io(path: &std::path::Path, source: io::Error) -> Self {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return Self::Full(format!("{}: {source}", path.display()));
        }
        Self::Io { path: path.to_owned(), source }
    }
}

/// A group was not acknowledged; the log takes no more.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct AppendError {
    /// Some of the group may be on the disk nevertheless: only a restart tells.
    pub in_doubt: bool,
    /// Why.
    pub error: LogError,
}
