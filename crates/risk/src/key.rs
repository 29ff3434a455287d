//! The name of a card, terminal or shop as counters and lists keep it: sixteen bytes, copied and compared at once.

use model::CardId;

/// A name of at most fifteen bytes as it is, a card's digest as it is, and of anything longer a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u128);

/// FNV-1a with 128 bits (draft-eastlake-fnv, section 5): offset basis and prime.
const FNV_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

impl Key {
    /// Of a text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let bytes = text.as_bytes();
        if bytes.len() < 16 {
            let mut packed = [0; 16];
            packed[..bytes.len()].copy_from_slice(bytes);
            packed[15] = bytes.len() as u8; // at most 15
            return Self(u128::from_le_bytes(packed));
        }
        let digest = bytes.iter().fold(FNV_BASIS, |hash, b| (hash ^ u128::from(*b)).wrapping_mul(FNV_PRIME));
        Self(digest | 0xff << 120)
    }

    /// Of a card.
    #[must_use]
    pub fn card(card: &CardId) -> Self {
        Self(u128::from_le_bytes(card.0))
    }

    /// As a number, for comparisons of what windows hold.
    pub(crate) fn number(self) -> i128 {
        self.0 as i128 // the same bits
    }

    /// Of a member of a list as people write it: 32 hexadecimal digits are a card, everything else a text.
    #[must_use]
    pub fn member(text: &str) -> Self {
        text.parse::<CardId>().map_or_else(|_| Self::text(text), |card| Self::card(&card))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_names_have_different_keys() {
        let names =
            ["", "0", "00", "62220", "622200", "622200\0", "a name that is longer than fifteen", "b name"];
        for (i, one) in names.iter().enumerate() {
            for other in &names[i + 1..] {
                assert_ne!(Key::text(one), Key::text(other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_card_is_written_in_hexadecimal() {
        let card = CardId([0x5a; 16]);
        assert_eq!(Key::member(&card.to_string()), Key::card(&card));
        assert_eq!(Key::member("T0000001"), Key::text("T0000001"));
    }
}
