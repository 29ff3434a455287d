//! Where a webhook may go: not into our own network. Whoever may enter an address could otherwise make this program call what
//! only this machine can reach (server-side request forgery), such as the address from which a cloud gives out its keys.
//!
//! The name is resolved here, every address of it is looked at, and the connection goes to the very address that was
//! looked at; a second look-up could answer otherwise (DNS rebinding). Redirects are not followed. Without TLS nothing
//! leaves, except towards networks that the operator has allowed.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A name that takes longer to resolve is not waited for.
const RESOLVE_MAX: Duration = Duration::from_secs(5);

/// Addresses with a common beginning, such as `10.2.0.0/16`; one address without a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    length: u8,
}

impl Network {
    /// Is it one of these? An IPv4 address inside of an IPv6 address is the IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let left = |bits: u128, width: u8| bits >> u32::from(width - self.length).min(127);
        match (self.base, ip.to_canonical()) {
            _ if self.length == 0 => self.base.is_ipv4() == ip.to_canonical().is_ipv4(),
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                left(u128::from(base.to_bits()), 32) == left(u128::from(ip.to_bits()), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => left(base.to_bits(), 128) == left(ip.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no network, such as 10.2.0.0/16 or 192.0.2.7");
        let (base, length) = match text.split_once('/') {
            Some((base, length)) => (base, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(most), |length| length.parse().map_err(|_| wrong()))?;
        if length > most { Err(wrong()) } else { Ok(Self { base, length }) }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.length)
    }
}

/// Why a webhook may not go there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// It is no address of the web.
    #[error("not an address such as https://example.com/hook: {0}")]
    NotAnAddress(String),
    /// It would be sent in clear.
    #[error("https only: what is sent in clear can be read and forged on the way")]
    NotSecure,
    /// User and password do not belong into an address.
    #[error("no user and password in the address")]
    Credentials,
    /// It leads into our own network.
    #[error("{0} is an internal address: alarms.allow lists those that may be used")]
    Internal(IpAddr),
    /// Its name leads nowhere.
    #[error("the name {0} cannot be resolved")]
    Unresolved(String),
}

/// An address that was looked at: where to connect, and what to ask for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The very address.
    pub address: SocketAddr,
    /// With TLS?
    pub secure: bool,
    /// The name, for the certificate.
    pub name: String,
    /// The header `host`.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// The parts of an address that can be looked at without asking anybody.
///
/// # Errors
/// [`Barred`].
pub fn parse(text: &str, allow: &[Network]) -> Result<Url, Barred> {
    let url = Url::parse(text).map_err(|error| Barred::NotAnAddress(error.to_string()))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(Barred::NotAnAddress(format!("{} is not of the web", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Barred::Credentials);
    }
    // In clear only where somebody allowed it, which is known of addresses, not of names.
    if url.scheme() == "http" && allow.is_empty() {
        return Err(Barred::NotSecure);
    }
    if let Some(ip) = literal(&url) {
        admit(ip, url.scheme() == "https", allow)?;
    }
    Ok(url)
}

/// Resolves a name and looks at all its addresses. One that is internal bars them all: a name that leads to both is not
/// an accident.
///
/// # Errors
/// [`Barred`].
pub async fn check(text: &str, allow: &[Network]) -> Result<Checked, Barred> {
    let url = parse(text, allow)?;
    let secure = url.scheme() == "https";
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match literal(&url) {
        Some(ip) => vec![SocketAddr::new(ip, port)],
        None => resolve(&host, port).await?,
    };
    for address in &addresses {
        admit(address.ip(), secure, allow)?;
    }
    let address = *addresses.first().ok_or_else(|| Barred::Unresolved(host.clone()))?;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    let name = host.trim_matches(['[', ']']).to_owned();
    Ok(Checked { address, secure, name, authority, path })
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Barred> {
    let unresolved = || Barred::Unresolved(host.to_owned());
    let found = tokio::time::timeout(RESOLVE_MAX, tokio::net::lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = found.map_err(|_| unresolved())?.map_err(|_| unresolved())?.collect();
    if found.is_empty() { Err(unresolved()) } else { Ok(found) }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

fn admit(ip: IpAddr, secure: bool, allow: &[Network]) -> Result<(), Barred> {
    if allow.iter().any(|network| network.contains(ip)) {
        Ok(())
    } else if is_internal(ip) {
        Err(Barred::Internal(ip))
    } else if secure {
        Ok(())
    } else {
        Err(Barred::NotSecure)
    }
}

/// Is it anything but an address of the public Internet? IANA's registries of special-purpose addresses (RFC 6890 and its
/// updates), with what is embedded in IPv6 addresses looked at too.
#[must_use]
pub fn is_internal(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_internal_v4(ip),
        IpAddr::V6(ip) => is_internal_v6(ip),
    }
}

fn is_internal_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        // this network, private, loopback, multicast, reserved, broadcast
        (0 | 10 | 127 | 224..=255, _, _) => true,
        // shared by carriers (RFC 6598)
        (100, 64..=127, _) => true,
        (169, 254, _) | (192, 168, _) | (172, 16..=31, _) => true,
        // protocol assignments, documentation, 6to4 relays, benchmarks
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    }
}

fn is_internal_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_internal_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4 in IPv6 (RFC 4291), and behind the well-known translation prefix (RFC 6052)
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4 (RFC 3056)
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo and other protocol assignments, documentation
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => true,
        // Of the rest only global unicast is public: not unique local, link-local, site-local, multicast.
        [first, ..] => !(0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_addresses_are_known_in_every_dress() {
        let internal = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.2.3",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "3fff::1",
            "5f00::1",
        ];
        for text in internal {
            assert!(is_internal(text.parse().unwrap()), "{text}");
        }
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.254",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ];
        for text in public {
            assert!(!is_internal(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let holds =
            |network: &str, ip: &str| network.parse::<Network>().unwrap().contains(ip.parse().unwrap());
        assert!(holds("10.2.0.0/16", "10.2.255.1") && !holds("10.2.0.0/16", "10.3.0.1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe12::1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::2"));
        assert!(holds("::1/128", "::1") && !holds("::1", "::2") && !holds("10.0.0.0/8", "::1"));
        for bad in ["", "10.0.0.0/33", "::/129", "example.com", "10.0.0.0/x", "10.0.0/8"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert_eq!("10.2.0.0/16".parse::<Network>().unwrap().to_string(), "10.2.0.0/16");
    }

    async fn barred(text: &str, allow: &[&str]) -> Option<Barred> {
        let allow: Vec<Network> = allow.iter().map(|network| network.parse().unwrap()).collect();
        check(text, &allow).await.err()
    }

    #[tokio::test]
    async fn nothing_leads_inside() {
        let loopback = Barred::Internal("127.0.0.1".parse().unwrap());
        // The forms in which an IPv4 address is understood by somebody.
        for text in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://127.0.0.1:8443/hook",
        ] {
            assert_eq!(barred(text, &[]).await, Some(loopback.clone()), "{text}");
        }
        for text in [
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://[fd00::1]/",
        ] {
            assert!(matches!(barred(text, &[]).await, Some(Barred::Internal(_))), "{text}");
        }
        // A name that leads inside is found out when it is resolved.
        assert!(matches!(barred("https://localhost/", &[]).await, Some(Barred::Internal(_))));
    }

    #[tokio::test]
    async fn what_is_no_safe_address_is_said() {
        assert_eq!(barred("http://8.8.8.8/", &[]).await, Some(Barred::NotSecure));
        assert_eq!(
            barred("http://8.8.8.8/", &["127.0.0.1"]).await,
            Some(Barred::NotSecure),
            "another is allowed"
        );
        assert_eq!(barred("https://u:p@8.8.8.8/", &[]).await, Some(Barred::Credentials));
        for text in ["", "hook", "ftp://8.8.8.8/", "file:///etc/passwd", "https://", "javascript:1"] {
            assert!(matches!(barred(text, &[]).await, Some(Barred::NotAnAddress(_))), "{text}");
        }
        let nowhere = barred("https://no-such-name.invalid/", &[]).await;
        assert!(matches!(nowhere, Some(Barred::Unresolved(_))), "{nowhere:?}");
    }

    #[tokio::test]
    async fn what_is_allowed_is_reached_as_it_was_looked_at() {
        let allow = ["127.0.0.1".parse().unwrap()];
        let checked = check("http://127.0.0.1:8099/a/b?c=d#e", &allow).await.unwrap();
        assert_eq!(checked.address, "127.0.0.1:8099".parse().unwrap());
        assert_eq!((checked.authority.as_str(), checked.path.as_str()), ("127.0.0.1:8099", "/a/b?c=d"));
        let public = check("https://8.8.8.8/x", &[]).await.unwrap();
        assert_eq!((public.address, public.secure), ("8.8.8.8:443".parse().unwrap(), true));
        let six = check("https://[2606:4700:4700::1111]:8443/", &[]).await.unwrap();
        assert_eq!(
            (six.name.as_str(), six.authority.as_str()),
            ("2606:4700:4700::1111", "[2606:4700:4700::1111]:8443")
        );
    }
}
