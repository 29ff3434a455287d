//! What a card product allows, and the ladder of consequences for wrong PINs. Policies are data
//! (`products/*.toml`), checked as a whole when they are loaded.

use std::collections::BTreeMap;

use model::Amount;
use serde::{Deserialize, Serialize};

use crate::{lock::Release, pin::PinPolicy, pin_try::PinTryLimit};

/// All products of an issuer, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Products(BTreeMap<String, ProductPolicy>);

/// The policy of one card product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductPolicy {
    /// How many wrong PINs lock the card.
    pub pin_try_limit: PinTryLimit,
    /// Must payments carry a PIN?
    pub pin_required: bool,
    /// Does the product say "pick up" when tries are used up (38 instead of 75)?
    pub pick_up: bool,
    /// The lock after the last try: the first in a row, the second …; the last one repeats.
    pub locks: Vec<Release>,
    /// Earlier consequences, by number of wrong PINs.
    pub rungs: Vec<Rung>,
    /// A completion may exceed its pre-authorization up to this share of it, in per cent.
    pub completion_max_percent: u16,
    /// May the card withdraw cash?
    pub cash: bool,
    /// What PINs must be like, how old they may get, and how a reset is used.
    pub pin: PinPolicy,
}

/// A consequence that comes before the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// Reached by so many wrong PINs.
    pub after: u8,
    /// What follows.
    pub consequence: Consequence,
}

/// What follows a wrong PIN before the card is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Consequence {
    /// The next attempt needs a second proof of identity first.
    StepUp {
        /// How long a passed step-up counts, in seconds.
        valid_s: u32,
    },
    /// Payments are restricted for a time, whatever the PIN.
    Restrict {
        /// The largest amount, in minor units.
        max_amount: Amount,
        /// Is cash refused?
        no_cash: bool,
        /// For how long, in hours.
        for_h: u32,
    },
}

impl ProductPolicy {
    /// The release of the n-th lock in a row (the first is 1).
    #[must_use]
    pub fn release(&self, lock_in_a_row: u8) -> &Release {
        let index = usize::from(lock_in_a_row.max(1)) - 1;
        &self.locks[index.min(self.locks.len() - 1)]
    }
}

impl Products {
    /// Reads and checks a policy file.
    ///
    /// # Errors
    /// [`PolicyError`] naming the product and the key.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let file: file::Products = toml::from_str(text).map_err(|e| PolicyError::Syntax(e.to_string()))?;
        file.product
            .into_iter()
            .map(|(name, p)| p.check(&name).map(|p| (name, p)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The policies that come with the program.
    ///
    /// # Panics
    /// Never: the file is part of the program and a test reads it.
    #[must_use]
    pub fn builtin() -> Self {
        Self::from_toml(include_str!("../products/standard.toml"))
            .expect("the built-in policy is checked by a test")
    }

    /// The policy of a product.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ProductPolicy> {
        self.0.get(name)
    }

    /// All products in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ProductPolicy)> {
        self.0.iter().map(|(n, p)| (n.as_str(), p))
    }
}

/// A policy file that cannot be used; nothing of it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or an unknown or missing key.
    #[error("product policy: {0}")]
    Syntax(String),
    /// A value that makes no sense.
    #[error("product {product:?}: {problem}")]
    Value {
        /// The product.
        product: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// The file's shape, before it is checked.
mod file {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use model::PinRules;

    use super::{Consequence, PinPolicy, PinTryLimit, PolicyError, ProductPolicy, Release, Rung};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Products {
        pub(super) product: BTreeMap<String, Product>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Product {
        pin_try_limit: u8,
        #[serde(default = "yes")]
        pin_required: bool,
        #[serde(default)]
        pick_up: bool,
        #[serde(default = "yes")]
        cash: bool,
        #[serde(default = "in_full")]
        completion_max_percent: u16,
        lock: Vec<LockRule>,
        #[serde(default)]
        ladder: Vec<LadderRule>,
        #[serde(default)]
        pin: Pin,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Pin {
        length: [u8; 2],
        guessable: Guessable,
        history: u8,
        max_age_days: Option<u16>,
        remind_days: Vec<u16>,
        activation_h: u16,
        activation_tries: u8,
    }

    #[derive(Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Guessable {
        Refuse,
        Allow,
    }

    impl Default for Pin {
        fn default() -> Self {
            Self {
                length: [4, 12],
                guessable: Guessable::Refuse,
                history: 3,
                max_age_days: None,
                remind_days: vec![30, 7, 1],
                activation_h: 24,
                activation_tries: 8,
            }
        }
    }

    impl Pin {
        fn check(self) -> Result<PinPolicy, &'static str> {
            let [length_min, length_max] = self.length;
            if !(4 <= length_min && length_min <= length_max && length_max <= 12) {
                return Err("pin.length must be two numbers from 4 to 12, the smaller one first");
            }
            if !(1..=PinRules::HISTORY_MAX).contains(&self.history) {
                return Err("pin.history must be 1 to 12: the present PIN is one of them");
            }
            if self.max_age_days == Some(0) {
                return Err("pin.max_age_days must be at least 1");
            }
            if !(1..=168).contains(&self.activation_h) {
                return Err("pin.activation_h must be 1 to 168");
            }
            if !(1..=20).contains(&self.activation_tries) {
                return Err("pin.activation_tries must be 1 to 20");
            }
            let refuse_guessable = self.guessable == Guessable::Refuse;
            let rules = PinRules { length_min, length_max, refuse_guessable, history: self.history };
            Ok(PinPolicy {
                rules,
                max_age_days: self.max_age_days,
                remind_days: self.remind_days,
                activation_h: self.activation_h,
                activation_tries: self.activation_tries,
            })
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct LockRule {
        release: Release,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct LadderRule {
        after: u8,
        consequence: Consequence,
    }

    fn yes() -> bool {
        true
    }

    fn in_full() -> u16 {
        115
    }

    impl Product {
        pub(super) fn check(self, name: &str) -> Result<ProductPolicy, PolicyError> {
            let wrong =
                |problem: &str| PolicyError::Value { product: name.to_owned(), problem: problem.to_owned() };
            let pin_try_limit =
                PinTryLimit::new(self.pin_try_limit).ok_or_else(|| wrong("pin_try_limit must be 1 to 15"))?;
            if self.lock.is_empty() {
                return Err(wrong("at least one [[lock]] is needed: tries that run out must lock the card"));
            }
            for rule in &self.lock {
                if rule.release == Release::AfterH(0) {
                    return Err(wrong("release.after_h must be at least 1"));
                }
                rule.release.until(model::Timestamp(0)).map_err(|e| wrong(&e.to_string()))?;
            }
            if !(100..=200).contains(&self.completion_max_percent) {
                return Err(wrong("completion_max_percent must be 100 to 200"));
            }
            if self.ladder.iter().any(|r| r.after == 0 || r.after >= self.pin_try_limit) {
                return Err(wrong(
                    "ladder.after must be at least 1 and below pin_try_limit, where the lock comes",
                ));
            }
            let pin = self.pin.check().map_err(wrong)?;
            Ok(ProductPolicy {
                pin,
                pin_try_limit,
                pin_required: self.pin_required,
                pick_up: self.pick_up,
                locks: self.lock.into_iter().map(|l| l.release).collect(),
                rungs: self
                    .ladder
                    .into_iter()
                    .map(|r| Rung { after: r.after, consequence: r.consequence })
                    .collect(),
                completion_max_percent: self.completion_max_percent,
                cash: self.cash,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, says: &str) {
        let error = Products::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn the_built_in_products_are_sound() {
        let products = Products::builtin();
        let standard = products.get("debit-standard").unwrap();
        assert_eq!(standard.pin_try_limit.get(), 3);
        assert_eq!(standard.release(1), &Release::AfterH(24));
        assert_eq!(standard.release(7), &Release::AfterH(24));
        assert!(standard.rungs.is_empty());
    }

    #[test]
    fn a_policy_that_makes_no_sense_is_refused_with_its_place() {
        refused(
            "[product.x]\npin_try_limit = 0\nlock = [{release = 'by_staff'}]",
            "pin_try_limit must be 1 to 15",
        );
        refused("[product.x]\npin_try_limit = 3\nlock = []", "at least one [[lock]]");
        refused("[product.x]\npin_try_limit = 3\nlock = [{release = {next_day_in = 'Mars/X'}}]", "Mars/X");
        let with_pin = |pin: &str| {
            format!("[product.x]\npin_try_limit = 3\nlock = [{{release = 'by_staff'}}]\npin = {{{pin}}}")
        };
        refused(&with_pin("length = [3, 6]"), "pin.length");
        refused(&with_pin("length = [6, 4]"), "pin.length");
        refused(&with_pin("history = 0"), "pin.history");
        refused(&with_pin("activation_h = 0"), "pin.activation_h");
        refused(&with_pin("guessable = 'maybe'"), "maybe");
        refused("[product.x]\npin_try_limit = 3\nlok = 1\nlock = []", "lok");
        refused(
            "[product.x]\npin_try_limit = 3\nlock = [{release = 'by_staff'}]\nladder = [{after = 3, consequence = {step_up = {valid_s = 1}}}]",
            "below pin_try_limit",
        );
    }
}
