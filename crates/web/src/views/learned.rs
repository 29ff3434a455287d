//! What was learned: what answered incidents and whether it helped, and how often people found verdicts right.

use diagnosis::Cause;
use maud::{Markup, html};

use super::{
    cause, deeds,
    parts::{self, col},
};
use crate::{
    format::percent,
    insight::{Answer, Judged},
    visit::Visit,
};

/// Answers that are listed at most.
const SHOWN: usize = 50;

/// What answered incidents, with how often their cause came before and after.
pub(crate) fn answers(visit: &Visit, answers: &[(u64, Cause, Answer)]) -> Markup {
    let say = visit.say;
    let title = say.t("learned-answers");
    let cols = [
        col("answer-kind", ""),
        col("answer-name", "grow"),
        col("col-incident", ""),
        col("col-cause", ""),
        col("col-began", "mono num"),
        col("answer-before", "num"),
        col("answer-after", "num"),
    ];
    let row = |(incident, of, answer): &(u64, Cause, Answer)| {
        vec![
            html! { (say.t(deeds::answer_key(answer.kind))) },
            html! { a class="row" href={ "/incidents/" (incident) } { (answer.name) } " " span class="quiet" { (answer.by) } },
            html! { (say.with("incident-no", [("id", incident.to_string().into())])) },
            cause::chip(visit, *of),
            parts::time(&visit.clock, answer.at),
            html! { (format!("{:.1}", answer.before)) },
            html! { (format!("{:.1}", answer.after)) " " span class="quiet" { (say.with("answer-days", [("days", answer.days.ceil().into())])) } },
        ]
    };
    html! {
        section class="card" aria-labelledby="learned-answers" {
            h2 id="learned-answers" { (title) }
            @if answers.is_empty() { p class="quiet" { (say.t("learned-answers-none")) } }
            @else { (parts::table(say, &title, &cols, &answers.iter().take(SHOWN).map(row).collect::<Vec<_>>())) }
        }
    }
}

/// What people said about verdicts, cause by cause.
pub(crate) fn judged(visit: &Visit, judged: &[Judged]) -> Markup {
    let say = visit.say;
    let title = say.t("learned-judged");
    let cols = [
        col("col-cause", "grow"),
        col("col-said-right", "num"),
        col("col-said-wrong", "num"),
        col("col-right-share", "num"),
    ];
    let row = |said: &Judged| {
        vec![
            cause::chip(visit, said.cause),
            html! { (said.right) },
            html! { (said.wrong) },
            html! { (percent(said.right, said.right + said.wrong)) },
        ]
    };
    html! {
        section class="card" aria-labelledby="learned-judged" {
            h2 id="learned-judged" { (title) }
            @if judged.is_empty() { p class="quiet" { (say.t("learned-judged-none")) } }
            @else { (parts::table(say, &title, &cols, &judged.iter().map(row).collect::<Vec<_>>())) }
        }
    }
}
