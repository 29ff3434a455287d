//! What an operator sets: which provider, under which name it knows us, and which of its claims are roles.

use std::{collections::BTreeMap, path::PathBuf};

use alarm::webhook::guard::Network;
use serde::{Deserialize, Serialize};
use staff::Role;
use url::Url;

/// `[console.oidc]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The provider's issuer identifier, exactly as it stands in its ID tokens.
    pub issuer: String,
    /// Under which name the provider knows us.
    pub client_id: String,
    /// A file with the secret that goes with it; without one we are a public client, protected by PKCE alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// What stands on the button of the sign-in page.
    pub name: String,
    /// What is asked for besides `openid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The claim that lists groups or roles. With it, a session has those roles of the account that the provider confirms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_claim: Option<String>,
    /// What a value of that claim means here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Role>,
    /// May an account that an administrator bound to a mail address be claimed by whoever proves that address first?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bind_by_email: bool,
    /// One of these must be among the methods by which the provider authenticated the person (`amr`, RFC 8176), such as `mfa`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require_amr: Vec<String>,
    /// Internal networks that the provider's other addresses may be in; its own host may be anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Network>,
    /// PEM file with the authorities that sign the provider's certificate, in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// What is wrong with the settings, with the key's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("console.oidc.{key}: {problem}")]
pub struct Trouble {
    /// The key.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Settings {
    /// Everything that makes no sense, at once.
    #[must_use]
    pub fn problems(&self) -> Vec<Trouble> {
        let mut found = Vec::new();
        let mut wrong = |key, problem: &str| found.push(Trouble { key, problem: problem.to_owned() });
        if let Err(problem) = issuer(&self.issuer) {
            wrong("issuer", problem);
        }
        if self.client_id.is_empty() {
            wrong("client_id", "must be given");
        }
        if self.name.trim().is_empty() {
            wrong("name", "must be given: it stands on the sign-in page");
        }
        if self.roles_claim.is_some() && self.roles.is_empty() {
            wrong("roles", "no value of the claim is a role, so nobody could do anything");
        }
        if self.roles_claim.is_none() && !self.roles.is_empty() {
            wrong("roles_claim", "must be given with roles");
        }
        found
    }
}

/// The issuer as an address: with TLS, or on this machine (OpenID Connect Discovery 1.0 §3).
pub(crate) fn issuer(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "not an address such as https://login.bank.example/realm")?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("an issuer has no query, fragment or user");
    }
    if url.scheme() == "https" || url.scheme() == "http" && is_here(&url) {
        Ok(url)
    } else {
        Err("https only, except on this machine")
    }
}

/// Is it this machine?
pub(crate) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_has_tls_or_is_on_this_machine() {
        for good in [
            "https://login.bank.example",
            "https://a.example/realms/x",
            "http://127.0.0.1:9",
            "http://[::1]:9",
        ] {
            assert!(issuer(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.bank.example",
            "https://a.example/?x",
            "https://u@a.example",
            "ftp://127.0.0.1",
            "login",
            "http://10.0.0.1",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }
}
