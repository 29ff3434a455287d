//! What people and programs ask for, and the fact that it becomes; or why not.

use model::Timestamp;

use super::{Alarm, Desk, Event, Matcher, Reason, Target};
use crate::{
    alert::{Alert, AlertError, Severity},
    payload,
    settings::Settings,
};

/// Alarms that may be open at once. More are a flood, of which the first thousand say enough.
const OPEN_MAX: usize = 1000;
/// Webhooks.
pub const WEBHOOKS_MAX: usize = 50;
/// The longest silence.
pub const SILENCE_MAX_DAYS: i64 = 90;
const SILENCES_MAX: usize = 200;
const WORDS_MAX: usize = 500;
const NAME_MAX: usize = 128;
const KINDS_MAX: usize = 50;
const URL_MAX: usize = 1000;

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("no such {0}")]
    Unknown(&'static str),
    /// It is over, or was done already.
    #[error("{0}")]
    Conflict(&'static str),
    /// There are too many.
    #[error("there are {0} {1} already, the most there may be")]
    TooMany(usize, &'static str),
    /// It is said wrongly.
    #[error("{field}: {why}")]
    Invalid {
        /// What.
        field: &'static str,
        /// What would be right.
        why: String,
    },
}

impl From<AlertError> for Refusal {
    fn from(error: AlertError) -> Self {
        Self::Invalid { field: "alert", why: error.0 }
    }
}

impl Refusal {
    fn invalid<T>(field: &'static str, why: impl Into<String>) -> Result<T, Self> {
        Err(Self::Invalid { field, why: why.into() })
    }
}

/// A name of a person, a kind, a scope.
fn name(field: &'static str, text: &str) -> Result<(), Refusal> {
    let fits = !text.trim().is_empty() && text.len() <= NAME_MAX && !text.contains(char::is_control);
    if fits { Ok(()) } else { Refusal::invalid(field, format!("1 to {NAME_MAX} bytes on one line")) }
}

/// Words of a person.
fn words(field: &'static str, text: &str) -> Result<String, Refusal> {
    if text.chars().count() > WORDS_MAX {
        return Refusal::invalid(field, format!("at most {WORDS_MAX} characters"));
    }
    Ok(crate::masked(text.trim()))
}

impl Desk {
    /// The alarm that an alert belongs to, if one is near enough.
    #[must_use]
    pub fn belongs_to(&self, alert: &Alert, now: Timestamp, settings: &Settings) -> Option<&Alarm> {
        let alarm = self.by_key.get(&alert.key()).and_then(|id| self.alarms.get(id))?;
        let near = alarm.over.is_none() && now.since_ms(alarm.last) <= settings.group_ms();
        near.then_some(alarm)
    }

    /// An alert that was checked; `more` counts those that came with it.
    ///
    /// # Errors
    /// [`Refusal::TooMany`] in a flood.
    pub fn raise(
        &self,
        alert: &Alert,
        more: u32,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<Event, Refusal> {
        let alert = Box::new(alert.clone());
        if let Some(alarm) = self.belongs_to(&alert, now, settings) {
            return Ok(Event::Joined { alarm: alarm.id, more, alert });
        }
        let open = self.alarms.values().filter(|alarm| alarm.over.is_none()).count();
        if open >= OPEN_MAX {
            Err(Refusal::TooMany(open, "open alarms"))
        } else {
            Ok(Event::Raised { alert })
        }
    }

    /// Somebody takes an alarm on.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn acknowledge(&self, id: u32, by: &str, note: &str) -> Result<Event, Refusal> {
        name("by", by)?;
        let alarm = self.alarms.get(&id).ok_or(Refusal::Unknown("alarm"))?;
        if alarm.over.is_some() {
            return Err(Refusal::Conflict("the alarm is over"));
        }
        if alarm.acknowledged.is_some() {
            return Err(Refusal::Conflict("the alarm is acknowledged already"));
        }
        Ok(Event::Acknowledged { alarm: id, by: by.to_owned(), note: words("note", note)? })
    }

    /// What belonged together is over: repaired, or somebody says so. `None` if no alarm is open about it.
    #[must_use]
    pub fn resolve(&self, key: &str, why: &str) -> Option<Event> {
        let alarm = self.by_key.get(key).and_then(|id| self.alarms.get(id))?;
        alarm.over.is_none().then(|| Event::Over { alarm: alarm.id, why: crate::masked(why) })
    }

    /// Alarms are to be held back.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn silence(
        &self,
        matcher: Matcher,
        until: Timestamp,
        by: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Event, Refusal> {
        name("by", by)?;
        for (field, text) in
            [("kind", &matcher.kind), ("scope_kind", &matcher.scope_kind), ("scope_id", &matcher.scope_id)]
        {
            text.as_ref().map_or(Ok(()), |text| name(field, text))?;
        }
        if matcher == Matcher::default() {
            return Refusal::invalid("matcher", "say which alarms: a kind, a scope or the worst severity");
        }
        if until <= now || until.since_ms(now) > SILENCE_MAX_DAYS * 86_400_000 {
            return Refusal::invalid("until", format!("a moment of the next {SILENCE_MAX_DAYS} days"));
        }
        let why = words("why", why)?;
        if why.is_empty() {
            return Refusal::invalid("why", "say why, for those who wonder later");
        }
        let live = self.silences.values().filter(|silence| silence.is_live(now)).count();
        if live >= SILENCES_MAX {
            return Err(Refusal::TooMany(live, "silences"));
        }
        Ok(Event::Silenced { matcher, until, by: by.to_owned(), why })
    }

    /// A silence is to end.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn lift(&self, id: u32, by: &str, now: Timestamp) -> Result<Event, Refusal> {
        name("by", by)?;
        let silence = self.silences.get(&id).ok_or(Refusal::Unknown("silence"))?;
        if !silence.is_live(now) {
            return Err(Refusal::Conflict("the silence is over already"));
        }
        Ok(Event::Lifted { silence: id, by: by.to_owned() })
    }

    /// A new webhook; the address was looked at before.
    ///
    /// # Errors
    /// [`Refusal`].
    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    pub fn subscribe(
        &self,
        id: &str,
        url: &str,
        description: &str,
        kinds: &[String],
        least: Severity,
        secret: Vec<u8>,
        by: &str,
    ) -> Result<Event, Refusal> {
        name("by", by)?;
        if url.len() > URL_MAX {
            return Refusal::invalid("url", format!("at most {URL_MAX} bytes"));
        }
        if kinds.len() > KINDS_MAX {
            return Refusal::invalid("kinds", format!("at most {KINDS_MAX}"));
        }
        kinds.iter().try_for_each(|kind| name("kinds", kind))?;
        if self.webhooks.len() >= WEBHOOKS_MAX {
            return Err(Refusal::TooMany(self.webhooks.len(), "webhooks"));
        }
        Ok(Event::Subscribed {
            webhook: id.to_owned(),
            url: url.to_owned(),
            description: words("description", description)?,
            kinds: kinds.to_vec(),
            least,
            secret,
            by: by.to_owned(),
        })
    }

    fn known(&self, id: &str) -> Result<&super::Webhook, Refusal> {
        self.webhooks.get(id).ok_or(Refusal::Unknown("webhook"))
    }

    /// A new secret for a webhook.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn rotate(
        &self,
        id: &str,
        secret: Vec<u8>,
        old_until: Timestamp,
        by: &str,
    ) -> Result<Event, Refusal> {
        name("by", by)?;
        self.known(id)?;
        Ok(Event::Rotated { webhook: id.to_owned(), secret, old_until, by: by.to_owned() })
    }

    /// A webhook is to get notices again.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn enable(&self, id: &str, by: &str) -> Result<Event, Refusal> {
        name("by", by)?;
        if self.known(id)?.disabled.is_none() {
            return Err(Refusal::Conflict("the webhook is enabled already"));
        }
        Ok(Event::Enabled { webhook: id.to_owned(), by: by.to_owned() })
    }

    /// A webhook is to go.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn remove(&self, id: &str, by: &str) -> Result<Event, Refusal> {
        name("by", by)?;
        self.known(id)?;
        Ok(Event::Removed { webhook: id.to_owned(), by: by.to_owned() })
    }

    /// A webhook is to be tried.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn test(&self, id: &str, now: Timestamp) -> Result<Event, Refusal> {
        let webhook = self.known(id)?;
        if webhook.disabled.is_some() {
            return Err(Refusal::Conflict("the webhook is disabled: enable it first"));
        }
        Ok(Event::Notified {
            alarm: None,
            reason: Reason::Test,
            step: 0,
            targets: vec![Target::Webhook(id.to_owned())],
            body: payload::test(now),
        })
    }
}
