//! What the documentation says about fields, reasons and limits is what the code does.
#![allow(clippy::disallowed_methods, reason = "the crate reads no files; its tests do")]

use std::{fs, path::Path};

use risk::{Condition, DeclineReason, Field, RuleSet};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/rule-language.md");
    fs::read_to_string(path).expect("the page about the language")
}

/// The cells of a table's rows, without backticks; `\|` is no border.
fn rows<'p>(page: &'p str, head: &str) -> Vec<Vec<String>> {
    let begin = page.find(head).unwrap_or_else(|| panic!("no table {head}"));
    let lines: Vec<&'p str> =
        page[begin..].lines().take_while(|line| line.starts_with('|')).skip(2).collect();
    lines
        .iter()
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

#[test]
fn the_table_of_fields_is_the_schema() {
    let documented = rows(&page(), "| field | type |");
    let schema: Vec<Vec<String>> = Field::ALL
        .iter()
        .map(|field| {
            let values = match (field.unit(), field.values()) {
                (_, Some(_)) if *field == Field::Reason => {
                    "a reason's name, as pinward explain lists them".to_owned()
                }
                (_, Some(values)) => values.join(", "),
                (unit, None) => unit.to_owned(),
            };
            let always = if field.is_optional() { "" } else { "yes" };
            vec![field.name().to_owned(), field.kind().name().to_owned(), values, always.to_owned()]
        })
        .collect();
    let first_four: Vec<Vec<String>> = documented.iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(first_four, schema);
    assert!(documented.iter().all(|row| row.len() == 5 && row[4].len() > 10), "each field has a meaning");
}

#[test]
fn the_table_of_reasons_is_the_list() {
    let documented = rows(&page(), "| reason | ISO 8583:1987");
    let known: Vec<Vec<String>> =
        DeclineReason::ALL.iter().map(|r| vec![r.name().to_owned(), r.code().to_owned()]).collect();
    assert_eq!(documented, known);
}

#[test]
fn the_keys_of_counters_are_named() {
    let page = page();
    let begin = page.find("KEY, and the FIELD of `distinct`, is one of").expect("the sentence");
    let sentence = &page[begin..begin + page[begin..].find(". ").expect("its end")];
    for field in Field::ALL {
        let named = sentence.contains(&format!("`{}`", field.name()));
        assert_eq!(named, field.is_key(), "{}", field.name());
    }
}

#[test]
fn the_example_is_a_rule_set_and_the_limits_are_the_code_s() {
    let page = page();
    let begin = page.find("```toml\n").expect("an example") + "```toml\n".len();
    let example = &page[begin..begin + page[begin..].find("```").expect("its end")];
    assert_eq!(RuleSet::parse(example).map(|set| set.rules().len()), Ok(1));
    let digits = |number: usize| {
        let text = number.to_string();
        let groups: Vec<&str> =
            text.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
        groups.join(",")
    };
    for (row, numbers) in [
        ("| text of a condition |", vec![risk::TEXT_BYTES_MAX, risk::TOKENS_MAX]),
        ("| brackets in brackets;", vec![risk::BRACKETS_MAX, risk::DEPTH_MAX, risk::NODES_MAX]),
        ("| values in `in [ … ]` |", vec![risk::LITERALS_MAX]),
        ("| rules, counters, lists", vec![risk::RULES_MAX, 256]),
        ("| members of a list |", vec![risk::MEMBERS_MAX]),
        ("| events (`count`, `sum`)", vec![risk::Limits::default().events]),
        ("| entries of one counter", vec![risk::Limits::default().entries / 1000]),
    ] {
        let line = page.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no row {row}"));
        for number in numbers {
            assert!(line.contains(&digits(number)), "{number} in {line}");
        }
    }
}

#[test]
fn what_is_said_about_missing_fields_is_true() {
    use model::{CardId, Timestamp};
    let bare = risk::RiskEvent::new(Timestamp(1), CardId([1; 16]), "900000", "T0000001", "M1");
    let holds = |text: &str, amount| {
        let event = risk::RiskEvent { amount: Some(amount), ..bare };
        let condition = Condition::parse(text).expect(text);
        condition.holds(&event, &|_| Ok(0), &|_, _| false).ok()
    };
    assert_eq!(holds("country == \"CN\"", 2), None);
    assert_eq!(holds("!(country == \"CN\")", 2), None);
    assert_eq!(holds("country == \"CN\" && amount > 1", 2), None);
    assert_eq!(holds("country == \"CN\" && amount > 1", 0), Some(false));
    assert_eq!(holds("country == \"CN\" || amount > 1", 2), Some(true));
    assert_eq!(holds("has(event.country) && country == \"CN\"", 2), Some(false));
}
