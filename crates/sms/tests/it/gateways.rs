//! Gateways that do what a test says.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use model::Timestamp;
use sms::{Clock, Gateway, NotTaken, Outgoing, Taken};

/// A clock that a test moves.
#[derive(Clone, Default)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn at(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

    pub(crate) fn forward_s(&self, s: i64) {
        self.0.fetch_add(s * 1000, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hands = self.0.clone();
        Arc::new(move || Timestamp(hands.load(Ordering::SeqCst)))
    }
}

/// Answers in turn, the last one again and again; remembers what it was given.
pub(crate) struct Scripted {
    answers: Mutex<Vec<Result<Taken, NotTaken>>>,
    pub(crate) given: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn new(answers: Vec<Result<Taken, NotTaken>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers), given: Mutex::default() })
    }
}

#[async_trait]
impl Gateway for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    async fn send(&self, message: &Outgoing) -> Result<Taken, NotTaken> {
        self.given.lock().unwrap().push(message.text.to_string());
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }
}
