//! The one question after a case is closed, for whoever has its link: no account, no navigation, nothing of the case. A link that
//! never was, was used, or is too old gets the same page.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};
use office::CaseError;
use serde::Deserialize;
use staff::Token;

use crate::{assets, error::Failure, router::Shared, visit::Visit};

/// The scores, best last.
const SCORES: [u8; 5] = [1, 2, 3, 4, 5];

fn bare(visit: &Visit, body: &Markup) -> Markup {
    let say = visit.say;
    let title = say.t("survey-title");
    html! {
        (DOCTYPE)
        html lang=(visit.lang().tag()) data-theme=(visit.theme.name()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="stylesheet" href=(assets::path("console.css"));
            }
            body {
                @if visit.sandbox { (super::layout::sandbox_bar(say)) }
                main id="main" class="bare" {
                    h1 { (title) }
                    (body)
                }
            }
        }
    }
}

fn void(visit: &Visit) -> Response {
    let page = bare(visit, &html! { p class="lead" { (visit.say.t("survey-void")) } });
    (StatusCode::NOT_FOUND, page).into_response()
}

/// `GET /survey/{token}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let known = match Token::sent(&token) {
        Some(token) => state.web.cases.is_survey(&token).await?,
        None => false,
    };
    Ok(if known { form(&visit, "", None).into_response() } else { void(&visit) })
}

fn form(visit: &Visit, words: &str, wrong: Option<&str>) -> Markup {
    let say = visit.say;
    bare(
        visit,
        &html! {
            p class="lead" { (say.t("survey-question")) }
            form class="card survey" method="post" {
                fieldset {
                    legend { (say.t("survey-score")) }
                    @for score in SCORES {
                        label class="check" { input type="radio" name="score" value=(score) required; " " (score) @if score == 1 { " " (say.t("survey-worst")) } @if score == 5 { " " (say.t("survey-best")) } }
                    }
                    @if let Some(wrong) = wrong { p id="score-error" class="notice bad" role="alert" { (wrong) } }
                }
                label { span { (say.t("survey-words")) } textarea name="words" rows="3" maxlength="2000" { (words) } }
                button class="button primary" { (say.t("survey-send")) }
            }
        },
    )
}

/// What the customer says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rating {
    score: String,
    words: String,
}

/// `POST /survey/{token}`.
pub(crate) async fn rate(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
    Form(rating): Form<Rating>,
) -> Result<Response, Failure> {
    let Some(token) = Token::sent(&token) else { return Ok(void(&visit)) };
    let score = rating.score.parse().unwrap_or_default();
    match state.web.cases.rate(&token, score, &rating.words).await {
        Ok(()) => {
            let thanks = html! { p class="lead" role="status" { (visit.say.t("survey-thanks")) } };
            Ok(bare(&visit, &thanks).into_response())
        }
        Err(CaseError::Refused(desk::Refusal::NotUnderstood { .. })) => {
            let page = form(&visit, &rating.words, Some(&visit.say.t("survey-wrong")));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(CaseError::Refused(_)) => Ok(void(&visit)),
        Err(CaseError::Store(error)) => Err(error.into()),
    }
}
