//! The provider's public keys (RFC 7517) and signatures by them: RS256 and ES256 (RFC 7518 §3.3, §3.4), nothing else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// More keys are no key set.
const KEYS_MAX: usize = 64;

/// A key set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    public: Public,
}

#[derive(Debug, Clone)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
}

/// Which signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    /// By its name in a header; `none` and shared secrets are no names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Those of a key set that we can use; others are passed over.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let set: KeySet = serde_json::from_slice(bytes).ok()?;
        let known = set
            .keys
            .into_iter()
            .take(KEYS_MAX)
            .filter_map(|key| Key::read(serde_json::from_value(key).ok()?));
        Some(Self(known.collect()))
    }

    /// Does a key of this name, or any when none is named, make this signature?
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        self.0.iter().filter(named).any(|key| key.public.verify(algorithm, message, signature))
    }

    /// Is there a key of this name?
    pub(crate) fn has(&self, id: Option<&str>) -> bool {
        self.0.iter().any(|key| id.is_none() || key.id.as_deref() == id)
    }
}

impl Key {
    fn read(jwk: Jwk) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let part = |text: Option<String>| BASE64.decode(text?).ok();
        let (algorithm, public) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => ("RS256", Public::Rsa { n: part(jwk.n)?, e: part(jwk.e)? }),
            ("EC", Some("P-256")) => {
                let (x, y) = (part(jwk.x)?, part(jwk.y)?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                // SEC 1, clause 2.3.3: an uncompressed point begins with 4.
                ("ES256", Public::P256([&[4], x.as_slice(), &y].concat()))
            }
            _ => return None,
        };
        let fits = jwk.alg.as_deref().is_none_or(|alg| alg == algorithm);
        fits.then_some(Self { id: jwk.kid, public })
    }
}

impl Public {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::Rsa { .. }, Algorithm::Es256) | (Self::P256(_), Algorithm::Rs256) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.3: an ES256 signature with its key.
    const KEY: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    const MESSAGE: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    #[test]
    fn the_published_signature_verifies_and_no_other_does() {
        let keys = Keys::read(KEY.as_bytes()).unwrap();
        let signature = BASE64.decode(SIGNATURE).unwrap();
        let verify =
            |algorithm, id, message: &str| keys.verify(algorithm, id, message.as_bytes(), &signature);
        assert!(verify(Algorithm::Es256, None, MESSAGE) && verify(Algorithm::Es256, Some("a"), MESSAGE));
        assert!(!verify(Algorithm::Es256, Some("b"), MESSAGE), "another key's name");
        assert!(!verify(Algorithm::Rs256, None, MESSAGE), "another kind of key");
        assert!(!verify(Algorithm::Es256, None, "eyJhbGciOiJFUzI1NiJ9.e30"), "another message");
    }

    #[test]
    fn keys_that_are_for_something_else_are_passed_over() {
        for other in [
            KEY.replace("\"kid\":\"a\"", "\"use\":\"enc\""),
            KEY.replace("\"kid\":\"a\"", "\"alg\":\"HS256\""),
            KEY.replace("P-256", "P-384"),
            KEY.replace("\"EC\"", "\"oct\""),
            r#"{"keys":[1,{}]}"#.to_owned(),
        ] {
            assert!(!Keys::read(other.as_bytes()).unwrap().has(None), "{other}");
        }
        assert!(Keys::read(b"[]").is_none());
        for name in ["none", "HS256", "rs256", "PS256", ""] {
            assert_eq!(Algorithm::named(name), None);
        }
    }
}
