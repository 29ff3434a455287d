//! The scorer, with predictions made by hand: it must see what is right, and everything that is wrong.

use diagnosis::{Cause, Scope, Status};
use drill::{
    Day, Labels, Tally,
    day::{Cover, Mechanism, Place, START_MS, Truth},
    evaluate::{
        Heard, Score,
        watch::{Opinion, Said, Version},
    },
    play::{Locked, Refusal},
};
use host::observe::Names;
use model::{CardId, Rrn, Timestamp};

const HOUR: i64 = 3_600_000;
const ONSET: i64 = START_MS + 10 * HOUR;
const REPAIR: i64 = START_MS + 12 * HOUR;

struct Bench {
    labels: Labels,
    heard: Heard,
    names: Names,
}

fn id(n: u8) -> CardId {
    CardId([n; 16])
}

fn rrn(n: u32) -> Rrn {
    format!("{n:012}").parse().unwrap()
}

fn truth(day: &Day, cause: Cause, terminal: u32) -> Truth {
    let mut covered = vec![false; day.fleet.terminals.len()];
    covered[terminal as usize] = true;
    Truth {
        id: day.truths.len() as u16,
        cause,
        variant: "by-hand",
        row: Some("dead_key"),
        exact: vec![Place::Terminal(terminal)],
        terminals: vec![terminal],
        cards: Vec::new(),
        bins: Vec::new(),
        agents: Vec::new(),
        cover: Cover::Terminals(covered),
        from: ONSET,
        until: REPAIR,
        strength: 1.0,
        mechanism: Mechanism::WrongKey,
    }
}

impl Bench {
    /// Incidents of these causes, each at a terminal of its own, with forty sessions each: one at every tenth observation.
    fn new(causes: &[Cause]) -> Self {
        let mut day = Day::quiet(1000).unwrap();
        for (terminal, cause) in causes.iter().enumerate() {
            let truth = truth(&day, *cause, terminal as u32);
            day.truths.push(truth);
        }
        let mut labels = Labels::of(day, (0..10).map(id).collect());
        labels.sessions = 1_000_000;
        for sessions in &mut labels.of_truth {
            *sessions = (1..=40).map(|n| n * 10).collect();
        }
        Self { labels, heard: Heard::default(), names: Names::default() }
    }

    fn terminal(&self, at: usize) -> Scope {
        Scope::Terminal(self.labels.day.fleet.terminals[at].id)
    }

    /// An incident that was told after so many observations and stayed as it was.
    fn says(&mut self, cause: Cause, scope: Scope, after: u32) -> &mut Said {
        let at = Timestamp(ONSET + i64::from(after) * 1_000);
        let version =
            Version { after, at, cause, scope, status: Status::Open, confidence: 0.9, second: None };
        let said = Said {
            history: vec![version],
            onset: Timestamp(ONSET + 1_000),
            last_seen: at,
            ended: None,
            ended_after: None,
            harmed: Vec::new(),
        };
        let number = self.heard.incidents.len() as u64 + 1;
        self.heard.incidents.entry(number).or_insert(said)
    }

    fn score(&mut self) -> Score {
        Tally::of_day(&self.heard, &self.labels, &mut self.names).score("by hand")
    }
}

#[test]
fn what_is_named_rightly_scores_in_full() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey, Cause::KeypadFault]);
    let (one, two) = (bench.terminal(0), bench.terminal(1));
    bench.says(Cause::WrongTerminalKey, one, 25);
    let said = bench.says(Cause::KeypadFault, two, 100);
    (said.ended, said.ended_after) = (Some(Timestamp(REPAIR + 5 * 60_000)), Some(420));
    bench.labels.after_truth[1] = vec![405, 410, 430];
    let score = bench.score();
    assert_eq!((score.macro_f1, score.top2_accuracy, score.duplicates_per_true), (1.0, 1.0, 1.0));
    assert_eq!((score.localisation, score.false_incidents_per_million_sessions), (1.0, 0.0));
    assert_eq!(score.detection_sessions["wrong-terminal-key"].p95, 2.0);
    assert_eq!(score.detection_sessions["keypad-fault"].p50, 10.0);
    assert_eq!(score.retraction_minutes["keypad-fault"].p50, 5.0);
    assert_eq!(score.retraction_sessions["keypad-fault"].p50, 2.0);
    assert_eq!(score.lingering, 1, "the other one is never over");
    assert!((score.brier - 0.01).abs() < 1e-6, "{}", score.brier);
}

#[test]
fn silence_is_recall_zero() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey, Cause::KeypadFault]);
    let one = bench.terminal(0);
    bench.says(Cause::WrongTerminalKey, one, 25);
    let score = bench.score();
    assert_eq!(score.macro_f1, 0.5);
    assert_eq!(score.per_class["keypad-fault"].recall, 0.0);
    assert_eq!(score.confusion["keypad-fault"]["nothing"], 1);
    // Two sessions for the one; of the other, forty went by in silence, and nobody knows about more.
    let expected = [Some(0.5), Some(0.5), Some(0.5), Some(1.0), Some(1.0)];
    assert_eq!(score.by_sessions.rows["dead_key"].ours, expected);
}

#[test]
fn another_cause_is_wrong_for_both_classes_and_second_best_counts_half() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey, Cause::KeypadFault]);
    let (one, two) = (bench.terminal(0), bench.terminal(1));
    bench.says(Cause::KeypadFault, one, 25).history[0].second = Some(Cause::WrongTerminalKey);
    bench.says(Cause::KeypadFault, two, 25);
    let score = bench.score();
    assert_eq!(score.per_class["wrong-terminal-key"].f1, 0.0);
    assert_eq!(
        (score.per_class["keypad-fault"].precision, score.per_class["keypad-fault"].recall),
        (0.5, 1.0)
    );
    assert_eq!(score.confusion["wrong-terminal-key"]["keypad-fault"], 1);
    assert_eq!(score.top2_accuracy, 1.0);
    assert_eq!(
        score.false_incidents_per_million_sessions, 0.0,
        "it is no false incident: something was wrong there"
    );
}

#[test]
fn an_incident_where_nothing_is_wrong_is_false() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey]);
    let (one, elsewhere) = (bench.terminal(0), bench.terminal(7));
    bench.says(Cause::WrongTerminalKey, one, 25);
    bench.says(Cause::WrongTerminalKey, elsewhere, 30);
    let score = bench.score();
    assert_eq!(score.false_incidents_per_million_sessions, 1.0);
    assert_eq!(score.per_class["wrong-terminal-key"].precision, 0.5);
    assert_eq!(score.duplicates_per_true, 1.0);
}

#[test]
fn the_right_place_at_the_wrong_time_is_false() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey]);
    let one = bench.terminal(0);
    let said = bench.says(Cause::WrongTerminalKey, one, 25);
    said.history[0].at = Timestamp(REPAIR + 2 * HOUR);
    said.onset = Timestamp(REPAIR + HOUR);
    let score = bench.score();
    assert_eq!((score.macro_f1, score.false_incidents_per_million_sessions), (0.0, 1.0));
}

#[test]
fn the_same_twice_is_a_duplicate_unless_one_explains_the_other() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey]);
    let one = bench.terminal(0);
    let merchant = Scope::Merchant(bench.labels.day.fleet.merchant_of(0).id);
    bench.says(Cause::WrongTerminalKey, one, 25);
    bench.says(Cause::WrongTerminalKey, merchant, 40);
    let score = bench.score();
    assert_eq!((score.duplicates_per_true, score.macro_f1), (2.0, 1.0));
    bench.heard.incidents.get_mut(&2).unwrap().history[0].status = Status::Absorbed;
    assert_eq!(bench.score().duplicates_per_true, 1.0);
}

#[test]
fn what_was_only_suspected_and_taken_back_alarms_nobody() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey]);
    let elsewhere = bench.terminal(7);
    let said = bench.says(Cause::KeypadFault, elsewhere, 25);
    said.history[0].status = Status::Provisional;
    let taken_back = Version { status: Status::Retracted, after: 60, ..said.history[0] };
    said.history.push(taken_back);
    assert_eq!(bench.score().false_incidents_per_million_sessions, 0.0);
    bench.heard.incidents.get_mut(&1).unwrap().history[0].status = Status::Open;
    assert_eq!(bench.score().false_incidents_per_million_sessions, 1.0, "this one was told");
}

#[test]
fn a_wider_scope_is_right_in_cause_and_not_exact() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey]);
    let merchant = Scope::Merchant(bench.labels.day.fleet.merchant_of(0).id);
    bench.says(Cause::WrongTerminalKey, merchant, 25);
    let score = bench.score();
    assert_eq!((score.macro_f1, score.localisation), (1.0, 0.0));
}

#[test]
fn late_naming_shows_in_the_table() {
    let mut bench = Bench::new(&[Cause::KeypadFault]);
    let one = bench.terminal(0);
    bench.says(Cause::KeypadFault, one, 125);
    let score = bench.score();
    // Twelve sessions: too late for 5 and 10. It had only forty, but was named before.
    let expected = [Some(0.0), Some(0.0), Some(1.0), Some(1.0), Some(1.0)];
    assert_eq!(score.by_sessions.rows["dead_key"].ours, expected);
    assert_eq!(score.by_sessions.rows["bouncing_key"].ours, [None; 5], "there was none");
}

#[test]
fn locks_by_faults_must_be_listed_as_harm() {
    let mut bench = Bench::new(&[Cause::KeypadFault]);
    let one = bench.terminal(0);
    bench.labels.locks = vec![
        Locked { card: id(1), fault: Some(0), at: ONSET, seen: 50 },
        Locked { card: id(2), fault: Some(0), at: ONSET, seen: 60 },
        Locked { card: id(3), fault: None, at: ONSET, seen: 70 },
    ];
    bench.says(Cause::KeypadFault, one, 25).harmed = vec![id(1)];
    let score = bench.score();
    assert_eq!((score.cards_locked_by_faults, score.cards_locked_wrongly), (2, 1));
}

#[test]
fn cards_of_a_spray_are_counted_until_it_is_named() {
    let mut bench = Bench::new(&[Cause::PinSpray]);
    let one = bench.terminal(0);
    bench.labels.tried[0] = vec![(10, 1), (12, 1), (20, 2), (30, 3), (40, 4)];
    assert_eq!(bench.score().spray_cards_before_block.p95, 4.0, "never named: all of them");
    bench.says(Cause::PinSpray, one, 30);
    // The card at which it was noticed was tried, too.
    assert_eq!(bench.score().spray_cards_before_block.p95, 3.0);
    bench.labels.rules.blocked[0] = Some(12);
    assert_eq!(bench.score().spray_cards_before_block.p95, 1.0, "a rule was quicker");
    assert_eq!(bench.score().spray_cards_before_named.p95, 3.0);
}

#[test]
fn verdicts_are_scored_at_once_and_in_the_end() {
    let mut bench = Bench::new(&[]);
    let refusal = |n, cause| Refusal { rrn: rrn(n), cause, truth: None, seen: n };
    bench.labels.refusals =
        vec![refusal(1, Cause::Forgotten), refusal(2, Cause::Mistyped), refusal(3, Cause::Locked)];
    let says = |cause, second| Some(Opinion { cause, confidence: 0.8, second });
    bench.heard.verdicts = vec![
        (says(Cause::Mistyped, None), says(Cause::Forgotten, None)),
        (says(Cause::Mistyped, None), says(Cause::Forgotten, Some(Cause::Mistyped))),
        (None, None),
    ];
    let score = bench.score();
    let verdicts = &score.verdicts;
    let third = 1.0 / 3.0;
    assert!((verdicts.accuracy_at_once - third).abs() < 1e-9 && (verdicts.accuracy - third).abs() < 1e-9);
    assert!((verdicts.top2_accuracy - 2.0 * third).abs() < 1e-9);
    assert_eq!((score.per_class["forgotten"].precision, score.per_class["forgotten"].recall), (0.5, 1.0));
    assert_eq!(score.per_class["locked"].recall, 0.0);
    assert_eq!(verdicts.reliability.len(), 1);
}

#[test]
fn days_add_up() {
    let mut bench = Bench::new(&[Cause::WrongTerminalKey]);
    let one = bench.terminal(0);
    let silent = Tally::of_day(&bench.heard, &bench.labels, &mut bench.names);
    bench.says(Cause::WrongTerminalKey, one, 25);
    let mut sum = Tally::of_day(&bench.heard, &bench.labels, &mut bench.names);
    sum.add(silent);
    let score = sum.score("two days");
    assert_eq!((score.sessions, score.incidents, score.split["reporting"]), (2_000_000, 2, 2));
    assert_eq!(score.per_class["wrong-terminal-key"].recall, 0.5);
}
