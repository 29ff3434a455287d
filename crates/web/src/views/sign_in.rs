//! Signing in and out, and setting up an account by its link. Forms that work without scripts; what is wrong is said once for all
//! reasons, and the user name that was typed stays.

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use office::{Enrolment, OfficeError};
use serde::Deserialize;
use staff::{Token, password};

use super::{
    layout::{Frame, Nav},
    passkeys::{self, Place},
};
use crate::{
    actor::{Actor, Sent, session_cookie},
    error::Failure,
    router::Shared,
    state::SandboxStaff,
    visit::Visit,
};

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Next {
    next: String,
}

impl Next {
    pub(crate) fn to(next: String) -> Self {
        Self { next }
    }

    /// An address of this console; everything else leads to the overview.
    pub(super) fn address(&self) -> &str {
        let own = self.next.starts_with('/')
            && !self.next.starts_with("//")
            && !self.next.contains(['\\', '\r', '\n']);
        if own { &self.next } else { "/" }
    }
}

/// The words of the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Words {
    username: String,
    password: String,
    totp: String,
    next: String,
}

/// `GET /sign-in`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    (place, sent): (Place, Sent),
    Query(next): Query<Next>,
) -> Result<Markup, Failure> {
    form(&state, &visit, (&place, &sent), &next, ("", None))
}

/// `POST /sign-in`.
pub(crate) async fn sign_in(
    State(state): State<Shared>,
    visit: Visit,
    (place, sent): (Place, Sent),
    Form(words): Form<Words>,
) -> Result<Response, Failure> {
    let next = Next { next: words.next.clone() };
    let Some(office) = &state.web.office else { return Ok(Redirect::to(next.address()).into_response()) };
    match office.sign_in(words.username.trim(), &words.password, words.totp.trim(), &sent.device).await {
        Ok(signed_in) => Ok(welcome(&signed_in.token, &next)),
        Err(OfficeError::NotSignedIn) => {
            let wrong = (words.username.trim(), Some("sign-in-wrong"));
            let page = form(&state, &visit, (&place, &sent), &next, wrong)?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

/// The answer to whoever has just signed in.
pub(crate) fn welcome(token: &Token, next: &Next) -> Response {
    let mut answer = Redirect::to(next.address()).into_response();
    set_cookie(&mut answer, &session_cookie(Some(token)));
    answer
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(State(state): State<Shared>, sent: Sent) -> Result<Response, Failure> {
    if let (Some(office), Some(token)) = (&state.web.office, &sent.token) {
        office.sign_out(token).await?;
    }
    let mut answer = Redirect::to("/sign-in").into_response();
    set_cookie(&mut answer, &session_cookie(None));
    Ok(answer)
}

pub(super) fn set_cookie(answer: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The form, with the user name that was typed and what was wrong.
pub(crate) fn form(
    state: &Shared,
    visit: &Visit,
    (place, sent): (&Place, &Sent),
    next: &Next,
    (username, problem): (&str, Option<&'static str>),
) -> Result<Markup, Failure> {
    let say = visit.say;
    let title = say.t("sign-in-title");
    let wrong = problem.is_some();
    let by_passkey = passkeys::sign_in_section(state, visit, (place, sent), next.address())?;
    Ok(Frame::new(visit, Nav::Nowhere, &title).page(html! {
        section class="card narrow" aria-labelledby="sign-in" {
            h2 id="sign-in" { (say.t("sign-in-title")) }
            @if let Some(key) = problem { p class="problem" role="alert" id="wrong" { (say.t(key)) } }
            form method="post" action="/sign-in" class="rows" {
                input type="hidden" name="next" value=(next.address());
                (field("username", &say.t("sign-in-username"), "text", "username", username, wrong))
                (field("password", &say.t("sign-in-password"), "password", "current-password", "", wrong))
                (code_field(&say.t("sign-in-totp"), wrong))
                div class="buttons" { button class="button primary" type="submit" { (say.t("sign-in-do")) } }
            }
        }
        (by_passkey)
        (super::sign_in_oidc::button(state, visit, next.address()))
        @if visit.sandbox && !state.web.sandbox_staff.is_empty() { (sandbox_staff(visit, &state.web.sandbox_staff)) }
    }))
}

fn field(name: &str, label: &str, kind: &str, complete: &str, value: &str, wrong: bool) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) type=(kind) autocomplete=(complete) value=(value) required maxlength="128"
            aria-describedby=[wrong.then_some("wrong")];
    }
}

fn code_field(label: &str, wrong: bool) -> Markup {
    html! {
        label for="totp" { (label) }
        input id="totp" name="totp" type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" maxlength="6" required
            aria-describedby=[wrong.then_some("wrong")];
    }
}

/// A sandbox's staff are nobody's secret.
fn sandbox_staff(visit: &Visit, staff: &[SandboxStaff]) -> Markup {
    let say = visit.say;
    let cols = [
        super::parts::col("col-role", ""),
        super::parts::col("col-username", "mono"),
        super::parts::col("col-password", "mono"),
        super::parts::col("col-totp-now", "mono"),
    ];
    let rows: Vec<Vec<Markup>> = staff
        .iter()
        .map(|one| {
            vec![
                html! { (say.maybe(&format!("role-{}", one.role)).unwrap_or_else(|| one.role.clone().into())) },
                html! { (one.username) },
                html! { (one.password) },
                html! { (code_now(visit, &one.totp_secret)) },
            ]
        })
        .collect();
    html! {
        section class="card" aria-labelledby="sandbox-staff" {
            h2 id="sandbox-staff" { (say.t("sandbox-staff")) }
            p class="quiet" { (say.t("sandbox-staff-words")) }
            (super::parts::table(say, &say.t("sandbox-staff"), &cols, &rows))
        }
    }
}

fn code_now(visit: &Visit, secret: &str) -> String {
    staff::totp::from_base32(secret)
        .map(|secret| staff::totp::code(&secret, staff::totp::step(visit.clock.now)))
        .unwrap_or_default()
}

/// The token of a set-up link.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    link: String,
}

/// `GET /set-up`.
pub(crate) async fn set_up_page(
    State(state): State<Shared>,
    visit: Visit,
    Query(link): Query<Link>,
) -> Result<Response, Failure> {
    set_up_form(&state, &visit, &link.link, None).await
}

/// The words of the set-up form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SetUp {
    link: String,
    password: String,
    again: String,
    totp: String,
}

/// `POST /set-up`.
pub(crate) async fn set_up(
    State(state): State<Shared>,
    visit: Visit,
    Form(words): Form<SetUp>,
) -> Result<Response, Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotFound)?;
    if words.password != words.again {
        return set_up_form(&state, &visit, &words.link, Some("set-up-differ")).await;
    }
    let token = Token::sent(&words.link).ok_or(Failure::NotFound)?;
    let wrong = match office.set_up(&token, &words.password, words.totp.trim()).await {
        Ok(_) => return Ok(Redirect::to("/sign-in").into_response()),
        Err(OfficeError::Weak(weak)) => weak_key(weak),
        Err(OfficeError::WrongCode) => "set-up-wrong-code",
        Err(other) => return Err(other.into()),
    };
    set_up_form(&state, &visit, &words.link, Some(wrong)).await
}

fn weak_key(weak: password::Weak) -> &'static str {
    match weak {
        password::Weak::TooShort => "set-up-weak-short",
        password::Weak::TooLong => "set-up-weak-long",
        password::Weak::Common => "set-up-weak-common",
        password::Weak::Name => "set-up-weak-name",
        password::Weak::Monotonous => "set-up-weak-monotonous",
    }
}

async fn set_up_form(
    state: &Shared,
    visit: &Visit,
    link: &str,
    wrong: Option<&'static str>,
) -> Result<Response, Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotFound)?;
    let token = Token::sent(link).ok_or(Failure::NotFound)?;
    let enrolment = office.begin_set_up(&token).await?;
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, set_up_markup(visit, link, &enrolment, wrong)).into_response())
}

fn set_up_markup(visit: &Visit, link: &str, enrolment: &Enrolment, wrong: Option<&'static str>) -> Markup {
    let say = visit.say;
    let title = say.t("set-up-title");
    let spaced: Vec<String> =
        enrolment.secret.as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    Frame::new(visit, Nav::Nowhere, &title).page(html! {
        section class="card narrow" aria-labelledby="set-up" {
            h2 id="set-up" { (say.with("set-up-for", [("name", enrolment.name.as_str().into())])) }
            @if let Some(key) = wrong { p class="problem" role="alert" id="wrong" { (say.t(key)) } }
            form method="post" action="/set-up" class="rows" {
                input type="hidden" name="link" value=(link);
                (field("password", &say.t("set-up-password"), "password", "new-password", "", wrong.is_some()))
                (field("again", &say.t("set-up-again"), "password", "new-password", "", wrong.is_some()))
                p { (say.t("set-up-app")) }
                p class="mono wrap" { (spaced.join(" ")) }
                p { a href=(*enrolment.uri) { (say.t("set-up-open-app")) } }
                (code_field(&say.t("set-up-totp"), wrong.is_some()))
                div class="buttons" { button class="button primary" type="submit" { (say.t("set-up-do")) } }
            }
        }
    })
}

/// `GET /account`: who one is, by what one proves it, and the way out.
pub(crate) async fn account(
    State(state): State<Shared>,
    visit: Visit,
    (place, actor): (Place, Actor),
) -> Result<Markup, Failure> {
    account_page(&state, &visit, &place, &actor, None).await
}

/// The page, and what was wrong with a passkey.
pub(crate) async fn account_page(
    state: &Shared,
    visit: &Visit,
    place: &Place,
    actor: &Actor,
    wrong: Option<&'static str>,
) -> Result<Markup, Failure> {
    let say = visit.say;
    let title = say.t("account-title");
    let table = state.web.office.as_ref().map_or(staff::Permissions::builtin(), |o| o.permissions());
    let zh = visit.lang() == handbook::Lang::Zh;
    let passkeys = match &state.web.office {
        Some(office) if actor.is_signed_in() => {
            passkeys::own_section(office, visit, place, actor, wrong).await?
        }
        _ => html! {},
    };
    Ok(Frame::new(visit, Nav::Nowhere, &title).page(html! {
        section class="card" aria-labelledby="who" {
            h2 id="who" { (actor.name()) }
            @if actor.is_signed_in() {
                p { @for role in &actor.0.roles { span class="chip" { (say.t(&format!("role-{role}"))) } " " } }
                form method="post" action="/sign-out" { button class="button" type="submit" { (say.t("sign-out")) } }
            } @else {
                p { (say.t("account-console")) }
                p { a class="button" href="/sign-in" { (say.t("sign-in-do")) } }
            }
        }
        (passkeys)
        @if actor.is_signed_in() {
            section class="card" aria-labelledby="tokens" {
                h2 id="tokens" { (say.t("tokens-title")) }
                p { (say.t("tokens-lead")) }
                p { a class="button" href="/tokens" { (say.t("tokens-open")) } }
            }
        }
        section class="card" aria-labelledby="may" {
            h2 id="may" { (say.t("account-may")) }
            ul {
                @for permission in staff::Permission::ALL.iter().filter(|p| actor.0.may(table, **p).is_ok()) {
                    @let row = table.row(*permission);
                    li { (if zh { &row.zh } else { &row.en }) @if row.second == staff::permission::Second::Always { " " span class="quiet" { (say.t("needs-second")) } } }
                }
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for (next, to) in [
            ("/cards?locked=1", "/cards?locked=1"),
            ("", "/"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nset-cookie: x", "/"),
        ] {
            assert_eq!(Next { next: next.into() }.address(), to, "{next:?}");
        }
    }
}
