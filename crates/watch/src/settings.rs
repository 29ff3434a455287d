//! What an operator may set about the diagnosis: `[diagnosis]`.

use serde::{Deserialize, Serialize};

/// `[diagnosis]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Is the journal followed at all?
    pub enabled: bool,
    /// So many days of the journal are read again after a start: what is older proves nothing any more.
    pub window_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true, window_days: 7 }
    }
}

impl Settings {
    /// The longest window: a card's habits are not older.
    const WINDOW_DAYS_MAX: u32 = 400;

    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        if (1..=Self::WINDOW_DAYS_MAX).contains(&self.window_days) {
            Vec::new()
        } else {
            vec![format!("diagnosis.window_days {}: 1 to {} days", self.window_days, Self::WINDOW_DAYS_MAX)]
        }
    }

    /// The window in milliseconds.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        i64::from(self.window_days) * 86_400_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_days() {
        assert!(Settings::default().problems().is_empty());
        for days in [0, 401] {
            assert_eq!(Settings { window_days: days, ..Settings::default() }.problems().len(), 1);
        }
    }
}
