//! The language of conditions: a subset of CEL, parsed by `cel`, checked against the fields of an event, and lowered to a
//! typed tree. CEL's interpreter is never used; that the tree means the same is tested against it.
//!
//! Why not CEL as it is: it has no type checker yet (a misspelt field is found out at run time), its macros loop without a
//! limit, `matches` compiles a pattern on every call, and it is twenty times slower than a tree over fields.

mod check;
pub(crate) mod explain;
mod gate;
mod literal;
pub(crate) mod parts;
mod refused;
pub(crate) mod tree;

use std::panic;

pub(crate) use self::{
    check::is_list_name,
    literal::moment_ms,
    refused::{did_you_mean, place},
};
pub use self::{
    check::{DEPTH_MAX, LITERALS_MAX, NODES_MAX},
    gate::{BRACKETS_MAX, TEXT_BYTES_MAX, TOKENS_MAX},
    literal::DURATION_MS_MAX,
    refused::Refused,
};
use crate::{counter::Names, saying::say};

/// Checks a text and lowers it. Counters and lists that it names are entered in `names`.
///
/// # Errors
/// [`Refused`] with the place, what is wrong, and what was probably meant.
pub(crate) fn compile(text: &str, names: &mut Names) -> Result<tree::Test, Refused> {
    gate::pass(text)?;
    let (expression, source) = parsed(text)?;
    check::check(text, &expression, &source, names)
}

type Parsed = (cel::IdedExpr, cel::common::ast::SourceInfo);

/// The parser has places that assert what its grammar promises. Nothing of it survives a panic, and whoever publishes a rule
/// is told; a host is never stopped by a text.
fn parsed(text: &str) -> Result<Parsed, Refused> {
    // a bracket is several levels of the grammar: operators by rank, a primary, a call
    const RECURSION_MAX: u16 = 250;
    let parse = || {
        cel::parser::Parser::new()
            .max_recursion_depth(RECURSION_MAX)
            .error_recovery_limit(1)
            .parse_with_source_info(text)
    };
    let Ok(result) = panic::catch_unwind(parse) else {
        return Err(Refused::at(text, 0, say("unreadable")));
    };
    result.map_err(|errors| {
        let Some(first) = errors.errors.into_iter().next() else {
            return Refused::at(text, 0, say("unreadable"));
        };
        let number = |n: isize| usize::try_from(n).unwrap_or(0).max(1);
        let mut what: String = first.msg.chars().filter(|c| !c.is_control()).take(200).collect();
        if let Some(rest) = what.strip_prefix("Syntax error: ") {
            what = rest.to_owned();
        }
        let of_has = what.contains("has()");
        let (line, column) = (number(first.pos.0), number(first.pos.1));
        let refused = Refused { line, column, what: say("syntax").with("said", what), suggestion: None };
        if of_has { refused.suggest(say("write").with("this", "has(event.FIELD)")) } else { refused }
    })
}

/// A window of a file's text, such as `10m` or `7d`, in milliseconds.
pub(crate) fn window_ms(text: &str) -> Option<i64> {
    literal::duration_ms(text, true).filter(|ms| *ms > 0)
}
