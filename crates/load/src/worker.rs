//! One thread of load: its connections, the loop that waits for them, and what it makes of each answer.
//!
//! The system call is the cost, not the bytes: what has arrived on a connection is read at once, each answer in it is followed by
//! its next request, and all of these leave in one write. In an open loop, requests that are due are dealt to
//! connections in runs as long as the depth, for the same reason.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use iso8583::{Dialect, FrameLimit, Framing, Message, Mti};
use model::{ResponseCode, Stan};
use rustix::event::{Timespec, epoll};
use rustix::time::{ClockId, clock_gettime};

use crate::crew::Till;
use crate::deck::{Deck, Drawn, Draws};
use crate::line::{Line, Purpose, Request};
use crate::pace::Pace;
use crate::plan::Plan;
use crate::tally::{Meaning, Tally, Trouble, meaning};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Connections that one wait can report.
const EVENTS: usize = 256;
/// How often the loop looks at the clock for time-outs, and tells what happened.
const TICK: Duration = Duration::from_millis(250);
/// Between two looks at what is due in an open loop. Requests that fall due meanwhile leave late by up to this much, and
/// their latencies say so.
const DEAL: u64 = 100_000;
/// DE 39 of a reversal that did its work, or found that there was nothing to undo.
const REVERSED: [&str; 3] = ["00", "12", "25"];

/// What one thread has to do.
pub(crate) struct Share {
    /// Connections are those of the thread, the rate is that of all.
    pub(crate) plan: Plan,
    pub(crate) tills: Vec<Till>,
    pub(crate) deck: Deck,
    pub(crate) of_threads: (usize, usize),
    pub(crate) origin: Instant,
}

pub(crate) struct Worker {
    plan: Plan,
    origin: Instant,
    tills: Vec<Till>,
    lines: Vec<Line>,
    deck: Deck,
    draws: Draws,
    pace: Option<Pace>,
    epoll: rustix::fd::OwnedFd,
    dialect: Arc<Dialect>,
    framing: Framing,
    tally: Tally,
    shared: Arc<Mutex<Tally>>,
    /// Where the open loop deals to, and how many it has dealt there in a row.
    dealing: (usize, usize),
    /// Lines on which something waits to be written.
    dirty: BTreeSet<usize>,
    stopping: bool,
}

const SALE_ANSWER: Mti = mti(0x0210);
const REVERSAL_ANSWERS: [Mti; 2] = [mti(0x0410), mti(0x0430)];

const fn mti(packed: u16) -> Mti {
    match Mti::packed(packed) {
        Some(mti) => mti,
        None => panic!("a message type literal has decimal digits"),
    }
}

impl Worker {
    /// Opens the connections.
    pub(crate) fn open(share: Share, shared: Arc<Mutex<Tally>>) -> std::io::Result<Worker> {
        let Share { plan, tills, deck, of_threads, origin } = share;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut lines = Vec::with_capacity(plan.connections);
        for index in 0..plan.connections {
            let till = index % tills.len();
            let line = Line::open(till, tills[till].address)?;
            register(&epoll, &line, index)?;
            lines.push(line);
        }
        Ok(Worker {
            dialect: Arc::clone(tills[0].bulk.dialect()),
            framing: tills[0].bulk.framing(),
            draws: Draws::new(plan.seed.wrapping_add(of_threads.0 as u64)),
            pace: plan.rate.map(|rate| Pace::new(rate, of_threads)),
            plan,
            origin,
            tills,
            lines,
            deck,
            epoll,
            tally: Tally::new(),
            shared,
            dealing: (0, 0),
            dirty: BTreeSet::new(),
            stopping: false,
        })
    }

    /// Pays until the time is over and everything under way is answered; gives the terminals back.
    pub(crate) fn run(mut self) -> (Vec<Till>, Tally) {
        let begin = nanos(self.plan.warm_up);
        let end = begin + nanos(self.plan.time);
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; READ_BYTES];
        let (mut next_tick, mut measuring, mut cpu) = (0, false, 0);
        if self.pace.is_none() {
            (0..self.lines.len()).for_each(|line| self.fill(line));
        }
        loop {
            let now = self.now();
            if !measuring && now >= begin {
                self.tally.begin();
                (measuring, cpu) = (true, thread_cpu());
            }
            if !self.stopping && now >= end {
                self.stopping = true;
                self.tally.cpu_ns = thread_cpu() - cpu;
            }
            if now >= next_tick {
                self.tick(now);
                next_tick = now + nanos(TICK);
            }
            if self.stopping && self.is_quiet() {
                break;
            }
            self.deal(now);
            self.flush_all();
            events.clear();
            let wait = self.patience(now, next_tick, if self.stopping { u64::MAX } else { end });
            let room = rustix::buffer::spare_capacity(&mut events);
            if epoll::wait(&self.epoll, room, Some(&wait)).is_err() {
                continue; // a signal
            }
            for event in &events {
                let (data, flags) = (event.data, event.flags);
                self.ready(data.u64() as usize, flags, &mut buffer);
            }
        }
        self.tick(self.now());
        self.tally.retired = u64::from(self.deck.retired());
        (self.tills, self.tally)
    }

    fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }

    fn is_quiet(&self) -> bool {
        self.lines.iter().all(|line| line.requests.is_empty())
    }

    /// Until something is due. While connections are full, only answers change that.
    fn patience(&self, now: u64, next_tick: u64, end: u64) -> Timespec {
        let mut until = next_tick.min(end);
        if let Some(pace) = self.pace.as_ref().filter(|_| !self.stopping) {
            let due = pace.next_due();
            if due > now || self.lines.iter().any(|line| line.has_room(self.plan.depth)) {
                until = until.min(due.max(now + DEAL));
            }
        }
        let wait = until.saturating_sub(now);
        Timespec { tv_sec: (wait / 1_000_000_000) as i64, tv_nsec: (wait % 1_000_000_000) as _ }
    }

    /// Time-outs, and news for who watches.
    fn tick(&mut self, now: u64) {
        let too_old = now.saturating_sub(nanos(self.plan.reply_timeout));
        for line in &mut self.lines {
            while let Some(at) = line.requests.iter().position(|request| request.due < too_old) {
                line.requests.swap_remove(at);
                line.stans.swap_remove(at);
                self.tally.trouble(Trouble::NotAnswered);
            }
        }
        if let Some(card) = self.deck.any() {
            for till in &mut self.tills {
                if let Err(error) = till.renew_form(&card.card, self.plan.amount) {
                    self.tally.trouble(Trouble::Terminal(error.to_string()));
                }
            }
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = shared.recent.add(&self.tally.recent); // same bounds
        drop(shared);
        self.tally.collect();
        if self.lines.iter().all(|line| line.stream.is_none()) {
            self.stopping = true;
        }
    }

    /// Hands out what is due in an open loop.
    fn deal(&mut self, now: u64) {
        let Some(mut pace) = self.pace.take() else { return };
        while !self.stopping && pace.next_due() <= now {
            let Some(line) = self.line_with_room() else { break };
            let Some(due) = pace.take(now) else { break };
            self.request(line, due);
        }
        self.pace = Some(pace);
    }

    fn line_with_room(&mut self) -> Option<usize> {
        let (line, dealt) = self.dealing;
        let count = self.lines.len();
        let first = if dealt >= self.plan.depth { (line + 1) % count } else { line };
        let found = (0..count)
            .map(|step| (first + step) % count)
            .find(|at| self.lines[*at].has_room(self.plan.depth))?;
        self.dealing = if found == line && dealt < self.plan.depth { (line, dealt + 1) } else { (found, 1) };
        Some(found)
    }

    /// As many requests as a closed loop has under way.
    fn fill(&mut self, line: usize) {
        let now = self.now();
        while !self.stopping && self.lines[line].has_room(self.plan.depth) {
            if !self.request(line, now) {
                break;
            }
        }
    }

    /// One more payment. `false`: there is none to be had.
    fn request(&mut self, at: usize, due: u64) -> bool {
        let Some(Drawn { card, wrong_pin }) = self.deck.draw(&mut self.draws) else {
            return self.give_up(Trouble::NoCards);
        };
        let line = &mut self.lines[at];
        let till = &mut self.tills[line.till];
        let stan = match till.take_stan() {
            Ok(Some(stan)) => stan,
            Ok(None) => return self.give_up(Trouble::NoTraceNumbers),
            Err(error) => return self.give_up(Trouble::Terminal(error.to_string())),
        };
        let begin = line.out.len();
        if let Err(error) = till.write_sale(stan, card, self.deck.card(card), wrong_pin, &mut line.out) {
            return self.give_up(Trouble::Terminal(error.to_string()));
        }
        let keeps = self.plan.mix.sends_again();
        let frame = if keeps { line.out[begin..].to_vec() } else { Vec::new() };
        line.cut_next |= self.draws.happens(self.plan.mix.cut);
        self.tally.wrong_pins += u64::from(wrong_pin);
        let purpose = Purpose::Payment { wrong_pin };
        line.put(stan, Request { due, card, purpose, frame, expected: Vec::new() });
        self.dirty.insert(at);
        true
    }

    fn give_up(&mut self, trouble: Trouble) -> bool {
        if !self.stopping {
            self.tally.trouble(trouble);
        }
        self.stopping = true;
        false
    }

    fn flush_all(&mut self) {
        while let Some(line) = self.dirty.pop_first() {
            self.flush(line);
        }
    }

    fn flush(&mut self, at: usize) {
        let line = &mut self.lines[at];
        let was_blocked = line.blocked;
        if line.flush().is_err() {
            self.tally.trouble(Trouble::Closed);
            return self.recover(at);
        }
        if line.blocked != was_blocked
            && let Some(stream) = &line.stream
        {
            let interest = if line.blocked {
                epoll::EventFlags::IN | epoll::EventFlags::OUT
            } else {
                epoll::EventFlags::IN
            };
            let _ = epoll::modify(&self.epoll, stream, epoll::EventData::new_u64(at as u64), interest);
        }
        if line.cut_next && !line.blocked {
            self.tally.cuts += 1;
            self.recover(at);
        }
    }

    /// A new connection in the place of one that was lost. Of what was under way, every other payment is reversed; the rest
    /// is sent again as it was.
    fn recover(&mut self, at: usize) {
        let line = &mut self.lines[at];
        let connected = line.reconnect().and_then(|()| register(&self.epoll, &self.lines[at], at));
        let line = &mut self.lines[at];
        if connected.is_err() {
            line.stream = None;
            for _ in line.requests.drain(..) {
                self.tally.trouble(Trouble::NotAnswered);
            }
            line.stans.clear();
            return self.tally.trouble(Trouble::Unreachable);
        }
        let till = &mut self.tills[line.till];
        for (index, (stan, request)) in line.stans.iter_mut().zip(&mut line.requests).enumerate() {
            if matches!(request.purpose, Purpose::Payment { .. }) && index % 2 == 1 {
                match till.bulk.reversal(&self.deck.card(request.card).card, self.plan.amount, *stan) {
                    Ok((own, frame)) => {
                        *stan = own;
                        (request.frame, request.purpose) = (frame, Purpose::Reversal);
                        self.tally.reversals += 1;
                    }
                    Err(error) => self.tally.trouble(Trouble::Terminal(error.to_string())),
                }
            }
            line.out.extend_from_slice(&request.frame);
        }
        self.dirty.insert(at);
    }

    fn ready(&mut self, at: usize, flags: epoll::EventFlags, buffer: &mut [u8]) {
        if flags.contains(epoll::EventFlags::OUT) {
            self.dirty.insert(at);
        }
        let filled = match self.lines[at].read(buffer) {
            Ok(None) => return,
            Ok(Some(0)) | Err(_) => {
                self.tally.trouble(Trouble::Closed);
                return self.recover(at);
            }
            Ok(Some(filled)) => filled,
        };
        let now = self.now();
        let (dialect, mut from) = (Arc::clone(&self.dialect), 0);
        loop {
            match self.framing.split(&buffer[from..filled], FrameLimit::default()) {
                Ok(Some(frame)) => {
                    from += frame.consumed;
                    match dialect.decode(frame.body) {
                        Ok(answer) => self.answered(at, &answer, now),
                        Err(_) => self.tally.trouble(Trouble::Unreadable),
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    self.tally.trouble(Trouble::Unreadable);
                    return self.recover(at);
                }
            }
        }
        self.lines[at].rest.extend_from_slice(&buffer[from..filled]);
        if self.pace.is_none() {
            self.fill(at);
        }
        if self.dirty.remove(&at) {
            self.flush(at);
        }
    }

    fn answered(&mut self, at: usize, answer: &Message<'_>, now: u64) {
        let line = &mut self.lines[at];
        let number = answer.digits(11).and_then(|n| u32::try_from(n).ok()).and_then(|n| Stan::new(n).ok());
        let Some((stan, request)) = number.and_then(|stan| line.take(stan).map(|request| (stan, request)))
        else {
            return self.tally.trouble(Trouble::NobodyAsked);
        };
        let till = &self.tills[line.till];
        let code = answer.short(39).and_then(|text| text.parse::<ResponseCode>().ok());
        let (Some(code), Some(terminal)) = (code, answer.raw(41)) else {
            return self.tally.trouble(Trouble::Unreadable);
        };
        let is_reversal = request.purpose == Purpose::Reversal;
        let type_fits =
            if is_reversal { REVERSAL_ANSWERS.contains(&answer.mti()) } else { answer.mti() == SALE_ANSWER };
        if terminal != till.bulk.id().as_bytes() || !type_fits {
            return self.tally.trouble(Trouble::OtherRequest);
        }
        self.tally.answered += u64::from(!self.stopping);
        self.tally.answer(code, now.saturating_sub(request.due));
        if self.plan.check_macs && meaning(code) == Meaning::Approved && !till.bulk.believes(answer) {
            self.tally.trouble(Trouble::Mac);
        }
        match request.purpose {
            Purpose::Payment { wrong_pin } => {
                self.concluded(at, request.card, wrong_pin, code);
                self.maybe_repeat(at, stan, request, answer.body(), now);
            }
            Purpose::Repeat if request.expected == answer.body() => {}
            Purpose::Repeat => self.tally.trouble(Trouble::RepeatDiffers),
            Purpose::Reversal => {
                self.deck.owes_right_pin(request.card);
                if !REVERSED.contains(&code.as_str()) {
                    self.tally.trouble(Trouble::ReversalRefused(code.to_string()));
                }
            }
        }
    }

    /// What the answer to a payment means for its card.
    fn concluded(&mut self, at: usize, card: u32, wrong_pin: bool, code: ResponseCode) {
        let till = self.lines[at].till;
        match (meaning(code), wrong_pin) {
            (Meaning::Approved, false) => {
                self.tills[till].bulk.book(self.plan.amount);
                self.deck.paid(card);
            }
            (Meaning::WrongPin, true) => self.deck.owes_right_pin(card),
            (Meaning::WrongPin, false) => {
                self.tally.trouble(Trouble::RightPinRefused);
                self.deck.retire(card);
            }
            (Meaning::Approved, true) => {
                self.tally.trouble(Trouble::WrongPinAnswered(code.to_string()));
                self.deck.retire(card);
            }
            (Meaning::Card, _) => self.deck.retire(card),
            (Meaning::Trouble, _) => {
                self.tally.trouble(Trouble::Refused(code.to_string()));
                self.deck.owes_right_pin(card);
            }
        }
    }

    fn maybe_repeat(&mut self, at: usize, stan: Stan, mut request: Request, answer: &[u8], now: u64) {
        let line = &mut self.lines[at];
        if self.stopping || !self.draws.happens(self.plan.mix.repeats) {
            return;
        }
        line.out.extend_from_slice(&request.frame);
        request.expected.extend_from_slice(answer);
        (request.due, request.purpose) = (now, Purpose::Repeat);
        line.put(stan, request);
        self.tally.repeats += 1;
        self.dirty.insert(at);
    }
}

fn register(epoll: &rustix::fd::OwnedFd, line: &Line, index: usize) -> std::io::Result<()> {
    let Some(stream) = &line.stream else { return Ok(()) };
    Ok(epoll::add(epoll, stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Processor time of this thread, in nanoseconds.
fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
