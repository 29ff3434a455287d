//! What a connection works on: the requests of one peer, side by side in the connection's own task.
//!
//! A task each would cost a wake-up each: the journal finishes many entries with one fsync, and their answers to this peer
//! then leave in one write. All of them are asked on every wake-up; that is cheap, since there are at most
//! `in_flight_per_connection`, and most wake-ups finish most of them.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// Requests that were begun and have no answer yet, oldest first.
pub(crate) struct UnderWay<F> {
    requests: Vec<Pin<Box<F>>>,
}

/// A request ended with a panic: our bug. Its connection is closed, the others go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

impl<F: Future> UnderWay<F> {
    pub(crate) fn new() -> Self {
        Self { requests: Vec::new() }
    }

    pub(crate) fn begin(&mut self, request: F) {
        self.requests.push(Box::pin(request));
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Asks all of them, in the order in which they came; ready when at least one has ended.
    pub(crate) fn poll_ended(
        &mut self,
        cx: &mut Context<'_>,
        ended: &mut Vec<Result<F::Output, Panicked>>,
    ) -> Poll<()> {
        self.requests.retain_mut(|request| {
            match catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(cx))) {
                Ok(Poll::Pending) => return true,
                Ok(Poll::Ready(output)) => ended.push(Ok(output)),
                Err(_) => ended.push(Err(Panicked)),
            }
            false
        });
        if ended.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{poll_fn, ready};

    use super::*;

    #[tokio::test]
    async fn the_others_go_on_when_one_panics() {
        let mut under_way = UnderWay::new();
        for n in 1..=3 {
            under_way.begin(async move {
                assert_ne!(ready(n).await, 2, "this one is wrong");
                n
            });
        }
        let mut ended = Vec::new();
        poll_fn(|cx| under_way.poll_ended(cx, &mut ended)).await;
        assert_eq!(ended, [Ok(1), Err(Panicked), Ok(3)]);
        assert!(under_way.is_empty());
    }
}
