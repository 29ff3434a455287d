//! The forms of the desk: each says what will come of it, and works without scripts. What they send is taken by
//! [`super::desk_deeds`]; `back` says to which page it returns. Whoever may not do something has no form for it.

use desk::{Case, FrozenStep, House, Outcome, Priority, ReplyFacts, Status, WaitsOn};
use handbook::Lang;
use maud::{Markup, html};
use staff::Permission;

use crate::visit::Visit;

/// The longest note and reason, in characters, as the desk has them.
const TEXT_MAX: u32 = 2000;
const WHY_MAX: u32 = 500;

pub(super) fn back_field(back: &str) -> Markup {
    html! { input type="hidden" name="back" value=(back); }
}

/// Opens a case from a page: `name` and `value` say about what.
pub(crate) fn open_case(visit: &Visit, name: &str, value: &str) -> Markup {
    if !visit.may(Permission::WorkCases) {
        return html! {};
    }
    let say = visit.say;
    html! {
        details class="deed" name="deed" {
            summary class="button" { (say.t("case-open")) }
            form method="post" action="/cases" {
                p { (say.t("case-open-words")) }
                input type="hidden" name=(name) value=(value);
                label { span { (say.t("case-summary")) } input name="summary" maxlength=(WHY_MAX) autocomplete="off"; }
                label { span { (say.t("case-caller")) } input name="caller" maxlength="80" autocomplete="off"; }
                button class="button primary" { (say.t("case-open")) }
            }
        }
    }
}

/// What it takes to do a step.
pub(crate) fn step(visit: &Visit, case: &Case, step: &FrozenStep, back: &str) -> Markup {
    if !visit.may(Permission::WorkCases) {
        return html! {};
    }
    let say = visit.say;
    html! {
        form class="row-form" method="post" action={ "/cases/" (case.no) "/step" } {
            (back_field(back))
            input type="hidden" name="step" value=(step.id);
            @if step.note {
                label class="grow" { span { (say.t("case-step-note")) } input name="text" required maxlength=(TEXT_MAX) autocomplete="off"; }
            }
            button class="button" { (say.t("case-step-do")) span class="sr" { " " (step.id) } }
        }
    }
}

/// How the caller proved who they are, one form for each method; the one that an unlock takes stands open.
/// `case` is there when one is open; `codes` says whether the program sends and looks at codes itself.
pub(crate) fn identity(
    visit: &Visit,
    house: &House,
    case: Option<&Case>,
    codes: bool,
    back: &str,
    about: Markup,
) -> Markup {
    if !visit.may(Permission::WorkCases) {
        return html! {};
    }
    let (say, lang) = (visit.say, visit.lang());
    let usual = house.identity.row(desk::Action::Unlock).usual.as_deref();
    let action = case.map_or_else(|| "/cases".to_owned(), |case| format!("/cases/{}/identity", case.no));
    html! {
        div class="deeds" {
            @for (name, method) in house.identity.methods() {
                @let first = usual == Some(name);
                details class="deed" open[first] {
                    summary class="button" { (method.level) " " (method.name(lang)) }
                    @if codes && name == desk::CODE_METHOD { (super::desk_ask::code(visit, method.how(lang), case, back, &about)) }
                    @else { form method="post" action=(action) {
                        (back_field(back))
                        (about)
                        input type="hidden" name="method" value=(name);
                        p { (method.how(lang)) }
                        @for question in &method.questions {
                            label class="check" { input type="checkbox" name={ "asked-" (question) } value="1" checked[method.questions.len() == 1]; " " (house.identity.question(question, lang)) }
                        }
                        @if let Some(hours) = method.unchanged_h {
                            label class="check" { input type="checkbox" name="unchanged" value=(hours); " " (say.with("identity-unchanged", [("hours", hours.into())])) }
                        }
                        div class="row-form" {
                            label { span { (say.t("identity-right")) } input name="right" type="number" min="0" max="8" value=(method.right) required; }
                            label { span { (say.t("identity-wrong")) } input name="wrong" type="number" min="0" max="8" value="0" required; }
                            button class="button primary" { (say.t("identity-record")) span class="sr" { " " (method.level) } }
                        }
                    } }
                }
            }
        }
    }
}

/// Asks for the unlock.
pub(crate) fn unlock(visit: &Visit, house: &House, case: &Case, back: &str) -> Markup {
    if !visit.may(Permission::UnlockCard) {
        return html! {};
    }
    let say = visit.say;
    let level = case.level(house, visit.clock.now);
    let needed = house.identity.row(desk::Action::Unlock).level;
    if case.status == Status::Waiting(WaitsOn::SecondPerson) {
        return html! {
            section class="card" aria-labelledby="unlock-title" {
                h2 id="unlock-title" { (say.t("unlock-title")) }
                p { (say.t("unlock-waits")) " " a href="/proposals" { (say.t("nav-proposals")) } }
            }
        };
    }
    html! {
        section class="card" aria-labelledby="unlock-title" {
            h2 id="unlock-title" { (say.t("unlock-title")) }
            p class="quiet" { (say.t("unlock-words")) }
            @if level < needed { p { (say.with("unlock-needs", [("level", needed.to_string().into())])) } }
            form class="row-form" method="post" action={ "/cases/" (case.no) "/unlock" } {
                (back_field(back))
                label class="grow" { span { (say.t("why-label")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off" value=(say.t("unlock-why")); }
                button id="unlock" class={ "button" @if level >= needed { " primary" } } { (say.t("unlock-ask")) }
            }
        }
    }
}

/// What may be said, in the language of the page and in the other one; what was said stops the response clock.
pub(crate) fn replies(visit: &Visit, house: &House, case: &Case, facts: &ReplyFacts, back: &str) -> Markup {
    if !visit.may(Permission::WorkCases) {
        return html! {};
    }
    let (say, lang) = (visit.say, visit.lang());
    let other = if lang == Lang::Zh { Lang::En } else { Lang::Zh };
    html! {
        section class="card" aria-labelledby="replies-title" {
            h2 id="replies-title" { (say.t("replies-title")) }
            div class="deeds" {
                @for (name, reply) in house.replies.names().filter_map(|name| Some((name, house.replies.get(name)?))) {
                    details class="deed" {
                        summary class="button" { (reply.title(lang)) }
                        form method="post" action={ "/cases/" (case.no) "/answer" } {
                            (back_field(back))
                            input type="hidden" name="reply" value=(name);
                            label { span { (say.t("replies-text")) } textarea name="text" rows="4" maxlength=(TEXT_MAX) required { (reply.text(lang, facts)) } }
                            p class="quiet" lang=(other.tag()) { (reply.text(other, facts)) }
                            button class="button primary" { (say.t("replies-said")) span class="sr" { " " (reply.title(lang)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Take it, note something, let it wait, go on, say how soon.
pub(crate) fn work(visit: &Visit, case: &Case, me: &str) -> Markup {
    if !visit.may(Permission::WorkCases) {
        return html! {};
    }
    let say = visit.say;
    let at = |deed: &str| format!("/cases/{}/{deed}", case.no);
    html! {
        section class="card" aria-labelledby="work-title" {
            h2 id="work-title" { (say.t("case-work")) }
            form class="row-form" method="post" action=(at("assign")) {
                label class="grow" { span { (say.t("col-assignee")) } input name="to" maxlength="80" autocomplete="off" value=(if case.assignee.is_none() { me } else { case.assignee.as_deref().unwrap_or_default() }); }
                button class="button" { (say.t("case-assign")) }
            }
            form class="row-form" method="post" action=(at("note")) {
                label class="grow" { span { (say.t("case-note")) } textarea name="text" rows="2" maxlength=(TEXT_MAX) required {} }
                button class="button" { (say.t("case-note-add")) }
            }
            @if matches!(case.status, Status::Waiting(_)) {
                form class="row-form" method="post" action=(at("resume")) {
                    label class="grow" { span { (say.t("why-label")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
                    button class="button" { (say.t("case-resume")) }
                }
            } @else {
                form class="row-form" method="post" action=(at("wait")) {
                    label { span { (say.t("case-wait-on")) } select name="on" { @for on in WaitsOn::ALL { option value=(on) { (say.t(&format!("case-waits-{on}"))) } } } }
                    label class="grow" { span { (say.t("why-label")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
                    button class="button" { (say.t("case-wait")) }
                }
            }
            form class="row-form" method="post" action=(at("priority")) {
                label { span { (say.t("col-priority")) } select name="priority" { @for p in Priority::ALL { option value=(p) selected[*p == case.opened.priority] { (say.t(&format!("case-priority-{p}"))) } } } }
                label class="grow" { span { (say.t("why-label")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
                button class="button" { (say.t("case-prioritise")) }
            }
        }
    }
}

/// Closes it; while gates are open it says which.
pub(crate) fn close(visit: &Visit, case: &Case) -> Markup {
    if !visit.may(Permission::WorkCases) {
        return html! {};
    }
    let say = visit.say;
    let steps = case.opened.playbook.steps.iter().zip(1..);
    let open = steps.filter(|(step, _)| case.open_gates().any(|gate| gate.id == step.id));
    let gates: Vec<String> = open.map(|(_, number): (_, usize)| number.to_string()).collect();
    html! {
        section class="card" aria-labelledby="close-title" {
            h2 id="close-title" { (say.t("case-close")) }
            @if !gates.is_empty() { p id="gates" { (say.with("case-gates-open", [("steps", gates.join(", ").into())])) } }
            form class="row-form" method="post" action={ "/cases/" (case.no) "/close" } {
                label { span { (say.t("col-outcome")) } select name="outcome" { @for o in Outcome::ALL { option value=(o) { (say.t(&format!("case-outcome-{o}"))) } } } }
                label class="grow" { span { (say.t("case-step-note")) } input name="text" required maxlength=(TEXT_MAX) autocomplete="off"; }
                button class="button" disabled[!gates.is_empty()] { (say.t("case-close")) }
            }
        }
    }
}

/// Opens it again.
pub(crate) fn reopen(visit: &Visit, case: &Case) -> Markup {
    if !visit.may(Permission::WorkCases) {
        return html! {};
    }
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="reopen-title" {
            h2 id="reopen-title" { (say.t("case-reopen")) }
            form class="row-form" method="post" action={ "/cases/" (case.no) "/reopen" } {
                label class="grow" { span { (say.t("why-label")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
                button class="button" { (say.t("case-reopen")) }
            }
        }
    }
}
