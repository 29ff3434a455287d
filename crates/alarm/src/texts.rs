//! Words in two languages, out of `texts/texts.toml`, which is part of the program.

use std::{collections::HashMap, sync::LazyLock};

use crate::alert::Text;

const FILE: &str = include_str!("../texts/texts.toml");

static TEXTS: LazyLock<HashMap<String, HashMap<String, Text>>> =
    LazyLock::new(|| toml::from_str(FILE).unwrap_or_default());

/// A text with what is counted or named put in; the key itself where there is none, which a test excludes.
#[must_use]
pub fn text(section: &str, key: &str, value: &str) -> Text {
    match TEXTS.get(section).and_then(|texts| texts.get(key)) {
        Some(text) => Text { zh: text.zh.replace("{0}", value), en: text.en.replace("{0}", value) },
        None => Text { zh: key.to_owned(), en: key.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alert::Severity, desk::Reason};

    #[test]
    fn every_text_is_there() {
        let reasons = [Reason::Opened, Reason::Escalated, Reason::Worsened, Reason::Over, Reason::Test]
            .map(Reason::event_type);
        let wanted = Severity::ALL
            .iter()
            .map(|severity| ("severity", severity.name()))
            .chain(reasons.map(|reason| ("reason", reason)))
            .chain(["scope", "since", "count", "over", "link", "foot"].map(|line| ("line", line)))
            .chain(["title", "body"].map(|part| ("webhook-disabled", part)))
            .chain(["title", "body"].map(|part| ("shared-key", part)))
            .chain(["over", "absorbed", "retracted", "closed"].map(|end| ("incident", end)))
            .chain(
                ["terminal", "merchant", "card", "bin", "zone", "firmware", "network", "instance", "agent"]
                    .map(|kind| ("scope", kind)),
            )
            .chain(["title", "body"].map(|part| ("rule-demoted", part)))
            .chain([("rule", "body")]);
        for (section, key) in wanted {
            let found = text(section, key, "7");
            assert!(found.zh != key && !found.zh.is_empty() && !found.en.is_empty(), "{section}.{key}");
        }
        assert_eq!(text("line", "count", "7").en, "7 alerts so far");
    }
}
