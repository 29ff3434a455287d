//! Passkeys on the card's page: enrolled and taken away by whoever has the link that was sent to the holder's number. While a
//! change of that number is on hold none is enrolled, and of each new one the number is told.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use confirmation::{Confirmations, HolderPasskey, LABEL_MAX, NotEnrolled, PASSKEYS_MAX};
use maud::{Markup, html};
use model::CardId;
use passkey::RegistrationText;
use serde::Deserialize;

use super::{
    holder, parts,
    passkeys::{self, Ask, Place, Wish},
};
use crate::{error::Failure, lang::Say, router::Shared, visit::Visit};

/// What the page of a card says of its passkeys.
pub(crate) async fn section(
    state: &Shared,
    visit: &Visit,
    place: &Place,
    (card, token): (CardId, &str),
    wrong: Option<&'static str>,
) -> Result<Markup, Failure> {
    let (Some(desk), Some(confirmations)) = (&state.web.holder, &state.web.confirmations) else {
        return Ok(html! {});
    };
    let say = visit.say;
    let enrolled = confirmations.enrolled(card).await?;
    let held = !matches!(desk.held_until(&card).await, Ok(None));
    let full = enrolled.passkeys().len() >= PASSKEYS_MAX;
    let add = match place {
        Place::Nowhere => return Ok(html! {}),
        Place::There(origin) => passkeys::elsewhere(say, origin, &format!("/holder/{token}")),
        Place::Here(_) if held => html! { p class="quiet" { (say.t("holder-passkey-held")) } },
        Place::Here(_) if full => html! { p class="quiet" { (say.t("holder-passkey-enough")) } },
        Place::Here(party) => {
            let ask = form(confirmations, say, card, token).await?;
            ask.0.as_ask(party).form(say, &ask.1)
        }
    };
    Ok(html! {
        h2 { (say.t("holder-passkeys")) }
        p { (say.t("holder-passkeys-words")) }
        @if let Some(key) = wrong { p class="problem" role="alert" { (say.t(key)) } }
        @if !enrolled.passkeys().is_empty() { (list(visit, enrolled.passkeys(), token)) }
        (add)
    })
}

/// What the form of a new passkey is made of.
struct New {
    action: String,
    made: confirmation::NewPasskey,
    name: String,
    button: String,
    failed: String,
}

impl New {
    fn as_ask<'a>(&'a self, party: &'a passkey::RelyingParty) -> Ask<'a> {
        let (name, user_handle, known) = (self.name.as_str(), &self.made.user_handle, &self.made.known);
        Ask {
            party,
            action: &self.action,
            challenge: &self.made.challenge,
            wish: Wish::Create { name, user_handle, known },
            button: &self.button,
            failed: &self.failed,
        }
    }
}

async fn form(
    confirmations: &Confirmations,
    say: Say,
    card: CardId,
    token: &str,
) -> Result<(New, Markup), Failure> {
    let made = confirmations.begin_passkey(card, token).await?;
    let words = |key: &str| say.t(key).into_owned();
    let new = New {
        action: format!("/holder/{token}/passkeys"),
        made,
        name: words("holder-passkey-name"),
        button: words("holder-passkey-add"),
        failed: words("passkey-add-failed"),
    };
    let inside = html! {
        label for="label" { (say.t("passkey-label")) }
        input id="label" name="label" type="text" maxlength=(LABEL_MAX) required autocomplete="off";
    };
    Ok((new, inside))
}

fn list(visit: &Visit, passkeys: &[HolderPasskey], token: &str) -> Markup {
    let say = visit.say;
    html! {
        ul {
            @for key in passkeys {
                li {
                    (key.label) " " span class="quiet" { (parts::time(&visit.clock, key.added)) }
                    form method="post" action={ "/holder/" (token) "/passkeys/remove" } class="inline" {
                        input type="hidden" name="id" value=(key.credential.id);
                        button class="button" type="submit" aria-label=(say.with("passkey-remove-one", [("name", key.label.as_str().into())])) { (say.t("passkey-remove")) }
                    }
                }
            }
        }
    }
}

/// What the form of a new passkey sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Registered {
    label: String,
    #[serde(flatten)]
    registration: RegistrationText,
}

/// `POST /holder/{token}/passkeys`.
pub(crate) async fn add(
    State(state): State<Shared>,
    (visit, place): (Visit, Place),
    Path(token): Path<String>,
    Form(registered): Form<Registered>,
) -> Result<Response, Failure> {
    let (Some(desk), Some(confirmations), Some(party)) =
        (&state.web.holder, &state.web.confirmations, &state.web.relying_party)
    else {
        return Ok(holder::neutral(&visit));
    };
    let card = match desk.card_of_page(&token).await {
        Ok(card) => card,
        Err(closed) => return holder::shut(&visit, closed),
    };
    let held = !matches!(desk.held_until(&card).await, Ok(None));
    let wrong = match registered.registration.read() {
        _ if held => "holder-passkey-held",
        Err(_) => "passkey-add-refused",
        Ok(sent) => match confirmations.add_passkey((card, &token), party, &registered.label, &sent).await {
            Ok(()) => return Ok(Redirect::to(&format!("/holder/{token}")).into_response()),
            Err(NotEnrolled::Refused(_)) => "passkey-add-refused",
            Err(NotEnrolled::Enough) => "holder-passkey-enough",
            Err(NotEnrolled::Book(error)) => return Err(Failure::StoreAway(error.to_string())),
        },
    };
    let page = holder::show(&state, &visit, &place, &token, Some(wrong)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// Which passkey.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Which {
    id: String,
}

/// `POST /holder/{token}/passkeys/remove`.
pub(crate) async fn remove(
    State(state): State<Shared>,
    visit: Visit,
    Path(token): Path<String>,
    Form(which): Form<Which>,
) -> Result<Response, Failure> {
    let (Some(desk), Some(confirmations)) = (&state.web.holder, &state.web.confirmations) else {
        return Ok(holder::neutral(&visit));
    };
    let card = match desk.card_of_page(&token).await {
        Ok(card) => card,
        Err(closed) => return holder::shut(&visit, closed),
    };
    if let Ok(id) = which.id.parse() {
        let removed = confirmations.remove_passkey(card, &id).await;
        removed.map_err(|error| Failure::StoreAway(error.to_string()))?;
    }
    Ok(Redirect::to(&format!("/holder/{token}")).into_response())
}
