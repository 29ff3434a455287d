//! The funnel plot: each terminal's rate against its volume, with control lines that are wide where little was seen. A
//! small terminal with one wrong PIN is no outlier here; a big one with a raised rate is.

use maud::{Markup, html};

/// 95 % and 99.8 % of a normal distribution, two-sided.
const Z: [(f64, &str); 2] = [(1.96, "control-95"), (3.09, "control-998")];
/// The chart in its own units; the style sheet stretches it.
const SIZE: (f64, f64) = (600.0, 220.0);
/// Points of a control line.
const STEPS: u32 = 48;

/// One terminal.
pub(crate) struct Point {
    /// What it is called.
    pub(crate) name: String,
    /// Card sessions.
    pub(crate) all: u32,
    /// Those that count.
    pub(crate) bad: u32,
}

impl Point {
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.bad) / f64::from(self.all.max(1))
    }

    /// Standard deviations above the rate of all.
    pub(crate) fn z(&self, usual: f64) -> f64 {
        let spread = (usual * (1.0 - usual) / f64::from(self.all.max(1))).sqrt();
        if spread > 0.0 { (self.rate() - usual) / spread } else { 0.0 }
    }

    /// Beyond the outer line, and not by a single entry.
    pub(crate) fn is_outlier(&self, usual: f64) -> bool {
        self.bad > 1 && self.z(usual) > Z[1].0
    }
}

/// The rate of all together.
pub(crate) fn usual(points: &[Point]) -> f64 {
    let (bad, all) =
        points.iter().fold((0_u64, 0_u64), |(b, a), p| (b + u64::from(p.bad), a + u64::from(p.all)));
    if all == 0 { 0.0 } else { bad as f64 / all as f64 }
}

/// The values at the right and at the top.
pub(crate) fn axes(points: &[Point]) -> (u32, f64) {
    let right = super::axis_top(points.iter().map(|p| p.all).max().unwrap_or_default());
    let top = points.iter().map(Point::rate).fold(usual(points) * 2.0, f64::max);
    (right, ((top * 10.0).ceil() / 10.0).clamp(0.1, 1.0))
}

/// Draws it.
pub(crate) fn draw(title: &str, finding: &str, points: &[Point]) -> Markup {
    let (right, top) = axes(points);
    let usual = usual(points);
    let x = |n: f64| n / f64::from(right) * SIZE.0;
    let y = |rate: f64| SIZE.1 - rate.clamp(0.0, top) / top * SIZE.1;
    let line = |z: f64| {
        let mut path = String::new();
        for i in 1..=STEPS {
            let n = f64::from(right) * f64::from(i) / f64::from(STEPS);
            let rate = usual + z * (usual * (1.0 - usual) / n).sqrt();
            let verb = if path.is_empty() { 'M' } else { 'L' };
            path.push_str(&format!("{verb}{:.1} {:.1}", x(n), y(rate)));
        }
        path
    };
    html! {
        svg class="plot funnel" role="img" viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } preserveAspectRatio="none" focusable="false" {
            title { (title) }
            desc { (finding) }
            line class="usual" x1="0" x2=(SIZE.0) y1=(format!("{:.1}", y(usual))) y2=(format!("{:.1}", y(usual))) {}
            @for (z, class) in Z {
                path class=(class) d=(line(z)) {}
                path class=(class) d=(line(-z)) {}
            }
            @for p in points {
                // A stroke without length keeps its round end whatever the chart's width.
                path class=(if p.is_outlier(usual) { "dot out" } else { "dot" }) d=(format!("M{:.1} {:.1}h0", x(f64::from(p.all)), y(p.rate()))) {
                    title { (p.name) " \u{b7} " (p.bad) "/" (p.all) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(all: u32, bad: u32) -> Point {
        Point { name: String::new(), all, bad }
    }

    #[test]
    fn one_of_two_is_no_outlier_and_thirty_of_a_hundred_is() {
        assert!(!point(2, 1).is_outlier(0.03));
        assert!(point(100, 30).is_outlier(0.03));
        assert!(!point(100, 5).is_outlier(0.03));
    }
}
