//! The data that comes with the program.

use std::collections::BTreeSet;

use desk::{House, Replies, ReplyFacts, Subject, house::Files, playbook::GENERAL};
use diagnosis::Cause;
use handbook::Lang;

use crate::world::{World, locked};

#[test]
fn the_builtin_data_is_read_and_every_text_is_there_in_both_languages() {
    let house = House::builtin();
    let full = |text: &str| text.chars().count() > 1;
    for lang in Lang::ALL {
        for book in house.playbooks.all() {
            assert!(full(book.title(lang)), "{}", book.name);
            let subject = Subject { cause: book.causes().first().copied(), ..Subject::default() };
            for segment in ["", "groceries"] {
                for step in book.freeze(segment).steps {
                    let words = book.words(&step.id, &subject, lang).unwrap();
                    assert!(full(&words), "{} {}", book.name, step.id);
                }
            }
        }
        for (name, plan) in house.plans.all() {
            assert!(full(plan.name(lang)) && full(plan.advice(lang)), "{name}");
        }
        for (name, method) in house.identity.methods() {
            assert!(full(method.name(lang)) && full(method.how(lang)), "{name}");
            for question in &method.questions {
                assert_ne!(house.identity.question(question, lang), question);
            }
        }
    }
}

#[test]
fn every_cause_has_a_playbook_of_its_own_and_the_codes_that_matter_too() {
    let playbooks = &House::builtin().playbooks;
    for cause in Cause::ALL {
        let book = playbooks.of(&Subject { cause: Some(*cause), ..Subject::default() });
        assert_ne!(book.name, GENERAL, "{cause}");
    }
    for (code, name) in [
        ("38", "locked"),
        ("75", "locked"),
        ("55", "wrong-pin"),
        ("81", "keys"),
        ("86", "keys"),
        ("88", "keys"),
        ("99", "keys"),
        ("A0", "keys"),
        ("91", "no-verdict"),
        ("98", "no-verdict"),
        ("94", "duplicate"),
        ("F0", GENERAL),
        ("ZZ", GENERAL),
    ] {
        let book = playbooks.of(&Subject { code: Some(code.to_owned()), ..Subject::default() });
        assert_eq!(book.name, name, "{code}");
    }
    // codes that the handbook does not explain, and which the desk knows all the same
    let unexplained = ["88", "F0"];
    for book in playbooks.all() {
        for code in book.codes() {
            assert!(handbook::code(code).is_some() || unexplained.contains(&code.as_str()), "{code}");
        }
    }
}

#[test]
fn a_cause_says_more_than_a_code_unless_it_is_the_holders_own() {
    let of = |cause, code: &str| {
        let subject = Subject { cause, code: Some(code.to_owned()), ..Subject::default() };
        House::builtin().playbooks.of(&subject).name.clone()
    };
    assert_eq!(of(Some(Cause::KeypadFault), "75"), "terminal");
    assert_eq!(of(Some(Cause::Ordinary), "75"), "locked");
    assert_eq!(of(Some(Cause::Ordinary), "ZZ"), "account");
    assert_eq!(of(Some(Cause::Forgotten), "75"), "locked");
    assert_eq!(of(Some(Cause::Mistyped), "55"), "wrong-pin");
    assert_eq!(of(Some(Cause::Mistyped), "ZZ"), "wrong-pin");
    assert_eq!(of(None, "55"), "wrong-pin");
}

#[test]
fn nobody_is_asked_for_a_secret_and_no_reply_tells_how_many_tries_are_left() {
    for text in [Files::BUILTIN.identity, Files::BUILTIN.replies] {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let line = line.to_lowercase();
            for secret in
                ["cvv", "cvn", "security code", "tries_left", "ask for the pin", "their pin", "password"]
            {
                assert!(!line.contains(secret), "{line}");
            }
        }
    }
    let names: BTreeSet<&str> = ReplyFacts::NAMES.iter().copied().collect();
    assert!(!names.contains("tries_left"));
}

#[test]
fn a_reply_is_whole_with_and_without_its_facts() {
    let house = House::builtin();
    let facts = ReplyFacts {
        case: Some(17),
        tail: Some("0018".into()),
        terminal: Some("T0001234".into()),
        merchant: Some("Corner Shop".into()),
        code: Some("98".into()),
        locked_until: Some("2026-11-23 10:43".into()),
        link: Some("/survey/abc".into()),
        minutes: Some(5),
    };
    for name in house.replies.names() {
        let reply = house.replies.get(name).unwrap();
        for lang in Lang::ALL {
            for facts in [&facts, &ReplyFacts::default()] {
                let text = reply.text(lang, facts);
                assert!(text.chars().count() > 10 && !text.contains(['{', '}', '[', ']']), "{name}: {text}");
            }
        }
    }
    let locked = house.replies.get("locked").unwrap().text(Lang::En, &facts);
    assert!(
        locked.contains("0018") && locked.contains("2026-11-23 10:43") && locked.contains("17"),
        "{locked}"
    );
    let refused = |en: &str| {
        let file = format!("[x]\ntitle = {{ zh = \"a\", en = \"b\" }}\nzh = \"a\"\nen = \"{en}\"");
        Replies::read(&file).unwrap_err().to_string()
    };
    assert!(refused("[{tries_left} left]").contains("no such placeholder"));
    assert!(refused("case {case}").contains("outside"));
}

#[test]
fn a_shop_has_the_plan_of_its_segment() {
    let plans = &House::builtin().plans;
    // UnionPay's merchant number carries the category in its places 8 to 11
    assert_eq!(plans.of_merchant("898510154110280"), ("groceries", "fast-moving"));
    assert_eq!(plans.of_merchant("898510180620280"), ("health", "round-the-clock"));
    assert_eq!(plans.of_merchant("898510199990280"), ("", "standard"));
    assert_eq!(plans.of_merchant("nonsense"), ("", "standard"));
    let mut world = World::new();
    let mut shop = locked(1);
    shop.source = desk::Source::Terminal;
    shop.subject.card = None;
    shop.subject.code = Some("99".into());
    shop.subject.merchant = Some("898510154110280".into());
    shop.subject.terminal = Some("T0001234".into());
    let no = world.open(shop.clone());
    let case = world.case(no);
    assert_eq!((case.opened.plan.as_str(), case.opened.segment.as_str()), ("fast-moving", "groceries"));
    let has = |case: &desk::Case| case.opened.playbook.steps.iter().any(|s| s.id == "keep-the-queue-moving");
    assert!(has(case), "a step for this segment");
    shop.subject.merchant = Some("898510199990280".into());
    shop.subject.terminal = Some("T0009999".into());
    let other = world.open(shop);
    assert!(!has(world.case(other)));
    let holder = world.open(locked(1));
    assert_eq!(world.case(holder).opened.plan, "cardholder");
}

#[test]
fn data_that_contradicts_itself_is_refused() {
    let read = |change: fn(&mut Files<'_>)| {
        let mut files = Files::BUILTIN;
        change(&mut files);
        House::read(&files).unwrap_err().to_string()
    };
    let gateless = "[general]\nversion = 1\ntitle = { zh = \"a\", en = \"b\" }\ncodes = []\ncauses = []\n[[general.step]]\nid = \"x\"\ntext = { zh = \"a\", en = \"b\" }";
    assert!(House::read(&Files { playbooks: gateless, ..Files::BUILTIN }).unwrap_err().why.contains("gate"));
    assert!(read(|f| f.playbooks = "").contains("general"));
    assert!(read(|f| f.calendars = "[always]\nalways = true").contains("no such calendar"));
    assert!(read(|f| f.identity = "fresh_min = 1").contains("identity"));
    assert!(read(|f| f.replies = "[x]").contains("replies"));
}
