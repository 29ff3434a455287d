//! The engine as the host uses it: verdicts, modes, lists, snoozes, the breaker, and the next rule set.

use std::sync::Arc;

use model::{CardId, ReasonCode, Timestamp};
use risk::{Action, Change, DeclineReason, Limits, Mode, PinResult, RiskEvent, RuleEngine, RuleSet};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// A rule with everything that has to be there.
pub(crate) fn rule(id: &str, when: &str, action: &str, more: &str) -> String {
    let reason = if ["decline", "block-card", "block-terminal"].contains(&action) {
        "reason = 'suspected-fraud'\n"
    } else {
        ""
    };
    let mode = if more.contains("mode =") { "" } else { "mode = 'live'\n" };
    let phase = if more.contains("phase =") { "" } else { "phase = 'authorize'\n" };
    format!(
        "[[rule]]\nid = '{id}'\nname = {{ zh = 'x', en = 'x' }}\ngroup = 'x'\n{phase}when = \"\"\"{when}\"\"\"\n\
         action = '{action}'\n{reason}{mode}owner = 'risk desk'\nscore = 50\n{more}\n"
    )
}

pub(crate) fn set(rules: &[String]) -> Arc<RuleSet> {
    let file = format!("name = 'test'\n{}", rules.concat());
    Arc::new(RuleSet::parse(&file).unwrap_or_else(|problems| panic!("{file}\n{problems:#?}")))
}

fn engine(rules: &[String]) -> RuleEngine {
    RuleEngine::new(set(rules), Limits::default())
}

fn event() -> RiskEvent<'static> {
    RiskEvent {
        amount: Some(812_000),
        pin: PinResult::Verified,
        ..RiskEvent::new(NOW, CardId([7; 16]), "900000", "T0000001", "M00000000000001")
    }
}

const FRAUD: DeclineReason = DeclineReason::SuspectedFraud;

#[test]
fn the_strongest_action_is_taken_and_the_first_rule_that_asks_for_it_is_named() {
    let engine = engine(&[
        rule("a", "amount > 1", "review", ""),
        rule("b", "amount > 2", "decline", ""),
        rule("c", "amount > 3", "decline", ""),
        rule("d", "amount > 4", "step-up", ""),
        rule("e", "amount > 900000", "block-card", ""),
    ]);
    let verdict = engine.assess(&event(), NOW);
    assert_eq!(verdict.action, Some(Action::Decline(FRAUD)));
    assert_eq!(verdict.decided_by().map(|fired| fired.rule.as_str()), Some("b"));
    assert_eq!(verdict.fired.len(), 4);
    let term = &verdict.fired[1].terms[0];
    assert_eq!((term.text.as_str(), term.held), ("amount > 2", Some(true)));
    assert_eq!(term.values, [("amount".to_owned(), "812000".to_owned())]);
}

#[test]
fn a_rule_that_vouches_lifts_a_step_up_and_never_a_decline() {
    let vouch = rule("good", "hour == 0", "approve", "");
    let step_up = rule("ask", "amount > 1", "step-up", "");
    let decline = rule("no", "amount > 1", "decline", "");
    let lifted = engine(&[vouch.clone(), step_up]).assess(&event(), NOW);
    assert_eq!(lifted.action, Some(Action::Approve));
    let declined = engine(&[vouch, decline]).assess(&event(), NOW);
    assert_eq!(declined.action, Some(Action::Decline(FRAUD)));
}

#[test]
fn modes_phases_and_validity_decide_which_rules_are_asked() {
    let engine = engine(&[
        rule("off", "amount > 1", "decline", "mode = 'off'"),
        rule("shadow", "amount > 1", "decline", "mode = 'shadow'"),
        rule("after", "amount > 1", "alert", "phase = 'after'"),
        rule("ended", "amount > 1", "decline", "until = '2020-01-01T00:00:00Z'"),
        rule("to-come", "amount > 1", "decline", "from = '2099-01-01T00:00:00Z'"),
    ]);
    let verdict = engine.assess(&event(), NOW);
    assert_eq!((verdict.action, verdict.fired.len(), verdict.shadow.len()), (None, 0, 1));
    assert_eq!(verdict.shadow[0].rule, "shadow");
    let after = engine.assess_after(&event(), NOW);
    assert_eq!((after.action, after.fired.len()), (Some(Action::Alert), 1));
}

#[test]
fn a_rule_without_a_truth_value_is_reported_and_the_others_still_act() {
    let engine = engine(&[
        rule("unknown", "country == 'CN'", "decline", ""),
        rule("known", "amount > 1", "review", ""),
    ]);
    let verdict = engine.assess(&event(), NOW);
    assert_eq!((verdict.errors[0].rule.as_str(), verdict.errors[0].fault), ("unknown", "missing"));
    assert_eq!(verdict.errors[0].what, "country is not known");
    assert_eq!(verdict.action, Some(Action::Review));
}

#[test]
fn lists_and_snoozes_end_by_themselves() {
    let listed = "card in list(\"stolen\")";
    let lists = "[lists.stolen]\nzh = 'x'\nen = 'x'\n".to_owned();
    let mut engine = engine(&[rule("stolen", listed, "block-card", ""), lists]);
    let card = CardId([7; 16]).to_string();
    let (by, why) = ("a".to_owned(), "phone".to_owned());
    assert!(engine.assess(&event(), NOW).is_silent());
    engine.apply(&Change::Listed {
        list: "stolen".to_owned(),
        member: card,
        until: Some(NOW.plus_s(60)),
        by: by.clone(),
        why: why.clone(),
        at: NOW,
    });
    assert_eq!(engine.assess(&event(), NOW).action, Some(Action::BlockCard(FRAUD)));
    engine.apply(&Change::Snoozed {
        rule: "stolen".to_owned(),
        member: "T0000001".to_owned(),
        until: NOW.plus_s(30),
        by,
        why,
        at: NOW,
    });
    let snoozed = engine.assess(&event(), NOW);
    assert_eq!((snoozed.action, snoozed.snoozed.len()), (None, 1));
    assert_eq!(engine.assess(&event(), NOW.plus_s(30)).fired.len(), 1);
    assert!(engine.assess(&event(), NOW.plus_s(60)).is_silent());
    engine.forget_ended(NOW.plus_s(60));
    assert!(engine.assess(&event(), NOW).is_silent(), "what has ended does not come back");
}

#[test]
fn a_rule_that_declines_too_much_is_demoted_and_said_so() {
    let breaker = "[breaker]\nshare_percent = 20\nwindow = '10m'\nevents_min = 10\n".to_owned();
    let mut engine =
        engine(&[rule("bad", "amount > 1", "decline", ""), rule("ok", "amount > 1", "review", ""), breaker]);
    let mut changes = Vec::new();
    for second in 0..20 {
        let event = RiskEvent { at: NOW.plus_s(second), ..event() };
        let verdict = engine.assess(&event, event.at);
        changes.extend(engine.observe(&event.decided(ReasonCode::BlockedCard, false), &verdict));
    }
    let [Change::Demoted { rule, declined, events, digest, .. }] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!((rule.as_str(), *declined, *events), ("bad", 10, 10));
    assert_eq!((engine.mode_of("bad"), engine.mode_of("ok")), (Some(Mode::Shadow), Some(Mode::Live)));
    let verdict = engine.assess(&event(), NOW);
    assert_eq!((verdict.action, verdict.shadow.len()), (Some(Action::Review), 1));
    let restored = Change::Restored {
        rule: rule.clone(),
        digest: digest.clone(),
        requested_by: "a".to_owned(),
        approved_by: "b".to_owned(),
        at: NOW,
    };
    engine.apply(&restored);
    assert_eq!(engine.mode_of("bad"), Some(Mode::Live));
    // a fresh start knows of the demotion from the kept change
    let mut again = RuleEngine::new(Arc::clone(engine.set()), Limits::default());
    again.apply(&changes[0]);
    assert_eq!(again.mode_of("bad"), Some(Mode::Shadow));
}

#[test]
fn the_next_rule_set_begins_with_the_windows_that_it_shares() {
    let mut first = engine(&[rule("a", "count(card, '1h') >= 3", "decline", "")]);
    for second in 0..2 {
        first.learn(&RiskEvent { at: NOW.plus_s(second), ..event() });
    }
    let next = first.succeeded_by(set(&[
        rule("b", "count(card, '60m') >= 3", "block-card", ""),
        rule("c", "count(terminal, '60m') >= 2", "decline", ""),
    ]));
    let verdict = next.assess(&event(), NOW.plus_s(2));
    assert_eq!(verdict.fired.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(next.history_ms(), 3_600_000);
}

#[test]
fn in_shadow_nothing_acts() {
    let engine = RuleEngine::in_shadow(set(&[rule("a", "amount > 1", "decline", "")]), Limits::default());
    let verdict = engine.assess(&event(), NOW);
    assert_eq!((verdict.action, verdict.shadow.len(), engine.strongest()), (None, 1, None));
}

#[test]
fn asking_changes_nothing() {
    let mut engine = engine(&[rule("a", "count(card, '1h') >= 2", "decline", "")]);
    for _ in 0..5 {
        assert!(engine.assess(&event(), NOW).is_silent());
    }
    engine.learn(&event());
    assert_eq!(engine.assess(&event(), NOW).fired.len(), 1);
}
