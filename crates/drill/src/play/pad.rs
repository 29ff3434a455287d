//! What arrives of the digits that fingers typed, on a keypad or in a version that has the plan's fault; and how people err.

use crate::{chance::Chance, day::Mechanism};

/// What the keypad and the firmware make of the digits.
#[must_use]
pub(super) fn arrives(typed: &str, mechanism: &Mechanism, strength: f64, chance: &mut Chance) -> String {
    match mechanism {
        Mechanism::DeadKey(dead) => {
            typed.chars().filter(|key| key != dead || !chance.happens(strength)).collect()
        }
        Mechanism::BouncingKey(bouncing) => {
            let mut arrived = String::with_capacity(typed.len() + 2);
            for key in typed.chars() {
                arrived.push(key);
                if key == *bouncing && chance.happens(strength) {
                    arrived.push(key);
                }
            }
            arrived
        }
        Mechanism::SwappedRows if chance.happens(strength) => typed.chars().map(other_row).collect(),
        Mechanism::Firmware { .. } if chance.happens(strength) => {
            let lost = chance.below(typed.len());
            typed.chars().enumerate().filter(|(at, _)| *at != lost).map(|(_, key)| key).collect()
        }
        _ => typed.to_owned(),
    }
}

/// 7 8 9 above and 1 2 3 below, or the other way round.
fn other_row(key: char) -> char {
    match key {
        '1'..='3' => char::from(key as u8 + 6),
        '7'..='9' => char::from(key as u8 - 6),
        _ => key,
    }
}

/// The digits with one slip: a neighbouring key, or two digits in the wrong order.
#[must_use]
pub(super) fn slip(right: &str, chance: &mut Chance) -> String {
    let mut keys: Vec<u8> = right.bytes().collect();
    let at = chance.below(keys.len());
    if chance.happens(0.3) && at + 1 < keys.len() && keys[at] != keys[at + 1] {
        keys.swap(at, at + 1);
    } else {
        keys[at] = b'0' + (keys[at] - b'0' + 1 + chance.below(9) as u8) % 10;
    }
    keys.iter().map(|key| char::from(*key)).collect()
}

/// Other digits of the same length.
#[must_use]
pub(super) fn guess(right: &str, chance: &mut Chance) -> String {
    loop {
        let digits: String = right.chars().map(|_| char::from(b'0' + chance.below(10) as u8)).collect();
        if digits != right {
            return digits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_swallow_double_and_move() {
        let mut chance = Chance::new(1, "pad");
        assert_eq!(arrives("171717", &Mechanism::DeadKey('7'), 1.0, &mut chance), "111");
        assert_eq!(arrives("171717", &Mechanism::BouncingKey('7'), 1.0, &mut chance), "177177177");
        assert_eq!(arrives("123789", &Mechanism::SwappedRows, 1.0, &mut chance), "789123");
        assert_eq!(arrives("040506", &Mechanism::SwappedRows, 1.0, &mut chance), "040506");
        assert_eq!(arrives("123456", &Mechanism::Firmware { version: "x" }, 1.0, &mut chance).len(), 5);
        assert_eq!(arrives("123456", &Mechanism::WrongKey, 1.0, &mut chance), "123456");
        for _ in 0..100 {
            assert_ne!(slip("123456", &mut chance), "123456");
            assert_ne!(guess("1234", &mut chance), "1234");
        }
    }
}
