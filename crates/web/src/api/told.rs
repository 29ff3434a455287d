//! What the API says about verdicts and incidents, for a program that has the diagnosis and no console: the same words.

use serde_json::Value;
use store::{Archive, StoreError};

use super::{diagnosis, incidents, register::IncidentFilter};
use crate::{error::Failure, insight::Insight};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// A part of the question means nothing.
    #[error("{0}")]
    NotUnderstood(String),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// As `GET /api/v1/transactions/{rrn}/diagnosis`; `None` if there is no verdict.
///
/// # Errors
/// [`NotTold::Store`].
pub async fn verdict(
    insight: &dyn Insight,
    archive: &dyn Archive,
    rrn: &str,
) -> Result<Option<Value>, NotTold> {
    let verdict = diagnosis::of(insight, archive, rrn).await?;
    Ok(verdict.and_then(|verdict| serde_json::to_value(verdict).ok()))
}

/// As `GET /api/v1/incidents?status=&limit=`; an empty status is every one.
///
/// # Errors
/// [`NotTold`].
pub async fn incidents(insight: &dyn Insight, status: &str, limit: u32) -> Result<Value, NotTold> {
    let wanted = IncidentFilter::standing(status, limit).check().map_err(|failure| match failure {
        Failure::NotUnderstood { parameter, expected } => {
            NotTold::NotUnderstood(format!("{parameter}: expected {expected}"))
        }
        other => NotTold::NotUnderstood(other.to_string()),
    })?;
    let page = incidents::page(insight, &wanted).await?;
    Ok(serde_json::to_value(page).unwrap_or_default())
}
