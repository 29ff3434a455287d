//! Takes signals out of the host, writes them into the book in batches, and passes them on. A book that cannot be written
//! is said once and done without: nothing waits for it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
};

use super::{Book, Inbox, Signal};

/// Signals of so long are one write.
const BATCH: Duration = Duration::from_millis(200);
/// And at most so many.
const BATCH_MAX: usize = 1024;
/// A subscriber that is so many signals behind misses some, and is told how many.
const BEHIND_MAX: usize = 8192;

/// The task that keeps signals.
pub struct Keeper {
    news: broadcast::Sender<Arc<Signal>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins to keep what comes out of a host; without a book it only passes on.
    #[must_use]
    pub fn start(inbox: Inbox, book: Option<Book>) -> Self {
        let (news, _) = broadcast::channel(BEHIND_MAX);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(keep(inbox, book, news.clone(), stopped));
        Self { news, stop, task }
    }

    /// Signals from now on, each after it was put into the book.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Signal>> {
        self.news.subscribe()
    }

    /// Writes what was told, and ends.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn keep(
    mut inbox: Inbox,
    mut book: Option<Book>,
    news: broadcast::Sender<Arc<Signal>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut batch = Vec::new();
    loop {
        let last = tokio::select! {
            biased;
            taken = inbox.next(&mut batch, BATCH_MAX) => taken == 0,
            _ = stopped.wait_for(|stopped| *stopped) => true,
        };
        if !batch.is_empty() {
            book = write(book, batch.clone()).await;
            for signal in batch.drain(..) {
                let _ = news.send(Arc::new(signal));
            }
        }
        if last {
            return;
        }
        let _ = tokio::time::timeout(BATCH, stopped.wait_for(|stopped| *stopped)).await;
    }
}

async fn write(book: Option<Book>, batch: Vec<Signal>) -> Option<Book> {
    let mut book = book?;
    let written = tokio::task::spawn_blocking(move || book.append(&batch).map(|()| book)).await;
    match written {
        Ok(Ok(book)) => Some(book),
        Ok(Err(error)) => {
            tracing::error!(%error, "signals are not kept any more");
            None
        }
        Err(error) => {
            tracing::error!(%error, "signals are not kept any more");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::signal::{Kind, Outbox};

    #[tokio::test]
    async fn what_was_told_is_kept_and_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(0);
        let keeper = Keeper::start(outbox.take().unwrap(), Some(Book::open(folder.path()).unwrap()));
        let mut news = keeper.subscribe();
        let terminal = "T0000001".parse().unwrap();
        outbox.tell(terminal, Timestamp(1), Kind::Cut);
        let heard = tokio::time::timeout(Duration::from_secs(20), news.recv()).await.unwrap().unwrap();
        assert_eq!((heard.terminal, &heard.kind), (terminal, &Kind::Cut));
        outbox.tell(terminal, Timestamp(2), Kind::Unreadable);
        keeper.stop().await;
        let kept: Vec<Signal> = Book::read(folder.path()).unwrap().collect();
        assert_eq!(kept.iter().map(|s| s.at.0).collect::<Vec<_>>(), [1, 2]);
    }
}
