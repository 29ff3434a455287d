//! The text files: the same keys in both languages, each key used, Chinese punctuation where Chinese stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const FILES: [&str; 11] = [
    "console", "pages", "rules", "errors", "alarms", "office", "messages", "desk", "holder", "receipts",
    "shop",
];

/// Keys that are put together from data, by their beginning.
const FROM_DATA: [&str; 22] = [
    "receipt-form-",
    "case-status-",
    "case-waits-",
    "case-source-",
    "case-priority-",
    "case-outcome-",
    "case-evidence-",
    "case-line-",
    "case-fact-",
    "role-",
    "kind-",
    "attention-",
    "error-",
    "scheme-",
    "stage-",
    "scope-",
    "step-",
    "severity-",
    "delivery-",
    "message-",
    "sms-",
    "factor-",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Keys and texts of a file; a text runs on while its lines are indented or close a selector.
fn texts(lang: &str, file: &str) -> BTreeMap<String, String> {
    let path = root().join("locales").join(lang).join(format!("{file}.ftl"));
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in fs::read_to_string(path).unwrap().lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        if line.starts_with([' ', '}']) {
            let text = texts.get_mut(&last).unwrap();
            text.push('\n');
            text.push_str(line);
            continue;
        }
        let (key, text) = line.split_once(" = ").unwrap_or_else(|| panic!("{lang}/{file}: {line}"));
        assert!(texts.insert(key.to_owned(), text.to_owned()).is_none(), "{key} twice");
        last = key.to_owned();
    }
    texts
}

/// The variables that a text names.
fn variables(text: &str) -> BTreeSet<&str> {
    let end = |rest: &str| rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    text.split('$').skip(1).map(|rest| &rest[..end(rest)]).collect()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path)
            } else {
                vec![(path.clone(), fs::read_to_string(path).unwrap())]
            }
        })
        .collect()
}

#[test]
fn both_languages_have_the_same_keys_and_variables() {
    for file in FILES {
        let (en, zh) = (texts("en", file), texts("zh-CN", file));
        assert_eq!(en.keys().collect::<Vec<_>>(), zh.keys().collect::<Vec<_>>(), "{file}");
        for (key, text) in &en {
            assert_eq!(variables(text), variables(&zh[key]), "{file}: {key}");
        }
    }
}

#[test]
fn no_key_is_unused() {
    let code: String = sources(&root().join("src")).into_iter().map(|(_, text)| text).collect();
    for key in FILES.iter().flat_map(|file| texts("en", file).into_keys()) {
        let used = code.contains(&format!("\"{key}\"")) || FROM_DATA.iter().any(|p| key.starts_with(p));
        assert!(used, "{key} is in the text files, but nothing says it");
    }
}

#[test]
fn chinese_texts_have_chinese_punctuation() {
    let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    for file in FILES {
        for (key, text) in texts("zh-CN", file) {
            let chars: Vec<char> = text.chars().collect();
            for (i, c) in chars.iter().enumerate().filter(|(_, c)| ",.;:?!()".contains(**c)) {
                let beside =
                    [i.checked_sub(1), Some(i + 1)].into_iter().flatten().filter_map(|n| chars.get(n));
                assert!(!beside.copied().any(is_han), "{file}: {key}: {c:?} in {text}");
            }
        }
    }
}

#[test]
fn no_chinese_stands_in_the_code() {
    for folder in ["src", "tests", "examples"] {
        for (path, text) in
            sources(&root().join(folder)).iter().filter(|(p, _)| p.extension().is_some_and(|e| e == "rs"))
        {
            let han = text.chars().find(|c| ('\u{3000}'..='\u{9fff}').contains(c));
            assert_eq!(han, None, "{}", path.display());
        }
    }
}

#[test]
fn every_kind_of_transaction_has_a_name() {
    let texts = texts("en", "console");
    for kind in [
        model::Kind::Balance,
        model::Kind::Sale,
        model::Kind::SaleVoid,
        model::Kind::Refund,
        model::Kind::PreAuth,
        model::Kind::PreAuthVoid,
        model::Kind::Completion,
        model::Kind::CompletionVoid,
        model::Kind::Cash,
        model::Kind::PinChange,
    ] {
        assert!(texts.contains_key(&format!("kind-{}", kind.name())), "{}", kind.name());
    }
}
