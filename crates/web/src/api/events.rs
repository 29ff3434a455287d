//! `GET /api/v1/events`: new transactions as they become visible, as server-sent events.

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
use store::archive::{TransactionQuery, TransactionRow};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{query::ApiQuery, schema};
use crate::{
    error::{Failure, Problem},
    insight::News,
    router::Shared,
    service::{self, TransactionFilter},
};

/// Each listener holds a connection and a place in the broadcast.
const LISTENERS_MAX: usize = 64;

/// New transactions as they become visible, as server-sent events.
///
/// `transaction` carries one as JSON; `incident` the number of an incident and what happened to it (`opened`, `revised`, `ended`,
/// `retracted`), whatever the filters are; `missed` the number of transactions that a slow listener did not get. Of the filters, `q`, `from`, `to`, `after` and `limit` have no effect here.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "transactions",
    params(TransactionFilter),
    responses(
        (status = 200, description = "The stream.", body = String, content_type = "text/event-stream"),
        (status = 422, description = "A part of the query means nothing.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many listeners.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(state): State<Shared>,
    ApiQuery(filter): ApiQuery<TransactionFilter>,
) -> Result<Response, Failure> {
    let query = filter.check()?;
    let place = Place::take(&state.listeners).ok_or(Failure::TooManyListeners)?;
    let heard = Heard { rows: state.web.archive.subscribe(), news: state.web.insight.subscribe(), query };
    let events = Events { next: Box::pin(next(heard)), _place: place };
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

/// What a listener hears.
struct Heard {
    rows: Receiver<Arc<TransactionRow>>,
    news: Option<Receiver<News>>,
    query: TransactionQuery,
}

/// What a listener waits for, and what it takes to wait for the one after.
type Next = Pin<Box<dyn Future<Output = Option<(Event, Heard)>> + Send>>;

async fn next(mut heard: Heard) -> Option<(Event, Heard)> {
    loop {
        let row = tokio::select! {
            row = heard.rows.recv() => row,
            news = incident(&mut heard.news) => match news {
                Some(event) => return Some((event, heard)),
                None => {
                    heard.news = None;
                    continue;
                }
            },
        };
        let event = match row {
            Ok(row) if !service::wants(&heard.query, &row) => continue,
            Ok(row) => {
                let id = row.seq.to_string();
                let json = serde_json::to_string(&schema::Transaction::from((*row).clone())).ok()?;
                Event::default().event("transaction").id(id).data(json)
            }
            Err(RecvError::Lagged(missed)) => Event::default().event("missed").data(missed.to_string()),
            Err(RecvError::Closed) => return None,
        };
        return Some((event, heard));
    }
}

/// The next news about an incident; `None` when there will be none. Without anybody to tell them it waits for ever.
async fn incident(news: &mut Option<Receiver<News>>) -> Option<Event> {
    let Some(news) = news else { return std::future::pending().await };
    loop {
        match news.recv().await {
            Ok(told) => {
                let data = serde_json::json!({ "id": told.id, "what": told.what });
                return Some(Event::default().event("incident").data(data.to_string()));
            }
            // Whoever cares about incidents reads their list.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
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
