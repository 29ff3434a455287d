//! The query and the body of an API request. A name that the API does not have is refused, so that a misspelt filter does not
//! silently mean "everything"; a body is JSON and says so, which no form of another site can.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::{error::Failure, router::Shared};

pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned + IntoParams> FromRequestParts<Shared> for ApiQuery<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Failure> {
        let known: Vec<String> = T::into_params(|| None).into_iter().map(|p| p.name).collect();
        let pairs: Query<Vec<(String, String)>> = Query::try_from_uri(&parts.uri)
            .map_err(|_| Failure::not_understood("query", "name=value pairs"))?;
        if let Some((name, _)) = pairs.0.iter().find(|(name, _)| !known.contains(name)) {
            return Err(Failure::not_understood(name, &format!("one of {}", known.join(", "))));
        }
        Query::try_from_uri(&parts.uri)
            .map(|Query(query)| Self(query))
            .map_err(|e| Failure::not_understood("query", &e.body_text()))
    }
}

/// A body in JSON.
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for ApiJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Failure> {
        match Json::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(error) => Err(Failure::not_understood("body", &error.body_text())),
        }
    }
}
