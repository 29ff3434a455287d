//! A page that could not be given: what happened, what it means, what to do, and the request's name for the log.

use maud::{Markup, html};

use super::layout::{Frame, Nav};
use crate::{
    error::{Failure, detail, title},
    visit::Visit,
};

/// The page of a failure.
pub(crate) fn page(failure: &Failure, visit: &Visit, id: &str) -> Markup {
    let say = visit.say;
    let status = failure.status().as_u16();
    let title = title(failure, visit);
    Frame::new(visit, Nav::Nowhere, &title).page(html! {
        section id="list" class={ "card verdict " (if status >= 500 { "sys" } else { "neutral" }) } {
            p class="bold" { (detail(failure, visit)) }
            @if status >= 500 { p { (say.t("error-no-effect")) } }
            p class="quiet" { (say.t("error-request")) " " span class="mono" { (id) } " \u{b7} " (status) }
            div class="buttons" {
                a class="button primary" href="/" { (say.t("error-to-overview")) }
                a class="button" href="/transactions" { (say.t("error-to-transactions")) }
            }
        }
    })
}
