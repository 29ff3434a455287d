//! Why a rule fired: each term of its condition with the values that it had. The text is made from the tree, so that what
//! people read is what was evaluated.

use serde::Serialize;

use super::{
    literal::{in_hours, moment, spoken},
    tree::{Number, Test, Text, World},
};
use crate::{
    counter::Names,
    event::RiskEvent,
    fault::Fault,
    field::{Field, Type},
};

/// Terms that are explained; a condition has seldom more than ten.
pub(crate) const TERMS_MAX: usize = 32;
/// Characters of one value.
const VALUE_CHARACTERS_MAX: usize = 64;

/// One term of a condition: what stands between `&&`, `||`, `!` and `?:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// As it is written in the rule.
    pub text: String,
    /// The names in it, with the values that they had.
    pub values: Vec<(String, String)>,
    /// Was it true? Nothing, if it could not be evaluated.
    pub held: Option<bool>,
}

/// The terms of a condition, in their order.
pub(crate) fn terms(test: &Test, names: &Names, event: &RiskEvent<'_>, world: &impl World) -> Vec<Term> {
    let mut terms = Explaining { names, event, world, terms: Vec::new() };
    terms.walk(test);
    terms.terms
}

struct Explaining<'e, W> {
    names: &'e Names,
    event: &'e RiskEvent<'e>,
    world: &'e W,
    terms: Vec<Term>,
}

impl<W: World> Explaining<'_, W> {
    fn walk(&mut self, test: &Test) {
        if self.terms.len() >= TERMS_MAX {
            return;
        }
        match test {
            Test::All(tests) | Test::Any(tests) => tests.iter().for_each(|test| self.walk(test)),
            Test::Not(test) => self.walk(test),
            Test::If(parts) => {
                self.walk(&parts.0);
                match parts.0.holds(self.event, self.world) {
                    Ok(true) => self.walk(&parts.1),
                    Ok(false) => self.walk(&parts.2),
                    Err(_) => {}
                }
            }
            term => self.term(term),
        }
    }

    fn term(&mut self, test: &Test) {
        let mut values = Vec::new();
        self.values_of(test, &mut values);
        values.sort();
        values.dedup();
        self.terms.push(Term {
            text: self::test(test, self.names),
            values,
            held: test.holds(self.event, self.world).ok(),
        });
    }

    fn values_of(&self, test: &Test, values: &mut Vec<(String, String)>) {
        match test {
            Test::Constant(_) => {}
            Test::Field(field) | Test::Has(field) | Test::Listed(field, _) => {
                values.push(self.field(*field));
            }
            Test::Not(test) => self.values_of(test, values),
            Test::All(tests) | Test::Any(tests) => {
                tests.iter().for_each(|test| self.values_of(test, values));
            }
            Test::If(parts) => {
                [&parts.0, &parts.1, &parts.2].into_iter().for_each(|test| self.values_of(test, values));
            }
            Test::Same(_, sides) => {
                self.values_of(&sides.0, values);
                self.values_of(&sides.1, values);
            }
            Test::Number(_, sides) => {
                self.values_of_number(&sides.0, values);
                self.values_of_number(&sides.1, values);
            }
            Test::NumberIn(number, _) => self.values_of_number(number, values),
            Test::TextIn(text, _) => self.values_of_text(text, values),
            Test::Text(_, sides) => {
                self.values_of_text(&sides.0, values);
                self.values_of_text(&sides.1, values);
            }
            Test::Begins(sides) => {
                self.values_of_text(&sides.0, values);
                self.values_of_text(&sides.1, values);
            }
        }
    }

    fn values_of_number(&self, number: &Number, values: &mut Vec<(String, String)>) {
        match number {
            Number::Constant(_) | Number::Duration(_) | Number::Timestamp(_) => {}
            Number::Field(field) => values.push(self.field(*field)),
            Number::Counter(counter) => {
                let value = self.world.counter(*counter).map(|value| value.to_string());
                values.push((counter_text(*counter, self.names), cut(value)));
            }
            Number::Negative(number) => self.values_of_number(number, values),
            Number::Computed(_, sides) => {
                self.values_of_number(&sides.0, values);
                self.values_of_number(&sides.1, values);
            }
            Number::If(parts) => {
                self.values_of(&parts.0, values);
                self.values_of_number(&parts.1, values);
                self.values_of_number(&parts.2, values);
            }
        }
    }

    fn values_of_text(&self, text: &Text, values: &mut Vec<(String, String)>) {
        match text {
            Text::Constant(_) => {}
            Text::Field(field) => values.push(self.field(*field)),
            Text::If(parts) => {
                self.values_of(&parts.0, values);
                self.values_of_text(&parts.1, values);
                self.values_of_text(&parts.2, values);
            }
        }
    }

    fn field(&self, field: Field) -> (String, String) {
        let event = self.event;
        let value = match field.kind() {
            Type::Bool => event.flag(field).map(|flag| flag.to_string()),
            Type::Int => event.number(field).map(|number| number.to_string()),
            Type::Duration => event.number(field).map(spoken),
            Type::Timestamp => event.number(field).map(moment),
            Type::Text => event.text(field).map(str::to_owned),
            Type::Card => Ok(event.card.to_string()),
        };
        (field.name().to_owned(), cut(value))
    }
}

fn cut(value: Result<String, Fault>) -> String {
    match value {
        Ok(value) => value.chars().filter(|c| !c.is_control()).take(VALUE_CHARACTERS_MAX).collect(),
        Err(fault) => format!("? {fault}"),
    }
}

fn counter_text(counter: u16, names: &Names) -> String {
    names.counters.get(usize::from(counter)).map_or_else(String::new, |spec| spec.text.clone())
}

/// A condition as text.
pub(crate) fn test(test: &Test, names: &Names) -> String {
    let all = |tests: &[Test], sign: &str| {
        tests.iter().map(|t| self::bracketed(t, names)).collect::<Vec<_>>().join(sign)
    };
    match test {
        Test::Constant(value) => value.to_string(),
        Test::Field(field) => field.name().to_owned(),
        Test::Has(field) => format!("has(event.{})", field.name()),
        Test::Not(test) => format!("!{}", bracketed(test, names)),
        Test::All(tests) => all(tests, " && "),
        Test::Any(tests) => all(tests, " || "),
        Test::If(parts) => format!(
            "{} ? {} : {}",
            bracketed(&parts.0, names),
            bracketed(&parts.1, names),
            bracketed(&parts.2, names)
        ),
        Test::Same(same, sides) => {
            format!("{} {} {}", bracketed(&sides.0, names), equal(*same), bracketed(&sides.1, names))
        }
        Test::Number(how, sides) => {
            format!("{} {} {}", number(&sides.0, names), how.sign(), number(&sides.1, names))
        }
        Test::Text(same, sides) => {
            format!("{} {} {}", text(&sides.0, names), equal(*same), text(&sides.1, names))
        }
        Test::NumberIn(value, values) => {
            let values: Vec<String> = values.iter().map(i64::to_string).collect();
            format!("{} in [{}]", number(value, names), values.join(", "))
        }
        Test::TextIn(value, values) => {
            let values: Vec<String> = values.iter().map(|v| quoted(v)).collect();
            format!("{} in [{}]", text(value, names), values.join(", "))
        }
        Test::Begins(sides) => format!("{}.startsWith({})", text(&sides.0, names), text(&sides.1, names)),
        Test::Listed(field, list) => {
            let list = names.lists.get(usize::from(*list)).map_or("", String::as_str);
            format!("{} in list(\"{list}\")", field.name())
        }
    }
}

fn bracketed(test: &Test, names: &Names) -> String {
    match test {
        Test::Constant(_) | Test::Field(_) | Test::Has(_) | Test::Not(_) | Test::Begins(_) => {
            self::test(test, names)
        }
        other => format!("({})", self::test(other, names)),
    }
}

fn equal(same: bool) -> &'static str {
    if same { "==" } else { "!=" }
}

fn number(value: &Number, names: &Names) -> String {
    match value {
        Number::Constant(value) => value.to_string(),
        Number::Duration(ms) => format!("duration(\"{}\")", in_hours(*ms)),
        Number::Timestamp(ms) => format!("timestamp(\"{}\")", moment(*ms)),
        Number::Field(field) => field.name().to_owned(),
        Number::Counter(counter) => counter_text(*counter, names),
        Number::Negative(value) => format!("-({})", number(value, names)),
        Number::Computed(how, sides) => {
            format!("({} {} {})", number(&sides.0, names), how.sign(), number(&sides.1, names))
        }
        Number::If(parts) => format!(
            "({} ? {} : {})",
            bracketed(&parts.0, names),
            number(&parts.1, names),
            number(&parts.2, names)
        ),
    }
}

fn text(value: &Text, names: &Names) -> String {
    match value {
        Text::Constant(value) => quoted(value),
        Text::Field(field) => field.name().to_owned(),
        Text::If(parts) => {
            format!(
                "({} ? {} : {})",
                bracketed(&parts.0, names),
                text(&parts.1, names),
                text(&parts.2, names)
            )
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
