//! One partition's share of a batch: its columns, the statement that appends it, and what came of it.

use std::collections::HashMap;

use store::StoreError;
use tokio_postgres::{Error, Row};

use super::{
    heads::Known,
    pool::{Live, Values, column, place},
    writer::Append,
};

/// Entries of one partition, by column.
pub(crate) struct Group<'a> {
    /// The head that they may expect; without, each is compared with what is there.
    pub(crate) next: Option<Known>,
    /// Where they are in the batch.
    pub(crate) indices: Vec<usize>,
    n: Vec<i64>,
    pub(crate) subjects: Vec<&'a [u8]>,
    pub(crate) seqs: Vec<i32>,
    versions: Vec<i64>,
    ats: Vec<i64>,
    keys: Vec<Option<&'a [u8]>>,
    pub(crate) bodies: Vec<&'a [u8]>,
}

impl<'a> Group<'a> {
    pub(crate) fn new(next: Option<Known>) -> Self {
        Self {
            next,
            indices: Vec::new(),
            n: Vec::new(),
            subjects: Vec::new(),
            seqs: Vec::new(),
            versions: Vec::new(),
            ats: Vec::new(),
            keys: Vec::new(),
            bodies: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, index: usize, append: &'a Append) {
        self.indices.push(index);
        self.n.push(self.indices.len() as i64);
        self.subjects.push(&append.subject);
        self.seqs.push(append.entry.seq as i32);
        self.versions.push(append.version);
        self.ats.push(append.entry.at.0);
        self.keys.push(append.key.as_deref());
        self.bodies.push(&append.body);
    }
}

/// What is sent in a row.
pub(crate) enum Step<'a> {
    Plain(&'static str),
    /// All of a group, if the head is as expected.
    Next {
        text: &'a str,
        expected: &'a Known,
        group: &'a Group<'a>,
    },
    /// What of a group can be appended, wherever the head is.
    Each {
        text: &'a str,
        writer: i64,
        group: &'a Group<'a>,
    },
}

/// What came of a group.
pub(crate) enum Landed {
    /// All was appended.
    All { base: i64 },
    /// What is there was appended, by the subject's column.
    Some { head: Moved, placed: HashMap<Vec<u8>, u64> },
    /// Nothing: the head was not as expected.
    None,
}

/// A head after an append.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) last: i64,
    pub(crate) run: i64,
}

impl Step<'_> {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Next { text, .. } | Self::Each { text, .. } => text,
        }
    }

    pub(crate) async fn run(&self, live: &Live) -> Result<Vec<Row>, Error> {
        match self {
            Self::Plain(text) => live.plain(text).await.map(|()| Vec::new()),
            Self::Next { text, expected, group: g } => {
                let (count, seen) = (g.n.len() as i64, expected.seen.unwrap_or_default());
                let values: &Values<'_> = &[
                    &count,
                    &seen,
                    &expected.writer,
                    &expected.registration,
                    &g.n,
                    &g.subjects,
                    &g.seqs,
                    &g.ats,
                    &g.keys,
                    &g.bodies,
                ];
                live.rows(text, values).await
            }
            Self::Each { text, writer, group: g } => {
                let count = g.n.len() as i64;
                let values: &Values<'_> =
                    &[&count, writer, &g.n, &g.subjects, &g.seqs, &g.versions, &g.ats, &g.keys, &g.bodies];
                live.rows(text, values).await
            }
        }
    }

    /// What its rows say.
    pub(crate) fn landed(&self, rows: &[Row]) -> Result<Option<Landed>, StoreError> {
        match (self, rows.first()) {
            (Self::Plain(_), _) => Ok(None),
            (Self::Next { .. }, None) => Ok(Some(Landed::None)),
            (Self::Next { .. }, Some(row)) => Ok(Some(Landed::All { base: column(row, 0)? })),
            (Self::Each { .. }, None) => Err(StoreError::Corrupt("a partition has no head".to_owned())),
            (Self::Each { .. }, Some(row)) => {
                let head = Moved { last: column(row, 0)?, run: column(row, 1)? };
                let mut placed = HashMap::with_capacity(rows.len());
                for row in rows {
                    if let Some(subject) = column::<Option<&[u8]>>(row, 2)? {
                        placed.insert(subject.to_vec(), place(column(row, 3)?));
                    }
                }
                Ok(Some(Landed::Some { head, placed }))
            }
        }
    }
}
