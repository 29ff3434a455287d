//! Alarms of every standing, silences, and webhooks that are well and ill; nobody is told anything.

use std::{sync::Arc, time::Duration};

use alarm::{
    AlarmService, Alert, Desk, Event, Matcher, Parts, Reason, Scope, Settings, Severity, Target, Text,
    desk::Outcome,
};
use model::Timestamp;
use store::{Book, MemoryBook};

/// The id of the webhook that is well.
pub(crate) const WEBHOOK: &str = "wh00000000000000a1";

/// The number of the open alarm.
pub(crate) const ALARM: &str = "10";

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// An alarm of a kind about a terminal.
pub(crate) fn alert(kind: &str, terminal: &str, severity: Severity) -> Alert {
    Alert {
        group: None,
        kind: kind.to_owned(),
        scope: Scope { kind: "terminal".to_owned(), id: terminal.to_owned() },
        severity,
        title: Text {
            zh: format!("{terminal} \u{5bc6}\u{94a5}\u{5931}\u{6b65}"),
            en: format!("{terminal}: key out of step"),
        },
        body: Text {
            zh: "\u{8bf7}\u{91cd}\u{65b0}\u{7b7e}\u{5230}\u{3002}".to_owned(),
            en: "Sign in again.".to_owned(),
        },
        link: Some("/terminals".to_owned()),
        at: now(),
    }
}

fn parts(book: Arc<dyn Book>) -> Parts {
    let settings = Settings { allow: vec!["127.0.0.1".parse().unwrap()], ..Settings::default() };
    Parts { book, settings, clock: Arc::new(now), alone: true, tick: Duration::from_millis(20) }
}

/// A service that works, on an empty book; webhooks may go to the loopback.
pub(crate) async fn awake() -> AlarmService {
    AlarmService::start(parts(Arc::new(MemoryBook::default()))).await.unwrap()
}

/// A service with one of everything on its desk, that tells nobody.
pub(crate) fn asleep() -> AlarmService {
    let mut desk = Desk::default();
    let mut put = |minutes_ago: i64, event: Event| {
        let seq = desk.seq() + 1;
        desk.apply(seq, now().plus_s(-60 * minutes_ago), event);
        seq
    };
    for (id, url, least) in [
        (WEBHOOK, "https://hooks.bank.example/pinward", Severity::Info),
        ("wh00000000000000b2", "https://dead.example/", Severity::Critical),
    ] {
        put(
            5000,
            Event::Subscribed {
                webhook: id.to_owned(),
                url: url.to_owned(),
                description: "night shift".to_owned(),
                kinds: vec!["wrong-terminal-key".to_owned()],
                least,
                secret: vec![1],
                by: "li.na".to_owned(),
            },
        );
    }
    put(
        4000,
        Event::Disabled {
            webhook: "wh00000000000000b2".to_owned(),
            why: "it has failed for 5 days".to_owned(),
        },
    );
    let raise = |kind: &str, terminal: &str, severity| Event::Raised {
        alert: Box::new(alert(kind, terminal, severity)),
    };
    let over = put(90, raise("network-loss", "T0000003", Severity::Info));
    put(80, Event::Over { alarm: over, why: "the line is back".to_owned() });
    let taken = put(30, raise("keypad-fault", "T0000002", Severity::Warning));
    put(25, Event::Acknowledged { alarm: taken, by: "wang.wei".to_owned(), note: "on my way".to_owned() });
    put(20, raise("clock-drift", "T0000004", Severity::Info));
    let matcher = Matcher { kind: Some("clock-drift".to_owned()), ..Matcher::default() };
    let until = now().plus_s(3600);
    put(19, Event::Silenced { matcher, until, by: "li.na".to_owned(), why: "replaced tonight".to_owned() });
    let open = put(10, raise("wrong-terminal-key", "T0000001", Severity::Critical));
    let target = Target::Webhook(WEBHOOK.to_owned());
    let notice = put(
        10,
        Event::Notified {
            alarm: Some(open),
            reason: Reason::Opened,
            step: 0,
            targets: vec![target.clone()],
            body: "{}".to_owned(),
        },
    );
    let outcome = Outcome {
        taken: false,
        status: Some(503),
        said: "busy".to_owned(),
        took_ms: 41,
        gone: false,
        retry_after_s: None,
    };
    put(9, Event::Attempted { notice, target, outcome, next: Some(now().plus_s(300)) });
    AlarmService::asleep(parts(Arc::new(MemoryBook::default())), desk).unwrap()
}
