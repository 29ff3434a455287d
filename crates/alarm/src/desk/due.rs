//! What is due at a moment: steps of the ladder, the end of alarms that nobody cares for, webhooks that have failed for too long,
//! deliveries.

use model::Timestamp;

use super::{Alarm, Delivery, DeliveryKey, DeliveryState, Desk, Event, Reason, Target};
use crate::{
    payload,
    settings::{Channel, Settings, Step},
};

/// An alarm that nobody acknowledged and that got no alert for so long is over.
const FORGOTTEN_MS: i64 = 7 * 24 * 3_600_000;
/// So is one that was acknowledged, and that got no alert for so long.
const SETTLED_MS: i64 = 24 * 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

impl Desk {
    /// The first thing that is due; it becomes a fact, and then the next is asked for.
    #[must_use]
    pub fn due(&self, now: Timestamp, settings: &Settings) -> Option<Event> {
        self.failed_too_long(now, settings)
            .or_else(|| self.alarms.values().find_map(|alarm| self.due_of(alarm, now, settings)))
    }

    fn due_of(&self, alarm: &Alarm, now: Timestamp, settings: &Settings) -> Option<Event> {
        if let Some((at, why)) = &alarm.over {
            let told = alarm.over_told || alarm.targets.is_empty();
            return (!told).then(|| self.over_notice(alarm, *at, why, settings));
        }
        let quiet = now.since_ms(alarm.last);
        if alarm.acknowledged.is_some() {
            let why = "acknowledged, and quiet for a day".to_owned();
            return (quiet > SETTLED_MS.max(settings.group_ms()))
                .then_some(Event::Over { alarm: alarm.id, why });
        }
        if quiet > FORGOTTEN_MS {
            let why = "quiet for a week, and never acknowledged".to_owned();
            return Some(Event::Over { alarm: alarm.id, why });
        }
        if self.silenced(alarm, now).is_some() {
            return None;
        }
        if alarm.worsened {
            let steps = settings.step.iter().take(alarm.steps as usize);
            let targets = self.targets(alarm, steps, settings);
            return Some(notice(alarm, Reason::Worsened, alarm.steps.saturating_sub(1), targets, settings));
        }
        let step = settings.step.get(alarm.steps as usize)?;
        // The ladder begins when the first is told: one that was silenced begins when the silence ends.
        let start = alarm.told.unwrap_or(now);
        if alarm.told.is_none() && quiet > settings.group_ms() {
            let why = "quiet since before its silence ended".to_owned();
            return Some(Event::Over { alarm: alarm.id, why });
        }
        if now.since_ms(start) < i64::from(step.after_minutes) * 60_000 {
            return None;
        }
        let reason =
            if alarm.steps == 0 || step.after_minutes == 0 { Reason::Opened } else { Reason::Escalated };
        let targets = self.targets(alarm, std::iter::once(step), settings);
        Some(notice(alarm, reason, alarm.steps, targets, settings))
    }

    fn over_notice(&self, alarm: &Alarm, at: Timestamp, why: &str, settings: &Settings) -> Event {
        let mut targets: Vec<Target> = alarm.targets.iter().cloned().collect();
        targets.retain(|target| self.takes(target));
        let body = payload::alarm(alarm, Reason::Over, 0, Some((at, why)), settings);
        Event::Notified { alarm: Some(alarm.id), reason: Reason::Over, step: 0, targets, body }
    }

    fn takes(&self, target: &Target) -> bool {
        match target {
            Target::Webhook(id) => self.webhooks.get(id).is_some_and(|webhook| webhook.disabled.is_none()),
            Target::Mail(_) => true,
        }
    }

    /// Whom these steps tell; none of them twice.
    fn targets<'s>(
        &self,
        alarm: &Alarm,
        steps: impl Iterator<Item = &'s Step>,
        settings: &Settings,
    ) -> Vec<Target> {
        let mut targets = Vec::new();
        for step in steps.filter(|step| alarm.severity >= step.least) {
            match step.channel {
                Channel::Webhooks => {
                    let wanting = self.webhooks.values().filter(|w| w.wants(&alarm.alert, alarm.severity));
                    targets.extend(wanting.map(|webhook| Target::Webhook(webhook.id.clone())));
                }
                Channel::Mail => {
                    let Some(mail) = &settings.mail else { continue };
                    let to = if step.to.is_empty() { &mail.to } else { &step.to };
                    targets.extend(to.iter().cloned().map(Target::Mail));
                }
            }
        }
        targets.sort();
        targets.dedup();
        targets
    }

    fn failed_too_long(&self, now: Timestamp, settings: &Settings) -> Option<Event> {
        let limit = i64::from(settings.disable_after_days) * DAY_MS;
        let gone = |id: &str| {
            let target = Target::Webhook(id.to_owned());
            let last = self.deliveries(&target).filter_map(|delivery| delivery.attempts.last());
            last.max_by_key(|attempt| attempt.at).is_some_and(|attempt| attempt.outcome.gone)
        };
        self.webhooks.values().filter(|webhook| webhook.disabled.is_none()).find_map(|webhook| {
            let since = webhook.failing_since?;
            let why = if gone(&webhook.id) {
                "its server says that it is gone (410)".to_owned()
            } else if now.since_ms(since) >= limit {
                format!("it has failed for {} days", settings.disable_after_days)
            } else {
                return None;
            };
            Some(Event::Disabled { webhook: webhook.id.clone(), why })
        })
    }

    /// Deliveries that are due: at most one for each target, so that a dead one is not asked for everything at once.
    #[must_use]
    pub fn due_deliveries(&self, now: Timestamp) -> Vec<DeliveryKey> {
        let mut busy: Vec<&Target> = Vec::new();
        let mut due = Vec::new();
        let under_way = |d: &&Delivery| matches!(d.state, DeliveryState::UnderWay(..)) && !d.is_due(now);
        busy.extend(self.deliveries.values().filter(under_way).map(|delivery| &delivery.target));
        for (key, delivery) in &self.deliveries {
            if delivery.is_due(now) && !busy.contains(&&delivery.target) {
                busy.push(&delivery.target);
                due.push(key.clone());
            }
        }
        due
    }

    /// A host takes a delivery, if it is still due.
    #[must_use]
    pub fn attempt(&self, key: &DeliveryKey, host: &str, now: Timestamp) -> Option<Event> {
        let delivery = self.deliveries.get(key).filter(|delivery| delivery.is_due(now))?;
        let (notice, target) = (delivery.notice, delivery.target.clone());
        Some(Event::Attempting { notice, target, host: host.to_owned() })
    }

    /// Deliveries that a process of before has begun and will not end: when there is only one at a time, it is dead.
    pub fn forget_attempts(&mut self) {
        for delivery in self.deliveries.values_mut() {
            if let DeliveryState::UnderWay(since, _) = delivery.state {
                delivery.state = DeliveryState::Waiting(since);
            }
        }
    }
}

fn notice(alarm: &Alarm, reason: Reason, step: u32, targets: Vec<Target>, settings: &Settings) -> Event {
    let body = payload::alarm(alarm, reason, step, None, settings);
    Event::Notified { alarm: Some(alarm.id), reason, step, targets, body }
}
