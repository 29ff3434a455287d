//! How far long work is: one line on standard error that is drawn over, at most ten times a second; nothing when nobody looks.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// A bar with count and remaining time.
pub(crate) struct Progress {
    total: u64,
    done: u64,
    began: Instant,
    drawn: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(crate) fn of(total: u64) -> Self {
        let shown = std::io::stderr().is_terminal();
        Self { total, done: 0, began: Instant::now(), drawn: None, shown }
    }

    pub(crate) fn advance(&mut self, by: u64) {
        self.done += by;
        let due = self.drawn.is_none_or(|at| at.elapsed() >= EVERY);
        if self.shown && due {
            self.drawn = Some(Instant::now());
            let _ = write!(std::io::stderr(), "\r{}", self.line());
        }
    }

    fn line(&self) -> String {
        let (done, total) = (self.done.min(self.total), self.total.max(1));
        let filled = usize::try_from(done * WIDTH / total).unwrap_or_default();
        let left = self.began.elapsed().as_secs_f64() * (total - done) as f64 / done.max(1) as f64;
        format!("[{:<30}] {done}/{total}, {left:.0} s left   ", "#".repeat(filled))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown && self.drawn.is_some() {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
