//! All cases: the fold of the stream, and what is looked up in it.

use std::collections::BTreeMap;

use model::{CardId, Timestamp};

use crate::{
    case::{Case, CaseNo, Status, WaitsOn},
    deeds::Refusal,
    fact::Fact,
    house::House,
    identity::{Action, Admitted},
    plan::EscalationStep,
};

/// Cases that are closed for so long are not kept in memory; they stay in the book.
const KEPT_MS: i64 = 400 * 24 * 3_600_000;
/// Steps of escalation that are taken at once.
const DUE_MAX: usize = 100;

/// The desk as its facts have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desk {
    seq: u32,
    cases: BTreeMap<CaseNo, Case>,
    /// Cases of a card, oldest first.
    by_card: BTreeMap<CardId, Vec<CaseNo>>,
}

/// A step of escalation that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The case.
    pub case: CaseNo,
    /// The step.
    pub step: EscalationStep,
}

impl Due {
    /// The fact that it was taken.
    #[must_use]
    pub fn fact(&self) -> Fact {
        Fact::Escalated {
            case: self.case,
            clock: self.step.clock,
            at_percent: self.step.at_percent,
            to: self.step.to.clone(),
        }
    }
}

impl Desk {
    /// The number of the last fact.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Folds the next fact of the stream. A fact about a case that is not there says nothing.
    pub fn apply(&mut self, seq: u32, at: Timestamp, fact: &Fact) {
        self.seq = seq;
        match fact {
            Fact::Opened { opened, by } => {
                self.forget(at);
                let mut case = Case::open(seq, at, opened, by);
                case.apply(at, fact);
                if let Some(card) = opened.subject.card {
                    self.by_card.entry(card).or_default().push(seq);
                }
                self.cases.insert(seq, case);
            }
            other => {
                if let Some(case) = other.case().and_then(|no| self.cases.get_mut(&no)) {
                    case.apply(at, other);
                }
            }
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let old = |case: &Case| case.closed.as_ref().is_some_and(|c| now.since_ms(c.at) > KEPT_MS);
        // The oldest come first; a case that is still open keeps those behind it, which is rare.
        while let Some(first) = self.cases.first_entry().filter(|entry| old(entry.get())) {
            let case = first.remove();
            if let Some(card) = case.opened.subject.card
                && let Some(numbers) = self.by_card.get_mut(&card)
            {
                numbers.retain(|no| *no != case.no);
                if numbers.is_empty() {
                    self.by_card.remove(&card);
                }
            }
        }
    }

    /// A case by its number.
    ///
    /// # Errors
    /// [`Refusal::NoCase`].
    pub fn case(&self, no: CaseNo) -> Result<&Case, Refusal> {
        self.cases.get(&no).ok_or(Refusal::NoCase)
    }

    /// All cases, newest first.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values().rev()
    }

    /// The cases of a card, newest first.
    pub fn of_card(&self, card: &CardId) -> impl Iterator<Item = &Case> {
        self.by_card.get(card).into_iter().flatten().rev().filter_map(|no| self.cases.get(no))
    }

    /// The case whose question has this link.
    #[must_use]
    pub fn of_survey(&self, hash: &str) -> Option<&Case> {
        let asked = |case: &&Case| {
            case.closed.as_ref().and_then(|c| c.survey.as_ref()).is_some_and(|survey| survey.hash == hash)
        };
        self.cases.values().find(asked)
    }

    /// May this be asked for, for the card of this case? Looks at all cases of the card.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(
        &self,
        house: &House,
        no: CaseNo,
        action: Action,
        now: Timestamp,
    ) -> Result<Admitted, Refusal> {
        let case = self.case(no)?;
        if case.is_closed() {
            return Err(Refusal::Closed);
        }
        if case.status == Status::Waiting(WaitsOn::SecondPerson) && action > Action::Status {
            return Err(Refusal::Undecided);
        }
        let card = case.opened.subject.card.ok_or(Refusal::NoCard)?;
        let shut = self.is_shut(house, &card, now);
        let held = self
            .of_card(&card)
            .flat_map(|c| &c.asked)
            .any(|(at, asked, _)| *asked == Action::ChangeContact && house.identity.holds(*at, now));
        Ok(house.identity.admit(action, &case.proofs, shut, held, now)?)
    }

    /// Were there too many wrong answers about this card?
    #[must_use]
    pub fn is_shut(&self, house: &House, card: &CardId, now: Timestamp) -> bool {
        house.identity.is_shut(self.of_card(card).flat_map(|case| &case.proofs), now)
    }

    /// Steps of escalation that are due and not taken.
    #[must_use]
    pub fn due(&self, house: &House, now: Timestamp) -> Vec<Due> {
        let open = self.cases.values().filter(|case| !case.is_closed());
        let steps = open.flat_map(|case| {
            let plan = house.plans.get(&case.opened.plan);
            let untaken =
                plan.escalation.iter().filter(|s| !case.escalated.contains(&(s.clock, s.at_percent)));
            untaken.filter_map(move |step| {
                let reading = case.clock(house, step.clock, now);
                let due = !reading.stopped && reading.percent() >= step.at_percent;
                due.then(|| Due { case: case.no, step: step.clone() })
            })
        });
        steps.take(DUE_MAX).collect()
    }
}
