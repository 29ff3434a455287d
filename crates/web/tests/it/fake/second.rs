//! Effects of a second proof of identity: every change, and every way to answer.

use authorization::Effect;
use model::{Amount, Currency, Kind, Timestamp};
use stepup::{Binding, Challenge, ChallengeId, Change, Method, challenge::Answered};

pub(super) fn effects(at: Timestamp) -> Vec<Effect> {
    let id = ChallengeId([7; 16]);
    let binding = Binding {
        terminal: "T0001234".parse().expect("eight characters"),
        kind: Kind::Sale,
        amount: Amount(7_500),
        currency: Currency::CNY,
    };
    let (until, valid_s) = (at.plus_s(300), 300);
    let issued = Challenge { id, binding, since: at, until, valid_s, code: None, wrong: 0, answered: None };
    let answered = [Method::Sms, Method::Totp, Method::Passkey].map(|by| Change::Answered {
        id,
        answered: Answered { by, until },
        totp_step: None,
    });
    [Change::Issued(issued), Change::Wrong { id, at }, Change::Used { id }]
        .into_iter()
        .chain(answered)
        .map(|change| Effect::StepUp { change: Box::new(change) })
        .collect()
}
