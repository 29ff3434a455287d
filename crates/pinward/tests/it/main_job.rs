//! The main job from a terminal's bytes to the printed receipt, once with the soft module and once with an HSM behind the host;
//! and what terminals see when that HSM fails: never a wrong PIN.

use std::process::Command;

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
    // No payShield speaks SM4.
    for story in stories().iter().filter(|story| *story != "sm4-day") {
        sandbox.play(story);
    }
    let checked = Command::new(PROGRAM)
        .args(["hsm", "check", "--config"])
        .arg(sandbox.data.join("pinward.toml"))
        .output()
        .unwrap();
    assert!(checked.status.success() && said(&checked).contains("takes pvv.standard"), "{}", said(&checked));

    // While its commands fail the terminal hears 91 or 96, whatever PIN it sends, and the card keeps its tries: after
    // it, two wrong PINs do not lock.
    for fault in ["error=39", "error=68", "wrong-header", "drop", "dead"] {
        let pay = |pin: &str, answer: &str| format!("T1: sale C1 5.00 pin {pin} -> {answer}\n");
        let head = "terminal T1 listener 1\ncard C1 product debit-standard\nT1: sign-in -> 00\n";
        sandbox.play_text(&format!("{head}{}", pay("right", "00")));
        hsm.fault(fault);
        let during = format!("terminal T1 listener 1\nT1: sign-in -> 91|96\nT1: echo -> 00\n");
        sandbox.play_text(&during);
        hsm.fault("none");
        let after = format!("{head}{}{}{}", pay("wrong", "55"), pay("wrong", "55"), pay("right", "00"));
        retry(&sandbox, &after);
    }
    for fault in ["slow=300", "split", "merge", "reorder"] {
        hsm.fault(fault);
        sandbox.play("duplicate");
        hsm.fault("none");
    }
}

/// The breaker lets the device rest for some seconds after its fault.
#[track_caller]
fn retry(sandbox: &Sandbox, story: &str) {
    for _ in 0..40 {
        let out = crate::sandbox::script(
            &["--data", sandbox.data.to_str().unwrap()],
            "terminal T1 listener 1\nT1: sign-in -> 00\n",
        );
        if out.status.success() {
            return sandbox.play_text(story);
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    panic!("the HSM did not come back");
}
