//! From the parser's tree to ours: every name is known, every type fits, and nothing is in it that loops.

mod aggregate;
mod compare;

pub(crate) use self::compare::is_list_name;

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, SourceInfo, operators},
};

use super::{
    literal::{duration_ms, moment_ms},
    refused::{Refused, did_you_mean, nearest},
    tree::{Compute, Number, Test, Text},
};
use crate::{
    counter::Names,
    field::{Field, Type},
    saying::{Saying, say},
};

/// Nodes of a condition.
pub const NODES_MAX: usize = 256;
/// Depth of a condition's tree.
pub const DEPTH_MAX: usize = 32;
/// Values in a literal list, `x in [ … ]`.
pub const LITERALS_MAX: usize = 200;

const FUNCTIONS: &[&str] =
    &["count", "sum", "distinct", "distinct_unless", "list", "duration", "timestamp", "has", "startsWith"];

/// Checks a whole condition.
pub(super) fn check(
    text: &str,
    expression: &IdedExpr,
    source: &SourceInfo,
    names: &mut Names,
) -> Result<Test, Refused> {
    let mut checker = Checker { text, source, names, inside: false, nodes: 0, depth: 0, reads: false };
    let test = checker.test(expression)?;
    if checker.reads { Ok(test) } else { Err(Refused::at(text, 0, say("always-the-same"))) }
}

struct Checker<'c> {
    text: &'c str,
    source: &'c SourceInfo,
    names: &'c mut Names,
    /// Is this a condition inside of a counter?
    inside: bool,
    nodes: usize,
    depth: usize,
    /// Was a field, a counter or a list read?
    reads: bool,
}

/// A part of a condition, by its type.
enum Typed {
    Bool(Test),
    Int(Number),
    Duration(Number),
    Timestamp(Number),
    Text(Text),
    Card,
}

impl Typed {
    fn kind(&self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Duration(_) => Type::Duration,
            Self::Timestamp(_) => Type::Timestamp,
            Self::Text(_) => Type::Text,
            Self::Card => Type::Card,
        }
    }
}

type Checked<T> = Result<T, Refused>;

impl Checker<'_> {
    fn refused(&self, at: &IdedExpr, what: Saying) -> Refused {
        // nodes that the parser made up have no place: the beginning
        let mut offset = self.source.offset_for(at.id).map_or(0, |(start, _)| start as usize);
        if let Expr::Call(call) = &at.expr {
            // a call is where its bracket opens; people look for its name
            let name = call.func_name.as_str();
            let begin = offset.saturating_sub(name.len());
            if self.text.chars().skip(begin).take(name.len()).eq(name.chars()) {
                offset = begin;
            }
        }
        Refused::at(self.text, offset, what)
    }

    /// A condition that must be true or false.
    fn test(&mut self, at: &IdedExpr) -> Checked<Test> {
        match self.typed(at)? {
            Typed::Bool(test) => Ok(test),
            other => {
                let refused = self.refused(at, say("not-a-condition").with("type", other.kind().name()));
                Err(match other {
                    Typed::Card => refused.suggest(write(CARD_IN_LIST)),
                    _ => refused.suggest(say("compare-it")),
                })
            }
        }
    }

    fn typed(&mut self, at: &IdedExpr) -> Checked<Typed> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(self.refused(at, say("too-many-parts").with("max", NODES_MAX)));
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.refused(at, say("too-deep").with("max", DEPTH_MAX)));
        }
        let typed = self.expression(at);
        self.depth -= 1;
        typed
    }

    fn expression(&mut self, at: &IdedExpr) -> Checked<Typed> {
        match &at.expr {
            Expr::Ident(name) => self.field(at, name).map(|field| self.value_of(field)),
            Expr::Literal(literal) => self.literal(at, literal),
            Expr::Select(select) => {
                if !matches!(&select.operand.expr, Expr::Ident(root) if root == "event") {
                    let (field, part) = (&select.field, format!("event.{}", select.field));
                    let instead = say("write-one-of-two").with("this", field).with("that", part);
                    return Err(self.refused(at, say("only-event")).suggest(instead));
                }
                let field = self.field(at, &select.field)?;
                Ok(if select.test { Typed::Bool(Test::Has(field)) } else { self.value_of(field) })
            }
            Expr::Call(call) => self.call(at, call),
            Expr::Comprehension(_) => Err(self.refused(at, say("no-macros")).suggest(say("no-loops"))),
            Expr::List(_) => Err(self.refused(at, say("list-of-values"))),
            Expr::Map(_) | Expr::Struct(_) => Err(self.refused(at, say("no-maps"))),
            Expr::Unspecified => Err(self.refused(at, say("unreadable"))),
        }
    }

    fn field(&mut self, at: &IdedExpr, name: &str) -> Checked<Field> {
        self.reads = true;
        Field::named(name).ok_or_else(|| {
            let refused = self.refused(at, say("unknown-field").with("name", name));
            let known: Vec<&str> = Field::ALL.iter().map(|f| f.name()).collect();
            match did_you_mean(name, &known) {
                Some(suggestion) => refused.suggest(suggestion),
                None => refused.suggest(say("fields-listed")),
            }
        })
    }

    fn value_of(&self, field: Field) -> Typed {
        match field.kind() {
            Type::Bool => Typed::Bool(Test::Field(field)),
            Type::Int => Typed::Int(Number::Field(field)),
            Type::Duration => Typed::Duration(Number::Field(field)),
            Type::Timestamp => Typed::Timestamp(Number::Field(field)),
            Type::Text => Typed::Text(Text::Field(field)),
            Type::Card => Typed::Card,
        }
    }

    fn literal(&self, at: &IdedExpr, literal: &LiteralValue) -> Checked<Typed> {
        match literal {
            LiteralValue::Boolean(value) => Ok(Typed::Bool(Test::Constant(*value.inner()))),
            LiteralValue::Int(value) => Ok(Typed::Int(Number::Constant(*value.inner()))),
            LiteralValue::String(value) => Ok(Typed::Text(Text::Constant(value.inner().into()))),
            LiteralValue::Double(_) => Err(self.refused(at, say("whole-numbers")).suggest(say("write-for"))),
            LiteralValue::UInt(_) => Err(self.refused(at, say("signed-numbers")).suggest(say("leave-out-u"))),
            LiteralValue::Bytes(_) => Err(self.refused(at, say("no-bytes"))),
            LiteralValue::Null => Err(self.refused(at, say("no-null")).suggest(write("has(event.FIELD)"))),
        }
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Checked<Typed> {
        if let Some(target) = &call.target {
            return self.method(at, target, call);
        }
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (operators::LOGICAL_AND, args) => {
                self.operands(name, args).map(|all| Typed::Bool(Test::All(all.into())))
            }
            (operators::LOGICAL_OR, args) => {
                self.operands(name, args).map(|all| Typed::Bool(Test::Any(all.into())))
            }
            (operators::LOGICAL_NOT, [test]) => {
                self.test(test).map(|test| Typed::Bool(Test::Not(Box::new(test))))
            }
            (operators::CONDITIONAL, [test, yes, no]) => self.conditional(at, test, yes, no),
            (operators::NEGATE, [number]) => self.negated(at, number),
            (operators::IN, [left, right]) => self.membership(at, left, right),
            ("duration", [text]) => self.duration(text),
            ("timestamp", [text]) => self.moment(text),
            ("count" | "sum" | "distinct" | "distinct_unless", args) => self.aggregate(at, name, args),
            ("list", _) => Err(self.refused(at, say("list-right-of-in"))),
            (_, [left, right]) if compute(name).is_some() => {
                // cannot fail: asked for in the line above
                self.computed(at, compute(name).unwrap_or(Compute::Add), left, right)
            }
            (_, [left, right]) => match compare::comparison(name) {
                Some(how) => self.compared(at, how, left, right),
                None => Err(self.unknown_function(at, name)),
            },
            _ => Err(self.unknown_function(at, name)),
        }
    }

    /// `a && b && c` is one node, however it was bracketed.
    fn operands(&mut self, name: &str, args: &[IdedExpr]) -> Checked<Vec<Test>> {
        let mut tests = Vec::with_capacity(args.len());
        for arg in args {
            match &arg.expr {
                Expr::Call(call) if call.func_name == name && call.target.is_none() => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(self.refused(arg, say("too-deep").with("max", DEPTH_MAX)));
                    }
                    tests.extend(self.operands(name, &call.args)?);
                    self.depth -= 1;
                }
                _ => tests.push(self.test(arg)?),
            }
        }
        Ok(tests)
    }

    fn conditional(
        &mut self,
        at: &IdedExpr,
        test: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Checked<Typed> {
        let test = self.test(test)?;
        Ok(match (self.typed(yes)?, self.typed(no)?) {
            (Typed::Bool(yes), Typed::Bool(no)) => Typed::Bool(Test::If(Box::new((test, yes, no)))),
            (Typed::Int(yes), Typed::Int(no)) => Typed::Int(Number::If(Box::new((test, yes, no)))),
            (Typed::Duration(yes), Typed::Duration(no)) => {
                Typed::Duration(Number::If(Box::new((test, yes, no))))
            }
            (Typed::Timestamp(yes), Typed::Timestamp(no)) => {
                Typed::Timestamp(Number::If(Box::new((test, yes, no))))
            }
            (Typed::Text(yes), Typed::Text(no)) => Typed::Text(Text::If(Box::new((test, yes, no)))),
            (yes, no) => return Err(self.misfit(at, "?:", &yes, &no)),
        })
    }

    fn negated(&mut self, at: &IdedExpr, number: &IdedExpr) -> Checked<Typed> {
        match self.typed(number)? {
            Typed::Int(number) => Ok(Typed::Int(Number::Negative(Box::new(number)))),
            other => Err(self.refused(at, say("no-negative").with("type", other.kind().name()))),
        }
    }

    /// Arithmetic, with the types that CEL gives it.
    fn computed(&mut self, at: &IdedExpr, how: Compute, left: &IdedExpr, right: &IdedExpr) -> Checked<Typed> {
        use Typed::{Duration, Int, Timestamp};
        let both = |left, right| Number::Computed(how, Box::new((left, right)));
        Ok(match (how, self.typed(left)?, self.typed(right)?) {
            (_, Int(left), Int(right)) => Int(both(left, right)),
            (Compute::Add | Compute::Subtract, Duration(left), Duration(right)) => {
                Duration(both(left, right))
            }
            (Compute::Add | Compute::Subtract, Timestamp(left), Duration(right))
            | (Compute::Add, Duration(left), Timestamp(right)) => Timestamp(both(left, right)),
            (Compute::Subtract, Timestamp(left), Timestamp(right)) => Duration(both(left, right)),
            (_, left, right) => return Err(self.misfit(at, how.sign(), &left, &right)),
        })
    }

    fn duration(&mut self, text: &IdedExpr) -> Checked<Typed> {
        let written = self.constant_text(text, say("duration-is-text"))?;
        duration_ms(&written, false).map(|ms| Typed::Duration(Number::Duration(ms))).ok_or_else(|| {
            self.refused(text, say("no-duration").with("text", format!("{written:?}")))
                .suggest(say("write-durations"))
        })
    }

    fn moment(&mut self, text: &IdedExpr) -> Checked<Typed> {
        let written = self.constant_text(text, say("timestamp-is-text"))?;
        moment_ms(&written).map(|ms| Typed::Timestamp(Number::Timestamp(ms))).ok_or_else(|| {
            self.refused(text, say("no-timestamp").with("text", format!("{written:?}")))
                .suggest(write("\"2026-11-22T00:00:00Z\""))
        })
    }

    fn constant_text(&mut self, at: &IdedExpr, otherwise: Saying) -> Checked<String> {
        match &at.expr {
            Expr::Literal(LiteralValue::String(text)) => Ok(text.inner().to_owned()),
            _ => Err(self.refused(at, otherwise)),
        }
    }

    fn method(&mut self, at: &IdedExpr, target: &IdedExpr, call: &CallExpr) -> Checked<Typed> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("startsWith", [beginning]) => match (self.typed(target)?, self.typed(beginning)?) {
                (Typed::Text(text), Typed::Text(beginning)) => {
                    Ok(Typed::Bool(Test::Begins(Box::new((text, beginning)))))
                }
                (left, right) => Err(self.misfit(at, "startsWith", &left, &right)),
            },
            ("matches", _) => Err(self.refused(at, say("no-regex")).suggest(say("write-beginning"))),
            (name, _) => Err(self.unknown_function(at, name)),
        }
    }

    fn unknown_function(&self, at: &IdedExpr, name: &str) -> Refused {
        if name == "matches" {
            return self.refused(at, say("no-regex")).suggest(say("write-beginning"));
        }
        if FUNCTIONS.contains(&name) {
            return self.refused(at, say("other-arguments").with("name", name));
        }
        let refused = self.refused(at, say("unknown-function").with("name", name));
        match nearest(name, FUNCTIONS.iter().copied()) {
            Some(word) => refused.suggest(say("did-you-mean").with("word", word)),
            None => refused.suggest(say("one-of").with("words", FUNCTIONS.join(", "))),
        }
    }

    /// Two types that an operator does not take together.
    fn misfit(&self, at: &IdedExpr, sign: &str, left: &Typed, right: &Typed) -> Refused {
        let (left, right) = (left.kind(), right.kind());
        let what = say("misfit").with("sign", sign).with("left", left.name()).with("right", right.name());
        let refused = self.refused(at, what);
        match (left, right) {
            (Type::Duration, Type::Int) | (Type::Int, Type::Duration) => {
                refused.suggest(say("write-duration"))
            }
            (Type::Timestamp, Type::Text) | (Type::Text, Type::Timestamp) => {
                refused.suggest(write("timestamp(\"2026-11-22T00:00:00Z\")"))
            }
            (Type::Int, Type::Text) => refused.suggest(say("number-without-quotes")),
            (Type::Text, Type::Int) => refused.suggest(say("text-in-quotes")),
            (Type::Card, _) | (_, Type::Card) => refused.suggest(write(CARD_IN_LIST)),
            _ => refused,
        }
    }
}

const CARD_IN_LIST: &str = "card in list(\"NAME\")";

/// What could be written instead.
fn write(this: &str) -> Saying {
    say("write").with("this", this)
}

fn compute(name: &str) -> Option<Compute> {
    Some(match name {
        operators::ADD => Compute::Add,
        operators::SUBSTRACT => Compute::Subtract,
        operators::MULTIPLY => Compute::Multiply,
        operators::DIVIDE => Compute::Divide,
        operators::MODULO => Compute::Remainder,
        _ => return None,
    })
}
