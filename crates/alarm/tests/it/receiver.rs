//! A receiver of webhooks on the loopback, written down to the bytes: it answers what it is told to, and remembers requests. And
//! whatever else the tests share.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use alarm::{AlarmService, Alert, Delivery, Parts, Scope, Settings, Severity, Target, Text};
use model::Timestamp;
use store::Book;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A test that waits longer fails; a loaded machine needs its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> String {
        let found = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Answers in this order, then 200 for ever. An empty answer closes the connection without a word.
    pub(crate) async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=t1", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let mut left: VecDeque<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read(&mut stream).await else { continue };
                seen.lock().unwrap().push(request);
                let answer =
                    left.pop_front().unwrap_or_else(|| "200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned());
                if !answer.is_empty() {
                    let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await;
                }
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits for so many requests.
    pub(crate) async fn has(&self, count: usize) -> Vec<Request> {
        until(|| self.requests().len() >= count).await;
        self.requests()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let n = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let request = Request { head: head.to_owned(), body: body.to_owned() };
        let length: usize = request.header("content-length").parse().unwrap();
        if body.len() >= length {
            return Some(request);
        }
    }
}

/// Waits until something is so.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "waited for too long");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A clock that a test moves.
#[derive(Clone, Default)]
pub(crate) struct Hands(Arc<Mutex<i64>>);

pub(crate) const T0: i64 = 1_795_000_000_000;

impl Hands {
    pub(crate) fn forward(&self, ms: i64) {
        *self.0.lock().unwrap() += ms;
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(T0 + *self.0.lock().unwrap())
    }
}

/// To the loopback, and nowhere else inside.
pub(crate) fn settings() -> Settings {
    Settings { allow: vec!["127.0.0.1".parse().unwrap()], ..Settings::default() }
}

pub(crate) async fn service(book: &Arc<dyn Book>, hands: &Hands, settings: Settings) -> AlarmService {
    let hands = hands.clone();
    let parts = Parts {
        book: book.clone(),
        settings,
        clock: Arc::new(move || hands.now()),
        alone: true,
        tick: Duration::from_millis(20),
    };
    AlarmService::start(parts).await.unwrap()
}

pub(crate) fn alert(terminal: &str, severity: Severity) -> Alert {
    Alert {
        group: None,
        kind: "wrong-terminal-key".to_owned(),
        scope: Scope { kind: "terminal".to_owned(), id: terminal.to_owned() },
        severity,
        title: Text { zh: "\u{5bc6}\u{94a5}".to_owned(), en: format!("{terminal}: key out of step") },
        body: Text { zh: "\u{91cd}\u{65b0}\u{7b7e}\u{5230}".to_owned(), en: "sign in again".to_owned() },
        link: Some("/incidents/17".to_owned()),
        at: Timestamp(T0),
    }
}

/// What is known of deliveries to a webhook, the newest first.
pub(crate) fn deliveries(service: &AlarmService, webhook: &str) -> Vec<Delivery> {
    let target = Target::Webhook(webhook.to_owned());
    service.look(|desk, _| desk.deliveries(&target).cloned().collect())
}

/// A webhook that wants everything; its id and secret.
pub(crate) async fn subscribed(service: &AlarmService, url: &str) -> (String, String) {
    let (id, secret) = service.subscribe(url, "a test", &[], Severity::Info, "li.na").await.unwrap();
    (id, secret.reveal().to_string())
}
