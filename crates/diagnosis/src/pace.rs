//! How long things take: PIN entries and exchanges, against what is usual at this terminal, over this carrier, lately. A worn
//! key slows everybody down long before it has refused many, and a bad line is slow before it loses.
//!
//! Times are compared as logarithms, which are close to normally distributed. What is usual at a terminal is learnt late and
//! slowly, as all its habits are; what changes for everybody at once (a holiday's queues) is taken off.

use crate::{Diagnosis, fleet::Slot, observation::Telemetry, stats::ln_normal};

/// What takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// From the prompt to the last key of the PIN.
    Entry,
    /// From the request to its answer.
    Line,
}

impl Pace {
    pub(crate) const COUNT: usize = 2;
    pub(crate) const ALL: [Self; Self::COUNT] = [Self::Entry, Self::Line];
}

/// What an explanation says of a pace: ln of how many times as long as usual, normally distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shift {
    pub mean: f64,
    pub deviation: f64,
}

impl Shift {
    /// ln of the likelihood ratio of so many deviations with this sum against "as usual". `between`: standard deviation of a
    /// place's own pace from what is known of it; `within`: variance of one deviation.
    pub(crate) fn ln_ratio(self, (sum, n): (f64, f64), between: f64, within: f64) -> f64 {
        if n <= 0.0 {
            return 0.0;
        }
        let (mean, noise) = (sum / n, within / n);
        ln_normal(mean - self.mean, self.deviation * self.deviation + noise)
            - ln_normal(mean, between * between + noise)
    }
}

/// A deviation from the usual, in thousandths of a logarithm: half of a float, and most sessions have two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Off(i16);

impl Default for Off {
    /// Nothing was told, or nothing is known to compare it with.
    fn default() -> Self {
        Self(i16::MIN)
    }
}

impl Off {
    /// One that is far out says no more than this.
    const MOST: f32 = 1.5;

    fn new(ln: f32) -> Self {
        Self((ln.clamp(-Self::MOST, Self::MOST) * 1000.0) as i16)
    }

    pub(crate) fn ln(self) -> Option<f64> {
        (self.0 != i16::MIN).then(|| f64::from(self.0) / 1000.0)
    }
}

/// A moving mean of ln milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Mean {
    mean: f32,
    n: f32,
}

impl Mean {
    /// Times that it remembers.
    const WEIGHT: f32 = 200.0;
    /// Fewer say nothing by themselves.
    const FEW: f32 = 8.0;

    pub(crate) fn learn(&mut self, took_ln: f32) {
        if took_ln <= 0.0 {
            return;
        }
        self.n = (self.n + 1.0).min(Self::WEIGHT);
        let step = if self.n <= 1.0 { took_ln } else { (took_ln - self.mean).clamp(-1.0, 1.0) / self.n };
        self.mean += step;
    }

    fn known(self) -> Option<f32> {
        (self.n >= Self::FEW).then_some(self.mean)
    }
}

/// A pace in the whole fleet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleetwide {
    usual: Mean,
    /// By how much everything deviates just now.
    lately: f32,
    /// Variance of one deviation.
    within: f32,
}

impl Fleetwide {
    /// Before anything was seen.
    pub(crate) const ALL: [Self; Pace::COUNT] = [Self::new(0.16), Self::new(0.12)];
    /// Deviations that "lately" and the variance are about.
    const LATELY: f32 = 150.0;
    const VARIANCE: f32 = 1000.0;

    const fn new(within: f32) -> Self {
        Self { usual: Mean { mean: 0.0, n: 0.0 }, lately: 0.0, within }
    }

    fn learn(&mut self, off: f32) {
        self.lately += off.clamp(-1.0, 1.0) / Self::LATELY;
        self.within += (off.powi(2).min(1.0) - self.within) / Self::VARIANCE;
    }
}

impl Diagnosis {
    /// The pace of a session's first entry and exchange.
    pub(crate) fn timed(&mut self, slot: Slot, number: u32, telemetry: &Telemetry) {
        let told = [telemetry.pin_entry_ms, telemetry.rtt_ms];
        for (pace, ms) in Pace::ALL.into_iter().zip(told) {
            let (Some(ms), at) = (ms.filter(|ms| *ms > 1), pace as usize) else { continue };
            let terminal = &self.fleet[slot];
            if terminal.session(number).is_none_or(|session| session.took[at] > 0.0) {
                continue;
            }
            let took = (ms as f32).ln();
            let off = self.usual_pace(slot, pace).map(|usual| took - usual);
            let is_quiet = terminal.incidents.iter().all(|id| *id == 0) && terminal.cusum < Self::SUSPICIOUS;
            let carrier = terminal.cohorts[Self::CARRIER];
            if is_quiet {
                let wide = &mut self.paces[at];
                wide.usual.learn(took);
                if let Some(off) = off {
                    wide.learn(off);
                }
                if pace == Pace::Line
                    && let Some(cohort) = self.cohorts.get_mut(carrier)
                {
                    cohort.line.learn(took);
                }
            }
            if let Some(session) = self.fleet[slot].session_mut(number) {
                session.took[at] = took;
                session.off[at] = off.map_or_else(Off::default, Off::new);
            }
        }
    }

    /// What to expect of a pace at a terminal now; nothing before enough was seen. Lines differ by carrier, people do not.
    fn usual_pace(&self, slot: Slot, pace: Pace) -> Option<f32> {
        /// So many sessions of its own weigh as much as what is known of others.
        const OTHERS: f32 = 6.0;
        let terminal = &self.fleet[slot];
        let (own, wide) = (terminal.paces[pace as usize], &self.paces[pace as usize]);
        let others = match pace {
            Pace::Entry => wide.usual.known(),
            Pace::Line => self.cohorts.get(terminal.cohorts[Self::CARRIER]).and_then(|c| c.line.known()),
        };
        let usual = match others {
            Some(others) => Some((own.mean * own.n + others * OTHERS) / (own.n + OTHERS)),
            None => own.known(),
        };
        usual.map(|usual| usual + wide.lately)
    }

    /// Standard deviation of a terminal's own pace from what is known of it, and variance of one time.
    pub(crate) fn pace_spread(&self, slot: Slot, pace: Pace) -> (f64, f64) {
        let (at, own) = (pace as usize, self.fleet[slot].paces[pace as usize]);
        let unknown = (1.0 + 3.0 / (f64::from(own.n) + 1.0)).sqrt();
        (self.tuning.suspicion.between[at] * unknown, f64::from(self.paces[at].within))
    }

    /// Where a terminal's cohorts have its carrier.
    const CARRIER: usize = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_pace_speaks_for_itself_and_a_usual_one_against() {
        let slow = Shift { mean: 0.5, deviation: 0.3 };
        let of = |mean: f64, n: f64| slow.ln_ratio((mean * n, n), 0.12, 0.16);
        assert!(of(0.5, 10.0) > 3.0 && of(0.0, 10.0) < -0.5, "{} {}", of(0.5, 10.0), of(0.0, 10.0));
        assert_eq!(of(0.5, 0.0), 0.0);
        assert!(of(0.5, 5.0) < of(0.5, 50.0));
    }

    #[test]
    fn means_follow_slowly_and_take_no_single_time_for_a_habit() {
        let mut mean = Mean::default();
        assert_eq!(mean.known(), None);
        (0..100).for_each(|_| mean.learn(5.0));
        mean.learn(12.0);
        assert!(mean.known().is_some_and(|known| (5.0..5.02).contains(&known)), "{mean:?}");
        assert_eq!((Off::new(9.0).ln(), Off::default().ln()), (Some(1.5), None));
    }
}
