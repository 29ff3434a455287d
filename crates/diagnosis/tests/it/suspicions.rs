//! What is watched: long before an alarm, rarely for nothing, and never an alarm by itself.

use diagnosis::{Cause, Diagnose as _, Scope, Suspicion};

use crate::world::{MINUTE, Twist, World};

const TILL: usize = 11;

fn at_till(world: &World) -> Scope {
    Scope::Terminal(world.tills[TILL].device.terminal)
}

fn of_till(world: &World) -> Option<Suspicion> {
    world.diagnosis.suspicions(50).into_iter().find(|suspicion| suspicion.scope == at_till(world))
}

/// Card sessions until a fault at the till is suspected, and until it is an incident: means over some mornings.
fn sessions(seeds: std::ops::Range<u64>, twist: Twist, cause: Cause) -> (f64, f64) {
    let (mut suspected, mut named) = (0, 0);
    let mornings = (seeds.end - seeds.start) as f64;
    for seed in seeds {
        let mut world = World::warmed(seed);
        world.twist(twist, |till, _| till.device.terminal.as_str() == "T0000011");
        let (mut is_suspected, mut is_named) = (false, false);
        for _ in 1..=30 {
            world.live_at(TILL, 2, 2 * MINUTE);
            is_suspected |= of_till(&world).is_some_and(|suspicion| suspicion.cause == cause);
            let is_it =
                |incident: &diagnosis::Incident| incident.scope == at_till(&world) && incident.cause == cause;
            is_named |= world.incidents().iter().any(is_it);
            suspected += if is_suspected { 0 } else { 2 };
            named += if is_named { 0 } else { 2 };
            if is_suspected && is_named {
                break;
            }
        }
    }
    (f64::from(suspected) / mornings, f64::from(named) / mornings)
}

#[test]
fn a_dead_key_is_watched_before_it_is_an_incident() {
    let (suspected, named) = sessions(600..604, Twist::DeadKey(0.4), Cause::KeypadFault);
    assert!(suspected <= 10.0 && suspected < named, "{suspected}, {named}");
}

#[test]
fn a_line_that_loses_is_watched_before_it_is_an_incident() {
    let (suspected, named) = sessions(620..624, Twist::Loses(0.35), Cause::NetworkLoss);
    assert!(suspected <= 10.0 && suspected < named, "{suspected}, {named}");
}

#[test]
fn doubles_are_watched_before_they_are_an_incident() {
    let (suspected, named) = sessions(620..624, Twist::Doubles(0.3), Cause::DuplicateSubmission);
    assert!(suspected <= 12.0 && suspected < named, "{suspected}, {named}");
}

#[test]
fn of_a_healthy_town_little_is_watched_and_nothing_is_an_alarm() {
    let (mut watched, mut terminals) = (0, 0);
    for seed in 640..643 {
        let mut world = World::warmed(seed);
        for _ in 0..4 {
            world.live(1500, 1500.0);
            let suspicions = world.diagnosis.suspicions(1000);
            assert!(suspicions.iter().all(|s| s.log_odds > 0.0 && !s.evidence.is_empty()), "{suspicions:#?}");
            (watched, terminals) = (watched + suspicions.len(), terminals + world.tills.len());
        }
        assert!(world.incidents().is_empty());
    }
    assert!(watched * 40 <= terminals, "{watched} of {terminals}");
}

#[test]
fn sessions_that_nobody_remembers_look_like_nothing() {
    let mut world = World::warmed(660);
    world.live_at(TILL, 20, MINUTE);
    let id = world.tills[TILL].device.terminal;
    let remembered = world.diagnosis.sessions_at(&id).unwrap();
    let newest = remembered.end - 5..remembered.end;
    let looks = world.diagnosis.looks_like(&id, newest).unwrap();
    assert_eq!((looks.sessions, looks.scope), (5, at_till(&world)));
    let forgotten = remembered.start.wrapping_sub(1);
    assert_eq!(world.diagnosis.looks_like(&id, forgotten..remembered.end), None);
    assert_eq!(world.diagnosis.looks_like(&id, remembered.end..remembered.end + 5), None);
    assert_eq!(world.diagnosis.sessions_at(&"NOBODY00".parse().unwrap()), None);
}
