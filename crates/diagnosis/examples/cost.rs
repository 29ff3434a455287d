//! What the diagnosis costs: microseconds of processor time per observation, against a floor that only walks the same
//! observations and looks their cards up in a map, and the memory that a terminal takes.
//!
//! `cargo run --release -p diagnosis --example cost`; for a quiet number put real-time priority before it (`chrt -r 1`).

#![allow(clippy::disallowed_methods, reason = "a measurement reads its own processor time")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use diagnosis::{Diagnose, Diagnosis, Observation, Tuning};

#[path = "../tests/it/world.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests' town: this program needs a part of it")]
mod world;

use world::World;

/// Counts what is allocated, so that memory is measured and not guessed.
struct Counted;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "a counting allocator hands every call to the system's")]
// SAFETY: every call is the system allocator's own, with the arguments that it was given.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const TERMINALS: usize = 2000;
const CARDS: usize = 50_000;
const SESSIONS: usize = 300_000;

fn main() {
    let mut world = World::new(1, TERMINALS, CARDS);
    world.tape = Some(Vec::new());
    world.live(SESSIONS, 20_000.0);
    let tape = world.tape.take().unwrap_or_default();
    drop(world);
    let floor = (0..3).map(|_| floor(&tape)).fold(f64::INFINITY, f64::min);
    let mut best = f64::INFINITY;
    let mut held = 0;
    let mut remembered = (0, 0);
    for _ in 0..3 {
        let before = HELD.load(Ordering::Relaxed);
        let mut diagnosis = Diagnosis::new(Tuning::default());
        let began = cpu_us();
        for observation in &tape {
            diagnosis.observe(observation);
        }
        best = best.min((cpu_us() - began) / tape.len() as f64);
        held = HELD.load(Ordering::Relaxed) - before;
        remembered = diagnosis.remembered();
    }
    println!("{} observations of {SESSIONS} card sessions at {TERMINALS} terminals", tape.len());
    println!("floor      {floor:.3} us per observation (walk, and one look-up of the card)");
    println!("diagnosis  {best:.3} us per observation, {:.1} times the floor", best / floor);
    println!(
        "memory     {:.1} MB for {} terminals and {} cards; {:.1} kB per terminal if all is theirs",
        held as f64 / 1e6,
        remembered.0,
        remembered.1,
        held as f64 / 1e3 / remembered.0.max(1) as f64
    );
}

fn floor(tape: &[Observation]) -> f64 {
    let began = cpu_us();
    let mut seen: HashMap<_, u64> = HashMap::new();
    for observation in tape {
        if let diagnosis::What::Payment(payment) = &observation.what {
            *seen.entry(payment.card).or_default() += 1;
        }
    }
    let took = cpu_us() - began;
    // the sum keeps the walk from being optimized away
    assert!(seen.values().sum::<u64>() > 0);
    took / tape.len() as f64
}

/// Microseconds of this thread's processor time: others on the machine do not count.
fn cpu_us() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1000.0
}
