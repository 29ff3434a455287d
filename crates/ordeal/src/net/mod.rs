//! The network between terminals and hosts. Frames are cut out of what is written, and each has its own fate: it arrives,
//! is lost, arrives twice, late, or before an earlier one; or its connection is cut, for both ends or for one alone.
//!
//! TCP itself would lose and reorder nothing inside a connection. Concentrators, retransmitting terminals and links that
//! are re-established in the middle of an exchange do, and a host must not care.

mod pipe;
mod tap;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use host::Gate;
use tokio::{
    task::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    dice::Dice,
    life::Life,
    run::{Run, lock},
};
pub use pipe::{Ends, ServerRead, ServerWrite, TerminalWire};
use pipe::{Pipe, Side};
pub use tap::{Asking, Line, Spoken, spoken};

/// Frames that are remembered for replays.
const OVERHEARD: usize = 64;

/// The network of one world.
pub struct Net {
    run: Arc<Run>,
    doors: Mutex<Vec<Option<Door>>>,
    dice: Mutex<Dice>,
    overheard: Mutex<Vec<Vec<u8>>>,
}

/// Where a living host is found.
struct Door {
    gate: Gate,
    life: Arc<Life>,
    ends: Vec<Arc<Ends>>,
    serving: Vec<JoinHandle<()>>,
}

impl Net {
    /// A network with so many hosts, none of which is up.
    #[must_use]
    pub fn new(run: &Arc<Run>) -> Arc<Self> {
        let doors = std::iter::repeat_with(|| None).take(run.plan.hosts).collect();
        let (doors, overheard) = (Mutex::new(doors), Mutex::default());
        Arc::new(Self { run: Arc::clone(run), doors, dice: run.dice("net"), overheard })
    }

    /// A host can be reached.
    pub fn up(&self, host: usize, gate: Gate, life: Arc<Life>) {
        let door = Door { gate, life, ends: Vec::new(), serving: Vec::new() };
        lock(&self.doors)[host] = Some(door);
    }

    /// A host is gone, and its connections with it.
    pub fn down(&self, host: usize) {
        let Some(door) = lock(&self.doors)[host].take() else { return };
        for ends in &door.ends {
            ends.cut(Side::Terminal);
        }
        door.serving.iter().for_each(JoinHandle::abort);
    }

    /// Connects to a host, or to whichever answers.
    ///
    /// # Errors
    /// Refused when the host is down.
    pub async fn connect(self: &Arc<Self>, host: usize) -> io::Result<TerminalWire> {
        let wait = lock(&self.dice).between(1, 10);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let mut doors = lock(&self.doors);
        let Some(door) = doors[host].as_mut() else { return Err(io::ErrorKind::ConnectionRefused.into()) };
        let ends = Arc::new(Ends::default());
        let (wire, read, write) = pipe::connection(self, &ends, host, &door.life);
        let peer = SocketAddr::from(([10, 0, 0, 1], 40_000));
        let gate = door.gate.clone();
        door.serving.push(tokio::spawn(async move { gate.serve(read, write, peer).await }));
        door.ends.push(ends);
        Ok(wire)
    }

    /// How many hosts there are.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.run.plan.hosts
    }

    /// A frame that somebody sent earlier, to be sent once more.
    pub fn overheard(&self, dice: &mut Dice) -> Option<Vec<u8>> {
        let frames = lock(&self.overheard);
        let frame = (!frames.is_empty()).then(|| dice.pick(&frames).clone())?;
        tap::copied(&self.run, &frame);
        Some(frame)
    }

    fn overhear(&self, frame: &[u8]) {
        let mut frames = lock(&self.overheard);
        if frames.len() < OVERHEARD {
            frames.push(frame.to_vec());
        } else {
            let at = lock(&self.dice).below(OVERHEARD as u64) as usize;
            frames[at] = frame.to_vec();
        }
    }

    /// Sends a frame on its way to the other end.
    fn carry(&self, ends: &Arc<Ends>, to: Side, frame: Vec<u8>) {
        let (run, rates) = (&self.run, &self.run.plan.rates);
        let mut dice = lock(&self.dice);
        if run.happens(&mut dice, rates.cut) {
            run.fault(format_args!("cut"));
            ends.cut(Side::Host);
            ends.cut(Side::Terminal);
            return;
        }
        if run.happens(&mut dice, rates.half_open) {
            let side = if dice.happens(50_000) { Side::Host } else { Side::Terminal };
            run.fault(format_args!("half-open: {side:?} alone notices"));
            ends.half_open(side);
            return;
        }
        if run.happens(&mut dice, rates.lost) {
            run.fault(format_args!("frame to {to:?} lost"));
            return;
        }
        let mut after = dice.between(1, 15);
        if run.happens(&mut dice, rates.slow) {
            after += dice.between(50, 40_000);
            run.fault(format_args!("frame to {to:?} takes {after} ms"));
        }
        let overtakes = run.happens(&mut dice, rates.overtaking);
        let twice = run.happens(&mut dice, rates.doubled);
        if twice {
            tap::copied(run, &frame);
            let later = after + dice.between(0, 30_000);
            run.fault(format_args!("frame to {to:?} again after {later} ms"));
            deliver(ends.pipe(to), frame.clone(), Instant::now() + Duration::from_millis(later));
        }
        let pipe = ends.pipe(to);
        let at = pipe.in_turn(Instant::now() + Duration::from_millis(after), overtakes);
        deliver(pipe, frame, at);
    }
}

fn deliver(pipe: Arc<Pipe>, frame: Vec<u8>, at: Instant) {
    tokio::spawn(async move {
        tokio::time::sleep_until(at).await;
        pipe.arrive(&frame);
    });
}
