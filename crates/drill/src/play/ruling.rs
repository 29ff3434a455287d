//! The bank's risk rules beside the hosts of a day: the starter set, asked about each payment as it is journalled, by the engine
//! that hosts run, with the day's clock and without effect (docs/concepts/drills.md says why).
//!
//! What a rule blocks stays blocked until somebody has looked at it; what is paid there meanwhile would have been refused.

use std::collections::HashMap;

use host::past::Past;
use model::{CardId, ReasonCode, TerminalId, Timestamp};
use risk::{Action, Limits, RuleEngine, RuleSet, STARTER};
use store::{Entry, Event, Registration, Subject};

/// Staff has looked at what a rule blocked after so long, and allows it again.
const LOOKED_AT_MS: i64 = 30 * 60_000;

/// The rules at work, without effect.
pub(super) struct Ruling {
    past: Past,
    engine: RuleEngine,
    /// Until when, and by which rule.
    terminals: HashMap<TerminalId, (Timestamp, String)>,
    cards: HashMap<CardId, (Timestamp, String)>,
}

/// What the rules would have done about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruled {
    /// It was approved.
    pub(super) approved: bool,
    /// The rule by which it would have been refused, or its terminal or card was blocked.
    pub(super) refused: Option<String>,
    /// Its terminal would have been blocked by it.
    pub(super) blocks_terminal: bool,
    /// Its terminal would have been blocked already.
    pub(super) is_blocked: bool,
}

impl Ruling {
    /// In the morning, with what is registered.
    ///
    /// # Errors
    /// Never with the starter set that is part of the program: a test reads it.
    pub(super) fn open(zone: jiff::tz::TimeZone, registrations: &[Registration]) -> anyhow::Result<Self> {
        let set =
            RuleSet::parse(STARTER).map_err(|problems| anyhow::anyhow!("starter rules: {problems:?}"))?;
        let mut past = Past::new(&[], zone);
        for registration in registrations {
            if let Registration::Terminal(record) = registration {
                past.observer().learn(record);
            }
        }
        Ok(Self {
            past,
            engine: RuleEngine::new(set.into(), Limits::default()),
            terminals: HashMap::new(),
            cards: HashMap::new(),
        })
    }

    /// Asks about an entry; `None` for what is no payment.
    pub(super) fn judge(&mut self, place: u64, entry: &Entry) -> Option<Ruled> {
        let (Subject::Card(card), Event::Transaction(transaction)) = (entry.subject, &entry.event) else {
            // A card's trail has more than payments.
            self.past.payment(place, entry);
            return None;
        };
        let terminal = transaction.key.terminal;
        let payment = self.past.payment(place, entry)?;
        let event = payment.event();
        let held = [self.terminals.get(&terminal), self.cards.get(&card)].into_iter().flatten();
        if let Some((_, rule)) = held.into_iter().find(|(until, _)| event.at < *until) {
            let refused = Some(rule.clone());
            let is_blocked = self.terminals.get(&terminal).is_some_and(|(until, _)| event.at < *until);
            return Some(Ruled { approved: event.approved, refused, blocks_terminal: false, is_blocked });
        }
        let verdict = self.engine.assess(&event, event.at);
        let refuses =
            verdict.action.is_some_and(|action| action == Action::StepUp || action.declines().is_some());
        let rule = verdict.decided_by().map_or_else(String::new, |fired| fired.rule.clone());
        let decided =
            if refuses && event.approved { event.decided(ReasonCode::SuspectedFraud, false) } else { event };
        self.engine.observe(&decided, &verdict);
        let until = event.at.plus_ms(LOOKED_AT_MS);
        let blocks_terminal = matches!(verdict.action, Some(Action::BlockTerminal(_)));
        if blocks_terminal {
            self.terminals.insert(terminal, (until, rule.clone()));
        }
        if matches!(verdict.action, Some(Action::BlockCard(_))) {
            self.cards.insert(card, (until, rule.clone()));
        }
        let refused = refuses.then_some(rule);
        Some(Ruled { approved: event.approved, refused, blocks_terminal, is_blocked: false })
    }
}
