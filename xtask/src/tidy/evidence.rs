//! Evidence is minted in one place. The compiler keeps fields private; these rows keep the constructors that must be
//! public between crates from being called elsewhere. Tests may mint what they like.

use serde::Deserialize;

use super::{Findings, tree::Tree};

/// Code that may stand only here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyHere {
    code: String,
    /// Beginnings of paths.
    only_in: Vec<String>,
    why: String,
}

pub(super) fn check(tree: &Tree, rules: &[OnlyHere], found: &mut Findings) {
    for (file, source) in tree.rust() {
        for rule in rules.iter().filter(|r| !r.only_in.iter().any(|p| file.path.starts_with(p))) {
            for (line, _) in source.product_code().filter(|(_, code)| code.contains(&rule.code)) {
                found.add(&file.path, line, format!("`{}` outside {:?}", rule.code, rule.only_in), &rule.why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn evidence_is_minted_in_one_place() {
        let rule =
            OnlyHere { code: "::attest(".into(), only_in: vec!["crates/hsm/src/".into()], why: "so".into() };
        let tree = [
            ("crates/hsm/src/a.rs", "fn a() { P::attest(c) }"),
            (
                "crates/host/src/b.rs",
                "// P::attest(c)\nfn b() { P::attest(c) }\n#[cfg(test)]\nfn t() { P::attest(c) }",
            ),
            ("crates/host/tests/it/main.rs", "fn b() { P::attest(c) }"),
        ];
        expect(
            &tree,
            |tree, found| check(tree, std::slice::from_ref(&rule), found),
            &["crates/host/src/b.rs:2: `::attest(` outside [\"crates/hsm/src/\"]"],
        );
    }
}
