//! The service's two tasks: one takes alerts, the other looks for what is due.
//!
//! An alert that only repeats what is known is counted in memory and written every few seconds, so that a rule that fires a
//! thousand times a second does not write as often. What is counted and not written when the machine dies is lost; the alarm is
//! not.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

use super::{AlarmError, Inner, Joining, is_more_of_the_same};
use crate::{
    alert::Alert,
    desk::{DeliveryKey, DeliveryState, Desk, Event, Outcome, Refusal},
    sender::{Job, Sender},
};

/// So often what was counted is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Different things that may be counted at once; more are written at once.
const COUNTED_MAX: usize = 1000;
/// Things that one look does before it breathes.
const DUE_MAX: usize = 200;
/// Deliveries at once.
const AT_ONCE: usize = 16;
/// What is under way at the end may take so long.
const END_MAX: Duration = Duration::from_secs(5);
/// What other hosts wrote is looked for so often, where there are any.
const OTHERS_EVERY: Duration = Duration::from_secs(2);

/// Takes alerts until the end.
pub(crate) async fn take(
    inner: Arc<Inner>,
    mut waiting: mpsc::Receiver<Alert>,
    mut end: watch::Receiver<bool>,
) {
    let mut joining = Joining::default();
    let mut tick = tokio::time::interval(WRITE_EVERY);
    loop {
        tokio::select! {
            alert = waiting.recv() => match alert {
                Some(alert) => taken(&inner, &mut joining, alert).await,
                None => break,
            },
            _ = tick.tick() => {
                write(&inner, &mut joining).await;
                say_what_was_dropped(&inner);
            }
            () = ended(&mut end) => break,
        }
    }
    // What was raised before the end is kept.
    while let Ok(alert) = waiting.try_recv() {
        taken(&inner, &mut joining, alert).await;
    }
    write(&inner, &mut joining).await;
    say_what_was_dropped(&inner);
}

async fn taken(inner: &Inner, joining: &mut Joining, alert: Alert) {
    let now = (inner.clock)();
    let repeats = inner
        .desk()
        .belongs_to(&alert, now, &inner.settings)
        .is_some_and(|alarm| is_more_of_the_same(alarm, &alert));
    let key = alert.key();
    let more = joining.add(alert.clone());
    if repeats && joining.0.len() < COUNTED_MAX {
        return;
    }
    joining.0.remove(&key);
    raise(inner, &alert, more).await;
}

async fn write(inner: &Inner, joining: &mut Joining) {
    for (_, (alert, more)) in joining.0.drain() {
        raise(inner, &alert, more).await;
    }
}

async fn raise(inner: &Inner, alert: &Alert, more: u32) {
    let raised = inner.commit(|desk, now| desk.raise(alert, more, now, &inner.settings).map(Some)).await;
    if let Err(error) = raised {
        tracing::error!(kind = %alert.kind, scope = %alert.scope.kind, %error, "an alert was not kept");
    }
}

fn say_what_was_dropped(inner: &Inner) {
    let dropped = inner.dropped.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        tracing::error!(dropped, "more alerts at once than can be taken");
    }
}

/// Looks for what is due until the end.
pub(crate) async fn look(inner: Arc<Inner>, sender: Sender, every: Duration, mut end: watch::Receiver<bool>) {
    let host = host_name();
    let sender = Arc::new(sender);
    let mut under_way: JoinSet<DeliveryKey> = JoinSet::new();
    let mut busy: HashSet<DeliveryKey> = HashSet::new();
    let mut learned = Instant::now();
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = inner.bell.notified() => {}
            Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                if let Ok(key) = done {
                    busy.remove(&key);
                }
            }
            () = ended(&mut end) => break,
        }
        if learned.elapsed() >= OTHERS_EVERY {
            learned = Instant::now();
            if let Err(error) = inner.catch_up().await {
                tracing::debug!(%error, "alarms of other hosts not read");
                continue;
            }
        }
        do_what_is_due(&inner).await;
        let due = inner.desk().due_deliveries((inner.clock)());
        for key in due {
            if under_way.len() < AT_ONCE && busy.insert(key.clone()) {
                let (inner, sender, host) = (inner.clone(), sender.clone(), host.clone());
                under_way.spawn(async move {
                    deliver(&inner, &sender, &key, &host).await;
                    key
                });
            }
        }
    }
    let rest = async { while under_way.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(END_MAX, rest).await;
}

async fn do_what_is_due(inner: &Inner) {
    for _ in 0..DUE_MAX {
        let mut disabled = None;
        let done = inner
            .commit(|desk: &Desk, now| {
                let event = desk.due(now, &inner.settings);
                disabled = match &event {
                    Some(Event::Disabled { webhook, .. }) => inner.webhook_disabled(desk, webhook, now),
                    _ => None,
                };
                Ok::<_, Refusal>(event)
            })
            .await;
        match done {
            Ok(Some(_)) => {
                if let Some(alert) = disabled {
                    raise(inner, &alert, 1).await;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "what is due is not done");
                return;
            }
        }
    }
}

/// One attempt: taken, made, and what came of it written.
async fn deliver(inner: &Inner, sender: &Sender, key: &DeliveryKey, host: &str) {
    let mine = inner.commit(|desk, now| Ok::<_, AlarmError>(desk.attempt(key, host, now))).await;
    match mine {
        Ok(Some(_)) => {}
        // Another host has it.
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(%error, "a delivery is not begun");
            return;
        }
    }
    let now = (inner.clock)();
    let job = {
        let desk = inner.desk();
        desk.deliveries.get(key).and_then(|delivery| Job::of(&desk, delivery, now))
    };
    let Some(job) = job else { return };
    let outcome = sender.tell(&job, now).await;
    log(key, &outcome);
    let dice = dice();
    let written = inner
        .commit(|desk, now| {
            let Some(delivery) = desk.deliveries.get(key) else { return Ok::<_, AlarmError>(None) };
            // Disabled or removed meanwhile: what came of it is told, and nothing more is tried.
            let next = match delivery.state {
                DeliveryState::UnderWay(..) => delivery.next(now, &outcome, dice),
                _ => None,
            };
            let (notice, target) = key.clone();
            Ok(Some(Event::Attempted { notice, target, outcome: outcome.clone(), next }))
        })
        .await;
    if let Err(error) = written {
        tracing::warn!(%error, "what came of a delivery is not kept; it is made again");
    }
}

/// Waits for the end.
async fn ended(end: &mut watch::Receiver<bool>) {
    // A service that is no more has ended, too.
    let _ = end.wait_for(|end| *end).await;
}

/// Neither addresses nor what was said: a mail address is a person's, and a webhook's may hold a token.
fn log(key: &DeliveryKey, outcome: &Outcome) {
    let (notice, status, took_ms) = (key.0, outcome.status, outcome.took_ms);
    let to = match &key.1 {
        crate::desk::Target::Webhook(id) => id.as_str(),
        crate::desk::Target::Mail(_) => "mail",
    };
    if outcome.taken {
        tracing::info!(notice, to, status, took_ms, "told");
    } else {
        tracing::warn!(notice, to, status, took_ms, "not told");
    }
}

/// From 0 to 1.
fn dice() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness there is no jitter.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

/// Tells this process from others in the book.
fn host_name() -> String {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    format!("{}-{:08x}", std::process::id(), u32::from_be_bytes(bytes))
}
