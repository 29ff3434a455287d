//! The key ceremony's side of the soft module: keys are made inside, put together from custodians' components, taken in
//! from another site and handed on, and never shown. What a key may be used for goes in with it, into a version D key block
//! (ANSI X9.143:2021) under the module's master key, together with its name as a label, so that two blocks of a
//! registry cannot change places unseen.
//!
//! Who may ask, and who must stand beside, is not known here: the registry's rules (crate `keyring`) see to dual control
//! and split knowledge. [`transfer`] has the ways in and out.

mod spec;
pub mod transfer;

use model::KeyBlock;
use paycrypto::{
    kcv::{self, CheckValue, KcvMethod},
    key::{AesKey, Sm4Key, TdesKey, adjust_parity},
    key_block::{
        Algorithm, Exportability, Header, KeyBlockError, KeyUsage, OptionalBlock, RANDOM_LENGTH,
        UnwrappedKey, Version, unwrap, wrap,
    },
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use spec::{KeySpec, mode_suits, usual_mode};

use super::{KeyPolicy, MasterKey, weak_keys};

/// Components of one key at most: the header has one digit for their number (X9.143:2021, 6.2, bytes 9 and 10).
pub const COMPONENTS_MAX: u8 = 9;

/// A component stands for nothing alone: two at least.
pub const COMPONENTS_MIN: u8 = 2;

/// Bytes of a check value, for every method.
pub const CHECK_VALUE_LENGTH: usize = 3;

/// The optional block that holds a key's name (X9.143:2021, 6.3.6).
const LABEL: [u8; 2] = *b"LB";

/// Optional blocks that say which keys a base derivation key belongs to; they stay with the key.
const KEPT_BLOCKS: [[u8; 2]; 3] = [*b"KS", *b"BI", *b"IK"];

/// Key management under a master key.
pub struct Ceremony {
    master: MasterKey,
    policy: KeyPolicy,
}

/// A key as it leaves the ceremony: sealed, with its check value.
#[derive(Debug, Clone)]
pub struct SealedKey {
    /// The key.
    pub block: KeyBlock,
    /// What it is for.
    pub spec: KeySpec,
    /// Its check value, by [`KeySpec::check_method`].
    pub check_value: CheckValue,
    /// TDES only: bits of parity had to be set; the key's effect and check value are the same.
    pub parity_adjusted: bool,
}

/// A component made inside: sealed, and once more in clear for the custodian's form.
pub struct FreshComponent {
    /// The component at rest.
    pub sealed: SealedKey,
    /// Upper-case hexadecimal, to be shown once and wiped.
    pub clear: Zeroizing<String>,
}

/// What a key block of our own says and holds.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The header, confirmed by the block's MAC.
    pub header: Header,
    /// The key's name in the block, if it has one.
    pub label: Option<String>,
    /// Bytes of the key.
    pub length: usize,
    /// Its check value.
    pub check_value: CheckValue,
    /// Why it may not be used outside a sandbox.
    pub fault: Option<String>,
}

/// A step of the ceremony that is refused. No key stands in any of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// Usage, cipher, mode and length do not go together.
    #[error("{0}")]
    Spec(String),
    /// A weak or published key.
    #[error("the {what} is refused: {why}")]
    Weak {
        /// Key or component.
        what: &'static str,
        /// The fault.
        why: String,
    },
    /// A key block of our own does not open: damaged, changed, or under another master key.
    #[error("the key block of {label} does not open under this master key: {source}")]
    OwnBlock {
        /// Which key.
        label: String,
        /// Why.
        source: KeyBlockError,
    },
    /// A key block of our own holds something else than what was asked for.
    #[error("the key block of {label} {what}")]
    OwnBlockDiffers {
        /// Which key.
        label: String,
        /// In which way.
        what: String,
    },
    /// The key block that came from elsewhere does not open.
    #[error(
        "the key block received does not open: {0}; was it made under another key, or changed on the way?"
    )]
    ReceivedBlock(KeyBlockError),
    /// The check value announced is not the one found.
    #[error("check value {found} instead of the expected {expected}")]
    CheckValue {
        /// What was announced.
        expected: String,
        /// What the key has.
        found: String,
    },
    /// The key that should wrap is not for that.
    #[error("{label} cannot protect keys on their way: {why}")]
    NotForWrapping {
        /// Which key.
        label: String,
        /// Why.
        why: &'static str,
    },
    /// The key must stay here.
    #[error("{0} is not exportable: its key block says so")]
    NotExportable(String),
    /// A key never travels under a weaker one (PCI PIN Security Requirements v3.1, 21-1).
    #[error("{wrapping} is weaker than {wrapped}: a key travels only under an equal or stronger one")]
    WeakerWrapping {
        /// The key that would protect.
        wrapping: String,
        /// The key to be protected.
        wrapped: String,
    },
    /// The components are not those of one key.
    #[error("components: {0}")]
    Components(String),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(String),
}

impl Ceremony {
    /// Key management under this master key. Outside a sandbox no weak and no published key is taken.
    #[must_use]
    pub fn new(master: MasterKey, policy: KeyPolicy) -> Self {
        Self { master, policy }
    }

    /// Makes a key that nobody knows.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn generate(
        &self,
        spec: &KeySpec,
        label: &str,
        version: [u8; 2],
    ) -> Result<SealedKey, CeremonyError> {
        spec.check()?;
        self.seal_key(spec, label, version, &fresh(spec)?, Vec::new())
    }

    /// Seals a component that a custodian brought.
    ///
    /// # Errors
    /// [`CeremonyError::Weak`], also in a sandbox: a weak or published component is one that somebody else knows.
    pub fn seal_component(
        &self,
        spec: &KeySpec,
        label: &str,
        part: u8,
        clear: &[u8],
    ) -> Result<SealedKey, CeremonyError> {
        spec.check()?;
        let version = component_version(part)?;
        if clear.len() != spec.length {
            return Err(CeremonyError::Spec(format!(
                "a component has {} bytes where {} has {}",
                clear.len(),
                spec.words(),
                spec.length
            )));
        }
        if clear.windows(2).all(|pair| pair[0] == pair[1]) {
            let why = "one byte repeated is no random number".to_owned();
            return Err(CeremonyError::Weak { what: "component", why });
        }
        // The parity of a component is no matter: combining sets the key's own.
        let mut judged = Zeroizing::new(clear.to_vec());
        parity_set(spec, &mut judged);
        if let Some(why) = weak_keys::fault(spec.attributes.algorithm, &judged) {
            return Err(CeremonyError::Weak { what: "component", why });
        }
        self.seal(spec, label, version, clear, Vec::new())
    }

    /// Makes a component, to be shown to its custodian once.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn generate_component(
        &self,
        spec: &KeySpec,
        label: &str,
        part: u8,
    ) -> Result<FreshComponent, CeremonyError> {
        spec.check()?;
        let clear = fresh(spec)?;
        let sealed = self.seal_component(spec, label, part, &clear)?;
        Ok(FreshComponent { sealed, clear: Zeroizing::new(hex::encode_upper(&*clear)) })
    }

    /// The key whose components these are: all of them combined by exclusive or (ANSI X9.24-1:2009, 7.4; PCI PIN 6).
    /// With TDES the parity of the result is set.
    ///
    /// # Errors
    /// [`CeremonyError`]; outside a sandbox also for a weak or published key.
    pub fn combine(
        &self,
        spec: &KeySpec,
        label: &str,
        version: [u8; 2],
        parts: &[KeyBlock],
    ) -> Result<SealedKey, CeremonyError> {
        spec.check()?;
        if parts.len() < usize::from(COMPONENTS_MIN) {
            return Err(CeremonyError::Components("there must be two or more".to_owned()));
        }
        let mut key = Zeroizing::new(vec![0; spec.length]);
        for (part, block) in (1..).zip(parts) {
            let (header, component) = self.open_own(label, block)?;
            let differs = |what: &str| CeremonyError::OwnBlockDiffers {
                label: format!("{label}, part {part},"),
                what: what.to_owned(),
            };
            if header.key_version != component_version(part)? || label_of(&header) != Some(label) {
                return Err(differs("is not that component"));
            }
            if component.expose_bytes().len() != spec.length || !spec.is_of(&header) {
                return Err(differs("is for another kind of key"));
            }
            key.iter_mut().zip(component.expose_bytes()).for_each(|(sum, byte)| *sum ^= byte);
        }
        self.seal_key(spec, label, version, &key, Vec::new())
    }

    /// Opens a block of our own and says what it holds; the key stays inside.
    ///
    /// # Errors
    /// [`CeremonyError::OwnBlock`].
    pub fn examine(&self, label: &str, block: &KeyBlock) -> Result<Examined, CeremonyError> {
        let (header, key) = self.open_own(label, block)?;
        let algorithm = header.algorithm;
        Ok(Examined {
            label: label_of(&header).map(str::to_owned),
            length: key.expose_bytes().len(),
            check_value: check_value_of(algorithm, key.expose_bytes())?,
            fault: weak_keys::fault(algorithm, key.expose_bytes()),
            header,
        })
    }

    /// Do two blocks hold the same key? Equal check values alone can be chance: one in 16 million.
    ///
    /// # Errors
    /// [`CeremonyError::OwnBlock`].
    pub fn same_key(&self, one: &KeyBlock, other: &KeyBlock) -> Result<bool, CeremonyError> {
        let (one, other) = (self.open_own("one key", one)?.1, self.open_own("the other key", other)?.1);
        Ok(one.expose_bytes().ct_eq(other.expose_bytes()).into())
    }

    /// The same key under another master key: everything else in the block stays as it is.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn rewrap(&self, to: &MasterKey, label: &str, block: &KeyBlock) -> Result<KeyBlock, CeremonyError> {
        let (header, key) = self.open_own(label, block)?;
        wrap_under(to, &header, key.expose_bytes())
    }

    /// Opens a block of our own.
    fn open_own(&self, label: &str, block: &KeyBlock) -> Result<(Header, UnwrappedKey), CeremonyError> {
        unwrap(self.master.protection(), block.as_str())
            .map_err(|source| CeremonyError::OwnBlock { label: label.to_owned(), source })
    }

    /// Seals a whole key: parity set, weak ones refused outside a sandbox.
    fn seal_key(
        &self,
        spec: &KeySpec,
        label: &str,
        version: [u8; 2],
        clear: &[u8],
        kept: Vec<OptionalBlock>,
    ) -> Result<SealedKey, CeremonyError> {
        let mut key = Zeroizing::new(clear.to_vec());
        let parity_adjusted = parity_set(spec, &mut key);
        if self.policy == KeyPolicy::Production
            && let Some(why) = weak_keys::fault(spec.attributes.algorithm, &key)
        {
            return Err(CeremonyError::Weak { what: "key", why });
        }
        Ok(SealedKey { parity_adjusted, ..self.seal(spec, label, version, &key, kept)? })
    }

    fn seal(
        &self,
        spec: &KeySpec,
        label: &str,
        version: [u8; 2],
        clear: &[u8],
        kept: Vec<OptionalBlock>,
    ) -> Result<SealedKey, CeremonyError> {
        let of = spec.attributes;
        let check_value = check_value_of(of.algorithm, clear)?;
        let mut header = Header::new(Version::D, of.usage, of.algorithm, of.mode, spec.exportability);
        header.key_version = version;
        header.optional_blocks = kept;
        header.optional_blocks.push(OptionalBlock { id: LABEL, data: label.to_owned() });
        let block = wrap_under(&self.master, &header, clear)?;
        Ok(SealedKey { block, spec: *spec, check_value, parity_adjusted: false })
    }
}

/// The key version of a component, `c1` to `c9` (X9.143:2021, 6.2, bytes 9 and 10).
fn component_version(part: u8) -> Result<[u8; 2], CeremonyError> {
    match part {
        1..=COMPONENTS_MAX => Ok([b'c', b'0' + part]),
        _ => Err(CeremonyError::Components(format!("a part is numbered 1 to {COMPONENTS_MAX}"))),
    }
}

/// Does this header belong to a component, which is no key?
fn is_component(header: &Header) -> bool {
    header.key_version[0] == b'c'
}

fn label_of(header: &Header) -> Option<&str> {
    header.optional_blocks.iter().find(|block| block.id == LABEL).map(|block| block.data.as_str())
}

/// The blocks that stay with a key when it comes or goes.
fn kept_blocks(header: &Header) -> Vec<OptionalBlock> {
    header.optional_blocks.iter().filter(|block| KEPT_BLOCKS.contains(&block.id)).cloned().collect()
}

/// Sets the parity of a TDES key; true if that changed it.
fn parity_set(spec: &KeySpec, key: &mut Zeroizing<Vec<u8>>) -> bool {
    if spec.attributes.algorithm != Algorithm::Tdea {
        return false;
    }
    let before = Zeroizing::new(key.to_vec());
    adjust_parity(key);
    !bool::from(before.as_slice().ct_eq(key.as_slice()))
}

/// The check value that goes with a cipher: zeros for TDES and SM4, CMAC for AES.
fn check_value_of(algorithm: Algorithm, key: &[u8]) -> Result<CheckValue, CeremonyError> {
    let wrong = |e: &dyn std::fmt::Display| CeremonyError::Spec(e.to_string());
    let value = match algorithm {
        Algorithm::Tdea => TdesKey::new(key)
            .map_err(|e| wrong(&e))
            .map(|key| kcv::check_value(KcvMethod::TdesZeros, &key, CHECK_VALUE_LENGTH)),
        Algorithm::Aes => AesKey::new(key)
            .map_err(|e| wrong(&e))
            .map(|key| kcv::check_value(KcvMethod::AesCmac, &key, CHECK_VALUE_LENGTH)),
        Algorithm::SM4 => Sm4Key::from_slice(key)
            .map_err(|e| wrong(&e))
            .map(|key| kcv::check_value(KcvMethod::Sm4Zeros, &key, CHECK_VALUE_LENGTH)),
        _ => return Err(CeremonyError::Spec("only TDES, AES and SM4 keys are kept".to_owned())),
    };
    value?.map_err(|e| wrong(&e))
}

fn wrap_under(master: &MasterKey, header: &Header, clear: &[u8]) -> Result<KeyBlock, CeremonyError> {
    let block = wrap(master.protection(), header, clear, &random()?);
    block.map(KeyBlock::new).map_err(|e| CeremonyError::Spec(format!("the key cannot be sealed: {e}")))
}

fn random() -> Result<[u8; RANDOM_LENGTH], CeremonyError> {
    let mut random = [0; RANDOM_LENGTH];
    getrandom::fill(&mut random).map_err(|e| CeremonyError::Randomness(e.to_string()))?;
    Ok(random)
}

/// Random bytes of a key: for TDES with odd parity, parts that differ, and none of them weak.
fn fresh(spec: &KeySpec) -> Result<Zeroizing<Vec<u8>>, CeremonyError> {
    const ATTEMPTS: usize = 16; // one weak key in 2^50 tries; sixteen in a row is a broken generator
    for _ in 0..ATTEMPTS {
        let mut key = Zeroizing::new(vec![0; spec.length]);
        getrandom::fill(&mut key).map_err(|e| CeremonyError::Randomness(e.to_string()))?;
        parity_set(spec, &mut key);
        if weak_keys::fault(spec.attributes.algorithm, &key).is_none() {
            return Ok(key);
        }
    }
    Err(CeremonyError::Randomness("the generator gives weak keys only".to_owned()))
}

/// May a key with this exportability leave at all?
fn may_leave(exportability: Exportability) -> bool {
    match exportability {
        Exportability::Trusted | Exportability::Sensitive => true,
        Exportability::No => false,
    }
}

/// Is this a key that wraps keys in key blocks?
fn wraps_key_blocks(usage: KeyUsage) -> bool {
    matches!(usage, KeyUsage::KeyBlockProtection | KeyUsage::Iso20038Protection)
}

#[cfg(test)]
mod tests;
