//! An authenticator in software, for tests: it makes keys and signs as a telephone would, and says of its owner whatever the test
//! wants it to say.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use minicbor::{Encoder, encode};
use ring::{
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};

use crate::{AssertionText, CredentialId, RegistrationText, party::sha256};

/// What the tests turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levers {
    /// Whose page asks, as the browser writes it.
    pub origin: String,
    /// The domain that the authenticator signs for.
    pub party: String,
    /// Is the page inside of a page of somebody else?
    pub embedded: bool,
    /// Did somebody touch it?
    pub present: bool,
    /// Did it recognise its owner?
    pub verified: bool,
    /// Does it count? Keys that are shared among devices do not.
    pub counts: bool,
    /// Is the key backed up?
    pub backed_up: bool,
}

/// The authenticator.
pub struct SoftAuthenticator {
    /// What the tests turn.
    pub levers: Levers,
    keys: Vec<Key>,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

struct Key {
    id: Vec<u8>,
    pair: Pair,
    user_handle: Vec<u8>,
    count: u32,
}

fn unspecified<E>(_: E) -> Unspecified {
    Unspecified
}

impl SoftAuthenticator {
    /// One that does everything right, for a page.
    #[must_use]
    pub fn new(origin: &str, party: &str) -> Self {
        let levers = Levers {
            origin: origin.to_owned(),
            party: party.to_owned(),
            embedded: false,
            present: true,
            verified: true,
            counts: true,
            backed_up: false,
        };
        Self { levers, keys: Vec::new() }
    }

    fn client_data(&self, kind: &str, challenge: &[u8]) -> Vec<u8> {
        serde_json::json!({
            "type": kind,
            "challenge": BASE64.encode(challenge),
            "origin": self.levers.origin,
            "crossOrigin": self.levers.embedded,
        })
        .to_string()
        .into_bytes()
    }

    fn head(&self, more: u8, count: u32) -> Vec<u8> {
        let Levers { present, verified, backed_up, .. } = self.levers;
        let backup = if backed_up { 0b11000 } else { 0 };
        let flags = u8::from(present) | u8::from(verified) << 2 | backup | more;
        [sha256(self.levers.party.as_bytes()).as_slice(), &[flags], &count.to_be_bytes()].concat()
    }

    /// Makes a key with ES256.
    ///
    /// # Errors
    /// [`Unspecified`] when there is no randomness.
    pub fn create(&mut self, challenge: &[u8], user_handle: &[u8]) -> Result<RegistrationText, Unspecified> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
            .map_err(unspecified)?;
        self.add(Pair::Es256(pair), challenge, user_handle)
    }

    /// Makes a key with Ed25519.
    ///
    /// # Errors
    /// [`Unspecified`] when there is no randomness.
    pub fn create_ed25519(
        &mut self,
        challenge: &[u8],
        user_handle: &[u8],
    ) -> Result<RegistrationText, Unspecified> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?;
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(unspecified)?;
        self.add(Pair::Ed25519(pair), challenge, user_handle)
    }

    fn add(
        &mut self,
        pair: Pair,
        challenge: &[u8],
        user_handle: &[u8],
    ) -> Result<RegistrationText, Unspecified> {
        let mut id = vec![0; 32];
        SystemRandom::new().fill(&mut id)?;
        let cose = cose(&pair).map_err(unspecified)?;
        let len = u16::try_from(id.len()).map_err(unspecified)?.to_be_bytes();
        let data = [self.head(0x40, 0).as_slice(), &[0; 16], &len, &id, &cose].concat();
        let attestation = attestation(&data).map_err(unspecified)?;
        self.keys.push(Key { id, pair, user_handle: user_handle.to_vec(), count: 0 });
        Ok(RegistrationText {
            client_data: BASE64.encode(self.client_data("webauthn.create", challenge)),
            attestation: BASE64.encode(attestation),
        })
    }

    /// Signs with the key of an id; without one with its newest key.
    ///
    /// # Errors
    /// [`Unspecified`] when there is no such key.
    pub fn get(&mut self, challenge: &[u8], id: Option<&CredentialId>) -> Result<AssertionText, Unspecified> {
        let wanted = id.map(ToString::to_string);
        let fits = |key: &Key| wanted.as_ref().is_none_or(|wanted| *wanted == BASE64.encode(&key.id));
        let at = self.keys.iter().rposition(fits).ok_or(Unspecified)?;
        if self.levers.counts {
            self.keys[at].count += 1;
        }
        let key = &self.keys[at];
        let client_data = self.client_data("webauthn.get", challenge);
        let data = self.head(0, key.count);
        let signed = [data.as_slice(), &sha256(&client_data)].concat();
        let signature = match &key.pair {
            Pair::Es256(pair) => pair.sign(&SystemRandom::new(), &signed)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(&signed).as_ref().to_vec(),
        };
        Ok(AssertionText {
            id: BASE64.encode(&key.id),
            client_data: BASE64.encode(client_data),
            authenticator_data: BASE64.encode(data),
            signature: BASE64.encode(signature),
            user_handle: BASE64.encode(&key.user_handle),
        })
    }

    /// Turns the counter of its newest key back, as a copy of it would.
    pub fn turn_back(&mut self, by: u32) {
        if let Some(key) = self.keys.last_mut() {
            key.count = key.count.saturating_sub(by);
        }
    }
}

type Encoded = Result<Vec<u8>, encode::Error<std::convert::Infallible>>;

fn cose(pair: &Pair) -> Encoded {
    let mut to = Encoder::new(Vec::new());
    match pair {
        Pair::Es256(pair) => {
            // Uncompressed: 4, x, y.
            let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
            to.map(5)?.i8(1)?.i8(2)?.i8(3)?.i8(-7)?.i8(-1)?.i8(1)?.i8(-2)?.bytes(x)?.i8(-3)?.bytes(y)?;
        }
        Pair::Ed25519(pair) => {
            let x = pair.public_key().as_ref();
            to.map(4)?.i8(1)?.i8(1)?.i8(3)?.i8(-8)?.i8(-1)?.i8(6)?.i8(-2)?.bytes(x)?;
        }
    }
    Ok(to.into_writer())
}

fn attestation(data: &[u8]) -> Encoded {
    let mut to = Encoder::new(Vec::new());
    to.map(3)?.str("fmt")?.str("none")?.str("attStmt")?.map(0)?.str("authData")?.bytes(data)?;
    Ok(to.into_writer())
}
