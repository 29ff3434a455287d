//! A signed statement of how long the log is and what its root is, as a signed note with an Ed25519 signature: the form of
//! C2SP tlog-checkpoint and signed-note (<https://c2sp.org/tlog-checkpoint>), so that common tools can read it.
//!
//! ```text
//! pinward.example/audit        origin
//! 42                           entries
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — pinward.example/audit Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// The signature type of Ed25519 in a signed note.
const ED25519_TYPE: u8 = 1;
/// A note is short; more is nonsense.
const NOTE_MAX: usize = 4_096;

/// How long the log is, and its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no signed note.
    #[error("not a signed checkpoint: {0}")]
    Malformed(&'static str),
    /// There is no signature by the key that was expected.
    #[error("not signed by {0}")]
    OtherSigner(String),
    /// The signature is wrong.
    #[error("the signature of {0} is wrong")]
    BadSignature(String),
    /// The key is none.
    #[error("not a key: {0}")]
    BadKey(&'static str),
}

impl Checkpoint {
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.0))
    }

    fn read(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.lines();
        let mut next = |what| lines.next().ok_or(CheckpointError::Malformed(what));
        let origin = next("no origin")?.to_owned();
        let size = next("no size")?;
        let canonical = size == "0" || !size.starts_with('0');
        let size = size.parse().ok().filter(|_| canonical && size.bytes().all(|b| b.is_ascii_digit()));
        let size = size.ok_or(CheckpointError::Malformed("its size is no number"))?;
        let root = BASE64.decode(next("no root")?).ok().and_then(|bytes| bytes.try_into().ok());
        let root = Hash(root.ok_or(CheckpointError::Malformed("its root is no hash"))?);
        if origin.is_empty() {
            return Err(CheckpointError::Malformed("no origin"));
        }
        Ok(Self { origin, size, root })
    }
}

/// The first four bytes of SHA-256(name || LF || type || public key): tells keys of one name apart.
fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let digest =
        Sha256::new().chain_update(name).chain_update([b'\n', ED25519_TYPE]).chain_update(public).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn key_id_text(name: &str, public: &[u8]) -> String {
    format!("{:08x}", u32::from_be_bytes(key_id(name, public)))
}

/// Signs checkpoints.
pub struct Signer {
    name: String,
    key: Ed25519KeyPair,
}

impl Signer {
    /// From a name and a seed of 32 random bytes, which is kept where only the program can read it.
    ///
    /// # Errors
    /// [`CheckpointError::BadKey`] when the name has spaces, a plus or a line feed, or the seed has another length.
    pub fn new(name: &str, seed: &[u8]) -> Result<Self, CheckpointError> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
            return Err(CheckpointError::BadKey("a name has no spaces and no plus"));
        }
        let key = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| CheckpointError::BadKey("a seed has 32 bytes"))?;
        Ok(Self { name: name.to_owned(), key })
    }

    /// Who believes this signer's checkpoints.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), public: self.key.public_key().as_ref().to_vec() }
    }

    /// The signed note over a log's first `size` entries. Its origin is the signer's name.
    #[must_use]
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let body = Checkpoint { origin: self.name.clone(), size, root }.body();
        let mut signature = key_id(&self.name, self.key.public_key().as_ref()).to_vec();
        signature.extend_from_slice(self.key.sign(body.as_bytes()).as_ref());
        format!("{body}\n\u{2014} {} {}\n", self.name, BASE64.encode(signature))
    }
}

/// Believes checkpoints of one signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    public: Vec<u8>,
}

impl Verifier {
    /// The key as text: `name+id+base64`, as C2SP signed-note writes it.
    #[must_use]
    pub fn text(&self) -> String {
        let typed = [&[ED25519_TYPE], self.public.as_slice()].concat();
        format!("{}+{}+{}", self.name, key_id_text(&self.name, &self.public), BASE64.encode(typed))
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`CheckpointError::BadKey`].
    pub fn read(text: &str) -> Result<Self, CheckpointError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(CheckpointError::BadKey("name+id+key was expected"));
        };
        let typed = BASE64.decode(key).map_err(|_| CheckpointError::BadKey("its key is not Base64"))?;
        let Some((&ED25519_TYPE, public)) = typed.split_first() else {
            return Err(CheckpointError::BadKey("only Ed25519 is known"));
        };
        if public.len() != 32 || id != key_id_text(name, public) {
            return Err(CheckpointError::BadKey("its id does not fit"));
        }
        Ok(Self { name: name.to_owned(), public: public.to_vec() })
    }

    /// Whose checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The checkpoint inside a signed note, if this signer signed it.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        if note.len() > NOTE_MAX {
            return Err(CheckpointError::Malformed("too long"));
        }
        let (body, signatures) = note.split_once("\n\n").ok_or(CheckpointError::Malformed("no signature"))?;
        let body = format!("{body}\n");
        let id = key_id(&self.name, &self.public);
        for line in signatures.lines() {
            let Some((name, signature)) = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' '))
            else {
                return Err(CheckpointError::Malformed("a signature begins with a dash"));
            };
            let Ok(bytes) = BASE64.decode(signature) else {
                return Err(CheckpointError::Malformed("a signature is not Base64"));
            };
            let Some(signature) = bytes.strip_prefix(&id).filter(|_| name == self.name) else { continue };
            return UnparsedPublicKey::new(&ED25519, &self.public)
                .verify(body.as_bytes(), signature)
                .map_err(|_| CheckpointError::BadSignature(self.name.clone()))
                .and_then(|()| Checkpoint::read(&body));
        }
        Err(CheckpointError::OtherSigner(self.name.clone()))
    }
}
