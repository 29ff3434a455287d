//! The handbook of response codes.

use axum::extract::{Path, Query};
use handbook::{CodeEntry, Lang};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    layout::{Frame, Nav},
    parts::{self, fact},
};
use crate::{
    error::Failure,
    visit::{Visit, encode},
};

/// The query of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CodeFilter {
    find: String,
}

/// `GET /codes`.
pub(crate) async fn list(visit: Visit, Query(filter): Query<CodeFilter>) -> Result<Markup, Failure> {
    let say = visit.say;
    let title = say.t("codes-title");
    let found: Vec<&CodeEntry> =
        handbook::codes().iter().filter(|entry| matches(entry, &filter.find)).collect();
    let cols = [
        parts::col("col-code", "code"),
        parts::col("col-meaning", "grow"),
        parts::col("col-class", ""),
        parts::col("col-counter", "grow"),
        parts::col("col-action", "grow"),
    ];
    let rows: Vec<Vec<Markup>> = found.iter().map(|entry| row(visit.lang(), entry)).collect();
    Ok(Frame::new(&visit, Nav::Codes, &title).page(html! {
        p class="lead" { (say.t("codes-lead")) }
        form class="filters" action="/codes" method="get" hx-get="/codes" hx-trigger="input changed delay:200ms, submit" hx-target="#list" hx-select="#list" hx-swap="outerMorph" hx-replace-url="true" hx-sync="replace" {
            label class="field" { span { (say.t("filter-find-code")) }
                input name="find" type="search" value=(filter.find) size="24" maxlength="64" autocomplete="off" placeholder="75";
            }
            button class="button no-js" { (say.t("show")) }
        }
        section id="list" class="card" aria-label=(title) {
            @if rows.is_empty() { (parts::empty(&say.t("no-match"), &say.t("no-match-words"), None)) }
            @else { (parts::table(say, &title, &cols, &rows)) }
        }
    }))
}

/// Is the text anywhere in the entry, in either language?
fn matches(entry: &CodeEntry, find: &str) -> bool {
    let find = find.trim().to_lowercase();
    find.is_empty()
        || entry.code().to_lowercase().starts_with(&find)
        || [Lang::Zh, Lang::En].iter().any(|lang| {
            [entry.meaning(*lang), entry.action(*lang), entry.prompt(*lang)]
                .iter()
                .any(|t| t.to_lowercase().contains(&find))
        })
}

fn row(lang: Lang, entry: &CodeEntry) -> Vec<Markup> {
    vec![
        html! { a class={ "row chip mono " (entry.family().name()) } href={ "/codes/" (encode(entry.code())) } { (entry.code()) } },
        html! { (entry.meaning(lang)) },
        html! { @if let Some(class) = entry.class() { abbr title=(class.text(lang)) { (class.letter()) } } @else { span class="quiet" { "\u{2013}" } } },
        html! { (entry.counter_effect().text(lang)) },
        html! { (entry.action(lang)) },
    ]
}

/// `GET /codes/{code}`.
pub(crate) async fn page(visit: Visit, Path(code): Path<String>) -> Result<Markup, Failure> {
    let entry = handbook::code(&code).ok_or(Failure::NotFound)?;
    let (say, lang) = (visit.say, visit.lang());
    let title = format!("{} {}", entry.code(), entry.meaning(lang));
    Ok(Frame::new(&visit, Nav::Codes, &title).page(html! {
        section class={ "card verdict " (entry.family().name()) } aria-labelledby="explain-title" {
            h2 id="explain-title" { (say.t("code-explained")) }
            p class="bold" { (entry.explain(lang)) }
            @if let Some(note) = entry.note(lang) { p class="quiet" { (note) } }
        }
        section class="card" aria-labelledby="facts-title" {
            h2 id="facts-title" { (say.t("code-facts")) }
            dl class="facts" {
                (fact(&say.t("code-prompt"), html! { (entry.prompt(lang)) }))
                (fact(&say.t("col-action"), html! { (entry.action(lang)) }))
                (fact(&say.t("col-counter"), html! { (entry.counter_effect().text(lang)) }))
                (fact(&say.t("code-cause"), html! { (entry.cause().text(lang)) }))
                @if let Some(class) = entry.class() { (fact(&say.t("col-class"), html! { (class.letter()) " \u{b7} " (class.text(lang)) })) }
                (fact(&say.t("code-source"), html! { (entry.source().text(lang)) }))
            }
            p { a href={ "/transactions?code=" (encode(entry.code())) } { (say.with("code-transactions", [("code", entry.code().into())])) } }
        }
    }))
}
