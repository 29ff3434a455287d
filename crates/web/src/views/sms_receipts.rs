//! Where a gateway says later what became of messages. The address has a secret part that only the gateway was given; whoever calls
//! another one finds nothing, as at an address that is not there.

use axum::{
    body::Bytes,
    extract::{Path, State},
};

use crate::{error::Failure, router::Shared};

/// `POST /sms/receipts/{key}`.
pub(crate) async fn take(
    State(state): State<Shared>,
    Path(key): Path<String>,
    body: Bytes,
) -> Result<String, Failure> {
    let messages = state.web.messages.as_ref().ok_or(Failure::NotFound)?;
    if !messages.receipts.as_ref().is_some_and(|own| own.is(&key)) {
        return Err(Failure::NotFound);
    }
    let answer = messages.service.called(&body).await?;
    answer.ok_or_else(|| Failure::not_understood("body", "receipts in the manner of the gateway"))
}
