//! Faults of terminals, keys and lines: named, placed, and ended.

use diagnosis::{Cause, Diagnose as _, Scope, Status, observation::Symbol};

use crate::world::{MINUTE, Twist, World};

/// The one incident that is there.
fn only(world: &World, cause: Cause, scope: Scope) -> diagnosis::Incident {
    let incidents = world.incidents();
    let found: Vec<_> = incidents.iter().map(|i| (i.cause, i.scope, i.confidence)).collect();
    assert_eq!(found.len(), 1, "{found:?} {:#?}", world.diagnosis.incidents());
    assert_eq!((incidents[0].cause, incidents[0].scope), (cause, scope), "{:#?}", incidents[0]);
    incidents[0].clone()
}

fn scope(world: &World, till: usize) -> Scope {
    Scope::Terminal(world.tills[till].device.terminal)
}

#[test]
fn a_wrong_terminal_key_is_named_within_three_sessions_and_costs_no_try() {
    for seed in 0..4 {
        let mut world = World::warmed(seed);
        world.twist(Twist::Unreadable, |till, _| till.device.terminal.as_str() == "T0000007");
        world.live_at(7, 3, 2 * MINUTE);
        let incident = only(&world, Cause::WrongTerminalKey, scope(&world, 7));
        assert!(incident.sessions_to_detection <= 3, "{incident:?}");
        assert!(incident.harmed.is_empty());
        assert!(incident.confidence > 0.8, "{incident:?}");
    }
}

#[test]
fn a_key_fault_masked_as_wrong_pins_is_no_spray_once_cards_succeed_elsewhere() {
    for seed in 0..4 {
        let mut world = World::warmed(100 + seed);
        world.twist(Twist::Masked, |till, _| till.device.terminal.as_str() == "T0000009");
        world.live_at(9, 8, MINUTE);
        world.live(4000, 1500.0);
        only(&world, Cause::WrongTerminalKey, scope(&world, 9));
    }
}

#[test]
fn a_dead_key_is_a_keypad_fault() {
    for seed in 0..4 {
        let mut world = World::warmed(200 + seed);
        world.twist(Twist::DeadKey(0.4), |till, _| till.device.terminal.as_str() == "T0000011");
        world.live_at(11, 50, 2 * MINUTE);
        world.live(500, 1500.0);
        only(&world, Cause::KeypadFault, scope(&world, 11));
    }
}

#[test]
fn exchanged_rows_of_keys_are_a_keypad_fault_and_its_tries_are_given_back() {
    for seed in 0..4 {
        let mut world = World::warmed(250 + seed);
        world.twist(Twist::DeadKey(0.97), |till, _| till.device.terminal.as_str() == "T0000011");
        world.live_at(11, 8, 2 * MINUTE);
        world.live(3000, 1500.0);
        let incident = only(&world, Cause::KeypadFault, scope(&world, 11));
        assert!(!incident.harmed.is_empty(), "tries were consumed by a fault");
    }
}

#[test]
fn a_lossy_carrier_is_one_incident() {
    for seed in 0..4 {
        let mut world = World::warmed(300 + seed);
        world.twist(Twist::Loses(0.3), |till, _| till.device.carrier == Symbol(32));
        world.live(1200, 1500.0);
        only(&world, Cause::NetworkLoss, Scope::Network(Symbol(32)));
    }
}

#[test]
fn doubles_are_the_terminals_doing() {
    for seed in 0..4 {
        let mut world = World::warmed(400 + seed);
        world.twist(Twist::Doubles(0.25), |till, _| till.device.terminal.as_str() == "T0000013");
        world.live_at(13, 50, 2 * MINUTE);
        only(&world, Cause::DuplicateSubmission, scope(&world, 13));
    }
}

#[test]
fn a_zone_key_is_one_incident_and_not_sixty() {
    for seed in 0..4 {
        let mut world = World::warmed(500 + seed);
        world.twist(Twist::ZoneUnreadable, |_, holder| holder.zone == Symbol(101));
        world.live(600, 1500.0);
        only(&world, Cause::ZoneKey, Scope::Zone(Symbol(101)));
    }
}

#[test]
fn a_module_that_is_away_is_the_instances_fault() {
    for seed in 0..4 {
        let mut world = World::warmed(600 + seed);
        world.twist(Twist::ModuleAway(0.7), |_, _| true);
        world.live(100, 1500.0);
        only(&world, Cause::HsmFault, Scope::Instance(Symbol(1)));
    }
}

#[test]
fn a_screen_that_fails_makes_people_cancel() {
    for seed in 0..4 {
        let mut world = World::warmed(700 + seed);
        world.twist(Twist::Cancels(0.4), |till, _| till.device.terminal.as_str() == "T0000015");
        world.live_at(15, 50, 2 * MINUTE);
        only(&world, Cause::ScreenFault, scope(&world, 15));
    }
}

#[test]
fn after_the_key_load_it_is_over() {
    let mut world = World::warmed(42);
    world.twist(Twist::Unreadable, |till, _| till.device.terminal.as_str() == "T0000007");
    world.live_at(7, 5, 2 * MINUTE);
    world.twists.clear();
    world.tell(7, diagnosis::What::KeyLoad);
    world.live_at(7, 8, 2 * MINUTE);
    assert_eq!(only(&world, Cause::WrongTerminalKey, scope(&world, 7)).status, Status::Over);
}

#[test]
fn a_bouncing_key_is_a_keypad_fault_too() {
    let mut named = 0;
    for seed in 0..4 {
        let mut world = World::warmed(800 + seed);
        world.twist(Twist::Bounce(0.3), |till, _| till.device.terminal.as_str() == "T0000017");
        world.live_at(17, 120, 2 * MINUTE);
        let incidents = world.incidents();
        named += usize::from(incidents.len() == 1 && incidents[0].cause == Cause::KeypadFault);
    }
    assert!(named >= 3, "{named} of 4");
}

#[test]
fn a_silent_issuer_is_the_zones_line() {
    for seed in 0..3 {
        let mut world = World::warmed(900 + seed);
        world.twist(Twist::Silent(0.8), |_, holder| holder.zone == Symbol(102));
        world.live(600, 1500.0);
        only(&world, Cause::NetworkLoss, Scope::Zone(Symbol(102)));
    }
}

/// New PINs were mailed to one bank's cards: holders are wrong four times as often, and succeed in the end.
#[test]
fn a_mailing_of_new_pins_is_no_incident() {
    for seed in 0..3 {
        let mut world = World::warmed(1000 + seed);
        world.twist(Twist::MoreWrong(0.1), |_, holder| holder.bin == 950_001);
        world.live(6000, 1500.0);
        let found: Vec<_> = world.incidents().iter().map(|i| (i.cause, i.scope)).collect();
        assert_eq!(found, []);
    }
}
