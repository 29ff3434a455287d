//! What must not stay behind (`todo!`, `#[ignore]` …), and what must not panic: code that reads bytes from outside
//! answers with an error, never with a panic.

use serde::Deserialize;

use super::{Findings, tree::Tree};

/// A line with this in a comment, on it or above it, says why its panic cannot happen.
const EXCUSE: &str = "// cannot fail: ";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Refused everywhere, in tests too.
    refused: Vec<String>,
    /// Crates that read bytes from outside.
    reads_outside_bytes: Vec<String>,
    /// Refused in their product code.
    panics: Vec<String>,
    /// The ratchet: places from before the rule, which may only become fewer.
    #[serde(default)]
    allowed: Vec<Allowed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    path: String,
    count: usize,
    /// For the reader of the table.
    #[serde(rename = "why")]
    _why: String,
}

pub(super) fn check_leftovers(tree: &Tree, rules: &Rules, found: &mut Findings) {
    for (file, source) in tree.rust() {
        for (index, line) in source.code.iter().enumerate() {
            for word in rules.refused.iter().filter(|w| line.contains(w.as_str())) {
                let remedy = "finish it, or take it out and open an issue";
                found.add(&file.path, index + 1, format!("`{word}` was left behind"), remedy);
            }
        }
    }
}

pub(super) fn check_panics(tree: &Tree, rules: &Rules, found: &mut Findings) {
    for (file, source) in tree.rust() {
        let Some((name, inside)) = file.in_crate() else { continue };
        if !rules.reads_outside_bytes.iter().any(|n| n == name) || !inside.starts_with("src/") {
            continue;
        }
        let text: Vec<&str> = file.text.lines().collect();
        let lines: Vec<(usize, &String)> = source
            .product_code()
            .filter(|(number, _)| !is_excused(&text, *number))
            .filter_map(|(number, code)| Some((number, rules.panics.iter().find(|p| code.contains(*p))?)))
            .collect();
        match rules.allowed.iter().find(|a| a.path == file.path) {
            Some(a) if lines.len() == a.count => {}
            Some(a) if lines.len() < a.count => {
                let problem = format!("fewer panics than the {} that are allowed", a.count);
                found.add(
                    &file.path,
                    0,
                    problem,
                    format!("lower the number in xtask/tidy.toml to {}", lines.len()),
                );
            }
            _ => lines.iter().for_each(|(number, panic)| {
                let remedy = format!("return an error, or say why not in a comment: `{EXCUSE}…`");
                found.add(
                    &file.path,
                    *number,
                    format!("`{panic}` where bytes from outside are read"),
                    remedy,
                );
            }),
        }
    }
}

/// Is there a reason on the line, or in the comment directly above its statement?
fn is_excused(text: &[&str], number: usize) -> bool {
    let has_reason = |line: &str| line.find(EXCUSE).is_some_and(|at| line.len() > at + EXCUSE.len());
    let above = text[..number - 1].iter().rev().take_while(|l| l.trim_start().starts_with("//"));
    has_reason(text[number - 1]) || above.into_iter().any(|l| has_reason(l))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    fn rules(allowed: usize) -> Rules {
        Rules {
            refused: vec!["todo!".into()],
            reads_outside_bytes: vec!["host".into()],
            panics: vec![".unwrap()".into()],
            allowed: vec![Allowed {
                path: "crates/host/src/old.rs".into(),
                count: allowed,
                _why: String::new(),
            }],
        }
    }

    #[test]
    fn nothing_unfinished() {
        let tree = [("crates/web/src/a.rs", "// todo!\nfn a() { todo!() }\n#[test]\nfn t() { todo!() }")];
        let lines = [2, 4].map(|n| format!("crates/web/src/a.rs:{n}: `todo!` was left behind"));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        expect(&tree, |tree, found| check_leftovers(tree, &rules(0), found), &lines);
    }

    #[test]
    fn a_panic_needs_a_reason() {
        let text = "fn a() { b.unwrap() }\n// cannot fail: b is four bytes\nlet a = b.unwrap();\n\
                    b.unwrap(); // cannot fail: \n#[cfg(test)]\nfn t() { b.unwrap() }\n";
        let tree = [("crates/host/src/a.rs", text), ("crates/web/src/a.rs", text)];
        let lines = [1, 4]
            .map(|n| format!("crates/host/src/a.rs:{n}: `.unwrap()` where bytes from outside are read"));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        expect(&tree, |tree, found| check_panics(tree, &rules(0), found), &lines);
    }

    #[test]
    fn the_ratchet_turns_one_way() {
        let tree = [("crates/host/src/old.rs", "fn a() { b.unwrap() }\n")];
        let lower = ["crates/host/src/old.rs:0: fewer panics than the 2 that are allowed"];
        expect(&tree, |tree, found| check_panics(tree, &rules(2), found), &lower);
        expect(&tree, |tree, found| check_panics(tree, &rules(1), found), &[]);
    }
}
