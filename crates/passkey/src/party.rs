//! The relying party: the name that a passkey is bound to. The authenticator signs the hash of the domain, the browser writes the
//! origin; a page of another site can produce neither.

use ring::digest::{SHA256, digest};

/// Who asks for passkeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    origin: String,
}

/// An address has no name that passkeys could be bound to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} names no domain that passkeys could be bound to: they need https and a name, or this machine")]
pub struct NoDomain(String);

impl RelyingParty {
    /// The party that people reach at an address, such as `https://console.bank.example`. An address of this machine by number
    /// becomes `http://localhost` with the same port, because a passkey is bound to a name (Web Authentication 5.1.2: the RP ID
    /// is a domain string; browsers take `localhost` without TLS, by Secure Contexts 3.1).
    ///
    /// # Errors
    /// [`NoDomain`]: neither https nor this machine, or a number instead of a name.
    pub fn of_address(address: &str) -> Result<Self, NoDomain> {
        let none = || NoDomain(address.to_owned());
        let (scheme, rest) = address.split_once("://").ok_or_else(none)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = split_port(authority).ok_or_else(none)?;
        let local = is_local(host);
        let id = if local { "localhost".to_owned() } else { host.to_ascii_lowercase() };
        if !is_domain(&id) || !(scheme == "https" || (scheme == "http" && local)) {
            return Err(none());
        }
        // An origin leaves out the port that its scheme has anyway (HTML, 7.1.1).
        let usual = if scheme == "https" { "443" } else { "80" };
        let origin = match port.filter(|port| *port != usual) {
            Some(port) => format!("{scheme}://{id}:{port}"),
            None => format!("{scheme}://{id}"),
        };
        Ok(Self { id, origin })
    }

    /// The RP ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where its pages are.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Did a browser come to these pages, by the `Host` that it sent?
    #[must_use]
    pub fn is_at(&self, host: &str) -> bool {
        self.origin.split_once("://").is_some_and(|(_, own)| own.eq_ignore_ascii_case(host))
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(self.id.as_bytes())
    }
}

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, data).as_ref());
    sum
}

/// Host and port; `None` for what is neither.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => is_port(port).then_some((host, Some(port))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => is_port(port).then_some((host, Some(port))),
        None => Some((authority, None)),
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0) && !text.starts_with(['0', '+'])
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// A name of letters, digits, dashes and dots, whose last label is no number.
fn is_domain(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253 && host.split('.').all(label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_domain_and_origin() {
        for (address, id, origin) in [
            ("http://127.0.0.1:8080", "localhost", "http://localhost:8080"),
            ("http://[::1]:8080/", "localhost", "http://localhost:8080"),
            ("http://localhost", "localhost", "http://localhost"),
            ("https://127.0.0.1:8443", "localhost", "https://localhost:8443"),
            ("https://Console.Bank.example/x", "console.bank.example", "https://console.bank.example"),
            ("https://console.bank.example:443", "console.bank.example", "https://console.bank.example"),
        ] {
            let party = RelyingParty::of_address(address).unwrap();
            assert_eq!((party.id(), party.origin()), (id, origin), "{address}");
        }
        for other in [
            "http://console.bank.example",
            "https://192.0.2.7",
            "https://[2001:db8::1]",
            "https://",
            "ftp://localhost",
            "localhost:8080",
            "https://a..b",
            "https://user@bank.example",
            "https://bank.example:0",
            "https://bank.example:99999",
        ] {
            assert!(RelyingParty::of_address(other).is_err(), "{other}");
        }
        let party = RelyingParty::of_address("http://127.0.0.1:8080").unwrap();
        assert!(party.is_at("localhost:8080") && !party.is_at("127.0.0.1:8080") && !party.is_at("localhost"));
    }
}
