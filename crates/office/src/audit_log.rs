//! The audit log: every record is a fact of the book, and signed checkpoints stand between them.

use std::io::{self, Write};

use audit::{
    Record, Signer,
    export::{write_checkpoint, write_header, write_record},
    record::Outcome,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use model::Timestamp;
use staff::Actor;
use store::{
    StoreError,
    book::{Book, BookError, READ_MAX, json},
};
use zeroize::Zeroizing;

use crate::{
    Office, OfficeError, random,
    state::{AUDIT, CHECKPOINT, RECORD, text},
};

/// The name under which checkpoints are signed.
const ORIGIN: &str = "pinward/audit";
/// The stream of the key's seed, sealed.
const KEY: &str = "audit-key";
/// So often a record is tried when other hosts write too.
const RACES_MAX: usize = 32;

/// Something that was done or seen.
#[derive(Debug, Clone)]
pub struct Noted {
    action: String,
    object: Option<String>,
    why: Option<String>,
    outcome: Outcome,
    details: serde_json::Map<String, serde_json::Value>,
}

impl Noted {
    fn new(action: &str, outcome: Outcome) -> Self {
        Self { action: action.to_owned(), object: None, why: None, outcome, details: serde_json::Map::new() }
    }

    /// It was done, or seen.
    #[must_use]
    pub fn done(action: &str) -> Self {
        Self::new(action, Outcome::Done)
    }

    /// It was refused.
    #[must_use]
    pub fn refused(action: &str) -> Self {
        Self::new(action, Outcome::Refused)
    }

    /// To what.
    #[must_use]
    pub fn about(mut self, kind: &str, id: &str) -> Self {
        self.object = Some(format!("{kind}:{id}"));
        self
    }

    /// Why, in the actor's words.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.why = Some(why.to_owned());
        self
    }

    /// It was refused for this reason.
    #[must_use]
    pub fn refused_because(mut self, why: &str) -> Self {
        self.outcome = Outcome::Refused;
        self.with("refused", why)
    }

    /// What else is to be known.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Where an export goes.
pub type Export<'w> = &'w mut (dyn Write + Send);

/// The signer, whose seed is made at the first opening.
pub(crate) async fn signer(book: &dyn Book, now: Timestamp) -> Result<Signer, OfficeError> {
    let bad = |why: String| OfficeError::Store(StoreError::Corrupt(why));
    for _ in 0..2 {
        if let Some(fact) = book.read(KEY, 0, 1).await?.first() {
            let sealed: String = fact.read()?;
            let sealed = BASE64.decode(sealed).map_err(|e| bad(e.to_string()))?;
            let seed = Zeroizing::new(book.open(KEY, &sealed)?);
            return Signer::new(ORIGIN, &seed).map_err(|e| bad(e.to_string()));
        }
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
        let sealed = BASE64.encode(book.seal(KEY, seed.as_slice())?);
        match book.append(KEY, 0, now, "seed", json(&sealed)?).await {
            Ok(_) | Err(BookError::Collision) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(bad("the audit log's key was not kept".to_owned()))
}

impl Office {
    /// Writes a record. What cannot be recorded is not done: callers record first, or fail.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn note(&self, by: &Actor, noted: Noted) -> Result<(), OfficeError> {
        for _ in 0..RACES_MAX {
            let (line, seq) = self.next_line(by, &noted).await?;
            match self.book.append(AUDIT, seq, self.now(), RECORD, line.into_bytes()).await {
                Err(BookError::Collision) => self.catch_up().await?,
                other => {
                    other?;
                    return self.catch_up().await;
                }
            }
        }
        Err(OfficeError::Conflict("too many records at once"))
    }

    async fn next_line(&self, by: &Actor, noted: &Noted) -> Result<(String, u32), OfficeError> {
        let state = self.state.lock().await;
        let record = Record {
            index: state.tree.len() as u64,
            at: self.now(),
            actor: by.name.clone(),
            roles: by.roles.iter().map(ToString::to_string).collect(),
            session: (!by.session.is_empty()).then(|| by.session.clone()),
            action: noted.action.clone(),
            object: noted.object.clone(),
            why: noted.why.clone(),
            outcome: noted.outcome,
            details: (!noted.details.is_empty()).then(|| noted.details.clone().into()),
            previous: state.previous(),
        };
        let line = record.line().map_err(|_| OfficeError::Invalid("a record that cannot be written"))?;
        Ok((line, state.audit_seq))
    }

    /// Signs the log as it is now, and keeps the checkpoint in the log's stream.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn checkpoint(&self) -> Result<String, OfficeError> {
        for _ in 0..RACES_MAX {
            self.catch_up().await?;
            let (note, seq) = {
                let state = self.state.lock().await;
                (self.signer.sign(state.tree.len() as u64, state.tree.root()), state.audit_seq)
            };
            match self.book.append(AUDIT, seq, self.now(), CHECKPOINT, note.clone().into_bytes()).await {
                Err(BookError::Collision) => {}
                other => {
                    other?;
                    self.catch_up().await?;
                    return Ok(note);
                }
            }
        }
        Err(OfficeError::Conflict("too many records at once"))
    }

    /// The key that verifies checkpoints, as it is published.
    #[must_use]
    pub fn audit_key(&self) -> String {
        self.signer.verifier().text()
    }

    /// Writes the whole log with a fresh checkpoint at its end; returns the number of records.
    ///
    /// # Errors
    /// [`OfficeError::Store`]; the file's trouble as [`StoreError::Away`].
    pub async fn export(&self, by: &Actor, to: Export<'_>) -> Result<u64, OfficeError> {
        self.note(by, Noted::done("audit.export")).await?;
        self.checkpoint().await?;
        let away = |error: io::Error| OfficeError::Store(StoreError::Away(format!("the export: {error}")));
        let mut to = to;
        write_header(&mut to, &self.signer.verifier()).map_err(away)?;
        let (mut seq, mut records) = (0, 0);
        loop {
            let facts = self.book.read(AUDIT, seq, READ_MAX).await?;
            let Some(last) = facts.last() else { break };
            seq = last.seq;
            for fact in &facts {
                let body = text(fact)?;
                if fact.kind == RECORD {
                    records += 1;
                    write_record(&mut to, &body).map_err(away)?;
                } else {
                    write_checkpoint(&mut to, &body).map_err(away)?;
                }
            }
        }
        to.flush().map_err(away)?;
        Ok(records)
    }

    /// The newest records, newest first.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn records(&self, before: Option<u32>, limit: u32) -> Result<Vec<(u32, Record)>, OfficeError> {
        self.catch_up().await?;
        let end = before.map_or(self.state.lock().await.audit_seq, |b| b.saturating_sub(1));
        let limit = limit.clamp(1, READ_MAX);
        let mut found = Vec::new();
        for fact in self.book.read(AUDIT, end.saturating_sub(limit), limit).await?.into_iter().rev() {
            if fact.kind == RECORD && fact.seq <= end {
                let record = serde_json::from_slice(&fact.body)
                    .map_err(|error| StoreError::Corrupt(format!("audit record {}: {error}", fact.seq)))?;
                found.push((fact.seq, record));
            }
        }
        Ok(found)
    }
}
