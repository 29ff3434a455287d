//! Words that belong to one machine or one language: no path of somebody's computer in the tree, and no Chinese in
//! Rust code, because texts for people are data files that a translator can open.

use serde::Deserialize;

use super::{Findings, tree::Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Refused anywhere. Each is written in parts, so that this table does not contain what it refuses.
    private: Vec<Vec<String>>,
    /// Rust files that may speak Chinese outside comments and tests, each with its reason.
    #[serde(default)]
    may_speak_chinese: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    path: String,
    /// For the reader of the table.
    #[serde(rename = "why")]
    _why: String,
}

pub(super) fn check(tree: &Tree, rules: &Rules, found: &mut Findings) {
    let private: Vec<String> = rules.private.iter().map(|parts| parts.concat()).collect();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for word in private.iter().filter(|w| line.contains(w.as_str())) {
                let remedy =
                    "say it without naming one machine: a relative path, a variable, a name of the project";
                found.add(&file.path, index + 1, format!("`{word}` belongs to one machine"), remedy);
            }
        }
    }
    for (file, source) in tree.rust() {
        if rules.may_speak_chinese.iter().any(|p| file.path.starts_with(&p.path)) {
            continue;
        }
        for (index, line) in source.spoken.iter().enumerate() {
            if !source.test[index] && line.chars().any(is_cjk) {
                let remedy = "put the text into a data file or a locale; comments and tests may say it here";
                found.add(&file.path, index + 1, "Chinese text in code", remedy);
            }
        }
    }
}

/// Ideographs, and the punctuation and full-width forms that come with them.
fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn texts_are_data() {
        let rules = Rules {
            private: vec![vec!["/pri".into(), "vate/".into()]],
            may_speak_chinese: vec![Place { path: "crates/b/".into(), _why: String::new() }],
        };
        let code = "//! 冲正\nconst A: &str = \"冲正\"; // 冲正\n#[cfg(test)]\nconst B: &str = \"冲正\";\n";
        let tree =
            [("crates/a/src/a.rs", code), ("crates/b/src/a.rs", code), ("README.md", "one\ncd /private/x\n")];
        expect(
            &tree,
            |tree, found| check(tree, &rules, found),
            &["README.md:2: `/private/` belongs to one machine", "crates/a/src/a.rs:2: Chinese text in code"],
        );
    }
}
