//! Every pure crate forbids itself the clock, files, the network and the environment, in a `clippy.toml` of its own
//! (clippy reads the one in the member's folder). Here we check that the file is there and bans each of them; that
//! the ban is kept is clippy's work.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Findings, tree::Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// The pure crates; those without a folder are left out.
    crates: Vec<String>,
    /// What must be banned: a noun, and the paths of which at least one must be on the crate's list.
    bans: BTreeMap<String, Vec<String>>,
}

pub(super) fn check(tree: &Tree, rules: &Rules, found: &mut Findings) {
    for name in rules.crates.iter().filter(|name| tree.has(&format!("crates/{name}"))) {
        let path = format!("crates/{name}/clippy.toml");
        let Some(file) = tree.get(&path) else {
            found.add(&path, 0, "a pure crate has no clippy.toml", "copy the one of crates/model");
            continue;
        };
        for (noun, paths) in &rules.bans {
            if !paths.iter().any(|p| file.text.contains(&format!("\"{p}\""))) {
                let remedy = format!("add one of {paths:?} to disallowed-methods or disallowed-types");
                found.add(&path, 0, format!("does not ban the {noun}"), remedy);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn each_pure_crate_bans_each_noun() {
        let rules: Rules =
            toml::from_str("crates = ['a', 'b', 'c', 'later']\nbans.clock = ['x::now', 'x::Clock']").unwrap();
        let tree = [
            ("crates/a/clippy.toml", "disallowed-types = [\"x::Clock\"]"),
            ("crates/b/Cargo.toml", ""),
            ("crates/c/clippy.toml", ""),
        ];
        expect(
            &tree,
            |tree, found| check(tree, &rules, found),
            &[
                "crates/b/clippy.toml:0: a pure crate has no clippy.toml",
                "crates/c/clippy.toml:0: does not ban the clock",
            ],
        );
    }
}
