//! The journal of an embedded store: where its log is, and what its errors mean here.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use journal_log::{Log, LogError, Opened, Options};
use store::StoreError;

use super::{Limits, open::OpenError};
use crate::seal::Sealer;

/// The log's folder in the data directory.
pub(crate) const FOLDER: &str = "journal";

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FOLDER)
}

pub(crate) fn exists(dir: &Path) -> bool {
    journal_log::exists(&path(dir))
}

pub(crate) fn options(sealer: &Sealer, limits: &Limits) -> Options {
    Options {
        label: sealer.check_value(),
        segment_bytes: limits.segment_bytes,
        limit_bytes: limits.journal_bytes,
        synced: limits.commits_synced,
    }
}

/// Opens it for its one writer; makes it where there is no store yet.
pub(crate) fn open(dir: &Path, sealer: &Sealer, limits: &Limits) -> Result<Opened, OpenError> {
    if !limits.commits_synced {
        tracing::error!("commits do not wait for the disk: a power cut takes decisions that were answered");
    }
    let (path, options) = (path(dir), options(sealer, limits));
    if !exists(dir) {
        journal_log::create(&path, &options).map_err(|error| open_error(dir, error))?;
    }
    let opened = journal_log::open(&path, options).map_err(|error| open_error(dir, error))?;
    if let Some(cut) = opened.cut {
        tracing::warn!(
            entry = cut.place,
            bytes = cut.bytes,
            "the journal's end was being written when the power went or the process ended: cut; nobody was answered from it"
        );
    }
    Ok(opened)
}

/// Opens it beside its writer.
pub(crate) fn open_to_read(dir: &Path, sealer: &Sealer) -> Result<Arc<Log>, OpenError> {
    journal_log::open_to_read(&path(dir), sealer.check_value()).map_err(|error| open_error(dir, error))
}

pub(crate) fn open_error(dir: &Path, error: LogError) -> OpenError {
    match error {
        LogError::Corrupt(what) => OpenError::Corrupt { file: FOLDER, what },
        LogError::WrongLabel(_) => OpenError::WrongKey(dir.join(crate::store_key::FILE_NAME)),
        LogError::Newer { found, known } => {
            OpenError::NewerSchema { file: FOLDER, found: found as usize, known: known as usize }
        }
        LogError::Io { path, source } => OpenError::Io { path, source },
        LogError::Full(what) => OpenError::Sql { file: FOLDER, what },
    }
}

/// Whose fault an error of the log is.
pub(crate) fn store_error(error: LogError) -> StoreError {
    match error {
        LogError::Corrupt(what) => StoreError::Corrupt(format!("journal: {what}")),
        other => StoreError::Away(other.to_string()),
    }
}
