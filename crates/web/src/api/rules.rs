//! `/api/v1/rules`: rule sets for programs: which there are, whether a text is one, what one would have done, and the steps on
//! the way to being live.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use risk::{Change, RuleSet, register::Refusal};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{body::ApiBody, cards::Answered};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    format::now,
    perform,
    router::Shared,
    rules::{Job, Kept, NotDone},
    service,
    views::rule_deeds::{failure, publication},
    visit::Visit,
};

/// The longest backtest, in days.
const DAYS_MAX: i64 = 366;
/// Days of a backtest when no beginning is given.
const DAYS: i64 = 30;

/// Rule sets: the live one with its rules and what they did in the last day, and all versions.
#[utoipa::path(
    get,
    path = "/api/v1/rules",
    tag = "rules",
    responses(
        (status = 200, description = "`live` (a version or null), `demoted`, `rules`, `versions`.", body = Object),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(state): State<Shared>) -> Result<Json<Value>, Failure> {
    let kept = state.web.rules.kept().await?;
    let hits = state.web.rules.hits().await;
    let live = kept.live_set();
    let rules: Vec<Value> = live
        .iter()
        .flat_map(|set| set.rules())
        .map(|rule| {
            let mut value = json!(rule);
            let hits = hits.as_ref().and_then(|hits| hits.get(&rule.id));
            value["hits"] =
                json!(hits.map(|h| json!({ "live": h.live, "shadow": h.shadow, "snoozed": h.snoozed, "errors": h.errors, "last_error": h.last_error })));
            value
        })
        .collect();
    Ok(Json(json!({
        "live": kept.register.live(),
        "demoted": kept.register.demoted(),
        "rules": rules,
        "versions": kept.register.versions().map(|(digest, _)| version(&kept, digest)).collect::<Vec<_>>(),
    })))
}

/// One version: its file, its rules, and where it stands.
#[utoipa::path(
    get,
    path = "/api/v1/rules/{digest}",
    tag = "rules",
    params(("digest" = String, Path, description = "The version: SHA-256 of its file.")),
    responses(
        (status = 200, description = "The version with `text` and `rules`; in shadow with `beside`: hits, would-be declines, and the difference to the live set.", body = Object),
        (status = 404, description = "No such version.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(digest): Path<String>,
) -> Result<Json<Value>, Failure> {
    let kept = state.web.rules.kept().await?;
    let found = kept.register.version(&digest).ok_or(Failure::NotFound)?;
    let set = kept.set(&digest).ok_or(Failure::NotFound)?;
    let mut value = version(&kept, &digest);
    value["text"] = json!(found.text);
    value["rules"] = json!(set.rules().collect::<Vec<_>>());
    let beside = state.web.rules.beside(&digest).await;
    value["beside"] = json!(beside.map(|b| json!({
        "since": b.since, "hits": b.hits, "errors": b.errors, "declines": b.both + b.only_this,
        "both": b.both, "only_this": b.only_this, "only_live": b.only_live,
    })));
    Ok(Json(value))
}

fn version(kept: &Kept, digest: &str) -> Value {
    let found = kept.register.version(digest);
    json!({
        "version": digest,
        "name": kept.set(digest).map(|set| set.name().to_owned()),
        "state": found.map(|v| v.state.name()),
        "author": found.map(|v| v.author.as_str()),
        "drafted": found.map(|v| v.drafted),
    })
}

/// A file of rules.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextBody {
    /// The file (TOML).
    text: String,
}

/// Puts a version down. It is checked, kept, and does nothing yet.
#[utoipa::path(
    post,
    path = "/api/v1/rules",
    tag = "rules",
    request_body = TextBody,
    responses(
        (status = 201, description = "The version.", body = Object),
        (status = 409, description = "The same text was put down before.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is no rule set: `problems` with line, column, what is wrong and what to write instead.", body = Object),
    )
)]
pub(crate) async fn draft(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    ApiBody(body): ApiBody<TextBody>,
) -> Result<Response, Failure> {
    let at = now();
    match perform::about_rules(&state, &actor, at, |kept| kept.register.draft(&body.text, actor.name(), at))
        .await
    {
        Ok(Change::Drafted { digest, .. }) => {
            let kept = state.web.rules.kept().await?;
            Ok((StatusCode::CREATED, Json(version(&kept, &digest))).into_response())
        }
        Ok(_) => Err(Failure::Internal("a draft became something else".to_owned())),
        Err(NotDone::Refused(Refusal::NotChecked(problems))) => {
            let body = json!({ "ok": false, "problems": problems });
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response())
        }
        Err(error) => Err(failure(&visit, error)),
    }
}

/// Is this a rule set? Nothing is kept.
#[utoipa::path(
    post,
    path = "/api/v1/rules/check",
    tag = "rules",
    request_body = TextBody,
    responses(
        (status = 200, description = "`ok`, and `problems` or the name and the rules.", body = Object),
        (status = 422, description = "The body means nothing.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn check(ApiBody(body): ApiBody<TextBody>) -> Json<Value> {
    Json(match RuleSet::parse(&body.text) {
        Ok(set) => json!({
            "ok": true, "name": set.name(), "version": set.digest(), "rules": set.rules().collect::<Vec<_>>(),
            "counters": set.counters().collect::<Vec<_>>(), "problems": [],
        }),
        Err(problems) => json!({ "ok": false, "problems": problems }),
    })
}

/// Who acts, where the sign-in does not say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ByBody {
    /// A name.
    by: String,
    /// Why, at most 500 characters.
    why: String,
}

impl ByBody {
    fn name(&self, actor: &Actor) -> Result<String, Failure> {
        match self.by.trim() {
            _ if actor.is_signed_in() => Ok(actor.name().to_owned()),
            "" => Ok(actor.name().to_owned()),
            name if name.chars().count() <= 64 => Ok(name.to_owned()),
            _ => Err(Failure::not_understood("by", "at most 64 characters")),
        }
    }
}

/// The next step towards being live: a draft goes into shadow; from shadow somebody asks for it; somebody else agrees.
#[utoipa::path(
    post,
    path = "/api/v1/rules/{digest}/publish",
    tag = "rules",
    params(("digest" = String, Path, description = "The version.")),
    request_body = ByBody,
    responses(
        (status = 200, description = "The version with its new state.", body = Object),
        (status = 202, description = "Who is signed in asks: `proposal` waits for a second person.", body = Answered),
        (status = 404, description = "No such version.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is live already, or the same person asked for it.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn publish(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(digest): Path<String>,
    ApiBody(body): ApiBody<ByBody>,
) -> Result<Response, Failure> {
    use risk::register::State as Stage;
    let (at, by) = (now(), body.name(&actor)?);
    let kept = state.web.rules.kept().await?;
    let in_shadow = matches!(kept.register.version(&digest).map(|v| &v.state), Some(Stage::Shadow(_)));
    if actor.is_signed_in() && in_shadow {
        let action = publication(&state, &digest).await?;
        let why = if body.why.trim().is_empty() { action.consequence() } else { body.why.clone() };
        let answer: (StatusCode, Json<Answered>) = perform::ask(&state, &actor, action, &why).await?.into();
        return Ok(answer.into_response());
    }
    let next = |kept: &Kept| match kept.register.version(&digest).map(|v| &v.state) {
        Some(Stage::Draft | Stage::Withdrawn) => kept.register.shadow(&digest, &by, at),
        Some(Stage::Requested { .. }) => kept.register.activate(&digest, &by, at),
        _ => kept.register.request(&digest, &by, at),
    };
    perform::about_rules(&state, &actor, at, next).await.map_err(|e| failure(&visit, e))?;
    Ok(Json(version(&state.web.rules.kept().await?, &digest)).into_response())
}

/// Takes a version back, at once.
#[utoipa::path(
    post,
    path = "/api/v1/rules/{digest}/demote",
    tag = "rules",
    params(("digest" = String, Path, description = "The version.")),
    request_body = ByBody,
    responses(
        (status = 200, description = "The version with its new state.", body = Object),
        (status = 404, description = "No such version.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is not at work.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn demote(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(digest): Path<String>,
    ApiBody(body): ApiBody<ByBody>,
) -> Result<Json<Value>, Failure> {
    let (at, by) = (now(), body.name(&actor)?);
    let withdraw = |kept: &Kept| kept.register.withdraw(&digest, &by, at);
    let taken = perform::about_rules(&state, &actor, at, withdraw).await;
    taken.map_err(|e| failure(&visit, e))?;
    Ok(Json(version(&state.web.rules.kept().await?, &digest)))
}

/// Which version, and which part of the past.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BacktestBody {
    /// The version.
    version: String,
    /// From then on: RFC 3339, or milliseconds since 1970; 30 days before `to` when not given.
    from: String,
    /// Until then; now when not given.
    to: String,
}

/// Begins to play the past to a version, beside the live one. Nothing is decided by it.
#[utoipa::path(
    post,
    path = "/api/v1/rules/backtest",
    tag = "rules",
    request_body = BacktestBody,
    responses(
        (status = 202, description = "The backtest with its `id`; the list of backtests says how far it is.", body = Object),
        (status = 404, description = "No such version.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part of the body means nothing.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn backtest(
    State(state): State<Shared>,
    ApiBody(body): ApiBody<BacktestBody>,
) -> Result<Response, Failure> {
    let to = service::moment("to", &body.to)?.unwrap_or_else(now);
    let from = service::moment("from", &body.from)?.unwrap_or_else(|| to.plus_s(-DAYS * 86_400));
    if from >= to || to.since_ms(from) > DAYS_MAX * 86_400_000 {
        return Err(Failure::not_understood("from", "a moment before `to`, at most 366 days"));
    }
    let job = state.web.rules.backtest(&body.version, (from, to)).await?.ok_or(Failure::NotFound)?;
    Ok((StatusCode::ACCEPTED, Json(of_job(&job))).into_response())
}

/// Backtests that are remembered, oldest first: how far each is, or what it found.
#[utoipa::path(
    get,
    path = "/api/v1/rules/backtests",
    tag = "rules",
    responses((status = 200, description = "`data`: each with `id`, `played`, `of`, `done`, `report`, `error`.", body = Object))
)]
pub(crate) async fn backtests(State(state): State<Shared>) -> Json<Value> {
    let data: Vec<Value> = state.web.rules.jobs().iter().map(|job| of_job(job)).collect();
    Json(json!({ "data": data }))
}

fn of_job(job: &Job) -> Value {
    let (played, of) = job.progress();
    let result = job.result();
    json!({
        "id": job.id, "version": job.digest, "from": job.from, "to": job.to, "played": played, "of": of,
        "done": result.is_some(),
        "error": result.as_ref().and_then(|r| r.as_ref().err()),
        "report": result.as_ref().and_then(|r| r.as_ref().ok()),
    })
}
