//! The stream of what happens, and the pages that listen to it.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
};
use futures_core::Stream;
use tower::ServiceExt;

use crate::{archive, console, fake, fake_insight::FakeInsight, get};

const PATIENCE: Duration = Duration::from_secs(30);

/// A stream of events that somebody listens to.
struct Listener(std::pin::Pin<Box<BodyDataStream>>);

impl Listener {
    async fn new(router: &Router, query: &str) -> Self {
        let request = Request::get(format!("/api/v1/events{query}")).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(Box::pin(response.into_body().into_data_stream()))
    }

    /// The next event, as it is sent.
    async fn next(&mut self) -> String {
        let next = std::future::poll_fn(|cx| self.0.as_mut().poll_next(cx));
        let bytes = tokio::time::timeout(PATIENCE, next).await.unwrap().unwrap().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }
}

#[tokio::test]
async fn incidents_and_alarms_are_heard_of_and_transactions_only_by_those_who_ask_for_them() {
    let now = model::Timestamp(jiff::Timestamp::now().as_millisecond());
    let (archive, insight) = (archive(), Arc::new(FakeInsight::new(now)));
    let alarms = fake::alarms::awake().await;
    let mut state = fake::state(archive.clone(), true);
    (state.insight, state.alarms) = (insight.clone(), alarms.clone());
    let router = web::Console::new(state);
    let mut listener = Listener::new(&router, "?topics=incidents,alarms").await;
    let mut payments = Listener::new(&router, "?topics=transactions").await;
    archive.announce();
    insight.tell(17, "revised");
    let heard = listener.next().await;
    assert!(
        heard.contains("event: incident\n") && heard.contains(r#"{"id":17,"what":"revised"}"#),
        "{heard}"
    );
    alarms.raise(fake::alarms::alert("wrong-terminal-key", "T9", alarm::Severity::Critical)).unwrap();
    let heard = listener.next().await;
    for part in
        ["event: alarm\n", r#""what":"raised""#, r#""open":1"#, r#""standing":"open""#, "T9: key out of step"]
    {
        assert!(heard.contains(part), "{part}: {heard}");
    }
    assert!(payments.next().await.contains("event: transaction\n"));
    alarms.stop().await;
}

#[tokio::test]
async fn a_topic_that_nobody_has_is_not_understood() {
    let answer = get(&console(), "/api/v1/events?topics=incidents,weather", "en").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.json()["detail"].as_str().unwrap().contains("topics"));
}

#[tokio::test]
async fn pages_that_change_say_what_they_listen_to() {
    let console = console();
    for path in ["/", "/incidents", "/incidents/17", "/alarms", "/alarms/10"] {
        let page = get(&console, path, "en").await.text;
        assert!(page.contains("data-events=\"/api/v1/events?topics=incidents,alarms\""), "{path}");
        assert_eq!(page.matches("id=\"live\"").count(), 1, "{path}");
        assert!(page.contains("hx-select=\"#live\""), "{path}");
    }
    // What was just done is said once, and not again when the page is refreshed.
    let page = get(&console, "/incidents/17?done=handled&n=1", "en").await.text;
    assert!(page.contains("hx-get=\"/incidents/17?n=1\""), "the refreshed part does not say it again");
    // The number of open alarms stands beside their page's name.
    assert!(page.contains("<b>1</b><span class=\"sr\"> Open</span>"));
}
