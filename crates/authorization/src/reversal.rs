//! Undoing (冲正): idempotent, remembered even without an original, and it never gives a PIN try back
//! (docs/reference/rules.md R9 to R13, P8).

use model::{Amount, Kind, ReasonCode, Rrn, Timestamp};

use crate::{
    decide::{Decision, Outcome, PinVerdict, Verdict},
    duplicate::{self, Seen},
    effect::Effect,
    request::ReversalRequest,
    settlement::Movement,
    state::{CardState, Role, Status, Trace},
};

/// Decides a reversal. It is never refused as a fact: the terminal has already given up.
#[must_use]
pub fn decide_reversal<'e>(
    state: &CardState,
    request: &ReversalRequest,
    rrn: Rrn,
    now: Timestamp,
) -> Outcome<'e> {
    if let Seen::Repeat(trace) = duplicate::reversal(state, &request.key) {
        return Outcome::Repeat { journal_seq: trace.journal_seq };
    }
    let original = state.financial(&request.original);
    let (mut effects, movement, reason) = match original {
        Some(trace) if trace.status == Status::Approved => undo(state, trace),
        Some(_) | None => (Vec::new(), Movement::default(), ReasonCode::Reversed),
    };
    effects.push(Effect::Remember {
        trace: Trace {
            key: request.key,
            role: Role::Reversal,
            digest: request.digest,
            status: Status::Approved,
            amount: request.amount,
            at: now,
            rrn,
            approval: None,
            original: Some(request.original),
            journal_seq: 0,
        },
    });
    Outcome::Decided(Decision {
        verdict: if reason == ReasonCode::Reversed {
            Verdict::Approved(crate::decide::Approval::without_pin())
        } else {
            Verdict::Declined(reason)
        },
        reason,
        pin: PinVerdict::NotAsked,
        effects,
        movement,
        forced: None,
        original: original.map(|t| t.key),
    })
}

/// The effects that take an approved transaction back.
fn undo(state: &CardState, trace: &Trace) -> (Vec<Effect>, Movement, ReasonCode) {
    let Role::Financial(kind) = trace.role else {
        return (Vec::new(), Movement::default(), ReasonCode::Reversed);
    };
    if !kind.reversible() {
        // A refund or balance inquiry is a fact; UnionPay terminals never reverse them (rules R9).
        return (Vec::new(), Movement::default(), ReasonCode::OriginalNotSuitable);
    }
    let mark = |key, status| Effect::Mark { key, status };
    let mut effects = vec![mark(trace.key, Status::Reversed)];
    let target = trace.original.and_then(|key| state.financial(&key));
    let movement = match kind {
        Kind::Sale | Kind::Cash => {
            effects.push(Effect::Post { delta: trace.amount });
            Movement::debit(trace.amount, -1)
        }
        Kind::PreAuth => {
            effects.push(Effect::Hold { delta: negative(trace.amount) });
            Movement::default()
        }
        Kind::SaleVoid => {
            effects.extend(target.map(|t| mark(t.key, Status::Approved)));
            effects.push(Effect::Post { delta: negative(trace.amount) });
            Movement::debit(trace.amount, 1)
        }
        Kind::PreAuthVoid => {
            effects.extend(target.map(|t| mark(t.key, Status::Approved)));
            effects.push(Effect::Hold { delta: trace.amount });
            Movement::default()
        }
        Kind::Completion => {
            effects.push(Effect::Post { delta: trace.amount });
            if let Some(hold) = target {
                effects.push(mark(hold.key, Status::Approved));
                effects.push(Effect::Hold { delta: hold.amount });
            }
            Movement::debit(trace.amount, -1)
        }
        Kind::CompletionVoid => {
            effects.extend(undo_completion_void(state, target, trace.amount));
            Movement::debit(trace.amount, 1)
        }
        Kind::Balance | Kind::Refund | Kind::PinChange => Movement::default(),
    };
    (effects, movement, ReasonCode::Reversed)
}

/// The completion is in force again, and its hold is used again.
fn undo_completion_void(state: &CardState, completion: Option<&Trace>, amount: Amount) -> Vec<Effect> {
    let mut effects = vec![Effect::Post { delta: negative(amount) }];
    if let Some(completion) = completion {
        effects.push(Effect::Mark { key: completion.key, status: Status::Approved });
        if let Some(hold) = completion.original.and_then(|key| state.financial(&key)) {
            effects.push(Effect::Mark { key: hold.key, status: Status::Completed });
            effects.push(Effect::Hold { delta: negative(hold.amount) });
        }
    }
    effects
}

pub(crate) fn negative(amount: Amount) -> Amount {
    Amount(-amount.0)
}
