//! `audit.jsonl`: one line for every step, each with the SHA-256 of the one before, so that a line which was changed, moved
//! or taken out breaks the chain at its place. The end is held by the [`Head`] in the register: lines missing there are
//! found too, and each line has the hash of the register as its step left it. Whoever can write both files can write both anew; the paper form of a ceremony therefore takes down the
//! number and the hash of its last line (docs/guides/key-ceremony.md).

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{KeyName, KeyringError, Person, words};

/// The trail's file.
pub(crate) const FILE: &str = "audit.jsonl";
/// Before the first line there is none.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes of the trail at most: a million steps.
const TRAIL_MAX: u64 = 512 * 1024 * 1024;

/// The last line that the register knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its number; 0 before the first.
    pub lines: u64,
    /// Its SHA-256, in hexadecimal.
    pub last: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { lines: 0, last: NO_HASH.to_owned() }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// From 1.
    pub number: u64,
    /// When, UTC.
    #[serde(with = "words::time")]
    pub at: Timestamp,
    /// Who took part.
    pub who: Vec<Person>,
    /// What was done.
    pub action: Action,
    /// To which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyName>,
    /// Which version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// Check values that were seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_values: Vec<String>,
    /// More, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// SHA-256 of the register's keys and components once the step has taken effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// SHA-256 of the line before.
    pub previous: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A custodian gave a component.
    Component,
    /// Components were thrown away.
    Discard,
    /// Components became a key, and were destroyed.
    Combine,
    /// A key was made inside.
    Generate,
    /// A key came in.
    Import,
    /// A key went out.
    Export,
    /// The next version of a key was made.
    Rotate,
    /// A key went into use.
    Activate,
    /// A key went out of use.
    Retire,
    /// A key was destroyed.
    Destroy,
    /// A step was refused by a rule.
    Refused,
    /// The lines before this one, as many as it says, were written and their steps interrupted: nothing came of them.
    Interrupted,
}

/// A line before it has its place.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) who: Vec<Person>,
    pub(crate) action: Action,
    pub(crate) key: Option<KeyName>,
    pub(crate) version: Option<u8>,
    pub(crate) check_values: Vec<String>,
    pub(crate) note: Option<String>,
}

impl Entry {
    /// A line about no key.
    pub(crate) fn bare(action: Action, note: String) -> Self {
        Self { who: Vec::new(), action, key: None, version: None, check_values: Vec::new(), note: Some(note) }
    }
}

/// Where and how the trail does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// A line does not read.
    #[error("line {line} does not read: {why}")]
    Unreadable {
        /// Which.
        line: u64,
        /// Why.
        why: String,
    },
    /// A line has another's number.
    #[error("line {line} has the number {found}: lines were moved, taken out or put in here")]
    Number {
        /// Which.
        line: u64,
        /// Its number.
        found: u64,
    },
    /// The next line, or the register, knows this line's hash as another.
    #[error("line {line} was changed: {witness} has another hash of it")]
    Changed {
        /// Which.
        line: u64,
        /// What contradicts it.
        witness: String,
    },
    /// The end is missing.
    #[error("the end is missing: {found} lines, and the register knows of {expected}; line {} is the first that is gone", found + 1)]
    Truncated {
        /// Lines that are there.
        found: u64,
        /// Lines that there were.
        expected: u64,
    },
    /// The register is older than its trail by more than the one step that a crash can interrupt.
    #[error(
        "keys.toml is of line {register}, and the trail goes on to line {found}: a crash can interrupt one step, not more, so keys.toml was restored or changed alone. Stop, copy the folder for examination, and restore keys.toml and audit.jsonl together from one back-up that has line {found}"
    )]
    RegisterBehind {
        /// The last line that the register knows.
        register: u64,
        /// The last line that is there.
        found: u64,
    },
}

/// A trail that holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Lines at the end whose steps were interrupted before they took effect.
    pub ahead: u64,
    /// Its last line as it is.
    pub(crate) end: Head,
    /// Bytes of whole lines; what comes after was never written to its end.
    pub(crate) whole: u64,
}

impl Verified {
    /// Its last line as it is: what the paper form takes down.
    #[must_use]
    pub fn end(&self) -> &Head {
        &self.end
    }
}

/// The hash of a line, in hexadecimal.
fn hash(line: &str) -> String {
    hex::encode(Sha256::digest(line.as_bytes()))
}

/// Checks a trail against the head in the register, and names the first bad line.
///
/// # Errors
/// [`AuditFault`].
pub fn verify(text: &str, head: &Head) -> Result<Verified, AuditFault> {
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let mut end = Head::default();
    let mut lines = Vec::new();
    for (number, raw) in (1..).zip(text[..whole].lines()) {
        let line: Line = serde_json::from_str(raw)
            .map_err(|e| AuditFault::Unreadable { line: number, why: e.to_string() })?;
        if line.number != number {
            return Err(AuditFault::Number { line: number, found: line.number });
        }
        if line.previous != end.last {
            let witness = format!("line {number}");
            return Err(AuditFault::Changed { line: number - 1, witness });
        }
        end = Head { lines: number, last: hash(raw) };
        if number == head.lines && end.last != head.last {
            return Err(AuditFault::Changed { line: number, witness: "the register".to_owned() });
        }
        lines.push(line);
    }
    // One writer under a lock leaves one line without effect, and notes of that which were interrupted themselves.
    let known = usize::try_from(head.lines).unwrap_or(usize::MAX);
    if lines.iter().skip(known).skip(1).any(|line| line.action != Action::Interrupted) {
        return Err(AuditFault::RegisterBehind { register: head.lines, found: end.lines });
    }
    match end.lines.checked_sub(head.lines) {
        Some(ahead) => Ok(Verified { lines, ahead, end, whole: whole as u64 }),
        None => Err(AuditFault::Truncated { found: end.lines, expected: head.lines }),
    }
}

/// The trail's text; empty when there is none.
pub(crate) fn read(folder: &Path) -> Result<String, KeyringError> {
    let path = folder.join(FILE);
    let file = |source| KeyringError::File { path: path.clone(), source };
    match fs::metadata(&path) {
        Ok(about) if about.len() > TRAIL_MAX => {
            let why = "it is longer than any trail can be".to_owned();
            Err(KeyringError::Damaged { path, why })
        }
        Ok(_) => {
            // A torn or foreign byte is a bad line with a number, not an unreadable file.
            let bytes = fs::read(&path).map_err(file)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(file(source)),
    }
}

/// Cuts off what a crash left of a line that was never whole.
pub(crate) fn cut_torn_end(folder: &Path, whole: u64) -> Result<(), KeyringError> {
    let path = folder.join(FILE);
    let cut = || -> io::Result<()> {
        let file = fs::OpenOptions::new().write(true).open(&path)?;
        if file.metadata()?.len() > whole {
            file.set_len(whole)?;
            file.sync_all()?;
        }
        Ok(())
    };
    match cut() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| KeyringError::File { path: path.clone(), source }),
    }
}

/// Writes a line, durably, and returns the new head.
pub(crate) fn append(
    folder: &Path,
    head: &Head,
    entry: Entry,
    register: String,
    now: Timestamp,
) -> Result<Head, KeyringError> {
    let path = folder.join(FILE);
    let Entry { who, action, key, version, check_values, note } = entry;
    let number = head.lines + 1;
    let previous = head.last.clone();
    let register = Some(register);
    let line = Line { number, at: now, who, action, key, version, check_values, note, register, previous };
    let text = serde_json::to_string(&line)
        .map_err(|e| KeyringError::Damaged { path: path.clone(), why: e.to_string() })?;
    let written = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()?;
        fs::File::open(folder)?.sync_all()
    };
    written().map_err(|source| KeyringError::File { path: path.clone(), source })?;
    Ok(Head { lines: number, last: hash(&text) })
}
