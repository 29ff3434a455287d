//! Files of rules: what is refused, where in the file, and everything at once.

use risk::{Problem, RuleSet};

use crate::engine::rule;

fn suggestion(said: &[Problem]) -> Option<String> {
    said[0].suggestion.as_ref().map(ToString::to_string)
}

fn problems(text: &str) -> Vec<Problem> {
    RuleSet::parse(text).expect_err("refused")
}

#[test]
fn a_place_in_a_condition_is_a_place_in_the_file() {
    let head = "name = 'x'\n";
    for (written, place) in [
        ("'amount > 1 && ammount > 2'", (7, 23)),
        ("\"amount > 1 && ammount > 2\"", (7, 23)),
        ("'''amount > 1 && ammount > 2'''", (7, 25)),
        ("'''\namount > 1\n  && ammount > 2\n'''", (9, 6)),
        ("\"\"\"\namount > 1\n  && ammount > 2\"\"\"", (9, 6)),
        // written with an escape: as near as one can say
        ("\"mcc == \\\"1\\\" && ammount > 2\"", (7, 8)),
    ] {
        let text = head.to_owned() + &rule("a", "WHEN", "review", "").replace("\"\"\"WHEN\"\"\"", written);
        let problems = problems(&text);
        assert_eq!((problems[0].line, problems[0].column), place, "{text}\n{problems:?}");
        assert_eq!(problems[0].rule.as_deref(), Some("a"));
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let text = [
        "name = 'x'\n".to_owned(),
        rule("a", "ammount > 1", "review", ""),
        rule("a", "amount > 1", "revue", ""),
        rule("B", "card in list(\"stolen\")", "decline", "until = 'tomorrow'"),
        rule("c", "amount > 1", "decline", "phase = 'after'"),
        rule("d", "amount > 1", "review", "from = '2027-01-01T00:00:00Z'\nuntil = '2026-01-01T00:00:00Z'"),
        "[lists.stoln]\nzh = 'x'\nen = 'x'\n".to_owned(),
    ]
    .concat();
    let said: Vec<(String, String)> = problems(&text)
        .into_iter()
        .map(|p| (p.what.en(), p.suggestion.map(|s| s.en()).unwrap_or_default()))
        .collect();
    for (what, suggestion) in [
        ("there is no field ammount", "did you mean amount?"),
        ("two rules have this id", ""),
        ("there is no action revue", "did you mean review?"),
        ("an id has 1 to 40 small letters, digits and hyphens", ""),
        ("this is no moment", "write \"2026-11-22T00:00:00+08:00\""),
        ("after the authorization, a rule can only alert or ask for a review", ""),
        ("the rule ends before it begins", ""),
    ] {
        assert!(said.contains(&(what.to_owned(), suggestion.to_owned())), "{what} in {said:#?}");
    }
}

#[test]
fn an_undeclared_list_and_a_missing_reason_are_refused_with_what_to_write() {
    let declared = "[lists.stoln]\nzh = 'x'\nen = 'x'\n";
    let used = rule("a", "card in list(\"stolen\")", "review", "");
    let said = problems(&format!("name = 'x'\n{used}{declared}"));
    assert_eq!(said[0].what.en(), "the file declares no list stolen");
    assert_eq!(suggestion(&said).as_deref(), Some("did you mean stoln?"));
    let said = problems(&format!("name = 'x'\n{used}"));
    assert_eq!(suggestion(&said).as_deref(), Some("declare it: [lists.stolen] with zh and en"));
    let without = rule("a", "amount > 1", "decline", "").replace("reason = 'suspected-fraud'\n", "");
    let said = problems(&format!("name = 'x'\n{without}"));
    assert_eq!(suggestion(&said).as_deref(), Some("reason = \"suspected-fraud\""));
    let other = rule("a", "amount > 1", "decline", "").replace("suspected-fraud", "suspected-frod");
    let said = problems(&format!("name = 'x'\n{other}"));
    assert_eq!(suggestion(&said).as_deref(), Some("did you mean suspected-fraud?"));
}

#[test]
fn what_is_no_toml_or_has_unknown_keys_is_refused_with_its_place() {
    let said = problems("name = 'x'\n[[rule]\n");
    assert_eq!(said[0].line, 2);
    let said = problems(&format!("name = 'x'\n{}", rule("a", "amount > 1", "review", "wen = 'x'")));
    assert!(said[0].what.en().contains("wen"), "{said:?}");
    assert_eq!(suggestion(&said).as_deref(), Some("did you mean when?"));
    let said = problems("name = 'x'\nbreaker = 5\n");
    assert!(said[0].what.zh() != said[0].what.en() && said[0].what.en().contains("integer"), "{said:?}");
}

#[test]
fn the_version_is_the_digest_of_the_text() {
    let text = format!("name = 'x'\n{}", rule("a", "amount > 1", "review", ""));
    let version = |text: &str| RuleSet::parse(text).expect("a set").digest().to_owned();
    assert_eq!(version(&text), version(&text));
    assert_ne!(version(&text), version(&format!("{text}# a remark\n")));
}
