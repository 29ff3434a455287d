//! What a browser sends, as texts in base64url, and what is in them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;

use crate::{
    ATTESTATION_MAX, AUTHENTICATOR_DATA_MAX, CLIENT_DATA_MAX, CredentialId, Refused, SIGNATURE_MAX,
    client_data,
};

/// The longest user handle (Web Authentication 5.4.3).
const USER_HANDLE_MAX: usize = 64;

/// The answer to a registration, in base64url.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct RegistrationText {
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.attestationObject`.
    pub attestation: String,
}

/// The answer to a registration.
#[derive(Clone)]
pub struct Registration {
    pub(crate) client_data: Vec<u8>,
    pub(crate) attestation: Vec<u8>,
}

/// An assertion, in base64url.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct AssertionText {
    /// `rawId`.
    pub id: String,
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.authenticatorData`.
    pub authenticator_data: String,
    /// `response.signature`.
    pub signature: String,
    /// `response.userHandle`; empty when there was none.
    pub user_handle: String,
}

/// An assertion.
#[derive(Clone)]
pub struct Assertion {
    pub(crate) id: CredentialId,
    pub(crate) client_data: Vec<u8>,
    pub(crate) authenticator_data: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) user_handle: Vec<u8>,
}

fn decoded(text: &str, most: usize, what: &'static str) -> Result<Vec<u8>, Refused> {
    // Four characters for three bytes: what is longer is not even decoded.
    if text.len() > most.div_ceil(3) * 4 {
        return Err(Refused::Malformed(what));
    }
    let bytes = BASE64.decode(text.trim_end_matches('=')).map_err(|_| Refused::Malformed(what))?;
    if bytes.len() > most { Err(Refused::Malformed(what)) } else { Ok(bytes) }
}

impl RegistrationText {
    /// What is in it.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn read(&self) -> Result<Registration, Refused> {
        Ok(Registration {
            client_data: decoded(&self.client_data, CLIENT_DATA_MAX, "client data")?,
            attestation: decoded(&self.attestation, ATTESTATION_MAX, "attestation")?,
        })
    }
}

impl Registration {
    /// The challenge that it claims to answer.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn challenge(&self) -> Result<Vec<u8>, Refused> {
        client_data::challenge(&self.client_data)
    }
}

impl AssertionText {
    /// What is in it.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn read(&self) -> Result<Assertion, Refused> {
        Ok(Assertion {
            id: self.id.parse()?,
            client_data: decoded(&self.client_data, CLIENT_DATA_MAX, "client data")?,
            authenticator_data: decoded(
                &self.authenticator_data,
                AUTHENTICATOR_DATA_MAX,
                "authenticator data",
            )?,
            signature: decoded(&self.signature, SIGNATURE_MAX, "signature")?,
            user_handle: decoded(&self.user_handle, USER_HANDLE_MAX, "user handle")?,
        })
    }
}

impl Assertion {
    /// The challenge that it claims to answer.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn challenge(&self) -> Result<Vec<u8>, Refused> {
        client_data::challenge(&self.client_data)
    }

    /// Which credential it claims to be of.
    #[must_use]
    pub fn id(&self) -> &CredentialId {
        &self.id
    }

    /// Is it of this user, as far as the authenticator said whose it is (Web Authentication 7.2, step 6)?
    #[must_use]
    pub fn is_of(&self, user_handle: &[u8]) -> bool {
        self.user_handle.is_empty() || self.user_handle == user_handle
    }
}
