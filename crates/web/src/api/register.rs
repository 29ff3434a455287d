//! `/api/v1/register`: the incident register for people who look back: time, place, cause, what it cost, what was done and
//! what prevents the next one; with trends, as JSON and as a table for a spreadsheet.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use diagnosis::Cause;
use handbook::cause_text;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    incident_schema::{Answer, Both, status},
    query::ApiQuery,
    schema::rfc3339,
};
use crate::{
    error::{Failure, Problem},
    insight::{self, IncidentDetail, IncidentView},
    router::Shared,
    service::{self, LIMIT, LIMIT_MAX},
};

/// Incidents that one export has at most; the newest are in it.
const EXPORT_MAX: usize = 5000;
/// What an incident may stand at, as the filter has it.
const STATUSES: [&str; 7] =
    ["provisional", "open", "acknowledged", "absorbed", "over", "retracted", "closed"];

/// Which incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct IncidentFilter {
    /// Only those that stand there: `open` (provisional ones too), `provisional`, `acknowledged`, `absorbed`, `over`, `retracted` or `closed`.
    #[param(required = false)]
    status: String,
    /// Only this cause, such as `wrong-terminal-key`.
    #[param(required = false)]
    cause: String,
    /// Going on at or after: RFC 3339, or milliseconds since 1970.
    #[param(required = false)]
    from: String,
    /// Begun before: RFC 3339, or milliseconds since 1970.
    #[param(required = false)]
    to: String,
    /// Older than this cursor: `next` of the part before.
    #[param(value_type = Option<u64>)]
    after: String,
    /// At most so many, 1 to 500; 50 when not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: String,
}

/// The same, understood.
pub(crate) struct Wanted {
    status: Option<&'static str>,
    cause: Option<Cause>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    after: Option<u64>,
    pub(super) limit: usize,
}

impl IncidentFilter {
    /// Those that stand somewhere, so many.
    pub(super) fn standing(status: &str, limit: u32) -> Self {
        Self { status: status.to_owned(), limit: limit.to_string(), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<Wanted, Failure> {
        let status = match self.status.as_str() {
            "" => None,
            text => Some(
                STATUSES
                    .into_iter()
                    .find(|status| *status == text)
                    .ok_or_else(|| Failure::not_understood("status", &STATUSES.join(", ")))?,
            ),
        };
        let limit = service::value::<u32>("limit", &self.limit, "a number from 1 to 500")?.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Failure::not_understood("limit", "a number from 1 to 500"));
        }
        Ok(Wanted {
            status,
            cause: service::value("cause", &self.cause, "a name of GET /api/v1/causes")?,
            from: service::moment("from", &self.from)?,
            to: service::moment("to", &self.to)?,
            after: service::value("after", &self.after, "a cursor: the value of next in the part before")?,
            limit: limit as usize,
        })
    }
}

impl Wanted {
    /// Those of all incidents, newest first, and one more than the limit if there are more.
    pub(super) fn choose(&self, all: Vec<IncidentView>) -> Vec<IncidentView> {
        all.into_iter().filter(|view| self.wants(view)).take(self.limit + 1).collect()
    }

    fn wants(&self, view: &IncidentView) -> bool {
        let stands = status(view);
        self.status.is_none_or(|wanted| wanted == stands || (wanted == "open" && stands == "provisional"))
            && self.cause.is_none_or(|cause| cause == view.cause)
            && self.from.is_none_or(|from| view.ended.unwrap_or(view.last_seen) >= from)
            && self.to.is_none_or(|to| view.onset < to)
            && self.after.is_none_or(|after| view.id < after)
    }
}

/// A line of the register.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Line {
    /// The incident's number.
    id: u64,
    /// When it began.
    onset: String,
    /// When it was found.
    detected: String,
    /// When it was over.
    ended: Option<String>,
    /// Where it stands.
    status: &'static str,
    /// Kind of the place: `terminal`, `merchant`, `firmware` …
    scope: &'static str,
    /// Which.
    place: String,
    /// The shop.
    merchant: String,
    /// Manufacturer's model.
    model: String,
    /// Version of firmware and application.
    firmware: String,
    /// Area.
    region: String,
    /// The cause's fixed name.
    cause: &'static str,
    /// In a few words.
    title: Both,
    /// How sure it is, 0 to 1.
    confidence: f32,
    /// Cards that it touched.
    cards: u32,
    /// Cards on which it consumed tries.
    cards_harmed: u32,
    /// Cards that got them back.
    cards_restored: u32,
    /// Payments that it refused.
    refused: u32,
    /// Their sum in minor units.
    refused_sum: i64,
    /// What was done, oldest first.
    actions: Vec<String>,
    /// What answered it, and how often the cause came for a week before and after.
    answers: Vec<Answer>,
    /// What prevents the next one.
    prevention: Both,
}

impl Line {
    fn new(detail: &IncidentDetail) -> Self {
        let (view, text) = (&detail.view, cause_text(detail.view.cause));
        let restored = detail.harmed.iter().filter(|card| card.fate == insight::Fate::Restored).count();
        let action = |step: &crate::insight::Step| {
            let by = step.by.as_deref()?;
            let note = if step.note.is_empty() { String::new() } else { format!(": {}", step.note) };
            Some(format!("{} {} {by}{note}", rfc3339(step.at), step.what))
        };
        Self {
            id: view.id,
            onset: rfc3339(view.onset),
            detected: rfc3339(view.detected),
            ended: view.ended.map(rfc3339),
            status: status(view),
            scope: view.scope.kind,
            place: view.scope.name.clone(),
            merchant: view.belongs.merchant.clone(),
            model: view.belongs.model.clone(),
            firmware: view.belongs.firmware.clone(),
            region: view.belongs.region.clone(),
            cause: view.cause.name(),
            title: Both::new(|lang| text.name(lang).to_owned()),
            confidence: view.confidence,
            cards: view.cards,
            cards_harmed: detail.harmed.len() as u32,
            cards_restored: restored as u32,
            refused: view.refused.0,
            refused_sum: view.refused.1.0,
            actions: detail.history.iter().filter_map(action).collect(),
            answers: Answer::all(&detail.answers),
            prevention: Both::new(|lang| text.prevention(lang).to_owned()),
        }
    }
}

/// A row of a trend.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Trend {
    /// The cause, merchant, model, firmware or area; or the first day of a week.
    key: String,
    /// Incidents.
    incidents: u32,
    /// Cards that they touched.
    cards: u32,
    /// Payments that they refused.
    refused: u32,
    /// Their sum in minor units.
    refused_sum: i64,
}

/// How incidents are spread. Retracted ones are left out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trends {
    /// By cause, most incidents first.
    cause: Vec<Trend>,
    /// By merchant.
    merchant: Vec<Trend>,
    /// By model.
    model: Vec<Trend>,
    /// By firmware.
    firmware: Vec<Trend>,
    /// By area.
    region: Vec<Trend>,
    /// By week, oldest first; the key is its Monday, in UTC.
    week: Vec<Trend>,
}

/// The register.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Register {
    /// Its lines, newest first.
    data: Vec<Line>,
    /// How they are spread.
    trends: Trends,
    /// Are older ones left out?
    has_more: bool,
}

/// The incident register with its trends.
#[utoipa::path(
    get,
    path = "/api/v1/register",
    tag = "diagnosis",
    params(IncidentFilter),
    responses(
        (status = 200, description = "The register.", body = Register),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn json(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<IncidentFilter>,
) -> Result<Json<Register>, Failure> {
    register(&state, &filter).await.map(Json)
}

/// The incident register as a table (RFC 4180), in UTF-8 with a byte order mark, as spreadsheets like it.
#[utoipa::path(
    get,
    path = "/api/v1/register.csv",
    tag = "diagnosis",
    params(IncidentFilter),
    responses(
        (status = 200, description = "The table.", body = String, content_type = "text/csv"),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn csv(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<IncidentFilter>,
) -> Result<Response, Failure> {
    let register = register(&state, &filter).await?;
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    let name = HeaderValue::from_static("attachment; filename=\"incident-register.csv\"");
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, table(&register.data)).into_response())
}

async fn register(state: &Shared, filter: &IncidentFilter) -> Result<Register, Failure> {
    let mut wanted = filter.check()?;
    if filter.limit.is_empty() {
        wanted.limit = EXPORT_MAX;
    }
    let mut views = wanted.choose(state.web.insight.incidents().await?);
    let has_more = views.len() > wanted.limit;
    views.truncate(wanted.limit);
    let trends = Trends::new(&views);
    let mut data = Vec::with_capacity(views.len());
    for view in &views {
        let detail = state.web.insight.summary(view.id).await?;
        data.extend(detail.as_ref().map(Line::new));
    }
    Ok(Register { data, trends, has_more })
}

impl Trends {
    fn new(views: &[IncidentView]) -> Self {
        let by = |key: &dyn Fn(&IncidentView) -> String| {
            let mut rows: BTreeMap<String, Trend> = BTreeMap::new();
            for view in views.iter().filter(|view| status(view) != "retracted") {
                let key = key(view);
                if key.is_empty() {
                    continue;
                }
                let row = rows.entry(key.clone()).or_insert_with(|| Trend { key, ..Trend::default() });
                row.incidents += 1;
                row.cards += view.cards;
                row.refused += view.refused.0;
                row.refused_sum += view.refused.1.0;
            }
            rows.into_values().collect::<Vec<_>>()
        };
        let most_first = |mut rows: Vec<Trend>| {
            rows.sort_by(|a, b| b.incidents.cmp(&a.incidents).then(b.refused.cmp(&a.refused)));
            rows
        };
        Self {
            cause: most_first(by(&|view| view.cause.name().to_owned())),
            merchant: most_first(by(&|view| view.belongs.merchant.clone())),
            model: most_first(by(&|view| view.belongs.model.clone())),
            firmware: most_first(by(&|view| view.belongs.firmware.clone())),
            region: most_first(by(&|view| view.belongs.region.clone())),
            week: by(&|view| monday(view.onset)),
        }
    }
}

/// The Monday of a moment's week, in UTC: 1970-01-05 was one.
fn monday(at: Timestamp) -> String {
    const WEEK_MS: i64 = 7 * 86_400_000;
    const FIRST_MONDAY_MS: i64 = 4 * 86_400_000;
    let begin = at.0 - (at.0 - FIRST_MONDAY_MS).rem_euclid(WEEK_MS);
    rfc3339(Timestamp(begin)).get(..10).unwrap_or_default().to_owned()
}

fn table(lines: &[Line]) -> String {
    const COLUMNS: &str = "id,onset,detected,ended,status,cause,cause_zh,cause_en,confidence,scope,place,merchant,model,\
                           firmware,region,cards,cards_harmed,cards_restored,refused,refused_sum_minor,actions,\
                           answers,prevention_zh,prevention_en";
    let mut out = format!("\u{feff}{COLUMNS}\r\n");
    for line in lines {
        let cells = [
            line.id.to_string(),
            line.onset.clone(),
            line.detected.clone(),
            line.ended.clone().unwrap_or_default(),
            line.status.to_owned(),
            line.cause.to_owned(),
            line.title.zh.clone(),
            line.title.en.clone(),
            format!("{:.3}", line.confidence),
            line.scope.to_owned(),
            line.place.clone(),
            line.merchant.clone(),
            line.model.clone(),
            line.firmware.clone(),
            line.region.clone(),
            line.cards.to_string(),
            line.cards_harmed.to_string(),
            line.cards_restored.to_string(),
            line.refused.to_string(),
            line.refused_sum.to_string(),
            line.actions.join("; "),
            line.answers.iter().map(Answer::words).collect::<Vec<_>>().join("; "),
            line.prevention.zh.clone(),
            line.prevention.en.clone(),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// RFC 4180, 2.6 and 2.7. A cell that a spreadsheet would take for a formula gets an apostrophe: names come from messages.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t']) && cell.parse::<f64>().is_err();
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=1+1", "'=1+1"),
            ("-25", "-25"),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }

    #[test]
    fn a_week_begins_on_monday() {
        // 2026-11-22 was a Sunday.
        assert_eq!(monday(Timestamp(1_795_315_382_000)), "2026-11-16");
        assert_eq!(monday(Timestamp(1_795_315_382_000 + 86_400_000)), "2026-11-23");
    }
}
