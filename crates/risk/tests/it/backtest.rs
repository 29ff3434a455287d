//! A backtest over a made-up past whose numbers one can count by hand.

use model::{CardId, ReasonCode, Timestamp};
use risk::{
    Limits, RiskEvent, RuleEngine,
    backtest::{Backtest, Case, Label, Labelled, Report, RuleDifference, Settings},
};

use crate::engine::{rule, set};

const BEGIN: i64 = 1_795_000_000_000;
const REFERENCES: [&str; 10] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"];

/// Ten payments, one a minute, of 100 to 1000; the last three are fraud, the first was declined, the second is honest.
fn past() -> Vec<Case<'static>> {
    (0..10)
        .map(|i| {
            let event = RiskEvent {
                amount: Some(100 * (i + 1)),
                currency: Some(156),
                ..RiskEvent::new(
                    Timestamp(BEGIN + i * 60_000),
                    CardId([1; 16]),
                    "900000",
                    "T0000001",
                    "M00000000000001",
                )
            };
            let outcome = if i == 0 { event.decided(ReasonCode::InsufficientFunds, false) } else { event };
            let label = match i {
                7.. => Some(Label::Bad),
                1 => Some(Label::Good),
                _ => None,
            };
            Case { event, outcome, reference: REFERENCES[i as usize], label }
        })
        .collect()
}

fn tested(candidate: &[String], baseline: Option<&[String]>, from: i64, settings: Settings) -> Report {
    let engine = |rules: &[String]| RuleEngine::new(set(rules), Limits::default());
    let test =
        Backtest::new(engine(candidate), baseline.map(engine), Timestamp(BEGIN + from * 60_000), settings);
    let mut told = Vec::new();
    let report = test.run(past(), 4, &mut |done| told.push(done));
    assert_eq!(told, [4, 8, 10]);
    report
}

#[test]
fn hits_declines_precision_and_lost_volume_are_counted() {
    let rules = [
        rule("large", "amount > 500", "decline", ""),
        rule("second", "amount == 200", "decline", "mode = 'shadow'"),
        rule("ask", "amount == 100", "step-up", ""),
        rule("odd", "country == 'CN'", "decline", ""),
        rule("off", "amount > 1", "decline", "mode = 'off'"),
    ];
    let set = tested(&rules, None, 0, Settings { examples: 2, ..Settings::default() }).candidate;
    assert_eq!((set.events, set.hits, set.declined), (10, 7, 6));
    // declined: 600 to 1000 and 200; of these 800 to 1000 are fraud
    assert_eq!(set.labelled, Labelled { bad: 3, good: 1 });
    assert_eq!(set.seen, Labelled { bad: 3, good: 1 });
    assert_eq!(set.labelled.precision(), Some(0.75));
    assert_eq!((set.approved_lost, set.volume_lost[&156]), (3, 600 + 700 + 200));
    let large = &set.rules["large"];
    assert_eq!((large.hits, large.declined, large.errors), (5, 5, 0));
    let references: Vec<&str> = large.examples.iter().map(|e| e.reference.as_str()).collect();
    assert_eq!(references, ["r9", "r8"]);
    assert_eq!(set.rules["ask"].declined, 0);
    assert_eq!((set.rules["odd"].errors, set.rules["odd"].hits), (10, 0));
    assert_eq!(set.rules["odd"].first_error.as_deref(), Some("country is not known"));
    assert!(!set.rules.contains_key("off"));
}

#[test]
fn rules_in_shadow_can_be_left_out() {
    let rules = [rule("second", "amount == 200", "decline", "mode = 'shadow'")];
    let set = tested(&rules, None, 0, Settings { shadow_too: false, ..Settings::default() }).candidate;
    assert_eq!((set.hits, set.labelled.precision()), (0, None));
}

#[test]
fn what_is_before_the_window_of_interest_fills_the_counters() {
    let rules = [rule("third", "count(card, '10m') >= 3", "review", "")];
    let all = tested(&rules, None, 0, Settings::default()).candidate;
    assert_eq!((all.events, all.hits), (10, 8));
    let late = tested(&rules, None, 5, Settings::default()).candidate;
    assert_eq!((late.events, late.hits), (5, 5));
}

#[test]
fn two_sets_are_compared_by_payment_and_by_rule() {
    let old = [rule("large", "amount > 800", "decline", ""), rule("gone", "amount == 100", "decline", "")];
    let new = [rule("large", "amount > 700", "decline", ""), rule("new", "amount == 300", "review", "")];
    let report = tested(&new, Some(&old), 0, Settings::default());
    let difference = report.difference.expect("there is a baseline");
    assert_eq!((difference.both, difference.only_baseline, difference.only_candidate), (2, 1, 1));
    let of = |both, only_baseline, only_candidate| RuleDifference { both, only_baseline, only_candidate };
    assert_eq!(difference.rules["large"], of(2, 0, 1));
    assert_eq!(difference.rules["gone"], of(0, 1, 0));
    assert_eq!(difference.rules["new"], of(0, 0, 1));
}

#[test]
fn a_rule_that_declines_everything_is_reported_and_not_demoted() {
    let rules = [
        rule("all", "amount > 1", "decline", ""),
        "[breaker]\nshare_percent = 1\nwindow = '1h'\nevents_min = 1\n".to_owned(),
    ];
    let set = tested(&rules, None, 0, Settings::default()).candidate;
    assert_eq!(set.declined, 10);
}
