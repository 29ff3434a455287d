//! What the journal's entries and the signals beside it show, in one order: a signal comes after the entry that was the
//! newest when it was told.

use std::{
    collections::{HashMap, VecDeque},
    iter::Peekable,
    sync::Arc,
};

use async_trait::async_trait;
use diagnosis::{
    Observation,
    observation::{Device, Symbol},
};
use host::{
    observe::Observer,
    signal::{Signal, Signals},
};
use model::{TerminalId, Timestamp};
use store::{Engine, Entry, StoreError};
use tokio::sync::broadcast;
use watch::{Names, Observe};

use super::Known;
use crate::ruling::Telling;

/// Signals that wait for their place; older ones go first.
const WAITING_MAX: usize = 16_384;

/// Terminals of which it is remembered what was told; more of them are told again.
const TOLD_MAX: usize = 200_000;

/// Signals of a running host.
pub(crate) struct Live {
    /// As they come.
    pub(crate) signals: broadcast::Receiver<Arc<Signal>>,
    /// When that began: what is kept from then on comes here too.
    pub(crate) since: Timestamp,
}

/// Tells the diagnosis what happened.
pub(crate) struct Observing {
    observer: Observer,
    engine: Arc<dyn Engine>,
    known: Arc<Known>,
    kept: Option<Peekable<Signals>>,
    live: Option<Live>,
    waiting: VecDeque<Arc<Signal>>,
    /// Model and firmware of terminals as they were told last: most observations tell nothing new.
    told: HashMap<TerminalId, (Symbol, Symbol)>,
    /// So many names were told.
    named: usize,
    /// Where rules at work are told of each entry, too.
    telling: Option<Arc<Telling>>,
}

impl Observing {
    pub(crate) fn new(
        observer: Observer,
        engine: Arc<dyn Engine>,
        known: Arc<Known>,
        kept: Option<Signals>,
        live: Option<Live>,
    ) -> Self {
        Self {
            observer,
            engine,
            known,
            kept: kept.map(Iterator::peekable),
            live,
            waiting: VecDeque::new(),
            told: HashMap::new(),
            named: 0,
            telling: None,
        }
    }

    /// Rules at work are told of each entry, too.
    pub(crate) fn also_tell(mut self, telling: Option<Arc<Telling>>) -> Self {
        self.telling = telling;
        self
    }

    /// Signals that belong before the entry at `place`.
    fn signals_before(&mut self, place: u64, shown: &mut Vec<Observation>) {
        let since = self.live.as_ref().map(|live| live.since);
        while let Some(signal) = self.kept.as_mut().and_then(|kept| {
            kept.next_if(|signal| signal.place < place && since.is_none_or(|since| signal.at < since))
        }) {
            shown.extend(self.observer.observe_signal(&signal));
        }
        self.take_live();
        while self.waiting.front().is_some_and(|signal| signal.place < place) {
            if let Some(signal) = self.waiting.pop_front() {
                shown.extend(self.observer.observe_signal(&signal));
            }
        }
    }

    fn take_live(&mut self) {
        let Some(live) = &mut self.live else { return };
        loop {
            match live.signals.try_recv() {
                Ok(signal) => {
                    if self.waiting.len() >= WAITING_MAX {
                        self.waiting.pop_front();
                    }
                    self.waiting.push_back(signal);
                }
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "signals came faster than they were looked at");
                }
                Err(_) => return,
            }
        }
    }

    /// Passes on the names that were given since.
    fn tell_names(&mut self) {
        let count = self.observer.names().list().len();
        if count != self.named {
            self.named = count;
            self.known.take_names(self.observer.names());
        }
    }

    /// Passes on what a terminal said about itself, if it says something else now.
    fn tell_device(&mut self, device: &Device) {
        let said = (device.model, device.firmware);
        if self.told.get(&device.terminal) != Some(&said) {
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            self.told.insert(device.terminal, said);
            self.known.take_device(device);
        }
    }

    /// Brings what is registered about the terminal to hand.
    async fn learn(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let Some(id) = Observer::terminal_of(entry) else { return Ok(()) };
        if self.observer.knows(&id) {
            return Ok(());
        }
        if let Some(terminal) = self.engine.terminal(&id).await? {
            self.observer.learn(&terminal.record);
            self.known.take_record(&terminal.record);
        }
        Ok(())
    }
}

#[async_trait]
impl Observe for Observing {
    async fn observe(
        &mut self,
        place: u64,
        entry: &Entry,
        shown: &mut Vec<Observation>,
    ) -> Result<(), StoreError> {
        self.learn(entry).await?;
        self.signals_before(place, shown);
        let seen = self.observer.observe(place, entry);
        if let Some(telling) = &self.telling {
            telling.take(entry, seen.as_ref(), &self.observer);
        }
        if let Some(observation) = seen {
            self.tell_names();
            self.tell_device(&observation.device);
            shown.push(observation);
        }
        Ok(())
    }

    fn beside(&mut self, place: u64, shown: &mut Vec<Observation>) {
        self.signals_before(place.saturating_add(1), shown);
        self.tell_names();
        if let Some(telling) = &self.telling {
            telling.rest(&self.observer);
        }
    }

    fn names(&self) -> Arc<dyn Names> {
        Arc::clone(&self.known) as Arc<dyn Names>
    }
}
