//! One connection's life by the clock, without a socket: sign on, ask for an echo when it is silent, and know when it is
//! dead.
//!
//! ```text
//!  connected ─► 0800 sign-on ─► accepted ─► up ─► silent for a while ─► 0800 echo ─► answered ─► up
//!                   └──────────── refused, or no answer in time ────────────┴─► dead
//! ```

use std::time::{Duration, Instant};

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing until then.
    Wait(Instant),
    /// Ask for an echo.
    Echo,
    /// Close: the other side does not answer.
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    SigningOn { since: Instant },
    Up,
    Echoing { since: Instant },
}

/// See the picture above.
#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    heard: Instant,
    silence: Duration,
    patience: Duration,
}

impl Session {
    /// A connection on which the sign-on leaves now.
    pub(crate) fn new(silence: Duration, patience: Duration, now: Instant) -> Self {
        Self { state: State::SigningOn { since: now }, heard: now, silence, patience }
    }

    /// May questions be sent?
    pub(crate) fn is_up(&self) -> bool {
        !matches!(self.state, State::SigningOn { .. })
    }

    /// Something came from the other side.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        if matches!(self.state, State::Echoing { .. }) {
            self.state = State::Up;
        }
    }

    /// An answer to network management came. Gives whether the session goes on.
    pub(crate) fn network(&mut self, accepted: bool) -> bool {
        match self.state {
            State::SigningOn { .. } if !accepted => false,
            State::SigningOn { .. } | State::Echoing { .. } | State::Up => {
                self.state = State::Up;
                true
            }
        }
    }

    /// Somebody doubts that the other side is there.
    pub(crate) fn doubt(&mut self) {
        if let Some(then) = self.heard.checked_sub(self.silence)
            && self.state == State::Up
        {
            self.heard = then;
        }
    }

    /// What the clock asks for.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        match self.state {
            State::SigningOn { since } | State::Echoing { since } => {
                let end = since + self.patience;
                if now >= end { Due::Dead } else { Due::Wait(end) }
            }
            State::Up => {
                let end = self.heard + self.silence;
                if now < end {
                    return Due::Wait(end);
                }
                self.state = State::Echoing { since: now };
                Due::Echo
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(60);
    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_line_is_up_after_its_sign_on_and_dead_without_one() {
        let start = Instant::now();
        let mut session = Session::new(SILENCE, PATIENCE, start);
        assert!(!session.is_up());
        assert_eq!(session.due(start), Due::Wait(start + PATIENCE));
        assert_eq!(session.due(start + PATIENCE), Due::Dead);
        assert!(session.network(true) && session.is_up());
        let mut refused = Session::new(SILENCE, PATIENCE, start);
        assert!(!refused.network(false));
    }

    #[test]
    fn silence_is_asked_about_and_then_taken_for_death() {
        let start = Instant::now();
        let mut session = Session::new(SILENCE, PATIENCE, start);
        session.network(true);
        assert_eq!(session.due(start + SILENCE), Due::Echo);
        assert!(session.is_up());
        let asked = start + SILENCE;
        assert_eq!(session.due(asked), Due::Wait(asked + PATIENCE));
        session.heard(asked + PATIENCE / 2);
        assert_eq!(session.due(asked + PATIENCE), Due::Wait(asked + PATIENCE / 2 + SILENCE));
        session.doubt();
        assert_eq!(session.due(asked + PATIENCE), Due::Echo);
        assert_eq!(session.due(asked + PATIENCE + PATIENCE), Due::Dead);
    }
}
