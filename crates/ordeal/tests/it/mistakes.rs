//! A simulation that does not notice a mistake is worth nothing: each deliberate one is made, and must be noticed soon.

use std::sync::Arc;

use ordeal::{Bug, Kit, simulate};

/// Seeds within which every mistake shows.
const SOON: u64 = 80;

#[test]
fn every_mistake_is_noticed() {
    let kit = Arc::new(Kit::new().unwrap());
    for bug in Bug::ALL {
        let noticed =
            (0..SOON).find(|seed| !simulate(&kit, *seed, Some(*bug)).unwrap().violations.is_empty());
        assert!(noticed.is_some(), "{bug} ({}) is not noticed in {SOON} seeds", bug.breaks());
    }
}

#[test]
fn a_mistake_has_a_name() {
    for bug in Bug::ALL {
        assert_eq!(Bug::named(bug.name()), Some(*bug));
    }
    assert_eq!(Bug::named("perfection"), None);
}
