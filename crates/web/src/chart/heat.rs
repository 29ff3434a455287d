//! The heat map: when do wrong PINs cluster, by hour and day of the week? One hue in seven steps; an hour in which no PIN
//! was entered is hatched, because nothing is not the same as none.

use maud::{Markup, html};

/// A cell in the chart's own units.
const CELL: (f64, f64) = (25.0, 25.0);

/// The darkness of a share, 0 to 6.
fn step(share: f64, most: f64) -> usize {
    if share <= 0.0 || most <= 0.0 { 0 } else { ((share / most * 6.0).ceil() as usize).clamp(1, 6) }
}

/// Draws it; `words` says what a cell means.
pub(crate) fn draw(
    title: &str,
    finding: &str,
    hours: &[[(u32, u32); 24]; 7],
    words: impl Fn(usize, usize) -> String,
) -> Markup {
    let share = |(all, wrong): (u32, u32)| f64::from(wrong) / f64::from(all.max(1));
    let most = hours.iter().flatten().map(|cell| share(*cell)).fold(0.0, f64::max);
    html! {
        svg class="plot heat" role="img" viewBox={ "0 0 " (CELL.0 * 24.0) " " (CELL.1 * 7.0) } preserveAspectRatio="none" focusable="false" {
            title { (title) }
            desc { (finding) }
            defs {
                pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" { path class="hatch" d="M0 6L6 0" {} }
            }
            @for (day, row) in hours.iter().enumerate() {
                @for (hour, cell) in row.iter().enumerate() {
                    @let class = format!("h{}", step(share(*cell), most));
                    rect class=(if cell.0 == 0 { "none" } else { &class }) x=(hour as f64 * CELL.0 + 1.0) y=(day as f64 * CELL.1 + 1.0)
                        width=(CELL.0 - 2.0) height=(CELL.1 - 2.0) fill=[(cell.0 == 0).then_some("url(#hatch)")] {
                        title { (words(day, hour)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn steps_go_from_nothing_to_the_most() {
        assert_eq!([0.0, 0.01, 0.5, 1.0].map(|share| step(share, 1.0)), [0, 1, 3, 6]);
        assert_eq!(step(0.0, 0.0), 0);
    }
}
