//! Evidence for people: what was seen, and how much it weighs. A bar to the right speaks for the cause, one to the left
//! against it; the number beside it says the same.

use maud::{Markup, html};

use crate::{insight::Piece, visit::Visit};

/// Weights beyond this fill the bar: e^6 is four hundred times likelier.
const WEIGHT_MAX: f32 = 6.0;
/// Half a bar in its own units.
const HALF: f32 = 60.0;

/// All pieces, heaviest first.
pub(crate) fn list(visit: &Visit, evidence: &[Piece]) -> Markup {
    let say = visit.say;
    let mut pieces: Vec<&Piece> = evidence.iter().collect();
    pieces.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    html! {
        section class="card" aria-labelledby="evidence-title" {
            h2 id="evidence-title" { (say.t("evidence-title")) }
            @if pieces.is_empty() {
                p class="quiet" { (say.t("evidence-none")) }
            } @else {
                ul class="evidence" {
                    @for piece in pieces { (row(visit, piece)) }
                }
                p class="quiet finding" { (say.t("evidence-scale")) }
            }
        }
    }
}

fn row(visit: &Visit, piece: &Piece) -> Markup {
    let say = visit.say;
    let side = if piece.weight < 0.0 { "evidence-against" } else { "evidence-for" };
    html! {
        li class=(if piece.weight < 0.0 { "against" } else { "for" }) {
            strong { (label(visit, piece)) }
            (bar(piece.weight))
            span class="mono weight" { (signed(piece.weight)) span class="sr" { " " (say.t(side)) } }
            p { (sentence(visit, piece)) }
        }
    }
}

/// The number beside it says it in words, so the bar is hidden from screen readers.
fn bar(weight: f32) -> Markup {
    let long = (weight.abs() / WEIGHT_MAX).min(1.0) * HALF;
    let x = if weight < 0.0 { HALF - long } else { HALF };
    html! {
        svg viewBox={ "0 0 " (2.0 * HALF) " 10" } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect class="bar" x=(format!("{x:.1}")) y="0" width=(format!("{long:.1}")) height="10" {}
            line class="middle" x1=(HALF) x2=(HALF) y1="0" y2="10" {}
        }
    }
}

/// `+2.3`, `−0.7`.
pub(crate) fn signed(weight: f32) -> String {
    format!("{}{:.1}", if weight < 0.0 { '\u{2212}' } else { '+' }, weight.abs())
}

/// What it is, in a few words.
fn label(visit: &Visit, piece: &Piece) -> String {
    handbook::evidence_text(&piece.name)
        .map_or_else(|| piece.name.clone(), |text| text.label(visit.lang()).to_owned())
}

/// What was seen.
pub(crate) fn sentence(visit: &Visit, piece: &Piece) -> String {
    let values: Vec<(&str, f64)> = piece.values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    handbook::evidence_text(&piece.name)
        .map_or_else(|| piece.name.clone(), |text| text.sentence(visit.lang(), &values))
}
