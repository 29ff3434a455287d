//! A cause for people: its colour, its sentence about the case at hand, its playbook. The words are the handbook's.

use diagnosis::{Cause, Status, cause::Origin};
use handbook::{CauseFacts, Role};
use maud::{Markup, html};
use model::reason::Family;
use store::archive::TransactionRow;

use super::parts;
use crate::{
    format::facts,
    insight::{Certainty, Handling, IncidentView, ScopeView},
    lang::Say,
    visit::{Visit, encode},
};

/// The colour of a cause: whose matter it is.
pub(crate) fn family(cause: Cause) -> Family {
    match (cause, cause.origin()) {
        (Cause::Locked, _) => Family::Lock,
        (Cause::Ordinary, _) => Family::Neutral,
        (_, Origin::Holder) => Family::Warn,
        (_, Origin::Fault) => Family::Sys,
        (_, Origin::Attack) => Family::Bad,
    }
}

/// The cause on its colour.
pub(crate) fn chip(visit: &Visit, cause: Cause) -> Markup {
    parts::chip(family(cause), handbook::cause_text(cause).name(visit.lang()))
}

/// The verdict about an incident in one sentence.
pub(crate) fn incident_sentence(visit: &Visit, incident: &IncidentView) -> String {
    handbook::cause_text(incident.cause).sentence(visit.lang(), &incident_facts(visit, incident))
}

/// The verdict about a refusal in one sentence, with what its incident knows.
pub(crate) fn sentence(
    visit: &Visit,
    cause: Cause,
    row: &TransactionRow,
    incident: Option<&IncidentView>,
) -> String {
    let same = incident.filter(|i| i.cause == cause).map(|i| incident_facts(visit, i)).unwrap_or_default();
    let of_card = facts(row, &visit.clock);
    let known = CauseFacts {
        terminal: same.terminal.or_else(|| Some(row.terminal.clone()).filter(|t| !t.is_empty())),
        merchant: Some(row.merchant_name.clone()).filter(|name| !name.is_empty()),
        tries_left: of_card.tries_left,
        locked_until: of_card.locked_until,
        ..same
    };
    handbook::cause_text(cause).sentence(visit.lang(), &known)
}

fn incident_facts(visit: &Visit, incident: &IncidentView) -> CauseFacts {
    let scope = &incident.scope;
    CauseFacts {
        cards: Some(incident.cards).filter(|n| *n > 0),
        refused: Some(incident.refused.0).filter(|n| *n > 0),
        terminal: (scope.kind == "terminal").then(|| scope.name.clone()),
        merchant: Some(incident.belongs.merchant.clone()).filter(|name| !name.is_empty()),
        scope: match scope.kind {
            "terminal" | "card" => None,
            "instance" | "zone" | "network" | "firmware" | "agent" => Some(scope.name.clone()),
            _ => Some(scope_words(visit, scope)),
        },
        ..CauseFacts::default()
    }
}

/// What an incident is about, in words.
pub(crate) fn scope_words(visit: &Visit, scope: &ScopeView) -> String {
    let key = format!("scope-{}", scope.kind);
    visit.say.with(&key, [("name", scope.name.as_str().into())]).into_owned()
}

/// What an incident is about, with a link to its list where there is one.
pub(crate) fn scope_link(visit: &Visit, scope: &ScopeView) -> Markup {
    let words = scope_words(visit, scope);
    let href = match scope.kind {
        "terminal" => Some(format!("/transactions?terminal={}", encode(&scope.id))),
        "card" => Some(format!("/cards/{}", encode(&scope.id))),
        "merchant" => Some(format!("/transactions?q={}", encode(&scope.id))),
        _ => None,
    };
    html! { @if let Some(href) = href { a href=(href) { (words) } } @else { (words) } }
}

/// `0.91`; never more certain than it can be.
pub(crate) fn confidence(value: f32) -> String {
    format!("{:.2}", value.clamp(0.0, 0.99))
}

/// How sure it is, in a word.
pub(crate) fn certainty(say: Say, value: f32) -> std::borrow::Cow<'static, str> {
    say.t(match Certainty::of(value) {
        Certainty::Sure => "certain-sure",
        Certainty::Probable => "certain-probable",
        Certainty::Possible => "certain-possible",
    })
}

/// How sure it is: the word, the number, and what the number means.
pub(crate) fn confidence_words(visit: &Visit, value: f32) -> Markup {
    let share = (value.clamp(0.0, 0.99) * 100.0).round();
    html! {
        strong { (certainty(visit.say, value)) } " "
        (visit.say.with("why-confidence", [("value", confidence(value).into()), ("share", f64::from(share).into())]))
    }
}

/// Where an incident stands, for the diagnosis and for people.
pub(crate) fn standing(visit: &Visit, incident: &IncidentView) -> Markup {
    let say = visit.say;
    let family = match incident.status {
        Status::Provisional => Family::Warn,
        Status::Open => Family::Bad,
        Status::Absorbed | Status::Retracted => Family::Neutral,
        Status::Over => Family::Ok,
    };
    html! {
        (parts::chip(family, &say.t(status_key(incident.status))))
        @if incident.handling != Handling::New {
            " " (parts::chip(Family::Neutral, &say.t(handling_key(incident.handling))))
        }
    }
}

pub(crate) fn status_key(status: Status) -> &'static str {
    match status {
        Status::Provisional => "incident-provisional",
        Status::Open => "incident-open",
        Status::Absorbed => "incident-absorbed",
        Status::Over => "incident-over",
        Status::Retracted => "incident-retracted",
    }
}

pub(crate) fn handling_key(handling: Handling) -> &'static str {
    match handling {
        Handling::New => "handling-new",
        Handling::Seen => "handling-seen",
        Handling::Closed => "handling-closed",
    }
}

/// What everybody does now, and what prevents the next one.
pub(crate) fn playbook(visit: &Visit, cause: Cause) -> Markup {
    let say = visit.say;
    let text = handbook::cause_text(cause);
    let cols = [parts::col("col-for", "who"), parts::col("col-do", "grow prose")];
    let mut rows: Vec<Vec<Markup>> = Role::ALL
        .iter()
        .map(|role| vec![html! { (role.text(visit.lang())) }, html! { (text.todo(visit.lang(), *role)) }])
        .collect();
    rows.push(vec![html! { strong { (say.t("prevention")) } }, html! { (text.prevention(visit.lang())) }]);
    html! {
        section class="card" aria-labelledby="playbook-title" {
            h2 id="playbook-title" { (say.t("playbook")) }
            (parts::table(say, &say.t("playbook"), &cols, &rows))
        }
    }
}
