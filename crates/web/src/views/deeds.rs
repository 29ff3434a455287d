//! What people do from a verdict or an incident: forms that say what will come of it, and the handlers behind them. A deed
//! is recorded under the actor's name, and afterwards the page says what was done.

use axum::{
    Form,
    extract::{Path, State},
    response::Redirect,
};
use diagnosis::cause::Origin;
use maud::{Markup, html};
use serde::Deserialize;
use staff::Permission;
use store::archive::TransactionRow;

use crate::{
    actor::Actor,
    error::Failure,
    insight::{AnswerKind, Deed, Handling, IncidentDetail, IncidentView},
    perform::{self, Action, Asked},
    router::Shared,
    visit::{Visit, encode},
};

/// The longest reason, in characters.
const WHY_MAX: usize = 500;
/// The longest name of an answer.
const NAME_MAX: usize = 80;
/// The longest name of whose an incident is.
const ASSIGNEE_MAX: usize = 64;

/// What was just done, in the address of the page that says so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    done: String,
    n: u32,
}

/// What was just done.
pub(crate) fn done(visit: &Visit, after: &After) -> Markup {
    let key = match after.done.as_str() {
        "restored" => "done-restored",
        "contradicted" => "done-contradicted",
        "handled" => "done-handled",
        "answered" => "done-answered",
        "assigned" => "done-assigned",
        "noted" => "done-noted",
        "suspended" => "done-suspended",
        "sign-in" => "done-sign-in",
        _ => return html! {},
    };
    html! { p class="notice ok" role="status" { (visit.say.with(key, [("count", after.n.into())])) } }
}

/// A form with one reason to give.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    why: String,
    cause: String,
    handling: String,
    kind: String,
    name: String,
    reviewer: String,
    /// Where to go back to: a reference or an incident.
    rrn: String,
    incident: String,
}

impl Typed {
    fn why(&self) -> Result<String, Failure> {
        text("why", &self.why, WHY_MAX)
    }

    /// Back to where it was asked for; only our own pages can be named.
    fn back(&self, done: &str, changed: u32) -> Redirect {
        let page = if self.rrn.is_empty() {
            format!("/incidents/{}", encode(&self.incident))
        } else {
            format!("/why/{}", encode(&self.rrn))
        };
        Redirect::to(&format!("{page}?done={done}&n={changed}"))
    }
}

fn text(name: &str, typed: &str, longest: usize) -> Result<String, Failure> {
    let typed = typed.trim();
    let long = typed.chars().count();
    if (1..=longest).contains(&long) {
        Ok(crate::format::mask_digits(typed, &[]))
    } else {
        Err(Failure::not_understood(name, &format!("1 to {longest} characters")))
    }
}

/// `POST /incidents/{incident}/restore`.
pub(crate) async fn restore(
    State(state): State<Shared>,
    actor: Actor,
    Path(incident): Path<u64>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    if actor.is_signed_in() {
        let asked = perform::ask(&state, &actor, Action::RestoreTries { incident }, &typed.why()?).await?;
        let Asked::Waits(proposal) = asked else { return Ok(typed.back("restored", 0)) };
        return Ok(Redirect::to(&format!("/proposals#{proposal}")));
    }
    let reviewer = text("reviewer", &typed.reviewer, NAME_MAX)?;
    if reviewer.eq_ignore_ascii_case(actor.name()) {
        return Err(Failure::not_understood("reviewer", "somebody else"));
    }
    let deed = Deed::RestoreTries { incident, reviewer, why: typed.why()? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(Typed { incident: incident.to_string(), ..typed }.back("restored", done.changed))
}

/// `POST /why/{rrn}/wrong`.
pub(crate) async fn contradict(
    State(state): State<Shared>,
    actor: Actor,
    Path(rrn): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let cause = match typed.cause.as_str() {
        "" => None,
        name => Some(name.parse().map_err(|_| Failure::not_understood("cause", "the name of a cause"))?),
    };
    let deed = Deed::Contradict { rrn: rrn.clone(), cause, why: typed.why()? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(Typed { rrn, ..typed }.back("contradicted", done.changed))
}

/// `POST /incidents/{incident}/handle`.
pub(crate) async fn handle(
    State(state): State<Shared>,
    actor: Actor,
    Path(incident): Path<u64>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let handling = Handling::ALL.into_iter().find(|h| h.name() == typed.handling);
    let handling =
        handling.ok_or_else(|| Failure::not_understood("handling", "open, acknowledged or closed"))?;
    let deed = Deed::Handle { incident, handling, note: typed.why()? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(Typed { incident: incident.to_string(), rrn: String::new(), ..typed }.back("handled", done.changed))
}

/// `POST /incidents/{incident}/answer`.
pub(crate) async fn answer(
    State(state): State<Shared>,
    actor: Actor,
    Path(incident): Path<u64>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let kind = AnswerKind::ALL.into_iter().find(|k| k.name() == typed.kind);
    let kind = kind.ok_or_else(|| Failure::not_understood("kind", "rule, firmware, training or other"))?;
    let deed = Deed::Answer { incident, kind, name: text("name", &typed.name, NAME_MAX)? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(Typed { incident: incident.to_string(), rrn: String::new(), ..typed }.back("answered", done.changed))
}

/// `POST /incidents/{incident}/assign`: to whom is `name`; to nobody when it is empty.
pub(crate) async fn assign(
    State(state): State<Shared>,
    actor: Actor,
    Path(incident): Path<u64>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let to = match typed.name.trim() {
        "" => None,
        name => Some(text("name", name, ASSIGNEE_MAX)?),
    };
    let done = perform::deed(&state, &actor, Deed::Assign { incident, to }).await?;
    Ok(Typed { incident: incident.to_string(), rrn: String::new(), ..typed }.back("assigned", done.changed))
}

/// `POST /incidents/{incident}/note`.
pub(crate) async fn note(
    State(state): State<Shared>,
    actor: Actor,
    Path(incident): Path<u64>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let deed = Deed::Note { incident, text: typed.why()? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(Typed { incident: incident.to_string(), rrn: String::new(), ..typed }.back("noted", done.changed))
}

/// `POST /terminals/{terminal}/suspend`.
pub(crate) async fn suspend(
    State(state): State<Shared>,
    actor: Actor,
    Path(terminal): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let deed = Deed::SuspendTerminal { terminal, why: typed.why()? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(typed.back("suspended", done.changed))
}

/// `POST /terminals/{terminal}/sign-in`.
pub(crate) async fn sign_in(
    State(state): State<Shared>,
    actor: Actor,
    Path(terminal): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let deed = Deed::ForceSignIn { terminal, why: typed.why()? };
    let done = perform::deed(&state, &actor, deed).await?;
    Ok(typed.back("sign-in", done.changed))
}

/// A button that opens what it will do, a place for the reason, and the button that does it.
struct Ask<'a> {
    action: String,
    /// What the button says.
    title: String,
    /// What will come of it.
    consequence: String,
    class: &'a str,
    /// Does it need the name of a second person?
    reviewed: bool,
    back: (&'a str, String),
}

fn ask(visit: &Visit, ask: &Ask<'_>) -> Markup {
    let say = visit.say;
    html! {
        details class={ "deed " (ask.class) } name="deed" {
            summary class="button" { (ask.title) }
            form method="post" action=(ask.action) {
                p { (ask.consequence) }
                input type="hidden" name=(ask.back.0) value=(ask.back.1);
                label { span { (say.t("deed-why")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
                @if ask.reviewed { label { span { (say.t("deed-reviewer")) } input name="reviewer" required maxlength=(NAME_MAX) autocomplete="off"; } }
                button class="button primary" { (ask.title) }
            }
        }
    }
}

/// What can be done about a refusal.
pub(crate) fn on_refusal(visit: &Visit, row: &TransactionRow, incident: Option<&IncidentDetail>) -> Markup {
    let back = ("rrn", row.rrn.clone());
    html! {
        div class="deeds" {
            @if let Some(i) = incident { (restore_form(visit, &i.view, back.clone())) }
            @if !row.terminal.is_empty() {
                (suspend_form(visit, &row.terminal, back.clone()))
                (sign_in_form(visit, &row.terminal, back.clone()))
            }
            (super::desk_forms::open_case(visit, "rrn", &row.rrn))
            a class="button" href={ "/why/" (encode(&row.rrn)) "/evidence.json" } download { (visit.say.t("deed-evidence")) }
        }
    }
}

/// What can be done about an incident.
pub(crate) fn on_incident(visit: &Visit, incident: &IncidentView) -> Markup {
    let back = ("incident", incident.id.to_string());
    html! {
        div class="deeds" {
            (restore_form(visit, incident, back.clone()))
            @if incident.scope.kind == "terminal" {
                (suspend_form(visit, &incident.scope.id, back.clone()))
                (sign_in_form(visit, &incident.scope.id, back))
            }
            (super::desk_forms::open_case(visit, "incident", &incident.id.to_string()))
        }
    }
}

fn restore_form(visit: &Visit, incident: &IncidentView, back: (&str, String)) -> Markup {
    let count = incident.to_restore;
    if count == 0 || incident.cause.origin() != Origin::Fault || !visit.may(Permission::RestoreTries) {
        return html! {};
    }
    let words = |key| visit.say.with(key, [("count", count.into())]).into_owned();
    ask(
        visit,
        &Ask {
            action: format!("/incidents/{}/restore", incident.id),
            title: words("deed-restore"),
            consequence: words("deed-restore-words"),
            class: "first",
            // Whoever signed in asks a second person, who decides on a page of their own.
            reviewed: !visit.signed_in(),
            back,
        },
    )
}

fn suspend_form(visit: &Visit, terminal: &str, back: (&str, String)) -> Markup {
    if !visit.may(Permission::SuspendTerminal) {
        return html! {};
    }
    let words = |key| visit.say.with(key, [("terminal", terminal.into())]).into_owned();
    let action = format!("/terminals/{}/suspend", encode(terminal));
    let (title, consequence) = (words("deed-suspend"), words("deed-suspend-words"));
    ask(visit, &Ask { action, title, consequence, class: "", reviewed: false, back })
}

fn sign_in_form(visit: &Visit, terminal: &str, back: (&str, String)) -> Markup {
    if !visit.may(Permission::ForceSignIn) {
        return html! {};
    }
    let words = |key| visit.say.with(key, [("terminal", terminal.into())]).into_owned();
    let action = format!("/terminals/{}/sign-in", encode(terminal));
    let (title, consequence) = (words("deed-sign-in"), words("deed-sign-in-words"));
    ask(visit, &Ask { action, title, consequence, class: "", reviewed: false, back })
}

/// "Wrong verdict".
pub(crate) fn contradict_form(visit: &Visit, rrn: &str) -> Markup {
    let say = visit.say;
    if !visit.may(Permission::JudgeVerdicts) {
        return html! { p class="quiet" { (say.t("deed-not-yours")) } };
    }
    html! {
        details class="deed" {
            summary class="button" { (say.t("deed-contradict")) }
            form method="post" action={ "/why/" (encode(rrn)) "/wrong" } {
                p { (say.t("deed-contradict-words")) }
                label { span { (say.t("deed-cause")) }
                    select name="cause" {
                        option value="" { (say.t("deed-cause-unknown")) }
                        @for text in handbook::cause_texts() { option value=(text.cause().name()) { (text.name(visit.lang())) } }
                    }
                }
                label { span { (say.t("deed-why")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
                button class="button primary" { (say.t("deed-contradict")) }
            }
        }
    }
}

/// Where an incident stands for people, whose it is, what is to be remembered; and how to move it on.
pub(crate) fn handle_forms(visit: &Visit, incident: &IncidentView) -> Markup {
    if !visit.may(Permission::HandleIncidents) {
        return html! {};
    }
    html! {
        (handle_form(visit, incident))
        (assign_form(visit, incident))
        (note_form(visit, incident))
    }
}

fn assign_form(visit: &Visit, incident: &IncidentView) -> Markup {
    let say = visit.say;
    let action = format!("/incidents/{}/assign", incident.id);
    html! {
        div class="row-form" {
            form class="row-form grow" method="post" action=(action) {
                label class="grow" { span { (say.t("incident-assignee")) }
                    input name="name" maxlength=(ASSIGNEE_MAX) value=(incident.assignee.as_deref().unwrap_or_default()) placeholder=(say.t("incident-nobody")) autocomplete="off";
                }
                button class="button" { (say.t("deed-assign")) }
            }
            @if let Some(me) = visit.name().filter(|me| incident.assignee.as_deref() != Some(me)) {
                form method="post" action=(action) {
                    input type="hidden" name="name" value=(me);
                    button class="button" { (say.t("deed-take")) }
                }
            }
        }
    }
}

fn note_form(visit: &Visit, incident: &IncidentView) -> Markup {
    let say = visit.say;
    html! {
        form class="row-form" method="post" action={ "/incidents/" (incident.id) "/note" } {
            label class="grow" { span { (say.t("deed-note")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
            button class="button" { (say.t("deed-note-add")) }
        }
    }
}

fn handle_form(visit: &Visit, incident: &IncidentView) -> Markup {
    let say = visit.say;
    html! {
        form class="row-form" method="post" action={ "/incidents/" (incident.id) "/handle" } {
            label { span { (say.t("incident-handling")) }
                select name="handling" {
                    @for handling in Handling::ALL {
                        option value=(handling.name()) selected[handling == incident.handling] { (say.t(super::cause::handling_key(handling))) }
                    }
                }
            }
            label class="grow" { span { (say.t("deed-why")) } input name="why" required maxlength=(WHY_MAX) autocomplete="off"; }
            button class="button" { (say.t("deed-handle")) }
        }
    }
}

/// What answered an incident.
pub(crate) fn answer_form(visit: &Visit, incident: &IncidentView) -> Markup {
    let say = visit.say;
    if !visit.may(Permission::HandleIncidents) {
        return html! {};
    }
    html! {
        form class="row-form" method="post" action={ "/incidents/" (incident.id) "/answer" } {
            label { span { (say.t("answer-kind")) }
                select name="kind" {
                    @for kind in AnswerKind::ALL { option value=(kind.name()) { (say.t(answer_key(kind))) } }
                }
            }
            label class="grow" { span { (say.t("answer-name")) } input name="name" required maxlength=(NAME_MAX) autocomplete="off"; }
            button class="button" { (say.t("deed-answer")) }
        }
    }
}

pub(crate) fn answer_key(kind: AnswerKind) -> &'static str {
    match kind {
        AnswerKind::Rule => "answer-rule",
        AnswerKind::Firmware => "answer-firmware",
        AnswerKind::Training => "answer-training",
        AnswerKind::Other => "answer-other",
    }
}
