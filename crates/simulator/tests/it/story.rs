//! The story language and its runner.

use simulator::runner::{Event, Options, RunError};
use simulator::{Report, Story};

use crate::fake_host::{Act, FakeHost};
use crate::host_side::Side;

fn fault(text: &str) -> String {
    Story::parse("s", text).unwrap_err().to_string()
}

#[test]
fn what_a_story_does_not_know_is_refused_with_its_line() {
    let head = "terminal T1\ncard C1\n";
    for (line, says) in [
        ("T1: sale C1 1.00 pin right", "s, line 3: expected '-> CODE' at the end"),
        ("T1: sale C1 1.00 pin right -> 5", "s, line 3: '5' is not a response code"),
        ("T1: sale C1 1.00 pin right -> 55 tries=1", "s, line 3: unknown expectation 'tries=1'"),
        ("T1: sale C2 1.00 pin right -> 55", "s, line 3: card 'C2' is not declared"),
        ("T1: sale C1 1.001 pin right -> 55", "s, line 3: '1.001' is not an amount such as 12.50"),
        ("T1: sale C1 1.00 pin maybe -> 55", "s, line 3: expected right, wrong or digits after 'pin'"),
        ("T1: sale C1 1.00 -> 55", "s, line 3: expected 'pin …' or 'no-pin'"),
        ("T1: sale C1 1.00 no-pin quickly -> 55", "s, line 3: unknown word 'quickly'"),
        ("T1: sale C1 1.00 no-pin delayed 5h -> 55", "s, line 3: '5h' is not a time such as 500ms or 2s"),
        ("T1: sing-in -> 00", "s, line 3: unknown word 'sing-in'"),
        ("T1: void -> 00 same-bytes", "s, line 3: same-bytes needs 'sent-twice' or 'repeat'"),
        ("T2: sign-in -> 00", "s, line 3: terminal 'T2' is not declared"),
        ("terminal T1", "s, line 3: terminal 'T1' is declared twice"),
        ("terminal T2 id T00000075", "s, line 3: expected a terminal number of at most 8 characters"),
        ("card C2 colour red", "s, line 3: unknown word 'colour'"),
        ("hello", "s, line 3: unknown word 'hello'"),
        ("terminal T2 scheme rsa", "s, line 3: expected tdes, tdes-dukpt, aes-dukpt or sm4"),
        ("terminal T2 next", "s, line 3: expected tdes, tdes-dukpt, aes-dukpt or sm4"),
        ("T1: switch-keys now", "s, line 3: unknown word 'now'"),
        ("T1: echo", "s, line 3: expected '-> CODE' at the end"),
        ("wait 1h", "s, line 3: '1h' is not a time such as 500ms or 2s"),
        ("title fr Bonjour", "s, line 3: expected 'title en …' or 'title zh …'"),
    ] {
        assert_eq!(fault(&format!("{head}{line}")), says);
    }
    assert_eq!(fault("# nothing\n\n"), "s, line 2: nothing happens");
}

#[test]
fn the_stories_that_come_with_the_program_can_be_read() {
    for name in Story::names() {
        let text = std::fs::read_to_string(format!("{}/stories/{name}.story", env!("CARGO_MANIFEST_DIR")));
        let story = Story::parse(name, &text.unwrap()).unwrap();
        assert!(Story::builtin(name).is_some());
        assert_ne!(story.title(simulator::Language::Zh), name);
        assert_ne!(story.title(simulator::Language::En), name);
    }
    assert!(Story::builtin("no-such-story").is_none());
}

async fn play(story: &Story, acts: &[Act]) -> (Result<Report, RunError>, Vec<String>) {
    let host = FakeHost::start("cup-pos", acts).await;
    let mut seen = Vec::new();
    let mut watch = |event: Event<'_>| {
        if let Event::Step(step) = event {
            seen.push(format!("{} {} {}", step.mti, step.what, step.answer));
        }
    };
    let report = simulator::run(story, &host.sandbox(), &Options::default(), &mut watch).await;
    (report, seen)
}

fn codes(codes: &[&'static str]) -> Vec<Act> {
    codes.iter().map(|code| Act::Answer(code)).collect()
}

#[tokio::test]
async fn error_75_is_true_where_the_third_wrong_pin_locks() {
    let story = Story::builtin("error-75").unwrap();
    let (report, seen) = play(&story, &codes(&["00", "55", "55", "75", "75"])).await;
    let report = report.unwrap();
    assert!(report.passed(), "{:?}", report.failures);
    assert_eq!(
        seen,
        [
            "0800 sign-in 00",
            "0200 balance 00",
            "0200 sale 55",
            "0200 sale 55",
            "0200 sale 75",
            "0200 sale 75"
        ]
    );
}

#[tokio::test]
async fn a_host_that_unlocks_by_the_right_pin_is_found_out() {
    let story = Story::builtin("error-75").unwrap();
    let (report, _) = play(&story, &codes(&["00", "55", "55", "75", "00"])).await;
    let failures = report.unwrap().failures;
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].line, failures[0].got.as_str()),
        (12, "00"),
        "the line that says the right PIN does not unlock"
    );
}

#[tokio::test]
async fn a_locked_card_is_passed_over_and_no_card_is_an_error() {
    let text = "terminal T1\ncard C1\nT1: sign-in -> 00\nT1: sale C1 1.00 pin right -> 00";
    let story = Story::parse("s", text).unwrap();
    let (report, seen) = play(&story, &codes(&["75", "00", "00"])).await;
    assert!(report.unwrap().passed());
    assert_eq!(seen[1..3], ["0200 balance 75", "0200 balance 00"]);
    let (report, _) = play(&story, &codes(&["75", "75"])).await;
    assert!(matches!(report, Err(RunError::NoCard(name)) if name == "C1"));
}

#[tokio::test]
async fn lost_packets_are_reversed_within_the_story() {
    let story = Story::builtin("packet-loss").unwrap();
    // The probe, 55; the reversal of what was lost, 55; the lost 00, its reversal, 00, the void.
    let (report, seen) = play(&story, &codes(&["00", "55", "00", "55", "00", "00", "00", "00"])).await;
    let report = report.unwrap();
    assert!(report.passed(), "{:?}", report.failures);
    assert_eq!(seen.iter().filter(|s| s.starts_with("0400")).count(), 2);
    assert!(report.steps.iter().all(|step| !step.to_string().contains("6216261000000000018")));
}

#[tokio::test]
async fn an_ordinary_day_is_balanced_in_the_evening() {
    let story = Story::builtin("day-at-the-till").unwrap();
    let (report, _) = play(&story, &[]).await;
    let report = report.unwrap();
    assert!(report.passed(), "{:?}", report.failures);
}

/// Plays a story at several hosts; `Ok` if everything came as written.
async fn played(story: &Story, hosts: &[&FakeHost]) -> Result<Vec<String>, String> {
    let sandbox = FakeHost::sandbox_of(hosts);
    let report = simulator::run(story, &sandbox, &Options::default(), &mut |_| {}).await;
    let report = report.map_err(|error| error.to_string())?;
    let steps = report.steps.iter().map(|step| format!("{} {} {}", step.terminal, step.what, step.answer));
    if report.passed() { Ok(steps.collect()) } else { Err(format!("{:?}", report.failures)) }
}

#[tokio::test]
async fn a_day_with_a_key_for_every_transaction() {
    let story = Story::builtin("dukpt-day").unwrap();
    let tdes_acts = codes(&["00", "00", "00", "00", "63", "99", "55", "00", "00", "00", "00"]);
    let tdes = FakeHost::of(Side::TdesDukpt, &tdes_acts).await;
    let aes = FakeHost::of(Side::AesDukpt(16), &codes(&["00", "63", "55"])).await;
    let steps = played(&story, &[&tdes, &aes]).await.unwrap();
    assert_eq!(steps.iter().filter(|step| step.starts_with("T01")).count(), 10, "{steps:?}");
    // The probe, balance, sale and its repeat; the sale that replays; wrong TPK, wrong TAK, wrong PIN, lost, reversal, sale, void.
    assert_eq!(tdes.counters(), [0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 0]);
    assert_eq!(aes.counters(), [0, 1, 1, 2, 3, 4, 5, 0]);
}

#[tokio::test]
async fn a_day_with_sm4_keys() {
    let story = Story::builtin("sm4-day").unwrap();
    let acts = codes(&["00", "00", "00", "55", "55", "99"]);
    let (tdes, sm4) = (FakeHost::of(Side::Tdes, &[]).await, FakeHost::of(Side::Sm4, &acts).await);
    let steps = played(&story, &[&tdes, &sm4]).await.unwrap();
    assert!(steps.iter().all(|step| step.starts_with("T01")), "{steps:?}");
    assert!(tdes.shapes().is_empty());
}

#[tokio::test]
async fn a_story_that_names_no_scheme_gets_tdes() {
    let any = Story::parse("s", "terminal T1\nT1: sign-in -> 00").unwrap();
    let (dukpt, tdes) = (FakeHost::of(Side::TdesDukpt, &[]).await, FakeHost::of(Side::Tdes, &[]).await);
    let refused = played(&any, &[&dukpt]).await.unwrap_err();
    assert!(refused.starts_with("no free terminal for T1"), "{refused}");
    assert_eq!(played(&any, &[&tdes, &dukpt]).await.unwrap(), ["T0000001 sign-in 00"].map(str::to_owned));
    let named = Story::parse("s", "terminal T1 scheme tdes-dukpt listener 0\nT1: sign-in -> 00").unwrap();
    assert!(played(&named, &[&tdes, &dukpt]).await.unwrap_err().starts_with("no free terminal"));
    assert_eq!(played(&named, &[&dukpt]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_story_of_a_migration() {
    let text = "terminal T1 next aes-dukpt\ncard C1\nT1: sign-in -> 00\nT1: sale C1 1.00 pin right -> 00\n\
                T1: switch-keys\nT1: sign-in -> 00\nT1: sale C1 2.00 pin right -> 00\n\
                T1: switch-back\nT1: sign-in -> 00\nT1: void -> 00";
    let story = Story::parse("s", text).unwrap();
    let (old, new) = (FakeHost::of(Side::Tdes, &[]).await, FakeHost::of(Side::AesDukpt(32), &[]).await);
    let mut sandbox = FakeHost::sandbox_of(&[&old, &new]);
    let none = simulator::run(&story, &sandbox, &Options::default(), &mut |_| {}).await;
    assert!(matches!(none, Err(RunError::NoTerminal(_))), "no terminal has keys to switch to");
    let entry = format!(
        r#"{{"tid":"T0000001","mid":"898510154110283",{},"next":{{"listener":1,{}}}}}"#,
        old.side.fields(),
        new.side.fields()
    );
    sandbox.terminals[0] = serde_json::from_str(&entry).unwrap();
    let report = simulator::run(&story, &sandbox, &Options::default(), &mut |_| {}).await.unwrap();
    assert!(report.passed(), "{:?}", report.failures);
    assert_eq!(new.pins("6299990000000009"), ["147258"]);
    assert_eq!(old.look(|m| m.mti().to_string()), ["0800", "0200", "0200", "0800", "0200"]);
}
