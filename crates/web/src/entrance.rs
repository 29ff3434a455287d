//! How requests come in: under which name, from which page, and what a browser is told when they come with TLS.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::{router::Shared, state::Entrance};

/// Browsers ask with TLS only, for a year (RFC 6797). Other names of the same domain are not ours to decide about.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// A cookie of this name is for this very host, with TLS, and for every path (RFC 6265bis §4.1.3.2).
const HOST_PREFIX: &str = "__Host-";
/// Cookies that say who asks.
const OWN: &str = "pinward_";

/// The name under which such a cookie comes.
pub(crate) fn cookie_name(name: &str, secure: bool) -> String {
    if secure { format!("{HOST_PREFIX}{name}") } else { name.to_owned() }
}

/// With TLS no cookie leaves without `Secure`, whoever made it, and browsers are told to stay with TLS.
pub(crate) async fn keep_secure(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if !state.web.entrance.secure {
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    let cookies: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().filter_map(secured).collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

fn secured(cookie: &HeaderValue) -> Option<HeaderValue> {
    let text = cookie.to_str().ok()?;
    let prefix = if text.starts_with(OWN) { HOST_PREFIX } else { "" };
    HeaderValue::from_str(&format!("{prefix}{text}; Secure")).ok()
}

/// Is it a page of ours that asks, or no page at all? Browsers say where a request comes from (Fetch Metadata, and `Origin`).
pub(crate) fn is_from_here(headers: &HeaderMap, secure: bool) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let scheme = if secure { "https" } else { "http" };
            let named = origin.split_once("://").filter(|(said, _)| *said == scheme).map(|(_, host)| host);
            named.is_some() && named == text("host")
        }
        (None, None) => true,
    }
}

/// Is it one of the configured names, or one of this machine's own?
pub(crate) fn is_own_name(host: &str, entrance: &Entrance) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || entrance.names.iter().any(|own| own.eq_ignore_ascii_case(name))
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Is a path text once its escapes are undone (RFC 3986 §2.1)?
pub(crate) fn is_text(path: &str) -> bool {
    let mut bytes = path.bytes();
    let mut text = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let escaped = || {
            let mut ahead = bytes.clone();
            let value = digit(ahead.next())? * 16 + digit(ahead.next())?;
            Some((u8::try_from(value).ok()?, ahead))
        };
        match if byte == b'%' { escaped() } else { None } {
            Some((value, ahead)) => {
                text.push(value);
                bytes = ahead;
            }
            None => text.push(byte),
        }
    }
    std::str::from_utf8(&text).is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{is_from_here, is_own_name, is_text, secured};
    use crate::state::Entrance;

    fn from(pairs: &[(&'static str, &'static str)], secure: bool) -> bool {
        let headers: HeaderMap =
            pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect();
        is_from_here(&headers, secure)
    }

    #[test]
    fn what_changes_something_comes_from_our_own_pages_or_from_no_page() {
        let host = ("host", "127.0.0.1:8080");
        assert!(from(&[host], false), "a program");
        assert!(from(&[host, ("sec-fetch-site", "same-origin")], false));
        assert!(from(&[host, ("origin", "http://127.0.0.1:8080")], false));
        for foreign in ["cross-site", "same-site", "anything"] {
            assert!(!from(&[host, ("sec-fetch-site", foreign)], false), "{foreign}");
        }
        for foreign in
            ["http://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1:8080.evil.example"]
        {
            assert!(!from(&[host, ("origin", foreign)], false), "{foreign}");
        }
        assert!(!from(&[host, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "cross-site")], false));
        let named = ("host", "pinward.bank.example");
        assert!(from(&[named, ("origin", "https://pinward.bank.example")], true));
        assert!(!from(&[named, ("origin", "http://pinward.bank.example")], true), "the same name in clear");
    }

    #[test]
    fn only_own_names_are_answered() {
        let here = Entrance::default();
        for own in ["127.0.0.1:8080", "127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:8080"] {
            assert!(is_own_name(own, &here), "{own}");
        }
        for other in
            ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.168.1.7", "", "[fe80::1]"]
        {
            assert!(!is_own_name(other, &here), "{other}");
        }
        let named = Entrance {
            names: vec!["pinward.bank.example".into(), "192.168.1.7".into()],
            secure: true,
            ..here
        };
        for own in ["pinward.bank.example", "Pinward.Bank.Example:8443", "192.168.1.7:8443"] {
            assert!(is_own_name(own, &named), "{own}");
        }
        for other in ["bank.example", "x.pinward.bank.example", "192.168.1.8"] {
            assert!(!is_own_name(other, &named), "{other}");
        }
    }

    #[test]
    fn an_address_that_is_no_text_is_found_out() {
        for text in ["/cards/a", "/cards/%E5%8D%A1", "/%", "/%zz", "/%2"] {
            assert!(is_text(text), "{text}");
        }
        for none in ["/cards/%FF", "/%e5%8d", "/%C0%AF"] {
            assert!(!is_text(none), "{none}");
        }
    }

    #[test]
    fn with_tls_every_cookie_is_for_tls_and_ours_for_this_host() {
        let secure = |text: &'static str| secured(&HeaderValue::from_static(text)).unwrap();
        assert_eq!(
            secure("pinward_session=a; Path=/; HttpOnly"),
            "__Host-pinward_session=a; Path=/; HttpOnly; Secure"
        );
        assert_eq!(secure("lang=zh; Path=/"), "lang=zh; Path=/; Secure");
    }
}
