//! The desk as a table of moments: what is raised, who is told when.

use model::Timestamp;

use super::*;
use crate::{
    alert::tests::alert,
    payload::Payload,
    settings::{Language, Mail, MailTls, Settings},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A desk, its settings, and the facts so far.
struct World {
    desk: Desk,
    settings: Settings,
    told: Vec<(i64, Reason, Vec<Target>)>,
}

impl World {
    fn new() -> Self {
        let mail = Mail {
            host: "localhost".to_owned(),
            port: None,
            tls: MailTls::None,
            user: None,
            password_file: None,
            from: "pinward@bank.example".to_owned(),
            to: vec!["night@bank.example".to_owned()],
            language: Language::En,
        };
        let settings = Settings { mail: Some(mail), ..Settings::default() };
        let mut world = Self { desk: Desk::default(), settings, told: Vec::new() };
        world.subscribe("wha", Severity::Info, &[]);
        world
    }

    fn put(&mut self, at: i64, event: Event) -> u32 {
        let seq = self.desk.seq() + 1;
        if let Event::Notified { reason, targets, .. } = &event {
            self.told.push((at, *reason, targets.clone()));
        }
        // What is written is read: the fold is the same after a restart.
        let fact = store::Fact {
            place: 1,
            stream: STREAM.to_owned(),
            seq,
            at: Timestamp(at),
            kind: event.kind().to_owned(),
            body: event.body().unwrap(),
        };
        assert_eq!(Event::of(&fact).unwrap(), event);
        self.desk.apply(seq, Timestamp(at), event);
        seq
    }

    fn subscribe(&mut self, id: &str, least: Severity, kinds: &[&str]) {
        let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let event =
            self.desk.subscribe(id, "https://x.example/", "", &kinds, least, vec![1], "li.na").unwrap();
        self.put(0, event);
    }

    fn raise(&mut self, terminal: &str, severity: Severity, at: i64) -> u32 {
        let alert = alert(terminal, severity, at);
        let event = self.desk.raise(&alert, 1, Timestamp(at), &self.settings).unwrap();
        let seq = self.put(at, event);
        self.run(at);
        *self.desk.by_key.get(&alert.key()).unwrap_or(&seq)
    }

    /// Everything that is due at a moment.
    fn run(&mut self, at: i64) {
        for _ in 0..100 {
            let Some(event) = self.desk.due(Timestamp(at), &self.settings) else { return };
            self.put(at, event);
        }
        panic!("it never ends");
    }

    /// One attempt at the first due delivery.
    fn attempt(&mut self, at: i64, outcome: Outcome) -> DeliveryKey {
        let key = self.desk.due_deliveries(Timestamp(at))[0].clone();
        let begin = self.desk.attempt(&key, "here", Timestamp(at)).unwrap();
        self.put(at, begin);
        let next = self.desk.deliveries[&key].next(Timestamp(at), &outcome, 0.0);
        let (notice, target) = key.clone();
        self.put(at, Event::Attempted { notice, target, outcome, next });
        key
    }

    fn standing(&self, id: u32, at: i64) -> Standing {
        self.desk.standing(self.desk.alarm(id).unwrap(), Timestamp(at))
    }

    fn reasons(&self) -> Vec<(i64, Reason, usize)> {
        self.told.iter().map(|(at, reason, targets)| (*at, *reason, targets.len())).collect()
    }
}

fn answer(status: u16) -> Outcome {
    Outcome {
        taken: status == 200,
        status: Some(status),
        said: "ok".to_owned(),
        took_ms: 3,
        gone: status == 410,
        retry_after_s: None,
    }
}

#[test]
fn alerts_about_one_thing_are_one_alarm() {
    let mut world = World::new();
    let id = world.raise("T1", Severity::Warning, 0);
    for n in 1..=50 {
        assert_eq!(world.raise("T1", Severity::Warning, n * 1000), id);
    }
    assert_ne!(world.raise("T2", Severity::Warning, 51_000), id);
    let alarm = world.desk.alarm(id).unwrap();
    assert_eq!((alarm.count, alarm.last, alarm.raised), (51, Timestamp(50_000), Timestamp(0)));
    let opened: Vec<_> =
        world.told.iter().filter(|told| told.1 == Reason::Opened && !told.2.is_empty()).collect();
    assert_eq!(opened.len(), 2, "each is told once: {:?}", world.told);
}

#[test]
fn it_says_what_it_was_told_already() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 5000);
    let key = |terminal| alert(terminal, Severity::Warning, 0).key();
    for (terminal, at, known) in
        [("T1", 4000, true), ("T1", 5000, true), ("T1", 5001, false), ("T2", 1, false)]
    {
        assert_eq!(world.desk.knows(&key(terminal), Timestamp(at)), known, "{terminal} {at}");
    }
}

#[test]
fn alerts_that_are_far_apart_are_two_alarms() {
    let mut world = World::new();
    let first = world.raise("T1", Severity::Warning, 0);
    let second = world.raise("T1", Severity::Warning, HOUR + 1);
    assert_ne!(first, second);
    assert_eq!(world.standing(first, HOUR + 1), Standing::Over);
    assert!(world.told.iter().all(|told| told.1 != Reason::Over), "whoever was told hears of the new one");
}

#[test]
fn nobody_acknowledges_and_the_next_is_told() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    // Step 1 is mail for critical alarms only: it is passed over.
    assert_eq!(world.reasons(), [(0, Reason::Opened, 1), (0, Reason::Opened, 0)]);
    world.run(15 * MINUTE - 1);
    assert_eq!(world.told.len(), 2);
    world.run(15 * MINUTE);
    let night = Target::Mail("night@bank.example".to_owned());
    assert_eq!(world.told[2], (15 * MINUTE, Reason::Escalated, vec![night]));
    world.run(DAY);
    assert_eq!(world.told.len(), 3, "the ladder has an end");
}

#[test]
fn whoever_acknowledges_stops_the_ladder() {
    let mut world = World::new();
    let id = world.raise("T1", Severity::Warning, 0);
    let event = world.desk.acknowledge(id, "li.na", "on it, card 6216261000000000018").unwrap();
    world.put(MINUTE, event);
    world.run(HOUR);
    assert_eq!(world.told.len(), 2);
    assert_eq!(world.standing(id, HOUR), Standing::Acknowledged);
    let acknowledged = world.desk.alarm(id).unwrap().acknowledged.clone().unwrap();
    assert_eq!(acknowledged.note, "on it, card 621626*********0018");
    assert!(matches!(world.desk.acknowledge(id, "li.na", ""), Err(Refusal::Conflict(_))));
    assert_eq!(world.desk.acknowledge(999, "li.na", ""), Err(Refusal::Unknown("alarm")));
    assert!(matches!(world.desk.acknowledge(id, " ", ""), Err(Refusal::Invalid { field: "by", .. })));
}

#[test]
fn a_worse_alert_takes_the_acknowledgement_back_and_is_told() {
    let mut world = World::new();
    let id = world.raise("T1", Severity::Warning, 0);
    let event = world.desk.acknowledge(id, "li.na", "").unwrap();
    world.put(MINUTE, event);
    world.raise("T1", Severity::Info, 2 * MINUTE);
    assert_eq!(world.standing(id, 2 * MINUTE), Standing::Acknowledged, "milder changes nothing");
    world.raise("T1", Severity::Critical, 3 * MINUTE);
    assert_eq!(world.standing(id, 3 * MINUTE), Standing::Open);
    // Now also those whom the first steps passed over.
    assert_eq!(world.reasons().last(), Some(&(3 * MINUTE, Reason::Worsened, 2)));
    world.run(16 * MINUTE);
    assert_eq!(world.reasons().last(), Some(&(16 * MINUTE, Reason::Escalated, 1)));
}

#[test]
fn what_is_over_is_told_to_those_who_heard_of_it() {
    let mut world = World::new();
    let id = world.raise("T1", Severity::Warning, 0);
    world.subscribe("whb", Severity::Info, &[]);
    let key = alert("T1", Severity::Info, 0).key();
    let event = world.desk.resolve(&key, "signed in").unwrap();
    world.put(MINUTE, event);
    world.run(MINUTE);
    assert_eq!(world.told.last().unwrap(), &(MINUTE, Reason::Over, vec![Target::Webhook("wha".to_owned())]));
    assert_eq!(world.desk.resolve(&key, "again"), None);
    assert_eq!(world.desk.resolve("another", "why"), None);
    assert_eq!(world.standing(id, MINUTE), Standing::Over);
    assert!(matches!(world.desk.acknowledge(id, "li.na", ""), Err(Refusal::Conflict(_))));
    let body: Payload = serde_json::from_str(&world.desk.deliveries.values().last().unwrap().body).unwrap();
    assert_eq!((body.kind.as_str(), body.data.unwrap().over.as_deref()), ("alarm.over", Some("signed in")));
}

#[test]
fn a_webhook_hears_of_what_it_wants() {
    let mut world = World::new();
    world.subscribe("whb", Severity::Critical, &[]);
    world.subscribe("whc", Severity::Info, &["pin-spray"]);
    world.subscribe("whd", Severity::Warning, &["pin-spray", "wrong-terminal-key"]);
    world.raise("T1", Severity::Warning, 0);
    let hook = |id: &str| Target::Webhook(id.to_owned());
    assert_eq!(world.told[0].2, [hook("wha"), hook("whd")]);
}

#[test]
fn a_silence_holds_back_and_its_end_tells() {
    let mut world = World::new();
    let matcher = Matcher { scope_id: Some("T1".to_owned()), ..Matcher::default() };
    let until = Timestamp(30 * MINUTE);
    let event = world.desk.silence(matcher, until, "li.na", "repair", Timestamp(0)).unwrap();
    let silence = world.put(0, event);
    let id = world.raise("T1", Severity::Warning, MINUTE);
    let other = world.raise("T2", Severity::Warning, MINUTE);
    assert_eq!(world.standing(id, MINUTE), Standing::Silenced);
    assert_eq!(world.standing(other, MINUTE), Standing::Open);
    assert!(world.told.iter().all(|told| told.0 == MINUTE && told.2.len() <= 1));
    let before = world.told.len();
    world.run(30 * MINUTE - 1);
    // The other one has escalated meanwhile.
    assert_eq!(world.told.len(), before + 1);
    world.run(30 * MINUTE);
    assert_eq!(
        world.told[before + 1],
        (30 * MINUTE, Reason::Opened, vec![Target::Webhook("wha".to_owned())])
    );
    assert!(matches!(world.desk.lift(silence, "li.na", Timestamp(30 * MINUTE)), Err(Refusal::Conflict(_))));
}

#[test]
fn what_was_quiet_before_the_silence_ended_is_not_told() {
    let mut world = World::new();
    let matcher = Matcher { kind: Some("wrong-terminal-key".to_owned()), ..Matcher::default() };
    let event = world.desk.silence(matcher, Timestamp(DAY), "li.na", "drill", Timestamp(0)).unwrap();
    let silence = world.put(0, event);
    let id = world.raise("T1", Severity::Warning, MINUTE);
    let event = world.desk.lift(silence, "wang.wei", Timestamp(5 * HOUR)).unwrap();
    world.put(5 * HOUR, event);
    world.run(5 * HOUR);
    assert_eq!((world.told.len(), world.standing(id, 5 * HOUR)), (0, Standing::Over));
}

#[test]
fn a_silence_may_let_through_what_is_worse() {
    let matcher = Matcher { most: Some(Severity::Warning), ..Matcher::default() };
    let one = alert("T1", Severity::Critical, 0);
    assert!(matcher.matches(&one, Severity::Warning) && !matcher.matches(&one, Severity::Critical));
}

#[test]
fn a_silence_says_what_until_when_and_why() {
    let desk = Desk::default();
    let kind = Matcher { kind: Some("k".to_owned()), ..Matcher::default() };
    let silence = |matcher: &Matcher, until, why: &str| {
        desk.silence(matcher.clone(), Timestamp(until), "li.na", why, Timestamp(1000))
    };
    assert!(silence(&kind, 2000, "why").is_ok());
    let refused = [
        silence(&Matcher::default(), 2000, "why"),
        silence(&kind, 1000, "why"),
        silence(&kind, 91 * DAY, "why"),
        silence(&kind, 2000, "  "),
        silence(&kind, 2000, &"w".repeat(501)),
        silence(&Matcher { kind: Some(String::new()), ..Matcher::default() }, 2000, "why"),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Refusal::Invalid { .. })), "{refused:?}");
    }
}

#[test]
fn a_delivery_is_tried_again_until_it_is_taken() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    let key = world.attempt(0, answer(500));
    assert_eq!(world.desk.deliveries[&key].state, DeliveryState::Waiting(Timestamp(5000)));
    assert_eq!(world.desk.due_deliveries(Timestamp(4999)), []);
    let id = world.desk.deliveries[&key].message_id();
    assert_eq!(world.attempt(5000, answer(200)), key);
    let delivery = &world.desk.deliveries[&key];
    assert_eq!((delivery.state.clone(), delivery.tried), (DeliveryState::Delivered(Timestamp(5000)), 2));
    assert_eq!(delivery.message_id(), id, "a receiver knows the repeat by it");
    assert!(!id.contains('.'));
    assert_eq!(world.desk.webhook("wha").unwrap().failing_since, None);
}

#[test]
fn a_delivery_is_given_up_after_three_days() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    let mut at = 0;
    for tried in 1..=10 {
        let key = world.attempt(at, answer(503));
        let delivery = &world.desk.deliveries[&key];
        assert_eq!(delivery.tried, tried);
        match delivery.state {
            DeliveryState::Waiting(next) => at = next.0,
            ref state => assert_eq!((state, tried), (&DeliveryState::GivenUp(Timestamp(at)), 10)),
        }
    }
    assert_eq!(at / 1000, 75 * 3600 + 35 * 60 + 5, "75:35:05, as the specification's example");
}

#[test]
fn the_wait_has_jitter_and_heeds_the_receiver() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    let delivery = world.desk.deliveries.values().next().unwrap();
    let next = |outcome: &Outcome, dice| delivery.next(Timestamp(0), outcome, dice).map(|next| next.0);
    assert_eq!(next(&answer(500), 0.0), Some(5000));
    assert_eq!(next(&answer(500), 1.0), Some(6000));
    let wish = |s| Outcome { retry_after_s: Some(s), ..answer(429) };
    assert_eq!(next(&wish(120), 0.0), Some(120_000));
    assert_eq!(next(&wish(1), 0.0), Some(5000), "not sooner than the schedule");
    assert_eq!(next(&wish(u32::MAX), 0.0), Some(DAY));
    assert_eq!(next(&answer(410), 0.0), None);
    assert_eq!(next(&answer(200), 0.0), None);
}

#[test]
fn a_host_that_died_in_an_attempt_is_replaced() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    let key = world.desk.due_deliveries(Timestamp(0))[0].clone();
    let event = world.desk.attempt(&key, "dead", Timestamp(0)).unwrap();
    world.put(0, event);
    assert_eq!(world.desk.attempt(&key, "other", Timestamp(MINUTE)), None, "it is at it");
    assert_eq!(world.desk.due_deliveries(Timestamp(MINUTE)), []);
    assert!(world.desk.attempt(&key, "other", Timestamp(MINUTE + 1)).is_some());
    world.desk.forget_attempts();
    assert_eq!(world.desk.due_deliveries(Timestamp(1)), [key], "a process that is alone need not wait");
}

#[test]
fn a_target_gets_one_thing_at_a_time() {
    let mut world = World::new();
    for terminal in ["T1", "T2", "T3"] {
        world.raise(terminal, Severity::Warning, 0);
    }
    assert_eq!(world.desk.due_deliveries(Timestamp(0)).len(), 1);
    world.attempt(0, answer(200));
    assert_eq!(world.desk.due_deliveries(Timestamp(0)).len(), 1);
}

#[test]
fn a_webhook_that_fails_for_days_is_disabled() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    world.attempt(0, answer(500));
    world.run(5 * DAY - 1);
    assert_eq!(world.desk.webhook("wha").unwrap().disabled, None);
    world.run(5 * DAY);
    assert_eq!(world.desk.webhook("wha").unwrap().disabled.as_deref(), Some("it has failed for 5 days"));
    assert!(
        !world.desk.deliveries.values().any(|d| matches!(d.target, Target::Webhook(_)) && d.is_pending())
    );
    assert!(matches!(world.desk.test("wha", Timestamp(5 * DAY)), Err(Refusal::Conflict(_))));
    let before = world.told.len();
    world.raise("T9", Severity::Warning, 5 * DAY);
    assert!(world.told[before..].iter().all(|told| told.2.is_empty()), "it gets nothing");
    let event = world.desk.enable("wha", "li.na").unwrap();
    world.put(6 * DAY, event);
    assert!(world.desk.test("wha", Timestamp(6 * DAY)).is_ok());
    assert!(matches!(world.desk.enable("wha", "li.na"), Err(Refusal::Conflict(_))));
}

#[test]
fn a_webhook_that_is_gone_is_disabled_at_once() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    world.attempt(0, answer(410));
    world.run(1);
    assert!(world.desk.webhook("wha").unwrap().disabled.as_deref().unwrap().contains("410"));
}

#[test]
fn a_webhook_that_is_removed_gets_nothing_more() {
    let mut world = World::new();
    world.raise("T1", Severity::Warning, 0);
    let event = world.desk.remove("wha", "li.na").unwrap();
    world.put(1, event);
    assert_eq!(world.desk.due_deliveries(Timestamp(1)), []);
    assert_eq!(world.desk.remove("wha", "li.na"), Err(Refusal::Unknown("webhook")));
    let event = world.desk.resolve(&alert("T1", Severity::Info, 0).key(), "why").unwrap();
    world.put(2, event);
    world.run(2);
    assert_eq!(world.told.last().unwrap().2, []);
}

#[test]
fn while_a_secret_changes_both_sign() {
    let mut world = World::new();
    let rotate = |world: &mut World, secret: u8, at, until| {
        let event = world.desk.rotate("wha", vec![secret], Timestamp(until), "li.na").unwrap();
        world.put(at, event);
    };
    let signing = |world: &World, at| -> Vec<u8> {
        world.desk.webhook("wha").unwrap().signing(Timestamp(at)).map(|secret| secret[0]).collect()
    };
    rotate(&mut world, 2, 10, 100);
    assert_eq!((signing(&world, 99), signing(&world, 100)), (vec![2, 1], vec![2]));
    assert_eq!(world.desk.webhook("wha").unwrap().old_secret_until(Timestamp(99)), Some(Timestamp(100)));
    // Two at most: a third rotation in a row ends the first.
    rotate(&mut world, 3, 20, 200);
    assert_eq!(signing(&world, 99), [3, 2]);
}

#[test]
fn alarms_end_by_themselves_and_are_forgotten_in_the_end() {
    let mut world = World::new();
    let seen = world.raise("T1", Severity::Warning, 0);
    let event = world.desk.acknowledge(seen, "li.na", "").unwrap();
    world.put(0, event);
    let unseen = world.raise("T2", Severity::Warning, 0);
    world.run(DAY + 1);
    assert_eq!((world.standing(seen, DAY), world.standing(unseen, DAY)), (Standing::Over, Standing::Open));
    world.run(7 * DAY + 1);
    assert_eq!(world.standing(unseen, 7 * DAY), Standing::Over);
    for n in 0..700 {
        let at = 10 * DAY + n;
        world.raise(&format!("X{n}"), Severity::Info, at);
        let event = world.desk.resolve(&alert(&format!("X{n}"), Severity::Info, 0).key(), "why").unwrap();
        world.put(at, event);
        world.run(at);
    }
    assert!((500..=601).contains(&world.desk.alarms.len()), "{}", world.desk.alarms.len());
    assert!(world.desk.alarm(seen).is_none() && world.desk.by_key.len() <= world.desk.alarms.len());
}

#[test]
fn a_flood_is_refused() {
    let mut world = World::new();
    for n in 0..1000 {
        let event = Event::Raised { alert: Box::new(alert(&format!("X{n}"), Severity::Info, 0)) };
        world.put(0, event);
    }
    let more = world.desk.raise(&alert("one more", Severity::Info, 0), 1, Timestamp(0), &world.settings);
    assert_eq!(more, Err(Refusal::TooMany(1000, "open alarms")));
    let known = world.desk.raise(&alert("X7", Severity::Info, 0), 5, Timestamp(0), &world.settings);
    assert!(matches!(known, Ok(Event::Joined { more: 5, .. })), "what is known is still counted");
}

#[test]
fn a_fact_of_a_newer_program_is_not_misread() {
    let fact = |body: &str| store::Fact {
        place: 1,
        stream: STREAM.to_owned(),
        seq: 1,
        at: Timestamp(0),
        kind: "lifted".to_owned(),
        body: body.as_bytes().to_vec(),
    };
    assert!(Event::of(&fact(r#"{"v":1,"event":"lifted","silence":1,"by":"x"}"#)).is_ok());
    for bad in [r#"{"v":2,"event":"lifted","silence":1,"by":"x"}"#, r#"{"v":1,"event":"sung"}"#, "{}", ""] {
        assert!(Event::of(&fact(bad)).is_err(), "{bad}");
    }
}
