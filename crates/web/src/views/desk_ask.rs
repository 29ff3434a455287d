//! The forms of what a case asks for besides the unlock, and of the code that proves who calls.

use desk::{Action, Case, House, Status, WaitsOn};
use maud::{Markup, html};
use staff::Permission;

use super::desk_forms::back_field;
use crate::visit::Visit;

/// The longest reason, in characters.
const WHY_MAX: u32 = 500;

/// Sends the code to the number on file; once it is sent, takes what the caller reads out.
pub(super) fn code(visit: &Visit, how: &str, case: Option<&Case>, back: &str, about: &Markup) -> Markup {
    let say = visit.say;
    let sent = case.and_then(|case| case.code.as_ref()).filter(|code| visit.clock.now < code.until);
    let send = case.map_or_else(|| "/cases".to_owned(), |case| format!("/cases/{}/code", case.no));
    html! {
        @if let (Some(case), Some(code)) = (case, sent) {
            form class="row-form" method="post" action={ "/cases/" (case.no) "/check-code" } {
                (back_field(back))
                p role="status" { (say.with("code-sent-to", [("to", code.to.as_str().into()), ("until", visit.clock.full(code.until).into())])) }
                label class="grow" { span { (say.t("code-typed")) } input id="code-typed" name="code" inputmode="numeric" autocomplete="off" required maxlength="20"; }
                button id="code-check" class="button primary" { (say.t("code-check")) }
            }
        }
        form method="post" action=(send) {
            (back_field(back))
            (about)
            @if case.is_none() { input type="hidden" name="then" value="code"; }
            p { (how) }
            button id="code-send" class={ "button" @if sent.is_none() { " primary" } } { (say.t("code-send")) }
        }
    }
}

/// Asks for a reset, or for another number for messages.
pub(super) fn more(visit: &Visit, house: &House, case: &Case, back: &str) -> Markup {
    let may = |permission| visit.may(permission);
    if case.status == Status::Waiting(WaitsOn::SecondPerson)
        || !(may(Permission::ResetPin) || may(Permission::ChangeContact))
    {
        return html! {};
    }
    let say = visit.say;
    let level = case.level(house, visit.clock.now);
    let needs = |action| {
        let needed = house.identity.row(action).level;
        (level < needed).then(|| say.with("unlock-needs", [("level", needed.to_string().into())]))
    };
    html! {
        section class="card" aria-labelledby="ask-title" {
            h2 id="ask-title" { (say.t("ask-title")) }
            div class="deeds" {
                @if may(Permission::ResetPin) {
                    details class="deed" {
                        summary class="button" { (say.t("ask-reset")) }
                        form method="post" action={ "/cases/" (case.no) "/reset-pin" } {
                            (back_field(back))
                            p { (say.t("ask-reset-words")) }
                            @if let Some(needs) = needs(Action::ResetPin) { p { (needs) } }
                            (why(visit))
                            button class="button primary" { (say.t("ask-second")) span class="sr" { " " (say.t("ask-reset")) } }
                        }
                    }
                }
                @if may(Permission::ChangeContact) {
                    details class="deed" {
                        summary class="button" { (say.t("ask-contact")) }
                        form method="post" action={ "/cases/" (case.no) "/change-contact" } {
                            (back_field(back))
                            p { (say.t("ask-contact-words")) }
                            @if let Some(needs) = needs(Action::ChangeContact) { p { (needs) } }
                            (number(visit))
                            (why(visit))
                            button class="button primary" { (say.t("ask-second")) span class="sr" { " " (say.t("ask-contact")) } }
                        }
                    }
                }
            }
        }
    }
}

fn why(visit: &Visit) -> Markup {
    html! { label { span { (visit.say.t("why-label")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; } }
}

/// The fields of a new number.
pub(super) fn number(visit: &Visit) -> Markup {
    let say = visit.say;
    html! {
        label { span { (say.t("contact-number")) } input name="number" type="tel" required maxlength="24" autocomplete="off"; }
        label { span { (say.t("contact-language")) } select name="language" {
            option value="" { (say.t("contact-language-same")) }
            option value="zh" { (say.t("contact-language-zh")) }
            option value="en" { (say.t("contact-language-en")) }
        } }
    }
}
