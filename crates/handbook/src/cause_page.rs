//! The page about causes, `docs/reference/causes.md` and `causes.zh-CN.md`: made from the data, so that it cannot say
//! something else. `pinward explain causes` prints it; a test compares the files.

use std::fmt::Write as _;

use diagnosis::cause::Origin;

use crate::{CauseFacts, CauseText, Lang, Role, cause_texts, evidence_texts, labels};

/// The page in Markdown.
#[must_use]
pub fn causes_page(lang: Lang) -> String {
    let words = labels(lang);
    let mut page = words.causes_intro.clone();
    for entry in cause_texts() {
        let _ = write!(page, "\n## {}\n\n{}\n\n", entry.cause(), about(lang, entry));
        for role in Role::ALL {
            let _ = writeln!(page, "- **{}**{}{}", role.text(lang), words.colon, entry.todo(lang, role));
        }
        let _ = writeln!(page, "- **{}**{}{}", words.prevention, words.colon, entry.prevention(lang));
    }
    let _ = write!(page, "\n{}\n\n", words.evidence_intro);
    for entry in evidence_texts() {
        let sentence = entry.sentence(lang, &[]);
        let _ = writeln!(page, "- `{}` **{}**{}{sentence}", entry.name(), entry.label(lang), words.colon);
    }
    page
}

fn about(lang: Lang, entry: &CauseText) -> String {
    let origin = match entry.cause().origin() {
        Origin::Holder => lang.pick("持卡人", "cardholder"),
        Origin::Fault => lang.pick("故障", "fault"),
        Origin::Attack => lang.pick("攻击", "attack"),
    };
    let name = entry.name(lang);
    let sentence = entry.sentence(lang, &CauseFacts::default());
    match lang {
        Lang::Zh => format!("**{name}**（{origin}）。{sentence}"),
        Lang::En => format!("**{name}** ({origin}). {sentence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test reads the documentation")]
    fn the_page_is_that_of_the_data() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
        for (lang, name) in [(Lang::En, "causes.md"), (Lang::Zh, "causes.zh-CN.md")] {
            let page = std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(
                page == causes_page(lang),
                "{name}: `pinward explain causes --lang {lang}` writes it anew"
            );
        }
    }
}
