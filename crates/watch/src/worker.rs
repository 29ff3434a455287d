//! The thread that owns the diagnosis. It takes observations in their order, answers questions between two batches, and
//! lays out what changed; nobody shares its memory, so nobody waits for a lock.

use std::{sync::Arc, thread};

use diagnosis::{Change, Diagnose, Incident, Observation, Suspicion, Verdict};
use model::{Rrn, Timestamp};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Batches and questions that wait; one more makes the asker wait.
const INBOX: usize = 8;

/// What the worker is told or asked.
pub(crate) enum Message {
    /// Observations in the order of the journal.
    Batch(Vec<Observation>),
    /// Nothing happened until then.
    Advance(Timestamp),
    /// What is known about a refusal?
    Ask(Rrn, oneshot::Sender<Option<Verdict>>),
    /// What looks oddest, at most so much?
    Suspicions(usize, oneshot::Sender<Vec<Suspicion>>),
    /// Say when everything before this was taken.
    Wait(oneshot::Sender<()>),
}

/// Where what changed is laid out.
pub(crate) struct Outlets {
    /// All incidents that are remembered, as soon as one changed.
    pub(crate) incidents: watch::Sender<Arc<Vec<Incident>>>,
    /// Verdicts that were revised.
    pub(crate) revised: broadcast::Sender<Rrn>,
}

/// Starts the thread; it ends when everybody who talks to it is gone.
pub(crate) fn start(diagnose: Box<dyn Diagnose>, outlets: Outlets) -> std::io::Result<mpsc::Sender<Message>> {
    let (sender, inbox) = mpsc::channel(INBOX);
    thread::Builder::new().name("diagnosis".to_owned()).spawn(move || run(diagnose, inbox, &outlets))?;
    Ok(sender)
}

fn run(mut diagnose: Box<dyn Diagnose>, mut inbox: mpsc::Receiver<Message>, outlets: &Outlets) {
    let mut changed = false;
    while let Some(message) = inbox.blocking_recv() {
        match message {
            Message::Batch(observations) => {
                observations.iter().for_each(|observation| diagnose.observe(observation));
            }
            Message::Advance(now) => diagnose.advance(now),
            Message::Ask(rrn, answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(diagnose.verdict(&rrn));
            }
            Message::Suspicions(most, answer) => drop(answer.send(diagnose.suspicions(most))),
            Message::Wait(answer) => drop(answer.send(())),
        }
        for change in diagnose.changes() {
            match change {
                Change::Verdict(rrn) => drop(outlets.revised.send(rrn)),
                Change::Opened(_) | Change::Revised(_) | Change::Ended(_) | Change::Retracted(_) => {
                    changed = true;
                }
            }
        }
        // A copy of all is made once for many changes: at the latest when nothing more waits.
        if changed && inbox.is_empty() {
            changed = false;
            let incidents = diagnose.incidents().into_iter().cloned().collect();
            outlets.incidents.send_replace(Arc::new(incidents));
        }
    }
}
