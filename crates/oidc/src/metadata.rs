//! What a provider says about itself (OpenID Connect Discovery 1.0 §3, §4.3).

use serde::Deserialize;

/// The addresses that we use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
}

/// Where it stands.
pub(crate) fn address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Metadata {
    /// What is said in the name of this issuer, and of no other.
    pub(crate) fn read(bytes: &[u8], issuer: &str) -> Option<Self> {
        let metadata: Self = serde_json::from_slice(bytes).ok()?;
        (metadata.issuer == issuer).then_some(metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_issuer_is_not_believed() {
        let text = br#"{"issuer":"https://a.example","authorization_endpoint":"https://a.example/a","token_endpoint":"https://a.example/t","jwks_uri":"https://a.example/k","more":1}"#;
        assert!(Metadata::read(text, "https://a.example").is_some());
        assert!(
            Metadata::read(text, "https://a.example/").is_none()
                && Metadata::read(text, "https://b.example").is_none()
        );
        assert_eq!(address("https://a.example/x/"), "https://a.example/x/.well-known/openid-configuration");
    }
}
