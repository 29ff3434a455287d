//! A slip as plain text: what a terminal's screen shows, and what a test can be compared with.

use crate::layout::{Align, Layout, Line};
use crate::width::columns;

/// The text, each line at most as wide as the paper.
#[must_use]
pub fn text(layout: &Layout) -> String {
    let width = layout.paper.columns();
    let line = |line: &Line| match line {
        Line::Rule => "-".repeat(width),
        Line::Ink(_, stand_in) => (*stand_in).to_owned(),
        Line::Text(style, text) if style.align == Align::Centre => {
            format!("{}{text}", " ".repeat(width.saturating_sub(columns(text)) / 2))
        }
        Line::Text(_, text) => text.clone(),
    };
    layout.lines.iter().map(|l| line(l) + "\n").collect()
}
