//! Walks all of the data, so that reading it cannot fail later and nobody meets a missing or ill-written text.

use std::path::Path;

use model::{ReasonCode, reason::Family};

use crate::{
    Audience, CauseFacts, CounterEffect, Facts, Lang, LockEnd, Role, Source, TryCharged, cause_texts, code,
    codes, evidence_texts, reason, reasons,
};

/// Every text that is fixed, with its place.
fn texts() -> impl Iterator<Item = (String, Lang, String)> {
    Lang::ALL.into_iter().flat_map(|lang| {
        let of_codes = codes().iter().flat_map(move |e| {
            [e.meaning(lang), e.prompt(lang), e.action(lang), e.explain(lang)]
                .into_iter()
                .chain(e.note(lang))
                .map(move |text| (e.code().to_owned(), lang, text.to_owned()))
        });
        let of_reasons = reasons().iter().flat_map(move |r| {
            Audience::ALL
                .iter()
                .map(move |audience| r.todo(lang, *audience).to_owned())
                .chain([r.title(lang).to_owned()])
                .chain(facts().map(move |facts| r.sentence(lang, &facts)))
                .map(move |text| (r.reason().to_string(), lang, text))
        });
        of_codes.chain(of_reasons).chain(of_causes(lang)).chain(of_evidence(lang))
    })
}

fn of_causes(lang: Lang) -> impl Iterator<Item = (String, Lang, String)> {
    cause_texts().iter().flat_map(move |c| {
        Role::ALL
            .iter()
            .map(move |role| c.todo(lang, *role).to_owned())
            .chain([c.name(lang).to_owned(), c.prevention(lang).to_owned()])
            .chain(cause_facts().map(move |facts| c.sentence(lang, &facts)))
            .map(move |text| (c.cause().to_string(), lang, text))
    })
}

fn of_evidence(lang: Lang) -> impl Iterator<Item = (String, Lang, String)> {
    evidence_texts().flat_map(move |e| {
        [e.label(lang).to_owned(), e.sentence(lang, &[])]
            .into_iter()
            .map(move |text| (e.name().to_owned(), lang, text))
    })
}

/// Incidents of which nothing, one thing or everything is known.
fn cause_facts() -> impl Iterator<Item = CauseFacts> {
    let all = CauseFacts {
        cards: Some(9),
        refused: Some(14),
        terminal: Some("T0000001".to_owned()),
        merchant: Some("A1".to_owned()),
        scope: Some("3.2.1".to_owned()),
        tries_left: Some(2),
        locked_until: Some(LockEnd::At("2026-11-23 10:43:02".to_owned())),
    };
    let some = CauseFacts { cards: Some(1), scope: None, ..all.clone() };
    [CauseFacts::default(), some, all].into_iter()
}

/// Cases with no, some and all facts.
fn facts() -> impl Iterator<Item = Facts> {
    let terminal: model::TerminalId = "T0000001".parse().unwrap();
    let all = Facts {
        tries_left: Some(2),
        tries_limit: Some(3),
        locked_until: Some(LockEnd::At("2026-11-23 10:43:02".to_owned())),
        terminal: Some(terminal),
        amount: Some((model::Amount(128_000), model::Currency::CNY)),
    };
    let some = Facts { tries_limit: None, locked_until: Some(LockEnd::ByStaff), ..all.clone() };
    [Facts::default(), some, all].into_iter()
}

fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

#[test]
fn every_text_is_there_in_both_languages() {
    assert_eq!(reasons().len(), ReasonCode::ALL.len());
    for wanted in ReasonCode::ALL {
        assert_eq!(reason(*wanted).reason(), *wanted);
    }
    for (place, lang, text) in texts() {
        assert!(!text.trim().is_empty(), "{place} {lang}");
        assert_eq!(text, text.trim(), "{place} {lang}: spaces around it");
        assert_eq!(lang == Lang::Zh, text.chars().any(is_han), "{place} {lang}: wrong language: {text}");
    }
}

#[test]
fn chinese_is_set_in_full_width_punctuation() {
    for (place, _, text) in texts().filter(|(_, lang, _)| *lang == Lang::Zh) {
        let chars: Vec<char> = text.chars().collect();
        for (i, c) in chars.iter().enumerate() {
            let before = i.checked_sub(1).map(|i| chars[i]);
            let after = chars.get(i + 1).copied();
            let beside_han = before.is_some_and(is_han) || after.is_some_and(is_han);
            assert!(!(beside_han && ",.:;?!()\"".contains(*c)), "{place}: {c:?} beside Han in {text}");
            assert!(!(beside_han && *c == ' '), "{place}: a space beside Han in {text}");
        }
    }
}

#[test]
fn sentences_end_and_titles_do_not() {
    for r in reasons() {
        for (lang, stop) in [(Lang::Zh, '。'), (Lang::En, '.')] {
            for text in facts().map(|f| r.sentence(lang, &f)) {
                assert!(text.ends_with(stop), "{text}");
                assert!(!text.contains(['{', '}', '[', ']', '|']), "{text}");
                assert!(!text.contains("  ") && !text.contains(" ,") && !text.contains(" ."), "{text}");
            }
            for audience in Audience::ALL {
                assert!(r.todo(lang, audience).ends_with(stop), "{} {lang}", r.reason());
            }
            assert!(!r.title(lang).ends_with(stop), "{} {lang}", r.reason());
        }
    }
}

#[test]
fn the_texts_of_causes_and_evidence_are_whole() {
    for (place, lang, text) in Lang::ALL.into_iter().flat_map(|lang| of_causes(lang).chain(of_evidence(lang)))
    {
        assert!(!text.contains(['{', '}', '[', ']', '|']), "{place} {lang}: {text}");
        assert!(
            !text.contains("  ") && !text.contains(" ,") && !text.contains(" ."),
            "{place} {lang}: {text}"
        );
    }
    for c in cause_texts() {
        for (lang, stop) in [(Lang::Zh, '。'), (Lang::En, '.')] {
            let todo = Role::ALL.iter().map(|role| c.todo(lang, *role).to_owned());
            let sentences = cause_facts().map(|f| c.sentence(lang, &f));
            for text in todo.chain(sentences).chain([c.prevention(lang).to_owned()]) {
                assert!(text.ends_with(stop), "{}: {text}", c.cause());
            }
            assert!(!c.name(lang).ends_with(stop), "{}", c.cause());
        }
    }
}

#[test]
fn a_fault_never_blames_the_holder_and_says_what_it_cost() {
    for c in cause_texts().iter().filter(|c| c.cause().origin() == diagnosis::cause::Origin::Fault) {
        let en = c.todo(Lang::En, Role::Cardholder).to_lowercase();
        assert!(!en.contains("forgotten") && !en.contains("reset"), "{}: {en}", c.cause());
    }
}

#[test]
fn nothing_that_may_stand_on_a_receipt_tells_the_tries_left() {
    let of_codes = codes().iter().flat_map(|e| Lang::ALL.map(|lang| (e.code(), e.prompt(lang))));
    let of_reasons = reasons()
        .iter()
        .flat_map(|r| Lang::ALL.map(|lang| (r.reason().name(), r.todo(lang, Audience::Cardholder))));
    let of_causes = cause_texts()
        .iter()
        .flat_map(|c| Lang::ALL.map(|lang| (c.cause().name(), c.todo(lang, Role::Cardholder))));
    for (place, text) in of_codes.chain(of_reasons).chain(of_causes) {
        let small = text.to_lowercase();
        for leak in ["tries_left", "tries left", "try left", "剩余次数", "还可", "还剩", "{", "["] {
            assert!(!small.contains(leak), "{place}: {text}");
        }
    }
}

#[test]
fn only_a_proven_mismatch_charges_a_try() {
    for r in reasons() {
        let expect = match r.reason() {
            ReasonCode::WrongPin | ReasonCode::PinTriesExceeded => TryCharged::Yes,
            _ if r.family() == Family::Sys => TryCharged::Never,
            _ => TryCharged::No,
        };
        assert_eq!(r.try_charged(), expect, "{}", r.reason());
    }
}

#[test]
fn faults_say_that_no_try_was_charged() {
    for r in reasons().iter().filter(|r| r.try_charged() == TryCharged::Never) {
        let (zh, en) = (r.sentence(Lang::Zh, &Facts::default()), r.sentence(Lang::En, &Facts::default()));
        assert!(zh.contains("没有计次") || zh.contains("计次都没有变动"), "{zh}");
        assert!(
            en.to_lowercase().contains("no try was charged") || en.contains("no PIN try was charged"),
            "{en}"
        );
    }
}

#[test]
fn codes_are_in_order_and_each_is_found() {
    assert!(codes().is_sorted_by_key(|e| (e.code().len(), e.code())));
    for entry in codes() {
        assert!(std::ptr::eq(code(entry.code()).unwrap(), entry));
    }
    assert!(codes().len() >= 83);
    assert!(code("ZZ").is_none() && code("").is_none());
}

#[test]
fn every_code_says_what_it_does_to_the_counter() {
    for entry in codes() {
        let effect = match entry.code() {
            "55" | "117" => CounterEffect::PlusOne,
            "38" | "75" | "106" | "206" => CounterEffect::Locked,
            "51" | "116" => CounterEffect::ResetIfVerified,
            _ if entry.family() == Family::Ok => CounterEffect::ResetIfVerified,
            _ => CounterEffect::None,
        };
        assert_eq!(entry.counter_effect(), effect, "{}", entry.code());
        if effect == CounterEffect::None {
            assert!(entry.explain(Lang::Zh).contains("计密码错误次数"), "{}", entry.code());
            let en = entry.explain(Lang::En).to_lowercase();
            assert!(en.contains("no try was charged") || en.contains("no pin try"), "{}", entry.code());
        }
    }
}

#[test]
fn families_are_those_of_the_console() {
    for (family, list) in [
        (Family::Warn, "55 117"),
        (Family::Lock, "75 38 36 106 206"),
        (Family::Sys, "68 91 94 96 98 99 A0 30 77 126 907 909 913 916"),
        (Family::Bad, "34 41 43 59 63 208 209"),
        (Family::Neutral, "51 61 65 116 121"),
        (Family::Ok, "00 10 11 A2 A4 A5 A6 000"),
    ] {
        for text in list.split(' ') {
            assert_eq!(code(text).unwrap().family(), family, "{text}");
        }
    }
    for entry in codes() {
        let approval = model::ResponseCode::new(entry.code()).unwrap().is_approval();
        assert_eq!(approval, entry.family() == Family::Ok, "{}", entry.code());
    }
}

#[test]
fn codes_have_a_class_where_chinese_tables_have_them() {
    for entry in codes() {
        let chinese = matches!(entry.source(), Source::OneTable | Source::TwoTables);
        assert_eq!(entry.class().is_some(), chinese, "{}", entry.code());
    }
}

/// Reads the profiles of `authorization` as files: another profile tomorrow is walked too.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test looks into a neighbour's folder")]
fn every_code_of_every_profile_is_explained_and_moves_the_counter_as_its_reason_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../authorization/profiles");
    let mut profiles = 0;
    for file in folder.read_dir().unwrap() {
        let path = file.unwrap().path();
        let profile: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let table = profile["codes"].as_table().unwrap();
        assert!(code(profile["pick_up"].as_str().unwrap()).is_some(), "{}", path.display());
        for (name, text) in table {
            let entry = code(text.as_str().unwrap()).unwrap_or_else(|| panic!("{}: {text}", path.display()));
            let expect = match name.parse().unwrap() {
                ReasonCode::WrongPin | ReasonCode::IssuerWrongPin => CounterEffect::PlusOne,
                ReasonCode::PinTriesExceeded | ReasonCode::CardLocked | ReasonCode::IssuerTriesExceeded => {
                    CounterEffect::Locked
                }
                ReasonCode::Approved
                | ReasonCode::Reversed
                | ReasonCode::StaffAction
                | ReasonCode::InsufficientFunds => CounterEffect::ResetIfVerified,
                _ => CounterEffect::None,
            };
            assert_eq!(entry.counter_effect(), expect, "{}: {name}", path.display());
        }
        profiles += 1;
    }
    assert!(profiles >= 3);
}
