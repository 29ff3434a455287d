//! A keypad between the cardholder's fingers and the PIN block. What it swallows or doubles, nobody sees: the
//! display shows stars.

use model::Secret;

/// How the keys of one terminal behave. The default is a keypad without faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keypad {
    /// Presses of these do nothing.
    pub dead: Vec<char>,
    /// Every second press of these counts twice.
    pub bouncing: Vec<char>,
}

impl Keypad {
    /// What arrives when a person types `wanted`.
    #[must_use]
    pub fn enter(&self, wanted: &str) -> Secret<String> {
        let mut arrived = String::with_capacity(wanted.len() * 2);
        for (press, key) in wanted.chars().enumerate() {
            (0..self.strokes(key, press)).for_each(|_| arrived.push(key));
        }
        Secret::new(arrived)
    }

    /// How often press number `press` (from 0) of `key` registers.
    #[must_use]
    pub fn strokes(&self, key: char, press: usize) -> usize {
        if self.dead.contains(&key) {
            0
        } else if self.bouncing.contains(&key) && press % 2 == 1 {
            2
        } else {
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dead: &str, bouncing: &str, wanted: &str, arrives: &str) {
        let keypad = Keypad { dead: dead.chars().collect(), bouncing: bouncing.chars().collect() };
        assert_eq!(keypad.enter(wanted).reveal(), arrives);
    }

    #[test]
    fn keys_swallow_and_double() {
        check("", "", "147258", "147258");
        check("7", "", "147258", "14258");
        check("7", "", "777777", "");
        check("", "4", "147258", "1447258");
        check("", "4", "414141", "414141");
    }
}
