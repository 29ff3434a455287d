//! The house rules as checks. A rule is a row in `tidy.toml` or a check in [`CHECKS`]; a breach is a [`Finding`] with
//! its place, what is wrong and what to do instead.
//!
//! The checks read text. They know enough Rust to tell code from comments, strings and tests ([`source`]), and no
//! more: what needs types is left to the compiler and to clippy.

mod evidence;
mod imports;
mod leftovers;
mod lock_file;
mod numbers;
mod pages;
mod proof;
mod purity;
mod scenarios;
mod sizes;
mod source;
mod tests_layout;
mod tree;
mod words;

use std::{fmt, fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use tree::Tree;

/// All rules, as in `tidy.toml`; each check owns its section.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    tree: tree::Rules,
    imports: imports::Rules,
    purity: purity::Rules,
    evidence: Vec<evidence::OnlyHere>,
    leftovers: leftovers::Rules,
    words: words::Rules,
    sizes: sizes::Rules,
    lock_file: lock_file::Rules,
    links: pages::Rules,
    proof: Vec<proof::Page>,
    numbers: numbers::Rules,
}

type Check = fn(&Tree, &Rules, &mut Findings);

/// The checks, in the order in which they are reported.
const CHECKS: &[(&str, Check)] = &[
    ("imports", |tree, rules, found| imports::check(tree, &rules.imports, found)),
    ("purity", |tree, rules, found| purity::check(tree, &rules.purity, found)),
    ("evidence", |tree, rules, found| evidence::check(tree, &rules.evidence, found)),
    ("tests-layout", |tree, _, found| tests_layout::check(tree, found)),
    ("leftovers", |tree, rules, found| leftovers::check_leftovers(tree, &rules.leftovers, found)),
    ("panics", |tree, rules, found| leftovers::check_panics(tree, &rules.leftovers, found)),
    ("words", |tree, rules, found| words::check(tree, &rules.words, found)),
    ("stories", |tree, _, found| sizes::check_stories(tree, found)),
    ("sizes", |tree, rules, found| sizes::check_sizes(tree, &rules.sizes, found)),
    ("lock-file", |tree, rules, found| lock_file::check(tree, &rules.lock_file, found)),
    ("scenarios", |tree, _, found| scenarios::check(tree, found)),
    ("links", |tree, rules, found| pages::check(tree, &rules.links, found)),
    ("proof", |tree, rules, found| proof::check(tree, &rules.proof, found)),
    ("numbers", |tree, rules, found| numbers::check(tree, &rules.numbers, found)),
];

/// A breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 when the whole file or folder is meant.
    line: usize,
    problem: String,
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, problem, remedy } = self;
        match line {
            0 => write!(f, "{path}: {problem}\n    {remedy}"),
            _ => write!(f, "{path}:{line}: {problem}\n    {remedy}"),
        }
    }
}

/// What the checks found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, path: &str, line: usize, problem: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { path: path.to_owned(), line, problem: problem.into(), remedy: remedy.into() });
    }
}

/// Runs every check and prints what it found. `Ok(true)`: nothing.
pub(crate) fn command(root: &Path) -> Result<bool> {
    let rules = rules(root)?;
    let tree = Tree::read(root, &rules.tree)?;
    let mut failed = 0;
    for (name, check) in CHECKS {
        let mut found = Findings::default();
        check(&tree, &rules, &mut found);
        for finding in &found.0 {
            println!("[{name}] {finding}");
        }
        failed += usize::from(!found.0.is_empty());
    }
    println!("{} passed, {failed} failed", CHECKS.len() - failed);
    Ok(failed == 0)
}

fn rules(root: &Path) -> Result<Rules> {
    let text = fs::read_to_string(root.join("xtask/tidy.toml"))?;
    toml::from_str(&text).context("xtask/tidy.toml")
}

/// For tests of single checks: a tree of a few files, and what a check says about it.
#[cfg(test)]
#[track_caller]
fn expect(files: &[(&str, &str)], check: impl Fn(&Tree, &mut Findings), expected: &[&str]) {
    let tree = Tree::of(files);
    let mut found = Findings::default();
    check(&tree, &mut found);
    let places: Vec<String> =
        found.0.iter().map(|f| format!("{}:{}: {}", f.path, f.line, f.problem)).collect();
    assert_eq!(places, expected);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_keeps_its_own_rules() {
        let root = crate::root().unwrap();
        let rules = rules(&root).unwrap();
        let tree = Tree::read(&root, &rules.tree).unwrap();
        let mut found = Findings::default();
        CHECKS.iter().for_each(|(_, check)| check(&tree, &rules, &mut found));
        let list: Vec<String> = found.0.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "{}", list.join("\n"));
    }
}
