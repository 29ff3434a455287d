//! A plan that moves a fleet of terminals to another key scheme, cohort by cohort. Pure: what the plan says, how far the
//! fleet is with it, and whether it may be finished.
//!
//! A terminal moves by itself, with its first genuine message under the new keys ([`crate::key_set`]), and may fall back
//! until the plan is finished. Finishing takes the old keys away, so it is refused while anybody still uses them.

use std::collections::{BTreeMap, BTreeSet};

use model::{KeyScheme, TerminalId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::key_set::Stage;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name; a terminal's journal keeps it.
    pub name: String,
    /// Where to.
    pub scheme: KeyScheme,
    /// So many hours must pass since the last terminal moved before the plan may be finished.
    #[serde(default = "usual_quiet_hours")]
    pub quiet_hours: u32,
    /// In the order in which they move.
    #[serde(rename = "cohort")]
    pub cohorts: Vec<Cohort>,
}

/// Terminals that move together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// Its name.
    pub name: String,
    /// Terminal numbers; a `*` at the end stands for anything.
    pub terminals: Vec<String>,
}

fn usual_quiet_hours() -> u32 {
    24
}

/// A plan that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The file is no plan.
    #[error("{0}")]
    Format(String),
    /// A value is empty, twice there, or no terminal number.
    #[error("{0}")]
    Value(String),
}

/// How far a cohort or a fleet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// Terminals.
    pub terminals: u32,
    /// Not reached yet.
    pub untouched: u32,
    /// New keys wait.
    pub staged: u32,
    /// Went back to the old keys.
    pub fell_back: u32,
    /// Use the new keys and may fall back.
    pub moved: u32,
    /// Use the new keys; the old ones are gone.
    pub finished: u32,
}

impl Count {
    fn add(&mut self, stage: Stage) {
        self.terminals += 1;
        let of = match stage {
            Stage::Untouched => &mut self.untouched,
            Stage::Staged(_) => &mut self.staged,
            Stage::FellBack(_) => &mut self.fell_back,
            Stage::Moved(_) => &mut self.moved,
            Stage::Finished => &mut self.finished,
        };
        *of += 1;
    }

    /// Share of terminals that use the new keys, in per cent.
    #[must_use]
    pub fn percent_moved(&self) -> u32 {
        let done = self.moved + self.finished;
        (done * 100).checked_div(self.terminals).unwrap_or(0)
    }
}

/// Why a plan may not be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// Terminals that still use their old keys.
    pub on_old_keys: Vec<TerminalId>,
    /// Terminals that moved less than the quiet time ago.
    pub too_fresh: Vec<TerminalId>,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError`] names what is wrong.
    pub fn from_toml(text: &str) -> Result<Self, PlanError> {
        let plan: Self = toml::from_str(text).map_err(|e| PlanError::Format(e.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), PlanError> {
        let wrong = |what: String| Err(PlanError::Value(what));
        if self.name.trim().is_empty() || self.name.len() > 40 {
            return wrong("name: 1 to 40 characters".to_owned());
        }
        if self.cohorts.is_empty() {
            return wrong("at least one [[cohort]] is needed".to_owned());
        }
        let mut names = BTreeSet::new();
        for cohort in &self.cohorts {
            if !names.insert(&cohort.name) {
                return wrong(format!("cohort {:?} is there twice", cohort.name));
            }
            if cohort.terminals.is_empty() {
                return wrong(format!("cohort {:?} names no terminal", cohort.name));
            }
            for pattern in &cohort.terminals {
                let digits = pattern.strip_suffix('*').unwrap_or(pattern);
                if digits.len() > TerminalId::LEN || digits.contains('*') || pattern.is_empty() {
                    return wrong(format!("cohort {:?}: {pattern:?} is no terminal number", cohort.name));
                }
            }
        }
        Ok(())
    }

    /// The first cohort that takes a terminal.
    #[must_use]
    pub fn cohort_of(&self, terminal: TerminalId) -> Option<&Cohort> {
        self.cohorts.iter().find(|cohort| cohort.takes(terminal))
    }

    /// The cohort of this name.
    #[must_use]
    pub fn cohort(&self, name: &str) -> Option<&Cohort> {
        self.cohorts.iter().find(|cohort| cohort.name == name)
    }

    /// How far each cohort is, in the plan's order.
    #[must_use]
    pub fn progress(&self, fleet: impl IntoIterator<Item = (TerminalId, Stage)>) -> Vec<(&str, Count)> {
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        for (terminal, stage) in fleet {
            if let Some(cohort) = self.cohort_of(terminal) {
                counts.entry(&cohort.name).or_default().add(stage);
            }
        }
        self.cohorts
            .iter()
            .map(|c| (c.name.as_str(), counts.remove(c.name.as_str()).unwrap_or_default()))
            .collect()
    }

    /// May the old keys be taken away?
    ///
    /// # Errors
    /// [`Unfinished`] lists the terminals that would be cut off, or might be.
    pub fn may_finish(
        &self,
        fleet: impl IntoIterator<Item = (TerminalId, Stage)>,
        now: Timestamp,
    ) -> Result<(), Unfinished> {
        let quiet_ms = i64::from(self.quiet_hours) * 3_600_000;
        let mut unfinished = Unfinished { on_old_keys: Vec::new(), too_fresh: Vec::new() };
        for (terminal, stage) in fleet {
            if self.cohort_of(terminal).is_none() {
                continue;
            }
            match stage {
                Stage::Untouched | Stage::Staged(_) | Stage::FellBack(_) => {
                    unfinished.on_old_keys.push(terminal)
                }
                Stage::Moved(since) if now.since_ms(since) < quiet_ms => unfinished.too_fresh.push(terminal),
                Stage::Moved(_) | Stage::Finished => {}
            }
        }
        if unfinished.on_old_keys.is_empty() && unfinished.too_fresh.is_empty() {
            Ok(())
        } else {
            Err(unfinished)
        }
    }
}

impl Cohort {
    /// Is the terminal one of these?
    #[must_use]
    pub fn takes(&self, terminal: TerminalId) -> bool {
        let number = terminal.as_str();
        self.terminals.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => number.starts_with(beginning),
            None => number.trim_end() == pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use model::KeyBlock;

    use super::*;
    use crate::{
        key_set::{KeySet, KeySetEffect},
        terminal::{TerminalEffect, TerminalState},
    };

    const PLAN: &str = r#"
        name = "sm4-2026"
        scheme = "sm4"
        quiet_hours = 1
        [[cohort]]
        name = "pilot"
        terminals = ["10000001"]
        [[cohort]]
        name = "rest"
        terminals = ["1000*"]
    "#;

    fn stepped(steps: &[KeySetEffect]) -> TerminalState {
        let mut state = TerminalState::default();
        for (index, step) in (1..).zip(steps) {
            state.apply(index, u64::from(index), Timestamp(0), &TerminalEffect::KeySet(step.clone()));
        }
        state
    }

    fn stage() -> KeySetEffect {
        let set = KeySet {
            scheme: KeyScheme::Sm4,
            key: KeyBlock::new("k".into()),
            format: KeyScheme::Sm4.usual_format(),
            device: None,
            check_value: "00000000".into(),
        };
        KeySetEffect::Stage { plan: "sm4-2026".into(), set }
    }

    #[test]
    fn a_plan_is_finished_when_nobody_uses_old_keys_and_all_is_quiet() {
        let plan = Plan::from_toml(PLAN).unwrap();
        let id = |n: u32| format!("{:08}", 10_000_000 + n).parse::<TerminalId>().unwrap();
        let outside: TerminalId = "20000001".parse().unwrap();
        let moved = stepped(&[stage(), KeySetEffect::Adopt]);
        let back = stepped(&[stage(), KeySetEffect::Adopt, KeySetEffect::FallBack]);
        let done = stepped(&[stage(), KeySetEffect::Adopt, KeySetEffect::Retire]);
        let (staged, untouched) = (stepped(&[stage()]), TerminalState::default());
        let stage_of = |state: &TerminalState| state.key_sets.stage("sm4-2026");
        let fleet =
            [(id(1), &moved), (id(2), &back), (id(3), &staged), (id(4), &done), (outside, &untouched)]
                .map(|(id, state)| (id, stage_of(state)));
        let progress = plan.progress(fleet);
        assert_eq!(progress[0], ("pilot", Count { terminals: 1, moved: 1, ..Count::default() }));
        let rest = Count { terminals: 3, staged: 1, fell_back: 1, finished: 1, ..Count::default() };
        assert_eq!((progress[1], rest.percent_moved()), (("rest", rest), 33));
        let hour = Timestamp(3_600_000);
        let refused = plan.may_finish(fleet, hour).unwrap_err();
        assert_eq!((refused.on_old_keys, refused.too_fresh), (vec![id(2), id(3)], vec![]));
        let all_moved =
            [(id(1), &moved), (id(4), &done), (outside, &untouched)].map(|(id, state)| (id, stage_of(state)));
        assert_eq!(plan.may_finish(all_moved, Timestamp(3_599_999)).unwrap_err().too_fresh, [id(1)]);
        assert_eq!(plan.may_finish(all_moved, hour), Ok(()));
    }

    #[test]
    fn a_plan_that_makes_no_sense_is_refused() {
        for (good, bad, says) in [
            ("scheme = \"sm4\"", "scheme = \"des\"", "unknown variant"),
            ("name = \"rest\"", "name = \"pilot\"", "twice"),
            ("[\"1000*\"]", "[]", "names no terminal"),
            ("1000*", "1*00", "no terminal number"),
            ("sm4-2026", "", "1 to 40"),
            ("quiet_hours", "quiet_days", "unknown field"),
        ] {
            let error = Plan::from_toml(&PLAN.replacen(good, bad, 1)).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
