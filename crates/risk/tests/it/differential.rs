//! The lowered tree against CEL's own interpreter: random conditions over random events. Whatever our language takes must
//! mean what it means in CEL, errors included.
//!
//! Durations and moments are milliseconds on both sides (the interpreter is built without its calendar); counters are a
//! function of their window, lists have fixed members.

use std::{collections::HashMap, sync::Arc};

use cel::{Context, Program, Value, extractors::Arguments};
use model::{CardId, Kind, ReasonCode, Timestamp};
use risk::{Condition, EntryMode, Fault, Field, Key, PinResult, RiskEvent, Type};

/// SplitMix64 (Steele, Lea, Flood 2014): a stream of numbers from a seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const WINDOWS: [(&str, i64); 3] = [("10m", 0), ("1h", 3), ("24h", 1_000_000)];
const LISTS: [(&str, &[&str]); 2] =
    [("stolen", &["07070707070707070707070707070707", "T0000001"]), ("trusted", &["5411", "900000"])];
const NUMBERS: [&str; 9] =
    ["0", "1", "-1", "3", "600", "500000", "9223372036854775807", "-9223372036854775808", "1000"];
const DURATIONS: [&str; 4] = ["0s", "90s", "10m", "1h30m"];
const MOMENTS: [&str; 2] = ["2026-11-22T00:00:00Z", "1970-01-01T08:00:00+08:00"];

/// A random condition, as text.
struct Writer<'r> {
    random: &'r mut Random,
}

impl Writer<'_> {
    fn field(&mut self, kind: Type) -> String {
        let fields: Vec<Field> = Field::ALL.iter().copied().filter(|f| f.kind() == kind).collect();
        let field = self.random.one(&fields);
        let prefix = if self.random.chance(20) { "event." } else { "" };
        format!("{prefix}{}", field.name())
    }

    fn test(&mut self, depth: usize) -> String {
        let next = depth.saturating_sub(1);
        match self.random.below(if depth == 0 { 3 } else { 13 }) {
            0 => self.field(Type::Bool),
            1 => format!("has(event.{})", self.random.one(Field::ALL).name()),
            2 => self.random.one(&["true", "false", "locked"]).to_owned(),
            3 | 4 => format!("({} && {})", self.test(next), self.test(next)),
            5 | 6 => format!("({} || {})", self.test(next), self.test(next)),
            7 => format!("!({})", self.test(next)),
            8 => format!("({} ? {} : {})", self.test(next), self.test(next), self.test(next)),
            9 => self.compared(next),
            10 => self.member(next),
            11 => format!("{}.startsWith({})", self.text(next), self.text(0)),
            _ => {
                let sign = self.random.one(&["==", "!="]);
                if self.random.chance(50) {
                    format!("({} {sign} {})", self.test(next), self.test(next))
                } else {
                    format!("({} {sign} {})", self.text(next), self.text(next))
                }
            }
        }
    }

    fn compared(&mut self, depth: usize) -> String {
        let sign = self.random.one(&["==", "!=", "<", "<=", ">", ">="]);
        match self.random.below(4) {
            0 => format!("({} {sign} {})", self.duration(depth), self.duration(depth)),
            1 => format!("({} {sign} {})", self.moment(depth), self.moment(depth)),
            _ => format!("({} {sign} {})", self.number(depth), self.number(depth)),
        }
    }

    fn member(&mut self, depth: usize) -> String {
        match self.random.below(4) {
            0 => {
                let key = self.random.one(&["card", "terminal", "mcc", "bin", "country"]);
                format!("({key} in list('{}'))", self.random.one(&LISTS).0)
            }
            1 => format!("({} in [1, -1, 600, 812000])", self.number(depth)),
            2 => format!("({} in ['5411', 'CN', '', 'T0000001'])", self.text(depth)),
            _ => "(pin in ['mismatch', 'verified'])".to_owned(),
        }
    }

    fn number(&mut self, depth: usize) -> String {
        let next = depth.saturating_sub(1);
        match self.random.below(if depth == 0 { 3 } else { 8 }) {
            0 => self.field(Type::Int),
            1 => self.random.one(&NUMBERS).to_owned(),
            2 => self.counter(),
            3 => format!("-({})", self.number(next)),
            4 => format!("({} ? {} : {})", self.test(next), self.number(next), self.number(next)),
            _ => {
                let sign = self.random.one(&["+", "-", "*", "/", "%"]);
                format!("({} {sign} {})", self.number(next), self.number(next))
            }
        }
    }

    fn counter(&mut self) -> String {
        let window = self.random.one(&WINDOWS).0;
        match self.random.below(4) {
            0 => format!("count(card, '{window}')"),
            1 => format!("count(terminal, pin_mismatch && hour < 6, '{window}')"),
            2 => format!("sum(card, hour, approved, '{window}')"),
            _ => format!("distinct(terminal, card, '{window}')"),
        }
    }

    fn duration(&mut self, depth: usize) -> String {
        let next = depth.saturating_sub(1);
        match self.random.below(if depth == 0 { 2 } else { 4 }) {
            0 => self.field(Type::Duration),
            1 => format!("duration('{}')", self.random.one(&DURATIONS)),
            2 => format!("({} + {})", self.duration(next), self.duration(next)),
            _ => format!("({} - {})", self.moment(next), self.moment(next)),
        }
    }

    fn moment(&mut self, depth: usize) -> String {
        let next = depth.saturating_sub(1);
        match self.random.below(if depth == 0 { 2 } else { 3 }) {
            0 => "at".to_owned(),
            1 => format!("timestamp('{}')", self.random.one(&MOMENTS)),
            _ => format!("({} - {})", self.moment(next), self.duration(next)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let next = depth.saturating_sub(1);
        match self.random.below(if depth == 0 { 2 } else { 3 }) {
            0 => self.field(Type::Text),
            1 => self.random.one(&["'5411'", "'CN'", "'T'", "'90'", "''", "\"it's\""]).to_owned(),
            _ => format!("({} ? {} : {})", self.test(next), self.text(next), self.text(next)),
        }
    }
}

fn event(random: &mut Random) -> RiskEvent<'static> {
    let maybe = |random: &mut Random, values: &[i64]| random.chance(70).then(|| random.one(values));
    let named = |random: &mut Random, values: &[&'static str]| random.chance(70).then(|| random.one(values));
    RiskEvent {
        mcc: named(random, &["5411", "6011"]),
        area: named(random, &["5840", "1000"]),
        country: named(random, &["CN", "HK"]),
        zone: named(random, &["cup"]),
        amount: maybe(random, &[0, 1, 812_000, i64::MAX, i64::MIN]),
        kind: random.one(&[Kind::Sale, Kind::Cash, Kind::Balance]),
        entry: random.chance(70).then(|| random.one(&EntryMode::ALL)),
        pin: random.one(&[PinResult::Mismatch, PinResult::Verified, PinResult::NotPresent]),
        locked: random.chance(50),
        tries_left: random.chance(70).then_some(2),
        hour: random.below(24) as u8,
        weekday: 1 + random.below(7) as u8,
        since_ok_ms: maybe(random, &[0, 90_000, 86_400_000]),
        since_last_ms: maybe(random, &[1000, 600_000]),
        speed_kmh: maybe(random, &[0, 1200]),
        approved: random.chance(50),
        reason: random.one(&[ReasonCode::Approved, ReasonCode::WrongPin]),
        ..RiskEvent::new(
            Timestamp(1_795_000_000_000),
            CardId([7; 16]),
            "900000",
            "T0000001",
            "M00000000000001",
        )
    }
}

fn value(event: &RiskEvent<'_>, field: Field) -> Option<Value> {
    match field.kind() {
        Type::Bool => event.flag(field).ok().map(Value::Bool),
        Type::Int | Type::Duration | Type::Timestamp => event.number(field).ok().map(Value::Int),
        Type::Text => event.text(field).ok().map(Value::from),
        Type::Card => Some(Value::from(event.card.to_string().as_str())),
    }
}

/// The interpreter's world: the same fields by name and in `event`, the same functions.
fn context(event: &RiskEvent<'_>) -> Context<'static, 'static> {
    let mut context = Context::default();
    let mut map: HashMap<String, Value> = HashMap::new();
    for field in Field::ALL {
        if let Some(value) = value(event, *field) {
            context.add_variable_from_value(field.name(), value.clone());
            map.insert(field.name().to_owned(), value);
        }
    }
    context.add_variable_from_value("event", map);
    for name in ["count", "sum", "distinct"] {
        context.add_function(name, counter).expect("a free name");
    }
    context
        .add_function("list", |name: Arc<String>| -> Value { Value::from(members(&name)) })
        .expect("a free name");
    context.add_function("duration", |text: Arc<String>| ms("duration", &text)).expect("a free name");
    context.add_function("timestamp", |text: Arc<String>| ms("timestamp", &text)).expect("a free name");
    context
}

fn counter(Arguments(args): Arguments) -> i64 {
    let Some(Value::String(window)) = args.last() else { panic!("a counter ends with its window") };
    window_value(window)
}

fn window_value(text: &str) -> i64 {
    WINDOWS.iter().find(|(window, _)| text.contains(window)).map(|(_, value)| *value).expect("a known window")
}

fn members(list: &str) -> Vec<String> {
    let (_, members) = LISTS.iter().find(|(name, _)| *name == list).expect("a known list");
    members.iter().map(|member| (*member).to_owned()).collect()
}

/// A constant in milliseconds, as the tests of the language have them.
fn ms(function: &str, text: &str) -> i64 {
    match (function, text) {
        ("duration", "0s") => 0,
        ("duration", "90s") => 90_000,
        ("duration", "10m") => 600_000,
        ("duration", "1h30m") => 5_400_000,
        ("timestamp", "2026-11-22T00:00:00Z") => 1_795_305_600_000,
        ("timestamp", "1970-01-01T08:00:00+08:00") => 0,
        other => panic!("unknown constant {other:?}"),
    }
}

fn ours(condition: &Condition, event: &RiskEvent<'_>) -> Result<bool, Fault> {
    condition.holds(event, &|counter| Ok(window_value(counter)), &|list, key| {
        members(list).iter().any(|member| Key::member(member) == key)
    })
}

/// Writes conditions until so many were taken, and evaluates each over three events. Says how many comparisons had each
/// kind of result.
fn compare(seed: u64, rules: usize) -> [usize; 3] {
    const EVENTS: usize = 40;
    let mut random = Random(seed);
    let events: Vec<RiskEvent<'_>> = (0..EVENTS).map(|_| event(&mut random)).collect();
    let contexts: Vec<Context<'_, '_>> = events.iter().map(context).collect();
    let (mut taken, mut results) = (0, [0; 3]);
    while taken < rules {
        let depth = 1 + random.below(4);
        let text = Writer { random: &mut random }.test(depth);
        let Ok(condition) = Condition::parse(&text) else { continue };
        taken += 1;
        let program = Program::compile(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for _ in 0..3 {
            let place = random.below(EVENTS);
            let (ours, theirs) = (ours(&condition, &events[place]), program.execute(&contexts[place]));
            let same = match (&ours, &theirs) {
                (Ok(ours), Ok(Value::Bool(theirs))) => ours == theirs,
                (Err(_), Err(_)) => true,
                _ => false,
            };
            assert!(
                same,
                "seed {seed}: {text}\nours {ours:?}, the interpreter {theirs:?}\n{:?}",
                events[place]
            );
            results[ours.map_or(2, usize::from)] += 1;
        }
    }
    results
}

/// None of the three results is rare: else the comparison would prove little.
fn enough(rules: usize, [no, yes, error]: [usize; 3]) {
    let few = rules / 4;
    assert!(no > few && yes > few && error > few, "{no} {yes} {error}");
}

// A hundred thousand, in two tests that run beside each other.

#[test]
fn fifty_thousand_rules_mean_what_they_mean_in_cel() {
    enough(50_000, compare(20_261_122, 50_000));
}

#[test]
fn and_fifty_thousand_others() {
    enough(50_000, compare(1_000_003, 50_000));
}

#[test]
fn whatever_is_written_is_taken_or_refused() {
    let mut random = Random(7);
    let pieces = [
        "amount",
        "event",
        ".",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "&&",
        "||",
        "!",
        "?",
        ":",
        "in",
        "'a'",
        "\"",
        "'",
        "\\",
        "count(",
        "has(",
        "-",
        "+",
        "1",
        "9223372036854775808",
        "0x1f",
        "1u",
        "b'",
        "r\"",
        "`",
        "null",
        "true",
        ",",
        "//",
        "\n",
        "=",
        "==",
        "<",
        "@",
        "\u{0}",
        "\u{7f}",
        "\u{fffd}",
        "\u{91d1}",
        "all(",
        "x,",
        "startsWith(",
        "list(",
    ];
    for _ in 0..4000 {
        let length = random.below(14);
        let text: String = (0..length).map(|_| random.one(&pieces)).collect();
        if let Err(refused) = Condition::parse(&text) {
            assert!(refused.line >= 1 && refused.column >= 1 && !refused.what.en().is_empty(), "{text:?}");
        }
        let bytes: Vec<u8> = (0..length * 3).map(|_| random.next() as u8).collect();
        let _ = Condition::parse(&String::from_utf8_lossy(&bytes));
    }
}
