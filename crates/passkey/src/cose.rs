//! Public keys as authenticators send them (COSE, RFC 9052 and RFC 9053; Web Authentication 6.5.1.1), of the three algorithms that
//! platforms use: ES256 (phones, security keys), EdDSA, RS256 (older TPMs).

use minicbor::{Decoder, data::Type};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::Refused;

/// Labels of a key's map.
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV_OR_N: i64 = -1;
const X_OR_E: i64 = -2;
const Y: i64 = -3;
/// A key has at most so many members.
const MEMBERS_MAX: u64 = 5;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// ES256 (-7): the point, uncompressed.
    Es256(Vec<u8>),
    /// EdDSA (-8) on Ed25519.
    Ed25519(Vec<u8>),
    /// RS256 (-257): modulus and exponent.
    Rs256 { n: Vec<u8>, e: Vec<u8> },
}

/// The members of a map, as far as a key has them.
#[derive(Default)]
struct Members<'b> {
    kty: Option<i64>,
    alg: Option<i64>,
    crv: Option<i64>,
    n: Option<&'b [u8]>,
    x_or_e: Option<&'b [u8]>,
    y: Option<&'b [u8]>,
}

fn malformed(_: impl Sized) -> Refused {
    Refused::Malformed("public key")
}

/// A member that stands twice is none.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Refused> {
    place.replace(value).map_or(Ok(()), |_| Err(malformed(())))
}

impl<'b> Members<'b> {
    fn read(decoder: &mut Decoder<'b>) -> Result<Self, Refused> {
        let len = decoder
            .map()
            .map_err(malformed)?
            .filter(|len| *len <= MEMBERS_MAX)
            .ok_or_else(|| malformed(()))?;
        let mut members = Self::default();
        for _ in 0..len {
            match decoder.i64().map_err(malformed)? {
                KTY => once(&mut members.kty, decoder.i64().map_err(malformed)?)?,
                ALG => once(&mut members.alg, decoder.i64().map_err(malformed)?)?,
                CRV_OR_N if decoder.datatype().map_err(malformed)? == Type::Bytes => {
                    once(&mut members.n, decoder.bytes().map_err(malformed)?)?;
                }
                CRV_OR_N => once(&mut members.crv, decoder.i64().map_err(malformed)?)?,
                X_OR_E => once(&mut members.x_or_e, decoder.bytes().map_err(malformed)?)?,
                Y => once(&mut members.y, decoder.bytes().map_err(malformed)?)?,
                _ => return Err(malformed(())),
            }
        }
        Ok(members)
    }
}

impl PublicKey {
    /// Reads one from the front; returns how many bytes it had.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize), Refused> {
        let mut decoder = Decoder::new(bytes);
        let members = Members::read(&mut decoder)?;
        let key = match members {
            Members { kty: Some(2), alg: Some(-7), crv: Some(1), x_or_e: Some(x), y: Some(y), n: None }
                if x.len() == 32 && y.len() == 32 =>
            {
                Self::Es256([&[4], x, y].concat())
            }
            Members { kty: Some(1), alg: Some(-8), crv: Some(6), x_or_e: Some(x), y: None, n: None }
                if x.len() == 32 =>
            {
                Self::Ed25519(x.to_vec())
            }
            Members { kty: Some(3), alg: Some(-257), crv: None, x_or_e: Some(e), y: None, n: Some(n) }
                if (256..=512).contains(&n.len()) && (1..=8).contains(&e.len()) =>
            {
                Self::Rs256 { n: n.to_vec(), e: e.to_vec() }
            }
            Members { alg: Some(-7 | -8 | -257), .. } => return Err(malformed(())),
            _ => return Err(Refused::Algorithm),
        };
        Ok((key, decoder.position()))
    }

    /// Is it the signature of these bytes?
    pub(crate) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), Refused> {
        let verified = match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(signed, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature),
            Self::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
        };
        verified.map_err(|_| Refused::Signature)
    }

    /// What is kept.
    pub(crate) fn parts(&self) -> (&'static str, Vec<&[u8]>) {
        match self {
            Self::Es256(point) => ("ES256", vec![point]),
            Self::Ed25519(key) => ("EdDSA", vec![key]),
            Self::Rs256 { n, e } => ("RS256", vec![n, e]),
        }
    }

    /// As it was kept; `None` for what is none.
    pub(crate) fn of_parts(algorithm: &str, parts: Vec<Vec<u8>>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let key = match (algorithm, parts.next()?) {
            ("ES256", point) if point.len() == 65 => Self::Es256(point),
            ("EdDSA", key) if key.len() == 32 => Self::Ed25519(key),
            ("RS256", n) => Self::Rs256 { n, e: parts.next()? },
            _ => return None,
        };
        parts.next().is_none().then_some(key)
    }
}
