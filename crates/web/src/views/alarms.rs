//! Alarms: what somebody should look at and who does, what is held back, and who is told. What is done from here stands in
//! [`super::alarm_deeds`].

use alarm::{Alarm, Delivery, Desk, Severity, Silence, Standing, Target, Webhook};
use axum::extract::{Path, Query, State};
use handbook::Lang;
use maud::{Markup, html};
use model::{Timestamp, reason::Family};
use serde::Deserialize;
use staff::Permission;

use super::{
    alarm_deeds,
    layout::{Frame, Nav},
    parts::{self, col, fact},
};
use crate::{
    error::Failure,
    router::Shared,
    service,
    visit::{Visit, encode},
};

/// Alarms that are listed at most.
const ALARMS_SHOWN: usize = 200;
/// Silences that are listed at most.
const SILENCES_SHOWN: usize = 50;
/// Deliveries that are listed at most.
const DELIVERIES_SHOWN: usize = 100;

/// Which alarms.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    standing: String,
}

const FILTERS: [(&str, &str); 5] = [
    ("", "alarms-all"),
    ("open", "standing-open"),
    ("silenced", "standing-silenced"),
    ("acknowledged", "standing-acknowledged"),
    ("over", "standing-over"),
];

/// What is shown, out of the desk and off its lock.
struct Shown {
    alarms: Vec<(Alarm, Standing)>,
    silences: Vec<(Silence, bool)>,
    webhooks: Vec<Webhook>,
}

fn shown(desk: &Desk, now: Timestamp, standing: Option<Standing>) -> Shown {
    let standings = desk.alarms().map(|alarm| (alarm.clone(), desk.standing(alarm, now)));
    Shown {
        alarms: standings
            .filter(|(_, s)| standing.is_none_or(|wanted| wanted == *s))
            .take(ALARMS_SHOWN)
            .collect(),
        silences: desk.silences().take(SILENCES_SHOWN).map(|s| (s.clone(), s.is_live(now))).collect(),
        webhooks: desk.webhooks().cloned().collect(),
    }
}

/// `GET /alarms`.
pub(crate) async fn list(
    State(state): State<Shared>,
    visit: Visit,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let standing = service::standing(&filter.standing)?;
    let shown = state.web.alarms.look(|desk, now| shown(desk, now, standing));
    let say = visit.say;
    let title = say.t("alarms-title");
    Ok(Frame::new(&visit, Nav::Alarms, &title).page(html! {
        nav class="tabs" aria-label=(say.t("alarms-which")) {
            @for (name, key) in FILTERS {
                @let href = if name.is_empty() { "/alarms".to_owned() } else { format!("/alarms?standing={name}") };
                a class="choice" href=(href) aria-current=[(filter.standing == name).then_some("page")] { (say.t(key)) }
            }
        }
        (parts::live(&visit, html! {
            section class="card" aria-label=(title) {
                @if shown.alarms.is_empty() {
                    (parts::empty(&say.t("alarms-none"), &say.t("alarms-none-words"), None))
                } @else {
                    (alarm_table(&visit, &title, &shown.alarms))
                }
            }
        }))
        (silences(&visit, &shown.silences))
        (webhooks(&visit, &shown.webhooks))
    }))
}

/// A text of an alarm in the visitor's language.
fn text(visit: &Visit, text: &alarm::Text) -> String {
    match visit.lang() {
        Lang::Zh => text.zh.clone(),
        Lang::En => text.en.clone(),
    }
}

fn severity(visit: &Visit, severity: Severity) -> Markup {
    let family = match severity {
        Severity::Info => Family::Neutral,
        Severity::Warning => Family::Warn,
        Severity::Critical => Family::Bad,
    };
    parts::chip(family, &visit.say.t(&format!("severity-{}", severity.name())))
}

fn standing_chip(visit: &Visit, standing: Standing) -> Markup {
    let (family, key) = match standing {
        Standing::Open => (Family::Warn, "standing-open"),
        Standing::Silenced => (Family::Neutral, "standing-silenced"),
        Standing::Acknowledged => (Family::Sys, "standing-acknowledged"),
        Standing::Over => (Family::Ok, "standing-over"),
    };
    parts::chip(family, &visit.say.t(key))
}

fn alarm_table(visit: &Visit, caption: &str, alarms: &[(Alarm, Standing)]) -> Markup {
    let cols = [
        col("col-severity", ""),
        col("col-alarm", "grow"),
        col("col-object", ""),
        col("col-began", "mono num"),
        col("col-count", "num"),
        col("col-status", ""),
    ];
    let row = |(alarm, standing): &(Alarm, Standing)| {
        vec![
            severity(visit, alarm.severity),
            html! { a class="row" href={ "/alarms/" (alarm.id) } { (text(visit, &alarm.alert.title)) } },
            object(visit, alarm),
            parts::time(&visit.clock, alarm.raised),
            html! { (alarm.count) },
            html! {
                (standing_chip(visit, *standing))
                @if let Some(taken) = &alarm.acknowledged { " " span class="quiet" { (taken.by) } }
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = alarms.iter().map(row).collect();
    parts::table(visit.say, caption, &cols, &rows)
}

/// What an alarm is about, in words.
fn object(visit: &Visit, alarm: &Alarm) -> Markup {
    let scope = &alarm.alert.scope;
    let key = format!("scope-{}", scope.kind);
    html! {
        @if scope.kind == "card" {
            // Its number, masked, stands in the title; the id means nothing to people.
            a href={ "/cards/" (encode(&scope.id)) } { (visit.say.t("col-card")) }
        } @else if visit.say.has(&key) {
            (visit.say.with(&key, [("name", scope.id.as_str().into())]))
        } @else {
            (scope.kind) " " span class="mono" { (scope.id) }
        }
    }
}

/// Which alarms a silence holds back, in words.
fn matcher(visit: &Visit, silence: &Silence) -> Markup {
    let m = &silence.matcher;
    html! {
        @if let Some(kind) = &m.kind { span class="mono" { (kind) } " " }
        @if let Some(kind) = &m.scope_kind { (kind) " " }
        @if let Some(id) = &m.scope_id { span class="mono" { (id) } " " }
        @if let Some(most) = m.most { "\u{2264} " (severity(visit, most)) }
    }
}

fn silences(visit: &Visit, silences: &[(Silence, bool)]) -> Markup {
    let say = visit.say;
    let title = say.t("silences-title");
    let cols = [
        col("col-silenced", "grow"),
        col("col-until", "mono num"),
        col("col-by", ""),
        col("col-why", "grow"),
        col("col-status", ""),
    ];
    let rows: Vec<Vec<Markup>> = silences
        .iter()
        .map(|(silence, live)| {
            vec![
                matcher(visit, silence),
                parts::time(&visit.clock, silence.until),
                html! { (silence.by) },
                html! { (silence.why) },
                html! {
                    @if *live && visit.may(Permission::ManageAlarms) {
                        (alarm_deeds::press(visit, &format!("/alarms/silences/{}/lift", silence.id), "silence-lift"))
                    } @else {
                        (parts::chip(Family::Neutral, &say.t(if *live { "silence-runs" } else { "silence-ended" })))
                    }
                },
            ]
        })
        .collect();
    html! {
        section class="card" aria-labelledby="silences" {
            h2 id="silences" { (title) }
            p class="quiet" { (say.t("silences-words")) }
            @if !rows.is_empty() { (parts::table(say, &title, &cols, &rows)) }
            @if visit.may(Permission::ManageAlarms) { div class="deeds" { (alarm_deeds::silence_form(visit, None)) } }
        }
    }
}

/// How a webhook is.
fn webhook_state(visit: &Visit, webhook: &Webhook) -> Markup {
    let say = visit.say;
    html! {
        @if let Some(why) = &webhook.disabled {
            span title=(why) { (parts::chip(Family::Bad, &say.t("webhook-is-disabled"))) }
        } @else if let Some(since) = webhook.failing_since {
            (parts::chip(Family::Warn, &say.t("webhook-is-failing"))) " " (parts::time(&visit.clock, since))
        } @else {
            (parts::chip(Family::Ok, &say.t("webhook-is-well")))
        }
    }
}

/// Where a webhook goes. Path and query often are what its receiver knows it by, so only those who manage alarms see them.
fn address(visit: &Visit, webhook: &Webhook) -> Markup {
    html! {
        @if visit.may(Permission::ManageAlarms) {
            a class="row wrap" href={ "/alarms/webhooks/" (webhook.id) } { (webhook.url) }
        } @else {
            span class="wrap" { (webhook.origin()) "/\u{2026}" }
        }
    }
}

fn webhooks(visit: &Visit, webhooks: &[Webhook]) -> Markup {
    let say = visit.say;
    let title = say.t("webhooks-title");
    let cols = [
        col("col-address", "grow"),
        col("col-wants", ""),
        col("col-last-taken", "mono num"),
        col("col-status", ""),
    ];
    let rows: Vec<Vec<Markup>> = webhooks
        .iter()
        .map(|webhook| {
            vec![
                address(visit, webhook),
                html! {
                    "\u{2265} " (severity(visit, webhook.least))
                    @for kind in &webhook.kinds { " " span class="mono" { (kind) } }
                },
                html! { @if let Some(at) = webhook.last_taken { (parts::time(&visit.clock, at)) } @else { span class="quiet" { "\u{2013}" } } },
                webhook_state(visit, webhook),
            ]
        })
        .collect();
    html! {
        section class="card" aria-labelledby="webhooks" {
            h2 id="webhooks" { (title) }
            p class="quiet" { (say.t("webhooks-words")) }
            @if !rows.is_empty() { (parts::table(say, &title, &cols, &rows)) }
            @if visit.may(Permission::ManageAlarms) { div class="deeds" { (alarm_deeds::webhook_form(visit)) } }
        }
    }
}

/// `GET /alarms/{alarm}`.
pub(crate) async fn one(
    State(state): State<Shared>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let id: u32 = id.parse().map_err(|_| Failure::NotFound)?;
    let found = state.web.alarms.look(|desk, now| {
        let alarm = desk.alarm(id)?;
        Some((alarm.clone(), desk.standing(alarm, now), desk.silenced(alarm, now).cloned()))
    });
    let (alarm, standing, silence) = found.ok_or(Failure::NotFound)?;
    let say = visit.say;
    let title = text(&visit, &alarm.alert.title);
    let frame = Frame { beside: html! { "#" (alarm.id) }, ..Frame::new(&visit, Nav::Alarms, &title) };
    Ok(frame.page(html! {
        (parts::live(&visit, html! { section class="card" aria-label=(title) {
            p { (severity(&visit, alarm.severity)) " " (standing_chip(&visit, standing)) }
            p class="lead" { (text(&visit, &alarm.alert.body)) }
            dl class="facts" {
                (fact(&say.t("col-kind"), html! { span class="mono" { (alarm.alert.kind) } }))
                (fact(&say.t("col-object"), object(&visit, &alarm)))
                (fact(&say.t("col-began"), parts::time_full(&visit.clock, alarm.raised)))
                (fact(&say.t("alarm-last"), html! { (parts::time_full(&visit.clock, alarm.last)) " \u{b7} " (say.with("alarm-count", [("count", alarm.count.into())])) }))
                @if let Some(taken) = &alarm.acknowledged {
                    (fact(&say.t("standing-acknowledged"), html! { (taken.by) " \u{b7} " (parts::time_full(&visit.clock, taken.at)) @if !taken.note.is_empty() { p { (taken.note) } } }))
                }
                @if let Some(silence) = &silence {
                    (fact(&say.t("standing-silenced"), html! { (silence.by) ": " (silence.why) " \u{b7} " (parts::time_full(&visit.clock, silence.until)) }))
                }
                @if let Some((at, why)) = &alarm.over {
                    (fact(&say.t("standing-over"), html! { (why) " \u{b7} " (parts::time_full(&visit.clock, *at)) }))
                }
                @if let Some(link) = &alarm.alert.link { (fact(&say.t("alarm-more"), html! { a href=(link) { (link_words(&visit, link)) } })) }
            }
            div class="deeds" {
                @if visit.may(Permission::ManageAlarms) {
                    @if matches!(standing, Standing::Open | Standing::Silenced) { (alarm_deeds::acknowledge_form(&visit, alarm.id)) }
                    @if standing == Standing::Open { (alarm_deeds::silence_form(&visit, Some(&alarm))) }
                }
                (super::desk_forms::open_case(&visit, "alarm", &alarm.id.to_string()))
                a class="button" href="/alarms" { (say.t("alarms-all")) }
            }
        } }))
    }))
}

/// `GET /alarms/webhooks/{webhook}`.
pub(crate) async fn webhook(
    State(state): State<Shared>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    webhook_page(&state, &visit, &id, html! {})
}

/// A webhook with its deliveries; `above` is what was just done.
pub(crate) fn webhook_page(
    state: &Shared,
    visit: &Visit,
    id: &str,
    above: Markup,
) -> Result<Markup, Failure> {
    let found = state.web.alarms.look(|desk, now| {
        let webhook = desk.webhook(id)?.clone();
        let target = Target::Webhook(id.to_owned());
        let deliveries: Vec<Delivery> = desk.deliveries(&target).take(DELIVERIES_SHOWN).cloned().collect();
        let old = webhook.old_secret_until(now);
        Some((webhook, deliveries, old))
    });
    let (webhook, deliveries, old) = found.ok_or(Failure::NotFound)?;
    let say = visit.say;
    let title = say.t("webhook-title");
    let frame = Frame { beside: html! { (webhook.id) }, ..Frame::new(visit, Nav::Alarms, &title) };
    Ok(frame.page(html! {
        (above)
        section class="card" aria-label=(title) {
            dl class="facts" {
                (fact(&say.t("col-address"), html! { span class="mono wrap" { (webhook.url) } }))
                @if !webhook.description.is_empty() { (fact(&say.t("webhook-description"), html! { (webhook.description) })) }
                (fact(&say.t("col-status"), html! { (webhook_state(visit, &webhook)) @if let Some(why) = &webhook.disabled { " " (why) } }))
                (fact(&say.t("col-by"), html! { (webhook.by) " \u{b7} " (parts::time_full(&visit.clock, webhook.since)) }))
                @if let Some(until) = old { (fact(&say.t("webhook-old-secret"), parts::time_full(&visit.clock, until))) }
            }
            div class="deeds" { (alarm_deeds::on_webhook(visit, &webhook)) }
        }
        section class="card" aria-labelledby="deliveries" {
            h2 id="deliveries" { (say.t("deliveries-title")) }
            @if deliveries.is_empty() {
                (parts::empty(&say.t("deliveries-none"), &say.t("deliveries-none-words"), None))
            } @else {
                (delivery_table(visit, &deliveries))
            }
        }
    }))
}

fn delivery_table(visit: &Visit, deliveries: &[Delivery]) -> Markup {
    let say = visit.say;
    let cols = [
        col("col-time", "mono num"),
        col("col-event", "mono"),
        col("col-alarm", "num"),
        col("col-attempts", "num"),
        col("col-answer", "grow"),
        col("col-status", ""),
    ];
    let row = |delivery: &Delivery| {
        let last = delivery.attempts.last().map(|attempt| &attempt.outcome);
        let family = match delivery.state.name() {
            "delivered" => Family::Ok,
            "given-up" => Family::Bad,
            _ if last.is_some() => Family::Warn,
            _ => Family::Neutral,
        };
        vec![
            parts::time(&visit.clock, delivery.made),
            html! { (delivery.reason.event_type()) },
            html! { @if let Some(alarm) = delivery.alarm { a href={ "/alarms/" (alarm) } { (alarm) } } @else { span class="quiet" { "\u{2013}" } } },
            html! { (delivery.tried) },
            html! { @if let Some(last) = last { @if let Some(status) = last.status { span class="mono" { (status) } " " } (last.said) } },
            html! {
                (parts::chip(family, &say.t(&format!("delivery-{}", delivery.state.name()))))
                @if let Some(next) = delivery.next_at().filter(|_| delivery.tried > 0) { " " (parts::time(&visit.clock, next)) }
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = deliveries.iter().map(row).collect();
    parts::table(say, &say.t("deliveries-title"), &cols, &rows)
}

/// Where an alarm leads, in words if it is an incident.
fn link_words(visit: &Visit, link: &str) -> String {
    match link.strip_prefix("/incidents/") {
        Some(id) => format!(
            "{} {}",
            visit.say.t("incidents-title"),
            visit.say.with("incident-no", [("id", id.to_owned().into())])
        ),
        None => link.to_owned(),
    }
}
