//! Keyed hashes and sealing at rest.
//!
//! A card is named by the first 128 bits of HMAC-SHA256 over its number. What may hold a number is sealed with
//! AES-256-GCM under a key of this run of the program: HMAC-SHA256(sealing key, purpose ‖ 16 random bytes), where the
//! random bytes are drawn once, at start, and stand in front of each value. The nonce is a count of the values sealed in
//! this run (NIST SP 800-38D, 8.2.1), so no nonce is used twice under a key, whatever becomes of the value: a journal place
//! as nonce would be, when a transaction is rolled back. Random nonces would end at 2^32 messages (8.3).

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{AeadInOut, KeyInit},
};
use hmac::{Hmac, Mac};
use model::{CardId, Pan};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::store_key::{KEY_LEN, StoreKey};

const SALT_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// What a sealed value is for; one purpose cannot be opened as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Purpose {
    /// The answer in a journal entry, bound to subject and number of the entry.
    Reply = 1,
    /// A card number, bound to the card's id.
    Pan = 2,
    /// A PIN reference, bound to the card's id.
    Reference = 3,
    /// A secret in a fact of the book, bound to what it belongs to.
    Fact = 4,
}

/// All of them, in their order.
const PURPOSES: [Purpose; 4] = [Purpose::Reply, Purpose::Pan, Purpose::Reference, Purpose::Fact];

/// The value is damaged, was moved from elsewhere, or belongs to another store's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open: damaged, moved, or sealed under another key")]
pub(crate) struct SealError;

/// The store's key at work.
pub(crate) struct Sealer {
    hash: Hmac<Sha256>,
    sealing: Hmac<Sha256>,
    /// Drawn with the first value that is sealed: a store that is only read needs no randomness.
    run: OnceLock<Run>,
}

/// What seals the values of this run of the program.
struct Run {
    salt: [u8; SALT_LEN],
    ciphers: [Aes256Gcm; PURPOSES.len()],
    /// Values sealed so far.
    count: AtomicU64,
}

impl Sealer {
    pub(crate) fn new(key: &StoreKey) -> Self {
        let (hash, sealing) = key.split_at(KEY_LEN / 2);
        Self { hash: keyed(hash), sealing: keyed(sealing), run: OnceLock::new() }
    }

    /// The card's name inside pinward.
    pub(crate) fn card_id(&self, pan: &Pan) -> CardId {
        let mac = mac(&self.hash, &[b"card", pan.reveal().as_bytes()]);
        CardId(first(&*mac))
    }

    /// A digest that tells a repeat from another message. Each part is preceded by its length, so that moving a
    /// byte from one part to the next gives another digest.
    pub(crate) fn digest(&self, contents: &[&[u8]]) -> u64 {
        let mut state = self.hash.clone();
        state.update(b"digest");
        for part in contents {
            state.update(&(part.len() as u64).to_be_bytes());
            state.update(part);
        }
        u64::from_be_bytes(first(&state.finalize().into_bytes()))
    }

    /// Eight bytes that tell whether a store was written under this key.
    pub(crate) fn check_value(&self) -> [u8; 8] {
        first(&*mac(&self.sealing, &[b"check value"]))
    }

    /// Seals `clear` for a purpose, bound to `owner`: salt ‖ nonce ‖ ciphertext ‖ tag.
    pub(crate) fn seal(&self, purpose: Purpose, owner: &[u8], clear: &[u8]) -> Result<Vec<u8>, SealError> {
        let run = self.run()?;
        // 2^64 values take longer than any machine lasts; the other four bytes stay zero.
        let mut nonce = [0; NONCE_LEN];
        nonce[NONCE_LEN - 8..].copy_from_slice(&run.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mut sealed = Vec::with_capacity(SALT_LEN + NONCE_LEN + clear.len() + TAG_LEN);
        sealed.extend_from_slice(&run.salt);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(clear);
        let tag = run.ciphers[purpose as usize - 1]
            .encrypt_inout_detached(
                &Nonce::from(nonce),
                &bound(purpose, owner),
                (&mut sealed[SALT_LEN + NONCE_LEN..]).into(),
            )
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    fn run(&self) -> Result<&Run, SealError> {
        if let Some(run) = self.run.get() {
            return Ok(run);
        }
        let mut salt = [0; SALT_LEN];
        getrandom::fill(&mut salt).map_err(|_| SealError)?;
        let ciphers = PURPOSES.map(|purpose| self.cipher(purpose, &salt));
        // Whoever comes second uses what the first has drawn.
        Ok(self.run.get_or_init(|| Run { salt, ciphers, count: AtomicU64::new(0) }))
    }

    /// Opens what [`seal`](Self::seal) made for the same purpose and owner.
    pub(crate) fn open(&self, purpose: Purpose, owner: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let Some((head, text)) = sealed.split_at_checked(SALT_LEN + NONCE_LEN) else { return Err(SealError) };
        let (salt, nonce) = head.split_at(SALT_LEN);
        let mut text = text.to_vec();
        self.cipher(purpose, salt)
            .decrypt_in_place(&Nonce::from(first::<NONCE_LEN>(nonce)), &bound(purpose, owner), &mut text)
            .map_err(|_| SealError)?;
        Ok(text)
    }

    /// The cipher of a purpose in the run with this salt.
    fn cipher(&self, purpose: Purpose, salt: &[u8]) -> Aes256Gcm {
        Aes256Gcm::new(&(*mac(&self.sealing, &[&[purpose as u8], salt])).into())
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn mac(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut state = keyed.clone();
    parts.iter().for_each(|part| state.update(part));
    Zeroizing::new(state.finalize().into_bytes().into())
}

fn bound(purpose: Purpose, owner: &[u8]) -> Vec<u8> {
    [&[purpose as u8], owner].concat()
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut start = [0; N];
    start.copy_from_slice(&bytes[..N]);
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&Zeroizing::new([byte; KEY_LEN]))
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_purpose_owner_and_key() {
        let sealed = sealer(1).seal(Purpose::Reply, b"card 7", b"0210").unwrap();
        assert_eq!(sealer(1).open(Purpose::Reply, b"card 7", &sealed).unwrap(), b"0210");
        assert!(sealer(1).open(Purpose::Pan, b"card 7", &sealed).is_err());
        assert!(sealer(1).open(Purpose::Fact, b"card 7", &sealed).is_err());
        assert!(sealer(1).open(Purpose::Reply, b"card 8", &sealed).is_err());
        assert!(sealer(2).open(Purpose::Reply, b"card 7", &sealed).is_err());
        assert!(sealer(1).open(Purpose::Reply, b"card 7", &sealed[..20]).is_err());
        assert!(sealer(1).open(Purpose::Reply, b"card 7", &sealed[..30]).is_err());
    }

    #[test]
    fn the_same_value_is_never_sealed_the_same_way() {
        let seal = || sealer(1).seal(Purpose::Pan, b"", b"6216261000000000018").unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn a_digest_knows_where_its_parts_end() {
        assert_ne!(sealer(1).digest(&[b"ab", b"c"]), sealer(1).digest(&[b"a", b"bc"]));
        assert_ne!(sealer(1).digest(&[b"ab", b"c"]), sealer(2).digest(&[b"ab", b"c"]));
        assert_eq!(sealer(1).digest(&[b"ab", b"c"]), sealer(1).digest(&[b"ab", b"c"]));
    }
}
