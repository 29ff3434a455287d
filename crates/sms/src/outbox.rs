//! The outbox: messages stay here, and whoever tries pinward reads them in the console. The default, so that nothing leaves a
//! new installation by accident. Kept in memory, so many and no more, and gone with the program: a code is nothing to keep.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use model::Timestamp;
use zeroize::Zeroizing;

use crate::{
    gateway::{Gateway, NotTaken, Outgoing, Taken},
    service::Clock,
    text::{Kind, Language},
};

/// Messages that are kept.
const KEPT: usize = 500;

/// A message as it lies here.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// To whom, with all digits: for whoever plays the cardholder in a sandbox.
    pub to: Zeroizing<String>,
    /// To whom, with stars.
    pub masked: String,
    /// What it is.
    pub kind: Kind,
    /// In which language.
    pub language: Language,
    /// What it says.
    pub text: Zeroizing<String>,
}

/// Messages that went nowhere.
pub struct Outbox {
    clock: Clock,
    kept: Mutex<VecDeque<Shown>>,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    /// The newest messages, newest first.
    #[must_use]
    pub fn newest(&self, limit: usize) -> Vec<Shown> {
        self.kept().iter().rev().take(limit).cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Shown>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Gateway for Outbox {
    fn name(&self) -> &str {
        "outbox"
    }

    async fn send(&self, message: &Outgoing) -> Result<Taken, NotTaken> {
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Shown {
            id: message.id.clone(),
            at: (self.clock)(),
            to: Zeroizing::new(message.to.reveal().to_owned()),
            masked: message.to.masked(),
            kind: message.kind,
            language: message.language,
            text: message.text.clone(),
        });
        Ok(Taken { reference: None })
    }
}
