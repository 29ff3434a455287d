//! A run: the plan over several threads, with news each second, and its report.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::crew::Crew;
use crate::deck::Deck;
use crate::plan::Plan;
use crate::tally::{Tally, Trouble, histogram};
use crate::worker::{Share, Worker};

/// How often there is news.
const NEWS: Duration = Duration::from_secs(1);

/// What happened since the last news.
#[derive(Debug, Clone, Copy)]
pub struct News {
    /// Since the beginning, in seconds.
    pub at: f64,
    /// Answers a second.
    pub per_second: f64,
    /// Latency in milliseconds that half of them did not exceed.
    pub p50_ms: f64,
    /// And ninety-nine of a hundred.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `closed` or `open`.
    #[serde(rename = "loop")]
    pub kind: &'static str,
    /// Of an open loop: requests due a second.
    pub rate: Option<f64>,
    /// TCP connections.
    pub connections: usize,
    /// Requests under way on each, at most.
    pub depth: usize,
    /// Of the load.
    pub threads: usize,
    /// In whose name.
    pub terminals: usize,
    /// That paid.
    pub cards: usize,
    /// How long was measured.
    pub seconds: f64,
    /// Answers meanwhile.
    pub answered: u64,
    /// A second.
    pub per_second: f64,
    /// Latencies in milliseconds: from when a request was due (open loop) or left (closed loop) to its answer.
    pub mean_ms: f64,
    /// Half of them.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// Ninety-nine of a hundred.
    pub p99_ms: f64,
    /// All but one of a thousand.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Processor time of the load for each request, in microseconds.
    pub client_cpu_us_per_request: f64,
    /// All answers by DE 39, those before and after the measured time included.
    pub answers: BTreeMap<String, u64>,
    /// Wrong PINs that were sent.
    pub wrong_pins: u64,
    /// Requests that were sent once more after their answer.
    pub repeats: u64,
    /// Connections that were cut.
    pub cuts: u64,
    /// Payments that were reversed after a cut.
    pub reversals: u64,
    /// Cards that were refused for their own sake and paid no more: no funds, locked, blocked.
    pub cards_retired: u64,
    /// Terminals whose totals were those of the host; `None` before they have settled.
    pub terminals_balanced: Option<usize>,
    /// What must not be, and how often it was.
    pub troubles: Vec<String>,
}

impl Report {
    /// Was everything as it must be?
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.troubles.is_empty()
    }

    /// What the settlements said.
    pub fn settled(&mut self, balanced: usize, troubles: Vec<Trouble>) {
        self.terminals_balanced = Some(balanced);
        let mut counted = BTreeMap::new();
        troubles.into_iter().for_each(|trouble| *counted.entry(trouble).or_insert(0) += 1);
        self.troubles.extend(in_words(&counted));
    }
}

fn in_words(troubles: &BTreeMap<Trouble, u64>) -> Vec<String> {
    troubles.iter().map(|(trouble, count)| format!("{count} × {trouble}")).collect()
}

/// Runs a plan with this crew, which is as it was afterwards but for its totals; `watch` hears each second how it goes.
///
/// # Errors
/// When not all connections can be made.
pub fn run(plan: &Plan, crew: &mut Crew, watch: &mut dyn FnMut(News)) -> io::Result<Report> {
    let threads = plan.threads.clamp(1, crew.tills.len()).min(plan.connections.max(1));
    let shared = Arc::new(Mutex::new(Tally::new()));
    let origin = Instant::now();
    let (terminals, cards) = (crew.terminals(), crew.cards());
    let workers = share_out(plan, crew, threads, origin)
        .map(|share| Worker::open(share, Arc::clone(&shared)))
        .collect::<io::Result<Vec<_>>>()?;
    let handles: Vec<_> = workers.into_iter().map(|worker| thread::spawn(|| worker.run())).collect();
    let mut last = origin;
    while !handles.iter().all(thread::JoinHandle::is_finished) {
        let waited = last.elapsed();
        if waited < NEWS {
            // The end of a run is not made to wait for its next news.
            thread::sleep((NEWS - waited).min(Duration::from_millis(50)));
            continue;
        }
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        watch(news(&shared.recent, origin.elapsed(), waited));
        shared.recent.reset();
        last = Instant::now();
    }
    let mut tally = Tally::new();
    for handle in handles {
        let (tills, own) = handle.join().map_err(|_| io::Error::other("a thread of the load broke off"))?;
        crew.tills.extend(tills);
        tally.add(&own);
    }
    Ok(report(plan, &tally, (threads, terminals, cards)))
}

/// Terminals are dealt to threads like cards, and connections to terminals.
fn share_out(plan: &Plan, crew: &mut Crew, threads: usize, origin: Instant) -> impl Iterator<Item = Share> {
    let mut tills: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    crew.tills.drain(..).enumerate().for_each(|(index, till)| tills[index % threads].push(till));
    let (cards, plan) = (Arc::clone(&crew.cards), plan.clone());
    tills.into_iter().enumerate().map(move |(thread, tills)| {
        let of_threads = (thread, threads);
        let connections = (plan.connections + threads - 1 - thread) / threads;
        let deck = Deck::new(Arc::clone(&cards), plan.mix.wrong_pin, of_threads);
        Share { plan: Plan { connections, ..plan.clone() }, tills, deck, of_threads, origin }
    })
}

fn news(recent: &Histogram<u64>, at: Duration, since: Duration) -> News {
    News {
        at: at.as_secs_f64(),
        per_second: recent.len() as f64 / since.as_secs_f64(),
        p50_ms: quantile(recent, 0.5),
        p99_ms: quantile(recent, 0.99),
        max_ms: recent.max() as f64 / 1000.0,
    }
}

fn quantile(latency: &Histogram<u64>, share: f64) -> f64 {
    latency.value_at_quantile(share) as f64 / 1000.0
}

fn report(plan: &Plan, tally: &Tally, (threads, terminals, cards): (usize, usize, usize)) -> Report {
    let latency = if tally.latency.is_empty() { &histogram() } else { &tally.latency };
    let (seconds, answered) = (plan.time.as_secs_f64(), tally.answered);
    Report {
        kind: if plan.rate.is_some() { "open" } else { "closed" },
        rate: plan.rate,
        connections: plan.connections,
        depth: plan.depth,
        threads,
        terminals,
        cards,
        seconds,
        answered,
        per_second: answered as f64 / seconds,
        mean_ms: latency.mean() / 1000.0,
        p50_ms: quantile(latency, 0.5),
        p90_ms: quantile(latency, 0.9),
        p99_ms: quantile(latency, 0.99),
        p999_ms: quantile(latency, 0.999),
        max_ms: latency.max() as f64 / 1000.0,
        client_cpu_us_per_request: tally.cpu_ns as f64 / 1000.0 / answered.max(1) as f64,
        answers: tally.codes.iter().map(|(code, count)| (code.to_string(), *count)).collect(),
        wrong_pins: tally.wrong_pins,
        repeats: tally.repeats,
        cuts: tally.cuts,
        reversals: tally.reversals,
        cards_retired: tally.retired,
        terminals_balanced: None,
        troubles: in_words(&tally.troubles),
    }
}
