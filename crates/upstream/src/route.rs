//! Which card goes where: the beginning of its number decides, the longest that fits wins (ISO/IEC 7812-1: issuer
//! identification numbers are such beginnings).

use model::Pan;

/// Beginnings of card numbers, each with the number of its route.
#[derive(Debug, Clone, Default)]
pub struct Bins {
    ranges: Vec<Range>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    from: String,
    to: String,
    route: usize,
}

/// The number of a route in the order of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(pub(crate) usize);

/// Longest beginning that is accepted; the rest of a number tells cards apart, not issuers.
const LONGEST: usize = 11;

impl Bins {
    /// Adds a route's beginnings.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn add(&mut self, route: usize, bins: &[String]) -> Result<(), String> {
        for text in bins {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            let is_number = |part: &str| {
                (1..=LONGEST).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
            };
            if !is_number(from) || from.len() != to.len() || !is_number(to) || from > to {
                return Err(format!(
                    "bin {text:?}: expected 1 to {LONGEST} digits, or two of the same length joined by \"-\""
                ));
            }
            let range = Range { from: from.to_owned(), to: to.to_owned(), route };
            let clash = self.ranges.iter().find(|other| {
                other.from.len() == range.from.len() && other.from <= range.to && range.from <= other.to
            });
            if let Some(other) = clash {
                return Err(format!("bin {text:?} overlaps with \"{}-{}\"", other.from, other.to));
            }
            self.ranges.push(range);
        }
        Ok(())
    }

    /// The route of a card.
    #[must_use]
    pub fn find(&self, pan: &Pan) -> Option<Route> {
        let digits = pan.reveal();
        let fits = |range: &&Range| {
            digits.get(..range.from.len()).is_some_and(|start| *range.from <= *start && *start <= *range.to)
        };
        let longest = self.ranges.iter().filter(fits).max_by_key(|range| range.from.len());
        longest.map(|range| Route(range.route))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(routes: &[&[&str]]) -> Result<Bins, String> {
        let mut bins = Bins::default();
        for (route, list) in routes.iter().enumerate() {
            bins.add(route, &list.iter().map(|bin| (*bin).to_owned()).collect::<Vec<_>>())?;
        }
        Ok(bins)
    }

    #[test]
    fn the_longest_beginning_wins() {
        let bins = bins(&[&["95", "970000-979999"], &["9555", "9750"], &["9"]]).unwrap();
        for (pan, route) in [
            ("9500000000000001", 0),
            ("9555000000000001", 1),
            ("9750000000000001", 0), // six digits of the range are longer than four
            ("9800000000000001", 2),
        ] {
            assert_eq!(bins.find(&pan.parse().unwrap()), Some(Route(route)), "{pan}");
        }
        assert_eq!(bins.find(&"8800000000000001".parse().unwrap()), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in ["", "9a", "95-9", "96-95", "123456789012", "-"] {
            assert!(bins(&[&[bad]]).is_err(), "{bad:?}");
        }
        assert!(bins(&[&["95"], &["95"]]).unwrap_err().contains("overlaps"));
        assert!(bins(&[&["95-97"], &["96"]]).is_err());
    }
}
