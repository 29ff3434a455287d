//! What cardholders see: pages without an account, at the end of a link in a message. For telephones first; in both languages.
//!
//! A link that is wrong, used or too old leads to one neutral page, which says nothing about any card. The page on which a PIN is set
//! encrypts it for the security module (`assets/holder.js`): the fields for digits have no names, so a browser without scripts sends
//! nothing of them.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use holder::{Closed, Entered, NotChanged, Standing, Trouble, Wrong};
use maud::{DOCTYPE, Markup, html};
use model::reason::Family;
use serde::Deserialize;

use super::{holder_passkeys, parts, passkeys::Place};
use crate::{assets, error::Failure, lang::Say, router::Shared, visit::Visit};

/// What the page's form sends: the card's last digits, and what the script made of the PIN.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    tail: String,
    entry: String,
    key: String,
    sealed: String,
}

/// `GET /holder/pin/{token}`.
pub(crate) async fn pin_page(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    form(&state, &visit, &token, "", None).await
}

/// `POST /holder/pin/{token}`.
pub(crate) async fn set_pin(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let Some(desk) = &state.web.holder else { return Ok(neutral(&visit)) };
    let Typed { tail, entry, key, sealed } = typed;
    let entered = Entered { tail: tail.clone(), entry, key, sealed };
    let wrong = match desk.set_pin(&token, &entered).await {
        Ok(()) => return Ok(done(&visit).into_response()),
        Err(Trouble::Closed(closed)) => return shut(&visit, closed),
        Err(Trouble::Digits) => "holder-wrong-digits",
        Err(Trouble::Refused) => "holder-pin-refused",
        Err(Trouble::Unreadable) => "holder-unreadable",
    };
    form(&state, &visit, &token, &tail, Some(wrong)).await
}

/// `GET /holder/{token}`.
pub(crate) async fn card_page(
    State(state): State<Shared>,
    (visit, place): (Visit, Place),
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    show(&state, &visit, &place, &token, None).await
}

/// The page of a card, and what was wrong with a passkey.
pub(crate) async fn show(
    state: &Shared,
    visit: &Visit,
    place: &Place,
    token: &str,
    wrong: Option<&'static str>,
) -> Result<Response, Failure> {
    let Some(desk) = &state.web.holder else { return Ok(neutral(visit)) };
    let standing = match desk.standing(token).await {
        Ok(standing) => standing,
        Err(closed) => return shut(visit, closed),
    };
    let passkeys = match desk.card_of_page(token).await {
        Ok(id) => holder_passkeys::section(state, visit, place, (id, token), wrong).await?,
        Err(closed) => return shut(visit, closed),
    };
    Ok(card(visit, token, &standing, &passkeys).into_response())
}

/// `GET /holder/change/{token}`: another PIN, behind the present one.
pub(crate) async fn change_page(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    change_form(&state, &visit, &token, None).await
}

/// `POST /holder/change/{token}`.
pub(crate) async fn change_pin(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let Some(desk) = &state.web.holder else { return Ok(neutral(&visit)) };
    let Typed { tail, entry, key, sealed } = typed;
    match desk.change_pin(&token, &Entered { tail, entry, key, sealed }).await {
        Ok(()) => Ok(done(&visit).into_response()),
        Err(NotChanged::Closed(closed)) => shut(&visit, closed),
        Err(NotChanged::NotNow(_)) => Ok(to_card(&token)),
        Err(NotChanged::Wrong) => change_form(&state, &visit, &token, Some("holder-wrong-pin")).await,
        Err(NotChanged::Refused) => change_form(&state, &visit, &token, Some("holder-pin-refused")).await,
        Err(NotChanged::Unreadable) => change_form(&state, &visit, &token, Some("holder-unreadable")).await,
    }
}

/// A card that takes no PIN now says why on its own page; so does one whose last try this was.
fn to_card(token: &str) -> Response {
    Redirect::to(&format!("/holder/{token}")).into_response()
}

async fn change_form(
    state: &Shared,
    visit: &Visit,
    token: &str,
    wrong: Option<&'static str>,
) -> Result<Response, Failure> {
    let Some(desk) = &state.web.holder else { return Ok(neutral(visit)) };
    let opened = match desk.open_change(token).await {
        Ok(opened) => opened,
        Err(NotChanged::Closed(closed)) => return shut(visit, closed),
        Err(_) => return Ok(to_card(token)),
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let form = pin_form(visit, &Purpose::Change, token, &opened, wrong);
    Ok((status, frame(visit, &visit.say.t("holder-change-title"), form, true)).into_response())
}

/// What a form for a PIN is for.
enum Purpose<'a> {
    /// The first PIN after a reset, with the card's last digits as they were typed.
    Reset(&'a str),
    /// Another one.
    Change,
}

pub(crate) fn shut(visit: &Visit, closed: Closed) -> Result<Response, Failure> {
    match closed {
        Closed::Neutral => Ok(neutral(visit)),
        Closed::Away(why) => Err(Failure::StoreAway(why)),
    }
}

/// The one page for every link that leads nowhere.
pub(crate) fn neutral(visit: &Visit) -> Response {
    let say = visit.say;
    let page = frame(visit, &say.t("holder-nowhere-title"), html! { p { (say.t("holder-nowhere")) } }, false);
    (StatusCode::NOT_FOUND, page).into_response()
}

async fn form(
    state: &Shared,
    visit: &Visit,
    token: &str,
    tail: &str,
    wrong: Option<&'static str>,
) -> Result<Response, Failure> {
    let Some(desk) = &state.web.holder else { return Ok(neutral(visit)) };
    let opened = match desk.open(token).await {
        Ok(opened) => opened,
        Err(closed) => return shut(visit, closed),
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let form = pin_form(visit, &Purpose::Reset(tail), token, &opened, wrong);
    let page = frame(visit, &visit.say.t("holder-pin-title"), form, true);
    Ok((status, page).into_response())
}

fn pin_form(
    visit: &Visit,
    purpose: &Purpose<'_>,
    token: &str,
    opened: &holder::Form,
    wrong: Option<&'static str>,
) -> Markup {
    let say = visit.say;
    let (least, most) = opened.length;
    let entry = &opened.entry;
    let fingerprint = fingerprint(&entry.signer);
    let error = |keys: &[&str]| wrong.filter(|wrong| keys.contains(wrong)).map(|_| "wrong");
    let until = visit.clock.full(opened.until);
    let (path, lead) = match purpose {
        Purpose::Reset(_) => ("pin", say.with("holder-pin-lead", [("until", until.into())])),
        Purpose::Change => ("change", say.t("holder-change-lead")),
    };
    html! {
        p { (lead) }
        @if let Some(key) = wrong { p class="problem" role="alert" id="wrong" { (say.t(key)) } }
        noscript { p class="problem" { (say.t("holder-noscript")) } }
        form id="pin-form" class="rows" method="post" action={ "/holder/" (path) "/" (token) } autocomplete="off"
            data-entry=(hex(&entry.id)) data-key=(hex(&entry.key)) data-signature=(hex(&entry.signature))
            data-signer=(hex(&entry.signer)) data-least=(least) data-most=(most)
            data-differ=(say.t("holder-differ")) data-length=(say.with("holder-length", [("least", i64::from(least).into()), ("most", i64::from(most).into())]))
            data-old=(say.t("holder-old-browser")) data-forged=(say.t("holder-forged")) {
            @match purpose {
                Purpose::Reset(tail) => {
                    label for="tail" { (say.t("holder-tail")) }
                    input id="tail" name="tail" type="text" inputmode="numeric" pattern="[0-9]{4}" maxlength="4" required value=(tail) autocomplete="off"
                        aria-describedby=[error(&["holder-wrong-digits"])];
                }
                Purpose::Change => {
                    label for="present" { (say.t("holder-present-pin")) }
                    input id="present" type="password" inputmode="numeric" maxlength="12" required autocomplete="current-password"
                        aria-describedby=[error(&["holder-wrong-pin"])];
                }
            }
            label for="pin" { (say.with("holder-new-pin", [("least", i64::from(least).into()), ("most", i64::from(most).into())])) }
            input id="pin" type="password" inputmode="numeric" maxlength=(most) required autocomplete="new-password" aria-describedby="rules";
            label for="again" { (say.t("holder-again")) }
            input id="again" type="password" inputmode="numeric" maxlength=(most) required autocomplete="new-password";
            p id="rules" class="quiet" { (say.t("holder-rules")) }
            p id="trouble" class="problem" role="alert" hidden {}
            input type="hidden" name="entry"; input type="hidden" name="key"; input type="hidden" name="sealed";
            div class="buttons" { button class="button primary" type="submit" disabled { (say.t("holder-set")) } }
        }
        details class="quiet" {
            summary { (say.t("holder-how")) }
            p { (say.t("holder-how-words")) }
            p class="mono wrap" id="fingerprint" { (fingerprint) }
        }
    }
}

fn done(visit: &Visit) -> Markup {
    let say = visit.say;
    frame(
        visit,
        &say.t("holder-done-title"),
        html! { p class="notice ok" role="status" { (say.t("holder-done")) } },
        false,
    )
}

fn card(visit: &Visit, token: &str, standing: &Standing, passkeys: &Markup) -> Markup {
    let say = visit.say;
    let title = say.with("holder-card-title", [("tail", standing.tail.as_str().into())]);
    let (family, state, why, todo) = words(visit, standing.wrong);
    frame(
        visit,
        &title,
        html! {
            p class="big" { (parts::chip(family, &state)) }
            p { (why) }
            p { strong { (todo) } }
            @if !standing.wrong_pins.is_empty() {
                h2 { (say.t("holder-wrong-pins")) }
                ul { @for at in &standing.wrong_pins { li { (parts::time_full(&visit.clock, *at)) } } }
                p class="quiet" { (say.t("holder-not-you")) }
            }
            @if let Some(days) = standing.pin_days_left { p class="notice" { (say.with("holder-pin-age", [("days", days.into())])) } }
            @if standing.may_change {
                p class="buttons" { a class="button" id="change" href={ "/holder/change/" (token) } { (say.t("holder-change")) } }
            }
            (passkeys)
        },
        true,
    )
}

/// How the card is, why, and what to do.
fn words(visit: &Visit, wrong: Option<Wrong>) -> (Family, String, String, String) {
    let say = visit.say;
    let t = |key: &str| say.t(key).into_owned();
    let until = |key: &'static str, at| say.with(key, [("until", visit.clock.full(at).into())]).into_owned();
    match wrong {
        None => (Family::Ok, t("holder-fine"), t("holder-fine-why"), t("holder-fine-do")),
        Some(Wrong::Blocked) => (Family::Bad, t("holder-blocked"), t("holder-blocked-why"), t("holder-call")),
        Some(Wrong::Locked { until: Some(at) }) => {
            (Family::Lock, until("holder-locked-until", at), t("holder-locked-why"), t("holder-locked-do"))
        }
        Some(Wrong::Locked { until: None }) => {
            (Family::Lock, t("holder-locked"), t("holder-locked-why"), t("holder-call"))
        }
        Some(Wrong::ResetPending) => {
            (Family::Lock, t("holder-reset"), t("holder-reset-why"), t("holder-reset-do"))
        }
        Some(Wrong::MustChange) => {
            (Family::Warn, t("holder-must-change"), t("holder-must-change-why"), t("holder-must-change-do"))
        }
        Some(Wrong::StepUp) => {
            (Family::Warn, t("holder-step-up"), t("holder-step-up-why"), t("holder-step-up-do"))
        }
        Some(Wrong::Restricted { until: at }) => (
            Family::Warn,
            until("holder-restricted", at),
            t("holder-restricted-why"),
            t("holder-restricted-do"),
        ),
    }
}

/// A page without the console around it.
pub(super) fn frame(visit: &Visit, title: &str, body: Markup, scripted: bool) -> Markup {
    let say = visit.say;
    let other = visit.other_lang();
    html! {
        (DOCTYPE)
        html lang=(say.0.tag()) data-theme=(visit.theme.name()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="icon" href=(assets::path("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::path("console.css"));
                @if scripted { script src=(assets::path("holder.js")) type="module" {} }
            }
            body class="holder" {
                main id="main" class="narrow" {
                    h1 { (title) }
                    section class="card" { (body) }
                    p { a class="choice" href=(visit.here_with("lang", &other.to_string())) lang=(other.tag()) hreflang=(other.tag()) { (Say(other).t("lang-own-name")) } }
                }
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The module's public key in groups of four, to be compared with what the bank prints.
fn fingerprint(key: &[u8]) -> String {
    let text = hex(key);
    let groups: Vec<&str> = text.as_bytes().chunks(4).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    groups.join(" ")
}
