//! What terminals and cards have in common: host instance, issuer's zone, carrier, firmware, bank number, merchant.
//!
//! All card sessions leave one mark in a shared ring; each cohort remembers the places of its latest ones. So a question
//! about a wider cause is answered from the same sessions as the question about a narrower one, and the two can be compared.

use std::collections::VecDeque;

use model::{MerchantId, Timestamp};

use crate::{
    fleet::Slot, memory::QuickMap, observation::Symbol, pace::Mean, session::Family, stats::Beta,
    tuning::Tuning,
};

/// What a cohort has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Common {
    Instance(Symbol),
    Zone(Symbol),
    Network(Symbol),
    Firmware(Symbol),
    Bin(u32),
    Merchant(MerchantId),
}

impl Common {
    /// The order of a mark's cohorts.
    pub(crate) const LEVELS: usize = 6;
    pub(crate) const INSTANCE: usize = 0;
    pub(crate) const ZONE: usize = 1;
    pub(crate) const NETWORK: usize = 2;
    pub(crate) const FIRMWARE: usize = 3;
    pub(crate) const BIN: usize = 4;
    pub(crate) const MERCHANT: usize = 5;
}

/// A place among the cohorts; 0 is none.
pub(crate) type Place = u32;

/// One card session, as cohorts see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub at: Timestamp,
    pub terminal: Slot,
    pub session: u32,
    pub card: u32,
    pub cohorts: [Place; Common::LEVELS],
    pub signs: u16,
    pub counted: u16,
}

/// One cohort.
#[derive(Debug)]
pub(crate) struct Cohort {
    pub common: Common,
    /// Its latest marks, by their numbers in the shared ring.
    pub marks: VecDeque<u32>,
    /// Marks before this one are accounted for.
    pub clean_from: u32,
    /// Signs and sessions of each family while nothing was wrong.
    pub usual: [(f32, f32); Family::COUNT],
    /// The share of wrong first entries lately: a moving mean over some hundred sessions.
    pub wrong_lately: f32,
    /// Of sessions with a wrong first entry lately, the share that came to a right one.
    pub recovers_lately: f32,
    /// The open incident of each family; 0: none.
    pub incidents: [u64; Family::COUNT],
    /// Arms of the comparison of firmware within a merchant.
    pub arms: Vec<crate::detector::firmware::Arm>,
    /// How long exchanges take over it.
    pub line: Mean,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Cohorts {
    places: QuickMap<Common, Place>,
    all: Vec<Cohort>,
    marks: VecDeque<Mark>,
    base: u32,
}

impl Default for Cohorts {
    fn default() -> Self {
        Self { places: QuickMap::default(), all: Vec::new(), marks: VecDeque::new(), base: 1 }
    }
}

impl Cohorts {
    /// The cohort's place, made on first sight; none for what is not known, and when there is no room for more.
    pub(crate) fn place(&mut self, common: Common, tuning: &Tuning) -> Place {
        match common {
            Common::Instance(symbol)
            | Common::Zone(symbol)
            | Common::Network(symbol)
            | Common::Firmware(symbol)
                if symbol == Symbol::UNKNOWN =>
            {
                return 0;
            }
            _ => {}
        }
        if let Some(place) = self.places.get(&common) {
            return *place;
        }
        if self.all.len() >= tuning.limits.cohorts {
            return 0;
        }
        let wrong = tuning.usual.wrong;
        self.all.push(Cohort {
            common,
            marks: VecDeque::new(),
            clean_from: self.base.wrapping_add(self.marks.len() as u32),
            usual: [(0.0, 0.0); Family::COUNT],
            wrong_lately: (wrong[0] / (wrong[0] + wrong[1])) as f32,
            recovers_lately: (tuning.verdict.recovers * (1.0 - tuning.verdict.wrong_forgotten)) as f32,
            incidents: [0; Family::COUNT],
            arms: Vec::new(),
            line: Mean::default(),
        });
        let place = self.all.len() as Place;
        self.places.insert(common, place);
        place
    }

    pub(crate) fn get(&self, place: Place) -> Option<&Cohort> {
        self.all.get((place as usize).checked_sub(1)?)
    }

    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut Cohort> {
        self.all.get_mut((place as usize).checked_sub(1)?)
    }

    /// Where an open incident of a cohort is.
    pub(crate) fn place_of_incident(&self, id: u64) -> Option<Place> {
        self.all.iter().position(|cohort| cohort.incidents.contains(&id)).map(|n| n as Place + 1)
    }

    pub(crate) fn find(&self, common: Common) -> Option<Place> {
        self.places.get(&common).copied()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cohort> {
        self.all.iter_mut()
    }

    /// The number of the next mark.
    pub(crate) fn next_mark(&self) -> u32 {
        self.base.wrapping_add(self.marks.len() as u32)
    }

    /// Leaves a mark in the shared ring and with each of its cohorts.
    pub(crate) fn push(&mut self, mark: Mark, tuning: &Tuning) -> u32 {
        if self.marks.len() >= tuning.limits.marks {
            self.marks.pop_front();
            self.base = self.base.wrapping_add(1);
        }
        let number = self.next_mark();
        self.marks.push_back(mark);
        for place in mark.cohorts {
            self.leave(place, number, tuning);
        }
        number
    }

    /// Leaves a mark with one cohort; an older one, when nothing is wrong, is learnt as usual. Late, so that the first signs of
    /// a fault are not taken as a habit.
    fn leave(&mut self, place: Place, number: u32, tuning: &Tuning) {
        let (marks, base) = (&self.marks, self.base);
        let Some(cohort) = (place as usize).checked_sub(1).and_then(|n| self.all.get_mut(n)) else { return };
        if cohort.marks.len() >= tuning.limits.marks_per_cohort {
            cohort.marks.pop_front();
        }
        cohort.marks.push_back(number);
        let late = cohort.marks.len().checked_sub(tuning.limits.marks_per_cohort / 2 + 1);
        if let Some(old) = late.and_then(|n| cohort.marks.get(n)).copied()
            && let Some(mark) = marks.get(old.wrapping_sub(base) as usize)
        {
            cohort.learn(mark.signs, mark.counted, tuning.usual.weight_max * 10.0);
        }
    }

    pub(crate) fn mark(&self, number: u32) -> Option<&Mark> {
        self.marks.get(number.wrapping_sub(self.base) as usize)
    }

    pub(crate) fn mark_mut(&mut self, number: u32) -> Option<&mut Mark> {
        self.marks.get_mut(number.wrapping_sub(self.base) as usize)
    }

    /// A cohort's marks that are not accounted for, newest first.
    pub(crate) fn marks_of(&self, place: Place) -> impl Iterator<Item = (u32, &Mark)> {
        self.get(place).into_iter().flat_map(move |cohort| {
            cohort
                .marks
                .iter()
                .rev()
                .take_while(|number| number.wrapping_sub(cohort.clean_from) as i32 >= 0)
                .filter_map(|number| Some((*number, self.mark(*number)?)))
        })
    }

    /// All marks since a moment, newest first, at most so many.
    pub(crate) fn marks_since(&self, since: Timestamp, most: usize) -> impl Iterator<Item = (u32, &Mark)> {
        let base = self.base;
        self.marks
            .iter()
            .enumerate()
            .rev()
            .map(move |(n, mark)| (base.wrapping_add(n as u32), mark))
            .take(most)
            .take_while(move |(_, mark)| mark.at >= since)
    }
}

impl Cohort {
    pub(crate) fn usual(&self, family: Family, fleet: Beta, tuning: &Tuning) -> Beta {
        let (k, n) = self.usual[family as usize];
        let weight = tuning.usual.spread_of(family);
        let mean = (f64::from(k) + fleet.mean() * weight) / (f64::from(n) + weight);
        Beta::around(mean, weight)
    }

    fn learn(&mut self, signs: u16, counted: u16, limit: f64) {
        for family in Family::ALL {
            if counted & family.bit() != 0 && self.incidents[family as usize] == 0 {
                let (k, n) = &mut self.usual[family as usize];
                *n += 1.0;
                *k += f32::from(u8::from(signs & family.bit() != 0));
                if f64::from(*n) > limit {
                    *n *= 0.5;
                    *k *= 0.5;
                }
            }
        }
    }
}
