//! The console's addresses, in one table, and the rules that hold for every answer.

use std::{
    any::Any,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    set_header::SetResponseHeaderLayer,
};

use crate::{
    actor, api, assets, entrance, error, error::Failure, seen::Views, state::WebState, tries::WrongTokens,
    views, visit,
};

/// A request's body is at most so long: a set of rules.
const BODY_MAX: usize = 256 * 1024;
/// An answer that takes longer is given up.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Nothing from elsewhere, nothing inline.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                   connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) web: Arc<WebState>,
    /// Open streams of `/api/v1/events`.
    pub(crate) listeners: Arc<AtomicUsize>,
    /// Who sent tokens that are worth nothing.
    pub(crate) wrong_tokens: Arc<WrongTokens>,
    /// Who saw which card a moment ago.
    pub(crate) views: Arc<Views>,
}

macro_rules! routes {
    ($( $path:literal => $handler:path ),* $(,)?) => {
        /// Every address of the console that can be read, as the router has it. `/api` and the probes are in the OpenAPI
        /// document.
        pub const ROUTES: &[&str] = &[$($path),*];

        fn table() -> Vec<(&'static str, MethodRouter<Shared>)> {
            vec![$(($path, get($handler))),*]
        }
    };
}

macro_rules! actions {
    ($( $method:ident $path:literal => $handler:path ),* $(,)?) => {
        /// Every address at which something is done, with its method in small letters. `/api` is in the OpenAPI document.
        pub const ACTIONS: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn action_table() -> Vec<(&'static str, MethodRouter<Shared>)> {
            vec![$(($path, axum::routing::$method($handler))),*]
        }
    };
}

actions! {
    put "/api/v1/transactions/{rrn}/signature" => api::receipts::sign,
    post "/why/{rrn}/wrong" => views::deeds::contradict,
    post "/incidents/{incident}/restore" => views::deeds::restore,
    post "/incidents/{incident}/handle" => views::deeds::handle,
    post "/incidents/{incident}/answer" => views::deeds::answer,
    post "/incidents/{incident}/assign" => views::deeds::assign,
    post "/incidents/{incident}/note" => views::deeds::note,
    post "/terminals/{terminal}/suspend" => views::deeds::suspend,
    post "/rules/edit" => views::rule_edit::save,
    post "/rules/restore" => views::rule_deeds::restore,
    post "/rules/lists" => views::rule_deeds::enter,
    post "/rules/snoozes" => views::rule_deeds::snooze,
    post "/rules/members/{kind}/{name}/{member}/end" => views::rule_deeds::end,
    post "/rules/{digest}/{step}" => views::rule_deeds::step,
    post "/rules/{digest}/activate" => views::rule_deeds::activate,
    post "/terminals/{terminal}/sign-in" => views::deeds::sign_in,
    post "/api/v1/incidents/{incident}/status" => api::incidents::set_status,
    post "/api/v1/incidents/{incident}/assign" => api::incidents::assign,
    post "/api/v1/incidents/{incident}/notes" => api::incidents::note,
    post "/api/v1/incidents/{incident}/restore-tries" => api::incidents::restore_tries,
    post "/api/v1/incidents/{incident}/answers" => api::incidents::answer,
    post "/api/v1/transactions/{rrn}/diagnosis/feedback" => api::diagnosis::feedback,
    post "/api/v1/terminals/{terminal}/suspend" => api::diagnosis::suspend,
    post "/api/v1/terminals/{terminal}/force-sign-in" => api::diagnosis::force_sign_in,
    post "/alarms/{alarm}/acknowledge" => views::alarm_deeds::acknowledge,
    post "/alarms/silences" => views::alarm_deeds::silence,
    post "/alarms/silences/{silence}/lift" => views::alarm_deeds::lift,
    post "/alarms/webhooks" => views::alarm_deeds::subscribe,
    post "/alarms/webhooks/{webhook}/test" => views::alarm_deeds::test,
    post "/alarms/webhooks/{webhook}/rotate" => views::alarm_deeds::rotate,
    post "/alarms/webhooks/{webhook}/enable" => views::alarm_deeds::enable,
    post "/alarms/webhooks/{webhook}/remove" => views::alarm_deeds::remove,
    post "/api/v1/rules" => api::rules::draft,
    post "/api/v1/rules/check" => api::rules::check,
    post "/api/v1/rules/backtest" => api::rules::backtest,
    post "/api/v1/rules/{digest}/publish" => api::rules::publish,
    post "/api/v1/rules/{digest}/demote" => api::rules::demote,
    post "/api/v1/alerts/{alarm}/ack" => api::alerts::acknowledge,
    post "/api/v1/silences" => api::alerts::silence,
    delete "/api/v1/silences/{silence}" => api::alerts::lift,
    post "/api/v1/webhooks" => api::webhooks::subscribe,
    delete "/api/v1/webhooks/{webhook}" => api::webhooks::remove,
    post "/api/v1/webhooks/{webhook}/test" => api::webhooks::test,
    post "/api/v1/webhooks/{webhook}/rotate" => api::webhooks::rotate,
    post "/api/v1/webhooks/{webhook}/enable" => api::webhooks::enable,
    post "/sms/receipts/{key}" => views::sms_receipts::take,
    post "/confirm/{token}" => views::confirm::answer,
    post "/confirm/{token}/passkey" => views::confirm::answer_passkey,
    post "/api/v1/sandbox/cards/{id}/totp" => api::sandbox::enrol_totp,
    post "/cases" => views::desk_deeds::open,
    post "/cases/{case}/{deed}" => views::desk_deeds::act,
    post "/survey/{survey}" => views::desk_survey::rate,
    post "/api/v1/cases" => api::cases::open,
    post "/api/v1/cases/{case}/assign" => api::cases::assign,
    post "/api/v1/cases/{case}/notes" => api::cases::note,
    post "/api/v1/cases/{case}/answers" => api::cases::answer,
    post "/api/v1/cases/{case}/status" => api::cases::set_status,
    post "/api/v1/cases/{case}/priority" => api::cases::prioritise,
    post "/api/v1/cases/{case}/steps" => api::cases::step,
    post "/api/v1/cases/{case}/identity" => api::cases::identity,
    post "/api/v1/cases/{case}/actions" => api::cases::act,
    post "/api/v1/cases/{case}/close" => api::cases::close,
    post "/api/v1/cases/{case}/code" => api::cases::code,
    post "/sign-in" => views::sign_in::sign_in,
    post "/sign-in/passkey" => views::passkeys::sign_in,
    post "/account/passkeys" => views::passkeys::add,
    post "/account/passkeys/remove" => views::passkeys::remove,
    post "/sign-out" => views::sign_in::sign_out,
    post "/set-up" => views::sign_in::set_up,
    post "/tokens" => views::tokens::make,
    post "/tokens/{token}/revoke" => views::tokens::revoke,
    post "/api/v1/tokens" => api::tokens::make,
    delete "/api/v1/tokens/{token}" => api::tokens::revoke,
    post "/cards/{id}/actions" => views::office::act_on_card,
    post "/cards/{id}/reset-pin" => views::office::reset_pin,
    post "/cards/{id}/page" => views::office::send_page,
    post "/cards/{id}/contact" => views::office::change_contact,
    post "/merchants/{merchant}/link" => views::merchant::link,
    post "/merchants/{merchant}/people" => views::merchant::people,
    post "/shop/{token}" => views::shop::act,
    post "/api/v1/merchants/{merchant}/link" => api::merchants::link,
    post "/api/v1/merchants/{merchant}/operators/{operator}" => api::merchants::act,
    post "/holder/pin/{token}" => views::holder::set_pin,
    post "/holder/change/{token}" => views::holder::change_pin,
    post "/holder/{token}/passkeys" => views::holder_passkeys::add,
    post "/holder/{token}/passkeys/remove" => views::holder_passkeys::remove,
    post "/proposals/{id}/approve" => views::office::approve,
    post "/proposals/{id}/decline" => views::office::decline,
    post "/proposals/{id}/withdraw" => views::office::withdraw,
    post "/api/v1/session" => api::session::begin,
    delete "/api/v1/session" => api::session::end,
    post "/api/v1/cards/{id}/actions" => api::cards::act,
    post "/api/v1/cards/{id}/reset-pin" => api::cards::reset_pin,
    post "/api/v1/cards/{id}/page" => api::cards::send_page,
    post "/api/v1/cards/{id}/contact" => api::cards::change_contact,
    post "/api/v1/proposals/{id}/approve" => api::office::approve,
    post "/api/v1/proposals/{id}/decline" => api::office::decline,
    post "/api/v1/proposals/{id}/withdraw" => api::office::withdraw,
}

routes! {
    "/" => views::overview::page,
    "/transactions" => views::transactions::page,
    "/transactions/{rrn}" => views::transaction::page,
    "/transactions/{rrn}/receipt" => views::receipt::page,
    "/why/{rrn}" => views::why::page,
    "/why/{rrn}/evidence.json" => views::why::file,
    "/incidents" => views::incidents::list,
    "/incidents/{incident}" => views::incidents::page,
    "/register" => views::register::page,
    "/alarms" => views::alarms::list,
    "/messages" => views::messages::page,
    "/confirm/{token}" => views::confirm::page,
    "/alarms/{alarm}" => views::alarms::one,
    "/alarms/webhooks/{webhook}" => views::alarms::webhook,
    "/rules" => views::rules::page,
    "/rules/edit" => views::rule_edit::page,
    "/rules/{digest}" => views::rule_set::page,
    "/cards" => views::cards::page,
    "/cards/{id}" => views::card::page,
    "/terminals" => views::terminals::page,
    "/merchants/{merchant}" => views::merchant::page,
    "/shop/{token}" => views::shop::page,
    "/api/v1/merchants/{merchant}/operators" => api::merchants::operators,
    "/cases" => views::desk::queue,
    "/cases/figures" => views::desk::figures,
    "/cases/{case}" => views::desk_case::page,
    "/caller" => views::desk_caller::page,
    "/survey/{survey}" => views::desk_survey::page,
    "/api/v1/cases" => api::cases::list,
    "/api/v1/cases/figures" => api::cases::figures,
    "/api/v1/cases/{case}" => api::cases::one,
    "/api/v1/desk" => api::cases::house,
    "/sign-in" => views::sign_in::page,
    "/sign-in/oidc" => views::sign_in_oidc::begin,
    "/sign-in/oidc/callback" => views::sign_in_oidc::come_back,
    "/set-up" => views::sign_in::set_up_page,
    "/account" => views::sign_in::account,
    "/tokens" => views::tokens::page,
    "/api/v1/tokens" => api::tokens::list,
    "/proposals" => views::office::proposals,
    "/staff" => views::office::staff,
    "/audit" => views::office::audit_log,
    "/audit/export" => views::office::export,
    "/holder/{token}" => views::holder::card_page,
    "/holder/pin/{token}" => views::holder::pin_page,
    "/holder/change/{token}" => views::holder::change_page,
    "/codes" => views::codes::list,
    "/codes/{code}" => views::codes::page,
    "/about" => views::about::page,
    "/docs" => views::docs::page,
    "/assets/{hash}/{*name}" => assets::serve,
    "/api/v1/overview" => api::overview::overview,
    "/api/v1/transactions" => api::transactions::list,
    "/api/v1/transactions/{rrn}" => api::transactions::one,
    "/api/v1/transactions/{rrn}/receipt" => api::receipts::one,
    "/api/v1/transactions/{rrn}/diagnosis" => api::diagnosis::one,
    "/api/v1/incidents" => api::incidents::list,
    "/api/v1/incidents/{incident}" => api::incidents::one,
    "/api/v1/register" => api::register::json,
    "/api/v1/register.csv" => api::register::csv,
    "/api/v1/causes" => api::diagnosis::causes,
    "/api/v1/cards" => api::cards::list,
    "/api/v1/cards/{id}" => api::cards::one,
    "/api/v1/terminals" => api::terminals::list,
    "/api/v1/codes" => api::codes::list,
    "/api/v1/codes/{code}" => api::codes::one,
    "/api/v1/reasons" => api::codes::reasons,
    "/api/v1/rules" => api::rules::list,
    "/api/v1/rules/{digest}" => api::rules::one,
    "/api/v1/rules/backtests" => api::rules::backtests,
    "/api/v1/alerts" => api::alerts::list,
    "/api/v1/silences" => api::alerts::silences,
    "/api/v1/sandbox/outbox" => api::sandbox::outbox,
    "/api/v1/webhooks" => api::webhooks::list,
    "/api/v1/webhooks/{webhook}/deliveries" => api::webhooks::deliveries,
    "/api/v1/session" => api::session::show,
    "/api/v1/permissions" => api::session::permissions,
    "/api/v1/proposals" => api::office::proposals,
    "/api/v1/audit" => api::office::audit_log,
    "/api/v1/suspicions" => api::suspicions::list,
    "/api/v1/events" => api::events::events,
    "/api/v1/health" => api::health::health,
    "/api/openapi.json" => api::openapi::document,
    "/livez" => api::health::livez,
    "/readyz" => api::health::readyz,
    "/healthz" => api::health::healthz,
    "/metrics" => api::health::metrics,
}

/// The console.
pub struct Console;

impl Console {
    /// The router that answers for the console and the API.
    #[expect(clippy::new_ret_no_self, reason = "a console is nothing but its router")]
    pub fn new(state: WebState) -> Router {
        let shared = Shared {
            web: Arc::new(state),
            listeners: Arc::default(),
            wrong_tokens: Arc::default(),
            views: Arc::default(),
        };
        let set = |name: HeaderName, value: &'static str| {
            SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
        };
        table()
            .into_iter()
            .chain(action_table())
            .fold(Router::new(), |router, (path, handler)| router.route(path, handler))
            .fallback(async || Failure::NotFound)
            .method_not_allowed_fallback(async || Failure::MethodNotAllowed)
            .layer(from_fn_with_state(shared.clone(), actor::admit))
            .with_state(shared.clone())
            .layer(from_fn(text_only))
            .layer(from_fn(give_up))
            .layer(from_fn_with_state(shared.clone(), own_pages_only))
            .layer(from_fn_with_state(shared.clone(), own_names_only))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(shared.clone(), error::explain))
            .layer(from_fn(visit::remember_choices))
            .layer(from_fn_with_state(shared, entrance::keep_secure))
            .layer(from_fn(visit::name_request))
            .layer(RequestBodyLimitLayer::new(BODY_MAX))
            .layer(CompressionLayer::new())
            .layer(set(header::CONTENT_SECURITY_POLICY, CSP))
            .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(set(header::REFERRER_POLICY, "no-referrer"))
            .layer(set(header::X_FRAME_OPTIONS, "DENY"))
            .layer(set(header::CACHE_CONTROL, "no-store"))
    }
}

async fn give_up(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::TimedOut.into_response(),
    }
}

/// A page of another name could make a browser read us by that name (DNS rebinding): only our own are answered.
async fn own_names_only(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|h| h.to_str().unwrap_or("?"));
    if host.is_none_or(|host| entrance::is_own_name(host, &state.web.entrance)) {
        next.run(request).await
    } else {
        Failure::Misdirected.into_response()
    }
}

/// An address that is no text leads nowhere; every address of ours is text.
async fn text_only(request: Request, next: Next) -> Response {
    if entrance::is_text(request.uri().path()) {
        next.run(request).await
    } else {
        Failure::NotFound.into_response()
    }
}

/// What changes something comes from a page of this console, or from a program that is no browser. Browsers say where a request
/// comes from (Fetch Metadata, and `Origin`); a page from elsewhere cannot leave that out.
async fn own_pages_only(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || entrance::is_from_here(request.headers(), state.web.entrance.secure) {
        next.run(request).await
    } else {
        Failure::CrossSite.into_response()
    }
}

/// A bug of ours stops one answer, not the console.
fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let words = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("panic");
    let mut response = Failure::Internal(words.to_owned()).into_response();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
