//! The main job from a terminal's bytes to the printed receipt, once with the soft module and once with an HSM behind the host;
//! and what terminals see when that HSM fails: never a wrong PIN.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::sandbox::{PROGRAM, Sandbox, TestHsm, said};

fn stories() -> Vec<String> {
    let out = Command::new(PROGRAM).args(["trigger", "--list"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let names: Vec<String> =
        text.lines().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.len() >= 9, "{names:?}");
    names
}

#[test]
fn every_story_plays_with_the_soft_module() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(&folder.path().join("data"), &[]);
    for story in stories() {
        sandbox.play(&story);
    }
}

#[test]
fn every_story_plays_with_an_hsm_and_its_faults_are_no_wrong_pins() {
    let folder = tempfile::tempdir().unwrap();
    let (hsm, file) = (TestHsm::start(), folder.path().join("hsm.json"));
    std::fs::write(&file, &hsm.line).unwrap();
    let sandbox = Sandbox::start(&folder.path().join("data"), &["--hsm", file.to_str().unwrap()]);
    // No payShield speaks SM4, and a zone key comes into one by ceremony: there is no other bank.
    for story in stories().iter().filter(|story| !["sm4-day", "other-bank"].contains(&story.as_str())) {
        sandbox.play(story);
    }
    let checked = Command::new(PROGRAM)
        .args(["hsm", "check", "--config"])
        .arg(sandbox.data.join("pinward.toml"))
        .output()
        .unwrap();
    assert!(checked.status.success() && said(&checked).contains("takes pvv.standard"), "{}", said(&checked));

    for fault in ["error=39", "error=68", "wrong-header", "drop", "dead"] {
        pay_through(&sandbox, &hsm, fault);
    }
    for fault in ["slow=300", "split", "merge", "reorder"] {
        hsm.fault(fault);
        sandbox.play("duplicate");
        hsm.fault("none");
    }
}

/// A terminal that is signed in pays while the HSM's commands fail: it hears 91 or 96 whatever PIN it sends. Afterwards two wrong
/// PINs do not lock the card: none of those before was counted.
#[track_caller]
fn pay_through(sandbox: &Sandbox, hsm: &TestHsm, fault: &str) {
    let story = "terminal T1 listener 1\ncard C1 product debit-standard\nT1: sign-in -> 00\n\
        T1: sale C1 5.00 pin right -> 00\nwait 2s\nT1: sale C1 5.00 pin wrong -> 91|96\n\
        T1: sale C1 5.00 pin right -> 91|96\nT1: echo -> 00\nwait 8s\n\
        T1: sale C1 5.00 pin wrong -> 55\nT1: sale C1 5.00 pin wrong -> 55\nT1: sale C1 5.00 pin right -> 00\n";
    std::thread::scope(|scope| {
        let playing = scope.spawn(|| sandbox.play_text(story));
        std::thread::sleep(Duration::from_millis(1_500));
        hsm.fault(fault);
        // Both sales: a reply that is swallowed is waited for 4.5 seconds at most, twice.
        let began = Instant::now();
        while !sandbox.log_says(if fault == "error=68" { "not supported" } else { "away" }, 2) {
            assert!(began.elapsed() < Duration::from_secs(30), "{fault}: the host noticed nothing");
            std::thread::sleep(Duration::from_millis(50));
        }
        hsm.fault("none");
        assert!(playing.join().is_ok(), "{fault}");
    });
    sandbox.forget_log();
}
