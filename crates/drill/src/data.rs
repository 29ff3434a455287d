//! The numbers that a person may review and change without knowing the program: `data/*.toml`.

use std::{collections::BTreeMap, sync::LazyLock};

use diagnosis::Cause;
use serde::Deserialize;

use crate::chance::Chance;

/// Seeds below this one are for tuning.
pub const FIRST_REPORTING_SEED: u64 = 1000;

/// What a seed is for. Strengths of the two never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// A detector may be tuned on it.
    Tuning,
    /// Figures are reported on it.
    Reporting,
}

impl Split {
    /// Of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        if seed < FIRST_REPORTING_SEED { Self::Tuning } else { Self::Reporting }
    }
}

/// One form of an incident.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Which cause.
    pub cause: Cause,
    /// Which form of it.
    pub variant: String,
    /// Its row in the baseline table.
    pub row: Option<String>,
    /// How many a day has on average.
    pub per_day: f64,
    /// Hours until it is repaired: median.
    pub lasts_h: f64,
    /// What the strength is.
    pub means: String,
    /// How strong it is.
    pub strength: Strength,
}

/// A strength before it is drawn.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strength {
    prototype: f64,
    sigma: f64,
    tuning: Vec<[f64; 2]>,
    reporting: Vec<[f64; 2]>,
}

impl Strength {
    /// Draws one that the split allows.
    pub fn draw(&self, chance: &mut Chance, split: Split) -> f64 {
        const ATTEMPTS: usize = 64;
        let bands = match split {
            Split::Tuning => &self.tuning,
            Split::Reporting => &self.reporting,
        };
        let within = |strength: f64| bands.iter().any(|[from, to]| (*from..*to).contains(&strength));
        (0..ATTEMPTS)
            .map(|_| chance.log_normal(self.prototype, self.sigma))
            .find(|strength| within(*strength))
            // A band far from the prototype: uniformly.
            .or_else(|| chance.pick(bands).map(|[from, to]| chance.between(from, to)))
            .unwrap_or(self.prototype)
    }
}

/// A day without incidents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "day.toml explains each of them, and it is the file that people read")]
pub struct Normal {
    pub sessions: f64,
    pub merchants: usize,
    pub terminals: usize,
    pub dukpt_terminals: usize,
    pub agents: usize,
    pub slip_mean: f64,
    pub slip_rho: f64,
    pub forgotten: f64,
    pub tries_again: f64,
    pub tries_a_third_time: f64,
    pub goes_elsewhere: f64,
    pub calls_the_desk: f64,
    pub poor: f64,
    pub expired: f64,
    pub stays_in_town: f64,
    pub usual_shop: f64,
    pub cancels: f64,
    pub runs_out_of_time: f64,
    pub buys_twice: f64,
    pub loses: f64,
    pub fallback: f64,
    pub entry_ms: f64,
    pub entry_sigma: f64,
    pub drift_s: f64,
    pub hours: [f64; 24],
    pub negatives: Negatives,
}

/// What looks like an incident and is none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "day.toml explains each of them, and it is the file that people read")]
pub struct Negatives {
    pub per_day: f64,
    pub payday: Negative,
    pub new_pins: Negative,
    pub tourists: Negative,
    pub pin_policy: Negative,
    pub holiday: Negative,
}

/// What one of them changes; what is not named stays.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "day.toml explains each of them, and it is the file that people read")]
pub struct Negative {
    pub lasts_h: f64,
    pub traffic: f64,
    pub forgotten: f64,
    pub visits: f64,
    pub slips: f64,
    pub entry: f64,
    pub cancels: f64,
    pub rtt: f64,
}

impl Default for Negative {
    fn default() -> Self {
        Self {
            lasts_h: 4.0,
            traffic: 1.0,
            forgotten: 0.0,
            visits: 0.0,
            slips: 1.0,
            entry: 1.0,
            cancels: 1.0,
            rtt: 1.0,
        }
    }
}

/// What must be beaten.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The numbers of card sessions.
    pub sessions: Vec<u32>,
    /// Recall at each of them, by row.
    pub rows: BTreeMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forms {
    incident: Vec<Form>,
}

/// Every form of an incident.
///
/// # Panics
/// Never for the files that are part of the program: a test reads them.
pub fn forms() -> &'static [Form] {
    static FORMS: LazyLock<Forms> =
        LazyLock::new(|| read("incidents", include_str!("../data/incidents.toml")));
    &FORMS.incident
}

/// A day without incidents.
///
/// # Panics
/// As [`forms`].
pub fn normal() -> &'static Normal {
    static NORMAL: LazyLock<Normal> = LazyLock::new(|| read("day", include_str!("../data/day.toml")));
    &NORMAL
}

/// What must be beaten.
///
/// # Panics
/// As [`forms`].
pub fn baseline() -> &'static Baseline {
    static BASELINE: LazyLock<Baseline> =
        LazyLock::new(|| read("baseline", include_str!("../data/baseline.toml")));
    &BASELINE
}

fn read<T: for<'de> Deserialize<'de>>(name: &str, text: &str) -> T {
    toml::from_str(text).unwrap_or_else(|error| panic!("data/{name}.toml: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_strength_is_in_both_splits() {
        for form in forms() {
            for [from, to] in &form.strength.tuning {
                assert!(from < to, "{}", form.variant);
                for [other_from, other_to] in &form.strength.reporting {
                    assert!(to <= other_from || other_to <= from, "{}: bands overlap", form.variant);
                }
            }
            let mut chance = Chance::new(3, &form.variant);
            for split in [Split::Tuning, Split::Reporting] {
                let bands =
                    if split == Split::Tuning { &form.strength.tuning } else { &form.strength.reporting };
                let drawn = form.strength.draw(&mut chance, split);
                assert!(
                    bands.iter().any(|[from, to]| (*from..=*to).contains(&drawn)),
                    "{} {drawn}",
                    form.variant
                );
            }
        }
    }

    #[test]
    fn every_row_of_the_table_has_a_form_and_every_cause_of_the_catalogue_is_drilled() {
        let rows = baseline().rows.keys().filter(|row| *row != "normal");
        for row in rows {
            assert!(forms().iter().any(|form| form.row.as_ref() == Some(row)), "{row}");
        }
        assert!(baseline().rows.values().all(|row| row.len() == baseline().sessions.len()));
        // Those of holders come without an incident; the last two are no pattern.
        let others =
            [Cause::Forgotten, Cause::Mistyped, Cause::Locked, Cause::SignInMissing, Cause::Ordinary];
        for cause in Cause::ALL {
            let drilled = forms().iter().any(|form| form.cause == *cause);
            assert_eq!(drilled, !others.contains(cause), "{cause}");
        }
        assert!(normal().hours.iter().all(|weight| *weight > 0.0));
    }
}
