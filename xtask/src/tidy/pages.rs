//! Links between the project's own pages lead somewhere: to a file or folder that exists, and to a heading that the
//! page has. Links to other sites are not followed.

use std::{collections::BTreeSet, fs};

use serde::Deserialize;

use super::{Findings, tree::Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Files that pages already name and that are still to come; each leaves the list when it is there.
    #[serde(default)]
    to_come: BTreeSet<String>,
}

/// A link: its line, counted from 1, and where it points.
type Link<'a> = (usize, &'a str);

pub(super) fn check(tree: &Tree, rules: &Rules, found: &mut Findings) {
    let root = crate::root().unwrap_or_default();
    let exists = |path: &str| tree.has(path) || fs::exists(root.join(path)).unwrap_or(false);
    for page in tree.with_ending(".md") {
        for (line, link) in links(&page.text) {
            let (target, heading) = link.split_once('#').map_or((link, None), |(t, h)| (t, Some(h)));
            let path = if target.is_empty() { Some(page.path.clone()) } else { resolve(&page.path, target) };
            let known = path.as_deref().is_some_and(|p| exists(p) || rules.to_come.contains(p));
            if !known {
                let remedy = "links are relative to the page they stand on";
                found.add(&page.path, line, format!("the link `{link}` leads nowhere"), remedy);
            } else if let Some(heading) = heading
                && let Some(file) = path.and_then(|p| tree.get(&p))
                && !headings(&file.text).any(|h| h == heading)
            {
                let remedy = "a heading's anchor is its words in lower case, joined by hyphens";
                found.add(&page.path, line, format!("no heading for the link `{link}`"), remedy);
            }
        }
    }
    for path in rules.to_come.iter().filter(|p| exists(p)) {
        found.add(
            path,
            0,
            "is listed as still to come, and is there",
            "take it off the list in xtask/tidy.toml",
        );
    }
}

/// Links to our own files: `[text](target)`, outside code.
fn links(text: &str) -> impl Iterator<Item = Link<'_>> {
    prose(text).flat_map(|(line, text)| {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        targets.filter(|t| !t.contains(':')).map(move |t| (line, t))
    })
}

/// Lines outside fenced code; a link inside `code` is rare enough to be left in.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// The path that a link on a page means; `None` when it leaves the project.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn links_lead_somewhere() {
        let page = "# A page: two words\n[a](b.md) [b](../README.md#读我) [c](#a-page-two-words)\n\
                    [d](gone.md) [e](https://example.org) ![f](../images/soon.png)\n```\n[g](gone)\n```\n[h](b.md#none)\n";
        let tree = [("docs/a.md", page), ("docs/b.md", "# B\n"), ("README.md", "## 读我\n")];
        let rules = Rules { to_come: ["images/soon.png".to_owned()].into() };
        expect(
            &tree,
            |tree, found| check(tree, &rules, found),
            &[
                "docs/a.md:3: the link `gone.md` leads nowhere",
                "docs/a.md:7: no heading for the link `b.md#none`",
            ],
        );
    }
}
