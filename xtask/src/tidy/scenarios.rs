//! A scenario or story is read by people first: it begins with a comment line that says what it shows, and ends with a
//! newline.

use super::{Findings, tree::Tree};

pub(super) fn check(tree: &Tree, found: &mut Findings) {
    for file in tree.with_ending(".scn").chain(tree.with_ending(".story")) {
        if !file.text.starts_with("# ") {
            let remedy = "say in the first line, after `# `, what it shows";
            found.add(&file.path, 1, "does not begin with a comment line", remedy);
        }
        if !file.text.ends_with('\n') {
            found.add(&file.path, 0, "does not end with a newline", "add one");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn a_story_and_a_newline() {
        let tree = [("scenarios/a.scn", "# A story.\ncard C1\n"), ("scenarios/b.scn", "card C1")];
        let expected = [
            "scenarios/b.scn:1: does not begin with a comment line",
            "scenarios/b.scn:0: does not end with a newline",
        ];
        expect(&tree, check, &expected);
    }
}
