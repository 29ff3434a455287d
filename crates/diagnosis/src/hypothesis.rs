//! The explanations for what is seen at one terminal, compared by marginal likelihood.
//!
//! Under each explanation every feature is a share with a Beta distribution; the share is integrated out, so a keypad whose
//! dead key hits 20 or 50 per cent of PINs is the same explanation. A feature about which an explanation says nothing is as
//! usual at this place, and "as usual" is measured. The distributions are data: `tuning.toml`.

use crate::{
    cause::Cause,
    pace::{Pace, Shift},
    session::{Family, Session, mark},
    stats::Beta,
};

/// What is counted about the sessions in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    Wrong,
    Unreadable,
    Abandoned,
    FailsAgain,
    Crossover,
    Known,
    Stripe,
    Small,
    Neighbour,
    Slow,
    Cancel,
    Lost,
    Duplicate,
    Quick,
    Dead,
    Proven,
    Changed,
}

impl Feature {
    pub(crate) const COUNT: usize = 17;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Wrong,
        Self::Unreadable,
        Self::Abandoned,
        Self::FailsAgain,
        Self::Crossover,
        Self::Known,
        Self::Stripe,
        Self::Small,
        Self::Neighbour,
        Self::Slow,
        Self::Cancel,
        Self::Lost,
        Self::Duplicate,
        Self::Quick,
        Self::Dead,
        Self::Proven,
        Self::Changed,
    ];
}

/// One explanation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hypothesis {
    pub cause: Cause,
    pub ln_prior: f64,
    /// What it says of each feature; nothing: as usual.
    pub features: [Option<Beta>; Feature::COUNT],
    /// What it says of how long PIN entries and exchanges take; nothing: as usual.
    pub paces: [Option<Shift>; Pace::COUNT],
}

/// k of n, for each feature; and how much longer than usual things took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    pub k: [f64; Feature::COUNT],
    pub n: [f64; Feature::COUNT],
    /// Sum and number of deviations from the usual pace.
    pub paces: [(f64, f64); Pace::COUNT],
}

impl Counts {
    /// Counts a run of sessions at one terminal. `settled` tells of each whether its holder has gone (another card came, or
    /// time passed), so that "no success" means something.
    pub(crate) fn of<'a>(sessions: impl Iterator<Item = (&'a Session, bool)>, changed: bool) -> Self {
        let mut counts = Self::default();
        for (session, settled) in sessions {
            counts.add_session(session, settled);
        }
        counts.add(Feature::Changed, changed, true);
        counts
    }

    fn add(&mut self, feature: Feature, yes: bool, counted: bool) {
        if counted {
            self.n[feature as usize] += 1.0;
            self.k[feature as usize] += f64::from(u8::from(yes));
        }
    }

    /// One session's features; also how the fleet's usual shares are counted.
    pub(crate) fn add_session(&mut self, session: &Session, settled: bool) {
        let shows = |family| session.shows(family) && session.counts_alone(family);
        let (wrong, dead) = (shows(Family::Wrong), shows(Family::Dead));
        self.add(Feature::Wrong, wrong, session.counts_alone(Family::Wrong));
        self.add(Feature::Unreadable, shows(Family::Unreadable), session.counts_alone(Family::Unreadable));
        let tried = session.entries > 1;
        self.add(Feature::Abandoned, !tried, wrong && (settled || tried));
        self.add(Feature::FailsAgain, !session.has(mark::RIGHT), wrong && tried);
        let crossed = session.has(mark::CROSSED_RIGHT) || session.has(mark::CROSSED_WRONG);
        self.add(Feature::Crossover, session.has(mark::CROSSED_RIGHT), wrong && crossed);
        self.add(Feature::Known, session.has(mark::KNOWN), wrong);
        self.add(Feature::Stripe, session.has(mark::STRIPE), wrong);
        self.add(Feature::Small, session.has(mark::SMALL), wrong || dead);
        self.add(Feature::Neighbour, session.has(mark::NEIGHBOUR), wrong || dead);
        self.add(Feature::Slow, session.has(mark::SLOW), session.has(mark::TIMED));
        self.add(Feature::Cancel, shows(Family::Cancel), session.counts_alone(Family::Cancel));
        self.add(Feature::Lost, shows(Family::Lost), session.counts_alone(Family::Lost));
        self.add(Feature::Duplicate, shows(Family::Duplicate), session.counts_alone(Family::Duplicate));
        self.add(Feature::Quick, session.has(mark::QUICK), shows(Family::Duplicate));
        self.add(Feature::Dead, dead, true);
        self.add(Feature::Proven, session.has(mark::PROVEN), wrong);
        for (pace, off) in self.paces.iter_mut().zip(session.off) {
            if let Some(off) = off.ln() {
                *pace = (pace.0 + off, pace.1 + 1.0);
            }
        }
    }

    /// Old counts weigh half.
    pub(crate) fn fade(&mut self, when_above: f64) {
        for (k, n) in self.k.iter_mut().zip(&mut self.n) {
            if *n > when_above {
                *k *= 0.5;
                *n *= 0.5;
            }
        }
    }
}

/// How the explanations compare.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranking {
    /// Cause, the index of its best hypothesis, and ln of its likelihood ratio against "as usual", prior included; best first.
    pub causes: Vec<(Cause, usize, f64)>,
    /// The probability of the first, among all and "as usual".
    pub probability: f64,
}

/// Compares the explanations that are asked for, `usual` being the shares where nothing is wrong.
pub(crate) fn rank(
    hypotheses: &[Hypothesis],
    asked: impl Fn(Cause) -> bool,
    counts: &Counts,
    usual: &[Beta; Feature::COUNT],
) -> Ranking {
    rank_by(hypotheses, |hypothesis| asked(hypothesis.cause).then(|| features_ln(hypothesis, counts, usual)))
}

/// Compares explanations by ln of their likelihood ratios, each prior added; `None`: not asked for.
pub(crate) fn rank_by(hypotheses: &[Hypothesis], ratio: impl Fn(&Hypothesis) -> Option<f64>) -> Ranking {
    let mut causes: Vec<(Cause, usize, f64)> = Vec::with_capacity(hypotheses.len());
    for (n, hypothesis) in hypotheses.iter().enumerate() {
        let Some(ratio) = ratio(hypothesis) else { continue };
        let ln = hypothesis.ln_prior + ratio;
        match causes.iter_mut().find(|(cause, _, _)| *cause == hypothesis.cause) {
            // two forms of the same cause: their likelihoods add up
            Some(known) => {
                let (high, low) = if known.2 >= ln { (known.2, ln) } else { (ln, known.2) };
                if known.2 < ln {
                    known.1 = n;
                }
                known.2 = high + (low - high).exp().ln_1p();
            }
            None => causes.push((hypothesis.cause, n, ln)),
        }
    }
    causes.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.1.cmp(&b.1)));
    let best = causes.first().map_or(0.0, |c| c.2);
    // among incidents: how rare incidents are at all is the alarm's limit and not part of this
    let sum: f64 = causes.iter().map(|c| (c.2 - best).exp()).sum::<f64>() + (-best).exp();
    Ranking { probability: 1.0 / sum.max(1.0), causes }
}

/// ln of the likelihood ratio that all features give an explanation against "as usual".
pub(crate) fn features_ln(hypothesis: &Hypothesis, counts: &Counts, usual: &[Beta; Feature::COUNT]) -> f64 {
    Feature::ALL.iter().map(|f| feature_ln(hypothesis, *f, counts, usual)).sum()
}

/// ln of the likelihood ratio that one feature gives an explanation against "as usual".
pub(crate) fn feature_ln(
    hypothesis: &Hypothesis,
    feature: Feature,
    counts: &Counts,
    usual: &[Beta; Feature::COUNT],
) -> f64 {
    let at = feature as usize;
    hypothesis.features[at].map_or(0.0, |beta| {
        beta.ln_marginal(counts.k[at], counts.n[at]) - usual[at].ln_marginal(counts.k[at], counts.n[at])
    })
}
