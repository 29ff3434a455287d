//! Proof of identity: what gives which level, and what the level opens.

use desk::{Action, House, Level, Outcome, Proof, Refusal, SentCode, identity::NotAdmitted};
use model::Timestamp;

use crate::world::{AGENT, HOUR, MINUTE, World, locked};

fn proof(method: &str, asked: &[&str], right: u8, wrong: u8) -> Proof {
    Proof {
        method: method.to_owned(),
        asked: asked.iter().map(|&q| q.to_owned()).collect(),
        right,
        wrong,
        contact_unchanged_h: Some(48),
    }
}

fn code(right: u8, wrong: u8) -> Proof {
    proof("code-to-contact-on-file", &["one-time-code"], right, wrong)
}

#[test]
fn what_was_asked_and_answered_gives_the_level() {
    let identity = &House::builtin().identity;
    let facts = ["full-name", "id-tail"];
    for (proof, level) in [
        (proof("known-facts", &facts, 2, 0), Level::L1),
        (proof("known-facts", &facts, 2, 1), Level::L1),
        (proof("known-facts", &facts, 1, 0), Level::L0),
        (proof("known-facts", &["full-name", "full-name"], 2, 0), Level::L0),
        (proof("known-facts", &["one-time-code"], 1, 0), Level::L0),
        (proof("known-facts", &facts, 3, 0), Level::L0),
        (code(1, 0), Level::L2),
        (code(0, 1), Level::L0),
        (Proof { contact_unchanged_h: Some(23), ..code(1, 0) }, Level::L1),
        (Proof { contact_unchanged_h: None, ..code(1, 0) }, Level::L1),
        (proof("passkey", &["user-verified"], 1, 0), Level::L3),
        (proof("branch", &["document-checked"], 1, 0), Level::L3),
        (proof("good-voice", &["full-name"], 9, 0), Level::L0),
        (proof("passkey", &[], 1, 0), Level::L0),
    ] {
        assert_eq!(identity.level_of(&proof), level, "{proof:?}");
    }
}

#[test]
fn the_matrix_opens_actions() {
    let identity = &House::builtin().identity;
    let now = Timestamp(100 * HOUR);
    let may =
        |action, proofs: &[(Timestamp, Proof)]| identity.admit(action, proofs, false, false, now).is_ok();
    let fresh = |proof| vec![(now.plus_ms(-MINUTE), proof)];
    let (none, knows, has, is) = (
        Vec::new(),
        fresh(proof("known-facts", &["full-name", "id-tail"], 2, 0)),
        fresh(code(1, 0)),
        fresh(proof("passkey", &["user-verified"], 1, 0)),
    );
    for (action, open) in [
        (Action::Information, [true, true, true, true]),
        (Action::Status, [false, true, true, true]),
        (Action::Unlock, [false, false, true, true]),
        (Action::ResetPin, [false, false, false, true]),
        (Action::ChangeContact, [false, false, false, true]),
    ] {
        assert_eq!([&none, &knows, &has, &is].map(|proofs| may(action, proofs)), open, "{}", action.name());
    }
    // level 2 and a day to cool down is enough for a reset, for another day, and for nothing else
    let cooled = |hours: i64| vec![(now.plus_ms(-hours * HOUR), code(1, 0))];
    let resets = [1, 23, 24, 47, 48].map(|hours| may(Action::ResetPin, &cooled(hours)));
    assert_eq!(resets, [false, false, true, true, false]);
    assert!(!may(Action::ChangeContact, &cooled(24)));
    assert!(!may(Action::Unlock, &cooled(24)), "a proof is good for half an hour");
    assert_eq!(identity.admit(Action::Unlock, &is, false, true, now), Err(NotAdmitted::Held));
    assert_eq!(identity.admit(Action::Unlock, &is, true, false, now), Err(NotAdmitted::TooManyWrong));
    assert!(identity.admit(Action::Information, &none, true, false, now).is_ok());
}

#[test]
fn wrong_answers_are_counted_over_all_cases_of_a_card() {
    let mut world = World::new();
    let house = House::builtin();
    let first = world.open(locked(1));
    for _ in 0..2 {
        let fact = world.desk.prove(house, first, code(0, 1), AGENT);
        world.put(fact).unwrap();
    }
    world.pass_gates(first);
    world.close(first).unwrap();
    let second = world.open(locked(1));
    let fact = world.desk.prove(house, second, code(1, 0), AGENT);
    world.put(fact).unwrap();
    assert!(world.desk.admit(house, second, Action::Unlock, world.now).is_ok());
    let fact = world.desk.prove(house, second, code(1, 1), AGENT);
    world.put(fact).unwrap();
    let shut = Err(Refusal::NotAdmitted(NotAdmitted::TooManyWrong));
    assert_eq!(world.desk.admit(house, second, Action::Unlock, world.now), shut);
    assert!(world.step(second, "unlock", "").is_err());
    let other = world.open(locked(2));
    let fact = world.desk.prove(house, other, code(1, 0), AGENT);
    world.put(fact).unwrap();
    assert!(
        world.desk.admit(house, other, Action::Unlock, world.now).is_ok(),
        "another card is not concerned"
    );
    world.later(25 * HOUR);
    let fact = world.desk.prove(house, second, code(1, 0), AGENT);
    world.put(fact).unwrap();
    assert!(world.desk.admit(house, second, Action::Unlock, world.now).is_ok(), "a day later");
}

#[test]
fn a_step_with_a_level_waits_for_the_proof() {
    let mut world = World::new();
    let house = House::builtin();
    let no = world.open(locked(1));
    let has = |has| Err(Refusal::NotAdmitted(NotAdmitted::Level { wanted: Level::L2, has }));
    assert_eq!(world.step(no, "identity", ""), has(Level::L0));
    let fact = world.desk.prove(house, no, proof("known-facts", &["full-name", "id-tail"], 2, 0), AGENT);
    world.put(fact).unwrap();
    assert_eq!(world.step(no, "identity", ""), has(Level::L1));
    let fact = world.desk.prove(house, no, code(1, 0), AGENT);
    world.put(fact).unwrap();
    world.step(no, "identity", "").unwrap();
    assert_eq!(world.case(no).level(house, world.now), Level::L2);
    world.later(31 * MINUTE);
    assert_eq!(world.case(no).level(house, world.now), Level::L0, "a proof is good for half an hour");
    assert!(world.desk.admit(house, no, Action::Unlock, world.now).is_err());
}

#[test]
fn nothing_is_asked_for_twice_while_a_second_person_decides() {
    let mut world = World::new();
    let house = House::builtin();
    let no = world.open(locked(1));
    let fact = world.desk.prove(house, no, code(1, 0), AGENT);
    world.put(fact).unwrap();
    let waits = world.case(no).wait(desk::WaitsOn::SecondPerson, "the unlock", AGENT);
    world.put(waits).unwrap();
    assert_eq!(world.desk.admit(house, no, Action::Unlock, world.now), Err(Refusal::Undecided));
    assert!(world.desk.admit(house, no, Action::Status, world.now).is_ok());
    let resumed = world.case(no).resume("declined", AGENT);
    world.put(resumed).unwrap();
    assert!(world.desk.admit(house, no, Action::Unlock, world.now).is_ok());
}

#[test]
fn a_change_of_contact_holds_unlock_and_reset() {
    let mut world = World::new();
    let house = House::builtin();
    let no = world.open(locked(1));
    let passkey = || proof("passkey", &["user-verified"], 1, 0);
    let fact = world.desk.prove(house, no, passkey(), AGENT);
    world.put(fact).unwrap();
    let admitted = world.desk.admit(house, no, Action::ChangeContact, world.now).unwrap();
    let fact = world.desk.asked(no, &admitted, Some("p1"), AGENT);
    world.put(fact).unwrap();
    let held = Err(Refusal::NotAdmitted(NotAdmitted::Held));
    assert_eq!(world.desk.admit(house, no, Action::Unlock, world.now), held);
    world.pass_gates(no);
    world.close(no).unwrap();
    world.later(23 * HOUR);
    let next = world.open(locked(1));
    let fact = world.desk.prove(house, next, passkey(), AGENT);
    world.put(fact).unwrap();
    assert_eq!(world.desk.admit(house, next, Action::ResetPin, world.now), held, "in another case too");
    world.later(HOUR);
    let fact = world.desk.prove(house, next, passkey(), AGENT);
    world.put(fact).unwrap();
    assert!(world.desk.admit(house, next, Action::Unlock, world.now).is_ok());
}

#[test]
fn impossible_proofs_are_refused_and_a_case_without_a_card_proves_nothing() {
    let mut world = World::new();
    let house = House::builtin();
    let no = world.open(locked(1));
    for bad in [
        proof("good-voice", &["full-name"], 1, 0),
        proof("passkey", &["full-name"], 1, 0),
        code(0, 0),
        code(2, 0),
    ] {
        let refused = world.desk.prove(house, no, bad, AGENT);
        assert!(matches!(refused, Err(Refusal::NotUnderstood { part: "proof", .. })), "{refused:?}");
    }
    let mut shop = locked(1);
    shop.subject = desk::Subject { terminal: Some("T0001234".to_owned()), ..desk::Subject::default() };
    let shop = world.open(shop);
    assert_eq!(world.desk.prove(house, shop, code(1, 0), AGENT), Err(Refusal::NoCard));
    assert_eq!(world.desk.admit(house, shop, Action::Unlock, world.now), Err(Refusal::NoCard));
    assert!(world.case(shop).close(Outcome::Solved, "x").is_err());
}

fn sent(digest: &str, now: Timestamp, unchanged_h: u32) -> SentCode {
    SentCode { digest: digest.to_owned(), to: "+861****1234".to_owned(), until: now.plus_s(300), unchanged_h }
}

#[test]
fn a_code_proves_once_in_its_time_and_in_its_own_case() {
    let mut world = World::new();
    let house = House::builtin();
    let (no, other) = (world.open(locked(1)), world.open(locked(2)));
    let send = |world: &mut World, no, digest: &str| {
        let fact = world.desk.send_code(house, no, sent(digest, world.now, 48), AGENT, world.now);
        world.put(fact).unwrap();
    };
    let check = |world: &mut World, no, typed: &str| {
        let fact = world.desk.check_code(house, no, |digest| digest == typed, AGENT, world.now);
        world.put(fact)
    };
    assert_eq!(check(&mut world, no, "a").unwrap_err(), Refusal::NoCode, "none was sent");
    send(&mut world, no, "a");
    assert_eq!(check(&mut world, other, "a").unwrap_err(), Refusal::NoCode, "a code of another case");
    send(&mut world, no, "b");
    check(&mut world, no, "a").unwrap();
    assert_eq!(world.case(no).level(house, world.now), Level::L0, "the code before is worth nothing");
    check(&mut world, no, "b").unwrap();
    assert_eq!(world.case(no).level(house, world.now), Level::L2);
    assert_eq!(check(&mut world, no, "b").unwrap_err(), Refusal::NoCode, "a second time");
    send(&mut world, other, "c");
    world.later(5 * MINUTE);
    assert_eq!(check(&mut world, other, "c").unwrap_err(), Refusal::NoCode, "too late");
    let young = world.desk.send_code(house, other, sent("d", world.now, 23), AGENT, world.now);
    world.put(young).unwrap();
    check(&mut world, other, "d").unwrap();
    assert_eq!(world.case(other).level(house, world.now), Level::L1, "the number is too new");
}

#[test]
fn guesses_at_codes_are_counted_over_all_cases_and_codes() {
    let mut world = World::new();
    let house = House::builtin();
    let no = world.open(locked(1));
    for _ in 0..3 {
        let fact = world.desk.send_code(house, no, sent("a", world.now, 48), AGENT, world.now);
        world.put(fact).unwrap();
        let fact = world.desk.check_code(house, no, |_| false, AGENT, world.now);
        world.put(fact).unwrap();
    }
    let shut = Refusal::NotAdmitted(NotAdmitted::TooManyWrong);
    let right = world.desk.check_code(house, no, |_| true, AGENT, world.now);
    assert_eq!(right, Err(shut.clone()), "the right one is not looked at any more");
    assert_eq!(world.desk.send_code(house, no, sent("b", world.now, 48), AGENT, world.now), Err(shut));
}
