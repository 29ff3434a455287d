//! The two languages.

use std::{fmt, str::FromStr};

use model::Invalid;
use serde::Deserialize;

/// A language of the handbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Simplified Chinese, `zh-CN`.
    Zh,
    /// English.
    #[default]
    En,
}

impl Lang {
    /// Both, Chinese first: most tills that speak this dialect are Chinese.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The tag for `lang="…"` in a page and for `Content-Language`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The one of two texts that is in this language.
    #[must_use]
    pub fn pick<'t>(self, zh: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The language of a POSIX locale such as `zh_CN.UTF-8`; English for `C`, for an empty one and for every
    /// language that is not here.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Zh } else { Self::En }
    }
}

impl FromStr for Lang {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "zh" | "zh-CN" => Ok(Self::Zh),
            "en" => Ok(Self::En),
            _ => Err(Invalid { noun: "language", expected: "zh, zh-CN or en" }),
        }
    }
}

impl fmt::Display for Lang {
    /// The short name, as in `--lang`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zh => "zh",
            Self::En => "en",
        })
    }
}

/// One text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    zh: String,
    en: String,
}

impl Bilingual {
    /// Of two texts.
    #[must_use]
    pub fn new(zh: String, en: String) -> Self {
        Self { zh, en }
    }

    /// The one in this language.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_from_options_and_locales() {
        assert_eq!("zh-CN".parse(), Ok(Lang::Zh));
        assert_eq!(Lang::Zh.to_string().parse(), Ok(Lang::Zh));
        assert!("fr".parse::<Lang>().is_err());
        for (locale, lang) in [
            ("zh_CN.UTF-8", Lang::Zh),
            ("zh", Lang::Zh),
            ("en_GB.UTF-8", Lang::En),
            ("C", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(Lang::of_locale(locale), lang, "{locale}");
        }
    }
}
