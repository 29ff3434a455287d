//! The URL of a database. It may hold a password, so it prints without; it is written in full into `pinward.toml` only,
//! which its owner alone may read.

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::command::Usage;

/// `postgres://role:password@host/database`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct StoreUrl(String);

impl StoreUrl {
    /// With its password.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Role, password, and what follows the `@`.
    fn parts(&self) -> (&str, Option<&str>, &str) {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (role, password) = match who.split_once(':') {
            Some((role, password)) => (role, Some(password)),
            None => (who, None),
        };
        (role, password, place)
    }

    /// The password of a file or of `PGPASSWORD`, unless the URL has one itself.
    pub(crate) fn with_password(self, file: Option<&Path>) -> Result<Self, Usage> {
        let (role, own, place) = self.parts();
        if own.is_some() {
            return Ok(self);
        }
        let password = match file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|e| Usage(format!("store_password_file {}: {e}", file.display())))?,
            None => match std::env::var("PGPASSWORD") {
                Ok(password) => password,
                Err(_) => return Ok(self),
            },
        };
        let password = encoded(password.trim_end_matches(['\r', '\n']));
        Ok(Self(format!("postgres://{role}:{password}@{place}")))
    }
}

/// Percent-encoded as in RFC 3986, section 2: everything but unreserved characters.
fn encoded(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The text itself is not quoted: it may hold a password.
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err("a store is named by a URL that begins with postgres://".to_owned());
        }
        let url = Self(text);
        let (role, _, place) = url.parts();
        if role.is_empty() {
            return Err("the store's URL names no role: postgres://ROLE@HOST/DATABASE".to_owned());
        }
        if place.to_ascii_lowercase().contains("password=") {
            return Err("the store's password stands before the @, in store_password_file, or in PGPASSWORD"
                .to_owned());
        }
        Ok(url)
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, password, place) = self.parts();
        let stars = if password.is_some() { ":***" } else { "" };
        write!(f, "postgres://{role}{stars}@{place}")
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_printed() {
        for (url, shown) in [
            ("postgres://u:pw@db1,db2/x", "postgres://u:***@db1,db2/x"),
            ("postgresql://u@%2Frun%2Fpg/x?port=5433", "postgres://u@%2Frun%2Fpg/x?port=5433"),
            // Unencoded, as people type it: not a character of it is shown.
            ("postgres://u:p@w/p:w@db/x", "postgres://u:***@db/x"),
        ] {
            let url: StoreUrl = url.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
        let refused = ["mysql://u:pw@h/x", "postgres://db/x", "postgres://u@h/x?password=pw"];
        for error in refused.map(|url| url.parse::<StoreUrl>().unwrap_err()) {
            assert!(!error.contains("pw"), "{error}");
        }
    }

    #[test]
    fn a_password_comes_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "a b@c/:\n").unwrap();
        let url: StoreUrl = "postgres://u@h/x".parse().unwrap();
        assert_eq!(url.with_password(Some(&file)).unwrap().reveal(), "postgres://u:a%20b%40c%2F%3A@h/x");
        let own: StoreUrl = "postgres://u:own@h/x".parse().unwrap();
        assert_eq!(own.with_password(Some(&file)).unwrap().reveal(), "postgres://u:own@h/x");
    }
}
