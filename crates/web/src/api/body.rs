//! The body of an API request: JSON, whatever its content type says; what it may not be is said as such.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use serde::de::DeserializeOwned;

use crate::{error::Failure, router::Shared};

/// A body in JSON. An empty one is `{}`.
pub(crate) struct ApiBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for ApiBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Failure> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| Failure::not_understood("body", &error.body_text()))?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| {
            // The place and what was expected, without what was sent.
            Failure::not_understood("body", &format!("JSON as documented: {error}"))
        })
    }
}
