//! What is raised: an alert, in words for people and in names for programs.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::matter::masked;

/// The longest name: of a kind, a scope, a group.
const NAME_LEN_MAX: usize = 128;
/// The longest title in characters.
const TITLE_LEN_MAX: usize = 200;
/// The longest body in characters.
const BODY_LEN_MAX: usize = 4000;
const LINK_LEN_MAX: usize = 500;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To be known.
    #[default]
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = AlertError;

    fn from_str(text: &str) -> Result<Self, AlertError> {
        let found = Self::ALL.into_iter().find(|severity| severity.name() == text);
        found.ok_or_else(|| AlertError("a severity is info, warning or critical".to_owned()))
    }
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// `terminal`, `merchant`, `card`, `bin`, `zone`, `firmware`, `network`, `instance`, `agent`, `rule` …
    pub kind: String,
    /// Which; a card by its id, never by its number.
    pub id: String,
}

/// The same in two languages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Text {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// Something that a person should know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What belongs together, such as an incident's number; without it kind and scope do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its fixed name: a cause such as `wrong-terminal-key`, or a rule's.
    pub kind: String,
    /// What it is about.
    pub scope: Scope,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: Text,
    /// What happened and what to do.
    pub body: Text,
    /// Where in the console there is more, such as `/incidents/17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}

/// What an alert may not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AlertError(pub(crate) String);

impl Alert {
    /// What belongs together has the same key.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.group {
            Some(group) => format!("group {group}"),
            None => format!("{} {} {}", self.kind, self.scope.kind, self.scope.id),
        }
    }

    /// The alert with card numbers masked, if it is one: names short, texts there.
    ///
    /// # Errors
    /// [`AlertError`] with what is wrong.
    pub fn checked(self) -> Result<Self, AlertError> {
        let Self { group, kind, scope, severity, title, body, link, at } = self;
        let name = |what: &str, name: String| {
            let fits = !name.is_empty() && name.len() <= NAME_LEN_MAX && !name.contains(char::is_control);
            if fits {
                Ok(masked(&name))
            } else {
                Err(AlertError(format!("{what} has 1 to {NAME_LEN_MAX} bytes")))
            }
        };
        let text = |what: &str, text: Text, longest: usize| {
            let [zh, en] = [text.zh, text.en].map(|t| masked(&t.chars().take(longest).collect::<String>()));
            if zh.trim().is_empty() || en.trim().is_empty() {
                return Err(AlertError(format!("{what} is needed in both languages")));
            }
            Ok(Text { zh, en })
        };
        if link.as_ref().is_some_and(|link| !is_path(link)) {
            return Err(AlertError("a link is a path in the console, such as /incidents/17".to_owned()));
        }
        Ok(Self {
            group: group.map(|group| name("a group", group)).transpose()?,
            kind: name("a kind", kind)?,
            scope: Scope { kind: name("a scope's kind", scope.kind)?, id: name("a scope's id", scope.id)? },
            severity,
            title: text("a title", title, TITLE_LEN_MAX)?,
            body: text("a body", body, BODY_LEN_MAX)?,
            link,
            at,
        })
    }
}

/// A path of the console, and nothing that leads elsewhere.
fn is_path(link: &str) -> bool {
    link.len() <= LINK_LEN_MAX
        && link.starts_with('/')
        && !link.starts_with("//")
        && link.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\'))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn alert(terminal: &str, severity: Severity, at: i64) -> Alert {
        let text = |text: &str| Text { zh: format!("zh {text}"), en: text.to_owned() };
        Alert {
            group: None,
            kind: "wrong-terminal-key".to_owned(),
            scope: Scope { kind: "terminal".to_owned(), id: terminal.to_owned() },
            severity,
            title: text("key out of step"),
            body: text("sign in again"),
            link: Some("/incidents/17".to_owned()),
            at: Timestamp(at),
        }
    }

    #[test]
    fn what_belongs_together_has_one_key() {
        let mut one = alert("T1", Severity::Info, 1);
        assert_eq!(one.key(), alert("T1", Severity::Critical, 2).key());
        assert_ne!(one.key(), alert("T2", Severity::Info, 1).key());
        one.group = Some("17".to_owned());
        assert_eq!(one.key(), "group 17");
    }

    #[test]
    fn an_alert_is_checked_and_masked() {
        let mut good = alert("T1", Severity::Info, 1);
        good.body.en = "card 6216261000000000018".to_owned();
        good.scope.id = "6216261000000000018".to_owned();
        let good = good.checked().unwrap();
        assert_eq!(good.body.en, "card 621626*********0018");
        assert_eq!(good.scope.id, "621626*********0018");
        type Spoil = fn(&mut Alert);
        let spoils: [Spoil; 7] = [
            |a| a.kind = String::new(),
            |a| a.kind = "k".repeat(129),
            |a| a.scope.id = "a\nb".to_owned(),
            |a| a.title.zh = " ".to_owned(),
            |a| a.body.en = String::new(),
            |a| a.link = Some("//elsewhere".to_owned()),
            |a| a.link = Some("https://elsewhere".to_owned()),
        ];
        for spoil in spoils {
            let mut bad = alert("T1", Severity::Info, 1);
            spoil(&mut bad);
            assert!(bad.clone().checked().is_err(), "{bad:?}");
        }
        let mut long = alert("T1", Severity::Info, 1);
        long.body.zh = "\u{949f}".repeat(5000);
        assert_eq!(long.checked().unwrap().body.zh.chars().count(), BODY_LEN_MAX);
    }

    #[test]
    fn severities_have_an_order_and_names() {
        assert!(Severity::Critical > Severity::Warning && Severity::Warning > Severity::Info);
        for severity in Severity::ALL {
            assert_eq!(severity.name().parse(), Ok(severity));
        }
        assert!("bad".parse::<Severity>().is_err());
    }
}
