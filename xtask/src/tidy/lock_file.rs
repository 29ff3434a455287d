//! The budget of locked packages, and where they may come from.

use serde::Deserialize;

use super::{Findings, tree::Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Packages in Cargo.lock, ours included.
    budget: usize,
    /// Where packages may come from.
    sources: Vec<String>,
}

pub(super) fn check(tree: &Tree, rules: &Rules, found: &mut Findings) {
    let path = "Cargo.lock";
    let Some(file) = tree.get(path) else {
        return found.add(path, 0, "there is no lock file", "commit the one that cargo makes");
    };
    let count = file.text.lines().filter(|l| *l == "[[package]]").count();
    if count > rules.budget {
        let remedy = "take out what is used for little (`cargo tree -i NAME` says who brings it), or argue a \
                      larger budget in the commit";
        found.add(path, 0, format!("{count} packages, the budget is {}", rules.budget), remedy);
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.starts_with("source = ") && !rules.sources.iter().any(|s| line == format!("source = \"{s}\""))
        {
            found.add(
                path,
                index + 1,
                format!("a package from elsewhere: {line}"),
                "use a published package",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn the_budget_holds() {
        let rules = Rules { budget: 1, sources: vec!["registry".into()] };
        let lock = "[[package]]\nsource = \"registry\"\n[[package]]\nsource = \"git\"\n";
        expect(
            &[("Cargo.lock", lock)],
            |tree, found| check(tree, &rules, found),
            &[
                "Cargo.lock:0: 2 packages, the budget is 1",
                "Cargo.lock:4: a package from elsewhere: source = \"git\"",
            ],
        );
    }
}
