//! The thread that owns the diagnosis. It takes observations in their order, answers questions between two batches, and
//! lays out what changed; nobody shares its memory, so nobody waits for a lock.

use std::{
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use diagnosis::{Change, Diagnose, Incident, Observation, Suspicion, Verdict};
use model::{Rrn, Timestamp};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::apart;

/// Batches and questions that wait; one more makes the asker wait.
const INBOX: usize = 8;

/// While there is much to do, what changed is laid out so often: people do not see the difference.
const PACE: Duration = Duration::from_millis(200);

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

/// The incidents at a moment, those that did not change shared with the moment before.
pub(crate) type Incidents = Arc<Vec<Arc<Incident>>>;

/// Where what changed is laid out.
pub(crate) struct Outlets {
    /// All incidents that are remembered, as soon as one changed.
    pub(crate) incidents: watch::Sender<Incidents>,
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
    apart::step_back();
    let mut changed = false;
    let mut laid_out = LaidOut::default();
    while let Some(message) = inbox.blocking_recv() {
        let waits = matches!(message, Message::Wait(_));
        let passes = matches!(message, Message::Advance(_));
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
        // One look at all is enough for many changes; time passes as a message, too, so none is kept back for long.
        if changed && (waits || inbox.is_empty() && laid_out.is_due()) {
            changed = false;
            outlets.incidents.send_replace(laid_out.anew(&*diagnose).0);
        } else if passes && laid_out.is_due() {
            // Cards and refusals are counted without telling a change each time.
            let (incidents, differ) = laid_out.anew(&*diagnose);
            if differ {
                outlets.incidents.send_replace(incidents);
            }
        }
    }
}

/// What was laid out last: incidents that did not change since are not copied again.
#[derive(Default)]
struct LaidOut {
    at: Option<Instant>,
    incidents: HashMap<u64, Arc<Incident>>,
}

impl LaidOut {
    fn is_due(&self) -> bool {
        self.at.is_none_or(|at| at.elapsed() >= PACE)
    }

    /// The incidents now, and whether any is not as it was.
    fn anew(&mut self, diagnose: &dyn Diagnose) -> (Incidents, bool) {
        self.at = Some(Instant::now());
        let mut before = std::mem::take(&mut self.incidents);
        let (mut all, mut differ) = (Vec::new(), false);
        for incident in diagnose.incidents() {
            let same = before.remove(&incident.id).filter(|before| **before == *incident);
            differ |= same.is_none();
            let same = same.unwrap_or_else(|| Arc::new(incident.clone()));
            self.incidents.insert(incident.id, Arc::clone(&same));
            all.push(same);
        }
        (Arc::new(all), differ)
    }
}
