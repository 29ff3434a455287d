//! Thresholds, priors and limits, as data: `tuning.toml` beside the manifest says what each means. A file that lacks a
//! number or has one too many is refused, so that a typing error cannot silence a detector.

use serde::Deserialize;

use crate::{
    cause::Cause,
    hypothesis::{Feature, Hypothesis},
    pace::{Pace, Shift},
    session::Family,
    stats::Beta,
};

/// The tuning that is part of the program.
const BUILT_IN: &str = include_str!("../tuning.toml");

/// All numbers of the diagnosis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    pub(crate) limits: Limits,
    pub(crate) sessions: Sessions,
    pub(crate) usual: Usual,
    pub(crate) alarm: Alarm,
    pub(crate) repair: Repair,
    pub(crate) window: Window,
    pub(crate) exact: Exact,
    pub(crate) card: Card,
    pub(crate) fraud: Fraud,
    pub(crate) calibration: Calibration,
    pub(crate) verdict: VerdictPriors,
    pub(crate) alternative: Alternative,
    pub(crate) suspicion: Suspected,
    #[serde(rename = "hypothesis")]
    rows: Vec<Row>,
    #[serde(skip)]
    pub(crate) hypotheses: Vec<Hypothesis>,
}

macro_rules! tables {
    ($( $(#[$doc:meta])* $table:ident { $($field:ident: $kind:ty),* $(,)? } )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $table { $(pub(crate) $field: $kind),* }
        )*
    };
}

tables! {
    /// Memory.
    Limits {
        terminals: usize, sessions_per_terminal: usize, cards: usize, places_per_card: usize, refusals: usize,
        incidents: usize, marks: usize, marks_per_cohort: usize, cohorts: usize, agents: usize,
        cards_per_incident: usize,
    }
    /// What belongs together.
    Sessions { retry_s: i64, soon_s: i64, crossover_h: i64, gap_s: i64, clock_back_s: i64 }
    /// Shares before anything was seen.
    Usual {
        wrong: [f64; 2], unreadable: [f64; 2], key: [f64; 2], silent: [f64; 2], lost: [f64; 2], cancel: [f64; 2],
        duplicate: [f64; 2], dead: [f64; 2], abandoned: [f64; 2], fails_again: [f64; 2], crossover: [f64; 2], known: [f64; 2],
        stripe: [f64; 2], small: [f64; 2], neighbour: [f64; 2], slow: [f64; 2], proven: [f64; 2], changed: [f64; 2],
        quick: [f64; 2], weight_max: f64,
        spread: f64, spread_rare: f64, spread_line: f64, feature_weight: f64,
    }
    /// When an incident is made.
    Alarm {
        terminal: f64, suspect: f64, terminal_own: f64, cohort: f64, cohort_terminals: usize, zone_terminals: usize,
        elsewhere_terminals: usize, elsewhere_extra: f64, firmware: f64, firmware_tau: f64,
        firmware_terminals: usize, screen_q: f64, cusum_p1: f64, cusum_h: f64, settle: f64, give_up: f64, firm: f64,
    }
    /// When it ends.
    Repair { good: f64, good_after_load: f64, silence_h: i64, attack_silence_h: i64, reopen_h: i64 }
    /// Poisson windows.
    Window {
        minutes: i64, chance: f64, spray_cards: u32, small_minor: i64, neighbour: u16, duplicate_s: i64,
    }
    /// Exact rules.
    Exact {
        ksn: u32, drift_s: i32, drift_messages: u32, registration_messages: u32, merchants: usize, away_km: f64,
        away_messages: u32, travel_km: f64, travel_km_h: f64, sign_in_messages: u32, mac_messages: u32,
    }
    /// One card.
    Card {
        brute_mismatches: u32, brute_sessions: u32, brute_hours: i64, brute_chance: f64, brute_rate_per_day: f64,
        brute_weight: f64, unused_h: i64,
    }
    /// Fraud across cards, and staff.
    Fraud {
        cash_cards: usize, cash_hours: i64, common_q: f64, common_share: f64, lift_cards: usize, lift_minutes: i64,
        lift_cash_cards: usize, lift_cash_h: i64, agent_q: f64, agent_releases: u32, agent_hours: i64,
        agent_spread: f64, agent_again: f64, contact_h: i64,
    }
    /// Shares where something is wrong.
    Alternative {
        wrong: [f64; 2], unreadable: [f64; 2], key: [f64; 2], silent: [f64; 2], lost: [f64; 2], cancel: [f64; 2],
        duplicate: [f64; 2], dead: [f64; 2],
    }
    /// What is kept an eye on.
    Suspected { odds: f64, windows: Vec<u32>, between: [f64; 2], signs: u32 }
    /// From raw to calibrated.
    Calibration { offset: f64, slope: f64, table: Vec<[f64; 2]> }
    /// First verdicts.
    VerdictPriors {
        wrong_forgotten: f64, recovers: f64, slips_again: f64,
        mistyped_after_success: f64, unreadable_terminal_key: f64,
        new_pin_forgotten: f64, unused_forgotten: f64, slow_entry_forgotten: f64,
    }
}

impl Usual {
    /// How many sessions the usual share of one place is worth: rare technical signs differ less between places than people do.
    pub(crate) fn spread_of(&self, family: Family) -> f64 {
        match family {
            Family::Unreadable | Family::ZoneUnreadable | Family::Key | Family::Duplicate | Family::Dead => {
                self.spread_rare
            }
            Family::Silent | Family::Lost | Family::Cancel => self.spread_line,
            Family::Wrong => self.spread,
        }
    }
}

/// One explanation as it stands in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Cause,
    prior: f64,
    wrong: Option<[f64; 2]>,
    unreadable: Option<[f64; 2]>,
    abandoned: Option<[f64; 2]>,
    fails_again: Option<[f64; 2]>,
    crossover: Option<[f64; 2]>,
    known: Option<[f64; 2]>,
    stripe: Option<[f64; 2]>,
    small: Option<[f64; 2]>,
    neighbour: Option<[f64; 2]>,
    slow: Option<[f64; 2]>,
    cancel: Option<[f64; 2]>,
    lost: Option<[f64; 2]>,
    duplicate: Option<[f64; 2]>,
    dead: Option<[f64; 2]>,
    proven: Option<[f64; 2]>,
    changed: Option<[f64; 2]>,
    quick: Option<[f64; 2]>,
    entry: Option<[f64; 2]>,
    line: Option<[f64; 2]>,
}

impl Row {
    fn hypothesis(&self) -> Hypothesis {
        let beta = |share: Option<[f64; 2]>| share.map(|[a, b]| Beta { a, b });
        let mut features = [None; Feature::COUNT];
        for (feature, share) in [
            (Feature::Wrong, self.wrong),
            (Feature::Unreadable, self.unreadable),
            (Feature::Abandoned, self.abandoned),
            (Feature::FailsAgain, self.fails_again),
            (Feature::Crossover, self.crossover),
            (Feature::Known, self.known),
            (Feature::Stripe, self.stripe),
            (Feature::Small, self.small),
            (Feature::Neighbour, self.neighbour),
            (Feature::Slow, self.slow),
            (Feature::Cancel, self.cancel),
            (Feature::Lost, self.lost),
            (Feature::Duplicate, self.duplicate),
            (Feature::Quick, self.quick),
            (Feature::Dead, self.dead),
            (Feature::Proven, self.proven),
            (Feature::Changed, self.changed),
        ] {
            features[feature as usize] = beta(share);
        }
        let shift = |shift: Option<[f64; 2]>| shift.map(|[mean, deviation]| Shift { mean, deviation });
        let mut paces = [None; Pace::COUNT];
        paces[Pace::Entry as usize] = shift(self.entry);
        paces[Pace::Line as usize] = shift(self.line);
        Hypothesis { cause: self.name, ln_prior: self.prior.ln(), features, paces }
    }
}

/// Why a tuning was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TuningError {
    /// Not TOML, or a number is missing, unknown or of the wrong kind.
    #[error("tuning cannot be read: {0}")]
    Unreadable(String),
    /// A share without certainty, a limit of zero, or a table that does not rise.
    #[error("tuning makes no sense: {0}")]
    Senseless(&'static str),
}

impl Tuning {
    /// Reads a tuning file.
    ///
    /// # Errors
    /// [`TuningError`] when it is not whole or makes no sense.
    pub fn from_toml(text: &str) -> Result<Self, TuningError> {
        let mut tuning: Self =
            toml::from_str(text).map_err(|error| TuningError::Unreadable(error.to_string()))?;
        tuning.hypotheses = tuning.rows.iter().map(Row::hypothesis).collect();
        tuning.check()?;
        Ok(tuning)
    }

    fn check(&self) -> Result<(), TuningError> {
        let limits = &self.limits;
        let counts = [
            limits.terminals,
            limits.sessions_per_terminal,
            limits.cards,
            limits.places_per_card,
            limits.refusals,
            limits.incidents,
            limits.marks,
            limits.marks_per_cohort,
            limits.cohorts,
            limits.agents,
            limits.cards_per_incident,
        ];
        if counts.contains(&0) {
            return Err(TuningError::Senseless("a limit of zero"));
        }
        let usual = &self.usual;
        let shares = [
            usual.wrong,
            usual.unreadable,
            usual.key,
            usual.silent,
            usual.lost,
            usual.cancel,
            usual.duplicate,
            usual.dead,
            usual.abandoned,
            usual.fails_again,
            usual.crossover,
            usual.known,
            usual.stripe,
            usual.small,
            usual.neighbour,
            usual.slow,
            usual.proven,
            usual.changed,
            usual.quick,
        ];
        let listed =
            self.hypotheses.iter().flat_map(|h| h.features.iter().flatten()).map(|beta| [beta.a, beta.b]);
        if shares.into_iter().chain(listed).any(|[a, b]| !(a > 0.0 && b > 0.0)) {
            return Err(TuningError::Senseless("a share needs two positive numbers"));
        }
        let shifts = self.hypotheses.iter().flat_map(|h| h.paces.iter().flatten());
        let suspected = &self.suspicion;
        if shifts.map(|shift| shift.deviation).chain(suspected.between).any(|deviation| deviation <= 0.0)
            || suspected.odds < 1.0
            || suspected.windows.is_empty()
        {
            return Err(TuningError::Senseless("a suspicion needs odds, windows and deviations"));
        }
        if self.hypotheses.iter().any(|h| !h.ln_prior.is_finite()) {
            return Err(TuningError::Senseless("a prior must be positive"));
        }
        let table = &self.calibration.table;
        if table.len() < 2 || table.windows(2).any(|pair| pair[0][0] >= pair[1][0] || pair[0][1] > pair[1][1])
        {
            return Err(TuningError::Senseless("the calibration table must rise"));
        }
        Ok(())
    }

    /// The same without calibration: for whoever fits it.
    #[must_use]
    pub fn uncalibrated(mut self) -> Self {
        self.calibration = Calibration { offset: 0.0, slope: 1.0, table: vec![[0.0, 0.0], [1.0, 1.0]] };
        self
    }

    /// From the odds that the model gives to the share of such statements that are true.
    pub(crate) fn calibrated(&self, raw: f64) -> f64 {
        let calibration = &self.calibration;
        let x = crate::stats::logistic(calibration.offset + calibration.slope * crate::stats::logit(raw));
        let table = &calibration.table;
        for pair in table.windows(2) {
            let ([x0, y0], [x1, y1]) = (pair[0], pair[1]);
            if x <= x1 {
                return y0 + (y1 - y0) * ((x - x0) / (x1 - x0)).clamp(0.0, 1.0);
            }
        }
        table.last().map_or(x, |last| last[1])
    }
}

impl Default for Tuning {
    /// The tuning that is part of the program.
    fn default() -> Self {
        // cannot fail: a test reads it
        Self::from_toml(BUILT_IN).unwrap_or_else(|error| unreachable!("built-in tuning: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_tuning_is_whole() {
        let tuning = Tuning::from_toml(BUILT_IN).unwrap();
        assert!(tuning.hypotheses.len() >= 8);
        assert!(tuning.calibrated(0.2) <= tuning.calibrated(0.9));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let with = |from: &str, to: &str| Tuning::from_toml(&BUILT_IN.replacen(from, to, 1));
        assert!(matches!(with("retry_s", "retry_seconds"), Err(TuningError::Unreadable(_))));
        assert!(matches!(with("cards = 500000", "cards = 0"), Err(TuningError::Senseless(_))));
        assert!(matches!(with("wrong = [3.0, 97.0]", "wrong = [0.0, 97.0]"), Err(TuningError::Senseless(_))));
        assert!(matches!(with("[1.0, 0.991]]", "[0.5, 0.991]]"), Err(TuningError::Senseless(_))));
    }
}
