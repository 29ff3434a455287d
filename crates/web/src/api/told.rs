//! What the API says about verdicts, incidents and cases, for a program that has the diagnosis or the desk and no console: the same words.

use handbook::Lang;
use office::CaseDesk;
use serde_json::Value;
use store::{Archive, StoreError};

use super::{
    cases::{self, CaseFilter},
    diagnosis, incidents,
    register::IncidentFilter,
};
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

impl From<Failure> for NotTold {
    fn from(failure: Failure) -> Self {
        Self::NotUnderstood(match failure {
            Failure::NotUnderstood { parameter, expected } => format!("{parameter}: expected {expected}"),
            other => other.to_string(),
        })
    }
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
    let wanted = IncidentFilter::standing(status, limit).check()?;
    let page = incidents::page(insight, &wanted).await?;
    Ok(serde_json::to_value(page).unwrap_or_default())
}

/// As `GET /api/v1/cases?status=&assignee=&limit=`; an empty status is every open one.
///
/// # Errors
/// [`NotTold`].
pub async fn cases(desk: &CaseDesk, status: &str, assignee: &str, limit: u32) -> Result<Value, NotTold> {
    let wanted = CaseFilter::standing(status, assignee, limit).check()?;
    let list = cases::page(desk, &wanted).await?;
    Ok(serde_json::to_value(list).unwrap_or_default())
}

/// As `GET /api/v1/cases/{case}`; `None` if there is no such case.
///
/// # Errors
/// [`NotTold::Store`].
pub async fn case(desk: &CaseDesk, no: u32, lang: Lang) -> Result<Option<Value>, NotTold> {
    let case = cases::known(desk, no, lang).await?;
    Ok(case.and_then(|case| serde_json::to_value(case).ok()))
}
