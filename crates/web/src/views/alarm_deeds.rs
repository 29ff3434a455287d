//! What people do about alarms: forms that say what will come of it, and the handlers behind them. Everything is recorded under the
//! actor's name. A secret is shown on the page that follows, and never again.

use alarm::{Alarm, Matcher, Severity, Webhook};
use axum::{
    Form,
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use serde::Deserialize;

use super::alarms;
use crate::{actor::Actor, error::Failure, format::now, perform::noted, router::Shared, visit::Visit};

/// The longest text, in characters.
const WORDS_MAX: usize = 500;
const NAME_MAX: usize = 128;
/// The longest silence of the form, in hours: ninety days.
const HOURS_MAX: u32 = 90 * 24;

/// What a form may hold; each uses what it has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    note: String,
    why: String,
    kind: String,
    scope_kind: String,
    scope_id: String,
    most: String,
    hours: String,
    url: String,
    description: String,
    kinds: String,
    least: String,
}

fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn severity(field: &str, text: &str) -> Result<Option<Severity>, Failure> {
    let parse =
        |text: String| text.parse().map_err(|_| Failure::not_understood(field, "info, warning or critical"));
    given(text).map(parse).transpose()
}

/// `POST /alarms/{alarm}/acknowledge`.
pub(crate) async fn acknowledge(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let id: u32 = id.parse().map_err(|_| Failure::NotFound)?;
    let done = state.web.alarms.acknowledge(id, actor.name(), &typed.note).await;
    noted(&state, &actor, "alarm.acknowledge", ("alarm", &id.to_string(), &typed.note), done).await?;
    Ok(Redirect::to(&format!("/alarms/{id}")))
}

/// `POST /alarms/silences`.
pub(crate) async fn silence(
    State(state): State<Shared>,
    actor: Actor,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let hours = typed.hours.trim().parse::<u32>().ok().filter(|hours| (1..=HOURS_MAX).contains(hours));
    let hours = hours.ok_or_else(|| Failure::not_understood("hours", "a number from 1 to 2160"))?;
    let matcher = Matcher {
        kind: given(&typed.kind),
        scope_kind: given(&typed.scope_kind),
        scope_id: given(&typed.scope_id),
        most: severity("most", &typed.most)?,
    };
    let until = now().plus_s(i64::from(hours) * 3600);
    let done = state.web.alarms.silence(matcher, until, actor.name(), &typed.why).await;
    let id = done.as_ref().map_or_else(|_| String::new(), ToString::to_string);
    noted(&state, &actor, "alarm.silence", ("silence", &id, &typed.why), done).await?;
    Ok(Redirect::to("/alarms#silences"))
}

/// `POST /alarms/silences/{silence}/lift`.
pub(crate) async fn lift(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Redirect, Failure> {
    let id: u32 = id.parse().map_err(|_| Failure::NotFound)?;
    let done = state.web.alarms.lift(id, actor.name()).await;
    noted(&state, &actor, "alarm.lift-silence", ("silence", &id.to_string(), ""), done).await?;
    Ok(Redirect::to("/alarms#silences"))
}

/// `POST /alarms/webhooks`.
pub(crate) async fn subscribe(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Form(typed): Form<Typed>,
) -> Result<Markup, Failure> {
    let least = severity("least", &typed.least)?.unwrap_or_default();
    let kinds: Vec<String> =
        typed.kinds.split([',', ' ']).map(str::trim).filter(|k| !k.is_empty()).map(str::to_owned).collect();
    let done =
        state.web.alarms.subscribe(typed.url.trim(), &typed.description, &kinds, least, actor.name()).await;
    let id = done.as_ref().map_or_else(|_| String::new(), |(id, _)| id.clone());
    let about = ("webhook", id.as_str(), typed.description.as_str());
    let (id, secret) = noted(&state, &actor, "webhook.add", about, done).await?;
    alarms::webhook_page(&state, &visit, &id, told_once(&visit, &secret.reveal()))
}

/// `POST /alarms/webhooks/{webhook}/rotate`.
pub(crate) async fn rotate(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let done = state.web.alarms.rotate(&id, actor.name()).await;
    let (secret, _) = noted(&state, &actor, "webhook.rotate-secret", ("webhook", &id, ""), done).await?;
    alarms::webhook_page(&state, &visit, &id, told_once(&visit, &secret.reveal()))
}

/// `POST /alarms/webhooks/{webhook}/test`.
pub(crate) async fn test(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Redirect, Failure> {
    let done = state.web.alarms.test(&id).await;
    noted(&state, &actor, "webhook.test", ("webhook", &id, ""), done).await?;
    Ok(Redirect::to(&format!("/alarms/webhooks/{id}")))
}

/// `POST /alarms/webhooks/{webhook}/enable`.
pub(crate) async fn enable(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Redirect, Failure> {
    let done = state.web.alarms.enable(&id, actor.name()).await;
    noted(&state, &actor, "webhook.enable", ("webhook", &id, ""), done).await?;
    Ok(Redirect::to(&format!("/alarms/webhooks/{id}")))
}

/// `POST /alarms/webhooks/{webhook}/remove`.
pub(crate) async fn remove(
    State(state): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Redirect, Failure> {
    let done = state.web.alarms.remove(&id, actor.name()).await;
    noted(&state, &actor, "webhook.remove", ("webhook", &id, ""), done).await?;
    Ok(Redirect::to("/alarms#webhooks"))
}

fn told_once(visit: &Visit, secret: &str) -> Markup {
    html! {
        section class="notice ok" role="status" {
            p { (visit.say.t("webhook-secret-once")) }
            p { code { (secret) } }
        }
    }
}

/// A button that does it at once.
pub(crate) fn press(visit: &Visit, action: &str, key: &str) -> Markup {
    html! { form method="post" action=(action) { button class="button" { (visit.say.t(key)) } } }
}

/// A button that first says what will come of it.
fn ask(visit: &Visit, action: &str, title: &str, consequence: &str, fields: &Markup) -> Markup {
    let say = visit.say;
    html! {
        details class="deed" name="deed" {
            summary class="button" { (say.t(title)) }
            form method="post" action=(action) {
                p { (say.t(consequence)) }
                (fields)
                button class="button primary" { (say.t(title)) }
            }
        }
    }
}

fn field(visit: &Visit, name: &str, key: &str, value: &str, longest: usize, required: bool) -> Markup {
    html! {
        label { span { (visit.say.t(key)) }
            input name=(name) value=(value) maxlength=(longest) required[required] autocomplete="off" spellcheck="false";
        }
    }
}

fn severities(visit: &Visit, name: &str, key: &str, none: Option<&str>) -> Markup {
    let say = visit.say;
    html! {
        label { span { (say.t(key)) }
            select name=(name) {
                @if let Some(none) = none { option value="" { (say.t(none)) } }
                @for severity in Severity::ALL { option value=(severity.name()) { (say.t(&format!("severity-{}", severity.name()))) } }
            }
        }
    }
}

/// Somebody takes an alarm on.
pub(crate) fn acknowledge_form(visit: &Visit, alarm: u32) -> Markup {
    let fields = field(visit, "note", "alarm-note", "", WORDS_MAX, false);
    ask(
        visit,
        &format!("/alarms/{alarm}/acknowledge"),
        "alarm-acknowledge",
        "alarm-acknowledge-words",
        &fields,
    )
}

/// A silence, for one alarm or for what is typed in.
pub(crate) fn silence_form(visit: &Visit, alarm: Option<&Alarm>) -> Markup {
    let of = |pick: fn(&Alarm) -> &str| alarm.map_or("", pick);
    let fields = html! {
        (field(visit, "kind", "silence-kind", of(|a| &a.alert.kind), NAME_MAX, false))
        (field(visit, "scope_kind", "silence-scope-kind", of(|a| &a.alert.scope.kind), NAME_MAX, false))
        (field(visit, "scope_id", "silence-scope-id", of(|a| &a.alert.scope.id), NAME_MAX, false))
        (severities(visit, "most", "silence-most", Some("silence-most-any")))
        label { span { (visit.say.t("silence-hours")) } input type="number" name="hours" min="1" max=(HOURS_MAX) value="1" required; }
        (field(visit, "why", "silence-why", "", WORDS_MAX, true))
    };
    ask(visit, "/alarms/silences", "silence-make", "silence-make-words", &fields)
}

/// A new webhook.
pub(crate) fn webhook_form(visit: &Visit) -> Markup {
    let fields = html! {
        label { span { (visit.say.t("webhook-url")) }
            input type="url" name="url" required maxlength="1000" placeholder="https://" autocomplete="off" spellcheck="false";
        }
        (field(visit, "description", "webhook-description", "", WORDS_MAX, false))
        (field(visit, "kinds", "webhook-kinds", "", WORDS_MAX, false))
        (severities(visit, "least", "webhook-least", None))
    };
    ask(visit, "/alarms/webhooks", "webhook-make", "webhook-make-words", &fields)
}

/// What can be done about a webhook.
pub(crate) fn on_webhook(visit: &Visit, webhook: &Webhook) -> Markup {
    let path = |what: &str| format!("/alarms/webhooks/{}/{what}", webhook.id);
    html! {
        @if webhook.disabled.is_some() {
            (press(visit, &path("enable"), "webhook-enable"))
        } @else {
            (press(visit, &path("test"), "webhook-test"))
        }
        (ask(visit, &path("rotate"), "webhook-rotate", "webhook-rotate-words", &html! {}))
        (ask(visit, &path("remove"), "webhook-remove", "webhook-remove-words", &html! {}))
        a class="button" href="/alarms#webhooks" { (visit.say.t("webhooks-title")) }
    }
}
