//! Risk rules: which set is live and what it does, which others there are, lists and snoozes. [`super::rule_set`] is one
//! version, [`super::rule_edit`] the editor.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use maud::{Markup, html};
use model::{Timestamp, reason::Family};
use risk::{Mode, RuleSet, register::State as Stage};

use super::{
    layout::{Frame, Nav},
    parts::{self, col},
    rule_deeds::{self, After},
};
use crate::{
    error::Failure,
    format::grouped,
    router::Shared,
    rules::{Kept, Member, RuleHits},
    visit::{Visit, encode},
};

/// Members of a list that are shown.
const MEMBERS_SHOWN: usize = 20;

/// `GET /rules`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    Query(after): Query<After>,
) -> Result<Markup, Failure> {
    let kept = state.web.rules.kept().await?;
    let hits = state.web.rules.hits().await;
    let say = visit.say;
    let title = say.t("rules-title");
    let actions = html! { a class="button primary" href="/rules/edit" { (say.t("rules-new")) } };
    let frame = Frame { actions, ..Frame::new(&visit, Nav::Rules, &title) };
    Ok(frame.page(html! {
        (rule_deeds::done(&visit, &after))
        (live(&visit, &kept, hits.as_ref()))
        (versions(&visit, &kept))
        div class="columns" {
            (lists(&visit, &kept))
            (snoozes(&visit, &kept))
        }
    }))
}

fn live(visit: &Visit, kept: &Kept, hits: Option<&BTreeMap<String, RuleHits>>) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="live-title" {
            h2 id="live-title" { (say.t("rules-live")) }
            @match kept.live_set() {
                None => (parts::empty(&say.t("rules-none"), &say.t("rules-none-words"), None)),
                Some(set) => {
                    p {
                        a href={ "/rules/" (set.digest()) } { strong { (set.name()) } " " span class="mono" { (short(set.digest())) } }
                        @if let Some(before) = kept.before_live() {
                            " " span class="quiet" { (say.t("rules-before")) " " a class="mono" href={ "/rules/" (before) } { (short(before)) } }
                        }
                    }
                    (rules_table(visit, &set, kept, hits))
                    @if hits.is_none() { p class="quiet" { (say.t("rules-no-engine")) } }
                }
            }
        }
    }
}

/// The rules of a set, with what they did lately.
pub(crate) fn rules_table(
    visit: &Visit,
    set: &RuleSet,
    kept: &Kept,
    hits: Option<&BTreeMap<String, RuleHits>>,
) -> Markup {
    let say = visit.say;
    let cols = [
        col("col-rule", "grow"),
        col("col-rule-action", ""),
        col("col-mode", ""),
        col("col-owner", ""),
        col("col-hits", "num"),
        col("col-hits-shadow", "num"),
        col("col-errors", "num"),
    ];
    let is_live = kept.register.live() == Some(set.digest());
    let number = |n: Option<u64>| html! { @match n { Some(n) => (grouped(n)), None => span class="quiet" { "\u{2013}" } } };
    let rows: Vec<Vec<Markup>> = set
        .rules()
        .map(|rule| {
            let hits = hits.filter(|_| is_live).and_then(|hits| hits.get(&rule.id));
            let demoted = is_live && kept.register.demoted().contains(&rule.id);
            vec![
                html! {
                    details class="rule" { summary { (visit.lang().pick(&rule.name.zh, &rule.name.en)) " " span class="mono quiet" { (rule.id) } } pre { (rule.when.trim()) } }
                },
                html! { (say.t(action_key(rule.action))) @if let Some(reason) = rule.action.declines() { " " span class="chip mono bad" { (reason.code()) } } },
                html! { @if demoted { (parts::chip(Family::Bad, &say.t("rule-demoted"))) } @else { (mode_chip(visit, rule.mode)) } },
                html! { (rule.owner) },
                number(hits.map(|h| h.live)),
                html! {
                    (number(hits.map(|h| h.shadow)))
                    @if let Some(snoozed) = hits.map(|h| h.snoozed).filter(|n| *n > 0) { " " span class="quiet" { (say.with("rule-snoozed-times", [("count", snoozed.into())])) } }
                },
                html! {
                    (number(hits.map(|h| h.errors)))
                    @if let Some(why) = hits.and_then(|h| h.last_error.as_deref()) { " " span class="quiet" { (why) } }
                },
            ]
        })
        .collect();
    parts::table(say, set.name(), &cols, &rows)
}

fn mode_chip(visit: &Visit, mode: Mode) -> Markup {
    let (family, key) = match mode {
        Mode::Off => (Family::Neutral, "mode-off"),
        Mode::Shadow => (Family::Warn, "mode-shadow"),
        Mode::Live => (Family::Ok, "mode-live"),
    };
    parts::chip(family, &visit.say.t(key))
}

pub(crate) fn action_key(action: risk::Action) -> &'static str {
    match action {
        risk::Action::Alert => "action-alert",
        risk::Action::Review => "action-review",
        risk::Action::Approve => "action-approve",
        risk::Action::StepUp => "action-step-up",
        risk::Action::Decline(_) => "action-decline",
        risk::Action::BlockCard(_) => "action-block-card",
        risk::Action::BlockTerminal(_) => "action-block-terminal",
    }
}

/// The first characters of a version: enough to tell them apart.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..10).unwrap_or(digest)
}

/// Where a version stands.
pub(crate) fn stage_chip(visit: &Visit, stage: &Stage) -> Markup {
    let (family, key) = match stage {
        Stage::Draft => (Family::Neutral, "set-draft"),
        Stage::Shadow(_) => (Family::Warn, "set-shadow"),
        Stage::Requested { .. } => (Family::Lock, "set-requested"),
        Stage::Live(_) => (Family::Ok, "set-live"),
        Stage::Withdrawn => (Family::Neutral, "set-withdrawn"),
    };
    parts::chip(family, &visit.say.t(key))
}

fn versions(visit: &Visit, kept: &Kept) -> Markup {
    let say = visit.say;
    let title = say.t("rules-versions");
    let cols = [
        col("col-version", "mono"),
        col("col-name", "grow"),
        col("col-status", ""),
        col("col-author", ""),
        col("col-drafted", "mono num"),
    ];
    let mut versions: Vec<_> = kept.register.versions().collect();
    versions.sort_by_key(|(_, version)| std::cmp::Reverse(version.drafted));
    let rows: Vec<Vec<Markup>> = versions
        .iter()
        .map(|(digest, version)| {
            vec![
                html! { a class="row" href={ "/rules/" (digest) } { (short(digest)) } },
                html! { (kept.set(digest).map_or_else(String::new, |set| set.name().to_owned())) },
                stage_chip(visit, &version.state),
                html! { (version.author) },
                parts::time(&visit.clock, version.drafted),
            ]
        })
        .collect();
    html! {
        section class="card" aria-labelledby="versions-title" {
            h2 id="versions-title" { (title) }
            @if rows.is_empty() { (parts::empty(&say.t("rules-no-versions"), &say.t("rules-no-versions-words"), None)) }
            @else { (parts::table(say, &title, &cols, &rows)) }
        }
    }
}

fn lists(visit: &Visit, kept: &Kept) -> Markup {
    let say = visit.say;
    let live = kept.live_set();
    html! {
        section class="card" aria-labelledby="lists-title" {
            h2 id="lists-title" { (say.t("lists-title")) }
            @match live.as_ref().filter(|set| !set.lists().is_empty()) {
                None => p class="quiet" { (say.t("lists-none")) },
                Some(set) => {
                    @for (list, name) in set.lists() {
                        h3 { (visit.lang().pick(&name.zh, &name.en)) " " span class="mono" { (list) } }
                        (members(visit, kept.lists.get(list), |member| format!("/rules/members/lists/{list}/{}/end", encode(member))))
                    }
                    (rule_deeds::list_form(visit, set))
                }
            }
        }
    }
}

fn members(
    visit: &Visit,
    members: Option<&BTreeMap<String, Member>>,
    end: impl Fn(&str) -> String,
) -> Markup {
    let say = visit.say;
    let current = |about: &&Member| about.until.is_none_or(|until| until > visit.clock.now);
    let shown: Vec<_> = members.into_iter().flatten().filter(|(_, about)| current(about)).collect();
    html! {
        @if shown.is_empty() { p class="quiet" { (say.t("list-empty")) } }
        ul class="plain" {
            @for (member, about) in shown.iter().take(MEMBERS_SHOWN) {
                li { span class="mono" { (member) } " " (about_words(visit, about)) (rule_deeds::end_form(visit, &end(member))) }
            }
        }
        @if shown.len() > MEMBERS_SHOWN { p class="quiet" { (say.with("list-more", [("count", (shown.len() - MEMBERS_SHOWN).into())])) } }
    }
}

fn about_words(visit: &Visit, about: &Member) -> Markup {
    let until = about.until.filter(|until| *until < Timestamp(i64::MAX));
    html! {
        span class="quiet" {
            (about.by) @if !about.why.is_empty() { " \u{b7} " (about.why) }
            @if let Some(until) = until { " \u{b7} " (visit.say.with("until", [("at", visit.clock.full(until).into())])) }
        }
    }
}

fn snoozes(visit: &Visit, kept: &Kept) -> Markup {
    let say = visit.say;
    let current =
        kept.snoozes.iter().filter(|(_, about)| about.until.is_some_and(|until| until > visit.clock.now));
    let shown: Vec<_> = current.collect();
    html! {
        section class="card" aria-labelledby="snoozes-title" {
            h2 id="snoozes-title" { (say.t("snoozes-title")) }
            @if shown.is_empty() { p class="quiet" { (say.t("snoozes-none")) } }
            ul class="plain" {
                @for ((rule, member), about) in &shown {
                    li {
                        span class="mono" { (rule) " " (member) } " " (about_words(visit, about))
                        (rule_deeds::end_form(visit, &format!("/rules/members/snoozes/{rule}/{}/end", encode(member))))
                    }
                }
            }
            @if let Some(set) = kept.live_set() { (rule_deeds::snooze_form(visit, &set)) }
        }
    }
}
