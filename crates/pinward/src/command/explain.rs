//! `pinward explain [CODE]`: what a response code, one of our reasons or a cause of the diagnosis means, and what to do.
//!
//! Prints the handbook on stdout; what is not an entry (an unknown code, hints) goes to stderr.

use std::{fmt::Write as _, io::Write as _, process::ExitCode};

use authorization::Profile;
use handbook::{Audience, CauseFacts, CauseText, CodeEntry, Facts, Lang, ReasonText, Role};
use model::ReasonCode;
use serde_json::{Value, json};

/// The network profiles whose answers are shown.
const PROFILES: [&str; 3] = ["unionpay", "iso87", "iso93"];

/// Exit code for a code or reason that nobody listed.
const UNKNOWN: u8 = 3;

/// How many similar names are offered.
const SUGGESTIONS_MAX: usize = 5;

/// Explain a response code, a reason or a cause: what happened, what it does to the PIN try counter, what to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A response code (75, A0, 117), a reason (pin-block-unreadable) or a cause of the diagnosis (keypad-fault);
    /// without one, all are listed; `causes` prints the whole page about causes
    code: Option<String>,

    /// Language: zh or en [default: from LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,

    /// Print JSON, with the texts in both languages
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(options: Options) -> ExitCode {
    let lang = options.lang.unwrap_or_else(lang_of_environment);
    let answers = Answers::of_builtin_profiles();
    let page = match options.code.as_deref().map(str::trim) {
        None if options.json => json_text(&list_json(&answers)),
        None => list_text(lang, &answers),
        Some("causes") if options.json => json_text(&causes_json()),
        Some("causes") => handbook::causes_page(lang),
        Some(wanted) => match (find(wanted), options.json) {
            (Some(Entry::Code(entry)), true) => json_text(&code_json(entry, &answers)),
            (Some(Entry::Code(entry)), false) => code_text(lang, entry, &answers),
            (Some(Entry::Reason(entry)), true) => json_text(&reason_json(entry, &answers)),
            (Some(Entry::Reason(entry)), false) => reason_text(lang, entry, &answers),
            (Some(Entry::Cause(entry)), true) => json_text(&cause_json(entry)),
            (Some(Entry::Cause(entry)), false) => cause_text(lang, entry),
            (None, _) => {
                eprint!("{}", unknown_text(lang, wanted));
                return ExitCode::from(UNKNOWN);
            }
        },
    };
    // A reader that went away, such as `head`, is not an error.
    let _ = std::io::stdout().lock().write_all(page.as_bytes());
    ExitCode::SUCCESS
}

/// The first of the three variables that is set decides, as in POSIX.
pub(crate) fn lang_of_environment() -> Lang {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .map_or(Lang::En, |locale| Lang::of_locale(&locale))
}

enum Entry {
    Code(&'static CodeEntry),
    Reason(&'static ReasonText),
    Cause(&'static CauseText),
}

/// Codes are found in either case, reasons and causes also with underscores.
fn find(wanted: &str) -> Option<Entry> {
    let name = wanted.to_ascii_lowercase().replace('_', "-");
    handbook::code(&wanted.to_ascii_uppercase())
        .map(Entry::Code)
        .or_else(|| name.parse().ok().map(|reason: ReasonCode| Entry::Reason(handbook::reason(reason))))
        .or_else(|| name.parse().ok().map(|cause| Entry::Cause(handbook::cause_text(cause))))
}

/// Which reason is answered with which code, in every profile.
struct Answers(Vec<Answer>);

struct Answer {
    profile: &'static str,
    reason: ReasonCode,
    code: String,
    /// Only for products that say "pick up".
    pick_up: bool,
}

impl Answers {
    fn of_builtin_profiles() -> Self {
        let profiles = PROFILES.iter().filter_map(|name| Some((*name, Profile::builtin(name)?)));
        let answers = profiles.flat_map(|(profile, table)| {
            ReasonCode::ALL.iter().flat_map(move |reason| {
                let usual = table.code(*reason, false);
                let pick_up = Some(table.code(*reason, true)).filter(|code| *code != usual);
                let answer = |code: model::ResponseCode, pick_up| Answer {
                    profile,
                    reason: *reason,
                    code: code.to_string(),
                    pick_up,
                };
                [Some(answer(usual, false)), pick_up.map(|code| answer(code, true))].into_iter().flatten()
            })
        });
        Self(answers.collect())
    }

    fn with_code<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a Answer> {
        self.0.iter().filter(move |answer| answer.code == code)
    }

    fn of_reason(&self, reason: ReasonCode) -> impl Iterator<Item = &Answer> {
        self.0.iter().filter(move |answer| answer.reason == reason)
    }
}

impl Answer {
    /// When it is given, if not always.
    fn condition(&self, lang: Lang) -> &'static str {
        if self.pick_up { &handbook::labels(lang).pick_up } else { "" }
    }
}

fn code_text(lang: Lang, entry: &CodeEntry, answers: &Answers) -> String {
    let words = handbook::labels(lang);
    let mut page = format!("{}  {}\n\n{}\n\n", entry.code(), entry.meaning(lang), entry.explain(lang));
    let class = entry.class().map_or_else(
        || words.not_in_tables.clone(),
        |class| format!("{}{}{}", class.letter(), words.colon, class.text(lang)),
    );
    let mut rows = vec![
        [words.family.clone(), family(lang, entry.family())],
        [words.class.clone(), class],
        [words.cause.clone(), entry.cause().text(lang).to_owned()],
        [words.pin_tries.clone(), entry.counter_effect().text(lang).to_owned()],
        [words.prompt.clone(), entry.prompt(lang).to_owned()],
        [words.staff.clone(), entry.action(lang).to_owned()],
        [words.source.clone(), entry.source().text(lang).to_owned()],
    ];
    rows.extend(entry.note(lang).map(|note| [words.note.clone(), note.to_owned()]));
    write_table(&mut page, "  ", &rows);
    let reasons = reasons_of_code(lang, entry.code(), answers);
    let head = if reasons.is_empty() { &words.no_reason_of_code } else { &words.reasons_of_code };
    let _ = writeln!(page, "\n{head}");
    write_table(&mut page, "  ", &reasons);
    page
}

/// Our reasons for a code: name, title, and the profiles that answer so.
fn reasons_of_code(lang: Lang, code: &str, answers: &Answers) -> Vec<[String; 3]> {
    let words = handbook::labels(lang);
    let mut found: Vec<_> = answers.with_code(code).collect();
    found.sort_by_key(|answer| (answer.reason, answer.pick_up));
    let mut lines: Vec<[String; 3]> = Vec::new();
    for answer in found {
        let title = format!("{}{}", handbook::reason(answer.reason).title(lang), answer.condition(lang));
        match lines.last_mut().filter(|line| line[0] == answer.reason.name() && line[1] == title) {
            Some(line) => line[2] = format!("{}{}{}", line[2], words.comma, answer.profile),
            None => lines.push([answer.reason.name().to_owned(), title, answer.profile.to_owned()]),
        }
    }
    lines
}

fn reason_text(lang: Lang, entry: &ReasonText, answers: &Answers) -> String {
    let words = handbook::labels(lang);
    let mut page = format!(
        "{}  {}\n\n{}\n\n",
        entry.reason(),
        entry.title(lang),
        entry.sentence(lang, &Facts::default())
    );
    let codes: Vec<String> = answers
        .of_reason(entry.reason())
        .map(|answer| format!("{} {}{}", answer.profile, answer.code, answer.condition(lang)))
        .collect();
    let mut rows = vec![
        [words.family.clone(), family(lang, entry.family())],
        [words.pin_tries.clone(), entry.try_charged().text(lang).to_owned()],
        [words.answered_with.clone(), codes.join(&words.comma)],
    ];
    rows.extend(
        Audience::ALL.map(|audience| [audience.text(lang).to_owned(), entry.todo(lang, audience).to_owned()]),
    );
    write_table(&mut page, "  ", &rows);
    page
}

fn cause_text(lang: Lang, entry: &CauseText) -> String {
    let words = handbook::labels(lang);
    let sentence = entry.sentence(lang, &CauseFacts::default());
    let mut page = format!("{}  {}\n\n{sentence}\n\n", entry.cause(), entry.name(lang));
    let mut rows =
        Role::ALL.map(|role| [role.text(lang).to_owned(), entry.todo(lang, role).to_owned()]).to_vec();
    rows.push([words.prevention.clone(), entry.prevention(lang).to_owned()]);
    write_table(&mut page, "  ", &rows);
    page
}

fn list_text(lang: Lang, answers: &Answers) -> String {
    let words = handbook::labels(lang);
    let mut codes =
        vec![[&words.code, &words.family, &words.class, &words.pin_tries, &words.meaning].map(String::clone)];
    codes.extend(handbook::codes().iter().map(|entry| {
        let class = entry.class().map_or("-", handbook::Class::letter);
        [entry.code(), entry.family().name(), class, entry.counter_effect().name(), entry.meaning(lang)]
            .map(str::to_owned)
    }));
    let [unionpay, iso87, iso93] = PROFILES;
    let mut reasons =
        vec![[&words.reason, &words.family, unionpay, iso87, iso93, &words.meaning].map(str::to_owned)];
    reasons.extend(handbook::reasons().iter().map(|entry| {
        let [unionpay, iso87, iso93] = PROFILES.map(|profile| {
            let mut usual = answers.of_reason(entry.reason()).filter(|a| a.profile == profile && !a.pick_up);
            usual.next().map_or("", |answer| &answer.code)
        });
        [entry.reason().name(), entry.family().name(), unionpay, iso87, iso93, entry.title(lang)]
            .map(str::to_owned)
    }));
    let mut causes = vec![[&words.cause, &words.meaning].map(String::clone)];
    causes
        .extend(handbook::cause_texts().iter().map(|c| [c.cause().name(), c.name(lang)].map(str::to_owned)));
    let mut page = String::new();
    write_table(&mut page, "", &codes);
    page.push('\n');
    write_table(&mut page, "", &reasons);
    page.push('\n');
    write_table(&mut page, "", &causes);
    page
}

fn unknown_text(lang: Lang, wanted: &str) -> String {
    let words = handbook::labels(lang);
    let shown: String = wanted.chars().take(40).filter(|c| !c.is_control()).collect();
    let mut text = format!("{}\n", words.unknown.replace("{wanted}", &shown));
    for lang in Lang::ALL {
        let _ = writeln!(text, "  {}", handbook::unknown_code_prompt(lang));
    }
    let similar: Vec<[String; 2]> = similar(&shown)
        .into_iter()
        .map(|entry| match entry {
            Entry::Code(entry) => [entry.code().to_owned(), entry.meaning(lang).to_owned()],
            Entry::Reason(entry) => [entry.reason().name().to_owned(), entry.title(lang).to_owned()],
            Entry::Cause(entry) => [entry.cause().name().to_owned(), entry.name(lang).to_owned()],
        })
        .collect();
    if !similar.is_empty() {
        let _ = writeln!(text, "{}", words.similar);
        write_table(&mut text, "  ", &similar);
    }
    let _ = writeln!(text, "{}", words.lists_all);
    text
}

/// Codes with one character other, missing or too many; reasons that contain the word or nearly spell it.
fn similar(wanted: &str) -> Vec<Entry> {
    let code = wanted.to_ascii_uppercase();
    let name = wanted.to_ascii_lowercase().replace(['_', ' '], "-");
    let codes = handbook::codes().iter().map(|entry| {
        let first_differs = entry.code().chars().next() != code.chars().next();
        (distance(entry.code(), &code) * 2 + usize::from(first_differs), 3, Entry::Code(entry))
    });
    let spelt = |spelt: &str, entry| {
        let far = if name.len() > 3 && spelt.contains(&name) { 0 } else { distance(spelt, &name) };
        (far, name.len() / 3, entry)
    };
    let reasons = handbook::reasons().iter().map(|entry| spelt(entry.reason().name(), Entry::Reason(entry)));
    let causes = handbook::cause_texts().iter().map(|entry| spelt(entry.cause().name(), Entry::Cause(entry)));
    let mut near: Vec<_> =
        codes.chain(reasons).chain(causes).filter(|(far, at_most, _)| far <= at_most).collect();
    near.sort_by_key(|(far, ..)| *far);
    near.into_iter().take(SUGGESTIONS_MAX).map(|(.., entry)| entry).collect()
}

/// Levenshtein's distance, row by row.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn family(lang: Lang, family: model::reason::Family) -> String {
    format!("{}{}{}", family.name(), handbook::labels(lang).colon, handbook::family_text(family, lang))
}

/// Columns two spaces apart; the last one is not padded.
fn write_table<const N: usize>(page: &mut String, indent: &str, rows: &[[String; N]]) {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    for row in rows {
        page.push_str(indent);
        for (column, cell) in row.iter().enumerate() {
            page.push_str(cell);
            if column + 1 < N {
                page.extend(std::iter::repeat_n(' ', widths[column] - width(cell) + 2));
            }
        }
        page.push('\n');
    }
}

/// Columns on a terminal: Han and full-width punctuation take two.
fn width(text: &str) -> usize {
    let wide = |c: char| matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}');
    text.chars().map(|c| 1 + usize::from(wide(c))).sum()
}

fn json_text(value: &Value) -> String {
    format!("{value:#}\n")
}

fn list_json(answers: &Answers) -> Value {
    json!({
        "codes": handbook::codes().iter().map(|entry| code_json(entry, answers)).collect::<Vec<_>>(),
        "reasons": handbook::reasons().iter().map(|entry| reason_json(entry, answers)).collect::<Vec<_>>(),
        "causes": causes_json(),
    })
}

fn code_json(entry: &CodeEntry, answers: &Answers) -> Value {
    let both = |text: fn(&CodeEntry, Lang) -> &str| both(|lang| text(entry, lang));
    json!({
        "code": entry.code(),
        "name": entry.name(),
        "class": entry.class().map(handbook::Class::letter),
        "family": entry.family().name(),
        "cause": entry.cause().name(),
        "counter_effect": entry.counter_effect().name(),
        "source": entry.source().name(),
        "meaning": both(CodeEntry::meaning),
        "prompt": both(CodeEntry::prompt),
        "action": both(CodeEntry::action),
        "explain": both(CodeEntry::explain),
        "note": entry.note(Lang::En).map(|_| both(|entry, lang| entry.note(lang).unwrap_or_default())),
        "reasons": answers.with_code(entry.code()).map(answer_json).collect::<Vec<_>>(),
    })
}

fn reason_json(entry: &ReasonText, answers: &Answers) -> Value {
    json!({
        "reason": entry.reason().name(),
        "family": entry.family().name(),
        "try_charged": entry.try_charged().name(),
        "title": both(|lang| entry.title(lang)),
        "sentence": both(|lang| entry.sentence(lang, &Facts::default())),
        "cardholder": both(|lang| entry.todo(lang, Audience::Cardholder)),
        "cashier": both(|lang| entry.todo(lang, Audience::Cashier)),
        "engineer": both(|lang| entry.todo(lang, Audience::Engineer)),
        "codes": answers.of_reason(entry.reason()).map(answer_json).collect::<Vec<_>>(),
    })
}

fn causes_json() -> Value {
    Value::Array(handbook::cause_texts().iter().map(cause_json).collect())
}

fn cause_json(entry: &CauseText) -> Value {
    let playbook = Role::ALL.map(|role| (role.name().to_owned(), both(|lang| entry.todo(lang, role))));
    json!({
        "cause": entry.cause().name(),
        "origin": entry.cause().origin(),
        "name": both(|lang| entry.name(lang)),
        "sentence": both(|lang| entry.sentence(lang, &CauseFacts::default())),
        "playbook": playbook.into_iter().collect::<serde_json::Map<_, _>>(),
        "prevention": both(|lang| entry.prevention(lang)),
    })
}

fn answer_json(answer: &Answer) -> Value {
    json!({
        "profile": answer.profile,
        "reason": answer.reason.name(),
        "code": answer.code,
        "pick_up": answer.pick_up,
    })
}

fn both<T: Into<Value>>(text: impl Fn(Lang) -> T) -> Value {
    json!({ "zh": text(Lang::Zh).into(), "en": text(Lang::En).into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_with_its_counter_and_our_reasons() {
        let answers = Answers::of_builtin_profiles();
        let page = code_text(Lang::En, handbook::code("75").unwrap(), &answers);
        for part in ["PIN tries exceeded", "at the limit", "card-locked", "unionpay, iso87"] {
            assert!(page.contains(part), "{part} in {page}");
        }
        let page = code_text(Lang::Zh, handbook::code("38").unwrap(), &answers);
        assert!(page.contains("要求留卡的产品"), "{page}");
    }

    #[test]
    fn codes_and_reasons_are_found_as_people_type_them() {
        assert!(matches!(find("a0"), Some(Entry::Code(e)) if e.code() == "A0"));
        assert!(
            matches!(find("PIN_missing"), Some(Entry::Reason(e)) if e.reason() == ReasonCode::PinMissing)
        );
        assert!(find("78").is_none());
        assert!(matches!(find("keypad_fault"), Some(Entry::Cause(e)) if e.cause().name() == "keypad-fault"));
    }

    #[test]
    fn a_cause_is_told_with_what_everybody_does() {
        let Some(Entry::Cause(entry)) = find("wrong-terminal-key") else { panic!("not found") };
        for lang in Lang::ALL {
            let page = cause_text(lang, entry);
            for role in Role::ALL {
                assert!(page.contains(entry.todo(lang, role)), "{page}");
            }
        }
        assert!(unknown_text(Lang::En, "keypad-falt").contains("keypad-fault"));
    }

    #[test]
    fn an_unknown_code_is_told_the_rule_and_what_is_similar() {
        let text = unknown_text(Lang::En, "78");
        for part in ["交易失败，请联系发卡行", "contact the issuer", "75", "77"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(unknown_text(Lang::En, "pin-block-unreadible").contains("pin-block-unreadable"));
    }

    #[test]
    fn the_list_has_every_code_and_reason_in_columns() {
        let page = list_text(Lang::Zh, &Answers::of_builtin_profiles());
        for entry in handbook::codes() {
            assert!(page.contains(entry.meaning(Lang::Zh)));
        }
        for entry in handbook::reasons() {
            assert!(page.contains(entry.reason().name()));
        }
    }
}
