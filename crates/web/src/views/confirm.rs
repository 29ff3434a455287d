//! The cardholder's page for confirming a payment: reached by a link that was sent to their number, without an account, made for
//! the width of a phone. It says what is asked for, takes a code, and says that the payment may be tried again.
//!
//! A link that is wrong, too old or used up leads to one neutral page, which does not tell whether there is such a card.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use confirmation::{Answer, Asked, Confirmations, NotAnswered, NotSeen};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use crate::{assets, error::Failure, format::money, router::Shared, visit::Visit};

/// What was typed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    code: String,
}

/// What is said above the form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Wrong,
    NoCode,
}

/// `GET /confirm/{token}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    show(&state, &visit, &token, Said::Nothing).await
}

/// `POST /confirm/{token}`.
pub(crate) async fn answer(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let Some(confirmations) = &state.web.confirmations else { return Ok(nothing(&visit)) };
    let code: String = typed.code.chars().filter(|c| !c.is_whitespace()).collect();
    match confirmations.answer_code(&token, &code).await {
        Ok(Answer::Right(_)) => show(&state, &visit, &token, Said::Nothing).await,
        Ok(Answer::Wrong) => show(&state, &visit, &token, Said::Wrong).await,
        Err(NotAnswered::NoCode) => show(&state, &visit, &token, Said::NoCode).await,
        Err(NotAnswered::Nothing) => show(&state, &visit, &token, Said::Wrong).await,
        Err(NotAnswered::Store(error)) => Err(error.into()),
    }
}

async fn show(state: &Shared, visit: &Visit, token: &str, said: Said) -> Result<Response, Failure> {
    let Some(confirmations) = &state.web.confirmations else { return Ok(nothing(visit)) };
    match look(confirmations, token).await? {
        Some(asked) => {
            // Who sends the right code twice is told twice that it was right.
            let fine = said == Said::Nothing || asked.passed_until.is_some();
            let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            Ok((status, shell(visit, &what(visit, &asked, token, said))).into_response())
        }
        None => Ok(nothing(visit)),
    }
}

async fn look(confirmations: &Confirmations, token: &str) -> Result<Option<Asked>, Failure> {
    match confirmations.look(token).await {
        Ok(asked) => Ok(Some(asked)),
        Err(NotSeen::Nothing) => Ok(None),
        Err(NotSeen::Store(error)) => Err(error.into()),
    }
}

/// One page for all links that lead nowhere.
fn nothing(visit: &Visit) -> Response {
    let say = visit.say;
    let body = html! {
        h1 { (say.t("confirm-nothing")) }
        p { (say.t("confirm-nothing-words")) }
    };
    (StatusCode::NOT_FOUND, shell(visit, &body)).into_response()
}

fn what(visit: &Visit, asked: &Asked, token: &str, said: Said) -> Markup {
    let say = visit.say;
    html! {
        h1 { (say.t(if asked.passed_until.is_some() { "confirm-done" } else { "confirm-title" })) }
        dl class="facts" {
            (super::parts::fact(&say.t("confirm-amount"), html! { strong { (money(asked.amount, asked.currency)) } }))
            (super::parts::fact(&say.t("confirm-merchant"), html! { (asked.merchant) " " span class="quiet mono" { (asked.terminal) } }))
            (super::parts::fact(&say.t("confirm-card"), html! { span class="mono" { (asked.pan) } }))
        }
        @if let Some(until) = asked.passed_until {
            p class="bold" role="status" { (say.with("confirm-go-on", [("until", visit.clock.full(until).into())])) }
        } @else if asked.by_code {
            (form(visit, token, said))
            @if let Some(until) = asked.open_until {
                p class="quiet" { (say.with("confirm-until", [("until", visit.clock.full(until).into())])) }
            }
        } @else {
            p role="alert" { (say.t("confirm-no-code")) }
        }
        p class="quiet" { (say.t("confirm-not-you")) }
    }
}

fn form(visit: &Visit, token: &str, said: Said) -> Markup {
    let say = visit.say;
    let problem = match said {
        Said::Nothing => None,
        Said::Wrong => Some("confirm-wrong"),
        Said::NoCode => Some("confirm-six-digits"),
    };
    html! {
        form method="post" action={ "/confirm/" (token) } class="rows" {
            label for="code" { (say.t("confirm-code")) }
            @if let Some(key) = problem { p class="problem" role="alert" id="wrong" { (say.t(key)) } }
            input id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" maxlength="12" required
                aria-describedby=[problem.map(|_| "wrong")] aria-invalid=[problem.map(|_| "true")];
            div class="buttons" { button class="button primary" type="submit" { (say.t("confirm-do")) } }
        }
    }
}

/// The page of a holder: nothing of the console's navigation.
fn shell(visit: &Visit, body: &Markup) -> Markup {
    let say = visit.say;
    html! {
        (DOCTYPE)
        html lang=(say.0.tag()) data-theme=(visit.theme.name()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (say.t("confirm-title")) }
                link rel="icon" href=(assets::path("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::path("console.css"));
            }
            body class="holder" {
                main id="main" class="card" { (body) }
                p class="quiet" {
                    a href=(visit.here_with("lang", &visit.other_lang().to_string())) { (crate::lang::Say(visit.other_lang()).t("lang-own-name")) }
                }
            }
        }
    }
}
