//! Tokens for programs: the own ones, a form for another one, and the one page on which a token is ever shown.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use model::reason::Family;
use office::OfficeError;
use staff::{
    ApiToken, Permission,
    api_token::{self, DAYS_MAX, NewToken, NotMade},
};

use super::{
    layout::{Frame, Nav},
    parts,
};
use crate::{
    actor::Actor,
    api::tokens::{DAYS, days, scopes},
    error::Failure,
    router::Shared,
    visit::Visit,
};

/// What was typed into the form, to be shown again beside what is wrong with it.
#[derive(Default)]
struct Typed {
    name: String,
    owner: String,
    days: String,
    scopes: Vec<String>,
    wrong: Option<String>,
}

impl Typed {
    fn of(pairs: Vec<(String, String)>) -> Self {
        let mut typed = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => typed.name = value.trim().to_owned(),
                "owner" => typed.owner = value.trim().to_owned(),
                "days" => typed.days = value,
                "scopes" => typed.scopes.push(value),
                _ => {}
            }
        }
        typed
    }

    fn wanted(&self, actor: &Actor) -> Result<NewToken, Failure> {
        let owner = if self.owner.is_empty() { &actor.0.name } else { &self.owner };
        Ok(NewToken {
            name: self.name.clone(),
            owner: owner.clone(),
            scopes: scopes(self.scopes.iter().map(String::as_str))?,
            days: days(&self.days)?,
        })
    }
}

/// `GET /tokens`.
pub(crate) async fn page(State(state): State<Shared>, visit: Visit, actor: Actor) -> Result<Markup, Failure> {
    whole(&state, &visit, &actor, &Typed::default()).await
}

/// `POST /tokens`: the token is on the page that answers, and nowhere else.
pub(crate) async fn make(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotSignedIn)?;
    let mut typed = Typed::of(pairs);
    let made = match typed.wanted(&actor) {
        Ok(new) => office.make_token(&actor.0, &new).await,
        Err(_) => Err(NotMade::Days.into()),
    };
    match made {
        Ok((token, row)) => Ok(shown(&visit, &api_token::reveal(&token), &row).into_response()),
        Err(error @ (OfficeError::NoToken(_) | OfficeError::Conflict(_) | OfficeError::Unknown(_))) => {
            typed.wrong = Some(words(&visit, &error));
            let page = whole(&state, &visit, &actor, &typed).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /tokens/{token}/revoke`.
pub(crate) async fn revoke(
    State(state): State<Shared>,
    Path(token): Path<String>,
    actor: Actor,
) -> Result<Redirect, Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotSignedIn)?;
    office.revoke_token(&actor.0, &token).await?;
    Ok(Redirect::to("/tokens"))
}

fn words(visit: &Visit, error: &OfficeError) -> String {
    let key = match error {
        OfficeError::NoToken(NotMade::TooMuch(permission)) => {
            return visit
                .say
                .with("tokens-wrong-scope", [("what", called(visit, *permission).into())])
                .into_owned();
        }
        OfficeError::NoToken(NotMade::Name) => "tokens-wrong-name",
        OfficeError::NoToken(NotMade::Days) => "tokens-wrong-days",
        OfficeError::NoToken(NotMade::NoScope) => "tokens-wrong-none",
        OfficeError::NoToken(NotMade::Program) => "tokens-wrong-program",
        OfficeError::Unknown(_) => "tokens-wrong-owner",
        _ => "tokens-wrong-conflict",
    };
    visit.say.t(key).into_owned()
}

fn called(visit: &Visit, permission: Permission) -> String {
    let row = staff::Permissions::builtin().row(permission);
    if visit.lang() == handbook::Lang::Zh { row.zh.clone() } else { row.en.clone() }
}

fn shown(visit: &Visit, token: &str, row: &ApiToken) -> Markup {
    let say = visit.say;
    let title = say.t("tokens-made");
    Frame::new(visit, Nav::Nowhere, &title).page(html! {
        section class="card" aria-labelledby="made" {
            h2 id="made" { (row.name) }
            p { (say.t("tokens-made-words")) }
            p class="mono wrap" id="token" { (token) }
            p { (say.t("tokens-use")) }
            p { code { "curl -H \"Authorization: Bearer $PINWARD_TOKEN\" \u{2026}/api/v1/session" } }
            p { a class="button" href="/tokens" { (say.t("tokens-noted")) } }
        }
    })
}

async fn whole(state: &Shared, visit: &Visit, actor: &Actor, typed: &Typed) -> Result<Markup, Failure> {
    let say = visit.say;
    let title = say.t("tokens-title");
    let tokens = match &state.web.office {
        Some(office) => office.tokens(&actor.0).await?,
        None => Vec::new(),
    };
    Ok(Frame::new(visit, Nav::Nowhere, &title).page(html! {
        p class="lead" { (say.t("tokens-lead")) }
        @if tokens.is_empty() {
            (parts::empty(&say.t("tokens-none"), &say.t("tokens-none-words"), Some("pinward staff token make NAME --owner USER --scope view-transactions")))
        } @else { (list(visit, actor, &tokens)) }
        @if actor.is_signed_in() && !actor.0.is_program() { (form(visit, typed)) }
    }))
}

fn list(visit: &Visit, actor: &Actor, tokens: &[ApiToken]) -> Markup {
    let say = visit.say;
    let cols = [
        parts::col("col-name", "mono"),
        parts::col("tokens-owner", "mono"),
        parts::col("tokens-scopes", "grow"),
        parts::col("tokens-until", ""),
        parts::col("tokens-used", ""),
        parts::col("col-state", ""),
        parts::col("tokens-revoke", ""),
    ];
    let rows: Vec<Vec<Markup>> = tokens
        .iter()
        .map(|token| {
            let lives = token.lives(visit.clock.now);
            let (family, key) = match (&token.revoked, lives) {
                (Some(_), _) => (Family::Neutral, "tokens-revoked"),
                (None, false) => (Family::Neutral, "tokens-ended"),
                (None, true) => (Family::Ok, "tokens-alive"),
            };
            vec![
                html! { (token.name) },
                html! { (token.owner) },
                html! { @for scope in &token.scopes { span class="chip" { (called(visit, *scope)) } " " } },
                parts::time(&visit.clock, token.until),
                html! { @if let Some(used) = token.used { (parts::time(&visit.clock, used)) } @else { span class="quiet" { (say.t("tokens-never")) } } },
                parts::chip(family, &say.t(key)),
                html! { @if lives && actor.is_signed_in() {
                    form method="post" action=(format!("/tokens/{}/revoke", token.id)) { button class="button" type="submit" aria-label=(say.with("tokens-revoke-one", [("name", token.name.as_str().into())])) { (say.t("tokens-revoke")) } }
                } },
            ]
        })
        .collect();
    parts::table(say, &say.t("tokens-title"), &cols, &rows)
}

fn form(visit: &Visit, typed: &Typed) -> Markup {
    let say = visit.say;
    let wrong = typed.wrong.as_deref();
    let until = DAYS.to_string();
    html! {
        section class="card" aria-labelledby="make" {
            h2 id="make" { (say.t("tokens-make-title")) }
            @if let Some(wrong) = wrong { p class="problem" role="alert" id="wrong" { (wrong) } }
            form method="post" action="/tokens" class="rows" {
                label for="name" { (say.t("tokens-name")) }
                input id="name" name="name" value=(typed.name) required maxlength="64" autocomplete="off" spellcheck="false" aria-describedby=[wrong.map(|_| "wrong")];
                @if visit.may(Permission::ManageTokens) {
                    label for="owner" { (say.t("tokens-owner-other")) }
                    input id="owner" name="owner" value=(typed.owner) maxlength="64" autocomplete="off" spellcheck="false";
                }
                label for="days" { (say.t("tokens-days")) }
                input id="days" name="days" type="number" min="1" max=(DAYS_MAX) required value=(if typed.days.is_empty() { &until } else { &typed.days });
                fieldset {
                    legend { (say.t("tokens-may")) }
                    @for permission in Permission::ALL.iter().copied().filter(|permission| visit.may(*permission)) {
                        label class="check" { input type="checkbox" name="scopes" value=(permission.name()) checked[typed.scopes.iter().any(|scope| scope == permission.name())]; " " (called(visit, permission)) }
                    }
                }
                div class="buttons" { button class="button primary" type="submit" { (say.t("tokens-make")) } }
            }
        }
    }
}
