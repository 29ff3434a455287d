//! Client data (Web Authentication 5.8.1): what the browser says about the ceremony, signed over by its hash.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::{CLIENT_DATA_MAX, Refused, RelyingParty};

/// Which ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ceremony {
    Create,
    Get,
}

impl Ceremony {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// The members that are looked at; browsers may add others.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: Option<bool>,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<String>,
}

fn read(json: &[u8]) -> Result<ClientData, Refused> {
    if json.len() > CLIENT_DATA_MAX {
        return Err(Refused::Malformed("client data: too long"));
    }
    serde_json::from_slice(json).map_err(|_| Refused::Malformed("client data"))
}

fn decoded(challenge: &str) -> Result<Vec<u8>, Refused> {
    BASE64.decode(challenge).map_err(|_| Refused::Malformed("client data: challenge"))
}

/// The challenge that client data claims to answer.
pub(crate) fn challenge(json: &[u8]) -> Result<Vec<u8>, Refused> {
    decoded(&read(json)?.challenge)
}

/// Steps 6 to 9 of 7.1 and 11 to 14 of 7.2: type, challenge, origin, and no page of somebody else around ours.
pub(crate) fn check(
    json: &[u8],
    ceremony: Ceremony,
    party: &RelyingParty,
    challenge: &[u8],
) -> Result<(), Refused> {
    let said = read(json)?;
    if said.kind != ceremony.name() {
        return Err(Refused::Ceremony);
    }
    if challenge.is_empty() || !bool::from(decoded(&said.challenge)?.ct_eq(challenge)) {
        return Err(Refused::Challenge);
    }
    if said.origin != party.origin() || said.cross_origin == Some(true) || said.top_origin.is_some() {
        return Err(Refused::Origin);
    }
    Ok(())
}
