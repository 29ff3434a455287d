//! Pages that promise a test for each of their lines: the last cell of a row names it, as `` `a_test` (crate) ``, or says
//! **not** and why. A test that is named and is not there is a finding, and so is a page with fewer lines than it promised.

use serde::Deserialize;

use super::{Findings, tree::Tree};

/// A page whose tables end in a column of tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    path: String,
    /// Rows with a test that it must have.
    tested: usize,
}

/// Words with which a cell without a test begins.
const WITHOUT: [&str; 2] = ["**not**", "**does not apply**"];

pub(super) fn check(tree: &Tree, pages: &[Page], found: &mut Findings) {
    for page in pages {
        let Some(file) = tree.get(&page.path) else {
            found.add(&page.path, 0, "is not there", "write it, or take it off the list in xtask/tidy.toml");
            continue;
        };
        let mut tested = 0;
        for (index, cell) in
            file.text.lines().enumerate().filter_map(|(i, line)| last_cell(line).map(|c| (i, c)))
        {
            if WITHOUT.iter().any(|word| cell.starts_with(word)) {
                continue;
            }
            let problem = match tests(cell) {
                Ok(tests) if tests.is_empty() => Some("names no test".to_owned()),
                Ok(tests) => {
                    tested += 1;
                    let missing = tests.into_iter().find(|(name, place)| !exists(tree, name, place));
                    missing.map(|(name, place)| format!("there is no test `{name}` in {place}"))
                }
                Err(name) => Some(format!("`{name}` is in no crate")),
            };
            if let Some(problem) = problem {
                let remedy = "end the row with `test` (crate), or with **not** and why";
                found.add(&page.path, index + 1, problem, remedy);
            }
        }
        if tested < page.tested {
            let problem = format!("{tested} rows with a test, and {} are promised", page.tested);
            found.add(&page.path, 0, problem, "write them, with their tests");
        }
    }
}

/// The last cell of a row that is no heading of a table.
fn last_cell(line: &str) -> Option<&str> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cell = inside.rsplit(" | ").next()?.trim();
    let heading =
        cell.bytes().all(|b| matches!(b, b'-' | b':' | b'|' | b' ')) || matches!(cell, "test" | "proof");
    (!heading).then_some(cell)
}

/// Tests with their places: names in backticks, and after them the place of all that have none yet.
fn tests(cell: &str) -> Result<Vec<(&str, &str)>, &str> {
    let (mut named, mut waiting) = (Vec::new(), Vec::new());
    // Parts with an odd number are in backticks.
    for (index, part) in cell.split('`').enumerate() {
        if index % 2 == 1 {
            if part.contains(['_', '-']) {
                waiting.push(part);
            }
        } else if let Some((place, _)) =
            part.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'))
        {
            named.extend(waiting.drain(..).map(|name| (name, place)));
        }
    }
    match waiting.first() {
        Some(name) => Err(name),
        None => Ok(named),
    }
}

fn exists(tree: &Tree, name: &str, place: &str) -> bool {
    let inside = |folder: &str, wanted: &str| {
        tree.files.iter().any(|file| file.path.starts_with(folder) && file.text.contains(wanted))
    };
    match place {
        "scenario" => tree.has(&format!("scenarios/{name}.scn")),
        "e2e" => inside("e2e/", name),
        "xtask" => inside("xtask/src/", &format!("fn {name}(")),
        crate_name => inside(&format!("crates/{crate_name}/"), &format!("fn {name}(")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn what_a_page_names_is_there() {
        let page = "| | what | test |\n|---|---|---|\n| 1 | a | `it_holds`, `so_it_is` (a) |\n| 2 | b | `gone_away` (a) |\n\
                    | 3 | c | **not**: no mail is sent |\n| 4 | d | by looking |\n| 5 | e | `it_holds` |\n| 6 | f | `a-story` (scenario) |\n";
        let tree = [
            ("docs/a.md", page),
            ("crates/a/tests/it/main.rs", "fn it_holds() {}\nasync fn so_it_is() {}\n"),
            ("scenarios/a-story.scn", "# A story.\n"),
        ];
        let pages =
            [Page { path: "docs/a.md".into(), tested: 4 }, Page { path: "docs/b.md".into(), tested: 0 }];
        expect(
            &tree,
            |tree, found| check(tree, &pages, found),
            &[
                "docs/a.md:4: there is no test `gone_away` in a",
                "docs/a.md:6: names no test",
                "docs/a.md:7: `it_holds` is in no crate",
                "docs/a.md:0: 3 rows with a test, and 4 are promised",
                "docs/b.md:0: is not there",
            ],
        );
    }
}
