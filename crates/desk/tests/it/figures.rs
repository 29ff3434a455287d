//! Figures of a week at the desk, counted by hand.

use desk::{
    Fact, Figures, House, Share, WaitsOn,
    fact::Survey,
    figures::{Released, released},
};
use model::Timestamp;

use crate::world::{AGENT, DAY, MINUTE, START, World, card, locked};

#[test]
fn a_week_is_counted() {
    let mut world = World::new();
    let house = House::builtin();
    // 1: answered and closed after ten minutes, rated 5
    let one = world.open(locked(1));
    world.later(10 * MINUTE);
    world.pass_gates(one);
    let survey = Survey { hash: "h".into(), sealed: String::new(), until: world.now.plus_ms(DAY) };
    let case = world.case(one);
    let fact = case.closing_fact(case.close(desk::Outcome::Solved, "paid").unwrap(), Some(survey), AGENT);
    world.put(Ok(fact)).unwrap();
    let fact = world.case(one).rate(5, "", world.now);
    world.put(fact).unwrap();
    // 2: thirty minutes, of which twenty wait for the customer: in time, but not at first contact
    let two = world.open(locked(2));
    world.later(5 * MINUTE);
    let fact = world.case(two).wait(WaitsOn::Customer, "calls back", AGENT);
    world.put(fact).unwrap();
    world.later(20 * MINUTE);
    world.pass_gates(two);
    world.close(two).unwrap();
    // 3: late
    let three = world.open(locked(3));
    world.later(40 * MINUTE);
    world.pass_gates(three);
    world.close(three).unwrap();
    // 4: the card of 3 again, two days later: 3 was no first contact; 4 is open
    world.later(2 * DAY);
    world.open(locked(3));
    let figures = Figures::of(&world.desk, house, START, world.now.plus_ms(1), 7);
    assert_eq!((figures.opened, figures.closed, figures.open), (4, 3, 1));
    assert_eq!(figures.first_contact, Share { part: 1, of: 3 });
    assert_eq!(figures.sla_kept, Share { part: 2, of: 3 });
    assert_eq!(figures.response_kept, Share { part: 3, of: 3 });
    assert_eq!((figures.resolve_p50_min, figures.resolve_p95_min), (Some(10), Some(40)));
    assert_eq!(figures.satisfaction, Share { part: 5, of: 1 });
    let empty = Figures::of(&world.desk, house, Timestamp(0), START, 7);
    assert_eq!((empty.closed, empty.resolve_p50_min), (0, None));
}

#[test]
fn a_card_that_locks_again_within_the_days_counts() {
    let day = |n: i64| START.plus_ms(n * DAY);
    let free = [1, 2, 3, 4].map(|n| Released { card: card(n), at: START });
    let locks = [(card(1), day(3)), (card(2), day(8)), (card(3), START.plus_ms(-DAY)), (card(9), day(1))];
    let figures = Figures { repeat_days: 7, ..Figures::default() }.with_locks(&free, &locks);
    assert_eq!(figures.repeat_lock, Share { part: 1, of: 4 });
}

#[test]
fn released_are_cards_that_a_case_asked_to_unlock() {
    let mut world = World::new();
    let no = world.open(locked(1));
    world
        .put(Ok(Fact::Asked { case: no, action: desk::Action::Unlock, proposal: None, by: AGENT.into() }))
        .unwrap();
    world.pass_gates(no);
    world.close(no).unwrap();
    let other = world.open(locked(2));
    world.pass_gates(other);
    world.close(other).unwrap();
    let found = released(&world.desk, START, world.now.plus_ms(1));
    assert_eq!(found, [Released { card: card(1), at: START }]);
}
