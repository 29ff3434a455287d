//! No card number in the tree but published and made-up test numbers: every run of 13 to 19 digits that passes the
//! Luhn check (ISO/IEC 7812-1:2017 annex B) must be on the list, or in a range or file of which the list says why.
//!
//! One in ten random numbers passes the check, so what cannot be a card number is left out: digits that touch a
//! letter or another number, and numbers that begin with 0 or 1.

use serde::Deserialize;

use super::{Findings, tree::Tree};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    allowed: Vec<Allowed>,
}

/// A number, or what numbers or paths begin with; and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    number: Option<String>,
    beginning: Option<String>,
    path: Option<String>,
    /// For the reader of the table.
    #[serde(rename = "why")]
    _why: String,
}

impl Allowed {
    fn covers(&self, path: &str, number: &str) -> bool {
        self.number.as_ref().is_none_or(|n| n == number)
            && self.beginning.as_ref().is_none_or(|b| number.starts_with(b.as_str()))
            && self.path.as_ref().is_none_or(|p| path.starts_with(p.as_str()))
    }
}

pub(super) fn check(tree: &Tree, rules: &Rules, found: &mut Findings) {
    for file in tree.files.iter().filter(|f| !f.path.ends_with(".lock")) {
        for (index, line) in file.text.lines().enumerate() {
            for number in card_numbers(line) {
                if !rules.allowed.iter().any(|a| a.covers(&file.path, &number)) {
                    let shown = format!("{}…{}", &number[..6], &number[number.len() - 4..]);
                    let remedy = "use a number that a sandbox or a standard published, and add it to the list in \
                                  xtask/tidy.toml with its source; never a real card's";
                    found.add(&file.path, index + 1, format!("looks like a card number: {shown}"), remedy);
                }
            }
        }
    }
}

/// What could be a card number in a line: `dddddddddddddddd`, or in groups of four.
fn card_numbers(line: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<&str> = line.split(|c: char| !is_part(c)).filter(|w| !w.is_empty()).collect();
    let mut found: Vec<String> =
        words.iter().filter(|w| is_card_number(w)).map(|w| (*w).to_owned()).collect();
    let is_group = |w: &&str| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit());
    for groups in words.windows(4).filter(|groups| groups.iter().all(is_group)) {
        let joined = groups.concat();
        if is_card_number(&joined) && [" ", "-"].iter().any(|gap| line.contains(&groups.join(gap))) {
            found.push(joined);
        }
    }
    found
}

fn is_card_number(word: &str) -> bool {
    let begins_like_one = word.starts_with(|c: char| ('2'..='9').contains(&c));
    (13..=19).contains(&word.len())
        && begins_like_one
        && word.bytes().all(|b| b.is_ascii_digit())
        && luhn_sum(word).is_multiple_of(10)
}

/// Every second digit from the right is doubled, and the digits of what comes out are added.
fn luhn_sum(digits: &str) -> u32 {
    let digits = digits.bytes().rev().map(|b| u32::from(b - b'0'));
    digits.enumerate().map(|(i, d)| if i % 2 == 0 { d } else { d * 2 / 10 + d * 2 % 10 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect;

    #[test]
    fn a_card_number_is_seen() {
        assert_eq!(card_numbers("pan = \"4111111111111111\", x"), ["4111111111111111"]);
        assert_eq!(card_numbers("4111 1111 1111 1111"), ["4111111111111111"]);
        assert!(card_numbers("0x4111111111111111 a4111111111111111 4111111111111112").is_empty());
        assert!(card_numbers("1732280000000 41111111111111114111111111111111").is_empty());
    }

    #[test]
    fn only_listed_ones_may_stay() {
        let allowed = |number: Option<&str>, beginning: Option<&str>, path: Option<&str>| Allowed {
            number: number.map(Into::into),
            beginning: beginning.map(Into::into),
            path: path.map(Into::into),
            _why: String::new(),
        };
        let rules =
            Rules { allowed: vec![allowed(None, Some("9"), None), allowed(None, None, Some("vectors/"))] };
        let number = "a 4111111111111111 b";
        let tree = [("a.txt", number), ("vectors/a.json", number), ("b.txt", "9111111111111111")];
        expect(
            &tree,
            |tree, found| check(tree, &rules, found),
            &["a.txt:1: looks like a card number: 411111…1111"],
        );
    }
}
