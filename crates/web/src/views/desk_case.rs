//! One case: what is known, what is to be done, who calls, what happened so far.

use axum::extract::{Path, State};
use desk::{
    Action, Case, Evidence, EvidenceKind, Fact, House, Level, ReplyFacts, Status, playbook::StepAction,
};
use maud::{Markup, html};
use model::{Timestamp, reason::Family};

use super::{
    desk::{clock, priority, status},
    desk_ask, desk_forms as forms,
    layout::{Frame, Nav},
    parts::{self, fact},
};
use crate::{
    actor::Actor,
    cases,
    error::Failure,
    router::Shared,
    visit::{Visit, encode},
};

/// `GET /cases/{case}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(no): Path<String>,
) -> Result<Markup, Failure> {
    let no: u32 = no.parse().map_err(|_| Failure::NotFound)?;
    let house = state.web.cases.house();
    let case = state.web.cases.look(|desk, _| desk.case(no).cloned()).await?.map_err(Failure::from)?;
    if let Some(card) = &case.opened.subject.card {
        cases::seen(&state, &actor, card, Some(no)).await?;
    }
    let survey = state.web.cases.survey_token(no).await?;
    let codes = state.web.confirmations.is_some();
    let say = visit.say;
    let title = say.with("case-title", [("no", no.to_string().into())]);
    let frame = Frame {
        beside: html! { (priority(&visit, &case)) " " (status(&visit, &case)) },
        actions: super::transaction::copy_link(say),
        ..Frame::new(&visit, Nav::Cases, &title)
    };
    let facts = reply_facts(&visit, &case, survey.as_deref());
    Ok(frame.page(html! {
        @if case.is_closed() { (closed(&visit, &case, survey.as_deref())) }
        div class="columns two-one" {
            div {
                (subject(&visit, house, &case))
                (playbook(&visit, house, &case, "case"))
                (evidence(&visit, &case.opened.evidence))
                (history(&visit, house, &case))
            }
            div {
                (clocks(&visit, house, &case))
                @if !case.is_closed() && case.opened.subject.card.is_some() {
                    (identity(&visit, house, &case, codes, "case"))
                    (forms::unlock(&visit, house, &case, "case"))
                    (desk_ask::more(&visit, house, &case, "case"))
                }
                @if !case.is_closed() {
                    (forms::replies(&visit, house, &case, &facts, "case"))
                    (forms::work(&visit, &case, actor.name()))
                    (forms::close(&visit, &case))
                } @else {
                    (forms::reopen(&visit, &case))
                }
            }
        }
    }))
}

/// What a reply may say about this case.
pub(crate) fn reply_facts(visit: &Visit, case: &Case, survey: Option<&str>) -> ReplyFacts {
    let subject = &case.opened.subject;
    let locked = case.opened.evidence.iter().find(|piece| piece.kind == EvidenceKind::Card);
    let until = locked.and_then(|piece| piece.summary.get("locked-until"));
    let until =
        until.and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(|t| Timestamp(t.as_millisecond()));
    ReplyFacts {
        case: Some(case.no),
        tail: subject.pan.as_ref().map(|pan| pan.last_four().to_owned()),
        terminal: subject.terminal.clone(),
        merchant: Some(subject.merchant_name.clone()).filter(|name| !name.is_empty()),
        code: subject.code.clone(),
        locked_until: until.filter(|until| *until > visit.clock.now).map(|until| visit.clock.full(until)),
        link: survey.map(|token| format!("/survey/{}", encode(token))),
        minutes: None,
    }
}

fn subject(visit: &Visit, house: &House, case: &Case) -> Markup {
    let say = visit.say;
    let (s, lang) = (&case.opened.subject, visit.lang());
    let plan = case.plan(house);
    html! {
        section class="card" aria-labelledby="about-title" {
            h2 id="about-title" { (say.t("col-about")) }
            p class="bold" { (case.opened.summary) }
            p { (plan.advice(lang)) }
            dl class="facts" {
                @if let Some(cause) = s.cause { (fact(&say.t("col-cause"), html! { (super::cause::chip(visit, cause)) })) }
                @if let Some(code) = &s.code { (fact(&say.t("col-code"), html! { a href={ "/codes/" (encode(code)) } { (code) @if let Some(entry) = handbook::code(code) { " " (entry.meaning(lang)) } } })) }
                @if let (Some(card), Some(pan)) = (&s.card, &s.pan) {
                    (fact(&say.t("col-card"), html! {
                        a href={ "/cards/" (card) } { (pan) }
                        @if visit.may_open("/caller") { " \u{b7} " a href={ "/caller?card=" (card) } { (say.t("caller-title")) } }
                    }))
                }
                @if let Some(rrn) = &s.rrn { (fact("RRN", html! { a href=(parts::why_href(rrn)) { (rrn) } })) }
                @if let Some(terminal) = &s.terminal { (fact(&say.t("col-terminal"), html! { a href={ "/transactions?terminal=" (encode(terminal)) } { (terminal) } })) }
                @if s.merchant.is_some() || !s.merchant_name.is_empty() {
                    (fact(&say.t("col-merchant"), html! { (s.merchant_name) @if let Some(no) = &s.merchant { " " span class="quiet mono" { (no) } } }))
                }
                @if let Some(id) = s.incident { (fact(&say.t("case-incident"), html! { a href={ "/incidents/" (id) } { (id) } })) }
                @if let Some(id) = s.alarm { (fact(&say.t("col-alarm"), html! { a href={ "/alarms/" (id) } { (id) } })) }
                @if !case.opened.caller.is_empty() { (fact(&say.t("case-caller"), html! { (case.opened.caller) })) }
                (fact(&say.t("col-source"), html! { (say.t(&format!("case-source-{}", case.opened.source))) " \u{b7} " (case.by) " \u{b7} " (parts::time(&visit.clock, case.at)) }))
                (fact(&say.t("col-assignee"), html! { @if let Some(who) = &case.assignee { (who) } @else { (say.t("case-nobody")) } }))
            }
        }
    }
}

/// Both clocks, and what they were promised to.
pub(crate) fn clocks(visit: &Visit, house: &House, case: &Case) -> Markup {
    let say = visit.say;
    let [response, resolve] = case.clocks(house, visit.clock.now);
    html! {
        section class="card" aria-labelledby="clocks-title" {
            h2 id="clocks-title" { (say.t("clocks-title")) }
            dl class="facts" {
                (fact(&say.t("clock-response"), clock(visit, &response)))
                (fact(&say.t("clock-resolve"), clock(visit, &resolve)))
                (fact(&say.t("case-plan"), html! { (case.plan(house).name(visit.lang())) }))
            }
        }
    }
}

/// The steps of the playbook, those that are gates marked, each with what it takes to do it.
pub(crate) fn playbook(visit: &Visit, house: &House, case: &Case, back: &str) -> Markup {
    let say = visit.say;
    let frozen = &case.opened.playbook;
    let book = house.playbooks.get(&frozen.name);
    let title = book.map_or(frozen.name.as_str(), |book| book.title(visit.lang()));
    html! {
        section class="card" aria-labelledby="steps-title" {
            h2 id="steps-title" { (say.t("playbook")) " \u{b7} " (title) " " small class="quiet" { (say.with("playbook-version", [("version", frozen.version.into())])) } }
            ol class="steps" {
                @for step in &frozen.steps {
                    @let words = book.and_then(|book| book.words(&step.id, &case.opened.subject, visit.lang()));
                    li class=[case.done.contains_key(&step.id).then_some("done")] {
                        p {
                            (words.unwrap_or_else(|| step.id.clone())) " "
                            @if step.gate { (parts::chip(Family::Warn, &say.t("case-step-gate"))) " " }
                            @if step.level > Level::L0 { (parts::chip(Family::Lock, &step.level.to_string())) }
                        }
                        @match case.done.get(&step.id) {
                            Some(done) => p class="quiet" { (parts::chip(Family::Ok, &say.t("case-step-done"))) " " (done.by) " \u{b7} " (parts::time(&visit.clock, done.at)) @if !done.note.is_empty() { " \u{b7} " (done.note) } },
                            None if !case.is_closed() => (forms::step(visit, case, step, back)),
                            None => {},
                        }
                        @if let (Some(action), false) = (step.action, case.is_closed()) { (action_link(visit, case, action)) }
                    }
                }
            }
        }
    }
}

/// Where what a step asks for is asked for.
fn action_link(visit: &Visit, case: &Case, action: StepAction) -> Markup {
    let s = &case.opened.subject;
    let (href, key) = match action {
        StepAction::Unlock => return html! {},
        StepAction::RestoreTries => {
            let Some(incident) = s.incident else { return html! {} };
            (format!("/incidents/{incident}"), "case-step-restore")
        }
        StepAction::Suspend | StepAction::SignIn => {
            let Some(rrn) = &s.rrn else { return html! {} };
            (parts::why_href(rrn), "case-step-terminal")
        }
    };
    html! { p { a href=(href) { (visit.say.t(key)) } } }
}

/// How far the caller proved who they are, and how it is recorded.
pub(crate) fn identity(visit: &Visit, house: &House, case: &Case, codes: bool, back: &str) -> Markup {
    let say = visit.say;
    let level = case.level(house, visit.clock.now);
    html! {
        section class="card" aria-labelledby="identity-title" {
            div class="line" { h2 id="identity-title" { (say.t("identity-title")) } (level_chip(level)) }
            (matrix(visit, house, level))
            @for (at, proof) in case.proofs.iter().rev().take(5) {
                p class="quiet" {
                    (parts::time(&visit.clock, *at)) " " (level_chip(house.identity.level_of(proof))) " "
                    (method_name(visit, house, &proof.method)) ": "
                    (proof.asked.iter().map(|q| house.identity.question(q, visit.lang())).collect::<Vec<_>>().join(", ")) " \u{b7} "
                    (say.with("identity-answers", [("right", proof.right.into()), ("wrong", proof.wrong.into())]))
                }
            }
            (forms::identity(visit, house, Some(case), codes, back, html! {}))
        }
    }
}

pub(crate) fn level_chip(level: Level) -> Markup {
    let family = match level {
        Level::L0 => Family::Neutral,
        Level::L1 => Family::Warn,
        Level::L2 | Level::L3 => Family::Ok,
    };
    parts::chip(family, &level.to_string())
}

fn method_name<'h>(visit: &Visit, house: &'h House, name: &'h str) -> &'h str {
    let methods = house.identity.methods();
    methods.into_iter().find(|(n, _)| *n == name).map_or(name, |(_, method)| method.name(visit.lang()))
}

/// What is open at this level.
pub(crate) fn matrix(visit: &Visit, house: &House, level: Level) -> Markup {
    html! {
        p {
            @for action in Action::ALL {
                @let row = house.identity.row(action);
                @let family = if level >= row.level { Family::Ok } else { Family::Neutral };
                (parts::chip(family, &format!("{} {}", row.name(visit.lang()), row.level))) " "
            }
        }
    }
}

fn evidence(visit: &Visit, evidence: &[Evidence]) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="evidence-title" {
            h2 id="evidence-title" { (say.t("case-evidence")) }
            @if evidence.is_empty() { p class="quiet" { (say.t("case-evidence-none")) } }
            @for piece in evidence {
                details class="piece" {
                    summary {
                        (say.t(&format!("case-evidence-{}", piece.kind.name()))) " "
                        span class="mono" { (piece.summary.get("pan").filter(|_| piece.kind == EvidenceKind::Card).unwrap_or(&piece.id)) } " "
                        @if piece.at.0 > 0 { span class="quiet" { (parts::time(&visit.clock, piece.at)) } " " }
                        @if let Some(code) = piece.summary.get("code") { span class="chip mono" { (code) } " " }
                        @if let Some(verdict) = piece.summary.get("verdict") { span class="quiet" { (line_value(visit, "verdict", verdict)) } }
                    }
                    dl class="facts" {
                        @for (name, value) in &piece.summary { (fact(&line_name(visit, name), html! { (line_value(visit, name, value)) })) }
                        @if let Some(href) = evidence_href(piece) { (fact(&say.t("alarm-more"), html! { a href=(href) { (href) } })) }
                    }
                }
            }
        }
    }
}

fn line_name(visit: &Visit, name: &str) -> String {
    let key = format!("case-line-{name}");
    visit.say.maybe(&key).map_or_else(|| name.to_owned(), std::borrow::Cow::into_owned)
}

/// What was kept by name, in words where there are some: a cause, and how sure it was.
fn line_value(visit: &Visit, name: &str, value: &str) -> String {
    let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
    match first.parse().ok().filter(|_| matches!(name, "verdict" | "cause")) {
        Some(cause) => format!("{} {rest}", handbook::cause_text(cause).name(visit.lang())),
        None => value.to_owned(),
    }
}

fn evidence_href(piece: &Evidence) -> Option<String> {
    let id = encode(&piece.id);
    match piece.kind {
        EvidenceKind::Transaction => Some(format!("/transactions/{id}")),
        EvidenceKind::Verdict => Some(format!("/why/{id}")),
        EvidenceKind::Incident => Some(format!("/incidents/{id}")),
        EvidenceKind::Alarm => Some(format!("/alarms/{id}")),
        EvidenceKind::Card => Some(format!("/cards/{id}")),
        EvidenceKind::Terminal => Some(format!("/transactions?terminal={id}")),
    }
}

/// Everything that happened, newest first.
fn history(visit: &Visit, house: &House, case: &Case) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="history-title" {
            h2 id="history-title" { (say.t("case-history")) }
            ol class="plain history" {
                @for (at, fact) in case.history.iter().rev() {
                    li { (parts::time(&visit.clock, *at)) " " strong { (say.t(&format!("case-fact-{}", fact.kind()))) } " " (told(visit, house, fact)) }
                }
            }
        }
    }
}

/// What a fact says besides its kind.
fn told(visit: &Visit, house: &House, fact: &Fact) -> Markup {
    let say = visit.say;
    let (who, words) = match fact {
        Fact::Opened { by, .. } => (by.as_str(), String::new()),
        Fact::Assigned { to, by, .. } => {
            (by.as_str(), to.clone().unwrap_or_else(|| say.t("case-nobody").into_owned()))
        }
        Fact::Prioritised { priority, why, by, .. } => {
            (by.as_str(), format!("{}: {why}", say.t(&format!("case-priority-{priority}"))))
        }
        Fact::Noted { text, by, .. } | Fact::Answered { text, by, .. } => (by.as_str(), text.clone()),
        Fact::Attached { evidence, by, .. } => (by.as_str(), evidence.id.clone()),
        Fact::Waits { on, why, by, .. } => {
            (by.as_str(), format!("{}: {why}", say.t(&format!("case-waits-{on}"))))
        }
        Fact::Resumed { why, by, .. } | Fact::Reopened { why, by, .. } => (by.as_str(), why.clone()),
        Fact::StepDone { step, note, by, .. } => (by.as_str(), format!("{step} {note}")),
        Fact::Proved { proof, by, .. } => (
            by.as_str(),
            format!("{} {}", house.identity.level_of(proof), method_name(visit, house, &proof.method)),
        ),
        Fact::CodeSent { code, by, .. } => (by.as_str(), code.to.clone()),
        Fact::Asked { action, by, .. } => {
            (by.as_str(), house.identity.row(*action).name(visit.lang()).to_owned())
        }
        Fact::Escalated { clock, at_percent, to, .. } => (
            to.as_str(),
            format!(
                "{} {at_percent}%",
                say.t(if *clock == desk::ClockKind::Response { "clock-response" } else { "clock-resolve" })
            ),
        ),
        Fact::Closed { closing, by, .. } => (
            by.as_str(),
            format!("{}: {}", say.t(&format!("case-outcome-{}", closing.outcome())), closing.words()),
        ),
        Fact::Rated { score, words, .. } => ("", format!("{score} / 5 {words}")),
    };
    html! { @if !who.is_empty() { span class="quiet" { (who) } " " } span class="wrap" { (words) } }
}

/// How it ended, and the link of the question.
fn closed(visit: &Visit, case: &Case, survey: Option<&str>) -> Markup {
    let say = visit.say;
    let Some(closed) = &case.closed else { return html! {} };
    html! {
        section class="card" aria-labelledby="closed-title" {
            h2 id="closed-title" { (say.t(&format!("case-outcome-{}", closed.closing.outcome()))) }
            p { (closed.closing.words()) }
            p class="quiet" { (closed.by) " \u{b7} " (parts::time_full(&visit.clock, closed.at)) }
            @match (&case.rated, survey) {
                (Some((_, score, words)), _) => p { strong { (score) " / 5" } " " (words) },
                (None, Some(token)) => p { (say.t("survey-link")) " " a class="wrap" href={ "/survey/" (encode(token)) } { "/survey/" (token) } },
                (None, None) => {},
            }
        }
    }
}

/// Is anything of it still to be done?
pub(crate) fn is_live(case: &Case) -> bool {
    case.status != Status::Closed
}
