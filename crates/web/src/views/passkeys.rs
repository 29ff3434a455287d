//! Passkeys on pages: the form that asks a browser for one (`assets/passkey.js`), signing in with one, and the passkeys of one's
//! own account.
//!
//! A passkey is bound to a name, and an address by number has none: who came to this machine as 127.0.0.1 is told by which name
//! to come.

use std::convert::Infallible;

use axum::{
    Form,
    extract::{FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use maud::{Markup, html};
use office::{NewPasskey, Office, OfficeError};
use passkey::{AssertionText, CredentialId, RegistrationText, RelyingParty};
use serde::Deserialize;

use super::{parts, sign_in};
use crate::{
    actor::{Actor, Sent},
    assets,
    error::Failure,
    lang::Say,
    router::Shared,
    visit::Visit,
};

/// Where a browser can use passkeys.
pub(crate) enum Place {
    /// Here.
    Here(RelyingParty),
    /// At the same pages under this address.
    There(String),
    /// The console's address names no domain.
    Nowhere,
}

impl FromRequestParts<Shared> for Place {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Infallible> {
        let Some(party) = &state.web.relying_party else { return Ok(Self::Nowhere) };
        let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = named.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        Ok(match host {
            Some(host) if !party.is_at(host) => Self::There(party.origin().to_owned()),
            _ => Self::Here(party.clone()),
        })
    }
}

/// What the browser is asked for.
pub(crate) enum Wish<'a> {
    /// To prove with one of these; with any where none is named.
    Get(&'a [CredentialId]),
    /// To make one, for somebody whom the device shows by this name.
    Create { name: &'a str, user_handle: &'a [u8], known: &'a [CredentialId] },
}

/// A form that asks for a passkey. `inside` are its other fields, `button` is the words of its button.
pub(crate) struct Ask<'a> {
    pub(crate) party: &'a RelyingParty,
    pub(crate) action: &'a str,
    pub(crate) challenge: &'a [u8],
    pub(crate) wish: Wish<'a>,
    pub(crate) button: &'a str,
    /// What is said when the device does not recognise its owner.
    pub(crate) failed: &'a str,
}

impl Ask<'_> {
    pub(crate) fn form(&self, say: Say, inside: &Markup) -> Markup {
        let (kind, known, fields): (_, _, &[&str]) = match &self.wish {
            Wish::Get(known) => {
                ("get", *known, &["id", "client_data", "authenticator_data", "signature", "user_handle"])
            }
            Wish::Create { known, .. } => ("create", *known, &["client_data", "attestation"]),
        };
        let (name, user) = match &self.wish {
            Wish::Get(_) => (None, None),
            Wish::Create { name, user_handle, .. } => (Some(*name), Some(BASE64.encode(user_handle))),
        };
        let known = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        html! {
            form class="rows" method="post" action=(self.action) autocomplete="off" data-passkey=(kind) data-rp=(self.party.id())
                data-challenge=(BASE64.encode(self.challenge)) data-known=(known) data-name=[name] data-user=[user]
                data-failed=(self.failed) data-twice=(say.t("passkey-twice")) data-none=(say.t("passkey-no-browser")) {
                (inside)
                @for field in fields { input type="hidden" name=(field); }
                p class="problem" role="alert" hidden {}
                div class="buttons" { button class="button" type="submit" disabled { (self.button) } }
            }
            script src=(assets::path("passkey.js")) type="module" {}
        }
    }
}

/// Tells by which name to come.
pub(crate) fn elsewhere(say: Say, origin: &str, path: &str) -> Markup {
    html! {
        p class="quiet" { (say.t("passkey-elsewhere")) " " a class="wrap" href={ (origin) (path) } data-onward { (origin) (path) } }
        script src=(assets::path("passkey.js")) type="module" {}
    }
}

/// On the page where staff sign in.
pub(crate) fn sign_in_section(
    state: &Shared,
    visit: &Visit,
    (place, sent): (&Place, &Sent),
    next: &str,
) -> Result<Markup, Failure> {
    let say = visit.say;
    let Some(office) = &state.web.office else { return Ok(html! {}) };
    let body = match place {
        Place::Nowhere => return Ok(html! {}),
        Place::There(origin) => elsewhere(say, origin, "/sign-in"),
        Place::Here(party) => Ask {
            party,
            action: "/sign-in/passkey",
            challenge: &office.passkey_challenge(&sent.device)?,
            wish: Wish::Get(&[]),
            button: &say.t("sign-in-passkey-do"),
            failed: &say.t("sign-in-passkey-failed"),
        }
        .form(say, &html! { input type="hidden" name="next" value=(next); }),
    };
    Ok(html! {
        section class="card narrow" aria-labelledby="sign-in-passkey" {
            h2 id="sign-in-passkey" { (say.t("sign-in-passkey")) }
            (body)
        }
    })
}

/// What the form of a sign-in sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asserted {
    next: String,
    #[serde(flatten)]
    assertion: AssertionText,
}

/// `POST /sign-in/passkey`.
pub(crate) async fn sign_in(
    State(state): State<Shared>,
    visit: Visit,
    (place, sent): (Place, Sent),
    Form(asserted): Form<Asserted>,
) -> Result<Response, Failure> {
    let next = sign_in::Next::to(asserted.next);
    let (Some(office), Some(party)) = (&state.web.office, &state.web.relying_party) else {
        return Err(Failure::NotFound);
    };
    let signed_in = match asserted.assertion.read() {
        Ok(assertion) => office.sign_in_by_passkey(party, &assertion, &sent.device).await,
        Err(_) => Err(OfficeError::NotSignedIn),
    };
    match signed_in {
        Ok(signed_in) => Ok(sign_in::welcome(&signed_in.token, &next)),
        Err(OfficeError::NotSignedIn) => {
            let wrong = Some("sign-in-passkey-wrong");
            let page = sign_in::form(&state, &visit, (&place, &sent), &next, ("", wrong))?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
        Err(other) => Err(other.into()),
    }
}

/// The passkeys on the page of one's own account.
pub(crate) async fn own_section(
    office: &Office,
    visit: &Visit,
    place: &Place,
    actor: &Actor,
    wrong: Option<&'static str>,
) -> Result<Markup, Failure> {
    let say = visit.say;
    let account = office.own_account(&actor.0).await?;
    let fresh = office.is_fresh(&actor.0).await;
    let new = office.begin_passkey(&actor.0).await?;
    Ok(html! {
        section class="card" aria-labelledby="passkeys" {
            h2 id="passkeys" { (say.t("passkeys")) }
            p class="quiet" { (say.t("passkeys-words")) }
            @if let Some(key) = wrong { p class="problem" role="alert" { (say.t(key)) } }
            @if !account.passkeys.is_empty() { (table(visit, &account.passkeys, fresh)) }
            @match place {
                Place::Nowhere => p class="quiet" { (say.t("passkeys-nowhere")) },
                Place::There(origin) => (elsewhere(say, origin, "/account")),
                Place::Here(_) if !fresh => p { (say.t("passkeys-not-fresh")) " " a href="/sign-in?next=%2Faccount" { (say.t("passkeys-prove")) } },
                Place::Here(party) => (add_form(say, party, &account.name, &new)),
            }
        }
    })
}

fn table(visit: &Visit, passkeys: &[staff::account::Passkey], fresh: bool) -> Markup {
    let say = visit.say;
    let cols = ["col-passkey", "col-passkey-added", "col-passkey-used", "col-passkey-remove"];
    let cols = cols.map(|key| parts::col(key, ""));
    let rows: Vec<Vec<Markup>> = passkeys
        .iter()
        .map(|key| {
            let id = key.credential.id.to_string();
            let remove = say.with("passkey-remove-one", [("name", key.label.as_str().into())]);
            vec![
                html! { (key.label) @if key.credential.backed_up { " " span class="quiet" { (say.t("passkey-synced")) } } },
                parts::time(&visit.clock, key.added),
                html! { @if let Some(used) = key.used { (parts::time(&visit.clock, used)) } @else { span class="quiet" { (say.t("passkey-unused")) } } },
                html! {
                    @if fresh {
                        form method="post" action="/account/passkeys/remove" class="inline" {
                            input type="hidden" name="id" value=(id);
                            button class="button" type="submit" aria-label=(remove) { (say.t("passkey-remove")) }
                        }
                    }
                },
            ]
        })
        .collect();
    parts::table(say, &say.t("passkeys"), &cols, &rows)
}

fn add_form(say: Say, party: &RelyingParty, name: &str, new: &NewPasskey) -> Markup {
    Ask {
        party,
        action: "/account/passkeys",
        challenge: &new.challenge,
        wish: Wish::Create { name, user_handle: &new.user_handle, known: &new.known },
        button: &say.t("passkey-add"),
        failed: &say.t("passkey-add-failed"),
    }
    .form(
        say,
        &html! {
            label for="label" { (say.t("passkey-label")) }
            input id="label" name="label" type="text" maxlength=(staff::account::LABEL_MAX) required autocomplete="off";
        },
    )
}

/// What the form of a new passkey sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Registered {
    label: String,
    #[serde(flatten)]
    registration: RegistrationText,
}

/// `POST /account/passkeys`.
pub(crate) async fn add(
    State(state): State<Shared>,
    (visit, place, actor): (Visit, Place, Actor),
    Form(registered): Form<Registered>,
) -> Result<Response, Failure> {
    let (Some(office), Some(party)) = (&state.web.office, &state.web.relying_party) else {
        return Err(Failure::NotFound);
    };
    let added = match registered.registration.read() {
        Ok(sent) => office.add_passkey(&actor.0, party, &registered.label, &sent).await,
        Err(refused) => Err(OfficeError::NotRegistered(refused)),
    };
    let wrong = match added {
        Ok(()) => return Ok(Redirect::to("/account").into_response()),
        Err(OfficeError::NotFresh) => return Ok(Redirect::to(PROVE).into_response()),
        Err(OfficeError::NotRegistered(_)) => "passkey-add-refused",
        Err(OfficeError::Conflict(_)) => "passkey-add-conflict",
        Err(other) => return Err(other.into()),
    };
    let page = sign_in::account_page(&state, &visit, &place, &actor, Some(wrong)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// Where one proves anew who one is.
const PROVE: &str = "/sign-in?next=%2Faccount";

/// Which passkey.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Which {
    id: String,
}

/// `POST /account/passkeys/remove`.
pub(crate) async fn remove(
    State(state): State<Shared>,
    actor: Actor,
    Form(which): Form<Which>,
) -> Result<Response, Failure> {
    let office = state.web.office.as_ref().ok_or(Failure::NotFound)?;
    let id: CredentialId = which.id.parse().map_err(|_| Failure::NotFound)?;
    match office.remove_passkey(&actor.0, &id).await {
        Ok(()) => Ok(Redirect::to("/account").into_response()),
        Err(OfficeError::NotFresh) => Ok(Redirect::to(PROVE).into_response()),
        Err(other) => Err(other.into()),
    }
}
