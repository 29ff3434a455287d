//! Signing in by the provider that is configured: away to it, and back. What is wrong is said once for all reasons; the audit log
//! has the reason.

use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use maud::{DOCTYPE, Markup, html};
use office::OfficeError;
use serde::Deserialize;

use super::{
    layout::{Frame, Nav},
    sign_in::{Next, set_cookie},
};
use crate::{
    actor::{Sent, session_cookie},
    error::Failure,
    format::now,
    router::Shared,
    visit::{Visit, encode},
};

/// The way to it from the sign-in page.
pub(super) fn button(state: &Shared, visit: &Visit, next: &str) -> Markup {
    html! {
        @if let (Some(oidc), Some(_)) = (&state.web.entrance.oidc, &state.web.office) {
            p { a class="button" href={ "/sign-in/oidc?next=" (encode(next)) } { (visit.say.with("sign-in-by", [("name", oidc.name().into())])) } }
        }
    }
}

/// `GET /sign-in/oidc`.
pub(crate) async fn begin(
    State(state): State<Shared>,
    visit: Visit,
    sent: Sent,
    Query(next): Query<Next>,
) -> Result<Response, Failure> {
    let oidc = state.web.entrance.oidc.as_ref().ok_or(Failure::NotFound)?;
    match oidc.begin(&sent.device, next.address(), now()).await {
        Ok(away) => Ok(Redirect::to(&away).into_response()),
        Err(refused) => {
            tracing::warn!(%refused, "nobody can sign in by the provider");
            Ok((StatusCode::SERVICE_UNAVAILABLE, failed(&visit, "sign-in-by-away")).into_response())
        }
    }
}

/// What the browser brings back (RFC 6749, clause 4.1.2; RFC 9207).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Back {
    state: String,
    code: String,
    iss: Option<String>,
    here: Option<String>,
}

/// `GET /sign-in/oidc/callback`. A browser that comes from another site leaves our strict cookies at home: it is sent here once
/// more from a page of ours, and then has them.
pub(crate) async fn come_back(
    State(state): State<Shared>,
    visit: Visit,
    sent: Sent,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, Failure> {
    let oidc = state.web.entrance.oidc.as_ref().ok_or(Failure::NotFound)?;
    let office = state.web.office.as_ref().ok_or(Failure::NotFound)?;
    let from_elsewhere =
        headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    if back.here.is_none() && (from_elsewhere || sent.is_new()) {
        return Ok(once_more(&visit, &back).into_response());
    }
    let confirmed = oidc.finish(&back.state, &back.code, back.iss.as_deref(), &sent.device, now()).await;
    let (confirmed, next) = match confirmed {
        Ok(confirmed) => confirmed,
        Err(refused) => {
            office.refuse_provider(&refused.to_string()).await?;
            return Ok((StatusCode::UNAUTHORIZED, failed(&visit, "sign-in-by-wrong")).into_response());
        }
    };
    match office.sign_in_by_provider(&confirmed, &sent.device).await {
        Ok(signed_in) => {
            let mut answer = Redirect::to(Next::to(next).address()).into_response();
            set_cookie(&mut answer, &session_cookie(Some(&signed_in.token)));
            Ok(answer)
        }
        Err(OfficeError::NotSignedIn) => {
            Ok((StatusCode::UNAUTHORIZED, failed(&visit, "sign-in-by-wrong")).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

fn once_more(visit: &Visit, back: &Back) -> Markup {
    let mut here =
        format!("/sign-in/oidc/callback?here=1&state={}&code={}", encode(&back.state), encode(&back.code));
    if let Some(issuer) = &back.iss {
        here.push_str(&format!("&iss={}", encode(issuer)));
    }
    let say = visit.say;
    html! {
        (DOCTYPE)
        html lang=(say.0.tag()) {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0;url=" (here) };
                title { (say.t("sign-in-title")) " \u{b7} pinward" }
            }
            body { main { p { a href=(here) { (say.t("sign-in-by-go-on")) } } } }
        }
    }
}

fn failed(visit: &Visit, words: &str) -> Markup {
    let say = visit.say;
    let title = say.t("sign-in-title");
    Frame::new(visit, Nav::Nowhere, &title).page(html! {
        section class="card narrow" aria-labelledby="failed" {
            h2 id="failed" { (say.t("sign-in-by-failed")) }
            p class="problem" role="alert" { (say.t(words)) }
            p { a class="button" href="/sign-in" { (say.t("sign-in-do")) } }
        }
    })
}
