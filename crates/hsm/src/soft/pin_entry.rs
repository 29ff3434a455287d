//! A PIN that is typed on the holder's own page: encrypted there, opened here and nowhere between.
//!
//! ```text
//!  page                          host, console              module
//!   │ ◄── id, ephemeral key, signature of the long-term key ── open    (bound to one card, used once)
//!   │ checks the signature
//!   │ own ephemeral key, ECDH P-256 (SP 800-56A), HKDF-SHA-256 (RFC 5869)
//!   │ the PIN as a plain text field of ISO 9564-1:2017 9.4.2.1, under AES-256-GCM; for a change the present one before it
//!   │ ── id, own public key, cipher text ────────────────────► set     rules, then a reference
//! ```
//!
//! What this does not do is protect from whoever changes the page: see docs/concepts/pin-reset.md.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use model::{CardId, PinReference, Unverifiable};
use paycrypto::{key_block::ProtectionKey, mac::cmac, pin::Pin};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    hkdf::{HKDF_SHA256, Salt},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use zeroize::Zeroizing;

use super::{MasterKey, PanOfPin, ReferenceMethod, SoftModule};
use crate::module::{ModuleError, PinEntry, SetPin, SetPinRefused};

/// What is signed, and what the channel's key is derived for, begins so.
pub(super) const CONTEXT: &[u8] = b"pinward pin entry v1";
/// Entries that wait for their PIN; the oldest is forgotten for one more.
const OPEN_MAX: usize = 1024;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Control nibble of the plain text PIN field (ISO 9564-1:2017, 9.4.2.1), its fill, and its length with 8 random bytes.
const CONTROL: u8 = 4;
const FILL: u8 = 0xA;
const FIELD_LEN: usize = 16;

/// A card's PIN is entered at most so often in the life of the module: whoever is inside and wants to try all PINs against a stored
/// reference needs thousands (Berkman and Ostrovsky, 2007).
const OF_CARD_MAX: u8 = 50;
/// And of at most so many cards.
const CARDS_MAX: usize = 100_000;

/// Entries that were begun.
#[derive(Default)]
pub(super) struct Entries {
    open: Mutex<VecDeque<Open>>,
    used: Mutex<HashMap<CardId, u8>>,
}

struct Open {
    id: [u8; 16],
    card: CardId,
    private: EphemeralPrivateKey,
    public: [u8; 65],
}

impl Entries {
    fn add(&self, open: Open) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.card != open.card);
        if all.len() >= OPEN_MAX {
            all.pop_front();
        }
        all.push_back(open);
    }

    /// Takes it: whatever comes of it, it is used.
    fn take(&self, id: &[u8; 16], card: &CardId) -> Option<Open> {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|open| open.id == *id && open.card == *card)?;
        all.remove(at)
    }

    /// Counts a use of a card's entries; `false` when there were too many.
    fn count(&self, card: &CardId) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= CARDS_MAX && !used.contains_key(card) {
            return false;
        }
        let count = used.entry(*card).or_default();
        *count = count.saturating_add(1);
        *count <= OF_CARD_MAX
    }
}

impl SoftModule {
    pub(super) fn begin_entry(&self, card: &CardId) -> Result<PinEntry, ModuleError> {
        let away = |_| ModuleError::Away("no randomness".to_owned());
        let random = SystemRandom::new();
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|e| ModuleError::Away(format!("no randomness: {e}")))?;
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(away)?;
        let computed = private.compute_public_key().map_err(away)?;
        let public: [u8; 65] = computed
            .as_ref()
            .try_into()
            .map_err(|_| ModuleError::Unsupported("a point of P-256 has 65 bytes".to_owned()))?;
        let signer = signer(&self.master)?;
        let signature = signer.sign(&signed(&id, &public));
        let entry = PinEntry {
            id,
            key: public.to_vec(),
            signature: signature.as_ref().to_vec(),
            signer: signer.public_key().as_ref().to_vec(),
        };
        self.entries.add(Open { id, card: *card, private, public });
        Ok(entry)
    }

    pub(super) fn end_entry(&self, request: &SetPin<'_>) -> Result<PinReference, SetPinRefused> {
        let fault = |e: &ModuleError| SetPinRefused::Unreadable(Unverifiable::from(e));
        let pan = PanOfPin::new(request.pan).map_err(|e| fault(&e))?;
        let open = self.entries.take(&request.entry, &request.card).ok_or(SetPinRefused::NoSuchEntry)?;
        if !self.entries.count(&request.card) {
            return Err(SetPinRefused::Unreadable(Unverifiable::ModuleUnavailable));
        }
        let [pin] = opened(open, request.key, request.sealed).ok_or(SetPinRefused::NoSuchEntry)?;
        if !self.allows(&request.rules, &pin, &pan) {
            return Err(SetPinRefused::NewPinRefused);
        }
        let method = ReferenceMethod::of(request.like);
        self.make_reference(&method, &pin, &pan.account).map_err(|e| fault(&e))
    }
}

impl SoftModule {
    /// The present PIN and the new one.
    pub(super) fn entered(&self, request: &SetPin<'_>) -> Result<[Pin; 2], Unverifiable> {
        let open = self.entries.take(&request.entry, &request.card).ok_or(Unverifiable::PinBlockFormat)?;
        if !self.entries.count(&request.card) {
            return Err(Unverifiable::ModuleUnavailable);
        }
        opened(open, request.key, request.sealed).ok_or(Unverifiable::PinBlockFormat)
    }
}

fn signed(id: &[u8; 16], key: &[u8; 65]) -> Vec<u8> {
    [CONTEXT, id, key].concat()
}

/// The module's long-term key, derived from its master key (NIST SP 800-108, CMAC in counter mode): the same on every host with
/// the same keys, and kept nowhere.
fn signer(master: &MasterKey) -> Result<Ed25519KeyPair, ModuleError> {
    let ProtectionKey::Aes(key) = master.protection() else {
        return Err(ModuleError::Unsupported("the master key is no AES key".to_owned()));
    };
    let half = |counter: u8| cmac(key, &[&[counter], CONTEXT, b" signer\0", &256_u16.to_be_bytes()].concat());
    let mut seed = Zeroizing::new([0; 32]);
    seed[..16].copy_from_slice(&half(1));
    seed[16..].copy_from_slice(&half(2));
    Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|e| ModuleError::KeyRefused(e.to_string()))
}

/// The PINs of a cipher text, exactly so many; `None` for everything that is none, without a reason.
fn opened<const PINS: usize>(open: Open, their_key: &[u8], sealed: &[u8]) -> Option<[Pin; PINS]> {
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
    if text.len() != PINS * FIELD_LEN + TAG_LEN {
        return None;
    }
    let Open { id, private, public, .. } = open;
    let info = [CONTEXT, &public, their_key];
    let theirs = UnparsedPublicKey::new(&ECDH_P256, their_key);
    let key = agree_ephemeral(private, &theirs, |shared| {
        let derived = Salt::new(HKDF_SHA256, &id).extract(shared);
        derived.expand(&info, &AES_256_GCM).map(UnboundKey::from)
    });
    let key = LessSafeKey::new(key.ok()?.ok()?);
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = Zeroizing::new(text.to_vec());
    let fields = key.open_in_place(nonce, Aad::from(id), &mut text).ok()?;
    let pins: Option<Vec<Pin>> = fields.chunks_exact(FIELD_LEN).map(pin_of).collect();
    pins?.try_into().ok()
}

/// Control 4, length, digits, fill, and eight random bytes that nobody looks at.
fn pin_of(field: &[u8]) -> Option<Pin> {
    let half: &[u8] = field.get(..8)?;
    let nibbles: Zeroizing<Vec<u8>> = Zeroizing::new(half.iter().flat_map(|b| [b >> 4, b & 0xF]).collect());
    let length = usize::from(nibbles[1]);
    let (digits, fill) = nibbles[2..].split_at_checked(length)?;
    let shaped = nibbles[0] == CONTROL
        && digits.iter().all(|digit| *digit <= 9)
        && fill.iter().all(|fill| *fill == FILL);
    let text: Zeroizing<Vec<u8>> = Zeroizing::new(digits.iter().map(|digit| digit + b'0').collect());
    if shaped { Pin::from_ascii(&text).ok() } else { None }
}
