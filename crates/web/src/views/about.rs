//! About this host: how it is, which version, what it is allowed to see.

use axum::extract::State;
use maud::{Markup, html};
use model::reason::Family;

use super::{
    layout::{Frame, Nav},
    parts::{self, fact},
};
use crate::{
    error::Failure,
    format::{duration_us, grouped},
    router::Shared,
    service,
    state::Check,
    visit::Visit,
};

/// `GET /about`.
pub(crate) async fn page(State(state): State<Shared>, visit: Visit) -> Result<Markup, Failure> {
    let say = visit.say;
    let checks = service::health(&state).await?;
    let progress = service::progress(&state).await?;
    let title = say.t("about-title");
    Ok(Frame::new(&visit, Nav::About, &title).page(html! {
        div class="columns" {
            section class="card" aria-labelledby="host-title" {
                h2 id="host-title" { (say.t("about-host")) }
                dl class="facts" {
                    (fact(&say.t("about-version"), html! { span class="mono" { (state.web.version) } }))
                    (fact(&say.t("about-mode"), html! { (say.t(if visit.sandbox { "about-mode-sandbox" } else { "about-mode-production" })) }))
                    (fact(&say.t("about-time"), parts::time_full(&visit.clock, visit.clock.now)))
                    (fact(&say.t("about-journal"), html! { (grouped(progress.journal)) }))
                    (fact(&say.t("about-filled"), html! { (grouped(progress.filled)) @if progress.filled < progress.journal { " " (say.with("about-behind", [("count", (progress.journal - progress.filled).into())])) } }))
                }
            }
            section class="card" aria-labelledby="hsm-title" {
                h2 id="hsm-title" { (say.t("about-hsm")) }
                p { (say.t("about-hsm-words")) }
                @if visit.sandbox { p { (say.t("sandbox-sentence")) } }
                p class="quiet" { (say.t("about-read-only")) }
            }
        }
        (health(&visit, &checks))
    }))
}

fn health(visit: &Visit, checks: &[Check]) -> Markup {
    let say = visit.say;
    let cols = [
        parts::col("col-check", "mono"),
        parts::col("col-health", ""),
        parts::col("col-detail", "grow"),
        parts::col("fact-took", "num"),
    ];
    let rows: Vec<Vec<Markup>> = checks
        .iter()
        .map(|c| {
            vec![
                html! { (c.name) },
                if c.ok {
                    parts::chip(Family::Ok, &say.t("health-ok"))
                } else {
                    parts::chip(Family::Sys, &say.t("health-bad"))
                },
                html! { (c.detail) },
                html! { (duration_us(c.took_us)) },
            ]
        })
        .collect();
    html! {
        section class="card" aria-labelledby="health-title" {
            h2 id="health-title" { (say.t("about-health")) }
            (parts::table(say, &say.t("about-health"), &cols, &rows))
            p class="quiet" { (say.t("about-probes")) " " @for path in ["/livez", "/readyz", "/healthz", "/metrics"] { a class="mono" href=(path) { (path) } " " } }
        }
    }
}
