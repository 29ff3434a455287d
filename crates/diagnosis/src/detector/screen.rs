//! The fleet screen: every few hours all terminals are compared at once. A fault too slow for an alarm at any moment stands out
//! against thousands of others: p-values of the beta-binomial model, held to a false-discovery rate (Benjamini and Hochberg
//! 1995). It only proposes: what a terminal has is asked as always, with half the limit, because the screen has spent the other.

use crate::{Diagnosis, fleet::Slot, session::Family, stats::benjamini_hochberg};

impl Diagnosis {
    /// How often, which families, and how many sessions a terminal needs to be compared.
    const SCREEN_MS: i64 = 6 * 3_600_000;
    const SCREENED: [Family; 4] = [Family::Wrong, Family::Cancel, Family::Lost, Family::Duplicate];
    const SCREEN_SESSIONS: u32 = 20;

    /// Screens the fleet when it is time.
    pub(crate) fn screen_fleet(&mut self) {
        if self.screened.0 == i64::MIN {
            self.screened = self.now;
        }
        if self.now.since_ms(self.screened) < Self::SCREEN_MS {
            return;
        }
        self.screened = self.now;
        for family in Self::SCREENED {
            let mut found: Vec<(Slot, f64)> = Vec::new();
            let mut tests = 0;
            for slot in 0..self.fleet.len() as Slot {
                let (mut k, mut n) = (0, 0);
                let terminal = &self.fleet[slot];
                for (_, session) in terminal.open_sessions().filter(|(_, session)| session.counts(family)) {
                    n += 1;
                    k += u32::from(session.shows(family));
                }
                if n >= Self::SCREEN_SESSIONS {
                    tests += 1;
                    if k >= 3 {
                        found.push((slot, self.usual_at(terminal, family).upper_tail(k, n)));
                    }
                }
            }
            let mut p: Vec<f64> = found.iter().map(|(_, p)| *p).collect();
            let Some(cut) = benjamini_hochberg(&mut p, tests - found.len(), self.tuning.alarm.screen_q)
            else {
                continue;
            };
            for (slot, _) in found.into_iter().filter(|(_, p)| *p <= cut) {
                self.ask_screened(slot, family);
            }
        }
    }
}
