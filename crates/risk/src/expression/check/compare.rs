//! Comparisons and membership: which types may meet, and which texts a field can have at all.

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue, operators},
};

use super::{CARD_IN_LIST, Checked, Checker, LITERALS_MAX, Typed, write};
use crate::{
    expression::{
        refused::did_you_mean,
        tree::{Compare, Number, Test, Text},
    },
    field::{Field, Type},
    saying::{Saying, say},
};

pub(super) fn comparison(name: &str) -> Option<Compare> {
    Some(match name {
        operators::EQUALS => Compare::Equal,
        operators::NOT_EQUALS => Compare::NotEqual,
        operators::LESS => Compare::Less,
        operators::LESS_EQUALS => Compare::LessOrEqual,
        operators::GREATER => Compare::Greater,
        operators::GREATER_EQUALS => Compare::GreaterOrEqual,
        _ => return None,
    })
}

impl Checker<'_> {
    pub(super) fn compared(
        &mut self,
        at: &IdedExpr,
        how: Compare,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Checked<Typed> {
        use Typed::{Bool, Duration, Int, Timestamp};
        let sides = (self.typed(left)?, self.typed(right)?);
        Ok(Typed::Bool(match sides {
            (Int(one), Int(other))
            | (Duration(one), Duration(other))
            | (Timestamp(one), Timestamp(other)) => Test::Number(how, Box::new((one, other))),
            (Bool(one), Bool(other)) if same(how).is_some() => {
                Test::Same(how == Compare::Equal, Box::new((one, other)))
            }
            (Typed::Text(one), Typed::Text(other)) if same(how).is_some() => {
                self.possible(right, &one, &other)?;
                self.possible(left, &other, &one)?;
                Test::Text(how == Compare::Equal, Box::new((one, other)))
            }
            (one, other) => {
                let refused = self.misfit(at, how.sign(), &one, &other);
                return Err(match (one.kind(), other.kind()) {
                    (Type::Text, Type::Text) => refused.suggest(say("texts-have-no-order")),
                    _ => refused,
                });
            }
        }))
    }

    /// A field that has only certain values is not compared with others: that would never be true.
    fn possible(&self, at: &IdedExpr, text: &Text, constant: &Text) -> Checked<()> {
        let (Text::Field(field), Text::Constant(written)) = (text, constant) else { return Ok(()) };
        match field.values() {
            Some(values) if !values.contains(&&**written) => {
                let refused = self.refused(
                    at,
                    say("never").with("field", field.name()).with("text", format!("{written:?}")),
                );
                Err(match did_you_mean(written, &values) {
                    Some(suggestion) => refused.suggest(suggestion),
                    None => refused,
                })
            }
            _ => Ok(()),
        }
    }

    /// `x in [ … ]` and `x in list("…")`.
    pub(super) fn membership(&mut self, at: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Checked<Typed> {
        match &right.expr {
            Expr::List(list) => {
                if list.elements.len() > LITERALS_MAX || list.elements.is_empty() {
                    let what = say("list-size").with("max", LITERALS_MAX);
                    return Err(self.refused(right, what).suggest(write("in list(\"NAME\")")));
                }
                match self.typed(left)? {
                    Typed::Text(text) => self.one_of_texts(text, &list.elements),
                    Typed::Int(number) => self.one_of_numbers(number, &list.elements),
                    other => {
                        let refused = self.refused(at, say("in-no-list").with("type", other.kind().name()));
                        Err(match other {
                            Typed::Card => refused.suggest(write(CARD_IN_LIST)),
                            _ => refused,
                        })
                    }
                }
            }
            Expr::Call(call) if call.func_name == "list" && call.target.is_none() => {
                self.listed(left, right, &call.args)
            }
            _ => Err(self.refused(right, say("right-of-in")).suggest(
                say("write-one-of-two").with("this", "in [\"a\", \"b\"]").with("that", "in list(\"NAME\")"),
            )),
        }
    }

    fn one_of_texts(&mut self, text: Text, elements: &[IdedExpr]) -> Checked<Typed> {
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            let Expr::Literal(LiteralValue::String(value)) = &element.expr else {
                return Err(self.refused(element, say("only-texts")));
            };
            let value = Text::Constant(value.inner().into());
            self.possible(element, &text, &value)?;
            if let Text::Constant(value) = value {
                values.push(value);
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(Typed::Bool(Test::TextIn(text, values.into())))
    }

    fn one_of_numbers(&mut self, number: Number, elements: &[IdedExpr]) -> Checked<Typed> {
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            let value = match &element.expr {
                Expr::Literal(LiteralValue::Int(value)) => Some(*value.inner()),
                Expr::Call(call) if call.func_name == operators::NEGATE => match call.args.as_slice() {
                    [IdedExpr { expr: Expr::Literal(LiteralValue::Int(value)), .. }] => {
                        value.inner().checked_neg()
                    }
                    _ => None,
                },
                _ => None,
            };
            values.push(value.ok_or_else(|| self.refused(element, say("only-numbers")))?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(Typed::Bool(Test::NumberIn(Box::new(number), values.into())))
    }

    fn listed(&mut self, left: &IdedExpr, list: &IdedExpr, args: &[IdedExpr]) -> Checked<Typed> {
        if self.inside {
            return Err(self.refused(list, say("list-in-counter")));
        }
        let [name] = args else {
            return Err(self.refused(list, say("list-has-one-name")).suggest(write("list(\"NAME\")")));
        };
        let name_written = self.constant_text(name, say("list-name-is-text"))?;
        if !is_list_name(&name_written) {
            return Err(self.refused(name, say("list-name")));
        }
        let field = self.key_field(left)?;
        let place = self.names.list(&name_written);
        let list = place.ok_or_else(|| self.refused(list, say("too-many-lists")))?;
        Ok(Typed::Bool(Test::Listed(field, list)))
    }

    /// A field by which events are counted or looked up.
    pub(super) fn key_field(&mut self, at: &IdedExpr) -> Checked<Field> {
        let name = match &at.expr {
            Expr::Ident(name) => name,
            Expr::Select(select)
                if !select.test && matches!(&select.operand.expr, Expr::Ident(root) if root == "event") =>
            {
                &select.field
            }
            _ => return Err(self.key_refused(at, say("field-here"))),
        };
        let field = self.field(at, name)?;
        if field.is_key() { Ok(field) } else { Err(self.key_refused(at, say("no-key").with("name", name))) }
    }

    fn key_refused(&self, at: &IdedExpr, what: Saying) -> super::Refused {
        let keys: Vec<&str> = Field::ALL.iter().filter(|f| f.is_key()).map(|f| f.name()).collect();
        self.refused(at, what).suggest(say("one-of").with("words", keys.join(", ")))
    }
}

fn same(how: Compare) -> Option<()> {
    matches!(how, Compare::Equal | Compare::NotEqual).then_some(())
}

/// The names that lists may have.
pub(crate) fn is_list_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
