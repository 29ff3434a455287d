//! Texts in two languages, from `locales/{en,zh-CN}/*.ftl`. What response codes and reasons mean is not here but in
//! the handbook.

use std::{borrow::Cow, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use handbook::Lang;
use unic_langid::LanguageIdentifier;

type Bundle = FluentBundle<FluentResource>;

static EN: LazyLock<Bundle> = LazyLock::new(|| {
    bundle(
        "en",
        &[
            include_str!("../locales/en/console.ftl"),
            include_str!("../locales/en/pages.ftl"),
            include_str!("../locales/en/rules.ftl"),
            include_str!("../locales/en/errors.ftl"),
            include_str!("../locales/en/alarms.ftl"),
            include_str!("../locales/en/office.ftl"),
            include_str!("../locales/en/messages.ftl"),
            include_str!("../locales/en/desk.ftl"),
            include_str!("../locales/en/holder.ftl"),
            include_str!("../locales/en/receipts.ftl"),
            include_str!("../locales/en/shop.ftl"),
        ],
    )
});

static ZH: LazyLock<Bundle> = LazyLock::new(|| {
    bundle(
        "zh-CN",
        &[
            include_str!("../locales/zh-CN/console.ftl"),
            include_str!("../locales/zh-CN/pages.ftl"),
            include_str!("../locales/zh-CN/rules.ftl"),
            include_str!("../locales/zh-CN/errors.ftl"),
            include_str!("../locales/zh-CN/alarms.ftl"),
            include_str!("../locales/zh-CN/office.ftl"),
            include_str!("../locales/zh-CN/messages.ftl"),
            include_str!("../locales/zh-CN/desk.ftl"),
            include_str!("../locales/zh-CN/holder.ftl"),
            include_str!("../locales/zh-CN/receipts.ftl"),
            include_str!("../locales/zh-CN/shop.ftl"),
        ],
    )
});

fn bundle(lang: &str, files: &[&str]) -> Bundle {
    let lang: LanguageIdentifier = lang.parse().expect("ours are well-formed");
    let mut bundle = Bundle::new_concurrent(vec![lang]);
    // Isolation marks would end up in copied text; both our scripts run from left to right.
    bundle.set_use_isolating(false);
    for file in files {
        let resource = FluentResource::try_new((*file).to_owned()).expect("a test reads the text files");
        bundle.add_resource(resource).expect("a test reads the text files");
    }
    bundle
}

/// Speaks one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Say(pub(crate) Lang);

impl Say {
    /// A text without variables.
    pub(crate) fn t(self, key: &str) -> Cow<'static, str> {
        self.find(key, None)
    }

    /// A text with variables.
    pub(crate) fn with<const N: usize>(
        self,
        key: &str,
        values: [(&'static str, FluentValue<'_>); N],
    ) -> Cow<'static, str> {
        let args: FluentArgs<'_> = values.into_iter().collect();
        self.find(key, Some(&args))
    }

    /// A text that may be missing: its key comes from data, such as the kind of a transaction.
    pub(crate) fn maybe(self, key: &str) -> Option<Cow<'static, str>> {
        self.bundle().has_message(key).then(|| self.t(key))
    }

    /// Is there such a text?
    pub(crate) fn has(self, key: &str) -> bool {
        self.bundle().has_message(key)
    }

    fn bundle(self) -> &'static Bundle {
        match self.0 {
            Lang::En => &EN,
            Lang::Zh => &ZH,
        }
    }

    /// A missing text shows its key in angle quotes: tests and the browser suite look for them.
    fn find(self, key: &str, args: Option<&FluentArgs<'_>>) -> Cow<'static, str> {
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(key).and_then(|m| m.value()) else {
            tracing::error!(key, lang = %self.0, "a text is missing");
            return Cow::Owned(format!("\u{ab}{key}\u{bb}"));
        };
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, args, &mut errors);
        debug_assert!(errors.is_empty(), "{key}: {errors:?}");
        Cow::Owned(text.into_owned())
    }
}

/// The language that `Accept-Language` prefers of ours; English when it names neither.
pub(crate) fn accepted(header: &str) -> Lang {
    header
        .split(',')
        .filter_map(|part| {
            let (tag, q) =
                part.split_once(";q=").map_or((part, 1.0), |(tag, q)| (tag, q.trim().parse().unwrap_or(0.0)));
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let lang = if primary.eq_ignore_ascii_case("zh") {
                Lang::Zh
            } else if primary.eq_ignore_ascii_case("en") {
                Lang::En
            } else {
                return None;
            };
            (q > 0.0).then_some((lang, q))
        })
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map_or(Lang::En, |(lang, _)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_says_which_language() {
        for (header, lang) in [
            ("", Lang::En),
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("en-GB,zh;q=0.9", Lang::En),
            ("fr, zh;q=0.3, en;q=0.7", Lang::En),
            ("fr-FR", Lang::En),
            ("zh;q=0, en;q=0.1", Lang::En),
        ] {
            assert_eq!(accepted(header), lang, "{header}");
        }
    }
}
