//! What is said about a file: every sentence that the sources ask for is there in both languages, with the same places, and
//! none that nobody asks for.
#![allow(clippy::disallowed_methods, reason = "the crate reads no files; its tests do")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use risk::RuleSet;

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => sources(&path, text),
            false => *text += &fs::read_to_string(&path).expect("a source"),
        }
    }
}

fn places(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn every_sentence_is_there_in_both_languages_and_is_used() {
    let mut code = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
    let asked: BTreeSet<&str> =
        code.split("say(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(key, _)| key).collect();
    let file = include_str!("../../texts/problems.toml");
    let texts: BTreeMap<String, risk::Name> = toml::from_str(file).expect("the texts");
    let there: BTreeSet<&str> = texts.keys().map(String::as_str).collect();
    assert_eq!(asked, there);
    assert!(there.len() > 80);
    for (key, text) in &texts {
        assert_eq!(places(&text.zh), places(&text.en), "{key}");
        assert!(!text.zh.is_empty() && !text.en.is_empty(), "{key}");
    }
}

#[test]
fn a_problem_is_one_line_in_each_language_with_what_to_write_instead() {
    let text = "name = 'x'\n".to_owned() + &crate::engine::rule("a", "ammount > 1", "review", "");
    let said = RuleSet::parse(&text).expect_err("refused")[0].sentence();
    assert_eq!(said.en, "rule a: there is no field ammount; did you mean amount?");
    for part in ["a", "ammount", "amount"] {
        assert!(said.zh.contains(part));
    }
    assert!(!said.zh.contains("there is") && !said.zh.contains("mean"));
}
