//! Which keys a terminal uses, and on which line. A migration loads a second key set into it: [`Terminal::switch_to_next`] is the
//! moment at which it begins to use them, [`Terminal::switch_back`] the one at which a person gives up (docs/reference/rules.md
//! S14).

use std::sync::Arc;

use iso8583::Dialect;
use model::{KeyScheme, Stan};

use super::{Outcome, Terminal, TerminalError};
use crate::keys::{Keys, MessageKeys};
use crate::link::{Link, Network, Tcp};
use crate::memory::{Memory, Totals};
use crate::request::Family;
use crate::sandbox::{KeySet, Listener, Sandbox, TerminalEntry};
use crate::step::{Answer, Step};

/// The key sets that were loaded into a terminal, each with the listener that it is used at.
pub(super) struct KeySets {
    usual: Equipment,
    next: Option<Equipment>,
    network: Arc<dyn Network>,
}

struct Equipment {
    set: Arc<KeySet>,
    listener: Listener,
}

impl KeySets {
    /// `None` if a listener is missing.
    pub(super) fn of(sandbox: &Sandbox, entry: &TerminalEntry) -> Option<KeySets> {
        let equipment = |set: &Arc<KeySet>, listener: usize| {
            let listener = sandbox.listeners.get(listener)?.clone();
            Some(Equipment { set: Arc::clone(set), listener })
        };
        let next = match &entry.next {
            Some(next) => Some(equipment(&next.keys, next.listener)?),
            None => None,
        };
        Some(KeySets { usual: equipment(&entry.keys, entry.listener)?, next, network: Arc::new(Tcp) })
    }

    /// What was in use when the terminal was switched off.
    pub(super) fn switch_on(&self, memory: &Memory) -> Result<Line, TerminalError> {
        // A label of an earlier migration, whose keys are the usual ones by now, means nothing any more.
        let switched = |next: &&Equipment| memory.switched_to() == Some(next.set.label().as_str());
        match self.next.as_ref().filter(switched) {
            Some(next) => Line::open(next, true, memory, &self.network),
            None => Line::open(&self.usual, false, memory, &self.network),
        }
    }
}

/// A key set in use, and the connection to the host that it is used on.
pub(super) struct Line {
    is_next: bool,
    pub(super) scheme: KeyScheme,
    pub(super) keys: Keys,
    pub(super) listener: Listener,
    pub(super) dialect: Arc<Dialect>,
    pub(super) family: Family,
    pub(super) link: Link,
}

impl Line {
    fn open(
        equipment: &Equipment,
        is_next: bool,
        memory: &Memory,
        network: &Arc<dyn Network>,
    ) -> Result<Line, TerminalError> {
        let Equipment { set, listener } = equipment;
        let (scheme, listener) = (set.scheme(), listener.clone());
        let dialect = Dialect::builtin(&listener.dialect)
            .ok_or_else(|| TerminalError::Dialect(listener.dialect.clone()))?;
        let bytes = scheme.pin_block_length();
        if dialect.axes(52).is_none_or(|axes| usize::from(axes.max) != bytes) {
            return Err(TerminalError::PinBlockWidth { dialect: listener.dialect, bytes });
        }
        Ok(Line {
            is_next,
            scheme,
            keys: Keys::load(set, listener.mac, memory)?,
            family: Family::of(&listener.dialect),
            link: Link::new(listener.address.clone(), listener.framing, Arc::clone(network)),
            listener,
            dialect,
        })
    }
}

impl Terminal {
    /// The scheme of the keys that it uses.
    #[must_use]
    pub fn scheme(&self) -> KeyScheme {
        self.line.scheme
    }

    /// The working keys of its session; `None` without one, and for keys that are derived.
    pub(crate) fn session_keys(&self) -> Option<Arc<MessageKeys>> {
        match &self.line.keys {
            Keys::Work(work) => work.session().cloned(),
            Keys::Derived(_) => None,
        }
    }

    /// Working keys that no host gave it.
    pub(crate) fn take_made_up_keys(&mut self) {
        if let Keys::Work(work) = &mut self.line.keys {
            work.make_up();
        }
    }

    pub(crate) fn listener(&self) -> &Listener {
        &self.line.listener
    }

    pub(crate) fn dialect(&self) -> &Arc<Dialect> {
        &self.line.dialect
    }

    pub(crate) fn family(&self) -> Family {
        self.line.family
    }

    /// A body with what its line puts before it.
    pub(crate) fn frame(&self, body: &[u8]) -> Result<Vec<u8>, TerminalError> {
        let address = self.line.listener.address.clone();
        self.line.link.frame(body).map_err(|source| TerminalError::Unreachable { address, source })
    }

    pub(crate) fn take_stan(&mut self) -> Result<Stan, TerminalError> {
        Ok(self.memory.take_stan()?)
    }

    pub(crate) fn set_totals(&mut self, totals: Totals) -> Result<(), TerminalError> {
        Ok(self.memory.set_totals(totals)?)
    }

    /// Makes its connections in this network instead of over TCP. One that is open is hung up.
    pub fn connect_through(&mut self, network: Arc<dyn Network>) {
        let Line { listener, link, .. } = &mut self.line;
        *link = Link::new(listener.address.clone(), listener.framing, Arc::clone(&network));
        self.key_sets.network = network;
    }

    /// Begins to use the keys that were loaded for a migration. Nothing is sent; keys that come with a sign-in need one.
    ///
    /// # Errors
    /// [`TerminalError::NothingToDo`] when none were loaded or they are in use; others as for [`Terminal::open`].
    pub fn switch_to_next(&mut self) -> Result<Outcome, TerminalError> {
        let next = self.key_sets.next.as_ref().filter(|_| !self.line.is_next);
        let next = next.ok_or(TerminalError::NothingToDo("key set to switch to"))?;
        let line = Line::open(next, true, &self.memory, &self.key_sets.network)?;
        self.memory.switch_to(Some(next.set.label()))?;
        self.line = line;
        Ok(self.switched("switch-keys"))
    }

    /// Uses its usual keys again.
    ///
    /// # Errors
    /// [`TerminalError::NothingToDo`] when it does.
    pub fn switch_back(&mut self) -> Result<Outcome, TerminalError> {
        if !self.line.is_next {
            return Err(TerminalError::NothingToDo("key set to switch back to"));
        }
        let line = Line::open(&self.key_sets.usual, false, &self.memory, &self.key_sets.network)?;
        self.memory.switch_to(None)?;
        self.line = line;
        Ok(self.switched("switch-back"))
    }

    fn switched(&mut self, what: &'static str) -> Outcome {
        self.last = None; // a frame of the other line
        let answer = Answer::NotSent(format!("keys in use: {}", self.scheme()));
        let step = Step { answer, ..self.empty_step(what) };
        self.log.push(step.clone());
        Outcome::bare(step)
    }
}
