//! The survival curve: the share of locks that last longer than a time, one step per release.

use maud::{Markup, html};

/// The chart in its own units; the style sheet stretches it.
const SIZE: (f64, f64) = (600.0, 180.0);

/// One curve: its class, and its steps as time in milliseconds and share.
pub(crate) struct Curve<'a> {
    pub(crate) class: &'a str,
    pub(crate) steps: &'a [(i64, f64)],
}

/// Draws the curves up to a time.
pub(crate) fn draw(title: &str, finding: &str, curves: &[Curve<'_>], until_ms: i64) -> Markup {
    let x = |ms: i64| ms as f64 / until_ms.max(1) as f64 * SIZE.0;
    let y = |share: f64| SIZE.1 - share * SIZE.1;
    let path = |steps: &[(i64, f64)]| {
        let mut path = String::new();
        for (ms, share) in steps {
            let piece = if path.is_empty() {
                format!("M{:.1} {:.1}", x(*ms), y(*share))
            } else {
                format!("H{:.1}V{:.1}", x(*ms), y(*share))
            };
            path.push_str(&piece);
        }
        path.push_str(&format!("H{:.1}", SIZE.0));
        path
    };
    html! {
        svg class="plot survival" role="img" viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } preserveAspectRatio="none" focusable="false" {
            title { (title) }
            desc { (finding) }
            @for quarter in 1..4 {
                @let at = SIZE.1 / 4.0 * f64::from(quarter);
                line class="grid" x1="0" x2=(SIZE.0) y1=(at) y2=(at) {}
            }
            @for curve in curves { path class={ "curve " (curve.class) } d=(path(curve.steps)) {} }
        }
    }
}
