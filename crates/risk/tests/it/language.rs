//! What the language takes, what it means, and how it says no.

use model::{CardId, Kind, Timestamp};
use risk::{Condition, EntryMode, Fault, Field, PinResult, RiskEvent};

fn event() -> RiskEvent<'static> {
    RiskEvent {
        amount: Some(812_000),
        mcc: Some("5411"),
        kind: Kind::Cash,
        entry: Some(EntryMode::Chip),
        pin: PinResult::Mismatch,
        hour: 3,
        weekday: 7,
        since_ok_ms: Some(90_000),
        ..RiskEvent::new(
            Timestamp(1_795_000_000_000),
            CardId([7; 16]),
            "900000",
            "T0000001",
            "M00000000000001",
        )
    }
}

fn holds(text: &str) -> Result<bool, Fault> {
    let condition = Condition::parse(text).unwrap_or_else(|refused| panic!("{text}: {refused}"));
    condition.holds(&event(), &|_| Ok(3), &|list, _| list == "stolen")
}

fn refused(text: &str) -> (usize, usize, String) {
    let refused = Condition::parse(text).expect_err(text);
    let suggestion = refused.suggestion.map(|s| format!(" ({s})")).unwrap_or_default();
    (refused.line, refused.column, refused.what.en() + &suggestion)
}

#[test]
fn conditions_mean_what_they_say() {
    for text in [
        "amount > 500000",
        "event.amount > 500000 && has(event.amount)",
        "amount % 1000 == 0 && amount / 1000 == 812 && -amount < 0 && amount - 1 >= 811999",
        "mcc in ['5411', \"5812\"] && !(hour in [9, 10, -1])",
        "pin == 'mismatch' && pin_mismatch && kind == \"cash\" && entry != 'fallback'",
        "since_ok < duration('2m') && since_ok + duration(\"30s\") == duration('2m')",
        "at > timestamp('2026-01-01T00:00:00+08:00') && at - timestamp('2026-01-01T00:00:00Z') > duration('1h')",
        "bin.startsWith('9000') && terminal.startsWith(\"T\")",
        "count(card, pin_mismatch, '1h') >= 3 && sum(card, amount, approved, '24h') == 3",
        "distinct(terminal, card, '10m') == 3 && distinct_unless(terminal, card, pin_mismatch, pin_verified, '10m') > 2",
        "card in list('stolen') && !(merchant in list('trusted'))",
        "(hour < 6 ? amount > 800000 : amount > 5000000) && (locked ? 1 : 2) == 2",
        "!has(event.country) && locked == false // a comment",
    ] {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
}

#[test]
fn what_is_missing_is_an_error_unless_it_does_not_matter() {
    let missing = Err(Fault::Missing(Field::Country));
    for (text, value) in [
        ("country == 'CN'", missing),
        ("!(country == 'CN')", missing),
        ("country == 'CN' && amount > 1", missing),
        ("amount > 1 && country == 'CN'", missing),
        ("country == 'CN' && amount < 1", Ok(false)),
        ("amount < 1 && country == 'CN'", Ok(false)),
        ("country == 'CN' || amount > 1", Ok(true)),
        ("amount > 1 || country == 'CN'", Ok(true)),
        ("amount < 1 || country == 'CN'", missing),
        ("country == 'CN' ? amount > 1 : amount > 1", missing),
        ("country in ['CN']", missing),
        ("country.startsWith('C')", missing),
        ("country in list('stolen')", missing),
        ("has(event.country) && country == 'CN'", Ok(false)),
        ("amount * 9223372036854775807 > 0", Err(Fault::Overflow)),
        ("amount / (amount - 812000) > 0", Err(Fault::DivisionByZero)),
        ("amount % (amount - 812000) > 0", Err(Fault::DivisionByZero)),
    ] {
        assert_eq!(holds(text), value, "{text}");
    }
}

#[test]
fn what_is_not_a_rule_is_refused_at_its_place_with_a_suggestion() {
    for (text, place, what) in [
        ("ammount > 1", (1, 1), "there is no field ammount (did you mean amount?)"),
        (
            "amount > 1 &&\n  event.teminal == 'T'",
            (2, 8),
            "there is no field teminal (did you mean terminal?)",
        ),
        ("pin == 'mismatched'", (1, 8), "pin is never \"mismatched\" (did you mean mismatch?)"),
        ("hour == '5'", (1, 6), "== does not take int and string (a number is written without quotes)"),
        (
            "since_ok < 600",
            (1, 10),
            "< does not take duration and int (write durations as duration(\"10m\"))",
        ),
        (
            "mcc < '6000'",
            (1, 5),
            "< does not take string and string (texts are equal or not; they have no order)",
        ),
        ("amount", (1, 1), "this is of type int, and true or false is needed (compare it with something)"),
        ("card == 'x'", (1, 6), "== does not take card and string (write card in list(\"NAME\"))"),
        ("amount > 1.5", (1, 10), "numbers are whole; amounts are in minor units (write 50000 for 500.00)"),
        (
            "bin.matches('9.*')",
            (1, 5),
            "regular expressions are not part of the language (write startsWith, or in with a list)",
        ),
        (
            "[1, 2].exists(x, x == hour)",
            (1, 14),
            "macros (all, exists, exists_one, map, filter) are not part of the language (a rule has no loops; count(…) and list(…) are there instead)",
        ),
        ("cuont(card, '1h') > 1", (1, 1), "there is no function cuont (did you mean count?)"),
        (
            "count(card, '1x') > 1",
            (1, 13),
            "\"1x\" is no window from one second to 31 days (write \"10m\", \"24h\" or \"7d\")",
        ),
        (
            "count(hour, '1h') > 1",
            (1, 7),
            "hour is nothing to count by or to look up (one of card, bin, terminal, merchant, mcc, merchant_mcc, area, terminal_area, country, zone, product)",
        ),
        ("count(card, count(card, '1h') > 1, '1h') > 1", (1, 13), "counters do not stand in counters"),
        ("has(country)", (1, 5), "invalid argument to has() macro (write has(event.FIELD))"),
        ("1 < 2", (1, 1), "the condition reads nothing of the event: it is always the same"),
        ("", (1, 1), "the condition is empty"),
        ("amount > 1)", (1, 11), "a bracket is closed that was not opened"),
        ("(amount > 1", (1, 12), "a bracket is not closed"),
        ("amount > 1 && {}", (1, 15), "maps and messages are not part of the language"),
        ("amount ≥ 1", (1, 8), "this character is not part of the language"),
        ("mcc == 'a", (1, 8), "the text constant has no end"),
        ("mcc == b'a'", (1, 8), "constants of bytes and raw texts are not part of the language"),
        ("txn.amount > 1", (1, 4), "only the event has parts (write amount or event.amount)"),
        ("amount == null", (1, 11), "there is no null (write has(event.FIELD))"),
        (
            "sum(card, pin_mismatch, '1h') > 1",
            (1, 11),
            "only a field with a number is summed up (write amount)",
        ),
        (
            "hour in 5",
            (1, 9),
            "on the right of in stands a list (write in [\"a\", \"b\"] or in list(\"NAME\"))",
        ),
    ] {
        let (line, column, said) = refused(text);
        assert_eq!((said.as_str(), (line, column)), (what, place), "{text}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let deep = format!("{}amount > 1{}", "(".repeat(40), ")".repeat(40));
    let signs = format!("{}locked", "!".repeat(9));
    let long = format!("amount > 1 || {}", "x".repeat(5000));
    let wide = vec!["amount > 1"; 120].join(" && ");
    let ladder = format!("{}true", "locked ? true : ".repeat(60));
    for text in [deep, signs, long, wide, ladder] {
        assert!(Condition::parse(&text).is_err(), "{text:.60}");
    }
}

#[test]
fn the_one_form_of_a_condition_means_the_same() {
    for text in [
        "count(card,pin=='mismatch',  duration('24h'))>=3||!locked&&amount in[2,1,2]",
        "since_ok>duration('36h')?mcc=='a\\'b':bin.startsWith('9')",
    ] {
        let condition = Condition::parse(text).expect(text);
        let again = Condition::parse(&condition.canonical()).expect("its own form");
        assert_eq!(again.canonical(), condition.canonical());
    }
    let counter = Condition::parse("count(card, pin == 'mismatch', '1440m') > 2").expect("a condition");
    assert_eq!(counter.counters().collect::<Vec<_>>(), ["count(card, pin == \"mismatch\", \"24h\")"]);
}
