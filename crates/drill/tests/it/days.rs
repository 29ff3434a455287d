//! Plans of days: repeatable, varied, overlapping, and honest about what they are for.

use std::collections::{BTreeMap, HashSet};

use drill::{
    Day,
    data::{self, Split, forms},
    day::{Deed, Mechanism, Truth},
};

#[test]
fn a_seed_is_always_the_same_day_and_another_seed_another() {
    let day = |seed| {
        let day = Day::new(seed).unwrap();
        let visits: Vec<_> =
            day.visits().take(50).map(|(at, visit)| (at, visit.card, visit.terminal)).collect();
        let truths: Vec<_> = day.truths.iter().map(|t| (t.from, t.variant, t.strength.to_bits())).collect();
        (visits, truths, day.acts.len())
    };
    assert_eq!(day(1001), day(1001));
    assert_ne!(day(1001), day(1002));
}

#[test]
fn many_days_have_every_form_and_each_strength_belongs_to_its_split() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in (0..15).chain(1000..1015) {
        let day = Day::new(seed).unwrap();
        for truth in &day.truths {
            *seen.entry(truth.variant).or_default() += 1;
            assert!(truth.from < truth.until && truth.strength > 0.0, "{truth:?}");
        }
        assert_eq!(
            day.split(),
            if seed < data::FIRST_REPORTING_SEED { Split::Tuning } else { Split::Reporting }
        );
    }
    for form in forms() {
        assert!(seen.get(form.variant.as_str()).is_some_and(|n| *n >= 3), "{}: {seen:?}", form.variant);
    }
}

/// Do two incidents show themselves at the same place and time?
fn overlap(one: &Truth, other: &Truth) -> bool {
    let at_once = one.from < other.until && other.from < one.until;
    let (a, b): (HashSet<_>, HashSet<_>) = (one.terminals.iter().collect(), other.terminals.iter().collect());
    at_once && !a.is_disjoint(&b)
}

#[test]
fn windows_overlap_and_a_fifth_is_innocent() {
    let (mut windows, mut overlapping, mut decoys) = (0_usize, 0, 0);
    for seed in 1000..1030 {
        let day = Day::new(seed).unwrap();
        windows += day.truths.len();
        decoys += day.decoys.len();
        let overlaps = |truth: &&Truth| day.truths.iter().any(|t| t.id != truth.id && overlap(t, truth));
        overlapping += day.truths.iter().filter(overlaps).count();
    }
    assert!(overlapping * 10 >= windows, "{overlapping} of {windows} windows overlap");
    let share = decoys as f64 / (decoys + windows) as f64;
    assert!((0.17..0.26).contains(&share), "{share}");
}

#[test]
fn traffic_follows_the_hours() {
    let day = Day::quiet(1003).unwrap();
    let mut hours = [0_u32; 24];
    for (at, _) in day.visits() {
        hours[((at - drill::day::START_MS) / drill::day::HOUR_MS) as usize] += 1;
    }
    let sum: u32 = hours.iter().sum();
    let expected = data::normal().sessions;
    assert!((f64::from(sum) - expected).abs() < 0.05 * expected, "{sum}");
    assert!(hours[18] > 20 * hours[3], "{hours:?}");
}

#[test]
fn attacks_bring_their_sessions_and_new_versions_come_and_go() {
    for form in forms() {
        let day = Day::with_one(1004, form).unwrap();
        let [truth] = day.truths.as_slice() else { panic!("{}", form.variant) };
        let own = day
            .acts
            .iter()
            .filter(|act| matches!(&act.deed, Deed::Visit(visit) if visit.truth == Some(truth.id)));
        let has_own = own.count() > 0;
        assert_eq!(has_own, truth.mechanism == Mechanism::OwnSessions, "{}", form.variant);
        if let Mechanism::Firmware { version } = truth.mechanism {
            let terminal = truth.terminals[0];
            assert_eq!(day.firmware(terminal, truth.from), version);
            assert_ne!(day.firmware(terminal, truth.until), version);
        }
    }
}
