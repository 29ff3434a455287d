//! A labelled day, as data: who pays where and when, what goes wrong meanwhile, and what only looks so. Nothing is played here.
//!
//! Incidents, attacks and the service desk stand in lists; the twenty thousand ordinary visits are drawn one after the other
//! while the day is played ([`Day::visits`]), always the same for the same seed.

mod attacks;
pub mod cards;
mod decoys;
pub mod fleet;
mod incidents;
mod traffic;
pub mod truth;

use authorization::desk::Action;
use diagnosis::Cause;
use model::Kind;

use crate::{
    chance::Chance,
    data::{Form, Split, forms},
};
pub use fleet::Fleet;
pub use traffic::Visits;
pub use truth::{Cover, Decoy, Mechanism, Negative, Place, Truth};

/// A Monday's midnight in China, in milliseconds since 1970.
pub const START_MS: i64 = 1_794_153_600_000;
/// An hour.
pub const HOUR_MS: i64 = 3_600_000;
/// A minute.
pub const MINUTE_MS: i64 = 60_000;
/// The day's last payment is before this.
pub const END_MS: i64 = START_MS + 24 * HOUR_MS;

/// A day.
#[derive(Debug, Clone)]
pub struct Day {
    /// Which.
    pub seed: u64,
    /// Who and what there is.
    pub fleet: Fleet,
    /// Incidents, in no order.
    pub truths: Vec<Truth>,
    /// What looks like incidents.
    pub decoys: Vec<Decoy>,
    /// What happens beside ordinary visits, in the order of time.
    pub acts: Vec<Act>,
    /// Ordinary visits, as a share of the usual.
    pub traffic: f64,
    /// Only these terminals are open, if some are named.
    pub open: Option<Vec<u32>>,
    /// What is played of the day, in milliseconds since 1970; terminals sign in before that.
    pub played: (i64, i64),
}

/// Something that happens at a time.
#[derive(Debug, Clone)]
pub struct Act {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What.
    pub deed: Deed,
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Somebody comes to a terminal with a card.
    Visit(Visit),
    /// A terminal signs in.
    SignIn(u32),
    /// Staff acts on a card.
    Desk {
        /// The card.
        card: u32,
        /// What is done; not done when the card's state has no use for it.
        action: Action,
        /// Who does it: place in the agents.
        agent: usize,
    },
}

/// Somebody at a terminal with a card.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// Where.
    pub terminal: u32,
    /// With which card.
    pub card: u32,
    /// Who.
    pub who: Who,
    /// What is asked for.
    pub kind: Kind,
    /// In minor units.
    pub amount: i64,
    /// How the card is read: first two digits of DE 22.
    pub entry: &'static str,
    /// The incident that brings it.
    pub truth: Option<u16>,
}

/// Who is at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The holder, who may slip once, or may not know the PIN.
    Holder {
        /// Slips at the first entry.
        slips: bool,
        /// Does not know it.
        forgot: bool,
    },
    /// Somebody who guesses.
    Guesser,
    /// Somebody who knows the PIN.
    Thief,
    /// Somebody who has a number and no card, and guesses its date (`wrong_date`).
    Tester {
        /// Wrongly.
        wrong_date: bool,
    },
}

/// DE 22: chip.
pub const CHIP: &str = "05";
/// DE 22: magnetic stripe although the card has a chip.
pub const FALLBACK: &str = "80";
/// DE 22: typed.
pub const MANUAL: &str = "01";

impl Day {
    /// Of a seed.
    ///
    /// # Errors
    /// Never for the numbers of `day.toml`.
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        let mut chance = Chance::new(seed, "incidents");
        let mut day = Self::quiet(seed)?;
        let mut used = Vec::new();
        for form in forms() {
            let count = (form.per_day + chance.unit()) as usize;
            for _ in 0..count {
                day.add(form, &mut used, &mut chance);
            }
        }
        day.desk_of_an_ordinary_day(&mut chance);
        day.decoys(&mut chance);
        day.sort();
        Ok(day)
    }

    /// A day on which nothing happens.
    ///
    /// # Errors
    /// As [`Day::new`].
    pub fn quiet(seed: u64) -> anyhow::Result<Self> {
        let fleet = Fleet::new(seed)?;
        let signs_in = |terminal: usize| Act {
            at: START_MS + terminal as i64 * 50,
            deed: Deed::SignIn(terminal as u32),
        };
        let acts = (0..fleet.terminals.len()).map(signs_in).collect();
        Ok(Self {
            seed,
            fleet,
            truths: Vec::new(),
            decoys: Vec::new(),
            acts,
            traffic: 1.0,
            open: None,
            played: (START_MS, END_MS),
        })
    }

    /// The same day with one incident of this form and nothing else.
    ///
    /// # Errors
    /// As [`Day::new`].
    pub fn with_one(seed: u64, form: &'static Form) -> anyhow::Result<Self> {
        let mut day = Self::quiet(seed)?;
        day.add(form, &mut Vec::new(), &mut Chance::new(seed, "incidents"));
        day.sort();
        Ok(day)
    }

    /// What the seed is for.
    #[must_use]
    pub fn split(&self) -> Split {
        Split::of(self.seed)
    }

    /// A day with nothing but so many incidents of each form that has a row in the baseline's table.
    ///
    /// # Errors
    /// As [`Day::new`].
    pub fn of_rows(seed: u64, times: usize) -> anyhow::Result<Self> {
        let mut chance = Chance::new(seed, "incidents");
        let (mut day, mut used) = (Self::quiet(seed)?, Vec::new());
        for form in forms().iter().filter(|form| form.row.is_some()) {
            // two versions of a model at a time are one too many
            let times = if form.cause == Cause::FirmwareRegression { 1 } else { times };
            for _ in 0..times {
                day.add(form, &mut used, &mut chance);
            }
        }
        day.sort();
        Ok(day)
    }

    /// Only what is around its incidents, and so much of the ordinary traffic: for tests and practice.
    #[must_use]
    pub fn around_incidents(mut self, before_ms: i64, after_ms: i64, traffic: f64) -> Self {
        let from = self.truths.iter().map(|truth| truth.from).min().unwrap_or(START_MS);
        let until = self.truths.iter().map(|truth| truth.until).max().unwrap_or(END_MS);
        self.played = ((from - before_ms).max(START_MS), (until + after_ms).min(END_MS));
        self.traffic = traffic;
        self
    }

    /// Is it open at all?
    #[must_use]
    pub fn is_open(&self, terminal: u32) -> bool {
        self.open.as_ref().is_none_or(|open| open.contains(&terminal))
    }

    fn sort(&mut self) {
        self.acts.sort_by_key(|act| act.at);
    }

    fn act(&mut self, at: i64, deed: Deed) {
        if (START_MS..END_MS).contains(&at) {
            self.acts.push(Act { at, deed });
        }
    }

    /// The truth that a visit belongs to, or the cause of what it is refused for when nothing else is wrong.
    #[must_use]
    pub fn cause(&self, truth: u16) -> Cause {
        self.truths[usize::from(truth)].cause
    }
}
