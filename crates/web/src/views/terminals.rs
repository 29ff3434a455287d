//! Terminals: signed in since when, with which keys, in which batch?

use axum::extract::State;
use maud::{Markup, html};
use model::reason::Family;
use staff::Permission;
use store::archive::TerminalView;

use super::{
    layout::{Frame, Nav},
    parts, watched,
};
use crate::{
    error::Failure,
    insight::SuspicionView,
    router::Shared,
    service,
    visit::{Visit, encode},
};

/// `GET /terminals`.
pub(crate) async fn page(State(state): State<Shared>, visit: Visit) -> Result<Markup, Failure> {
    let terminals = service::terminals(&state).await?;
    let say = visit.say;
    let title = say.t("terminals-title");
    let cols = [
        parts::col("col-terminal", "mono"),
        parts::col("col-merchant", "grow"),
        parts::col("col-session", ""),
        parts::col("col-since", "mono num"),
        parts::col("col-keys", ""),
        parts::col("col-check-values", "mono"),
        parts::col("col-batch", "mono num"),
        parts::col("col-last-seen", "mono num"),
    ];
    let suspicions =
        if visit.may(Permission::ViewIncidents) { state.web.insight.suspicions().await? } else { Vec::new() };
    let rows: Vec<Vec<Markup>> = terminals.iter().map(|t| row(&visit, t, &suspicions)).collect();
    Ok(Frame::new(&visit, Nav::Terminals, &title).page(html! {
        section class="card" aria-label=(title) {
            @if rows.is_empty() {
                (parts::empty(&say.t("no-terminals"), &say.t("no-terminals-words"), Some("pinward demo")))
            } @else {
                (parts::table(say, &title, &cols, &rows))
                p class="quiet" { (say.t("check-values-words")) }
            }
        }
    }))
}

/// The key scheme, and where a migration to another stands.
fn keys(visit: &Visit, terminal: &TerminalView) -> Markup {
    let (say, keys) = (visit.say, &terminal.keys);
    let scheme = |scheme: model::KeyScheme| say.t(&format!("scheme-{scheme}"));
    html! {
        (scheme(keys.scheme))
        @if let (Some(plan), Some(stage)) = (&keys.plan, keys.stage) {
            " "
            span class="quiet" title=(plan) {
                @if let Some(next) = keys.next { "\u{2192} " (scheme(next)) ", " }
                (say.t(&format!("stage-{}", stage.name())))
            }
        }
    }
}

fn row(visit: &Visit, terminal: &TerminalView, suspicions: &[SuspicionView]) -> Vec<Markup> {
    let say = visit.say;
    let dash = || html! { span class="quiet" { "\u{2013}" } };
    let session = terminal.session.as_ref();
    vec![
        html! {
            a class="row" href={ "/transactions?terminal=" (encode(&terminal.id)) } { (terminal.id) }
            " " (open_case(visit, &terminal.id))
        },
        html! { (terminal.merchant_name) " " a class="quiet mono" href={ "/merchants/" (encode(&terminal.merchant)) } { (terminal.merchant) } },
        html! {
            (match (terminal.suspended, session) {
                (true, _) => parts::chip(Family::Bad, &say.t("terminal-suspended")),
                (false, Some(_)) => parts::chip(Family::Ok, &say.t("terminal-signed-in")),
                (false, None) => parts::chip(Family::Neutral, &say.t("terminal-signed-out")),
            })
            @if let Some(seen) = watched::of_terminal(suspicions, &terminal.id) { " " (watched_chip(visit, seen)) }
        },
        session.map_or_else(dash, |s| parts::time(&visit.clock, s.since)),
        keys(visit, terminal),
        session.map_or_else(dash, |s| html! { (s.check_values.join(" ")) }),
        html! { (format!("{:06}", terminal.batch)) },
        terminal.last_seen.map_or_else(dash, |at| parts::time(&visit.clock, at)),
    ]
}

/// Whoever answers callers opens a case from the caller's screen; whoever only works on terminals, here.
fn open_case(visit: &Visit, id: &str) -> Markup {
    if visit.may_open("/caller") {
        return html! { a href={ "/caller?q=" (encode(id)) } { (visit.say.t("case-short")) span class="sr" { " " (id) } } };
    }
    super::desk_forms::open_case(visit, "terminal", id)
}

/// What is wrong here, with its incident, or what may be.
fn watched_chip(visit: &Visit, seen: &SuspicionView) -> Markup {
    let cause = handbook::cause_text(seen.cause).name(visit.lang());
    match seen.incident {
        Some(id) => {
            html! { a class={ "chip " (super::cause::family(seen.cause).name()) } href={ "/incidents/" (id) } { (cause) } }
        }
        None => parts::chip(Family::Warn, &visit.say.with("terminal-watched", [("cause", cause.into())])),
    }
}
