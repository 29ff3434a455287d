//! The fold: what each fact makes of the desk. It never fails and never decides: a fact about something that is not known any
//! more changes nothing. What is over is remembered up to a limit.

use std::{collections::BTreeSet, sync::Arc};

use model::Timestamp;

use super::{
    Acknowledgement, Alarm, Delivery, DeliveryState, Desk, Event, Outcome, Silence, Target, Webhook,
};
use crate::alert::Alert;

/// Alarms that are remembered when they are over.
pub(super) const OVER_KEPT: usize = 500;
/// Silences that are remembered when they ended.
const SILENCES_KEPT: usize = 200;
/// Deliveries that are remembered when they are done.
const DELIVERIES_KEPT: usize = 2000;
/// It is tidied up when so much more is there.
const SLACK: usize = 100;

impl Desk {
    /// What the fact with this number makes of it.
    pub fn apply(&mut self, seq: u32, at: Timestamp, event: Event) {
        self.seq = seq;
        match event {
            Event::Raised { alert } => self.raised(seq, at, *alert),
            Event::Joined { alarm, more, alert } => self.joined(alarm, more, at, *alert),
            Event::Acknowledged { alarm, by, note } => {
                self.amend(alarm, |alarm| {
                    alarm.acknowledged = Some(Acknowledgement { by, at, note });
                    alarm.worsened = false;
                });
            }
            Event::Over { alarm, why } => self.amend(alarm, |alarm| {
                alarm.over.get_or_insert((at, why));
            }),
            Event::Notified { alarm, reason, step, targets, body } => {
                self.notified(seq, at, alarm, reason, step, targets, &Arc::from(body));
            }
            Event::Attempting { notice, target, host } => {
                if let Some(delivery) = self.deliveries.get_mut(&(notice, target)) {
                    delivery.state = DeliveryState::UnderWay(at, host);
                }
            }
            Event::Attempted { notice, target, outcome, next } => {
                self.attempted(notice, target, at, outcome, next);
            }
            Event::Silenced { matcher, until, by, why } => {
                let silence = Silence { id: seq, matcher, since: at, until, by, why, lifted: None };
                self.silences.insert(seq, silence);
            }
            Event::Lifted { silence, by } => {
                if let Some(silence) = self.silences.get_mut(&silence) {
                    silence.until = at.min(silence.until);
                    silence.lifted = Some(by);
                }
            }
            event => self.webhook_changed(at, event),
        }
        self.tidy(at);
    }

    fn webhook_changed(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::Subscribed { webhook: id, url, description, kinds, least, secret, by } => {
                let webhook = Webhook {
                    id: id.clone(),
                    url,
                    description,
                    kinds,
                    least,
                    since: at,
                    by,
                    disabled: None,
                    failing_since: None,
                    last_taken: None,
                    secrets: vec![(secret, None)],
                };
                self.webhooks.insert(id, webhook);
            }
            Event::Rotated { webhook, secret, old_until, .. } => {
                if let Some(webhook) = self.webhooks.get_mut(&webhook) {
                    webhook.secrets.truncate(1);
                    if let Some(old) = webhook.secrets.first_mut() {
                        old.1 = Some(old_until);
                    }
                    webhook.secrets.insert(0, (secret, None));
                }
            }
            Event::Disabled { webhook, why } => {
                self.give_up(&Target::Webhook(webhook.clone()), at);
                if let Some(webhook) = self.webhooks.get_mut(&webhook) {
                    webhook.disabled = Some(why);
                }
            }
            Event::Enabled { webhook, .. } => {
                if let Some(webhook) = self.webhooks.get_mut(&webhook) {
                    webhook.disabled = None;
                    webhook.failing_since = None;
                }
            }
            Event::Removed { webhook, .. } => {
                self.give_up(&Target::Webhook(webhook.clone()), at);
                self.webhooks.remove(&webhook);
            }
            _ => {}
        }
    }

    fn amend(&mut self, alarm: u32, change: impl FnOnce(&mut Alarm)) {
        if let Some(alarm) = self.alarms.get_mut(&alarm) {
            change(alarm);
        }
    }

    fn raised(&mut self, id: u32, at: Timestamp, alert: Alert) {
        let alarm = Alarm {
            id,
            severity: alert.severity,
            raised: at,
            last: at,
            count: 1,
            acknowledged: None,
            over: None,
            told: None,
            steps: 0,
            worsened: false,
            targets: BTreeSet::new(),
            over_told: false,
            alert,
        };
        if let Some(old) = self.by_key.insert(alarm.alert.key(), id) {
            self.amend(old, |old| {
                old.over.get_or_insert((at, "replaced by a newer alarm".to_owned()));
                // Whoever was told will hear of the new one.
                old.over_told = true;
            });
        }
        self.alarms.insert(id, alarm);
    }

    /// A worse alert takes the acknowledgement back: it was given for something milder.
    fn joined(&mut self, alarm: u32, more: u32, at: Timestamp, alert: Alert) {
        self.amend(alarm, |alarm| {
            alarm.count += u64::from(more);
            alarm.last = at;
            if alert.severity > alarm.severity {
                alarm.severity = alert.severity;
                alarm.acknowledged = None;
                alarm.worsened = alarm.told.is_some();
            }
            alarm.alert = alert;
        });
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    fn notified(
        &mut self,
        notice: u32,
        at: Timestamp,
        alarm: Option<u32>,
        reason: super::Reason,
        step: u32,
        targets: Vec<Target>,
        body: &Arc<str>,
    ) {
        use super::Reason;
        if let Some(alarm) = alarm.and_then(|id| self.alarms.get_mut(&id)) {
            alarm.targets.extend(targets.iter().cloned());
            match reason {
                Reason::Over => alarm.over_told = true,
                Reason::Worsened => alarm.worsened = false,
                Reason::Opened | Reason::Escalated | Reason::Test => {
                    alarm.steps = alarm.steps.max(step + 1);
                    alarm.told.get_or_insert(at);
                }
            }
        }
        for target in targets {
            let delivery = Delivery {
                notice,
                target: target.clone(),
                alarm,
                reason,
                body: body.clone(),
                made: at,
                state: DeliveryState::Waiting(at),
                attempts: Vec::new(),
                tried: 0,
            };
            self.deliveries.insert((notice, target), delivery);
        }
    }

    fn attempted(
        &mut self,
        notice: u32,
        target: Target,
        at: Timestamp,
        outcome: Outcome,
        next: Option<Timestamp>,
    ) {
        if let Target::Webhook(id) = &target
            && let Some(webhook) = self.webhooks.get_mut(id)
        {
            if outcome.taken {
                webhook.failing_since = None;
                webhook.last_taken = Some(at);
            } else {
                webhook.failing_since.get_or_insert(at);
            }
        }
        if let Some(delivery) = self.deliveries.get_mut(&(notice, target)) {
            delivery.attempted(at, outcome, next);
        }
    }

    /// Nothing more is told to a target.
    fn give_up(&mut self, target: &Target, at: Timestamp) {
        let pending = self.deliveries.values_mut().filter(|d| d.target == *target && d.is_pending());
        pending.for_each(|delivery| delivery.state = DeliveryState::GivenUp(at));
    }

    /// Forgets the oldest of what is done, when there is too much.
    fn tidy(&mut self, now: Timestamp) {
        if self.alarms.len() > OVER_KEPT + SLACK {
            let is_done =
                |alarm: &Alarm| alarm.over.is_some() && (alarm.over_told || alarm.targets.is_empty());
            let done: Vec<u32> = self.alarms.values().filter(|a| is_done(a)).map(|a| a.id).collect();
            for id in &done[..done.len().saturating_sub(OVER_KEPT)] {
                if let Some(alarm) = self.alarms.remove(id) {
                    let key = alarm.alert.key();
                    if self.by_key.get(&key) == Some(id) {
                        self.by_key.remove(&key);
                    }
                }
            }
        }
        if self.silences.len() > SILENCES_KEPT + SLACK {
            let ended: Vec<u32> = self.silences.values().filter(|s| !s.is_live(now)).map(|s| s.id).collect();
            for id in &ended[..ended.len().saturating_sub(SILENCES_KEPT)] {
                self.silences.remove(id);
            }
        }
        if self.deliveries.len() > DELIVERIES_KEPT + SLACK {
            let pending = self.deliveries.values().filter(|d| d.is_pending()).count();
            let mut surplus = (self.deliveries.len() - pending).saturating_sub(DELIVERIES_KEPT);
            self.deliveries.retain(|_, delivery| {
                let goes = surplus > 0 && !delivery.is_pending();
                surplus -= usize::from(goes);
                !goes
            });
        }
    }
}
