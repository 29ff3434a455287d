//! The editor of a rule set: what is typed is checked, and what is wrong is said with its place and what to write instead.
//! Nothing that was typed is lost.

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use risk::{Problem, RuleSet, Saying, register::Refusal};
use serde::Deserialize;

use super::{
    layout::{Frame, Nav},
    rule_deeds,
};
use crate::{
    actor::Actor, error::Failure, format::now, perform, router::Shared, rules::NotDone, visit::Visit,
};

/// Where the text to begin with comes from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct From {
    from: String,
}

/// What was typed, and whether it is only to be checked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    text: String,
    check: String,
}

/// `GET /rules/edit`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Query(from): Query<From>,
) -> Result<Markup, Failure> {
    let kept = state.web.rules.kept().await?;
    let digest = if from.from.is_empty() { kept.register.live() } else { Some(from.from.as_str()) };
    let text = match digest {
        Some(digest) => kept.register.version(digest).ok_or(Failure::NotFound)?.text.clone(),
        None => risk::STARTER.to_owned(),
    };
    Ok(form(&visit, &text, &html! {}))
}

/// `POST /rules/edit`: checks, and puts down what is well.
pub(crate) async fn save(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    // Forms send line ends as CR LF (HTML, form submission); a rule set is a file with LF.
    let text = typed.text.replace("\r\n", "\n");
    if let Err(problems) = RuleSet::parse(&text) {
        return Ok(refused(&visit, &text, &list(&visit, &problems)));
    }
    if !typed.check.is_empty() {
        let well = html! { p class="notice ok" role="status" { (visit.say.t("edit-well")) } };
        return Ok(form(&visit, &text, &well).into_response());
    }
    let at = now();
    match perform::about_rules(&state, &actor, at, |kept| kept.register.draft(&text, actor.name(), at)).await
    {
        Ok(risk::Change::Drafted { digest, .. }) => {
            Ok(Redirect::to(&format!("/rules/{digest}?done=drafted")).into_response())
        }
        Ok(_) => Ok(Redirect::to("/rules").into_response()),
        Err(NotDone::Refused(Refusal::NotChecked(problems))) => {
            Ok(refused(&visit, &text, &list(&visit, &problems)))
        }
        Err(NotDone::Refused(refusal)) => {
            let words = rule_deeds::refusal_words(&visit, &refusal);
            Ok(refused(&visit, &text, &html! { p class="notice bad" role="alert" { (words) } }))
        }
        Err(NotDone::Store(error)) => Err(error.into()),
    }
}

fn refused(visit: &Visit, text: &str, words: &Markup) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, form(visit, text, words)).into_response()
}

fn list(visit: &Visit, problems: &[Problem]) -> Markup {
    let say = visit.say;
    html! {
        section class="card verdict bad" aria-labelledby="problems-title" {
            h2 id="problems-title" { (say.with("edit-problems", [("count", problems.len().into())])) }
            div id="problems" role="alert" {
                ul class="plain" {
                    @for p in problems {
                        li {
                            span class="mono" { (say.with("edit-place", [("line", p.line.to_string().into()), ("column", p.column.to_string().into())])) } " "
                            @if let Some(rule) = &p.rule { span class="mono quiet" { (rule) } " " }
                            (words(visit, &p.what))
                            @if let Some(suggestion) = &p.suggestion { " " strong { (words(visit, suggestion)) } }
                        }
                    }
                }
            }
        }
    }
}

fn words(visit: &Visit, said: &Saying) -> String {
    visit.lang().pick(&said.zh(), &said.en()).to_owned()
}

fn form(visit: &Visit, text: &str, said: &Markup) -> Markup {
    let say = visit.say;
    let title = say.t("edit-title");
    let wrong = said.0.contains("id=\"problems\"");
    Frame::new(visit, Nav::Rules, &title).page(html! {
        (said)
        form class="card editor" method="post" action="/rules/edit" {
            label { span { (say.t("edit-text")) }
                textarea name="text" rows="28" spellcheck="false" wrap="off" required aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some("problems")] { (text) }
            }
            p class="quiet" { (say.t("edit-words")) }
            div class="buttons" {
                button class="button primary" { (say.t("edit-save")) }
                button class="button" name="check" value="1" { (say.t("edit-check")) }
                a class="button" href="/rules" { (say.t("edit-back")) }
            }
        }
    })
}
