//! `count`, `sum`, `distinct` and `distinct_unless`: a key, what is counted, which events, and a window.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue},
};

use super::{Checked, Checker, Typed, write};
use crate::{
    counter::{CounterSpec, What},
    expression::{
        explain,
        literal::{duration_ms, spoken},
        tree::{Number, Test},
    },
    field::{Field, Type},
    saying::say,
};

/// Shortest window.
const WINDOW_MS_MIN: i64 = 1000;

impl Checker<'_> {
    pub(super) fn aggregate(&mut self, at: &IdedExpr, name: &str, args: &[IdedExpr]) -> Checked<Typed> {
        if self.inside {
            return Err(self.refused(at, say("counter-in-counter")));
        }
        let Some((key, rest)) = args.split_first() else {
            return Err(self.shape(at, name));
        };
        let (what, when, unless, window) = match (name, rest) {
            ("count", [window]) => (What::Count, None, None, window),
            ("count", [when, window]) => (What::Count, Some(when), None, window),
            ("sum", [field, window]) => (What::Sum(self.summand(field)?), None, None, window),
            ("sum", [field, when, window]) => (What::Sum(self.summand(field)?), Some(when), None, window),
            ("distinct", [of, window]) => (What::Distinct(self.key_field(of)?), None, None, window),
            ("distinct", [of, when, window]) => {
                (What::Distinct(self.key_field(of)?), Some(when), None, window)
            }
            ("distinct_unless", [of, when, unless, window]) => {
                (What::DistinctUnless(self.key_field(of)?), Some(when), Some(unless), window)
            }
            _ => return Err(self.shape(at, name)),
        };
        let key = self.key_field(key)?;
        let window_ms = self.window(window)?;
        let when = when.map(|test| self.inner(test)).transpose()?;
        let unless = unless.map(|test| self.inner(test)).transpose()?;
        let text = written(name, key, what, when.as_ref(), unless.as_ref(), window_ms);
        let spec = CounterSpec { text, what, key, when, unless, window_ms };
        let place = self.names.counter(spec);
        place
            .map(|counter| Typed::Int(Number::Counter(counter)))
            .ok_or_else(|| self.refused(at, say("too-many-counters")))
    }

    fn shape(&self, at: &IdedExpr, name: &str) -> super::Refused {
        self.refused(at, say("other-arguments").with("name", name)).suggest(write(match name {
            "count" => "count(card, pin_mismatch, \"1h\")",
            "sum" => "sum(card, amount, approved, \"24h\")",
            "distinct" => "distinct(terminal, card, pin_mismatch, \"10m\")",
            _ => "distinct_unless(terminal, card, pin_mismatch, pin_verified, \"10m\")",
        }))
    }

    /// The field that is summed up.
    fn summand(&mut self, at: &IdedExpr) -> Checked<Field> {
        match self.typed(at)? {
            Typed::Int(Number::Field(field)) => Ok(field),
            _ => Err(self.refused(at, say("only-numbers-summed")).suggest(write("amount"))),
        }
    }

    /// A condition about an event that is counted.
    fn inner(&mut self, at: &IdedExpr) -> Checked<Test> {
        self.inside = true;
        let test = self.test(at);
        self.inside = false;
        test
    }

    fn window(&mut self, at: &IdedExpr) -> Checked<i64> {
        let literal = match &at.expr {
            Expr::Call(CallExpr { func_name, target: None, args }) if func_name == "duration" => {
                args.first().map(|arg| &arg.expr)
            }
            expression => Some(expression),
        };
        let Some(Expr::Literal(LiteralValue::String(text))) = literal else {
            return Err(self.refused(at, say("window-last")).suggest(say("write-windows")));
        };
        duration_ms(text.inner(), true).filter(|ms| *ms >= WINDOW_MS_MIN).ok_or_else(|| {
            self.refused(at, say("no-window").with("text", format!("{:?}", text.inner())))
                .suggest(say("write-windows"))
        })
    }
}

/// The one form in which a counter is written.
fn written(
    name: &str,
    key: Field,
    what: What,
    when: Option<&Test>,
    unless: Option<&Test>,
    window_ms: i64,
) -> String {
    let mut text = format!("{name}({}", key.name());
    match what {
        What::Count => {}
        What::Sum(of) | What::Distinct(of) | What::DistinctUnless(of) => {
            debug_assert!(of.kind() != Type::Bool);
            text += &format!(", {}", of.name());
        }
    }
    for test in [when, unless].into_iter().flatten() {
        text += &format!(", {}", explain::test(test, &Default::default()));
    }
    text + &format!(", \"{}\")", spoken(window_ms))
}
