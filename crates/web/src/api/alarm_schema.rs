//! The shapes of alarms, silences and webhooks in the API.

use alarm::{Alarm, Delivery, Desk, Severity, Silence, Standing, Webhook};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema::rfc3339;

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SeverityName {
    /// To be known.
    #[default]
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

impl From<Severity> for SeverityName {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Self {
        match name {
            SeverityName::Info => Self::Info,
            SeverityName::Warning => Self::Warning,
            SeverityName::Critical => Self::Critical,
        }
    }
}

/// Where an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StandingName {
    /// Somebody should look.
    Open,
    /// A silence holds it back.
    Silenced,
    /// Somebody does.
    Acknowledged,
    /// Nobody needs to.
    Over,
}

impl From<Standing> for StandingName {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Open => Self::Open,
            Standing::Silenced => Self::Silenced,
            Standing::Acknowledged => Self::Acknowledged,
            Standing::Over => Self::Over,
        }
    }
}

/// What an alarm is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlarmScope {
    /// `terminal`, `merchant`, `card`, `bin`, `zone`, `firmware`, `network`, `instance`, `agent`, `webhook` …
    kind: String,
    /// Which.
    id: String,
}

/// The same in two languages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlarmText {
    /// Chinese.
    zh: String,
    /// English.
    en: String,
}

impl From<alarm::Text> for AlarmText {
    fn from(text: alarm::Text) -> Self {
        Self { zh: text.zh, en: text.en }
    }
}

/// Who took an alarm on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Acknowledged {
    /// Who.
    by: String,
    /// When.
    at: String,
    /// What they said to it.
    note: String,
}

/// When an alarm was over, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Over {
    /// When.
    at: String,
    /// Why.
    why: String,
}

/// An alarm: alerts about one thing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlarmView {
    /// Its number.
    id: u32,
    /// Its fixed name, such as `wrong-terminal-key`.
    kind: String,
    /// What it is about.
    scope: AlarmScope,
    /// How bad it ever was.
    severity: SeverityName,
    /// Where it stands.
    standing: StandingName,
    /// One line.
    title: AlarmText,
    /// What happened and what to do.
    body: AlarmText,
    /// Where in the console there is more.
    link: Option<String>,
    /// When it was raised.
    raised: String,
    /// When the newest alert came.
    last: String,
    /// Alerts so far.
    count: u64,
    /// Who took it on.
    acknowledged: Option<Acknowledged>,
    /// The silence that holds it back.
    silence: Option<u32>,
    /// When it was over.
    over: Option<Over>,
}

impl AlarmView {
    pub(crate) fn new(desk: &Desk, alarm: &Alarm, now: Timestamp) -> Self {
        let alert = &alarm.alert;
        Self {
            id: alarm.id,
            kind: alert.kind.clone(),
            scope: AlarmScope { kind: alert.scope.kind.clone(), id: alert.scope.id.clone() },
            severity: alarm.severity.into(),
            standing: desk.standing(alarm, now).into(),
            title: alert.title.clone().into(),
            body: alert.body.clone().into(),
            link: alert.link.clone(),
            raised: rfc3339(alarm.raised),
            last: rfc3339(alarm.last),
            count: alarm.count,
            acknowledged: alarm.acknowledged.as_ref().map(|taken| Acknowledged {
                by: taken.by.clone(),
                at: rfc3339(taken.at),
                note: taken.note.clone(),
            }),
            silence: desk.silenced(alarm, now).map(|silence| silence.id),
            over: alarm.over.as_ref().map(|(at, why)| Over { at: rfc3339(*at), why: why.clone() }),
        }
    }
}

/// Alarms, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alarms {
    /// The alarms.
    pub(crate) data: Vec<AlarmView>,
}

/// Which alarms a silence holds back: those that are all of what is given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SilenceView {
    /// Its number.
    id: u32,
    /// Only this kind.
    kind: Option<String>,
    /// Only this kind of scope.
    scope_kind: Option<String>,
    /// Only this scope.
    scope_id: Option<String>,
    /// At most so bad.
    most: Option<SeverityName>,
    /// Since when.
    since: String,
    /// Until when.
    until: String,
    /// Who wanted it.
    by: String,
    /// Why.
    why: String,
    /// Does it hold anything back now?
    live: bool,
    /// Who ended it early.
    lifted_by: Option<String>,
}

impl SilenceView {
    pub(crate) fn new(silence: &Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id,
            kind: silence.matcher.kind.clone(),
            scope_kind: silence.matcher.scope_kind.clone(),
            scope_id: silence.matcher.scope_id.clone(),
            most: silence.matcher.most.map(Into::into),
            since: rfc3339(silence.since),
            until: rfc3339(silence.until),
            by: silence.by.clone(),
            why: silence.why.clone(),
            live: silence.is_live(now),
            lifted_by: silence.lifted.clone(),
        }
    }
}

/// Silences, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Silences {
    /// The silences.
    pub(crate) data: Vec<SilenceView>,
}

/// A webhook. Its secret is told once, when it is made or changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookView {
    /// Its id.
    id: String,
    /// Where to.
    url: String,
    /// For people.
    description: String,
    /// Only these kinds of alarms; all when empty.
    kinds: Vec<String>,
    /// Only alarms that are at least so bad.
    least: SeverityName,
    /// Since when.
    since: String,
    /// Who wanted it.
    by: String,
    /// Why it gets nothing; absent when it does.
    disabled: Option<String>,
    /// The first failure since it last took something.
    failing_since: Option<String>,
    /// When it last took something.
    last_taken: Option<String>,
    /// Until when the secret before this one signs too.
    old_secret_until: Option<String>,
}

impl WebhookView {
    pub(crate) fn new(webhook: &Webhook, now: Timestamp) -> Self {
        Self {
            id: webhook.id.clone(),
            url: webhook.url.clone(),
            description: webhook.description.clone(),
            kinds: webhook.kinds.clone(),
            least: webhook.least.into(),
            since: rfc3339(webhook.since),
            by: webhook.by.clone(),
            disabled: webhook.disabled.clone(),
            failing_since: webhook.failing_since.map(rfc3339),
            last_taken: webhook.last_taken.map(rfc3339),
            old_secret_until: webhook.old_secret_until(now).map(rfc3339),
        }
    }
}

/// Webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhooks {
    /// The webhooks.
    pub(crate) data: Vec<WebhookView>,
}

/// A new webhook with its secret, which is not told again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewWebhook {
    /// The webhook.
    pub(crate) webhook: WebhookView,
    /// `whsec_…`: what signs.
    pub(crate) secret: String,
}

/// A new secret, which is not told again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewSecret {
    /// `whsec_…`: what signs.
    pub(crate) secret: String,
    /// Until when the one before signs too.
    pub(crate) old_secret_until: String,
}

/// One attempt to tell a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptView {
    /// When it ended.
    at: String,
    /// Was it taken?
    taken: bool,
    /// HTTP status of the answer.
    status: Option<u16>,
    /// The first words of the answer, or what went wrong.
    said: String,
    /// How long it took.
    took_ms: u32,
}

/// What was or is to be told to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// `webhook-id`: the same in each attempt.
    message: String,
    /// `alarm.opened`, `alarm.escalated`, `alarm.worsened`, `alarm.over` or `webhook.test`.
    #[serde(rename = "type")]
    kind: String,
    /// Of which alarm; absent for a test.
    alarm: Option<u32>,
    /// `waiting`, `under-way`, `delivered` or `given-up`.
    state: String,
    /// When it was decided.
    made: String,
    /// When it is tried next.
    next: Option<String>,
    /// How often it was tried.
    tried: u32,
    /// The newest attempts, oldest first.
    attempts: Vec<AttemptView>,
}

impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> Self {
        let attempt = |attempt: &alarm::Attempt| AttemptView {
            at: rfc3339(attempt.at),
            taken: attempt.outcome.taken,
            status: attempt.outcome.status,
            said: attempt.outcome.said.clone(),
            took_ms: attempt.outcome.took_ms,
        };
        Self {
            message: delivery.message_id(),
            kind: delivery.reason.event_type().to_owned(),
            alarm: delivery.alarm,
            state: delivery.state.name().to_owned(),
            made: rfc3339(delivery.made),
            next: delivery.next_at().map(rfc3339),
            tried: delivery.tried,
            attempts: delivery.attempts.iter().map(attempt).collect(),
        }
    }
}

/// What was and is to be told to a webhook, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deliveries {
    /// The deliveries.
    pub(crate) data: Vec<DeliveryView>,
}
