//! The circuit breaker: a live rule that declines too large a share of all payments is put into shadow, because a mistaken
//! rule does more harm than the attack that it was written for. That is reported, and somebody has to put it back.

use std::collections::VecDeque;

use model::Timestamp;

/// When a rule has declined too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// More than so many in a hundred of the payments of the window.
    pub share_percent: u32,
    /// The window.
    pub window_ms: i64,
    /// With fewer payments than these in the window, nobody can tell.
    pub events_min: u64,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { share_percent: 10, window_ms: 600_000, events_min: 500 }
    }
}

/// A tenth of the window at a time is forgotten.
const PARTS: i64 = 10;

#[derive(Debug)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    rules: usize,
    parts: VecDeque<Part>,
}

#[derive(Debug)]
struct Part {
    begin: i64,
    events: u64,
    declined: Vec<u64>,
}

/// How much a rule declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    pub(crate) rule: usize,
    pub(crate) declined: u64,
    pub(crate) events: u64,
}

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy, rules: usize) -> Self {
        Self { policy, rules, parts: VecDeque::new() }
    }

    /// Counts a payment and the rules that declined it; says which of these declined too much.
    pub(crate) fn note(&mut self, now: Timestamp, declined: &[usize]) -> Vec<TooMuch> {
        self.turn(now.0);
        if let Some(part) = self.parts.back_mut() {
            part.events += 1;
            for rule in declined {
                if let Some(count) = part.declined.get_mut(*rule) {
                    *count += 1;
                }
            }
        }
        let events: u64 = self.parts.iter().map(|part| part.events).sum();
        if declined.is_empty() || events < self.policy.events_min {
            return Vec::new();
        }
        let of = |rule: usize| self.parts.iter().filter_map(|part| part.declined.get(rule)).sum::<u64>();
        declined
            .iter()
            .map(|rule| TooMuch { rule: *rule, declined: of(*rule), events })
            .filter(|much| much.declined * 100 > events * u64::from(self.policy.share_percent))
            .collect()
    }

    /// Begins a part when the last one is full, and forgets those that have left the window.
    fn turn(&mut self, now: i64) {
        let length = (self.policy.window_ms / PARTS).max(1);
        if self.parts.back().is_none_or(|part| now >= part.begin.saturating_add(length)) {
            self.parts.push_back(Part { begin: now, events: 0, declined: vec![0; self.rules] });
        }
        let oldest = now.saturating_sub(self.policy.window_ms);
        while self.parts.len() > 1 && self.parts.front().is_some_and(|part| part.begin <= oldest) {
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy { share_percent: 10, window_ms: 1000, events_min: 20 };

    #[test]
    fn a_rule_that_declines_more_than_its_share_is_named() {
        let mut breaker = Breaker::new(POLICY, 2);
        let mut named = Vec::new();
        for payment in 0..100 {
            // every eighth: more than ten in a hundred
            let declined = if payment % 8 == 7 { vec![1] } else { vec![] };
            named.extend(breaker.note(Timestamp(payment), &declined));
        }
        assert_eq!(named.first(), Some(&TooMuch { rule: 1, declined: 3, events: 24 }));
        assert!(named.iter().all(|much| much.rule == 1));
    }

    #[test]
    fn few_payments_and_old_declines_prove_nothing() {
        let mut breaker = Breaker::new(POLICY, 1);
        for payment in 0..19 {
            assert!(breaker.note(Timestamp(payment), &[0]).is_empty());
        }
        for payment in 0..100 {
            assert!(breaker.note(Timestamp(5000 + payment), &[]).is_empty());
        }
        assert!(breaker.note(Timestamp(5100), &[0]).is_empty());
    }
}
