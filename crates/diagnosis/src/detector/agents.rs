//! Staff: who releases and resets unlike all others, and whose lifted limits are followed by withdrawals.
//!
//! An agent's share of all releases is compared with an equal share (beta-binomial: agents differ a little), held to a
//! false-discovery rate over agents. When a mailing of new PINs sends half the town to the desk, every agent releases more, and
//! nobody stands out. Limits lifted in bulk become an incident only when these very cards then take cash.

use std::collections::VecDeque;

use model::{CardId, Timestamp};

use crate::{
    Cause, Diagnosis, Scope, Status,
    card::Card,
    evidence as e,
    fleet::Group,
    observation::{DeskAction, Payment, Symbol},
    register::Draft,
    stats::{Beta, benjamini_hochberg, decades},
};

/// One agent's last day.
#[derive(Debug, Default)]
struct Agent {
    /// Releases and resets: when, whose, whether the same agent had released it in the day, and whether the way to reach
    /// its holder was changed shortly before.
    releases: VecDeque<(Timestamp, CardId, bool, bool)>,
    actions: u32,
    lifted: VecDeque<(Timestamp, CardId)>,
    cash: Vec<CardId>,
    withdrawals: u32,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Agents {
    all: std::collections::BTreeMap<Symbol, Agent>,
    limit: usize,
    changed: bool,
}

impl Agents {
    /// Actions of one agent that are remembered.
    const ACTIONS: usize = 4096;

    pub(crate) fn new(limit: usize) -> Self {
        Self { all: std::collections::BTreeMap::new(), limit, changed: false }
    }

    fn of(&mut self, agent: Symbol) -> Option<&mut Agent> {
        if !self.all.contains_key(&agent) && self.all.len() >= self.limit {
            return None;
        }
        Some(self.all.entry(agent).or_default())
    }
}

impl Diagnosis {
    /// Staff acted on a card.
    pub(crate) fn desk(&mut self, id: CardId, action: DeskAction, agent: Symbol) {
        let (now, epoch) = (self.now, self.epoch);
        let contact_ms = self.tuning.fraud.contact_h * 3_600_000;
        let card = self.cards.entry(id, || Card::new(epoch));
        let again = card.released.0 != i64::MIN
            && now.since_ms(card.released) < 24 * 3_600_000
            && card.lifted.is_some_and(|(by, _)| by == agent.0);
        let contact = card.contact_changed.0 != i64::MIN && now.since_ms(card.contact_changed) < contact_ms;
        match action {
            DeskAction::Release | DeskAction::Reset => {
                if card.failed_since_release {
                    card.cycles = card.cycles.saturating_add(u8::from(card.released.0 != i64::MIN));
                }
                card.failed_since_release = false;
                card.released = now;
                card.releases = card.releases.saturating_add(1);
                if action == DeskAction::Reset {
                    card.pin_new = now;
                    card.forgiven = now;
                }
            }
            DeskAction::RaiseLimit | DeskAction::Other => {}
            DeskAction::ChangeContact => card.contact_changed = now,
        }
        if matches!(action, DeskAction::RaiseLimit | DeskAction::Release) {
            card.lifted = Some((agent.0, now));
        }
        if agent == Symbol::UNKNOWN {
            return;
        }
        self.agents.changed = true;
        let Some(agent) = self.agents.of(agent) else { return };
        agent.actions = agent.actions.saturating_add(1);
        if matches!(action, DeskAction::Release | DeskAction::Reset) {
            agent.releases.push_back((now, id, again, contact));
            if agent.releases.len() > Agents::ACTIONS {
                agent.releases.pop_front();
            }
        }
        if matches!(action, DeskAction::RaiseLimit | DeskAction::Release) {
            agent.lifted.push_back((now, id));
            if agent.lifted.len() > Agents::ACTIONS {
                agent.lifted.pop_front();
            }
        }
        self.judge_agents();
    }

    /// A card took cash: were its limits lifted lately, together with many others'?
    pub(crate) fn cash_after_lifting(&mut self, payment: &Payment) {
        let rules = &self.tuning.fraud;
        let Some(card) = self.cards.get(&payment.card) else { return };
        let Some((symbol, at)) = card.lifted else { return };
        if self.now.since_ms(at) > rules.lift_cash_h * 3_600_000 {
            return;
        }
        let symbol = Symbol(symbol);
        let (bulk, minutes) = (rules.lift_cards, rules.lift_minutes);
        let needed = rules.lift_cash_cards;
        let Some(agent) = self.agents.all.get_mut(&symbol) else { return };
        let mut together: Vec<CardId> = agent
            .lifted
            .iter()
            .filter(|(lifted, _)| lifted.since_ms(at).abs() <= minutes * 60_000)
            .map(|(_, card)| *card)
            .collect();
        together.sort_unstable();
        together.dedup();
        if together.len() < bulk {
            return;
        }
        agent.withdrawals += 1;
        if !agent.cash.contains(&payment.card) && agent.cash.len() < Agents::ACTIONS {
            agent.cash.push(payment.card);
        }
        let (cards, withdrawals) = (agent.cash.clone(), agent.withdrawals);
        if cards.len() < needed {
            return;
        }
        let evidence = vec![
            e::LIFTED_IN_BULK.with(4.0, [together.len() as f64, minutes as f64]),
            e::CASH_AFTER_LIFTING
                .with(2.0 * cards.len() as f64, [cards.len() as f64, f64::from(withdrawals)]),
        ];
        let id = self.agent_incident(symbol, Cause::UnlimitedOperation, 0.96, at, cards.len(), evidence);
        let limit = self.tuning.limits.cards_per_incident;
        if let Some(held) = self.register.get_mut(id) {
            held.relate(together, limit);
        }
        for card in cards {
            self.register.count_payment(id, card, None, false, self.now, limit);
        }
        self.attach_cards(id);
        self.absorb_cards(id);
    }

    /// Who releases and resets unlike all others?
    pub(crate) fn judge_agents(&mut self) {
        if !std::mem::take(&mut self.agents.changed) {
            return;
        }
        let rules = &self.tuning.fraud;
        let since = self.now.plus_ms(-rules.agent_hours * 3_600_000);
        let mut total = 0;
        for agent in self.agents.all.values_mut() {
            while agent.releases.front().is_some_and(|(at, _, _, _)| *at < since) {
                agent.releases.pop_front();
            }
            while agent.lifted.front().is_some_and(|(at, _)| *at < since) {
                agent.lifted.pop_front();
            }
            total += agent.releases.len() as u32;
        }
        let staff = self.agents.all.len().max(1);
        // with two at the desk one of them always has more: then only what was done counts
        let equal = Beta::around((1.0 / staff as f64).max(0.02), rules.agent_spread);
        let judged: Vec<(Symbol, f64, u32)> = self
            .agents
            .all
            .iter()
            .map(|(symbol, agent)| {
                let k = agent.releases.len() as u32;
                let chance = if staff >= 3 { equal.upper_tail(k, total) } else { 0.05 };
                (*symbol, chance, k)
            })
            .collect();
        let mut p: Vec<f64> = judged.iter().map(|(_, p, _)| *p).collect();
        let cut = benjamini_hochberg(&mut p, 0, rules.agent_q).unwrap_or(0.0);
        let least = rules.agent_releases;
        for (symbol, chance, k) in judged.into_iter().filter(|(_, _, k)| *k >= least) {
            self.judge_agent(symbol, chance, k, total, chance <= cut);
        }
    }

    fn judge_agent(&mut self, symbol: Symbol, chance: f64, k: u32, total: u32, discovered: bool) {
        let rules = &self.tuning.fraud;
        let Some(agent) = self.agents.all.get(&symbol) else { return };
        let again = agent.releases.iter().filter(|(_, _, again, _)| *again).count();
        let contact = agent.releases.iter().filter(|(_, _, _, contact)| *contact).count();
        // what was done weighs beside how much: the same cards again by the same hand, or after a changed contact, is unlike work
        let done = (again + contact) as u32;
        let work = Beta::around(rules.agent_again, rules.agent_spread);
        let odd = done >= 3 && work.upper_tail(done.min(k), k) <= rules.agent_q;
        if !(discovered || odd) {
            return;
        }
        let onset = agent.releases.front().map_or(self.now, |(at, _, _, _)| *at);
        let cards: Vec<CardId> = agent.releases.iter().map(|(_, card, _, _)| *card).collect();
        let others = f64::from(total - k) / (self.agents.all.len() as f64 - 1.0).max(1.0);
        let mut distinct = cards.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let mut evidence = vec![e::AGENT_UNLIKE_OTHERS.with(
            -chance.max(1e-30).ln(),
            [f64::from(k), f64::from(agent.actions), others / f64::from(total.max(1)), decades(chance)],
        )];
        if again > 0 {
            evidence.push(e::RELEASED_AGAIN.with(again as f64, [again as f64, distinct.len() as f64]));
        }
        if contact > 0 {
            evidence.push(e::CONTACT_CHANGED_BEFORE.with(contact as f64 * 1.5, [contact as f64]));
        }
        let confidence = if odd { 0.95 } else { 0.85 };
        let id = self.agent_incident(symbol, Cause::CounterAbuse, confidence, onset, cards.len(), evidence);
        let limit = self.tuning.limits.cards_per_incident;
        for card in cards {
            self.register.count_payment(id, card, None, false, self.now, limit);
        }
        self.attach_cards(id);
        self.absorb_cards(id);
    }

    fn agent_incident(
        &mut self,
        agent: Symbol,
        cause: Cause,
        confidence: f64,
        onset: Timestamp,
        sessions: usize,
        evidence: Vec<crate::Evidence>,
    ) -> u64 {
        let scope = Scope::Agent(agent);
        if let Some(id) = self.register.at(scope, Group::Fraud) {
            if let Some(held) = self.register.get_mut(id) {
                held.incident.last_seen = self.now;
                // withdrawals say more than releases
                if cause == Cause::UnlimitedOperation && held.incident.cause != cause {
                    held.rename(cause);
                    held.incident.second = Some(Cause::CounterAbuse);
                    held.incident.confidence = confidence as f32;
                    held.explain(evidence);
                    self.register.tell(crate::Change::Revised(id));
                } else if held.incident.cause == cause {
                    held.explain(evidence);
                }
            }
            return id;
        }
        self.open_or_reopen(Draft {
            cause,
            scope,
            group: Group::Fraud,
            family: None,
            terminal: None,
            onset,
            now: self.now,
            confidence: self.tuning.calibrated(confidence),
            second: Some(if cause == Cause::CounterAbuse {
                Cause::UnlimitedOperation
            } else {
                Cause::CounterAbuse
            }),
            status: Status::Open,
            evidence,
            sessions: sessions as u32,
            alarmed: true,
            bad: (1.0, 1.0),
        })
    }
}
