//! A credential, from its registration (Web Authentication 7.1) through its assertions (7.2).

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use minicbor::Decoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    Assertion, Registration, RelyingParty,
    authenticator_data::AuthenticatorData,
    client_data::{self, Ceremony},
    cose::PublicKey,
    party::sha256,
};

/// Lengths of a credential id (Web Authentication 4: at least 16 bytes, at most 1023).
const ID_MIN: usize = 16;
const ID_MAX: usize = 1_023;

/// Why a registration or an assertion was refused. For logs; people hear one sentence for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not what it should be.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A registration in place of an assertion, or the other way round.
    #[error("another ceremony")]
    Ceremony,
    /// It answers another challenge.
    #[error("another challenge")]
    Challenge,
    /// It comes from another page, or from ours inside of another one.
    #[error("another origin")]
    Origin,
    /// The device signed for another domain.
    #[error("another relying party")]
    RelyingParty,
    /// Nobody touched the device.
    #[error("nobody was present")]
    NobodyPresent,
    /// The device did not verify its owner.
    #[error("the user was not verified")]
    NotVerified,
    /// An algorithm that is not among those that were asked for.
    #[error("another algorithm")]
    Algorithm,
    /// It is of another credential.
    #[error("another credential")]
    Credential,
    /// The signature is not that of the credential's key.
    #[error("wrong signature")]
    Signature,
    /// The signature counter did not go on: the key may have been copied (Web Authentication 6.1.1).
    #[error("the signature counter went back")]
    Counter,
    /// Whether the key may be backed up cannot change, and did.
    #[error("backup eligibility changed")]
    Backup,
}

impl Refused {
    /// Its fixed name, for logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Ceremony => "ceremony",
            Self::Challenge => "challenge",
            Self::Origin => "origin",
            Self::RelyingParty => "relying-party",
            Self::NobodyPresent => "nobody-present",
            Self::NotVerified => "not-verified",
            Self::Algorithm => "algorithm",
            Self::Credential => "credential",
            Self::Signature => "signature",
            Self::Counter => "counter",
            Self::Backup => "backup",
        }
    }
}

/// Names a credential: chosen by the authenticator. Prints as base64url.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Refused> {
        if (ID_MIN..=ID_MAX).contains(&bytes.len()) {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(Refused::Malformed("credential id"))
        }
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialId({self})")
    }
}

impl FromStr for CredentialId {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let malformed = Refused::Malformed("credential id");
        if text.len() > ID_MAX.div_ceil(3) * 4 {
            return Err(malformed);
        }
        Self::new(&BASE64.decode(text.trim_end_matches('=')).map_err(|_| malformed)?)
    }
}

impl Serialize for CredentialId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CredentialId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What is kept of a passkey: nothing secret, and nothing of a face or a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its name.
    pub id: CredentialId,
    /// Its public key.
    #[serde(with = "key")]
    key: PublicKey,
    /// The signature counter; authenticators that share a key among devices leave it at zero.
    pub count: u32,
    /// May the key be on several devices of its owner?
    pub backup_eligible: bool,
    /// Is it, as far as was said last?
    pub backed_up: bool,
}

/// A key as text: the algorithm, then its parts in base64url.
mod key {
    use base64::Engine as _;

    use super::{BASE64, Deserialize as _, Deserializer, PublicKey, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &PublicKey, to: S) -> Result<S::Ok, S::Error> {
        let (algorithm, parts) = key.parts();
        let parts = parts.into_iter().map(|part| BASE64.encode(part));
        to.collect_seq(std::iter::once(algorithm.to_owned()).chain(parts))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PublicKey, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let none = || serde::de::Error::custom("not a public key");
        let (algorithm, parts) = texts.split_first().ok_or_else(none)?;
        let parts: Result<Vec<_>, _> = parts.iter().map(|part| BASE64.decode(part)).collect();
        PublicKey::of_parts(algorithm, parts.map_err(|_| none())?).ok_or_else(none)
    }
}

/// Verifies a registration. The statement about the authenticator's maker is neither asked for nor believed.
///
/// # Errors
/// [`Refused`].
pub fn register(party: &RelyingParty, challenge: &[u8], sent: &Registration) -> Result<Credential, Refused> {
    client_data::check(&sent.client_data, Ceremony::Create, party, challenge)?;
    let data = AuthenticatorData::read(data_of(&sent.attestation)?)?;
    data.check(party)?;
    let new = data.new.as_ref().ok_or(Refused::Malformed("no credential"))?;
    Ok(Credential {
        id: new.id.clone(),
        key: new.key.clone(),
        count: data.count,
        backup_eligible: data.backup_eligible(),
        backed_up: data.backed_up(),
    })
}

/// Verifies an assertion of a credential; returns the credential as it is to be kept from now on.
///
/// # Errors
/// [`Refused`].
pub fn assert(
    party: &RelyingParty,
    challenge: &[u8],
    credential: &Credential,
    sent: &Assertion,
) -> Result<Credential, Refused> {
    if sent.id != credential.id {
        return Err(Refused::Credential);
    }
    client_data::check(&sent.client_data, Ceremony::Get, party, challenge)?;
    let data = AuthenticatorData::read(&sent.authenticator_data)?;
    data.check(party)?;
    let signed = [sent.authenticator_data.as_slice(), &sha256(&sent.client_data)].concat();
    credential.key.verify(&signed, &sent.signature)?;
    if data.backup_eligible() != credential.backup_eligible {
        return Err(Refused::Backup);
    }
    if (data.count != 0 || credential.count != 0) && data.count <= credential.count {
        return Err(Refused::Counter);
    }
    Ok(Credential { count: data.count, backed_up: data.backed_up(), ..credential.clone() })
}

/// The authenticator data in an attestation object (6.5.4): a map of three members.
pub(crate) fn data_of(attestation: &[u8]) -> Result<&[u8], Refused> {
    let malformed = |_| Refused::Malformed("attestation");
    let twice = Refused::Malformed("attestation");
    let mut decoder = Decoder::new(attestation);
    if decoder.map().map_err(malformed)? != Some(3) {
        return Err(twice);
    }
    let (mut data, mut format, mut statement) = (None, false, false);
    for _ in 0..3 {
        match decoder.str().map_err(malformed)? {
            "authData" if data.is_none() => data = Some(decoder.bytes().map_err(malformed)?),
            "fmt" if !format => format = decoder.str().map(|_| true).map_err(malformed)?,
            "attStmt" if !statement => statement = decoder.skip().map(|()| true).map_err(malformed)?,
            _ => return Err(twice),
        }
    }
    data.filter(|_| decoder.position() == attestation.len()).ok_or(twice)
}
