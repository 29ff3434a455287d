//! How far the diagnosis is, and what it could not see.

use model::Timestamp;
use serde::Serialize;

/// Gaps that are remembered; older ones are forgotten.
pub(crate) const GAPS_KEPT: usize = 32;

/// How far the journal was followed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Progress {
    /// Entries up to this place were taken.
    pub place: u64,
    /// When the last of them was decided.
    pub at: Option<Timestamp>,
    /// Where the window begins.
    pub since: Option<Timestamp>,
    /// Entries that were taken since the start.
    pub entries: u64,
    /// How many of them showed something.
    pub observations: u64,
    /// Has it read everything that was there? From then on it follows.
    pub caught_up: bool,
    /// Milliseconds from the decision to its observation, of the newest entry that was taken; while catching up, how old that is;
    /// 0 when everything was taken.
    pub lag_ms: i64,
    /// Why it does not go on at the moment.
    pub trouble: Option<String>,
    /// It will not go on any more.
    pub stopped: bool,
    /// What it could not see, the newest last.
    pub gaps: Vec<Gap>,
}

/// A stretch of time of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// It begins.
    pub since: Timestamp,
    /// It ends.
    pub until: Timestamp,
    /// What it is.
    pub kind: GapKind,
}

/// What a gap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// Nothing was decided for long.
    Silence,
    /// The host's clock went back.
    ClockBack,
}

impl Progress {
    /// How much of the window was read, 0 to 1.
    #[must_use]
    pub fn share(&self, now: Timestamp) -> f64 {
        let (Some(since), Some(at)) = (self.since, self.at) else {
            return if self.caught_up { 1.0 } else { 0.0 };
        };
        let whole = now.since_ms(since).max(1) as f64;
        if self.caught_up { 1.0 } else { (at.since_ms(since) as f64 / whole).clamp(0.0, 1.0) }
    }

    /// In one sentence, for the engineer.
    #[must_use]
    pub fn sentence(&self, now: Timestamp) -> String {
        let what = match (&self.trouble, self.stopped, self.caught_up) {
            (Some(trouble), true, _) => format!("stopped: {trouble}"),
            (Some(trouble), false, _) => format!("waits: {trouble}"),
            (None, true, _) => "stopped".to_owned(),
            (None, false, true) => format!("follows the journal, {} ms behind", self.lag_ms.max(0)),
            (None, false, false) => format!("reads the journal again, {:.0} %", self.share(now) * 100.0),
        };
        let gaps = if self.gaps.is_empty() { String::new() } else { format!(", {} gaps", self.gaps.len()) };
        format!("{what}; {} entries, {} observations{gaps}", self.entries, self.observations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_it_is() {
        let mut progress = Progress {
            since: Some(Timestamp(0)),
            at: Some(Timestamp(250)),
            entries: 7,
            ..Progress::default()
        };
        let now = Timestamp(1000);
        assert!(progress.sentence(now).contains("25 %"), "{}", progress.sentence(now));
        progress.caught_up = true;
        progress.lag_ms = 12;
        assert!(progress.sentence(now).starts_with("follows the journal, 12 ms behind; 7 entries"));
        progress.trouble = Some("store away".to_owned());
        assert!(progress.sentence(now).starts_with("waits: store away"));
        progress.stopped = true;
        progress.gaps.push(Gap { since: Timestamp(1), until: Timestamp(2), kind: GapKind::ClockBack });
        assert!(progress.sentence(now).contains("1 gaps") && progress.sentence(now).starts_with("stopped"));
    }
}
