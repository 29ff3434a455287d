//! What is said for and against the explanation of an incident at a terminal: each feature's weight becomes a piece of evidence.

use model::Timestamp;

use crate::{
    Cause, Diagnosis, Evidence, evidence as e,
    fleet::Slot,
    hypothesis::{Counts, Feature, Ranking, feature_ln},
    stats::Beta,
};

impl Diagnosis {
    /// The pieces of evidence for and against the best explanation.
    pub(crate) fn terminal_evidence(
        &self,
        slot: Slot,
        since: Timestamp,
        ranking: &Ranking,
        (counts, usual): (&Counts, &[Beta; Feature::COUNT]),
    ) -> Vec<Evidence> {
        let Some((cause, best, _)) = ranking.causes.first().copied() else { return Vec::new() };
        let Some(hypothesis) = self.tuning.hypotheses.get(best) else { return Vec::new() };
        let weight = |feature: Feature| feature_ln(hypothesis, feature, counts, usual);
        let k = |feature: Feature| counts.k[feature as usize];
        let n = |feature: Feature| counts.n[feature as usize];
        let share = |feature: Feature| usual[feature as usize].mean();
        let mut evidence = Vec::new();
        for feature in Feature::ALL {
            let ln = weight(feature);
            if ln.abs() < 0.3 || n(feature) == 0.0 {
                continue;
            }
            let (k, n, share) = (k(feature), n(feature), share(feature));
            evidence.push(match feature {
                Feature::Wrong if k * 5.0 < n => e::PINS_AS_EVER.with(ln, [k, n]),
                Feature::Wrong => e::FIRST_ENTRY_MISMATCHES.with(ln, [k, n, share]),
                Feature::Unreadable if k == 0.0 => continue,
                Feature::Unreadable => e::FORMAT_ERRORS_IN_A_ROW.with(ln, [k, share]),
                Feature::Abandoned => e::NO_SECOND_TRY.with(ln, [k, n]),
                Feature::FailsAgain if k * 2.0 < n => e::RETRY_SUCCEEDS.with(ln, [n - k, n]),
                Feature::FailsAgain => e::NO_SUCCESS_AFTER.with(ln, [k, n]),
                Feature::Crossover if k * 2.0 < n => e::CROSSOVER_FAILS.with(ln, [n - k, n]),
                Feature::Crossover => e::CROSSOVER_SUCCEEDS.with(ln, [k, n]),
                Feature::Known if k * 2.0 < n => e::CARDS_WITHOUT_HISTORY.with(ln, [n - k, n]),
                Feature::Known => e::CARDS_WITH_HISTORY.with(ln, [k, n]),
                Feature::Stripe => e::READ_BY_STRIPE.with(ln, [k, n]),
                Feature::Small => e::SMALL_AMOUNTS.with(ln, [k, n]),
                Feature::Neighbour => e::NEIGHBOURING_NUMBERS.with(ln, [k, n]),
                Feature::Slow => {
                    e::SLOW_PIN_ENTRY.with(ln, [k, n, f64::from(self.fleet[slot].entry_ln_ms.exp())])
                }
                Feature::Cancel if k == 0.0 => e::NO_CANCELS.with(ln, [n]),
                Feature::Cancel => e::CANCELS_AND_TIMEOUTS.with(ln, [k, n, share]),
                Feature::Lost => e::LOST_MESSAGES.with(ln, [k, n, share]),
                Feature::Duplicate => e::SAME_AGAIN.with(ln, [k, n, self.tuning.window.duplicate_s as f64]),
                Feature::Quick => continue,
                Feature::Dead => {
                    e::DEAD_NUMBERS.with(ln, [k, self.now.since_ms(since) as f64 / 60_000.0, 1.0])
                }
                Feature::Proven if k == 0.0 => continue,
                Feature::Proven => e::BLOCKS_WERE_WHOLE.with(ln, [k, n]),
                Feature::Changed if k == 0.0 => continue,
                Feature::Changed => e::CHANGED_BEFORE.with(ln, [self.minutes_since_change(slot, since)]),
            });
        }
        if cause == Cause::DuplicateSubmission {
            evidence.push(e::FIRST_WAS_ANSWERED.with(1.0, [k(Feature::Duplicate)]));
        }
        let fine = n(Feature::Wrong) - k(Feature::Wrong);
        if fine > 0.0 && cause != Cause::DuplicateSubmission && cause != Cause::NetworkLoss {
            let ln = (weight(Feature::Wrong) + weight(Feature::Unreadable)).min(0.0) - 0.3;
            evidence.push(e::OTHER_CARDS_FINE.with(ln, [fine, n(Feature::Wrong)]));
        }
        evidence
    }

    fn minutes_since_change(&self, slot: Slot, since: Timestamp) -> f64 {
        let terminal = &self.fleet[slot];
        [terminal.changed_at, terminal.loaded_at]
            .iter()
            .filter(|at| at.0 != i64::MIN && **at <= since)
            .map(|at| since.since_ms(*at) as f64 / 60_000.0)
            .fold(f64::INFINITY, f64::min)
            .min(60.0)
    }
}
