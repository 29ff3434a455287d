//! Seeds without a mistake: nothing is found, much happens, and it is the same every time, in this process and in another.

use std::{process::Command, sync::Arc};

use ordeal::{Kit, Report, simulate};

fn run(kit: &Arc<Kit>, seed: u64) -> Report {
    simulate(kit, seed, None).unwrap()
}

#[test]
fn some_seeds_are_clean_and_eventful() {
    let kit = Arc::new(Kit::new().unwrap());
    let reports: Vec<_> = (0..40).map(|seed| run(&kit, seed)).collect();
    for report in &reports {
        assert!(report.violations.is_empty(), "seed {}: {:?}", report.seed, report.violations);
    }
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    assert!(sum(|r| r.steps) > 4_000 && sum(|r| r.faults) > 200 && sum(|r| r.entries) > 800);
}

#[test]
fn a_seed_is_the_same_story_every_time() {
    let kit = Arc::new(Kit::new().unwrap());
    let first: Vec<_> = (0..12).map(|seed| run(&kit, seed)).collect();
    // In another order, with the module's key cache as the others left it.
    let mut again: Vec<_> = (0..12).rev().map(|seed| run(&kit, seed)).collect();
    again.reverse();
    assert_eq!(first, again);
    let fresh = Arc::new(Kit::new().unwrap());
    assert_eq!(run(&fresh, 7), first[7]);
    assert!(first.windows(2).all(|pair| pair[0].hash != pair[1].hash));
}

#[test]
fn a_seed_is_the_same_story_in_another_process() {
    let stories = || {
        let program =
            Command::new(env!("CARGO_BIN_EXE_ordeal")).args(["--seeds", "0..12", "--hashes"]).output();
        let output = program.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (first, second) = (stories(), stories());
    assert_eq!(first, second);
    assert!(first.lines().count() == 13 && first.ends_with(" 0 violations\n"), "{first}");
}

#[test]
fn a_violation_says_how_to_see_it_again() {
    let program = Command::new(env!("CARGO_BIN_EXE_ordeal"));
    let output = { program }.args(["--seeds", "0..2", "--bug", "answer-anew"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cargo xtask sim --seeds 0..1 --bug answer-anew"), "{text}");
}
