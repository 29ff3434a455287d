//! A payment's slip on the screen: as it is printed, with the other paper, copy, language and form a click away.

use axum::extract::{Path, Query, State};
use maud::{Markup, PreEscaped, html};
use receipt::html::fragment;

use super::{
    layout::{Frame, Nav},
    parts,
};
use crate::{
    api::receipts::{ReceiptFilter, receipts},
    error::Failure,
    router::Shared,
    visit::{Visit, encode},
};

/// `GET /transactions/{rrn}/receipt`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Path(rrn): Path<String>,
    Query(mut filter): Query<ReceiptFilter>,
) -> Result<Markup, Failure> {
    if filter.lang.is_empty() {
        filter.lang = visit.lang().pick("zh", "en").to_owned();
    }
    let (wanted, _) = filter.check()?;
    let layout = receipts(&state).layout(&rrn, wanted).await?;
    let say = visit.say;
    let title = say.t("receipt-title");
    let frame = Frame {
        beside: html! { a class="mono" href=(parts::transaction_href(&rrn)) { "RRN " (rrn) } },
        ..Frame::new(&visit, Nav::Transactions, &title)
    };
    Ok(frame.page(html! {
        div class="columns" {
            section class="card" aria-labelledby="receipt-preview" {
                h2 id="receipt-preview" { (say.t("receipt-preview")) }
                // what is in a slip is escaped where it is laid out (receipt::html)
                (PreEscaped(fragment(&layout)))
            }
            section class="card" aria-labelledby="receipt-choices" {
                h2 id="receipt-choices" { (say.t("receipt-choices")) }
                dl class="facts" {
                    (choice(&visit, "receipt-paper", "paper", &filter.paper, &[("58", "58 mm".into()), ("80", "80 mm".into())]))
                    (choice(&visit, "receipt-copy", "copy", &filter.copy, &[
                        ("merchant", say.t("receipt-merchant").into_owned()),
                        ("cardholder", say.t("receipt-cardholder").into_owned()),
                    ]))
                    (choice(&visit, "receipt-mark", "reprint", &filter.reprint, &[
                        ("false", say.t("receipt-first").into_owned()),
                        ("true", say.t("receipt-again").into_owned()),
                    ]))
                }
                p { a class="button" href=(address(&rrn, &filter, "html")) { (say.t("receipt-print")) } }
                p class="quiet" {
                    @for form in ["png", "escpos", "text"] {
                        a href=(address(&rrn, &filter, form)) { (say.t(&format!("receipt-form-{form}"))) } " "
                    }
                }
            }
        }
    }))
}

/// The slip alone, in a form.
fn address(rrn: &str, filter: &ReceiptFilter, form: &str) -> String {
    let ReceiptFilter { paper, copy, lang, reprint, .. } = filter;
    let pairs =
        [("paper", paper.as_str()), ("copy", copy), ("lang", lang), ("reprint", reprint), ("form", form)];
    let query: Vec<String> =
        pairs.iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| format!("{n}={}", encode(v))).collect();
    format!("/api/v1/transactions/{}/receipt?{}", encode(rrn), query.join("&"))
}

/// Values of which one is chosen; the first is meant when none is.
fn choice(visit: &Visit, label: &str, name: &str, chosen: &str, values: &[(&str, String)]) -> Markup {
    let is_chosen = |at: usize, value: &str| value == chosen || (chosen.is_empty() && at == 0);
    html! {
        dt { (visit.say.t(label)) }
        dd {
            @for (at, (value, words)) in values.iter().enumerate() {
                @if is_chosen(at, value) { strong { (words) } " " }
                @else { a href=(visit.here_with(name, value)) { (words) } " " }
            }
        }
    }
}
