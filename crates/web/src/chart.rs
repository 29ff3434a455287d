//! Charts drawn here, as SVG that the style sheet colours. A chart never stands alone: its finding is in words beside
//! it, and its numbers are in a table.

pub(crate) mod funnel;
pub(crate) mod heat;
pub(crate) mod survival;
pub(crate) mod waterfall;

use maud::{Markup, html};

/// Size of a sparkline in its own units; the style sheet stretches it.
const SPARK: (f64, f64) = (120.0, 24.0);

/// A line without axes. It repeats what the number above it says, so it is hidden from screen readers. Slots
/// without a value leave a gap.
pub(crate) fn sparkline(values: &[Option<f64>]) -> Markup {
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let (width, height) = SPARK;
    let step = width / (values.len().max(2) - 1) as f64;
    let y = |value: f64| {
        // A flat line sits in the middle: half a unit of room above and below.
        let span = if high > low { high - low } else { 1.0 };
        let base = if high > low { low } else { low - 0.5 };
        height - 2.0 - (value - base) / span * (height - 4.0)
    };
    let mut path = String::new();
    let mut pen_down = false;
    for (i, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let verb = if pen_down { 'L' } else { 'M' };
            path.push_str(&format!("{verb}{:.1} {:.1}", i as f64 * step, y(*value)));
        }
        pen_down = value.is_some();
    }
    html! {
        svg class="spark" viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            path d=(path) {}
        }
    }
}

/// One column of a stacked chart.
pub(crate) struct Column {
    /// Counts from bottom to top.
    pub(crate) parts: Vec<u32>,
    /// What the column says, for the pointer that rests on it.
    pub(crate) words: String,
}

/// Stacked columns.
pub(crate) struct Stacked<'a> {
    /// The chart's name.
    pub(crate) title: &'a str,
    /// Its finding in words.
    pub(crate) finding: &'a str,
    /// Classes of the parts from bottom to top.
    pub(crate) classes: &'a [&'a str],
    /// The columns from left to right.
    pub(crate) columns: &'a [Column],
    /// The value at the top.
    pub(crate) top: u32,
}

/// The value at the top of an axis: 1, 2 or 5 times a power of ten, at least 4 so that a single decline is no tower.
pub(crate) fn axis_top(max: u32) -> u32 {
    let mut power = 1;
    loop {
        for factor in [1, 2, 4, 5] {
            let top = factor * power;
            if top >= max && top >= 4 {
                return top;
            }
        }
        power *= 10;
    }
}

/// Draws stacked columns.
pub(crate) fn stacked(chart: &Stacked<'_>) -> Markup {
    const HEIGHT: f64 = 180.0;
    const STEP: f64 = 12.0;
    let width = chart.columns.len() as f64 * STEP;
    let scale = HEIGHT / f64::from(chart.top.max(1));
    html! {
        svg class="stacked" role="img" viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" focusable="false" {
            title { (chart.title) }
            desc { (chart.finding) }
            @for quarter in 1..4 {
                line class="grid" x1="0" x2=(width) y1=(HEIGHT / 4.0 * f64::from(quarter)) y2=(HEIGHT / 4.0 * f64::from(quarter)) {}
            }
            @for (i, column) in chart.columns.iter().enumerate() {
                (bars(column, chart.classes, i as f64 * STEP, STEP, HEIGHT, scale))
            }
        }
    }
}

fn bars(column: &Column, classes: &[&str], x: f64, step: f64, height: f64, scale: f64) -> Markup {
    let mut below = 0.0;
    let mut place = |count: u32| {
        let tall = f64::from(count) * scale;
        below += tall;
        (height - below, tall)
    };
    html! {
        @if column.parts.iter().any(|count| *count > 0) {
            g {
                title { (column.words) }
                @for (count, class) in column.parts.iter().zip(classes) {
                    @if *count > 0 {
                        @let (y, tall) = place(*count);
                        rect class=(class) x=(format!("{:.1}", x + 1.0)) y=(format!("{y:.1}")) width=(format!("{:.1}", step - 2.0)) height=(format!("{tall:.1}")) {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_on_a_round_number() {
        for (max, top) in [(0, 4), (3, 4), (5, 5), (7, 10), (11, 20), (38, 40), (51, 100), (999, 1000)] {
            assert_eq!(axis_top(max), top, "{max}");
        }
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let svg = sparkline(&[Some(1.0), None, Some(1.0), Some(1.0)]).into_string();
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
    }
}
