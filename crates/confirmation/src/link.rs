//! The part of a link that is no address: card, challenge, and a tag over both.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use model::CardId;
use stepup::{ChallengeId, CodeKey};

/// What the tag is for.
const PURPOSE: &str = "pinward step-up link 1";
const PART: usize = 16;

/// Writes it.
pub(crate) fn make(key: &CodeKey, card: CardId, challenge: ChallengeId) -> String {
    let tag = key.tag(PURPOSE, &[&card.0, &challenge.0]);
    BASE64.encode([card.0, challenge.0, tag].concat())
}

/// Reads it; `None` if it is none of ours.
pub(crate) fn read(key: &CodeKey, token: &str) -> Option<(CardId, ChallengeId)> {
    let bytes: [u8; 3 * PART] = BASE64.decode(token).ok()?.try_into().ok()?;
    let part = |n: usize| -> Option<[u8; PART]> { bytes.get(n * PART..(n + 1) * PART)?.try_into().ok() };
    let (card, challenge) = (CardId(part(0)?), ChallengeId(part(1)?));
    key.is_tag(PURPOSE, &[&card.0, &challenge.0], &part(2)?).then_some((card, challenge))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_by_the_store_that_made_it_and_only_as_it_was() {
        let (key, card, challenge) = (CodeKey::new(b"one"), CardId([3; 16]), ChallengeId([4; 16]));
        let token = make(&key, card, challenge);
        assert_eq!(token.len(), 64);
        assert_eq!(read(&key, &token), Some((card, challenge)));
        assert_eq!(read(&CodeKey::new(b"two"), &token), None);
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(&key, std::str::from_utf8(&other).unwrap()), None, "{at}");
        }
        assert_eq!(read(&key, ""), None);
        assert_eq!(read(&key, &token[..60]), None);
    }
}
