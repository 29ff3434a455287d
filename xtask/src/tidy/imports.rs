//! Who may import what: the manifests against the table. Development dependencies are exempt, because tests may look
//! at anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Findings, tree::Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Outside packages that a crate may use only if its row names them.
    heavy: BTreeSet<String>,
    /// One row per crate, ours and planned.
    #[serde(rename = "crate")]
    crates: BTreeMap<String, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Ours; `["*"]`: all.
    imports: Vec<String>,
    #[serde(default)]
    heavy: Vec<String>,
    /// For the reader of the table.
    #[serde(rename = "does_not_know")]
    _does_not_know: String,
    /// The crate is planned and has no folder yet.
    #[serde(default)]
    planned: bool,
}

pub(super) fn check(tree: &Tree, rules: &Rules, found: &mut Findings) {
    let table = "xtask/tidy.toml";
    for file in tree.with_ending("Cargo.toml") {
        let Some((name, "Cargo.toml")) = file.in_crate() else { continue };
        match rules.crates.get(name) {
            Some(row) => check_manifest(&file.path, &file.text, row, rules, found),
            None => found.add(
                &file.path,
                0,
                format!("the crate `{name}` is not in the table of who may import what"),
                format!("give it a row in {table}: what it may import, and what it does not know"),
            ),
        }
    }
    for (name, row) in &rules.crates {
        if row.planned == tree.has(&format!("crates/{name}")) {
            let remedy =
                "`planned = true` stands in the rows of crates that have no folder yet, and only there";
            found.add(table, 0, format!("the row of `{name}` does not agree with the tree"), remedy);
        }
    }
}

fn check_manifest(path: &str, text: &str, row: &Row, rules: &Rules, found: &mut Findings) {
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return found.add(path, 0, "not a TOML file", "cargo will say where");
    };
    let target_tables =
        manifest.get("target").and_then(|t| t.as_table()).into_iter().flat_map(|t| t.values());
    let places = target_tables.filter_map(|t| t.as_table()).chain([&manifest]);
    let tables = places.flat_map(|t| ["dependencies", "build-dependencies"].map(|key| t.get(key)));
    for name in tables.flatten().filter_map(|t| t.as_table()).flat_map(|t| t.keys()) {
        let line = text.lines().position(|l| l.starts_with(name.as_str())).map_or(0, |index| index + 1);
        let allowed = |list: &[String]| list.iter().any(|n| n == name || n == "*");
        if rules.crates.contains_key(name) && !allowed(&row.imports) {
            let remedy = "pass what it needs as an argument, or move the code to a crate above both; the table is \
                          in xtask/tidy.toml, its reasons in ARCHITECTURE.md";
            found.add(path, line, format!("imports `{name}`, which the table does not allow"), remedy);
        }
        if rules.heavy.contains(name) && !allowed(&row.heavy) {
            let remedy = "heavy packages live at the edge; if this crate must have it, argue it in its row of \
                          xtask/tidy.toml and in the commit";
            found.add(path, line, format!("uses `{name}`, which its row does not name"), remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn only_what_the_table_allows() {
        let rules: Rules = toml::from_str(
            "heavy = ['tokio']\n[crate.model]\nimports = []\ndoes_not_know = 'time'\n\
             [crate.host]\nimports = ['model']\nheavy = ['tokio']\ndoes_not_know = 'SQL'\n\
             [crate.risk]\nimports = ['model']\nplanned = true\ndoes_not_know = 'SQL'\n",
        )
        .unwrap();
        let tree = [
            (
                "crates/model/Cargo.toml",
                "[dependencies]\nserde = '1'\ntokio = '1'\n[dev-dependencies]\nhost = '1'",
            ),
            ("crates/host/Cargo.toml", "[dependencies]\nmodel.workspace = true\ntokio.workspace = true\n"),
            ("crates/extra/Cargo.toml", "[dependencies]\n"),
            ("crates/risk/Cargo.toml", "[build-dependencies]\nhost = '1'\n"),
        ];
        expect(
            &tree,
            |tree, found| check(tree, &rules, found),
            &[
                "crates/model/Cargo.toml:3: uses `tokio`, which its row does not name",
                "crates/extra/Cargo.toml:0: the crate `extra` is not in the table of who may import what",
                "crates/risk/Cargo.toml:2: imports `host`, which the table does not allow",
                "xtask/tidy.toml:0: the row of `risk` does not agree with the tree",
            ],
        );
    }
}
