//! Files begin with their story; long files and long functions are on a list with a reason, and the list only
//! shrinks.

use serde::Deserialize;

use super::{Findings, tree::Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    file_lines: usize,
    function_lines: usize,
    #[serde(default)]
    long_file: Vec<Long>,
    #[serde(default)]
    long_function: Vec<Long>,
}

/// A row of the ratchet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    path: String,
    /// The function's name; empty for a file.
    #[serde(default)]
    name: String,
    /// It may have so many lines and no more.
    lines: usize,
    /// For the reader of the table.
    #[serde(rename = "why")]
    _why: String,
}

pub(super) fn check_stories(tree: &Tree, found: &mut Findings) {
    for (file, _) in tree.rust() {
        let first = file.text.lines().find(|l| !l.trim().is_empty());
        let is_story = |line: &str| line.strip_prefix("//! ").is_some_and(|story| !story.is_empty());
        if !first.is_some_and(is_story) {
            let remedy = "begin with `//! ` and a few sentences: what this is, why, and what it does not do";
            found.add(&file.path, 1, "the file does not begin with its story", remedy);
        }
    }
}

pub(super) fn check_sizes(tree: &Tree, rules: &Rules, found: &mut Findings) {
    for (file, source) in tree.rust() {
        let lines = source.code.len();
        check_one(&file.path, "", 0, lines, rules.file_lines, &rules.long_file, found);
        for f in source.functions() {
            let limit = rules.function_lines;
            check_one(&file.path, &f.name, f.line + 1, f.lines, limit, &rules.long_function, found);
        }
    }
    for row in rules.long_file.iter().chain(&rules.long_function).filter(|row| tree.get(&row.path).is_none())
    {
        let remedy = "take the row out of xtask/tidy.toml";
        found.add(&row.path, 0, "is on the list of long ones and does not exist", remedy);
    }
}

/// One file (without a name) or one function.
fn check_one(
    path: &str,
    name: &str,
    line: usize,
    lines: usize,
    limit: usize,
    list: &[Long],
    found: &mut Findings,
) {
    let row = list.iter().find(|row| row.path == path && row.name == name);
    let what = if name.is_empty() { "file".to_owned() } else { format!("function `{name}`") };
    let allowed = row.map_or(limit, |row| row.lines);
    if lines > allowed {
        let remedy = "look for the second idea inside it; if it is one idea, give it a row with a reason in \
                      xtask/tidy.toml";
        found.add(path, line, format!("{what} has {lines} lines, {allowed} are allowed"), remedy);
    } else if row.is_some() && lines <= limit {
        let problem = format!("{what} has {lines} lines and needs no row on the list any more");
        found.add(path, line, problem, "take the row out of xtask/tidy.toml");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    fn long(path: &str, name: &str, lines: usize) -> Long {
        Long { path: path.into(), name: name.into(), lines, _why: String::new() }
    }

    #[test]
    fn long_ones_need_a_row() {
        let rules = Rules {
            file_lines: 5,
            function_lines: 2,
            long_file: vec![long("a.rs", "", 8), long("gone.rs", "", 9)],
            long_function: vec![long("a.rs", "b", 3), long("a.rs", "c", 4)],
        };
        let tree = [("a.rs", "fn a() {\n\n}\nfn b() {\n\n}\nfn c() {}\nfn d() {}\n")];
        expect(
            &tree,
            |tree, found| check_sizes(tree, &rules, found),
            &[
                "a.rs:1: function `a` has 3 lines, 2 are allowed",
                "a.rs:7: function `c` has 1 lines and needs no row on the list any more",
                "gone.rs:0: is on the list of long ones and does not exist",
            ],
        );
    }

    #[test]
    fn files_begin_with_their_story() {
        let tree = [("a.rs", "//! A story.\n"), ("b.rs", "use c;\n"), ("c.rs", "//!\n//! Late.\n")];
        let line = |f: &str| format!("{f}.rs:1: the file does not begin with its story");
        expect(&tree, check_stories, &[&line("b"), &line("c")]);
    }
}
