//! Attacks: on PINs, on numbers, by copies, and with help from staff.

use diagnosis::{
    Cause, Diagnose, Incident, Scope, What,
    observation::{DeskAction, Entry, PinSeen, Position, Symbol},
};
use model::{Kind, ReasonCode};

use crate::world::{HOUR, MINUTE, World, decline};

fn of(world: &World, cause: Cause) -> Vec<Incident> {
    world.incidents().into_iter().filter(|incident| incident.cause == cause).collect()
}

/// A guess at somebody's card with a copied stripe.
fn guess(world: &mut World, till: usize, holder: usize) {
    let mut payment = world.payment(till, holder, 300);
    payment.kind = Kind::Balance;
    payment.entry = Entry::Fallback;
    decline(&mut payment, ReasonCode::WrongPin, "55", PinSeen::Mismatch);
    payment.zone = Symbol::UNKNOWN;
    payment.try_charged = true;
    payment.tries = (2, 3);
    world.place += 1;
    world.tell(till, What::Payment(payment));
}

#[test]
fn a_spray_is_named_before_the_sixth_card() {
    let mut cards = Vec::new();
    for seed in 0..20 {
        let mut world = World::warmed(2000 + seed);
        let mut tried = 0;
        while of(&world, Cause::PinSpray).is_empty() && tried < 12 {
            world.now = world.now.plus_ms(40_000);
            let holder = world.dice.below(world.holders.len());
            guess(&mut world, 5, holder);
            tried += 1;
        }
        cards.push(tried);
        let incidents = world.incidents();
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        assert!(incidents[0].harmed.is_empty(), "guesses are not given back by a list");
    }
    cards.sort_unstable();
    assert!(cards[18] <= 5, "{cards:?}");
}

#[test]
fn guesses_at_one_card_below_every_limit_are_brute_force() {
    for seed in 0..3 {
        let mut world = World::warmed(2100 + seed);
        for round in 0..7 {
            world.now = world.now.plus_ms(HOUR);
            guess(&mut world, (round * 7 + 3) % 60, 1);
            world.now = world.now.plus_ms(20 * MINUTE);
            let home = world.holders[1].home;
            let payment = world.payment(home, 1, 4000);
            world.place += 1;
            world.tell(home, What::Payment(payment));
        }
        let found = of(&world, Cause::BruteForce);
        assert_eq!(found.len(), 1, "{:?}", world.incidents());
        assert_eq!(found[0].scope, Scope::Card(world.holders[1].id));
    }
}

#[test]
fn numbers_that_are_tried_are_the_bank_numbers_incident() {
    for seed in 0..3 {
        let mut world = World::warmed(2200 + seed);
        for n in 0..40 {
            world.now = world.now.plus_ms(15_000);
            let till = (n * 5) % 60;
            let mut payment = world.payment(till, 0, 100);
            payment.bin = 950_000;
            payment.card.0[0..4].copy_from_slice(&(n as u32).to_le_bytes());
            payment.last_four = 1000 + n as u16 * 13;
            payment.entry = Entry::Manual;
            decline(&mut payment, ReasonCode::UnknownCard, "14", PinSeen::NotAsked);
            world.place += 1;
            world.tell(till, What::Payment(payment));
            if n % 2 == 0 {
                world.live(1, 1500.0);
            }
        }
        let found = of(&world, Cause::CardTesting);
        assert_eq!(found.len(), 1, "{:?}", world.incidents());
        assert_eq!(found[0].scope, Scope::Bin(950_000));
    }
}

#[test]
fn copies_lead_back_to_the_terminal_where_they_were_made() {
    for seed in 0..3 {
        let mut world = World::warmed(2300 + seed);
        let victims: Vec<usize> = (0..12).map(|n| 100 + n * 17).collect();
        for holder in &victims {
            world.now = world.now.plus_ms(5 * MINUTE);
            let payment = world.payment(20, *holder, 5000);
            world.place += 1;
            world.tell(20, What::Payment(payment));
        }
        world.live(1000, 1500.0);
        for holder in &victims {
            world.now = world.now.plus_ms(4 * MINUTE);
            let mut payment = world.payment(55, *holder, 200_000);
            payment.kind = Kind::Cash;
            payment.entry = Entry::Fallback;
            world.place += 1;
            world.tell(55, What::Payment(payment));
        }
        let found = of(&world, Cause::SkimCashOut);
        assert_eq!(found.len(), 1, "{:?}", world.incidents());
        assert_eq!(found[0].scope, Scope::Terminal(world.tills[20].device.terminal));
    }
}

#[test]
fn limits_lifted_in_bulk_and_cash_after_it_are_one_agents() {
    let mut world = World::warmed(2400);
    for n in 0..10 {
        world.now = world.now.plus_ms(MINUTE);
        let what =
            What::Desk { card: world.holders[n].id, action: DeskAction::RaiseLimit, agent: Symbol(77) };
        world.place += 1;
        world.tell(0, what);
    }
    assert_eq!(world.incidents(), [], "lifted limits alone are work");
    for n in 0..6 {
        world.now = world.now.plus_ms(5 * MINUTE);
        let mut payment = world.payment(40 + n, n, 300_000);
        payment.kind = Kind::Cash;
        world.place += 1;
        world.tell(40 + n, What::Payment(payment));
    }
    let found = of(&world, Cause::UnlimitedOperation);
    assert_eq!(found.len(), 1, "{:?}", world.incidents());
    assert_eq!(found[0].scope, Scope::Agent(Symbol(77)));
}

#[test]
fn an_agent_who_releases_the_same_cards_again_stands_out_and_the_others_do_not() {
    let mut world = World::warmed(2500);
    for n in 0..60_usize {
        world.now = world.now.plus_ms(6 * MINUTE);
        let agent = Symbol(80 + (n % 10) as u32);
        let card = world.holders[200 + n].id;
        world.place += 1;
        world.tell(0, What::Desk { card, action: DeskAction::Release, agent });
        if n % 4 == 0 {
            guess(&mut world, n % 60, 3);
            guess(&mut world, n % 60, 3);
            let card = world.holders[3].id;
            world.place += 1;
            world.tell(0, What::Desk { card, action: DeskAction::Release, agent: Symbol(83) });
        }
    }
    let found = of(&world, Cause::CounterAbuse);
    assert_eq!(found.len(), 1, "{:?}", world.incidents());
    assert_eq!(found[0].scope, Scope::Agent(Symbol(83)));
    assert_eq!(of(&world, Cause::BruteForce).len(), 0, "the agent's incident explains the card's");
}

#[test]
fn a_card_cannot_be_a_thousand_kilometres_away_in_ten_minutes() {
    let mut world = World::warmed(2600);
    let far = Some(Position { latitude: 39.9, longitude: 116.4 });
    world.tills[50].device.position = far;
    world.tills[50].device.registered = far;
    let payment = world.payment(2, 9, 4000);
    world.place += 1;
    world.tell(2, What::Payment(payment));
    world.now = world.now.plus_ms(10 * MINUTE);
    let payment = world.payment(50, 9, 4000);
    world.place += 1;
    world.tell(50, What::Payment(payment));
    let found = of(&world, Cause::ImpossibleTravel);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].scope, Scope::Card(world.holders[9].id));
    let _ = world.diagnosis.changes();
}
