//! What people do about rules: the forms, and the handlers behind them. Publishing takes two; taking back takes one, at once,
//! because it only makes rules act less.

use axum::{
    Form,
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use model::Timestamp;
use risk::{
    Change, RuleSet,
    register::{Refusal, State as Stage},
};
use serde::Deserialize;

use crate::{
    actor::Actor,
    error::Failure,
    format::now,
    perform::{self, Action, Asked},
    router::Shared,
    rules::{Kept, NotDone},
    visit::Visit,
};

/// The longest name, member or reason, in characters.
const TEXT_MAX: usize = 200;
/// Days of a backtest when none are given, and at most.
const DAYS: i64 = 30;

/// What was just done, in the address of the page that says so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    done: String,
}

/// What was just done.
pub(crate) fn done(visit: &Visit, after: &After) -> Markup {
    let key = match after.done.as_str() {
        "drafted" => "rules-done-drafted",
        "shadowed" => "rules-done-shadowed",
        "requested" => "rules-done-requested",
        "activated" => "rules-done-activated",
        "withdrawn" => "rules-done-withdrawn",
        "restored" => "rules-done-restored",
        "entered" => "rules-done-entered",
        "ended" => "rules-done-ended",
        _ => return html! {},
    };
    html! { p class="notice ok" role="status" { (visit.say.t(key)) } }
}

/// What was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    /// Who acts, where the sign-in does not say.
    by: String,
    rule: String,
    list: String,
    member: String,
    why: String,
    /// For how many hours.
    hours: String,
    days: String,
}

impl Typed {
    /// Whoever signed in is who they are; only somebody who did not may say a name, which is written down and not proven.
    fn by(&self, actor: &Actor) -> Result<String, Failure> {
        if actor.is_signed_in() || self.by.trim().is_empty() {
            Ok(actor.name().to_owned())
        } else {
            text("by", &self.by)
        }
    }

    fn until(&self, at: Timestamp) -> Result<Option<Timestamp>, Failure> {
        if self.hours.trim().is_empty() {
            return Ok(None);
        }
        let hours = self.hours.trim().parse::<i64>().ok().filter(|hours| (1..=8784).contains(hours));
        let hours = hours.ok_or_else(|| Failure::not_understood("hours", "1 to 8784 hours"))?;
        Ok(Some(at.plus_s(hours * 3600)))
    }
}

fn text(name: &str, typed: &str) -> Result<String, Failure> {
    let typed = typed.trim();
    if (1..=TEXT_MAX).contains(&typed.chars().count()) {
        Ok(crate::format::mask_digits(typed, &[]))
    } else {
        Err(Failure::not_understood(name, "1 to 200 characters"))
    }
}

/// Why the register says no, for people.
pub(crate) fn refusal_words(visit: &Visit, refusal: &Refusal) -> String {
    let say = visit.say;
    match refusal {
        Refusal::NotChecked(problems) => {
            say.with("rules-refused-not-checked", [("count", problems.len().into())]).into_owned()
        }
        Refusal::Known => say.t("rules-refused-known").into_owned(),
        Refusal::UnknownVersion => say.t("rules-refused-unknown-version").into_owned(),
        Refusal::WrongState { .. } => say.t("rules-refused-wrong-state").into_owned(),
        Refusal::SamePerson => say.t("rules-refused-same-person").into_owned(),
        Refusal::UnknownRule => say.t("rules-refused-unknown-rule").into_owned(),
        Refusal::NotDemoted => say.t("rules-refused-not-demoted").into_owned(),
        Refusal::UnknownList => say.t("rules-refused-unknown-list").into_owned(),
        Refusal::End => say.t("rules-refused-end").into_owned(),
        Refusal::Nobody => say.t("rules-refused-nobody").into_owned(),
        Refusal::TooMany => say.t("rules-refused-too-many").into_owned(),
    }
}

pub(crate) fn failure(visit: &Visit, not_done: NotDone) -> Failure {
    match not_done {
        NotDone::Refused(Refusal::UnknownVersion) => Failure::NotFound,
        NotDone::Refused(refusal) => Failure::Conflict(refusal_words(visit, &refusal)),
        NotDone::Store(error) => error.into(),
    }
}

async fn changed(
    state: &Shared,
    (visit, actor): (&Visit, &Actor),
    decide: impl FnMut(&Kept) -> Result<Change, Refusal> + Send,
    back: &str,
) -> Result<Redirect, Failure> {
    perform::about_rules(state, actor, now(), decide).await.map_err(|e| failure(visit, e))?;
    Ok(Redirect::to(back))
}

/// Where people sign in, whatever makes rules act more waits for a second person.
async fn proposed(state: &Shared, actor: &Actor, action: Action, typed: &Typed) -> Result<Redirect, Failure> {
    let why = if typed.why.trim().is_empty() { action.consequence() } else { text("why", &typed.why)? };
    match perform::ask(state, actor, action, &why).await? {
        Asked::Done(_) => Ok(Redirect::to("/rules")),
        Asked::Waits(proposal) => Ok(Redirect::to(&format!("/proposals#{proposal}"))),
    }
}

/// What is proposed: a set that is in shadow becomes the live one.
pub(crate) async fn publication(state: &Shared, digest: &str) -> Result<Action, Failure> {
    let kept = state.web.rules.kept().await?;
    let set = kept.set(digest).ok_or(Failure::NotFound)?;
    Ok(Action::PublishRules { digest: digest.to_owned(), name: set.name().to_owned() })
}

/// `POST /rules/{digest}/{step}`: one step on its way, or back.
pub(crate) async fn step(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path((digest, step)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let (at, by) = (now(), typed.by(&actor)?);
    let back = |done: &str| format!("/rules/{}?done={done}", crate::visit::encode(&digest));
    match step.as_str() {
        "shadow" => {
            changed(&state, (&visit, &actor), |k| k.register.shadow(&digest, &by, at), &back("shadowed"))
                .await
        }
        "request" if actor.is_signed_in() => {
            proposed(&state, &actor, publication(&state, &digest).await?, &typed).await
        }
        "request" => {
            changed(&state, (&visit, &actor), |k| k.register.request(&digest, &by, at), &back("requested"))
                .await
        }
        "withdraw" => {
            changed(&state, (&visit, &actor), |k| k.register.withdraw(&digest, &by, at), &back("withdrawn"))
                .await
        }
        "backtest" => {
            let days = if typed.days.is_empty() { Some(DAYS) } else { typed.days.parse().ok() };
            let days = days.filter(|days| (1..=366).contains(days));
            let days = days.ok_or_else(|| Failure::not_understood("days", "1 to 366 days"))?;
            let window = (at.plus_s(-days * 86_400), at);
            state.web.rules.backtest(&digest, window).await?.ok_or(Failure::NotFound)?;
            Ok(Redirect::to(&format!("/rules/{}#backtest-title", crate::visit::encode(&digest))))
        }
        _ => Err(Failure::NotFound),
    }
}

/// `POST /rules/{digest}/activate`: the second person agrees.
pub(crate) async fn activate(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(digest): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let (at, by) = (now(), typed.by(&actor)?);
    let back = format!("/rules/{}?done=activated", crate::visit::encode(&digest));
    changed(&state, (&visit, &actor), |k| k.register.activate(&digest, &by, at), &back).await
}

/// `POST /rules/restore`: puts a demoted rule back.
pub(crate) async fn restore(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    if actor.is_signed_in() {
        return proposed(&state, &actor, Action::RestoreRule { rule: typed.rule.clone() }, &typed).await;
    }
    let (at, second) = (now(), text("by", &typed.by)?);
    let decide = |k: &Kept| k.register.restore(&typed.rule, actor.name(), &second, at);
    changed(&state, (&visit, &actor), decide, "/rules?done=restored").await
}

/// `POST /rules/lists`: enters something in a list.
pub(crate) async fn enter(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let at = now();
    let (until, member, why) = (typed.until(at)?, text("member", &typed.member)?, text("why", &typed.why)?);
    let decide = |k: &Kept| k.register.list(&typed.list, &member, until, (actor.name(), &why), at);
    changed(&state, (&visit, &actor), decide, "/rules?done=entered").await
}

/// `POST /rules/snoozes`: lets a rule leave somebody in peace.
pub(crate) async fn snooze(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let at = now();
    let until = typed.until(at)?.ok_or_else(|| Failure::not_understood("hours", "1 to 744 hours"))?;
    let (member, why) = (text("member", &typed.member)?, text("why", &typed.why)?);
    let decide = |k: &Kept| k.register.snooze(&typed.rule, &member, until, (actor.name(), &why), at);
    changed(&state, (&visit, &actor), decide, "/rules?done=entered").await
}

/// `POST /rules/members/{kind}/{name}/{member}/end`: takes out of a list, or ends a snooze.
pub(crate) async fn end(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path((kind, name, member)): Path<(String, String, String)>,
) -> Result<Redirect, Failure> {
    let at = now();
    let by = actor.name().to_owned();
    let decide = |kept: &Kept| match kind.as_str() {
        "lists" if kept.lists.get(&name).is_some_and(|list| list.contains_key(&member)) => {
            Ok(Change::Unlisted { list: name.clone(), member: member.clone(), by: by.clone(), at })
        }
        "snoozes" if kept.snoozes.contains_key(&(name.clone(), member.clone())) => {
            Ok(Change::SnoozeEnded { rule: name.clone(), member: member.clone(), by: by.clone(), at })
        }
        _ => Err(Refusal::UnknownVersion),
    };
    changed(&state, (&visit, &actor), decide, "/rules?done=ended").await
}

/// A button that opens what it will do.
fn ask(visit: &Visit, action: &str, key: &str, words: &str, class: &str, fields: &Markup) -> Markup {
    let say = visit.say;
    html! {
        details class={ "deed " (class) } name="deed" {
            summary class="button" { (say.t(key)) }
            form method="post" action=(action) {
                p { (say.t(words)) }
                (fields)
                button class="button primary" { (say.t(key)) }
            }
        }
    }
}

fn field(visit: &Visit, name: &str, key: &str) -> Markup {
    html! { label { span { (visit.say.t(key)) } input name=(name) maxlength=(TEXT_MAX) autocomplete="off"; } }
}

/// What can be done with a version now.
pub(crate) fn next_steps(visit: &Visit, digest: &str, stage: &Stage, kept: &Kept) -> Markup {
    let to = |step: &str| format!("/rules/{digest}/{step}");
    let name = || field(visit, "by", "your-name");
    let none = html! {};
    html! {
        @match stage {
            Stage::Draft | Stage::Withdrawn => (ask(visit, &to("shadow"), "set-do-shadow", "set-do-shadow-words", "first", &none)),
            Stage::Shadow(_) => (ask(visit, &to("request"), "set-do-request", "set-do-request-words", "first", &html! { (name()) (field(visit, "why", "deed-why")) })),
            Stage::Requested { .. } => (ask(visit, &to("activate"), "set-do-activate", "set-do-activate-words", "first", &name())),
            Stage::Live(_) => {}
        }
        @if !matches!(stage, Stage::Withdrawn) {
            @let key = if matches!(stage, Stage::Live(_)) { "set-do-roll-back" } else { "set-do-withdraw" };
            @let words = if matches!(stage, Stage::Live(_)) { "set-do-roll-back-words" } else { "set-do-withdraw-words" };
            (ask(visit, &to("withdraw"), key, words, "", &none))
        }
        @if matches!(stage, Stage::Live(_)) {
            @for rule in kept.register.demoted() { (restore_form(visit, rule)) }
        }
    }
}

fn restore_form(visit: &Visit, rule: &str) -> Markup {
    let say = visit.say;
    html! {
        details class="deed" name="deed" {
            summary class="button" { (say.with("rule-restore", [("rule", rule.into())])) }
            form method="post" action="/rules/restore" {
                p { (say.t("rule-restore-words")) }
                input type="hidden" name="rule" value=(rule);
                (field(visit, "by", "deed-reviewer"))
                button class="button primary" { (say.with("rule-restore", [("rule", rule.into())])) }
            }
        }
    }
}

/// Tries a version on the past.
pub(crate) fn backtest_form(visit: &Visit, digest: &str) -> Markup {
    let say = visit.say;
    html! {
        form class="row-form" method="post" action={ "/rules/" (digest) "/backtest" } {
            label { span { (say.t("backtest-days")) } input name="days" type="number" min="1" max="366" value=(DAYS); }
            button class="button" { (say.t("backtest-run")) }
        }
    }
}

/// Enters something in a list.
pub(crate) fn list_form(visit: &Visit, set: &RuleSet) -> Markup {
    let say = visit.say;
    html! {
        form class="row-form" method="post" action="/rules/lists" {
            label { span { (say.t("list-name")) }
                select name="list" { @for (list, name) in set.lists() { option value=(list) { (visit.lang().pick(&name.zh, &name.en)) } } }
            }
            label class="grow" { span { (say.t("list-member")) } input name="member" required maxlength=(TEXT_MAX) autocomplete="off"; }
            label class="grow" { span { (say.t("deed-why")) } input name="why" required maxlength=(TEXT_MAX) autocomplete="off"; }
            label { span { (say.t("hours-or-none")) } input name="hours" type="number" min="1" max="8784"; }
            button class="button" { (say.t("list-enter")) }
        }
    }
}

/// Lets a rule leave somebody in peace.
pub(crate) fn snooze_form(visit: &Visit, set: &RuleSet) -> Markup {
    let say = visit.say;
    html! {
        form class="row-form" method="post" action="/rules/snoozes" {
            label { span { (say.t("col-rule")) }
                select name="rule" { @for rule in set.rules() { option value=(rule.id) { (rule.id) } } }
            }
            label class="grow" { span { (say.t("snooze-member")) } input name="member" required maxlength=(TEXT_MAX) autocomplete="off"; }
            label class="grow" { span { (say.t("deed-why")) } input name="why" required maxlength=(TEXT_MAX) autocomplete="off"; }
            label { span { (say.t("hours")) } input name="hours" type="number" min="1" max="744" required; }
            button class="button" { (say.t("snooze-begin")) }
        }
    }
}

/// Ends a membership or a snooze.
pub(crate) fn end_form(visit: &Visit, action: &str) -> Markup {
    html! { form class="inline" method="post" action=(action) { button class="button small" { (visit.say.t("end-now")) } } }
}
