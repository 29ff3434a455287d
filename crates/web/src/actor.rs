//! Who asks for something to be done. Every handler that changes something takes an [`Actor`]; its name goes into what is
//! recorded.
//!
//! There are no staff accounts yet: whoever reaches the console, which listens on the loopback address only, is the operator of
//! this machine and is recorded as `console`.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    name: String,
}

impl Actor {
    /// The name under which it is recorded.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { name: "console".to_owned() })
    }
}
