//! Sandbox levers: the last two digits of an amount ask for an answer. Only in sandbox mode; in any other mode an
//! amount is an amount.

use authorization::request::Sandbox;
use model::{Amount, Kind, ResponseCode};

/// What an amount asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lever {
    /// What the decision does.
    pub(crate) decision: Option<Sandbox>,
    /// What happens to the answer.
    pub(crate) delivery: Delivery,
}

/// How an answer is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Delivery {
    /// At once.
    #[default]
    Normal,
    /// After the terminal's time-out (`.68`).
    Late,
    /// Never (`.98`).
    Lost,
}

impl Lever {
    /// Reads the lever of an amount: `.55` wrong PIN (the real counter moves), `.68` a late answer, `.98` none, every
    /// other `.01` to `.98` that response code.
    /// Codes of three digits (1993) cannot be asked for in cents.
    pub(crate) fn of(kind: Kind, amount: Amount, two_digit_codes: bool) -> Self {
        let moves_money_anew = matches!(kind, Kind::Sale | Kind::PreAuth | Kind::Cash);
        let digits = amount.0.rem_euclid(100);
        if !moves_money_anew || digits == 0 || digits == 99 {
            return Self::default();
        }
        match digits {
            55 => Self { decision: Some(Sandbox::WrongPin), delivery: Delivery::Normal },
            68 => Self { decision: None, delivery: Delivery::Late },
            98 => Self { decision: None, delivery: Delivery::Lost },
            _ if !two_digit_codes => Self::default(),
            _ => Self { decision: forced(digits), delivery: Delivery::Normal },
        }
    }
}

fn forced(digits: i64) -> Option<Sandbox> {
    let code = ResponseCode::new(&format!("{digits:02}")).ok()?;
    Some(if code.is_approval() { Sandbox::Approve(code) } else { Sandbox::Decline(code) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_ask_for_answers() {
        let lever = |minor| Lever::of(Kind::Sale, Amount(minor), true);
        assert_eq!(lever(128_000), Lever::default());
        assert_eq!(lever(155).decision, Some(Sandbox::WrongPin));
        assert_eq!(lever(151).decision, Some(Sandbox::Decline(ResponseCode::new("51").unwrap())));
        assert_eq!(lever(110).decision, Some(Sandbox::Approve(ResponseCode::new("10").unwrap())));
        assert_eq!(lever(168).delivery, Delivery::Late);
        assert_eq!(lever(198).delivery, Delivery::Lost);
        assert_eq!(Lever::of(Kind::Refund, Amount(155), true), Lever::default());
        assert_eq!(Lever::of(Kind::Sale, Amount(151), false), Lever::default());
    }
}
