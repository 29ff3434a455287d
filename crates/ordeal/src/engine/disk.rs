//! A disk with a cache that forgets. What is written is in the cache; an fsync brings it to the platter, or fails, and then
//! the operating system drops what it could not write and says so once (Rebello et al., USENIX ATC 2020). A crash keeps
//! the platter and any part of the cache, cut anywhere.

use std::sync::{Arc, Mutex};

use store::Entry;

use crate::{
    bug::Bug,
    dice::Dice,
    life::Life,
    run::{Run, lock},
};

/// Length and checksum.
const HEAD: usize = 12;

/// A journal file on a disk.
pub struct Disk {
    run: Arc<Run>,
    state: Mutex<State>,
    dice: Mutex<Dice>,
}

#[derive(Default)]
struct State {
    platter: Vec<u8>,
    cache: Vec<u8>,
    /// Up to here the judge has seen the platter.
    judged: usize,
    places: u64,
}

/// The disk said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

impl Disk {
    /// Empty.
    #[must_use]
    pub fn new(run: &Arc<Run>) -> Arc<Self> {
        Arc::new(Self { run: Arc::clone(run), state: Mutex::default(), dice: run.dice("disk") })
    }

    /// Writes a record into the cache.
    pub fn write(&self, entry: &Entry) {
        // Encoding into memory cannot fail.
        let body = minicbor::to_vec(entry).unwrap_or_default();
        let mut state = lock(&self.state);
        state.cache.extend_from_slice(&(body.len() as u32).to_be_bytes());
        state.cache.extend_from_slice(&checksum(&body).to_be_bytes());
        state.cache.extend_from_slice(&body);
    }

    /// Brings what was written to the platter.
    ///
    /// # Errors
    /// [`Failed`], once; what was not written by then is gone.
    pub async fn sync(&self, life: &Life) -> Result<(), Failed> {
        life.passes("fsync begins").await;
        if self.run.has(Bug::NoFsync) {
            return Ok(());
        }
        life.takes(8).await;
        let mut dice = lock(&self.dice);
        let mut state = lock(&self.state);
        let cache = std::mem::take(&mut state.cache);
        let failed = self.run.happens(&mut dice, self.run.plan.rates.fsync);
        let reached = if failed { dice.below(cache.len() as u64 + 1) as usize } else { cache.len() };
        state.platter.extend_from_slice(&cache[..reached]);
        drop((dice, state));
        if failed {
            self.run.fault(format_args!("fsync fails after {reached} of {} bytes", cache.len()));
            return Err(Failed);
        }
        self.show_judge();
        Ok(())
    }

    /// The machine stops. Any beginning of the cache was written, the last byte perhaps wrongly.
    pub fn crash(&self) {
        self.run.judge(|judge| judge.queue_lost());
        let mut dice = lock(&self.dice);
        let mut state = lock(&self.state);
        let cache = std::mem::take(&mut state.cache);
        let reached =
            if self.run.is_calm() { cache.len() } else { dice.below(cache.len() as u64 + 1) as usize };
        state.platter.extend_from_slice(&cache[..reached]);
        if reached > 0 && reached < cache.len() && dice.happens(30_000) {
            self.run.fault(format_args!("the tail is torn"));
            if let Some(last) = state.platter.last_mut() {
                *last ^= 0x40;
            }
        }
    }

    /// Reads the journal again after a start; what does not read to its end is cut off.
    pub fn recover(&self) -> Vec<Entry> {
        let entries = {
            let mut state = lock(&self.state);
            let mut records = records(&state.platter);
            if self.run.has(Bug::CutTail) && records.len() > 1 {
                records.pop();
            }
            state.platter.truncate(records.last().map_or(0, |(end, _)| *end));
            records.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>()
        };
        self.show_judge();
        let lost = lock(&self.state).places.saturating_sub(entries.len() as u64);
        if lost > 0 {
            self.run.judge(|_| Err(format!("{lost} durable entries are gone after a restart")));
        }
        entries
    }

    /// The judge sees what is on the platter now.
    fn show_judge(&self) {
        let fresh = {
            let mut state = lock(&self.state);
            let from = state.judged.min(state.platter.len());
            let fresh = records(&state.platter[from..]);
            state.judged = from + fresh.last().map_or(0, |(end, _)| *end);
            let first = state.places + 1;
            state.places += fresh.len() as u64;
            (first..).zip(fresh).collect::<Vec<_>>()
        };
        for (place, (_, entry)) in fresh {
            self.run.step(format_args!("durable {place}: {:?} {}", entry.subject, entry.seq));
            self.run.judge(|judge| judge.durable(place, &entry));
        }
    }
}

/// The whole records at the beginning of some bytes, each with its end.
fn records(mut bytes: &[u8]) -> Vec<(usize, Entry)> {
    let (mut records, mut end) = (Vec::new(), 0);
    while let Some((head, rest)) = bytes.split_at_checked(HEAD) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        if checksum(body).to_be_bytes() != head[4..] {
            break;
        }
        let Ok(entry) = minicbor::decode::<Entry>(body) else { break };
        end += HEAD + length;
        records.push((end, entry));
        bytes = rest;
    }
    records
}

fn checksum(body: &[u8]) -> u64 {
    body.iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}
