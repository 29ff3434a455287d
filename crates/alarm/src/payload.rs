//! What is told: the payload of a webhook, as the Standard Webhooks specification proposes it (type, timestamp, data). Mail is
//! written from the same.

use jiff::Timestamp as Moment;
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    alert::{Scope, Severity, Text},
    desk::{Alarm, Reason},
    settings::Settings,
};

/// The body of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// `alarm.opened`, `alarm.escalated`, `alarm.worsened`, `alarm.over` or `webhook.test`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, not when it is told.
    pub timestamp: String,
    /// The alarm; `null` in a test.
    pub data: Option<Data>,
}

/// An alarm, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Its number.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub scope: Scope,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: Text,
    /// What happened and what to do.
    pub body: Text,
    /// Where there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// When it was raised.
    pub raised: String,
    /// When the newest alert came.
    pub last: String,
    /// Alerts so far.
    pub count: u64,
    /// Step of the ladder.
    pub step: u32,
    /// Why it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
}

/// RFC 3339 in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    Moment::from_millisecond(at.0).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |at| at.to_string())
}

/// What is told of an alarm.
pub(crate) fn alarm(
    alarm: &Alarm,
    reason: Reason,
    step: u32,
    over: Option<(Timestamp, &str)>,
    settings: &Settings,
) -> String {
    let alert = &alarm.alert;
    let at = match (over, reason) {
        (Some((at, _)), _) => at,
        (None, Reason::Opened) => alarm.raised,
        (None, _) => alarm.last,
    };
    let data = Data {
        id: alarm.id.to_string(),
        kind: alert.kind.clone(),
        scope: alert.scope.clone(),
        severity: alarm.severity,
        title: alert.title.clone(),
        body: alert.body.clone(),
        link: alert.link.as_deref().map(|path| settings.link(path)),
        raised: moment(alarm.raised),
        last: moment(alarm.last),
        count: alarm.count,
        step,
        over: over.map(|(_, why)| why.to_owned()),
    };
    text(&Payload { kind: reason.event_type().to_owned(), timestamp: moment(at), data: Some(data) })
}

/// What is told when a webhook is tried.
pub(crate) fn test(now: Timestamp) -> String {
    text(&Payload { kind: Reason::Test.event_type().to_owned(), timestamp: moment(now), data: None })
}

fn text(payload: &Payload) -> String {
    // Structs of texts and numbers are always JSON.
    serde_json::to_string(payload).unwrap_or_default()
}
