//! `GET /api/v1/events`: what happens, as it happens, as server-sent events: transactions, incidents, alarms.
//!
//! An event says what changed, not how everything is: whoever was away asks the lists when the stream is there again, and so
//! nothing needs to be kept for those who may come back.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_core::Stream;
use serde::Deserialize;
use serde_json::json;
use staff::Permission;
use store::archive::{TransactionQuery, TransactionRow};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

use super::{query::ApiQuery, schema};
use crate::{
    error::{Failure, Problem},
    insight::News,
    router::Shared,
    service::{self, TransactionFilter},
    visit::Visit,
};

/// Each listener holds a connection and a place in the broadcast.
const LISTENERS_MAX: usize = 256;
/// What can be listened to.
const TOPICS: [&str; 3] = ["transactions", "incidents", "alarms"];

/// The query: what is listened to, and which transactions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EventFilter {
    topics: String,
    #[serde(flatten)]
    transactions: TransactionFilter,
}

impl IntoParams for EventFilter {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let topics = ParameterBuilder::new()
            .name("topics")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(
                "Only these, separated by commas: `transactions`, `incidents`, `alarms`; all when not given.",
            ))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build();
        let mut params = TransactionFilter::into_params(place);
        params.push(topics);
        params
    }
}

impl EventFilter {
    /// Is this listened to?
    fn topics(&self) -> Result<impl Fn(&str) -> bool, Failure> {
        let named: Vec<&str> = self.topics.split(',').filter(|name| !name.is_empty()).collect();
        if named.iter().all(|name| TOPICS.contains(name)) {
            Ok(move |topic: &str| named.is_empty() || named.contains(&topic))
        } else {
            Err(Failure::not_understood("topics", &TOPICS.join(", ")))
        }
    }
}

/// What happens, as it happens, as server-sent events.
///
/// `transaction` carries one as JSON; `incident` the number of an incident and what happened to it (`opened`, `revised`, `ended`,
/// `retracted`, `handled` by somebody); `alarm` the number of an alarm, what happened to it, where it stands, its title, and how many
/// alarms are open. `missed` is the number of transactions that a slow listener did not get, `stale` the topic of which it missed
/// something. The filters are about transactions; of them, `q`, `from`, `to`, `after` and `limit` have no effect here.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "transactions",
    params(EventFilter),
    responses(
        (status = 200, description = "The stream.", body = String, content_type = "text/event-stream"),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many listeners.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(state): State<Shared>,
    visit: Visit,
    ApiQuery(filter): ApiQuery<EventFilter>,
) -> Result<Response, Failure> {
    let query = filter.transactions.check()?;
    let wants = filter.topics()?;
    let place = Place::take(&state.listeners).ok_or(Failure::TooManyListeners)?;
    let incidents = visit.may(Permission::ViewIncidents);
    let heard = Heard {
        rows: wants("transactions").then(|| state.web.archive.subscribe()),
        news: if incidents && wants("incidents") { state.web.insight.subscribe() } else { None },
        alarms: (incidents && wants("alarms")).then(|| state.web.alarms.live()),
        state: state.clone(),
        query,
    };
    let events = Events { next: Box::pin(next(heard)), _place: place };
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

/// What a listener hears.
struct Heard {
    rows: Option<Receiver<Arc<TransactionRow>>>,
    news: Option<Receiver<News>>,
    alarms: Option<Receiver<alarm::Live>>,
    state: Shared,
    query: TransactionQuery,
}

/// What a listener waits for, and what it takes to wait for the one after.
type Next = Pin<Box<dyn Future<Output = Option<(Event, Heard)>> + Send>>;

async fn next(mut heard: Heard) -> Option<(Event, Heard)> {
    loop {
        let event = tokio::select! {
            row = hear(&mut heard.rows) => match row {
                Ok(row) => transaction(&heard.query, &row),
                Err(RecvError::Lagged(missed)) => Some(Event::default().event("missed").data(missed.to_string())),
                // The host ends.
                Err(RecvError::Closed) => return None,
            },
            news = hear(&mut heard.news) => match news {
                Ok(News { id, what }) => Some(said("incident", &json!({ "id": id, "what": what }))),
                Err(RecvError::Lagged(_)) => Some(Event::default().event("stale").data("incidents")),
                Err(RecvError::Closed) => {
                    heard.news = None;
                    None
                }
            },
            live = hear(&mut heard.alarms) => match live {
                Ok(live) => Some(alarm(&heard.state, &live)),
                Err(RecvError::Lagged(_)) => Some(Event::default().event("stale").data("alarms")),
                Err(RecvError::Closed) => return None,
            },
        };
        if let Some(event) = event {
            return Some((event, heard));
        }
    }
}

/// Waits for the next of them; for ever, if nobody tells any.
async fn hear<T: Clone>(from: &mut Option<Receiver<T>>) -> Result<T, RecvError> {
    match from {
        Some(from) => from.recv().await,
        None => std::future::pending().await,
    }
}

fn said(name: &str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

fn transaction(query: &TransactionQuery, row: &TransactionRow) -> Option<Event> {
    if !service::wants(query, row) {
        return None;
    }
    let json = serde_json::to_string(&schema::Transaction::from(row.clone())).ok()?;
    Some(Event::default().event("transaction").id(row.seq.to_string()).data(json))
}

fn alarm(state: &Shared, live: &alarm::Live) -> Event {
    let of = state.web.alarms.look(|desk, now| {
        let alarm = live.alarm.and_then(|id| desk.alarm(id))?;
        Some((alarm.alert.title.clone(), desk.standing(alarm, now), alarm.severity.name()))
    });
    let open = service::open_alarms(state);
    let mut data = json!({ "id": live.alarm, "what": live.what, "open": open });
    if let Some((title, standing, severity)) = of {
        data["title"] = json!({ "zh": title.zh, "en": title.en });
        data["standing"] = json!(standing);
        data["severity"] = json!(severity);
    }
    said("alarm", &data)
}

struct Events {
    next: Next,
    _place: Place,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(found) = self.next.as_mut().poll(cx) else { return Poll::Pending };
        Poll::Ready(found.map(|(event, heard)| {
            self.next = Box::pin(next(heard));
            Ok(event)
        }))
    }
}

/// One of the places for listeners; given back when the stream ends.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(places: &Arc<AtomicUsize>) -> Option<Self> {
        let taken = places.fetch_add(1, Ordering::Relaxed);
        let place = Self(places.clone());
        (taken < LISTENERS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
