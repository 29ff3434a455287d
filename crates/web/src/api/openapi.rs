//! `GET /api/openapi.json`: the API described for programs. Made from the handlers themselves; a test compares it with
//! the router's table.

use std::sync::LazyLock;

use axum::{Json, extract::State};
use serde_json::Value;
use utoipa::OpenApi;

use super::{
    alerts, cards, cases, codes, diagnosis, events, health, incidents, merchants, office, overview, receipts,
    register, rules, sandbox, schema, session, suspicions, terminals, tokens, transactions, webhooks,
};
use crate::{error::Problem, router::Shared};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "pinward",
        description = "Read what happened to PIN-protected payments: every transaction with its reason, every card's \
                       PIN state, every terminal. Card numbers are masked; PINs and keys never appear. Any address may also answer 401, 403, 405, 421, 500 or 503 \
                       with a Problem.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "transactions", description = "What was asked and what was answered."),
        (name = "diagnosis", description = "Why payments were refused, the incidents behind them, and what people do about them."),
        (name = "cards", description = "PIN state of cards."),
        (name = "terminals", description = "Terminals and their sessions."),
        (name = "alarms", description = "What somebody should look at, who is told, and what is held back."),
        (name = "desk", description = "Cases: what people at the desk do about refusals, terminals and incidents, and by when."),
        (name = "rules", description = "Risk rules: versions, checks, backtests, and the steps on the way to being live."),
        (name = "handbook", description = "What response codes and reasons mean, and what to do."),
        (name = "staff", description = "Signing in, who may do what, what waits for a second person, who did what."),
        (name = "sandbox", description = "What only whoever plays with made-up cards may see."),
        (name = "host", description = "How this host is."),
    ),
    paths(
        overview::overview,
        transactions::list,
        transactions::one,
        receipts::one,
        receipts::sign,
        merchants::link,
        merchants::operators,
        merchants::act,
        diagnosis::one,
        diagnosis::feedback,
        diagnosis::causes,
        incidents::list,
        incidents::one,
        incidents::set_status,
        incidents::restore_tries,
        incidents::assign,
        incidents::note,
        incidents::answer,
        suspicions::list,
        register::json,
        register::csv,
        diagnosis::suspend,
        diagnosis::force_sign_in,
        events::events,
        cards::list,
        cards::one,
        cards::act,
        cards::reset_pin,
        cards::send_page,
        cards::change_contact,
        cases::list,
        cases::one,
        cases::open,
        cases::assign,
        cases::note,
        cases::answer,
        cases::set_status,
        cases::prioritise,
        cases::step,
        cases::identity,
        cases::act,
        cases::close,
        cases::code,
        cases::figures,
        cases::house,
        terminals::list,
        codes::list,
        codes::one,
        codes::reasons,
        alerts::list,
        alerts::acknowledge,
        alerts::silences,
        alerts::silence,
        alerts::lift,
        webhooks::list,
        webhooks::subscribe,
        webhooks::deliveries,
        webhooks::test,
        webhooks::rotate,
        webhooks::enable,
        webhooks::remove,
        session::begin,
        session::show,
        session::end,
        session::permissions,
        tokens::list,
        tokens::make,
        tokens::revoke,
        office::proposals,
        office::approve,
        office::decline,
        office::withdraw,
        office::audit_log,
        rules::list,
        rules::one,
        rules::draft,
        rules::check,
        rules::publish,
        rules::demote,
        rules::backtest,
        rules::backtests,
        sandbox::outbox,
        sandbox::enrol_totp,
        health::health,
        health::livez,
        health::readyz,
        health::healthz,
        health::metrics,
        document,
    ),
    components(schemas(Problem, schema::Transaction))
)]
struct Api;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Api::openapi()).expect("the document is plain data");
    tell_refusals(&mut document);
    document
});

/// How any address of the API may refuse: whoever asks, and what is asked.
const REFUSALS: [(&str, &str); 6] = [
    ("401", "Not signed in, or with a token that is worth nothing."),
    ("403", "Not a role, or not a scope, that may; or asked for by a page from elsewhere."),
    ("421", "Asked for under a name that is not this console's."),
    ("422", "A part of the query or of the body means nothing."),
    ("429", "Too many wrong tokens came from there."),
    ("503", "The store is away, or the answer took too long."),
];

/// Every operation says all of that, where it does not say it in words of its own.
fn tell_refusals(document: &mut Value) {
    let problem = || {
        let schema = serde_json::json!({ "$ref": "#/components/schemas/Problem" });
        serde_json::json!({ "application/problem+json": { "schema": schema } })
    };
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let of_the_api = paths.filter(|(path, _)| path.starts_with("/api/v1/"));
    let operations = of_the_api.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        let Some(responses) = operation["responses"].as_object_mut() else { continue };
        for (status, words) in REFUSALS {
            let said = responses.entry(status).or_insert_with(|| serde_json::json!({ "description": words }));
            if said["content"]["application/problem+json"].is_null() {
                let mut content = problem();
                for (kind, schema) in said["content"].as_object().into_iter().flatten() {
                    content[kind] = schema.clone();
                }
                said["content"] = content;
            }
        }
    }
}

/// The document, with the version of the program that answers.
pub(crate) fn value(version: &str) -> Value {
    let mut document = DOCUMENT.clone();
    document["info"]["version"] = version.into();
    document
}

/// This document (OpenAPI 3.1).
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "host",
    responses((status = 200, description = "The document.", body = Object))
)]
pub(crate) async fn document(State(state): State<Shared>) -> Json<Value> {
    Json(value(&state.web.version))
}
