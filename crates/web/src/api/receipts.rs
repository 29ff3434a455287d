//! `GET /api/v1/transactions/{rrn}/receipt` and the signature that goes on it.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use office::Noted;
use receipt::{Copy, Language, Paper};
use serde::{Deserialize, Serialize};

use super::query::{ApiJson, ApiQuery};
use crate::{
    actor::Actor,
    error::{Failure, Problem},
    format::now,
    receipts::{Form, NoReceipt, Receipts, Unsigned, Wanted, keep, needs_one},
    router::Shared,
    service,
};

/// A slip's page has its style within, and nothing else: no script, nothing from elsewhere.
const SLIP_CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Which slip, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReceiptFilter {
    /// Width of the paper in millimetres: 58 or 80; 58 when not given.
    #[param(value_type = Option<u8>)]
    pub(crate) paper: String,
    /// Who keeps it: `merchant` or `cardholder`; `merchant` when not given.
    #[param(required = false)]
    pub(crate) copy: String,
    /// Language: `zh` or `en`; `zh` when not given. A refusal says what the cardholder must know in both.
    #[param(required = false)]
    pub(crate) lang: String,
    /// Form: `html`, `png`, `escpos` (a printer's bytes, in GB18030) or `text`; `html` when not given.
    #[param(required = false)]
    pub(crate) form: String,
    /// `true` puts the mark of a reprint on it.
    #[param(value_type = Option<bool>)]
    pub(crate) reprint: String,
}

impl ReceiptFilter {
    pub(crate) fn check(&self) -> Result<(Wanted, Form), Failure> {
        let paper = match self.paper.as_str() {
            "" => Some(Paper::Mm58),
            text => text.parse().ok().and_then(Paper::of_millimetres),
        };
        let copy = match self.copy.as_str() {
            "" | "merchant" => Some(Copy::Merchant),
            "cardholder" => Some(Copy::Cardholder),
            _ => None,
        };
        let language = match self.lang.as_str() {
            "" | "zh" | "zh-CN" => Some(Language::Zh),
            "en" => Some(Language::En),
            _ => None,
        };
        let form = if self.form.is_empty() { Some(Form::Html) } else { self.form.parse().ok() };
        Ok((
            Wanted {
                paper: paper.ok_or_else(|| Failure::not_understood("paper", "58 or 80"))?,
                copy: copy.ok_or_else(|| Failure::not_understood("copy", "merchant or cardholder"))?,
                language: language.ok_or_else(|| Failure::not_understood("lang", "zh or en"))?,
                reprint: service::flag("reprint", &self.reprint)?,
            },
            form.ok_or_else(|| Failure::not_understood("form", "html, png, escpos or text"))?,
        ))
    }
}

impl From<NoReceipt> for Failure {
    fn from(none: NoReceipt) -> Self {
        match none {
            NoReceipt::NotFound => Self::NotFound,
            NoReceipt::NoFont(why) => Self::Conflict(why.to_string()),
            NoReceipt::NotUnderstood(why) => Self::not_understood("query", &why),
            NoReceipt::Picture(why) => Self::Internal(why.to_string()),
            NoReceipt::Store(error) => error.into(),
        }
    }
}

/// The slips of this console.
pub(crate) fn receipts(state: &Shared) -> Receipts<'_> {
    Receipts {
        archive: state.web.archive.as_ref(),
        book: state.web.office.as_ref().map(|office| office.book()),
        describer: state.web.describer.as_ref(),
        zone: &state.web.zone,
    }
}

/// The slip of a payment, approved or refused, to be shown or printed.
#[utoipa::path(
    get,
    path = "/api/v1/transactions/{rrn}/receipt",
    tag = "transactions",
    params(("rrn" = String, Path, description = "Retrieval reference number (DE 37)."), ReceiptFilter),
    responses(
        (status = 200, description = "The slip, in the form that was asked for.", body = String, content_type = "text/html"),
        (status = 404, description = "No such payment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A picture was asked for, and this system has no font with Chinese characters.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn one(
    State(state): State<Shared>,
    Path(rrn): Path<String>,
    ApiQuery(filter): ApiQuery<ReceiptFilter>,
) -> Result<Response, Failure> {
    let (wanted, form) = filter.check()?;
    let layout = receipts(&state).layout(&rrn, wanted).await?;
    // A font of ten megabytes is read once, and a picture takes a moment.
    let drawn = tokio::task::spawn_blocking(move || Receipts::draw(&layout, form)).await;
    let bytes = drawn.map_err(|error| Failure::Internal(error.to_string()))??;
    let headers = [(header::CONTENT_TYPE, form.media_type()), (header::CONTENT_SECURITY_POLICY, SLIP_CSP)];
    Ok((headers, bytes).into_response())
}

/// A signature: strokes of points on a pad of 600 by 200 units; at most 64 strokes and 2,000 points.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureBody {
    /// Each a line through its points, a point being its two coordinates.
    #[schema(value_type = Vec<Vec<Vec<u16>>>)]
    strokes: Vec<Vec<[u16; 2]>>,
}

/// What became of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SignatureKept {
    /// Always `signed`.
    status: &'static str,
}

/// Keeps the cardholder's signature with an approved payment: once. The same strokes again are no second signature.
#[utoipa::path(
    put,
    path = "/api/v1/transactions/{rrn}/signature",
    tag = "transactions",
    params(("rrn" = String, Path, description = "Retrieval reference number (DE 37).")),
    request_body = SignatureBody,
    responses(
        (status = 200, description = "It is kept.", body = SignatureKept),
        (status = 401, description = "Not signed in.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a role that may.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such payment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody signs for this payment, or it is signed already.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No signature: too much, too little, or beside the pad.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn sign(
    State(state): State<Shared>,
    Path(rrn): Path<String>,
    actor: Actor,
    ApiJson(sent): ApiJson<SignatureBody>,
) -> Result<(StatusCode, Json<SignatureKept>), Failure> {
    let signature = receipt::Signature::new(sent.strokes)
        .map_err(|error| Failure::not_understood("strokes", &error.to_string()))?;
    let detail = service::transaction(&state, &rrn).await?;
    if !needs_one(&detail.row) {
        return Err(Failure::Conflict("nobody signs for this payment".to_owned()));
    }
    let office = state.web.office.as_ref();
    let office = office.ok_or_else(|| Failure::Conflict("this console only shows".to_owned()))?;
    let book = office.book();
    match keep(book.as_ref(), &rrn, actor.name(), &signature, now()).await {
        Ok(_) => {
            office.note(&actor.0, Noted::done("payment.sign").about("transaction", &rrn)).await?;
            Ok((StatusCode::OK, Json(SignatureKept { status: "signed" })))
        }
        Err(Unsigned::Already) => Err(Failure::Conflict(Unsigned::Already.to_string())),
        Err(Unsigned::Book(error)) => Err(office::OfficeError::from(error).into()),
    }
}
