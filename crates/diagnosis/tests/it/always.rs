//! What must always hold: the same observations say the same, repetitions change nothing, gaps make no incidents, memory has
//! an end, and a healthy month stays silent.

use diagnosis::{Cause, Diagnose, Diagnosis, Observation, Status, Tuning, What, observation::Symbol};

use crate::world::{MINUTE, Twist, World};

/// A day with three incidents, as a tape.
fn tape(seed: u64) -> (World, Vec<Observation>) {
    let mut world = World::new(seed, 60, 3000);
    world.tape = Some(Vec::new());
    world.live(4000, 1500.0);
    world.twist(Twist::ZoneUnreadable, |_, holder| holder.zone == Symbol(101));
    world.live(500, 1500.0);
    world.twists.clear();
    world.twist(Twist::DeadKey(0.4), |till, _| till.device.terminal.as_str() == "T0000011");
    world.live_at(11, 50, 2 * MINUTE);
    world.live(1000, 1500.0);
    let tape = world.tape.take().unwrap();
    (world, tape)
}

#[test]
fn the_same_observations_say_the_same() {
    let (world, tape) = tape(1);
    let mut again = Diagnosis::new(Tuning::default());
    tape.iter().for_each(|observation| again.observe(observation));
    assert!(world.diagnosis.incidents().len() >= 2);
    assert_eq!(world.diagnosis.incidents(), again.incidents());
    for observation in &tape {
        if let What::Payment(payment) = &observation.what {
            assert_eq!(world.diagnosis.verdict(&payment.rrn), again.verdict(&payment.rrn));
        }
    }
}

#[test]
fn repetitions_change_nothing() {
    let (world, tape) = tape(2);
    let mut again = Diagnosis::new(Tuning::default());
    for window in tape.chunks(40) {
        window.iter().for_each(|observation| again.observe(observation));
        window.iter().for_each(|observation| again.observe(observation));
    }
    assert_eq!(world.diagnosis.incidents(), again.incidents());
}

#[test]
fn a_gap_is_no_incident_and_breaks_every_run() {
    let mut world = World::warmed(3);
    let till = "T0000007";
    world.twist(Twist::Unreadable, move |t, _| t.device.terminal.as_str() == till);
    world.live_at(7, 1, MINUTE);
    let since = world.now;
    world.now = world.now.plus_ms(10 * MINUTE);
    world.tell(7, What::Gap { since });
    world.live_at(7, 1, MINUTE);
    assert_eq!(world.incidents(), [], "one before and one after a gap are no run");
    // a clock that jumps back is a gap as well
    world.now = world.now.plus_ms(-60 * MINUTE);
    world.live_at(7, 1, MINUTE);
    assert_eq!(world.incidents(), []);
    world.live_at(7, 3, MINUTE);
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn an_incident_without_signs_is_over_at_last() {
    let mut world = World::warmed(4);
    world.twist(Twist::Unreadable, |till, _| till.device.terminal.as_str() == "T0000007");
    world.live_at(7, 5, MINUTE);
    assert_eq!(world.incidents()[0].status, Status::Open);
    let mut now = world.now;
    for _ in 0..40 {
        now = now.plus_ms(30 * MINUTE);
        world.diagnosis.advance(now);
    }
    assert_eq!(world.incidents()[0].status, Status::Over);
}

#[test]
fn memory_has_an_end() {
    let small = include_str!("../../tuning.toml")
        .replace("terminals = 65536", "terminals = 32")
        .replace("cards = 500000", "cards = 400")
        .replace("refusals = 131072", "refusals = 50")
        .replace("incidents = 4096", "incidents = 3");
    let mut world = World::new(5, 200, 3000);
    world.diagnosis = Diagnosis::new(Tuning::from_toml(&small).unwrap());
    world.twist(Twist::Unreadable, |till, _| till.stan % 50 > 40);
    world.live(5000, 1500.0);
    let (terminals, cards) = world.diagnosis.remembered();
    assert!(terminals <= 32 && cards <= 400, "{terminals} {cards}");
    assert!(world.diagnosis.incidents().len() <= 3);
}

/// A million card sessions at terminals that differ, through nights and days.
#[test]
#[ignore = "a million sessions take two minutes without optimization: cargo xtask ci --long, or with --release"]
fn a_million_healthy_sessions_give_two_false_incidents_at_most() {
    let mut world = World::new(6, 2000, 60_000);
    world.live(1_000_000, 40_000.0);
    let found: Vec<_> = world.incidents().iter().map(|i| (i.cause, i.scope, i.status)).collect();
    assert!(found.len() <= 2, "{found:?}");
}

#[test]
fn healthy_days_are_silent() {
    let mut world = World::new(7, 150, 5000);
    world.live(30_000, 3000.0);
    let found: Vec<(Cause, _)> = world.incidents().iter().map(|i| (i.cause, i.scope)).collect();
    assert_eq!(found, []);
    let suspected = world.diagnosis.incidents().len();
    assert!(suspected <= 12, "{suspected} suspicions that came to nothing");
}
