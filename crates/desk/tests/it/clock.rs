//! The clocks against a model that looks at every minute: is it worked, does the clock stand still? Slow, and plainly right.

use desk::{
    Calendars,
    clock::{Clock, ClockKind, Pause},
};
use jiff::{Timestamp as Instant, tz::TimeZone};
use model::Timestamp;
use proptest::prelude::*;

use crate::world::{HOUR, MINUTE, World, locked};

/// Hours after four in the morning only: no zone changes its clocks then, so a minute of a day is one minute.
const CALENDARS: &str = r#"
    [shanghai]
    zone = "Asia/Shanghai"
    mon = ["09:00-12:00", "13:30-18:00"]
    tue = ["09:00-18:00"]
    wed = ["00:00-24:00"]
    fri = ["22:00-24:00"]
    sat = ["04:00-05:00", "06:00-07:00", "08:00-09:00", "23:59-24:00"]
    holidays = ["2026-03-31", "2026-10-26"]
    working = ["2026-03-29", "2026-10-25"]
    [berlin]
    zone = "Europe/Berlin"
    mon = ["04:00-24:00"]
    thu = ["10:00-11:00"]
    sun = ["04:00-23:15"]
    holidays = ["2026-03-30"]
    [always]
    always = true
"#;

/// The same hours, read by a person: day of the week (Monday 0), stretches in minutes.
type Week = &'static [(i8, &'static [(i32, i32)])];

const SHANGHAI: Week = &[
    (0, &[(540, 720), (810, 1080)]),
    (1, &[(540, 1080)]),
    (2, &[(0, 1440)]),
    (4, &[(1320, 1440)]),
    (5, &[(240, 300), (360, 420), (480, 540), (1439, 1440)]),
];
const BERLIN: Week = &[(0, &[(240, 1440)]), (3, &[(600, 660)]), (6, &[(240, 1395)])];

fn is_worked(calendar: &str, minute: i64) -> bool {
    let (zone, week, holidays, working): (_, Week, &[&str], &[&str]) = match calendar {
        "always" => return true,
        "shanghai" => {
            ("Asia/Shanghai", SHANGHAI, &["2026-03-31", "2026-10-26"], &["2026-03-29", "2026-10-25"])
        }
        _ => ("Europe/Berlin", BERLIN, &["2026-03-30"], &[]),
    };
    let at = Instant::from_millisecond(minute * MINUTE).unwrap().to_zoned(TimeZone::get(zone).unwrap());
    let date = at.date().to_string();
    let day = if working.contains(&date.as_str()) {
        0
    } else if holidays.contains(&date.as_str()) {
        return false;
    } else {
        at.weekday().to_monday_zero_offset()
    };
    let of_day = i32::from(at.hour()) * 60 + i32::from(at.minute());
    week.iter().any(|(d, stretches)| *d == day && stretches.iter().any(|(a, b)| (*a..*b).contains(&of_day)))
}

/// Working minutes in which the clock ran, and the minute at whose end the target was reached.
fn naive(calendar: &str, from: i64, to: i64, pauses: &[(i64, i64)], target: i64) -> (i64, Option<i64>) {
    let (mut passed, mut reached) = (0, None);
    for minute in from..to {
        if is_worked(calendar, minute) && !pauses.iter().any(|(a, b)| (*a..*b).contains(&minute)) {
            passed += 1;
            if passed == target {
                reached = Some(minute + 1);
            }
        }
    }
    (passed, reached)
}

fn at(minute: i64) -> Timestamp {
    Timestamp(minute * MINUTE)
}

/// Minutes around the last Sundays of March and October 2026, when Berlin changes its clocks.
fn beginning() -> impl Strategy<Value = i64> {
    let day = 24 * 60_i64;
    // 2026-03-27 and 2026-10-23, 00:00 UTC, in minutes since 1970
    prop_oneof![0..5 * day, 210 * day..215 * day].prop_map(|after| 29_576_160 + after)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_clock_counts_what_a_naive_one_counts(
        calendar in prop::sample::select(vec!["shanghai", "berlin", "always"]),
        from in beginning(),
        lengths in prop::collection::vec((0_i64..900, 0_i64..900), 0..5),
        open_at_the_end in any::<bool>(),
        rest in 0_i64..4000,
        target in 1_i64..3000,
    ) {
        let calendars = Calendars::read(CALENDARS).unwrap();
        let mut minute = from;
        let mut spans = Vec::new();
        for (run, pause) in lengths {
            spans.push((minute + run, minute + run + pause));
            minute += run + pause;
        }
        let now = minute + rest;
        if open_at_the_end && let Some(last) = spans.last_mut() {
            last.1 = now;
        }
        let mut pauses: Vec<Pause> =
            spans.iter().map(|(a, b)| Pause { from: at(*a), to: Some(at(*b)) }).collect();
        if open_at_the_end && let Some(last) = pauses.last_mut() {
            last.to = None;
        }
        let clock = Clock { calendar: calendars.get(calendar).unwrap(), from: at(from), stopped: None, pauses: &pauses };
        let reading = clock.read(ClockKind::Resolve, u32::try_from(target).unwrap(), at(now));
        let (passed, reached) = naive(calendar, from, now, &spans, target);
        prop_assert_eq!(reading.passed_ms, passed * MINUTE);
        prop_assert_eq!(reading.is_late(), passed > target);
        match reached {
            Some(reached) => prop_assert_eq!(reading.due, Some(at(reached))),
            None if reading.paused => prop_assert_eq!(reading.due, None),
            None => prop_assert!(reading.due.is_some_and(|due| due > at(now)), "{:?}", reading.due),
        }
        // Stopped at this moment, it shows the same for ever.
        let stopped = Clock { stopped: Some(at(now)), ..clock };
        prop_assert_eq!(stopped.passed_ms(at(now + 10_000)), passed * MINUTE);
    }

    #[test]
    fn the_moment_after_some_work_is_the_first_with_so_much_work_before_it(
        calendar in prop::sample::select(vec!["shanghai", "berlin"]),
        from in beginning(),
        work in 1_i64..5000,
    ) {
        let calendars = Calendars::read(CALENDARS).unwrap();
        let calendar = calendars.get(calendar).unwrap();
        let due = calendar.after_ms(at(from), work * MINUTE).unwrap();
        prop_assert_eq!(calendar.worked_ms(at(from), due), work * MINUTE);
        prop_assert_eq!(calendar.worked_ms(at(from), due.plus_ms(-1)), work * MINUTE - 1);
    }
}

#[test]
fn waiting_for_the_customer_stops_the_clocks_and_waiting_for_a_colleague_does_not() {
    let mut world = World::new();
    let no = world.open(locked(1));
    let passed = |world: &World| world.case(no).clocks(world.house(), world.now)[1].passed_min();
    world.later(10 * MINUTE);
    let fact = world.case(no).wait(desk::WaitsOn::SecondPerson, "the unlock waits", "li.na");
    world.put(fact).unwrap();
    world.later(5 * MINUTE);
    assert_eq!(passed(&world), 15);
    let fact = world.case(no).wait(desk::WaitsOn::Customer, "calls back", "li.na");
    world.put(fact).unwrap();
    world.later(3 * HOUR);
    assert_eq!(passed(&world), 15);
    let fact = world.case(no).resume("called back", "li.na");
    world.put(fact).unwrap();
    world.later(2 * MINUTE);
    assert_eq!(passed(&world), 17);
    assert_eq!(world.case(no).resume("again", "li.na"), Err(desk::Refusal::NotWaiting));
}

#[test]
fn each_step_of_escalation_is_taken_once_and_none_while_it_stands_still() {
    let mut world = World::new();
    let no = world.open(locked(1));
    let due = |world: &World| -> Vec<(ClockKind, u32)> {
        world
            .desk
            .due(world.house(), world.now)
            .iter()
            .map(|due| (due.step.clock, due.step.at_percent))
            .collect()
    };
    assert_eq!(due(&world), []);
    // urgent: fifteen minutes, and somebody hears of it after twelve
    world.later(12 * MINUTE);
    assert_eq!(due(&world), [(ClockKind::Resolve, 80)], "a caller on the line was answered");
    for step in world.desk.due(world.house(), world.now) {
        world.put(Ok(step.fact())).unwrap();
    }
    assert_eq!(due(&world), []);
    let fact = world.case(no).wait(desk::WaitsOn::Customer, "calls back", "li.na");
    world.put(fact).unwrap();
    world.later(24 * HOUR);
    assert_eq!(due(&world), []);
    let fact = world.case(no).resume("called back", "li.na");
    world.put(fact).unwrap();
    world.later(18 * MINUTE);
    assert_eq!(due(&world), [(ClockKind::Resolve, 100), (ClockKind::Resolve, 200)]);
    world.pass_gates(no);
    world.close(no).unwrap();
    assert_eq!(due(&world), [], "what is closed is late, but nobody has to run");
}
