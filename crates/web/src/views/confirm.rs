//! The cardholder's page for confirming a payment: reached by a link that was sent to their number, without an account, made for
//! the width of a phone. It says what is asked for, takes a code or a passkey, and says that the payment may be tried again. A
//! passkey is never the only way: the code's form stands below it.
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
use passkey::AssertionText;
use serde::Deserialize;

use super::passkeys::{self, Ask, Place, Wish};
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
    NoPasskey,
}

/// `GET /confirm/{token}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    (visit, place): (Visit, Place),
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    show(&state, &visit, &place, &token, Said::Nothing).await
}

/// `POST /confirm/{token}`.
pub(crate) async fn answer(
    State(state): State<Shared>,
    (visit, place): (Visit, Place),
    Path(token): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let Some(confirmations) = &state.web.confirmations else { return Ok(nothing(&visit)) };
    let code: String = typed.code.chars().filter(|c| !c.is_whitespace()).collect();
    let said = match confirmations.answer_code(&token, &code).await {
        Ok(Answer::Right(_)) => Said::Nothing,
        Ok(Answer::Wrong) | Err(NotAnswered::Nothing) => Said::Wrong,
        Err(NotAnswered::NoCode) => Said::NoCode,
        Err(NotAnswered::Store(error)) => return Err(error.into()),
    };
    show(&state, &visit, &place, &token, said).await
}

/// `POST /confirm/{token}/passkey`.
pub(crate) async fn answer_passkey(
    State(state): State<Shared>,
    (visit, place): (Visit, Place),
    Path(token): Path<String>,
    Form(text): Form<AssertionText>,
) -> Result<Response, Failure> {
    let (Some(confirmations), Some(party)) = (&state.web.confirmations, &state.web.relying_party) else {
        return Ok(nothing(&visit));
    };
    let sent = text.read();
    let answered =
        confirmations.answer_passkey(&token, party, sent.as_ref().map_err(|refused| *refused)).await;
    let said = match answered {
        Ok(Answer::Right(_)) => Said::Nothing,
        Ok(Answer::Wrong) | Err(NotAnswered::Nothing | NotAnswered::NoCode) => Said::NoPasskey,
        Err(NotAnswered::Store(error)) => return Err(error.into()),
    };
    show(&state, &visit, &place, &token, said).await
}

async fn show(
    state: &Shared,
    visit: &Visit,
    place: &Place,
    token: &str,
    said: Said,
) -> Result<Response, Failure> {
    let Some(confirmations) = &state.web.confirmations else { return Ok(nothing(visit)) };
    match look(confirmations, token).await? {
        Some(asked) => {
            // Who sends the right code twice is told twice that it was right.
            let fine = said == Said::Nothing || asked.passed_until.is_some();
            let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            Ok((status, shell(visit, &what(visit, place, &asked, token, said))).into_response())
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

fn what(visit: &Visit, place: &Place, asked: &Asked, token: &str, said: Said) -> Markup {
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
        } @else {
            (by_passkey(visit, place, asked, token, said))
            @if asked.by_code {
                (form(visit, token, said))
                @if let Some(until) = asked.open_until {
                    p class="quiet" { (say.with("confirm-until", [("until", visit.clock.full(until).into())])) }
                }
            } @else {
                p role="alert" { (say.t("confirm-no-code")) }
            }
        }
        p class="quiet" { (say.t("confirm-not-you")) }
    }
}

/// The passkey's form, where the holder has one; otherwise nothing.
fn by_passkey(visit: &Visit, place: &Place, asked: &Asked, token: &str, said: Said) -> Markup {
    let say = visit.say;
    let Some(by) = &asked.by_passkey else { return html! {} };
    let form = match place {
        Place::Nowhere => return html! {},
        Place::There(origin) => passkeys::elsewhere(say, origin, &format!("/confirm/{token}")),
        Place::Here(party) => Ask {
            party,
            action: &format!("/confirm/{token}/passkey"),
            challenge: &by.challenge,
            wish: Wish::Get(&by.known),
            button: &say.t("confirm-by-passkey"),
            failed: &say.t("confirm-passkey-failed"),
        }
        .form(say, &html! {}),
    };
    html! {
        @if said == Said::NoPasskey { p class="problem" role="alert" { (say.t("confirm-passkey-wrong")) } }
        (form)
        @if asked.by_code { p { strong { (say.t("confirm-or-code")) } } }
    }
}

fn form(visit: &Visit, token: &str, said: Said) -> Markup {
    let say = visit.say;
    let problem = match said {
        Said::Nothing | Said::NoPasskey => None,
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
