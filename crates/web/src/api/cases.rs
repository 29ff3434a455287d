//! `/api/v1/cases`: the desk for programs. Every deed is the same function that the pages use, so no program closes a case over a
//! gate that a person would have to pass.

use std::str::FromStr;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use desk::{Action, Case, Desk, Fact, House, Proof, Refusal, Status, WaitsOn};
use handbook::Lang;
use model::{CardId, Timestamp};
use office::CaseDesk;
use serde::Deserialize;
use serde_json::{Value, json};
use store::StoreError;
use utoipa::IntoParams;

use super::{
    cards::Answered,
    case_schema::{
        CaseAction, CaseAnswer, CaseAssign, CaseClose, CaseCode, CaseDetail, CaseFigures, CaseIdentity,
        CaseList, CaseNote, CasePriority, CaseStatus, CaseStepDone, CaseView, NewCase,
    },
    query::{ApiJson, ApiQuery},
};
use crate::{
    actor::Actor,
    case_acts::{self, Wanted as AskedFor},
    cases::{self, Origin, Said},
    contact::NewNumber,
    desk_figures,
    error::{Failure, Problem},
    router::Shared,
    service,
    views::desk::soonest,
    visit::Visit,
};

fn number(no: &str) -> Result<u32, Failure> {
    no.parse().map_err(|_| Failure::NotFound)
}

fn named<T: FromStr>(part: &'static str, text: &str, expected: &'static str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::not_understood(part, expected))
}

async fn detail(state: &Shared, visit: &Visit, no: u32) -> Result<Json<CaseDetail>, Failure> {
    known(&state.web.cases, no, visit.lang()).await?.map(Json).ok_or(Failure::NotFound)
}

/// Does a deed and shows the case.
async fn deed(
    state: &Shared,
    visit: &Visit,
    by: &Actor,
    (verb, no): (&str, &str),
    decide: impl FnMut(&Desk, &'static House, Timestamp) -> Result<Fact, Refusal>,
) -> Result<Json<CaseDetail>, Failure> {
    let no = number(no)?;
    cases::act(state, by, verb, no, decide).await?;
    detail(state, visit, no).await
}

/// The query of the list of cases.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CaseFilter {
    /// `open` (all that are not closed, and what is meant when none is given), `new`, `in-work`, `waiting`, `closed` or `all`.
    status: String,
    /// Only those that somebody has.
    assignee: String,
    /// Only those about a card, by its id.
    card: String,
    /// At most so many, 1 to 500; 50 when not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: String,
}

impl CaseFilter {
    /// Those that stand somewhere and that somebody has; empty is every one.
    pub(super) fn standing(status: &str, assignee: &str, limit: u32) -> Self {
        let (status, assignee) = (status.to_owned(), assignee.to_owned());
        Self { status, assignee, limit: limit.to_string(), ..Self::default() }
    }

    pub(super) fn check(self) -> Result<Wanted, Failure> {
        if !["", "open", "new", "in-work", "waiting", "closed", "all"].contains(&self.status.as_str()) {
            return Err(Failure::not_understood("status", "open, new, in-work, waiting, closed or all"));
        }
        let card = service::value("card", &self.card, "32 hexadecimal digits")?;
        let limit = service::limit(&self.limit)? as usize;
        Ok(Wanted { status: self.status, assignee: self.assignee, card, limit })
    }
}

/// Which cases, understood.
pub(super) struct Wanted {
    status: String,
    assignee: String,
    card: Option<CardId>,
    limit: usize,
}

fn fits(status: &str, case: &Case) -> bool {
    match status {
        "" | "open" => case.status != Status::Closed,
        "all" => true,
        name => case.status.name() == name,
    }
}

/// Cases: open ones by what is due first, closed ones newest first.
#[utoipa::path(
    get,
    path = "/api/v1/cases",
    tag = "desk",
    params(CaseFilter),
    responses(
        (status = 200, description = "The cases.", body = CaseList),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<CaseFilter>,
) -> Result<Json<CaseList>, Failure> {
    Ok(Json(page(&state.web.cases, &filter.check()?).await?))
}

/// The list: open cases by what is due first, others newest first.
pub(super) async fn page(cases: &CaseDesk, wanted: &Wanted) -> Result<CaseList, StoreError> {
    let house = cases.house();
    let data = cases
        .look(|desk, now| {
            let mine = |case: &&Case| {
                wanted.assignee.is_empty() || case.assignee.as_deref() == Some(wanted.assignee.as_str())
            };
            let about = |case: &&Case| wanted.card.is_none() || case.opened.subject.card == wanted.card;
            let mut found: Vec<&Case> =
                desk.cases().filter(|case| fits(&wanted.status, case)).filter(mine).filter(about).collect();
            if !matches!(wanted.status.as_str(), "closed" | "all") {
                found.sort_by_cached_key(|case| (soonest(&case.clocks(house, now)), case.no));
            }
            found.into_iter().take(wanted.limit).map(|case| CaseView::new(house, case, now)).collect()
        })
        .await?;
    Ok(CaseList { data })
}

/// One case with everything around it; none if there is no such case.
pub(super) async fn known(cases: &CaseDesk, no: u32, lang: Lang) -> Result<Option<CaseDetail>, StoreError> {
    let house = cases.house();
    cases.look(|desk, now| desk.case(no).ok().map(|case| CaseDetail::new(house, case, lang, now))).await
}

/// One case.
#[utoipa::path(
    get,
    path = "/api/v1/cases/{case}",
    tag = "desk",
    params(("case" = u32, Path, description = "The case's number.")),
    responses(
        (status = 200, description = "The case with everything around it.", body = CaseDetail),
        (status = 404, description = "No such case.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(no): Path<String>,
) -> Result<Json<CaseDetail>, Failure> {
    let no = number(&no)?;
    let card = state.web.cases.look(|desk, _| desk.case(no).map(|case| case.opened.subject.card)).await?;
    if let Some(card) = card.map_err(Failure::from)? {
        cases::seen(&state, &actor, &card, Some(no)).await?;
    }
    detail(&state, &visit, no).await
}

impl NewCase {
    fn origin(&self) -> Result<Origin, Failure> {
        let named = usize::from(self.card.is_some())
            + usize::from(self.rrn.is_some())
            + usize::from(self.terminal.is_some())
            + usize::from(self.incident.is_some())
            + usize::from(self.alarm.is_some());
        if named > 1 {
            return Err(Failure::not_understood(
                "body",
                "at most one of card, rrn, terminal, incident, alarm",
            ));
        }
        Ok(match self {
            Self { card: Some(card), .. } => {
                Origin::Card(card.parse().map_err(|_| Failure::not_understood("card", "a card's id"))?)
            }
            Self { rrn: Some(rrn), .. } => Origin::Refusal(rrn.clone()),
            Self { terminal: Some(terminal), .. } => Origin::Terminal(terminal.clone()),
            Self { incident: Some(id), .. } => Origin::Incident(*id),
            Self { alarm: Some(id), .. } => Origin::Alarm(*id),
            _ => Origin::Nothing,
        })
    }
}

/// Opens a case with the evidence attached; answers with the open one about the same, if there is one.
#[utoipa::path(
    post,
    path = "/api/v1/cases",
    tag = "desk",
    request_body = NewCase,
    responses(
        (status = 200, description = "A case about the same is open already.", body = CaseDetail),
        (status = 201, description = "Opened.", body = CaseDetail),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "What it is to be about is not known here.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Too many cases are open.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn open(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    ApiJson(new): ApiJson<NewCase>,
) -> Result<(StatusCode, Json<CaseDetail>), Failure> {
    let origin = new.origin()?;
    let source = new.source.as_deref();
    let source = source
        .map(|text| named("source", text, "phone, refusal, terminal, alarm, incident or api"))
        .transpose()?
        .or((origin == Origin::Nothing).then_some(desk::Source::Api));
    let priority = new.priority.as_deref();
    let priority = priority.map(|text| named("priority", text, "urgent, high, normal or low")).transpose()?;
    let said = Said { source, priority, summary: new.summary, caller: new.caller };
    let (no, fresh) = cases::open(&state, &actor, &origin, &said).await?;
    let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, detail(&state, &visit, no).await?))
}

macro_rules! deeds {
    ($( $(#[$doc:meta])* $name:ident $path:literal $body:ident, |$state:ident, $visit:ident, $actor:ident, $no:ident, $sent:ident| $done:expr; )*) => {
        $(
            $(#[$doc])*
            #[utoipa::path(
                post,
                path = $path,
                tag = "desk",
                params(("case" = u32, Path, description = "The case's number.")),
                request_body = $body,
                responses(
                    (status = 200, description = "Done; the case.", body = CaseDetail),
                    (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
                    (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
                    (status = 404, description = "No such case.", body = Problem, content_type = "application/problem+json"),
                    (status = 409, description = "It does not fit the case: closed, a gate is open, identity is not proven that far.", body = Problem, content_type = "application/problem+json"),
                    (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
                )
            )]
            pub(crate) async fn $name(
                State($state): State<Shared>,
                $visit: Visit,
                $actor: Actor,
                Path($no): Path<String>,
                ApiJson($sent): ApiJson<$body>,
            ) -> Result<Json<CaseDetail>, Failure> {
                $done
            }
        )*
    };
}

deeds! {
    /// Gives a case to somebody, or to nobody.
    assign "/api/v1/cases/{case}/assign" CaseAssign, |state, visit, actor, no, sent| {
        let to = sent.to.as_deref();
        let n = number(&no)?;
        deed(&state, &visit, &actor, ("case.assign", &no), |desk, _, _| desk.case(n)?.assign(to, actor.name())).await
    };
    /// Adds a note.
    note "/api/v1/cases/{case}/notes" CaseNote, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        deed(&state, &visit, &actor, ("case.note", &no), |desk, _, _| desk.case(n)?.note(&sent.text, actor.name())).await
    };
    /// Records what was said to the customer; the first answer stops the response clock.
    answer "/api/v1/cases/{case}/answers" CaseAnswer, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        deed(&state, &visit, &actor, ("case.answer", &no), |desk, house, _| {
            desk.case(n)?.answer(house, &sent.reply, &sent.text, actor.name())
        }).await
    };
    /// Lets a case wait, goes on with it, or opens a closed one again.
    set_status "/api/v1/cases/{case}/status" CaseStatus, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        let on = match (sent.status.as_str(), &sent.on) {
            ("waiting", on) => {
                Some(named::<WaitsOn>("on", on.as_deref().unwrap_or_default(), "customer, second-person or engineer")?)
            }
            ("in-work", None) => None,
            _ => return Err(Failure::not_understood("status", "waiting with on, or in-work")),
        };
        deed(&state, &visit, &actor, ("case.status", &no), |desk, _, _| {
            let case = desk.case(n)?;
            match on {
                Some(on) => case.wait(on, &sent.why, actor.name()),
                None if case.is_closed() => case.reopen(&sent.why, actor.name()),
                None => case.resume(&sent.why, actor.name()),
            }
        }).await
    };
    /// Says how soon.
    prioritise "/api/v1/cases/{case}/priority" CasePriority, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        let priority = named("priority", &sent.priority, "urgent, high, normal or low")?;
        deed(&state, &visit, &actor, ("case.priority", &no), |desk, _, _| {
            desk.case(n)?.prioritise(priority, &sent.why, actor.name())
        }).await
    };
    /// A step of the playbook is done.
    step "/api/v1/cases/{case}/steps" CaseStepDone, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        deed(&state, &visit, &actor, ("case.step", &no), |desk, house, now| {
            desk.step(house, n, &sent.step, &sent.note, actor.name(), now)
        }).await
    };
    /// Records what was asked to prove who calls; the level follows from it.
    identity "/api/v1/cases/{case}/identity" CaseIdentity, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        let proof = Proof {
            method: sent.method,
            asked: sent.asked,
            right: sent.right,
            wrong: sent.wrong,
            contact_unchanged_h: sent.contact_unchanged_h,
        };
        case_acts::prove(&state, &actor, n, proof).await?;
        detail(&state, &visit, n).await
    };
    /// Sends the code that proves who calls to the number on file; with `code`, looks at what the caller read out. A wrong one is
    /// counted before it is refused.
    code "/api/v1/cases/{case}/code" CaseCode, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        match &sent.code {
            None => {
                case_acts::send_code(&state, &actor, n).await?;
            }
            Some(code) => {
                if !case_acts::check_code(&state, &actor, n, code).await? {
                    return Err(Failure::Conflict("that is not the code; it was counted".to_owned()));
                }
            }
        }
        detail(&state, &visit, n).await
    };
    /// Closes a case; refused while a gate is open.
    close "/api/v1/cases/{case}/close" CaseClose, |state, visit, actor, no, sent| {
        let n = number(&no)?;
        let outcome =
            named("outcome", &sent.outcome, "solved, explained, handed-on, not-reached, duplicate or refused")?;
        case_acts::close(&state, &actor, n, outcome, &sent.words).await?;
        detail(&state, &visit, n).await
    };
}

/// Asks for something about the case's card; identity must be proven far enough.
#[utoipa::path(
    post,
    path = "/api/v1/cases/{case}/actions",
    tag = "desk",
    params(("case" = u32, Path, description = "The case's number.")),
    request_body = CaseAction,
    responses(
        (status = 200, description = "Done.", body = Answered),
        (status = 202, description = "It waits for a second person.", body = Answered),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such case.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Identity is not proven that far, or it does not fit the card's state.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not understood.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn act(
    State(state): State<Shared>,
    actor: Actor,
    Path(no): Path<String>,
    ApiJson(wanted): ApiJson<CaseAction>,
) -> Result<(StatusCode, Json<Answered>), Failure> {
    let asked = match wanted.action.as_str() {
        "unlock" => AskedFor::Unlock,
        "reset-pin" => AskedFor::ResetPin,
        "change-contact" => {
            let (number, language) = (wanted.number.unwrap_or_default(), wanted.language.unwrap_or_default());
            AskedFor::ChangeContact(NewNumber::typed(&number, &language)?)
        }
        _ => return Err(Failure::not_understood("action", "unlock, reset-pin or change-contact")),
    };
    Ok(case_acts::ask(&state, &actor, number(&no)?, &asked, &wanted.why).await?.into())
}

/// The query of the figures.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FigureWindow {
    /// The last so many days, 1 to 400; 7 when not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 400)]
    days: String,
    /// What counts as "again", in days, 1 to 400; 7 when not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 400)]
    repeat_days: String,
}

/// How the desk does.
#[utoipa::path(
    get,
    path = "/api/v1/cases/figures",
    tag = "desk",
    params(FigureWindow),
    responses(
        (status = 200, description = "The figures of the window.", body = CaseFigures),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn figures(
    State(state): State<Shared>,
    ApiQuery(window): ApiQuery<FigureWindow>,
) -> Result<Json<CaseFigures>, Failure> {
    let days = service::value("days", &window.days, "a number from 1 to 400")?.unwrap_or(7);
    let repeat = service::value("repeat_days", &window.repeat_days, "a number from 1 to 400")?;
    let repeat = repeat.unwrap_or(desk_figures::REPEAT_DAYS);
    Ok(Json(desk_figures::of(&state, days, repeat).await?.into()))
}

/// The desk's data: playbooks with their steps, service plans, methods and matrix of identity, replies.
#[utoipa::path(
    get,
    path = "/api/v1/desk",
    tag = "desk",
    responses((status = 200, description = "The data, with texts in the caller's language.", body = Object))
)]
pub(crate) async fn house(State(state): State<Shared>, visit: Visit) -> Json<Value> {
    let (house, lang) = (state.web.cases.house(), visit.lang());
    let playbooks = house.playbooks.all().map(|book| {
        let subject = desk::Subject { cause: book.causes().first().copied(), ..desk::Subject::default() };
        let steps = book.freeze("").steps.into_iter().map(|step| {
            json!({ "id": step.id, "text": book.words(&step.id, &subject, lang), "gate": step.gate,
                    "needs_note": step.note, "needs_level": step.level.to_string() })
        });
        json!({ "name": book.name, "version": book.version, "title": book.title(lang), "codes": book.codes(),
                "causes": book.causes(), "steps": steps.collect::<Vec<_>>() })
    });
    let plans = house.plans.all().map(|(name, plan)| {
        json!({ "name": name, "title": plan.name(lang), "advice": plan.advice(lang), "targets": plan.targets(),
                "escalation": plan.escalation })
    });
    let methods = house.identity.methods().into_iter().map(|(name, method)| {
        json!({ "name": name, "title": method.name(lang), "how": method.how(lang), "level": method.level.to_string(),
                "right": method.right, "questions": method.questions, "contact_unchanged_h": method.unchanged_h })
    });
    let actions = Action::ALL.into_iter().map(|action| {
        let row = house.identity.row(action);
        json!({ "action": action.name(), "title": row.name(lang), "level": row.level.to_string(), "hold_h": row.hold_h })
    });
    Json(json!({
        "playbooks": playbooks.collect::<Vec<_>>(),
        "plans": plans.collect::<Vec<_>>(),
        "identity": { "methods": methods.collect::<Vec<_>>(), "actions": actions.collect::<Vec<_>>() },
        "replies": house.replies.names().collect::<Vec<_>>(),
    }))
}
