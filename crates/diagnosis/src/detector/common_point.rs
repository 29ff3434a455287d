//! Skimmed cards: emptied in one place, copied in another. Which?
//!
//! A copied card betrays itself when a card that was read by chip is suddenly read by stripe, at a terminal where it never was,
//! and takes cash with the right PIN. When several such cards exist, the terminals where they were before are compared with
//! where all cards were: Fisher's exact test per terminal (hypergeometric), held to a false-discovery rate over all terminals
//! (Benjamini and Hochberg 1995). The incident is the common terminal's, not the cash machine's.

use std::collections::VecDeque;

use model::{CardId, Kind, Timestamp};

use crate::{
    Cause, Diagnosis, Scope, Status, evidence as e,
    fleet::{Group, Slot},
    observation::{Entry, Payment},
    register::Draft,
    session::Outcome,
    stats::{benjamini_hochberg, decades, hypergeometric_tail},
};

/// Unusual withdrawals of late.
#[derive(Debug, Default)]
pub(crate) struct CashOuts {
    recent: VecDeque<(CardId, Timestamp, Slot)>,
}

impl Diagnosis {
    /// Withdrawals remembered, at most.
    const CASH_OUTS: usize = 512;

    /// Cash, or a card whose limits were lifted: is it part of something?
    pub(crate) fn follow_cash(&mut self, slot: Slot, payment: &Payment, outcome: Outcome) {
        if outcome != Outcome::Right || !payment.code.is_approval() {
            return;
        }
        if payment.kind == Kind::Cash {
            self.cash_after_lifting(payment);
        }
        let copied = matches!(payment.entry, Entry::Stripe | Entry::Fallback);
        let Some(card) = self.cards.get(&payment.card) else { return };
        let unusual = copied && payment.kind == Kind::Cash && card.chip && !card.right_at(slot);
        if !unusual || self.cash.recent.iter().any(|(known, _, _)| *known == payment.card) {
            return;
        }
        if self.cash.recent.len() >= Self::CASH_OUTS {
            self.cash.recent.pop_front();
        }
        self.cash.recent.push_back((payment.card, self.now, slot));
        self.look_for_common_point();
    }

    fn look_for_common_point(&mut self) {
        let rules = &self.tuning.fraud;
        let since = self.now.plus_ms(-rules.cash_hours * 3_600_000);
        while self.cash.recent.front().is_some_and(|(_, at, _)| *at < since) {
            self.cash.recent.pop_front();
        }
        let drawn = self.cash.recent.len();
        if drawn < rules.cash_cards {
            return;
        }
        let mut seen: Vec<Slot> = Vec::new();
        for (card, at, cash_at) in &self.cash.recent {
            if let Some(card) = self.cards.get(card) {
                seen.extend(
                    card.visits
                        .iter()
                        .filter(|visit| visit.at < *at && visit.terminal != *cash_at)
                        .map(|visit| visit.terminal),
                );
            }
        }
        seen.sort_unstable();
        let mut common: Vec<(Slot, usize, f64)> = seen
            .chunk_by(|a, b| a == b)
            .map(|visits| {
                let (slot, k) = (visits[0], visits.len());
                let visitors = u64::from(self.fleet[slot].visitors).max(k as u64);
                let all = (self.cards.len() as u64).max(visitors);
                (slot, k, hypergeometric_tail(k as u64, drawn as u64, visitors, all))
            })
            .collect();
        common.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
        let mut p: Vec<f64> = common.iter().map(|(_, _, p)| *p).collect();
        let others = self.fleet.len().saturating_sub(p.len());
        let Some(cut) = benjamini_hochberg(&mut p, others, rules.common_q) else { return };
        let Some((slot, k, chance)) = common.first().copied() else { return };
        let enough = k >= rules.cash_cards && k as f64 >= rules.common_share * drawn as f64;
        if chance <= cut && enough {
            self.open_common_point(slot, k, drawn, chance);
        }
    }

    fn open_common_point(&mut self, slot: Slot, k: usize, drawn: usize, chance: f64) {
        let id = match self.fleet[slot].incidents[Group::Fraud as usize] {
            0 => {
                let visitors = f64::from(self.fleet[slot].visitors);
                let onset = self.cash.recent.front().map_or(self.now, |(_, at, _)| *at);
                let hours = self.now.since_ms(onset) as f64 / 3_600_000.0;
                let draft = Draft {
                    cause: Cause::SkimCashOut,
                    scope: Scope::Terminal(self.fleet[slot].id),
                    group: Group::Fraud,
                    family: None,
                    terminal: Some(slot),
                    onset,
                    now: self.now,
                    confidence: self.tuning.calibrated(0.95),
                    second: Some(Cause::UnlimitedOperation),
                    status: Status::Open,
                    evidence: vec![
                        e::UNUSUAL_CASH.with(3.0, [drawn as f64, hours]),
                        e::COMMON_TERMINAL.with(
                            -chance.max(1e-30).ln(),
                            [
                                k as f64,
                                drawn as f64,
                                visitors / self.cards.len().max(1) as f64,
                                decades(chance),
                            ],
                        ),
                    ],
                    sessions: drawn as u32,
                    alarmed: true,
                    bad: (1.0, 1.0),
                };
                let id = self.open_or_reopen(draft);
                self.fleet[slot].incidents[Group::Fraud as usize] = id;
                id
            }
            id => id,
        };
        let limit = self.tuning.limits.cards_per_incident;
        for (card, at, _) in self.cash.recent.clone() {
            if self
                .cards
                .get(&card)
                .is_some_and(|card| card.visits.iter().any(|visit| visit.terminal == slot))
            {
                self.register.count_payment(id, card, None, false, at, limit);
            }
        }
        let recent: Vec<CardId> = self.cash.recent.iter().map(|(card, _, _)| *card).collect();
        if let Some(held) = self.register.get_mut(id) {
            held.relate(recent, limit);
        }
        self.absorb_cards(id);
    }
}
