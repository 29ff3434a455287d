//! A log as a file, JSON Lines, that anybody can check without this program:
//!
//! ```text
//! {"pinward-audit":1,"key":"name+id+base64"}
//! {"index":0,…}                                  a record; the line without its line feed is the leaf
//! {"checkpoint":"origin\nsize\nroot\n\n— name signature\n"}
//! ```
//!
//! The key inside tells which one to ask for; whoever wants proof brings the key, or an earlier checkpoint, from elsewhere.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::{Checkpoint, CheckpointError, Verifier},
    record::{NO_RECORD, Record},
    tree::{Hash, Tree},
};

/// A record's line is at most so long.
const LINE_MAX: u64 = 256 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "pinward-audit")]
    version: u32,
    key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedNote {
    checkpoint: String,
}

/// Writes the head of an export.
///
/// # Errors
/// What the file says.
pub fn write_header(to: &mut impl Write, key: &Verifier) -> io::Result<()> {
    write_line(to, &Header { version: 1, key: key.text() })
}

/// Writes one record's line as it is stored.
///
/// # Errors
/// What the file says.
pub fn write_record(to: &mut impl Write, line: &str) -> io::Result<()> {
    writeln!(to, "{line}")
}

/// Writes a signed checkpoint over the records so far.
///
/// # Errors
/// What the file says.
pub fn write_checkpoint(to: &mut impl Write, note: &str) -> io::Result<()> {
    write_line(to, &SignedNote { checkpoint: note.to_owned() })
}

fn write_line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

/// What is known from elsewhere than the export.
#[derive(Debug, Default)]
pub struct Trusted {
    /// Whose signature is believed; without it the export's own key is taken, which proves only that nothing is damaged.
    pub key: Option<Verifier>,
    /// A checkpoint that was seen before: the export must go on from it.
    pub checkpoint: Option<String>,
}

/// What was found in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The number of records.
    pub records: u64,
    /// The number of signed checkpoints.
    pub checkpoints: u64,
    /// The root over all records, in hexadecimal.
    pub root: String,
    /// The signer's name.
    pub signer: String,
    /// Was the signer's key brought from elsewhere?
    pub key_was_trusted: bool,
}

/// The first thing that is not in order.
#[derive(Debug, thiserror::Error)]
pub enum Tampered {
    /// The file cannot be read.
    #[error("the export cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Not an export.
    #[error("line 1 is not the head of an audit export")]
    NotAnExport,
    /// The key inside is not the trusted one.
    #[error("the export was signed by {found}, not by {wanted}")]
    OtherKey {
        /// The key inside.
        found: String,
        /// The one that was brought.
        wanted: String,
    },
    /// A line is neither a record nor a checkpoint.
    #[error("line {line}: entry {entry} is damaged")]
    Damaged {
        /// The line, from 1.
        line: u64,
        /// The entry that was expected there.
        entry: u64,
    },
    /// A record is not the one that was expected: one was taken out, put in or moved.
    #[error("line {line}: entry {found} stands where entry {entry} belongs")]
    OutOfOrder {
        /// The line, from 1.
        line: u64,
        /// The entry that was expected there.
        entry: u64,
        /// Its index.
        found: u64,
    },
    /// A record was changed: the next one, or the checkpoint over it, was made with another.
    #[error("entry {entry} was changed")]
    Changed {
        /// The entry.
        entry: u64,
    },
    /// A checkpoint is not to be believed.
    #[error("line {line}: the checkpoint after entry {entry}: {error}")]
    Checkpoint {
        /// The line, from 1.
        line: u64,
        /// The last entry before it.
        entry: u64,
        /// Why.
        error: CheckpointError,
    },
    /// Records after the last checkpoint, or fewer than a checkpoint says: something was cut off.
    #[error(
        "entry {entry} and what follows is not covered by a signed checkpoint: the end was cut off or added"
    )]
    Truncated {
        /// The first entry that no checkpoint covers, or that is missing.
        entry: u64,
    },
    /// An earlier checkpoint tells another story.
    #[error("entry {entry} or one before it is not the one of the checkpoint that was brought")]
    Rewritten {
        /// The last entry of that checkpoint.
        entry: u64,
    },
}

/// Checks a whole export.
///
/// # Errors
/// [`Tampered`], with the first bad entry.
pub fn verify(from: impl BufRead, trusted: &Trusted) -> Result<Report, Tampered> {
    let mut reading = Reading::begin(from, trusted)?;
    while reading.line()? {}
    reading.finish(trusted)
}

struct Reading<R> {
    from: R,
    key: Verifier,
    key_was_trusted: bool,
    line: u64,
    tree: Tree,
    last: Hash,
    covered: u64,
    checkpoints: u64,
}

impl<R: BufRead> Reading<R> {
    fn begin(mut from: R, trusted: &Trusted) -> Result<Self, Tampered> {
        let head = read_line(&mut from)?.ok_or(Tampered::NotAnExport)?;
        let head: Header = serde_json::from_str(&head).map_err(|_| Tampered::NotAnExport)?;
        let inside = Verifier::read(&head.key).ok().filter(|_| head.version == 1);
        let inside = inside.ok_or(Tampered::NotAnExport)?;
        let key = match &trusted.key {
            Some(wanted) if *wanted != inside => {
                return Err(Tampered::OtherKey { found: inside.text(), wanted: wanted.text() });
            }
            _ => inside,
        };
        Ok(Self {
            from,
            key,
            key_was_trusted: trusted.key.is_some(),
            line: 1,
            tree: Tree::default(),
            last: NO_RECORD,
            covered: 0,
            checkpoints: 0,
        })
    }

    fn line(&mut self) -> Result<bool, Tampered> {
        let Some(text) = read_line(&mut self.from)? else { return Ok(false) };
        self.line += 1;
        match serde_json::from_str::<SignedNote>(&text) {
            Ok(note) => self.checkpoint(&note.checkpoint)?,
            Err(_) => self.record(&text)?,
        }
        Ok(true)
    }

    fn entries(&self) -> u64 {
        self.tree.len() as u64
    }

    fn record(&mut self, text: &str) -> Result<(), Tampered> {
        let (line, entry) = (self.line, self.entries());
        let record: Record = serde_json::from_str(text).map_err(|_| Tampered::Damaged { line, entry })?;
        if record.index != entry {
            return Err(Tampered::OutOfOrder { line, entry, found: record.index });
        }
        if record.previous != self.last {
            return Err(Tampered::Changed { entry: entry.saturating_sub(1) });
        }
        self.last = Record::hash(text);
        self.tree.push(self.last);
        Ok(())
    }

    fn checkpoint(&mut self, note: &str) -> Result<(), Tampered> {
        let (line, entries) = (self.line, self.entries());
        let entry = entries.saturating_sub(1);
        let checkpoint = self.key.open(note).map_err(|error| Tampered::Checkpoint { line, entry, error })?;
        self.compare(&checkpoint, Tampered::Changed { entry })?;
        self.covered = self.covered.max(checkpoint.size);
        self.checkpoints += 1;
        Ok(())
    }

    fn compare(&self, checkpoint: &Checkpoint, otherwise: Tampered) -> Result<(), Tampered> {
        let size = usize::try_from(checkpoint.size).ok();
        match size.and_then(|size| self.tree.root_at(size)) {
            None => Err(Tampered::Truncated { entry: self.entries() }),
            Some(root) if root == checkpoint.root => Ok(()),
            Some(_) => Err(otherwise),
        }
    }

    fn finish(self, trusted: &Trusted) -> Result<Report, Tampered> {
        let records = self.entries();
        if self.covered < records {
            return Err(Tampered::Truncated { entry: self.covered });
        }
        if let Some(note) = &trusted.checkpoint {
            let known =
                self.key.open(note).map_err(|error| Tampered::Checkpoint { line: 0, entry: 0, error })?;
            self.compare(&known, Tampered::Rewritten { entry: known.size.saturating_sub(1) })?;
        }
        Ok(Report {
            records,
            checkpoints: self.checkpoints,
            root: self.tree.root().to_string(),
            signer: self.key.name().to_owned(),
            key_was_trusted: self.key_was_trusted,
        })
    }
}

/// One line without its end, or `None` at the end. A line that is longer than any record is damage, not memory.
fn read_line(from: &mut impl BufRead) -> Result<Option<String>, Tampered> {
    let mut bytes = Vec::new();
    let read = io::Read::take(&mut *from, LINE_MAX).read_until(b'\n', &mut bytes)?;
    if read == 0 {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(Tampered::Unreadable(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a line has no end: the file was cut off, or the line is too long",
        )));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a line is not UTF-8").into())
}
