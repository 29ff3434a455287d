//! The condition of a rule after it was checked: a typed tree over the fields of an event. Evaluation allocates nothing,
//! loops over nothing but the tree, and cannot meet a wrong type.
//!
//! Logic has three values, as in CEL: *true*, *false* and a [`Fault`]. `&&` and `||` are commutative in it: `false && fault`
//! and `fault && false` are both *false*, because whatever the missing value is, the answer would be the same. Every
//! other operator hands a fault on. (cel-spec, language definition, "Logical operators".)

use super::parts::Part;
use crate::{event::RiskEvent, fault::Fault, field::Field, key::Key};

/// What a condition needs that is not in the event.
pub(crate) trait World {
    /// The value of a counter of the rule set, for the event.
    fn counter(&self, counter: u16) -> Result<i64, Fault>;
    /// Is the key in the list?
    fn is_listed(&self, list: u16, key: Key) -> Result<bool, Fault>;
}

/// A world without counters and lists: the conditions inside of counters.
pub(crate) struct Alone;

impl World for Alone {
    fn counter(&self, _: u16) -> Result<i64, Fault> {
        Err(Fault::CounterFull)
    }

    fn is_listed(&self, _: u16, _: Key) -> Result<bool, Fault> {
        Err(Fault::UnknownList)
    }
}

/// Something true or false.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Constant(bool),
    Field(Field),
    Has(Field),
    Not(Box<Test>),
    All(Box<[Test]>),
    Any(Box<[Test]>),
    If(Box<(Test, Test, Test)>),
    /// Two truth values compared: equal, or not.
    Same(bool, Box<(Test, Test)>),
    Number(Compare, Box<(Number, Number)>),
    Text(bool, Box<(Text, Text)>),
    NumberIn(Box<Number>, Box<[i64]>),
    TextIn(Text, Box<[Box<str>]>),
    Begins(Box<(Text, Text)>),
    Listed(Field, u16),
}

/// How numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A whole number, or a moment or duration in milliseconds. The kind is kept for people who read an explanation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Number {
    Constant(i64),
    Duration(i64),
    Timestamp(i64),
    Field(Field),
    Counter(u16),
    Negative(Box<Number>),
    Computed(Compute, Box<(Number, Number)>),
    If(Box<(Test, Number, Number)>),
}

/// How numbers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compute {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Text {
    Constant(Box<str>),
    Field(Field),
    If(Box<(Test, Text, Text)>),
}

impl Test {
    pub(crate) fn holds(&self, event: &RiskEvent<'_>, world: &impl World) -> Result<bool, Fault> {
        match self {
            Self::Constant(value) => Ok(*value),
            Self::Field(field) => event.flag(*field),
            Self::Has(field) => Ok(event.has(*field)),
            Self::Not(test) => test.holds(event, world).map(|holds| !holds),
            Self::All(tests) => decided(tests, false, event, world),
            Self::Any(tests) => decided(tests, true, event, world),
            Self::If(parts) => {
                if parts.0.holds(event, world)? {
                    parts.1.holds(event, world)
                } else {
                    parts.2.holds(event, world)
                }
            }
            Self::Same(same, sides) => {
                Ok((sides.0.holds(event, world)? == sides.1.holds(event, world)?) == *same)
            }
            Self::Number(how, sides) => {
                Ok(how.holds(sides.0.quick(event, world)?, sides.1.quick(event, world)?))
            }
            Self::Text(same, sides) => {
                Ok((sides.0.value(event, world)? == sides.1.value(event, world)?) == *same)
            }
            Self::NumberIn(number, values) => {
                number.value(event, world).map(|v| values.binary_search(&v).is_ok())
            }
            Self::TextIn(text, values) => {
                let value = text.value(event, world)?;
                Ok(values.iter().any(|v| **v == *value))
            }
            Self::Begins(sides) => Ok(sides.0.value(event, world)?.starts_with(sides.1.value(event, world)?)),
            Self::Listed(field, list) => event.key(*field).and_then(|key| world.is_listed(*list, key)),
        }
    }
}

/// What asking a counter costs beside a comparison.
const COUNTER_COST: u32 = 100;

impl Test {
    /// The same condition with what is cheap to find out before counters, so that most events need no counter. `&&` and `||` are
    /// commutative here, with faults as well; of two faults another one may be named.
    pub(crate) fn cheapest_first(self) -> Self {
        let sorted = |tests: Box<[Self]>| {
            let mut tests: Vec<Self> = tests.into_iter().map(Self::cheapest_first).collect();
            tests.sort_by_key(Self::cost);
            tests.into_boxed_slice()
        };
        match self {
            Self::All(tests) => Self::All(sorted(tests)),
            Self::Any(tests) => Self::Any(sorted(tests)),
            Self::Not(test) => Self::Not(Box::new(test.cheapest_first())),
            other => other,
        }
    }

    fn cost(&self) -> u32 {
        let mut cost = 0_u32;
        self.parts(&mut |part| {
            cost = cost.saturating_add(if matches!(part, Part::Counter(_)) { COUNTER_COST } else { 1 });
        });
        cost
    }
}

/// One operand that is `decisive` decides, wherever it stands; else a fault is the answer, if there is one.
fn decided(tests: &[Test], decisive: bool, event: &RiskEvent<'_>, world: &impl World) -> Result<bool, Fault> {
    let mut fault = None;
    for test in tests {
        match test.holds(event, world) {
            Ok(holds) if holds == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(why) => fault = fault.or(Some(why)),
        }
    }
    fault.map_or(Ok(!decisive), Err)
}

impl Compare {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Number {
    /// The value of what most numbers are, in place; the rest is computed.
    #[inline(always)]
    fn quick(&self, event: &RiskEvent<'_>, world: &impl World) -> Result<i64, Fault> {
        match self {
            Self::Constant(value) | Self::Duration(value) | Self::Timestamp(value) => Ok(*value),
            Self::Counter(counter) => world.counter(*counter),
            other => other.value(event, world),
        }
    }

    pub(crate) fn value(&self, event: &RiskEvent<'_>, world: &impl World) -> Result<i64, Fault> {
        match self {
            Self::Constant(value) | Self::Duration(value) | Self::Timestamp(value) => Ok(*value),
            Self::Field(field) => event.number(*field),
            Self::Counter(counter) => world.counter(*counter),
            Self::Negative(number) => number.value(event, world)?.checked_neg().ok_or(Fault::Overflow),
            Self::Computed(how, sides) => {
                how.value(sides.0.value(event, world)?, sides.1.value(event, world)?)
            }
            Self::If(parts) => {
                if parts.0.holds(event, world)? {
                    parts.1.value(event, world)
                } else {
                    parts.2.value(event, world)
                }
            }
        }
    }
}

impl Compute {
    fn value(self, left: i64, right: i64) -> Result<i64, Fault> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide | Self::Remainder if right == 0 => return Err(Fault::DivisionByZero),
            // CEL rounds towards zero, as Rust does
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
        }
        .ok_or(Fault::Overflow)
    }

    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

impl Text {
    pub(crate) fn value<'v>(
        &'v self,
        event: &'v RiskEvent<'_>,
        world: &impl World,
    ) -> Result<&'v str, Fault> {
        match self {
            Self::Constant(value) => Ok(value),
            Self::Field(field) => event.text(*field),
            Self::If(parts) => {
                if parts.0.holds(event, world)? {
                    parts.1.value(event, world)
                } else {
                    parts.2.value(event, world)
                }
            }
        }
    }
}
