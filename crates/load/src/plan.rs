//! What a run shall do: how many connections, how deep, how fast, for how long, and what shall go wrong on the way.

use std::str::FromStr;
use std::time::Duration;

use model::Amount;

/// The most requests under way on one connection; a host has a limit of its own, and leaves the rest unread.
pub const DEPTH_MAX: usize = 512;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// TCP connections, each in the name of one terminal.
    pub connections: usize,
    /// Requests under way per connection at most; in a closed loop always so many.
    pub depth: usize,
    /// Requests a second over all connections (open loop); `None`: each answer is followed by the next request (closed loop).
    pub rate: Option<f64>,
    /// How long is measured.
    pub time: Duration,
    /// Before that: the same load, not measured.
    pub warm_up: Duration,
    /// Threads that share the connections.
    pub threads: usize,
    /// What goes wrong.
    pub mix: Mix,
    /// Is the MAC of each approval verified?
    pub check_macs: bool,
    /// What each payment costs. In a sandbox its last two digits are a lever unless they are 00.
    pub amount: Amount,
    /// A reply later than this is none.
    pub reply_timeout: Duration,
    /// Of the draws: which card pays, what goes wrong.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            connections: 8,
            depth: 1,
            rate: None,
            time: Duration::from_secs(10),
            warm_up: Duration::ZERO,
            threads: 1,
            mix: Mix::default(),
            check_macs: false,
            amount: Amount(2_000),
            reply_timeout: Duration::from_secs(15),
            seed: 1,
        }
    }
}

/// Shares of the payments with which something is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mix {
    /// A wrong PIN, on a card that then pays with the right one, so that its counter starts again.
    pub wrong_pin: f64,
    /// The same bytes once more after their answer; the same bytes must come back.
    pub repeats: f64,
    /// The connection is cut when the request has left; what was under way is repeated or reversed on a new one.
    pub cut: f64,
}

/// A mix that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// Not one of the three names.
    #[error("there is no {0:?} to mix in: known are wrong-pin, repeats and cut")]
    Unknown(String),
    /// Not a share.
    #[error("{0:?} is no share: 0.02 and 2% are")]
    Share(String),
}

impl Mix {
    /// Must what was sent be kept, to be sent again?
    pub(crate) fn sends_again(&self) -> bool {
        self.repeats > 0.0 || self.cut > 0.0
    }
}

impl FromStr for Mix {
    type Err = MixError;

    /// `wrong-pin=0.02,repeats=5%,cut=0.001`; what is not named does not happen.
    fn from_str(text: &str) -> Result<Mix, MixError> {
        let mut mix = Mix::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| MixError::Share(part.to_owned()))?;
            let place = match name.trim() {
                "wrong-pin" => &mut mix.wrong_pin,
                "repeats" => &mut mix.repeats,
                "cut" => &mut mix.cut,
                other => return Err(MixError::Unknown(other.to_owned())),
            };
            *place = share(value.trim()).ok_or_else(|| MixError::Share(value.trim().to_owned()))?;
        }
        Ok(mix)
    }
}

fn share(text: &str) -> Option<f64> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_names_what_goes_wrong_and_how_often() {
        let mix: Mix = "wrong-pin=0.02, repeats=5%".parse().unwrap();
        assert_eq!(mix, Mix { wrong_pin: 0.02, repeats: 0.05, cut: 0.0 });
        assert_eq!("".parse(), Ok(Mix::default()));
    }

    #[test]
    fn what_is_no_mix_is_refused_by_name() {
        let refused = |text: &str| text.parse::<Mix>().unwrap_err().to_string();
        assert!(refused("lost=1").contains("wrong-pin, repeats and cut"));
        for text in ["cut", "cut=", "cut=-1", "cut=1.1", "cut=101%", "cut=NaN"] {
            assert!(refused(text).contains("is no share"), "{text}");
        }
    }
}
