//! The waterfall of one payment: each part of its time behind the one before.

use maud::{Markup, html};

/// The chart's width in its own units; the style sheet stretches it.
const WIDTH: f64 = 600.0;
/// Height of a part.
const ROW: f64 = 22.0;

/// One part: its class, when it began and how long it took, in microseconds.
pub(crate) struct Part<'a> {
    pub(crate) class: &'a str,
    pub(crate) from_us: u64,
    pub(crate) took_us: u64,
    pub(crate) words: String,
}

/// Draws the parts.
pub(crate) fn draw(title: &str, finding: &str, parts: &[Part<'_>]) -> Markup {
    let end = parts.iter().map(|p| p.from_us + p.took_us).max().unwrap_or_default().max(1) as f64;
    let x = |us: u64| us as f64 / end * WIDTH;
    html! {
        svg class="plot waterfall" role="img" viewBox={ "0 0 " (WIDTH) " " (ROW * parts.len() as f64) } preserveAspectRatio="none" focusable="false" {
            title { (title) }
            desc { (finding) }
            @for (i, part) in parts.iter().enumerate() {
                rect class=(part.class) x=(format!("{:.1}", x(part.from_us))) y=(i as f64 * ROW + 4.0)
                    width=(format!("{:.1}", x(part.took_us).max(2.0))) height=(ROW - 8.0) {
                    title { (part.words) }
                }
            }
        }
    }
}
