//! One integration-test binary per crate, `tests/it/main.rs`: each further one would link the whole crate again.

use super::{Findings, tree::Tree};

const REMEDY: &str = "make it a module of tests/it/main.rs: one binary per crate links once";

pub(super) fn check(tree: &Tree, found: &mut Findings) {
    for file in &tree.files {
        let Some((_, inside)) = file.in_crate() else { continue };
        let second_binary = match inside.strip_prefix("tests/") {
            Some("it/main.rs") => false,
            Some(rest) if rest.ends_with(".rs") => !rest.contains('/') || rest.ends_with("/main.rs"),
            _ => false,
        };
        if second_binary {
            found.add(&file.path, 0, "a second integration-test binary", REMEDY);
        }
        if inside == "Cargo.toml"
            && let Some(line) = file.text.lines().position(|l| l.trim() == "[[test]]")
        {
            found.add(&file.path, line + 1, "a test target of its own", REMEDY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn one_binary() {
        let tree = [
            ("crates/a/tests/it/main.rs", ""),
            ("crates/a/tests/it/round_trip.rs", ""),
            ("crates/a/tests/golden.rs", ""),
            ("crates/a/tests/more/main.rs", ""),
            ("crates/a/Cargo.toml", "[package]\n[[test]]\n"),
        ];
        expect(
            &tree,
            check,
            &[
                "crates/a/tests/golden.rs:0: a second integration-test binary",
                "crates/a/tests/more/main.rs:0: a second integration-test binary",
                "crates/a/Cargo.toml:2: a test target of its own",
            ],
        );
    }
}
