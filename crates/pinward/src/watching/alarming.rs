//! Incidents that somebody must know of become alerts; those that are over end them.

use std::sync::Arc;

use alarm::{AlarmService, Alert, Scope, Severity, Text};
use diagnosis::{Status, cause::Origin};
use handbook::{CauseFacts, Lang, Role, cause_text};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use watch::{News, NewsKind, Record, Watch};

/// A fault that reaches so many cards is looked at now.
const CARDS_CRITICAL: u32 = 10;

/// Listens until the diagnosis ends.
pub(crate) fn start(watch: &Arc<Watch>, alarms: AlarmService) {
    tokio::spawn(listen(watch.subscribe(), Arc::downgrade(watch), alarms));
}

async fn listen(mut news: Receiver<News>, watch: std::sync::Weak<Watch>, alarms: AlarmService) {
    loop {
        let told = match news.recv().await {
            Ok(told) => told,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "news about incidents that raised no alarm");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let Some(record) = watch.upgrade().and_then(|watch| watch.incident(told.number)) else { continue };
        match told.kind {
            NewsKind::Opened | NewsKind::Revised if told.fresh => raise(&alarms, &record),
            NewsKind::Opened | NewsKind::Revised => {}
            NewsKind::Ended | NewsKind::Retracted => {
                let why = format!("incident {}: {}", record.number, record.standing().name());
                // An alarm that was never raised cannot be ended; that is no trouble.
                if let Err(error) = alarms.resolve(&format!("group {}", group(&record)), &why).await {
                    tracing::debug!(%error, "an alarm that does not end");
                }
            }
        }
    }
}

fn group(record: &Record) -> String {
    format!("incident-{}", record.number)
}

fn raise(alarms: &AlarmService, record: &Record) {
    let Some(alert) = alert(record) else { return };
    if let Err(error) = alarms.raise(alert) {
        tracing::error!(%error, "an incident that raises no alarm");
    }
}

/// A holder's slip wakes nobody, and neither does what is not certain yet.
fn alert(record: &Record) -> Option<Alert> {
    let found = &record.found;
    if found.status != Status::Open {
        return None;
    }
    let severity = match found.cause.origin() {
        Origin::Holder => return None,
        Origin::Fault if found.cards < CARDS_CRITICAL => Severity::Warning,
        Origin::Fault | Origin::Attack => Severity::Critical,
    };
    let text = cause_text(found.cause);
    let facts = CauseFacts {
        cards: Some(found.cards),
        refused: Some(found.refused),
        terminal: (found.scope.kind == "terminal").then(|| found.scope.id.clone()),
        scope: Some(found.scope.id.clone()),
        ..CauseFacts::default()
    };
    let role = if found.cause.origin() == Origin::Attack { Role::Analyst } else { Role::Engineer };
    let title = |lang| format!("{}: {} {}", text.name(lang), found.scope.kind, found.scope.id);
    let body = |lang| format!("{} {}", text.sentence(lang, &facts), text.todo(lang, role));
    Some(Alert {
        group: Some(group(record)),
        kind: found.cause.name().to_owned(),
        scope: Scope { kind: found.scope.kind.clone(), id: found.scope.id.clone() },
        severity,
        title: Text { zh: title(Lang::Zh), en: title(Lang::En) },
        body: Text { zh: body(Lang::Zh), en: body(Lang::En) },
        link: Some(format!("/incidents/{}", record.number)),
        at: found.detected,
    })
}
