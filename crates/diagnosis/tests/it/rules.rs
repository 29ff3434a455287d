//! Exact rules, and the verdict about one refusal.

use diagnosis::{
    Cause, Change, Diagnose, Scope, Status, What,
    observation::{PinSeen, Position},
};
use model::{ReasonCode, Rrn, Unverifiable};

use crate::world::{MINUTE, World, decline};

/// Pays at a till, changed by `change`; the payment's reference.
fn pay(
    world: &mut World,
    till: usize,
    holder: usize,
    change: impl FnOnce(&mut diagnosis::observation::Payment),
) -> Rrn {
    world.now = world.now.plus_ms(MINUTE);
    let mut payment = world.payment(till, holder, 4000);
    change(&mut payment);
    world.place += 1;
    world.tell(till, What::Payment(payment));
    payment.rrn
}

fn wrong(payment: &mut diagnosis::observation::Payment) {
    decline(payment, ReasonCode::WrongPin, "55", PinSeen::Mismatch);
    payment.try_charged = true;
    payment.tries = (2, 3);
}

#[test]
fn a_slip_is_mistyped_once_the_right_pin_came() {
    let mut world = World::warmed(3000);
    let rrn = pay(&mut world, 3, 1, wrong);
    let at_once = world.diagnosis.verdict(&rrn).unwrap();
    assert_eq!(at_once.cause, Cause::Mistyped);
    pay(&mut world, 3, 1, |_| ());
    let revised = world.diagnosis.verdict(&rrn).unwrap();
    assert_eq!(revised.cause, Cause::Mistyped);
    assert!(revised.confidence > at_once.confidence);
    assert!(revised.evidence.iter().any(|evidence| evidence.name == "succeeded-soon-after"));
}

#[test]
fn wrong_again_and_again_is_forgotten_and_says_so_later() {
    let mut world = World::warmed(3001);
    let first = pay(&mut world, 3, 1, wrong);
    let _ = world.diagnosis.changes();
    let second = pay(&mut world, 3, 1, wrong);
    assert_eq!(world.diagnosis.verdict(&second).unwrap().cause, Cause::Forgotten);
    assert_eq!(world.diagnosis.verdict(&first).unwrap().cause, Cause::Forgotten);
    assert!(world.diagnosis.changes().contains(&Change::Verdict(first)));
    assert_eq!(world.diagnosis.verdict(&first).unwrap().revised.0, 1);
}

#[test]
fn a_locked_card_was_locked_before() {
    let mut world = World::warmed(3002);
    let rrn = pay(&mut world, 3, 1, |payment| {
        decline(payment, ReasonCode::CardLocked, "75", PinSeen::NotAsked);
        payment.locked = true;
    });
    assert_eq!(world.diagnosis.verdict(&rrn).unwrap().cause, Cause::Locked);
    let rrn = pay(&mut world, 3, 2, |payment| {
        decline(payment, ReasonCode::InsufficientFunds, "51", PinSeen::Verified);
    });
    assert_eq!(world.diagnosis.verdict(&rrn).unwrap().cause, Cause::Ordinary);
}

#[test]
fn a_key_serial_number_that_comes_again_is_an_incident() {
    let mut world = World::warmed(3003);
    let rrn = pay(&mut world, 3, 1, |payment| {
        let pin = PinSeen::Unverifiable(Unverifiable::KsnReplayed);
        decline(payment, ReasonCode::KsnReplayed, "63", pin);
    });
    let incidents = world.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].cause, Cause::KsnReplay);
    assert_eq!(world.diagnosis.verdict(&rrn).unwrap().cause, Cause::KsnReplay);
}

#[test]
fn a_clock_that_is_off_ends_when_it_is_right_again() {
    let mut world = World::warmed(3004);
    for holder in 0..5 {
        pay(&mut world, 3, holder, |payment| payment.drift_s = Some(1800));
    }
    let incidents = world.incidents();
    assert_eq!((incidents.len(), incidents[0].cause), (1, Cause::ClockDrift));
    for holder in 5..9 {
        pay(&mut world, 3, holder, |_| ());
    }
    assert_eq!(world.incidents()[0].status, Status::Over);
}

#[test]
fn another_category_on_the_message_is_code_jumping() {
    let mut world = World::warmed(3005);
    for holder in 0..10 {
        pay(&mut world, 3, holder, |payment| {
            if holder % 3 == 0 {
                payment.category_sent = Some(5300);
            }
        });
    }
    let incidents = world.incidents();
    assert_eq!((incidents.len(), incidents[0].cause), (1, Cause::CodeJumping));
    assert_eq!(incidents[0].scope, Scope::Terminal(world.tills[3].device.terminal));
}

#[test]
fn a_terminal_that_stands_elsewhere_has_moved_and_its_cards_have_not() {
    let mut world = World::warmed(3006);
    world.tills[3].device.position = Some(Position { latitude: 39.9, longitude: 116.4 });
    for holder in 0..6 {
        pay(&mut world, 3, holder, |_| ());
        pay(&mut world, 4, holder, |_| ());
    }
    let found: Vec<_> = world.incidents().iter().map(|incident| (incident.cause, incident.scope)).collect();
    assert_eq!(found, [(Cause::MovedTerminal, Scope::Terminal(world.tills[3].device.terminal))]);
}
