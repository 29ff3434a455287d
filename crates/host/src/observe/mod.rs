//! The journal as the diagnosis sees it: each entry becomes an [`Observation`], or none.
//!
//! ```text
//! Entry ─┬─ decision: reason, PIN, try, amount, answer ──────────┐
//!        ├─ stored request, wiped: DE 12, 13, 18, 22, 43, report ─┼─► Observation
//!        └─ terminal: what is registered, what it told last ──────┘
//! ```
//!
//! Fed with the same entries in the same order, an [`Observer`] says the same again. What never becomes an entry (a repeat,
//! a cut connection) comes as a signal (`host::signal`). Nothing here decides anything.

mod message;
mod names;

use std::{collections::HashMap, sync::Arc};

use authorization::{
    Effect, PinVerdict, Role,
    key_set::KeySetEffect,
    terminal::{Place, TerminalEffect, TerminalRecord},
};
use diagnosis::{
    Observation, What,
    observation::{self, Device, Payment, PinSeen, Position, Symbol, Telemetry},
};
use iso8583::Dialect;
use jiff::tz::TimeZone;
use model::{CardId, MerchantId, ReasonCode, TerminalId, TransactionKey};
use store::{
    Entry, Event, Exchange, Subject,
    journal::{DeskAction, TerminalEvent, Transaction, UpstreamEvent, UpstreamStep},
};

use self::message::Seen;
pub(crate) use self::message::entry;
pub use self::names::Names;
use crate::{
    Profile,
    config::ListenerConfig,
    listener,
    signal::{Kind, Signal},
    telemetry::Report,
};

/// Makes observations of entries. It remembers what terminals told and what is registered about them.
pub struct Observer {
    spoken: HashMap<String, Option<Arc<Spoken>>>,
    zone: TimeZone,
    names: Names,
    terminals: HashMap<TerminalId, Known>,
    /// Where the terminal of the last entry said it is, with that very message.
    told: Option<Position>,
}

/// A dialect, and what its elements are used for.
struct Spoken {
    dialect: Arc<Dialect>,
    profile: Profile,
}

/// What is known about a terminal.
#[derive(Clone)]
struct Known {
    device: Device,
    registered: bool,
    /// It has told something about itself.
    reports: bool,
    category: Option<u16>,
    /// Registered name, as DE 43 is compared with.
    name: String,
}

impl Observer {
    /// For a host with these listeners, whose local time is that of `zone`.
    #[must_use]
    pub fn new(listeners: &[ListenerConfig], zone: TimeZone) -> Self {
        let mut spoken = HashMap::new();
        for config in listeners {
            let Ok(dialect) = listener::dialect(&config.dialect) else { continue };
            let profile = config.profile.as_deref().unwrap_or_else(|| Profile::for_dialect(&config.dialect));
            let (name, profile) = (dialect.name().to_owned(), Profile::builtin(profile));
            spoken.insert(name, profile.map(|profile| Arc::new(Spoken { dialect, profile })));
        }
        Self { spoken, zone, names: Names::default(), terminals: HashMap::new(), told: None }
    }

    /// The names behind the numbers in observations.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The same, for whoever has names of his own to number.
    pub fn names_mut(&mut self) -> &mut Names {
        &mut self.names
    }

    /// Where the terminal of the last entry said it is, with that very message: what the authorization saw of it, too.
    #[must_use]
    pub fn told(&self) -> Option<Position> {
        self.told
    }

    /// Is this terminal's registration known? Ask before an entry of an unknown one is taken.
    #[must_use]
    pub fn knows(&self, terminal: &TerminalId) -> bool {
        self.terminals.get(terminal).is_some_and(|known| known.registered)
    }

    /// Takes what is registered about a terminal; again when it changed.
    pub fn learn(&mut self, record: &TerminalRecord) {
        let model = self.names.symbol(record.site.model.as_deref().unwrap_or_default());
        let known = self.terminals.entry(record.id).or_insert_with(|| Known::stranger(record.id));
        known.registered = true;
        known.device.merchant = record.merchant;
        known.device.registered = record.site.place.map(position);
        if model != Symbol::UNKNOWN {
            known.device.model = model;
        }
        let in_number = || record.merchant.category().and_then(|digits| digits.parse().ok());
        known.category = record.site.category.or_else(in_number);
        known.name = normal(&record.merchant_name);
    }

    /// The terminal that an entry is about, if it is about one.
    #[must_use]
    pub fn terminal_of(entry: &Entry) -> Option<TerminalId> {
        match (&entry.event, entry.subject) {
            (_, Subject::Terminal(id)) => Some(id),
            (Event::Transaction(t), _) => Some(t.key.terminal),
            (Event::Upstream(u), _) => Some(u.key.terminal),
            (Event::Desk(_) | Event::Terminal(_), Subject::Card(_)) => None,
        }
    }

    /// What an entry at a place of the journal shows; `None` for what says nothing (a settlement, a used key number).
    pub fn observe(&mut self, place: u64, entry: &Entry) -> Option<Observation> {
        let terminal = Self::terminal_of(entry);
        let exchange = entry.exchange.as_ref();
        let spoken = exchange.and_then(|exchange| self.spoken(&exchange.dialect));
        // Decoded in place: what it says lives as long as the entry.
        let decoded = spoken.as_ref().zip(exchange).and_then(|(spoken, exchange)| {
            let message = spoken.dialect.decode(&exchange.request).ok()?;
            Some(message::read(&spoken.profile, &message, exchange.received, &self.zone))
        });
        let seen = decoded.unwrap_or_default();
        self.told = seen.report.as_ref().and_then(|report| report.position);
        if let (Some(terminal), Some(report)) =
            (terminal, seen.report.as_ref().filter(|_| is_vouched_for(entry)))
        {
            self.note(terminal, report);
        }
        let device = terminal.map_or_else(nowhere, |id| self.device(id));
        let what = match &entry.event {
            Event::Transaction(t) => self.transaction(entry, t, &seen),
            Event::Terminal(event) => terminal_event(event, &seen)?,
            Event::Desk(action) => self.desk(entry, action)?,
            Event::Upstream(event) => self.upstream(event)?,
        };
        let instance = exchange.and_then(|exchange| exchange.instance.as_deref()).unwrap_or_default();
        Some(Observation { place, at: entry.at, instance: self.names.symbol(instance), device, what })
    }

    /// What a signal shows; `None` for what says nothing more than the journal.
    pub fn observe_signal(&mut self, signal: &Signal) -> Option<Observation> {
        let counted =
            |telemetry: Telemetry| (telemetry != Telemetry::default()).then_some(What::Telemetry(telemetry));
        let what = match &signal.kind {
            Kind::Repeated { key } => What::Repeat { key: *key },
            // A terminal that reports counts for itself what it did not get.
            Kind::Cut | Kind::Withheld if self.reports(&signal.terminal) => return None,
            Kind::Cut | Kind::Withheld => counted(Telemetry { no_answers: 1, ..Telemetry::default() })?,
            Kind::Unreadable => refused(ReasonCode::FormatError),
            Kind::Refused { reason } => refused(*reason),
            Kind::Report(told) => {
                let report = told.report();
                self.note(signal.terminal, &report);
                counted(report.telemetry)?
            }
            Kind::Lost { .. } => return None,
        };
        let (place, at, device) = (signal.place, signal.at, self.device(signal.terminal));
        Some(Observation { place, at, instance: Symbol::UNKNOWN, device, what })
    }

    fn reports(&self, terminal: &TerminalId) -> bool {
        self.terminals.get(terminal).is_some_and(|known| known.reports)
    }

    /// What a report beside a payment shows; it is remembered for what the terminal sends without one.
    pub(crate) fn note(&mut self, terminal: TerminalId, report: &Report<'_>) {
        let model = report.model.map(|name| self.names.symbol(name));
        let carrier = report.carrier.map(|name| self.names.symbol(name));
        let firmware = versions(report).map(|name| self.names.symbol(&name));
        let known = self.terminals.entry(terminal).or_insert_with(|| Known::stranger(terminal));
        known.reports = true;
        let device = &mut known.device;
        device.model = model.unwrap_or(device.model);
        device.firmware = firmware.unwrap_or(device.firmware);
        device.carrier = carrier.unwrap_or(device.carrier);
        device.position = report.position.or(device.position);
    }

    /// A terminal as it is known now: what it is registered as, and what it told last.
    #[must_use]
    pub fn device(&self, terminal: TerminalId) -> Device {
        self.terminals.get(&terminal).map_or_else(|| Known::stranger(terminal).device, |known| known.device)
    }

    fn spoken(&mut self, dialect: &str) -> Option<Arc<Spoken>> {
        if !self.spoken.contains_key(dialect) {
            let profile = Profile::builtin(Profile::for_dialect(dialect));
            let found = Dialect::builtin(dialect).zip(profile);
            let found = found.map(|(dialect, profile)| Arc::new(Spoken { dialect, profile }));
            self.spoken.insert(dialect.to_owned(), found);
        }
        self.spoken.get(dialect)?.clone()
    }

    fn transaction(&mut self, entry: &Entry, t: &Transaction, seen: &Seen<'_>) -> What {
        let card = match entry.subject {
            Subject::Card(card) => Some(card),
            Subject::Terminal(_) => None,
        };
        match (t.role, card) {
            (Role::Financial(kind), Some(card)) => What::Payment(self.payment(entry, t, seen, kind, card)),
            _ => What::Reversal { original: undone(t), card },
        }
    }

    fn payment(
        &mut self,
        entry: &Entry,
        t: &Transaction,
        seen: &Seen<'_>,
        kind: model::Kind,
        card: CardId,
    ) -> Payment {
        let route = t.forwarded.as_ref().map(|forwarded| forwarded.route.as_str());
        let known = self.terminals.get(&t.key.terminal).filter(|known| known.registered);
        let pan = t.pan.as_str();
        Payment {
            rrn: t.rrn,
            key: t.key,
            card,
            bin: pan.get(..6).and_then(|digits| digits.parse().ok()).unwrap_or(0),
            last_four: t.pan.last_four().parse().unwrap_or(0),
            kind,
            entry: seen.entry,
            amount: t.amount,
            currency: t.currency,
            reason: t.reason,
            code: t.code,
            pin: pin(t.pin),
            try_charged: t.effects.iter().any(|effect| matches!(effect, Effect::CountTry { .. })),
            tries: (t.tries_left, t.tries_limit),
            locked: t.locked.is_some(),
            stan: t.key.stan,
            merchant_sent: known.filter(|known| known.device.merchant != t.merchant).map(|_| t.merchant),
            category_sent: seen.category,
            category_registered: known.and_then(|known| known.category),
            name_differs: known.zip(seen.name).is_some_and(|(known, sent)| differs(&known.name, sent)),
            drift_s: seen.drift_s,
            took_us: entry.exchange.as_ref().map(|exchange: &Exchange| exchange.took_us),
            telemetry: seen.report.map_or_else(Telemetry::default, |report| report.telemetry),
            zone: self.names.symbol(route.unwrap_or_default()),
        }
    }

    fn desk(&mut self, entry: &Entry, desk: &DeskAction) -> Option<What> {
        let Subject::Card(card) = entry.subject else { return None };
        let action = match desk.action.as_str() {
            "unlock" => observation::DeskAction::Release,
            "unblock" | "unrestrict" => observation::DeskAction::RaiseLimit,
            _ => observation::DeskAction::Other,
        };
        Some(What::Desk { card, action, agent: self.names.symbol(&desk.actor) })
    }

    fn upstream(&mut self, event: &UpstreamEvent) -> Option<What> {
        match event.step {
            UpstreamStep::GivenUp | UpstreamStep::LateReply => {
                Some(What::IssuerSilent { zone: self.names.symbol(&event.sent.route), key: event.key })
            }
            UpstreamStep::Asked | UpstreamStep::UndoSent | UpstreamStep::Undone => None,
        }
    }
}

impl Known {
    fn stranger(terminal: TerminalId) -> Self {
        Self {
            device: Device { terminal, ..nowhere() },
            registered: false,
            reports: false,
            category: None,
            name: String::new(),
        }
    }
}

/// A message that was refused before its MAC was found right proves nothing about the terminal in whose name it came. A
/// sign-in has no MAC; its report counts because the terminal proves with its next message that it got the keys.
fn is_vouched_for(entry: &Entry) -> bool {
    match &entry.event {
        Event::Terminal(TerminalEvent { effect, .. }) => !matches!(effect, TerminalEffect::Refused { .. }),
        Event::Transaction(_) | Event::Desk(_) | Event::Upstream(_) => true,
    }
}

fn terminal_event(event: &TerminalEvent, seen: &Seen<'_>) -> Option<What> {
    match &event.effect {
        TerminalEffect::SignIn { .. } => Some(What::SignIn),
        TerminalEffect::KeySet(KeySetEffect::Stage { .. } | KeySetEffect::Adopt | KeySetEffect::FallBack) => {
            Some(What::KeyLoad)
        }
        TerminalEffect::Refused { reason } => Some(What::Refused {
            reason: *reason,
            rrn: event.rrn,
            merchant_sent: event.merchant,
            drift_s: seen.drift_s.filter(|_| *reason != ReasonCode::MacInvalid),
        }),
        TerminalEffect::Bury { original, .. } => Some(What::Reversal { original: *original, card: None }),
        TerminalEffect::Noted => seen.report.map(|report| What::Telemetry(report.telemetry)),
        TerminalEffect::SignOut
        | TerminalEffect::Settle { .. }
        | TerminalEffect::OrderSignIn
        | TerminalEffect::Suspend { .. }
        | TerminalEffect::KeySet(KeySetEffect::Unstage | KeySetEffect::Retire)
        // Whatever a shop's people type is no PIN, and no fault of a terminal.
        | TerminalEffect::Operator(_)
        | TerminalEffect::UseKsn { .. } => None,
    }
}

/// Refused, and nobody wrote down with which merchant number.
fn refused(reason: ReasonCode) -> What {
    What::Refused { reason, rrn: None, merchant_sent: MerchantId::BLANK, drift_s: None }
}

/// The transaction that a reversal is about; one that found nothing remembers what it looked for.
fn undone(t: &Transaction) -> TransactionKey {
    let looked_for = t.effects.iter().find_map(|effect| match effect {
        Effect::Remember { trace } if trace.role == Role::Reversal => trace.original,
        _ => None,
    });
    t.original.or(looked_for).unwrap_or(t.key)
}

fn pin(verdict: PinVerdict) -> PinSeen {
    match verdict {
        PinVerdict::NotAsked | PinVerdict::Discarded => PinSeen::NotAsked,
        PinVerdict::Verified => PinSeen::Verified,
        PinVerdict::Mismatch => PinSeen::Mismatch,
        PinVerdict::Unverifiable(cause) => PinSeen::Unverifiable(cause),
        PinVerdict::SentToIssuer => PinSeen::AtIssuer,
    }
}

/// Firmware and application are one cohort: `3.18.02/2.41`.
fn versions(report: &Report<'_>) -> Option<String> {
    match (report.firmware, report.application) {
        (Some(firmware), Some(application)) => Some(format!("{firmware}/{application}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

pub(crate) fn position(place: Place) -> Position {
    let degrees = |e6: i32| (f64::from(e6) / 1e6) as f32;
    Position { latitude: degrees(place.latitude_e6), longitude: degrees(place.longitude_e6) }
}

/// DE 43 is name, city and country; the name is what is compared, and only where both are in plain letters: terminals
/// write others in encodings of their own.
fn differs(registered: &str, sent: &str) -> bool {
    const COMPARED: usize = 22; // ISO 8583:1987, DE 43: 23 characters of name or street, and a blank
    let name = normal(sent.get(..COMPARED.min(sent.len())).unwrap_or(sent));
    let cut = registered.get(..COMPARED.min(registered.len())).unwrap_or(registered);
    !name.is_empty() && !cut.is_empty() && cut.is_ascii() && name != cut.trim_end()
}

/// In lower case, blanks at the ends removed.
fn normal(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// For what has no terminal.
fn nowhere() -> Device {
    Device {
        terminal: TerminalId::BLANK,
        merchant: MerchantId::BLANK,
        model: Symbol::UNKNOWN,
        firmware: Symbol::UNKNOWN,
        carrier: Symbol::UNKNOWN,
        position: None,
        registered: None,
    }
}
