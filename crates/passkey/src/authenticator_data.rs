//! Authenticator data (Web Authentication 6.1): what the device says under its signature. A fixed head, and behind flags the new
//! credential and extensions.

use minicbor::Decoder;

use crate::{AUTHENTICATOR_DATA_MAX, CredentialId, Refused, RelyingParty, cose::PublicKey};

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

const AAGUID_LEN: usize = 16;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthenticatorData {
    party_hash: [u8; 32],
    flags: u8,
    pub(crate) count: u32,
    pub(crate) new: Option<NewCredential>,
}

/// A credential that was just made (6.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewCredential {
    pub(crate) id: CredentialId,
    pub(crate) key: PublicKey,
}

/// Takes bytes from the front.
fn take<'b>(rest: &mut &'b [u8], len: usize) -> Result<&'b [u8], Refused> {
    let (front, back) =
        rest.split_at_checked(len).ok_or(Refused::Malformed("authenticator data: too short"))?;
    *rest = back;
    Ok(front)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Refused> {
    let mut bytes = [0; N];
    bytes.copy_from_slice(take(rest, N)?);
    Ok(bytes)
}

impl AuthenticatorData {
    /// Reads all of it; a byte too many is a fault like a byte too few.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > AUTHENTICATOR_DATA_MAX {
            return Err(Refused::Malformed("authenticator data: too long"));
        }
        let mut rest = bytes;
        let party_hash = array(&mut rest)?;
        let [flags] = array(&mut rest)?;
        let count = u32::from_be_bytes(array(&mut rest)?);
        let new = if flags & HAS_CREDENTIAL == 0 { None } else { Some(new_credential(&mut rest)?) };
        if flags & HAS_EXTENSIONS != 0 {
            extensions(&mut rest)?;
        }
        if !rest.is_empty() {
            return Err(Refused::Malformed("authenticator data: too long"));
        }
        if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
            return Err(Refused::Malformed("authenticator data: backed up and not eligible"));
        }
        Ok(Self { party_hash, flags, count, new })
    }

    /// Steps 13 to 16 of 7.1 and 15 to 18 of 7.2: our domain, somebody was there, and the device verified who.
    pub(crate) fn check(&self, party: &RelyingParty) -> Result<(), Refused> {
        if self.party_hash != party.hash() {
            return Err(Refused::RelyingParty);
        }
        if self.flags & USER_PRESENT == 0 {
            return Err(Refused::NobodyPresent);
        }
        if self.flags & USER_VERIFIED == 0 {
            return Err(Refused::NotVerified);
        }
        Ok(())
    }

    pub(crate) fn backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }

    pub(crate) fn backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

fn new_credential(rest: &mut &[u8]) -> Result<NewCredential, Refused> {
    take(rest, AAGUID_LEN)?;
    let len = u16::from_be_bytes(array(rest)?);
    let id = CredentialId::new(take(rest, usize::from(len))?)?;
    let (key, read) = PublicKey::read(rest)?;
    take(rest, read)?;
    Ok(NewCredential { id, key })
}

/// Extensions are one CBOR map; none was asked for, and what comes is passed over.
fn extensions(rest: &mut &[u8]) -> Result<(), Refused> {
    let malformed = |_| Refused::Malformed("authenticator data: extensions");
    let mut decoder = Decoder::new(rest);
    if !matches!(decoder.datatype().map_err(malformed)?, minicbor::data::Type::Map) {
        return Err(Refused::Malformed("authenticator data: extensions"));
    }
    decoder.skip().map_err(malformed)?;
    let read = decoder.position();
    take(rest, read).map(drop)
}
