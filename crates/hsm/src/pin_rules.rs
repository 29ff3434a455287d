//! Is this a PIN that a thief would try first? Rules and a list (`policy/guessable-pins.toml`) over digits, from values to
//! values; they are asked inside the security module only, because only there is a PIN clear.
//!
//! Of a thief's few guesses most go to dates, years, repeats, runs, ways over the keypad, and to what stands on other papers in
//! the wallet (Bonneau, Preibusch and Anderson, FC 2012). All rules are looked at whatever the first one says, and the caller
//! learns one answer: which rule it was would tell about the digits.

use std::sync::LazyLock;

use model::{HolderDigits, PinRules};
use serde::Deserialize;

/// A part of the holder's numbers that is shorter stands in many PINs by chance.
const OWN_PART_MIN: usize = 6;
/// A PIN has at least so many digits (ISO 9564-1:2017, 8.1), so nothing shorter is looked for.
const PIN_MIN: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    walks: Vec<String>,
    whole: Vec<String>,
}

struct Known {
    walks: Vec<Vec<u8>>,
    whole: Vec<Vec<u8>>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let file = toml::from_str(include_str!("../policy/guessable-pins.toml"));
    let file: File = file.unwrap_or(File { walks: Vec::new(), whole: Vec::new() });
    let digits = |texts: Vec<String>| texts.iter().map(|text| values(text)).collect();
    Known { walks: digits(file.walks), whole: digits(file.whole) }
});

fn values(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
}

/// May these digits be a new PIN? `pan` and `holder` are the numbers of the card and of its holder.
#[must_use]
pub fn allows(rules: &PinRules, pin: &[u8], pan: &[u8], holder: &HolderDigits) -> bool {
    let length = (usize::from(rules.length_min)..=usize::from(rules.length_max)).contains(&pin.len());
    let guessable = is_pattern(pin) | is_date(pin) | is_known(pin) | is_own(pin, pan, holder);
    length & !(rules.refuse_guessable & guessable)
}

/// Repeats (1212), runs with any step (1234, 8642), mirrors (2332) and groups (1122, 555777).
fn is_pattern(pin: &[u8]) -> bool {
    let half = pin.len() / 2;
    let repeats = (1..=half).any(|period| pin.iter().zip(&pin[period..]).all(|(a, b)| a == b));
    let step = |pair: &[u8]| (pair[1] + 10 - pair[0]) % 10;
    let run = pin.windows(2).all(|pair| step(pair) == step(pin));
    let mirror = pin.iter().eq(pin.iter().rev());
    let groups = pin.chunk_by(|a, b| a == b).all(|group| group.len() > 1);
    repeats | run | mirror | groups
}

/// Every date that a calendar has, in every order that people write it in, and years from 1900 to 2099.
fn is_date(pin: &[u8]) -> bool {
    let n = |from: usize, to: usize| pin[from..to].iter().fold(0_u16, |n, d| n * 10 + u16::from(*d));
    let day_of = |m: u16, d: u16| (1..=12).contains(&m) && (1..=days(m)).contains(&d);
    let year = |y: u16| (1900..2100).contains(&y);
    match pin.len() {
        4 => year(n(0, 4)) | day_of(n(0, 2), n(2, 4)) | day_of(n(2, 4), n(0, 2)),
        6 => {
            day_of(n(2, 4), n(4, 6))
                | day_of(n(0, 2), n(2, 4))
                | day_of(n(2, 4), n(0, 2))
                | (year(n(0, 4)) && (1..=12).contains(&n(4, 6)))
                | (year(n(2, 6)) && (1..=12).contains(&n(0, 2)))
        }
        8.. => pin.windows(8).any(|day| {
            let n = |from: usize, to: usize| day[from..to].iter().fold(0_u16, |n, d| n * 10 + u16::from(*d));
            (year(n(0, 4)) && day_of(n(4, 6), n(6, 8)))
                | (year(n(4, 8)) && (day_of(n(0, 2), n(2, 4)) | day_of(n(2, 4), n(0, 2))))
        }),
        _ => false,
    }
}

/// The longest that a month can be.
fn days(month: u16) -> u16 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_known(pin: &[u8]) -> bool {
    let walk = KNOWN.walks.iter().any(|walk| contains_either_way(walk, pin));
    walk | KNOWN.whole.iter().any(|whole| whole == pin)
}

/// A part of the card's number, of the telephone number or of the identity document, in either direction; or the date of birth,
/// whole or in part, in any order.
fn is_own(pin: &[u8], pan: &[u8], holder: &HolderDigits) -> bool {
    let numbers = [pan, holder.phone.expose_digits(), holder.id_tail.expose_digits()];
    let number = numbers.iter().any(|number| is_part(pin, number));
    number | birth_dates(holder.birth_date.expose_digits()).iter().any(|date| is_part(pin, date))
}

/// The PIN is a part of the number; or the number, if it is not too short to mean anything, is a part of the PIN.
fn is_part(pin: &[u8], number: &[u8]) -> bool {
    let inside = number.len() >= OWN_PART_MIN && contains_either_way(pin, number);
    contains_either_way(number, pin) | inside
}

/// Year (of four or two digits), month and day of YYYYMMDD: two or three of them, in every order.
fn birth_dates(birth: &[u8]) -> Vec<Vec<u8>> {
    if birth.len() != 8 {
        return Vec::new();
    }
    let (month, day) = (&birth[4..6], &birth[6..8]);
    let mut dates = Vec::new();
    for year in [&birth[..4], &birth[2..4]] {
        let parts: [&[u8]; 3] = [year, month, day];
        for a in 0..3 {
            dates.push(parts[a].to_vec());
            for b in (0..3).filter(|b| *b != a) {
                dates.push([parts[a], parts[b]].concat());
                dates.push([parts[a], parts[b], parts[3 - a - b]].concat());
            }
        }
    }
    dates.retain(|date| date.len() >= PIN_MIN);
    dates
}

fn contains_either_way(within: &[u8], part: &[u8]) -> bool {
    let backwards: Vec<u8> = part.iter().rev().copied().collect();
    let found = |part: &[u8]| !part.is_empty() && within.windows(part.len()).any(|window| window == part);
    found(part) | found(&backwards)
}

#[cfg(test)]
mod tests {
    use model::{NOBODY, PersonalDigits};

    use super::*;

    const RULES: PinRules = PinRules { length_min: 4, length_max: 12, refuse_guessable: true, history: 0 };

    fn holder() -> HolderDigits {
        HolderDigits {
            birth_date: PersonalDigits::of("1987-03-26"),
            phone: PersonalDigits::of("13800138427"),
            id_tail: PersonalDigits::of("70315829"),
        }
    }

    #[track_caller]
    fn check(pins: &[&str], allowed: bool) {
        let pan = values("9100019990473186");
        for pin in pins {
            assert_eq!(allows(&RULES, &values(pin), &pan, &holder()), allowed, "{pin}");
        }
    }

    #[test]
    fn what_a_thief_tries_first_is_refused() {
        check(
            &["1111", "1212", "1234", "9876", "2468", "0369", "2332", "1122", "555777", "123123", "121212"],
            false,
        );
        check(&["1987", "2024", "0326", "2603", "870326", "260387", "032687", "198703", "19870326"], false);
        check(&["2580", "0852", "147258", "963852", "5201314", "1314"], false);
    }

    #[test]
    fn the_holders_own_numbers_are_refused_and_only_to_this_holder() {
        check(&["8427", "7248", "013842", "5829", "703158", "0473", "6813", "2687", "8726", "261987"], false);
        let stranger =
            |pin: &str| allows(&RULES, &values(pin), &values("9100010000000003"), &HolderDigits::default());
        assert!(["8427", "5829", "0473", "8726", "703158"].into_iter().all(stranger));
    }

    #[test]
    fn other_pins_are_allowed_and_lengths_hold() {
        check(&["7294", "8068", "4071", "738295", "906174", "60593817", "730482916473"], true);
        let six = PinRules { length_min: 6, length_max: 6, ..RULES };
        let fits = |pin: &str| allows(&six, &values(pin), &[], &HolderDigits::default());
        assert!(fits("738295") && !fits("73829") && !fits("7382951"));
        assert!(allows(&PinRules::ANY, &values("1111"), &[], &HolderDigits::default()));
    }

    /// A list is worth something at about a tenth of the space (Markert and others), and must leave enough to choose from.
    #[test]
    fn about_a_tenth_is_refused() {
        let share = |length: usize, of: usize, step: usize| {
            let refused = |n: &usize| !allows(&RULES, &values(&format!("{n:0length$}")), &[], &NOBODY);
            (0..of).step_by(step).filter(refused).count() * 100 * step / of
        };
        let (four, six) = (share(4, 10_000, 1), share(6, 1_000_000, 101));
        assert!((8..=14).contains(&four) && (6..=14).contains(&six), "{four} %, {six} %");
    }

    #[test]
    fn the_list_is_read() {
        assert!(KNOWN.walks.len() > 10 && KNOWN.whole.iter().all(|pin| (4..=12).contains(&pin.len())));
    }
}
