//! Messages to cardholders: to whom (with stars), what for, and what became of them. What a message says is shown in a sandbox
//! only, where the numbers are made up: a code is for the holder's eyes, not for the desk's.

use axum::extract::State;
use maud::{Markup, html};
use model::reason::Family;
use sms::{Sent, Shown, Status};

use super::{
    layout::{Frame, Nav},
    parts::{self, col},
};
use crate::{error::Failure, router::Shared, state::Messages, visit::Visit};

/// Messages that are listed.
const SHOWN: usize = 200;

/// `GET /messages`.
pub(crate) async fn page(State(state): State<Shared>, visit: Visit) -> Result<Markup, Failure> {
    let say = visit.say;
    let title = say.t("messages-title");
    let (sent, outbox) = match &state.web.messages {
        Some(messages) => (messages.service.newest(SHOWN).await?, texts(&state, messages)),
        None => (Vec::new(), Vec::new()),
    };
    let gateway = state.web.messages.as_ref().map_or("outbox", |messages| messages.service.gateway());
    let words = match gateway {
        "outbox" => say.t("messages-words-outbox"),
        name => say.with("messages-words-gateway", [("gateway", name.into())]),
    };
    Ok(Frame::new(&visit, Nav::Messages, &title).page(html! {
        p class="quiet" { (words) }
        section class="card" aria-label=(say.t("messages-all")) {
            @if sent.is_empty() {
                (parts::empty(&say.t("messages-none"), &say.t("messages-none-words"), None))
            } @else {
                (table(&visit, &sent, &outbox))
            }
        }
    }))
}

fn texts(state: &Shared, messages: &Messages) -> Vec<Shown> {
    let readable = messages.outbox.as_ref().filter(|_| state.web.sandbox);
    readable.map(|outbox| outbox.newest(SHOWN)).unwrap_or_default()
}

fn table(visit: &Visit, sent: &[Sent], outbox: &[Shown]) -> Markup {
    let cols = [
        col("col-time", "mono time"),
        col("col-phone", "mono"),
        col("col-purpose", ""),
        col("messages-text", "grow"),
        col("col-became", ""),
    ];
    let rows: Vec<Vec<Markup>> = sent
        .iter()
        .map(|one| {
            let text = outbox.iter().find(|shown| shown.id == one.id);
            vec![
                parts::time(&visit.clock, one.at),
                html! { @match one.card {
                    Some(card) => { a href={ "/cards/" (card) } { (one.masked) } }
                    None => { (one.masked) }
                } },
                html! { (visit.say.t(&format!("message-{}", one.kind.name()))) },
                html! { @match text {
                    Some(shown) => { span lang=(tag(shown)) { (shown.text.as_str()) } }
                    None => { span class="quiet" { "\u{2013}" } }
                } },
                status(visit, &one.status),
            ]
        })
        .collect();
    parts::table(visit.say, &visit.say.t("messages-all"), &cols, &rows)
}

fn tag(shown: &Shown) -> &'static str {
    match shown.language {
        sms::Language::Zh => "zh-CN",
        sms::Language::En => "en",
    }
}

fn status(visit: &Visit, status: &Status) -> Markup {
    let family = match status {
        Status::Leaving => Family::Neutral,
        Status::Taken => Family::Sys,
        Status::Delivered => Family::Ok,
        Status::Undelivered(_) | Status::GivenUp(_) => Family::Warn,
    };
    let said = match status {
        Status::Undelivered(said) | Status::GivenUp(said) => said.as_str(),
        Status::Leaving | Status::Taken | Status::Delivered => "",
    };
    html! {
        (parts::chip(family, &visit.say.t(&format!("sms-{}", status.name()))))
        @if !said.is_empty() { " " span class="quiet" { (said) } }
    }
}
