//! Incidents that somebody must know of become alerts; those that are over end them.
//!
//! What is only suspected wakes nobody: an incident is an alarm from when it is open until it is over, explained by another,
//! retracted, or closed by somebody, and the alarm then says which.

use std::sync::{Arc, Weak};

use alarm::{AlarmError, AlarmService, Alert, Scope, Severity, Text};
use diagnosis::{Status, cause::Origin};
use handbook::{CauseFacts, Lang, Role, cause_text};
use store::Engine;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use watch::{News, NewsKind, Record, Standing, Watch};

/// A fault that reaches so many cards is looked at now.
const CARDS_CRITICAL: u32 = 10;
/// What is less likely than not wakes nobody.
const CONFIDENCE_LEAST: f32 = 0.5;

/// Listens until the diagnosis ends.
pub(crate) fn start(watch: &Arc<Watch>, alarms: AlarmService, engine: Arc<dyn Engine>) {
    let teller = Teller { alarms, engine };
    tokio::spawn(teller.listen(watch.subscribe(), Arc::downgrade(watch)));
}

struct Teller {
    alarms: AlarmService,
    /// Knows cards by their masked numbers.
    engine: Arc<dyn Engine>,
}

impl Teller {
    async fn listen(self, mut news: Receiver<News>, watch: Weak<Watch>) {
        loop {
            let told = match news.recv().await {
                Ok(told) => told,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(
                        missed,
                        "news about incidents came faster than alarms; looking at all of them"
                    );
                    let Some(watch) = watch.upgrade() else { return };
                    for record in watch.picture().records.values().filter(|record| record.live) {
                        self.say(record, true).await;
                    }
                    continue;
                }
                Err(RecvError::Closed) => return,
            };
            let Some(record) = watch.upgrade().and_then(|watch| watch.incident(told.number)) else {
                continue;
            };
            self.say(&record, told.fresh || told.kind == NewsKind::Handled).await;
        }
    }

    /// Raises the alarm of an incident or ends it, as it stands now. What is found in old entries raises none.
    async fn say(&self, record: &Record, fresh: bool) {
        let outcome = match over(record) {
            // An alarm that was never raised is none that ends.
            Some(why) => self.alarms.resolve(&format!("group {}", group(record)), &why).await,
            None if fresh => self.raise(record).await,
            None => Ok(()),
        };
        if let Err(error) = outcome {
            tracing::error!(%error, incident = record.number, "an incident whose alarm is not as it should be");
        }
    }

    async fn raise(&self, record: &Record) -> Result<(), AlarmError> {
        let place = self.place(record).await;
        let Some(alert) = alert(record, &place) else { return Ok(()) };
        self.alarms.raise(alert).map_err(|error| AlarmError::Refused(error.into()))
    }

    /// What people know the scope by: a card by its masked number.
    async fn place(&self, record: &Record) -> String {
        let scope = &record.found.scope;
        let card = match (scope.kind.as_str(), scope.id.parse()) {
            ("card", Ok(id)) => self.engine.card(&id).await.ok().flatten(),
            _ => None,
        };
        card.map_or_else(|| scope.id.clone(), |card| card.record.pan.to_string())
    }
}

fn group(record: &Record) -> String {
    format!("incident-{}", record.number)
}

/// Why there is nothing to be alarmed about any more, if so; in both languages, because it stands in one line.
fn over(record: &Record) -> Option<String> {
    let number = record.number.to_string();
    let closed = record.handling.decided == Some(Standing::Closed);
    let key = match record.found.status {
        _ if closed => "closed",
        Status::Provisional | Status::Open => return None,
        Status::Absorbed => "absorbed",
        Status::Over => "over",
        Status::Retracted => "retracted",
    };
    let words = alarm::words("incident", key, &number);
    Some(format!("{} / {}", words.zh, words.en))
}

/// A holder's slip wakes nobody, and neither does what is only suspected, or less likely than not.
fn alert(record: &Record, place: &str) -> Option<Alert> {
    let found = &record.found;
    if found.status != Status::Open || found.confidence < CONFIDENCE_LEAST {
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
        scope: Some(place.to_owned()),
        ..CauseFacts::default()
    };
    let role = if found.cause.origin() == Origin::Attack { Role::Analyst } else { Role::Engineer };
    let place = alarm::words("scope", &found.scope.kind, place);
    let title = |lang: Lang| format!("{}: {}", text.name(lang), lang.pick(&place.zh, &place.en));
    let body = |lang| format!("{} {}", text.sentence(lang, &facts), text.todo(lang, role));
    Some(Alert {
        group: Some(group(record)),
        kind: found.cause.name().to_owned(),
        scope: Scope { kind: found.scope.kind.clone(), id: found.scope.id.clone() },
        severity,
        title: Text { zh: title(Lang::Zh).replace(": ", "\u{ff1a}"), en: title(Lang::En) },
        body: Text { zh: body(Lang::Zh), en: body(Lang::En) },
        link: Some(format!("/incidents/{}", record.number)),
        at: found.detected,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use diagnosis::Cause;
    use model::Timestamp;
    use store::{MemoryBook, memory::MemoryEngine};
    use watch::{Found, Handling, ScopeName};

    use super::*;

    fn record(cause: Cause, status: Status) -> Record {
        let at = Timestamp(1_795_000_000_000);
        let found = Found {
            cause,
            scope: ScopeName { kind: "terminal".to_owned(), id: "T0000075".to_owned() },
            onset: at,
            detected: at,
            last_seen: at,
            ended: None,
            confidence: 0.9,
            second: None,
            status,
            parent: None,
            evidence: Vec::new(),
            sessions_to_detection: 3,
            cards: 3,
            refused: 5,
            refused_sum: 0,
            harmed: Vec::new(),
        };
        Record { number: 7, found, live: true, handling: Handling::default() }
    }

    async fn service() -> AlarmService {
        let clock = Arc::new(|| Timestamp(1_795_000_000_000));
        let (book, settings) = (Arc::new(MemoryBook::default()), alarm::Settings::default());
        let tick = Duration::from_millis(20);
        AlarmService::start(alarm::Parts { book, settings, clock, alone: true, tick }).await.unwrap()
    }

    /// Each alarm with why it is over, when there are so many.
    async fn alarms(service: &AlarmService, count: usize) -> Vec<Option<String>> {
        let began = Instant::now();
        loop {
            let all = service.look(|desk, _| {
                desk.alarms().map(|a| a.over.as_ref().map(|(_, why)| why.clone())).collect::<Vec<_>>()
            });
            if all.len() == count {
                return all;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{all:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_suspicion_wakes_nobody_an_open_incident_does_and_a_retracted_one_says_why_it_ends() {
        let service = service().await;
        let teller = Teller { alarms: service.clone(), engine: Arc::new(MemoryEngine::default()) };
        teller.say(&record(Cause::KeypadFault, Status::Provisional), true).await;
        teller.say(&record(Cause::Forgotten, Status::Open), true).await;
        let mut unlikely = record(Cause::ScreenFault, Status::Open);
        unlikely.found.confidence = 0.07;
        teller.say(&unlikely, true).await;
        // old news
        teller.say(&record(Cause::KeypadFault, Status::Open), false).await;
        teller.say(&record(Cause::KeypadFault, Status::Open), true).await;
        assert_eq!(alarms(&service, 1).await, [None]);
        teller.say(&record(Cause::KeypadFault, Status::Retracted), true).await;
        let over = alarms(&service, 1).await.remove(0).unwrap();
        assert!(over.contains("incident 7 was retracted: late evidence says otherwise"), "{over}");
        // it is found again: another alarm, which ends when somebody closes the incident
        teller.say(&record(Cause::KeypadFault, Status::Open), true).await;
        alarms(&service, 2).await;
        let mut closed = record(Cause::KeypadFault, Status::Open);
        closed.handling.decided = Some(Standing::Closed);
        teller.say(&closed, true).await;
        assert!(alarms(&service, 2).await.iter().all(Option::is_some));
        service.stop().await;
    }

    #[test]
    fn a_title_says_where_in_words() {
        let alert = alert(&record(Cause::KeypadFault, Status::Open), "T0000075").unwrap();
        assert!(alert.title.en.ends_with(": terminal T0000075"), "{}", alert.title.en);
        assert!(!alert.title.zh.contains("terminal"), "{}", alert.title.zh);
    }
}
