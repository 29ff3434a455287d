//! What a counter counts: made while rules are checked, one for each different `count`, `sum` and `distinct` in them.

use crate::{
    expression::{parts::Part, tree::Test},
    field::Field,
};

/// One counter that the rules ask for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CounterSpec {
    /// As it is written in a rule, in one form: two counters with the same text are one.
    pub(crate) text: String,
    pub(crate) what: What,
    /// By which field of the event.
    pub(crate) key: Field,
    /// Which events; all, if there is none.
    pub(crate) when: Option<Test>,
    /// For [`What::DistinctUnless`]: which events take a value out again.
    pub(crate) unless: Option<Test>,
    pub(crate) window_ms: i64,
}

impl CounterSpec {
    /// Tells every field that it looks at.
    pub(crate) fn parts(&self, tell: &mut impl FnMut(Part)) {
        tell(Part::Field(self.key));
        match self.what {
            What::Count => {}
            What::Sum(of) | What::Distinct(of) | What::DistinctUnless(of) => tell(Part::Field(of)),
        }
        self.when.iter().chain(&self.unless).for_each(|test| test.parts(tell));
    }
}

/// How events become a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// How many.
    Count,
    /// The sum of a field.
    Sum(Field),
    /// How many different values a field has.
    Distinct(Field),
    /// The same, of those values of which no event was an exception.
    DistinctUnless(Field),
}

/// Counters and lists that a set of rules names, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) counters: Vec<CounterSpec>,
    pub(crate) lists: Vec<String>,
}

/// Counters of one rule set.
pub(crate) const COUNTERS_MAX: usize = 256;
/// Lists of one rule set.
pub(crate) const LISTS_MAX: usize = 256;

impl Names {
    pub(crate) fn counter(&mut self, spec: CounterSpec) -> Option<u16> {
        let known = self.counters.iter().position(|known| known.text == spec.text);
        let place = known.or_else(|| {
            (self.counters.len() < COUNTERS_MAX).then(|| {
                self.counters.push(spec);
                self.counters.len() - 1
            })
        });
        place.and_then(|place| u16::try_from(place).ok())
    }

    pub(crate) fn list(&mut self, name: &str) -> Option<u16> {
        let known = self.lists.iter().position(|known| known == name);
        let place = known.or_else(|| {
            (self.lists.len() < LISTS_MAX).then(|| {
                self.lists.push(name.to_owned());
                self.lists.len() - 1
            })
        });
        place.and_then(|place| u16::try_from(place).ok())
    }
}
