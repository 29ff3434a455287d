//! What risk rules said about one payment, as its entry has it: which fired and with which values, which had no truth value and
//! why, and what sets in shadow would have done.

use authorization::{BesideHits, RuleHit, RuleHits};
use maud::{Markup, html};
use model::reason::Family;

use super::{parts, rules};
use crate::visit::Visit;

/// Cards with everything that rules said, within the authorization and after it; nothing, if none spoke.
pub(crate) fn sections(visit: &Visit, within: Option<&RuleHits>, after: Option<&RuleHits>) -> Markup {
    html! {
        @if let Some(hits) = within { (section(visit, "rules", "rule-hits", hits)) }
        @if let Some(hits) = after { (section(visit, "rules-after", "rule-hits-after", hits)) }
    }
}

fn section(visit: &Visit, id: &str, title: &str, hits: &RuleHits) -> Markup {
    let say = visit.say;
    let none = Vec::new();
    let snoozed = hits.snoozed.as_ref().unwrap_or(&none);
    html! {
        section id=(id) class="card" aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (say.t(title)) }
            p class="quiet" { (say.t("rule-hits-version")) " " a class="mono" href={ "/rules/" (hits.version) } { (rules::short(&hits.version)) } }
            @for (place, hit) in hits.fired.iter().enumerate() { (fired(visit, hit, place == 0)) }
            @for (place, rule) in hits.errors.iter().enumerate() {
                p {
                    (parts::chip(Family::Sys, &say.t("rule-hit-error"))) " " span class="mono" { (rule) }
                    @if let Some(fault) = hits.faults.as_ref().and_then(|faults| faults.get(place)) { " " span class="quiet" { (fault) } }
                }
            }
            @if !hits.shadow.is_empty() { p { (parts::chip(Family::Warn, &say.t("mode-shadow"))) " " (names(&hits.shadow)) } }
            @if !snoozed.is_empty() { p { (parts::chip(Family::Neutral, &say.t("rule-hit-snoozed"))) " " (names(snoozed)) } }
            @for beside in hits.beside.iter().flatten() { (of_beside(visit, beside)) }
        }
    }
}

fn fired(visit: &Visit, hit: &RuleHit, decided: bool) -> Markup {
    let say = visit.say;
    let family = if hit.reason.is_some() { Family::Bad } else { Family::Warn };
    html! {
        p {
            (parts::chip(family, &action(visit, &hit.action))) " "
            span class="mono" { (hit.rule) }
            @if let Some(reason) = &hit.reason { " " span class="mono quiet" { (reason) } }
            @if decided && hit.reason.is_some() { " " span class="quiet" { (say.t("rule-hit-decided")) } }
        }
        @if let Some(terms) = hit.terms.as_ref().filter(|terms| !terms.is_empty()) {
            ul class="plain" {
                @for term in terms {
                    li {
                        code { (term.text) }
                        @if !term.values.is_empty() { " " span class="quiet" { (term.values.join(", ")) } }
                    }
                }
            }
        }
    }
}

fn of_beside(visit: &Visit, beside: &BesideHits) -> Markup {
    let say = visit.say;
    html! {
        p {
            (parts::chip(Family::Warn, &say.t("set-shadow"))) " "
            span class="mono" { (rules::short(&beside.version)) } " "
            @if let Some(name) = &beside.action { (say.with("rule-hit-would", [("action", action(visit, name).into())])) " " }
            (names(&beside.rules))
            @if !beside.errors.is_empty() { " " (parts::chip(Family::Sys, &say.t("rule-hit-error"))) " " (names(&beside.errors)) }
        }
    }
}

fn names(rules: &[String]) -> Markup {
    html! { span class="mono" { (rules.join(", ")) } }
}

/// An action by its fixed name, in words.
fn action(visit: &Visit, name: &str) -> String {
    let key = match name {
        "alert" => "action-alert",
        "review" => "action-review",
        "approve" => "action-approve",
        "step-up" => "action-step-up",
        "decline" => "action-decline",
        "block-card" => "action-block-card",
        "block-terminal" => "action-block-terminal",
        other => return other.to_owned(),
    };
    visit.say.t(key).into_owned()
}
