//! One rule set at work: which of its rules are asked when, laid out so that asking a hundred rules touches little memory.

use std::sync::Arc;

use crate::{
    counter::CounterSpec,
    expression::{parts::Part, tree::Test},
    rule::{Mode, Phase},
    rule_set::{Checked, RuleSet},
};

/// A rule set, and what each of its rules does at present.
#[derive(Debug)]
pub(crate) struct Acting {
    pub(crate) set: Arc<RuleSet>,
    /// As the file says, unless the breaker or the whole set's state holds a rule back.
    pub(crate) modes: Vec<Mode>,
    authorize: Vec<Step>,
    after: Vec<Step>,
    /// Where the windows have the set's counters.
    counters: Vec<u16>,
}

/// One rule that is asked. The condition is a copy: those of a set lie side by side then, without names and owners between, and what
/// is cheap to find out comes first.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) test: Test,
    from: i64,
    until: i64,
    rule: usize,
    pub(crate) in_shadow: bool,
}

/// A counter that no rule of this engine asks for.
const UNUSED: u16 = u16::MAX;

impl Acting {
    /// Puts the set's counters among those that are there: each different one once.
    pub(crate) fn new(set: Arc<RuleSet>, phase: Option<Phase>, all: &mut Vec<CounterSpec>) -> Self {
        let asked = asked_for(&set, phase);
        let specs = set.names.counters.iter().zip(asked);
        let counters = specs.map(|(spec, asked)| if asked { place_of(spec, all) } else { UNUSED }).collect();
        let modes = set.rules().map(|rule| rule.mode).collect();
        let mut acting = Self { set, modes, authorize: Vec::new(), after: Vec::new(), counters };
        acting.lay_out();
        acting
    }

    /// No rule acts more than in shadow.
    pub(crate) fn hold_all(&mut self) {
        for mode in &mut self.modes {
            *mode = if *mode == Mode::Live { Mode::Shadow } else { *mode };
        }
        self.lay_out();
    }

    pub(crate) fn hold(&mut self, rule: usize, held: Mode) {
        if let Some(mode) = self.modes.get_mut(rule) {
            *mode = held;
        }
        self.lay_out();
    }

    pub(crate) fn place(&self, rule: &str) -> Option<usize> {
        self.set.rules.iter().position(|checked| checked.rule.id == rule)
    }

    /// The rules of a phase.
    pub(crate) fn steps(&self, phase: Phase) -> &[Step] {
        match phase {
            Phase::Authorize => &self.authorize,
            Phase::After => &self.after,
        }
    }

    pub(crate) fn checked(&self, step: &Step) -> Option<&Checked> {
        self.set.rules.get(step.rule)
    }

    /// Where the windows have a counter of the set.
    pub(crate) fn counter(&self, of_set: u16) -> u16 {
        self.counters.get(usize::from(of_set)).copied().unwrap_or(UNUSED)
    }

    fn lay_out(&mut self) {
        let Self { set, modes, authorize, after, .. } = self;
        authorize.clear();
        after.clear();
        for (place, (checked, mode)) in set.rules.iter().zip(modes).enumerate() {
            let rule = &checked.rule;
            if *mode == Mode::Off {
                continue;
            }
            let steps = match rule.phase {
                Phase::Authorize => &mut *authorize,
                Phase::After => &mut *after,
            };
            steps.push(Step {
                test: checked.test.clone().cheapest_first(),
                rule: place,
                in_shadow: *mode == Mode::Shadow,
                from: rule.from.map_or(i64::MIN, |from| from.0),
                until: rule.until.map_or(i64::MAX, |until| until.0),
            });
        }
    }
}

impl Step {
    /// Is the rule asked at that time?
    pub(crate) fn is_valid_at(&self, now: i64) -> bool {
        self.from <= now && now < self.until
    }
}

/// Which counters the rules of a phase ask for; of both, if no phase is named.
fn asked_for(set: &RuleSet, phase: Option<Phase>) -> Vec<bool> {
    let mut asked = vec![false; set.names.counters.len()];
    let rules = set.rules.iter().filter(|checked| checked.rule.mode != Mode::Off);
    for checked in rules.filter(|checked| phase.is_none_or(|phase| phase == checked.rule.phase)) {
        checked.test.parts(&mut |part| {
            if let Part::Counter(counter) = part
                && let Some(asked) = asked.get_mut(usize::from(counter))
            {
                *asked = true;
            }
        });
    }
    asked
}

fn place_of(spec: &CounterSpec, all: &mut Vec<CounterSpec>) -> u16 {
    let place = all.iter().position(|known| known.text == spec.text).unwrap_or_else(|| {
        all.push(spec.clone());
        all.len() - 1
    });
    u16::try_from(place).unwrap_or(UNUSED)
}
