//! Everybody outside the host, one after the other in the order of time: people come to terminals, enter PINs on keypads that
//! may be worn, over lines that may lose; answers make them try again, go elsewhere, or call the desk (`reaction`).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    sync::Arc,
};

use anyhow::Context;
use diagnosis::What;
use host::observe::Observer;
use iso8583::Dialect;
use model::{Amount, Pan, Rrn, Stan, TerminalId};
use simulator::{Terminal, TerminalError, Varied, memory::Memory, memory::OwedReversal, terminal};

use super::{
    kit::Kit,
    ledger::Journalled,
    pad,
    record::{Labels, Recorded, Visited},
    report::Told,
    ruling::Ruling,
    world::World,
};
use crate::{
    chance::Chance,
    data::{Normal, normal},
    day::{
        Act, Day, Deed, Mechanism, Truth, Visit, Visits, Who, cards,
        fleet::{CARRIERS, MODELS},
    },
};

/// What happens later because of what happened before.
pub(super) enum Later {
    Try(Attempt),
    Reverse(u32, Box<OwedReversal>),
    SignIn(u32),
    Deed(Deed),
}

/// One entry of a PIN.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) visit: Visit,
    /// From 1 within a visit.
    pub(super) number: u32,
    /// Visits before this one with the same purpose.
    pub(super) visits: u32,
    /// Submitted again by the application: nobody entered anything.
    pub(super) copied: bool,
}

/// Codes of answers that say what became of a PIN, or of the payment after it was looked at.
const LOOKED_AT: [&[u8; 2]; 6] = [b"00", b"51", b"55", b"61", b"75", b"38"];

/// What came of an exchange, as far as the terminal knows.
pub(super) enum Answer {
    /// The keypad took no such PIN: nothing was sent.
    NotSent,
    /// Nothing came back.
    Silence,
    /// DE 39.
    Code([u8; 2]),
}

/// What somebody did to a payment on its way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Touched {
    /// The fault that changed the message or its fate.
    pub(super) by: Option<u16>,
    /// The digits that were typed are the card's.
    pub(super) right: bool,
}

pub(super) struct Player {
    pub(super) kit: Arc<Kit>,
    pub(super) world: World,
    pub(super) labels: Labels,
    pub(super) chance: Chance,
    pub(super) normal: &'static Normal,
    /// Tries of a card that a fault consumed and that were not given back since.
    pub(super) harmed: HashMap<u32, (u16, i64)>,
    pub(super) observations: Vec<diagnosis::Observation>,
    observer: Observer,
    rules: Ruling,
    terminals: Vec<Terminal>,
    told: Vec<Told>,
    queue: BinaryHeap<Reverse<(i64, u64)>>,
    waiting: BTreeMap<u64, Later>,
    order: u64,
    text: String,
}

impl Player {
    pub(super) async fn open(kit: &Arc<Kit>, day: Day) -> anyhow::Result<Self> {
        let world = World::open(kit, &day).await?;
        let sandbox = kit.sandbox(&day.fleet)?;
        let open = |id: TerminalId| -> anyhow::Result<Terminal> {
            let memory = Memory::volatile(Stan::new(1)?);
            let mut opened = Terminal::with_memory(&sandbox, id, terminal::Settings::default(), memory)?;
            opened.connect_through(world.network());
            Ok(opened)
        };
        let terminals =
            day.fleet.terminals.iter().map(|till| open(till.id)).collect::<anyhow::Result<_>>()?;
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai")?;
        let mut observer = Observer::new(&[], zone.clone());
        let registrations = kit.registrations(&day.fleet)?;
        for registration in &registrations {
            if let store::Registration::Terminal(record) = registration {
                observer.learn(record);
            }
        }
        let ids: Vec<_> = kit.cards.iter().map(|made| world.id_of(&made.pan)).collect();
        Ok(Self {
            kit: Arc::clone(kit),
            chance: Chance::new(day.seed, "people"),
            normal: normal(),
            harmed: HashMap::new(),
            observations: Vec::with_capacity(64_000),
            observer,
            rules: Ruling::open(zone, &registrations)?,
            terminals,
            told: vec![Told::default(); day.fleet.terminals.len()],
            queue: BinaryHeap::new(),
            waiting: BTreeMap::new(),
            order: 0,
            text: String::new(),
            labels: Labels::new(day, ids),
            world,
        })
    }

    /// Puts something off.
    pub(super) fn later(&mut self, at: i64, what: Later) {
        if at < crate::day::END_MS {
            self.order += 1;
            self.queue.push(Reverse((at, self.order)));
            self.waiting.insert(self.order, what);
        }
    }

    pub(super) async fn play(&mut self, heard: &mut dyn FnMut(u64)) -> anyhow::Result<()> {
        // The plan is not changed while it is played; a copy lets the visits borrow it.
        let plan = self.labels.day.clone();
        let (from, until) = plan.played;
        let is_played = |act: &&Act| {
            // Without a sign-in nobody pays, whenever the day begins.
            (from..until).contains(&act.at)
                || (act.at < from && matches!(act.deed, Deed::SignIn(_) | Deed::Desk { .. }))
        };
        let mut acts = plan.acts.iter().filter(is_played).cloned().peekable();
        let mut visits: std::iter::Peekable<Visits<'_>> = plan.visits().peekable();
        let step_ms = ((until - from) / super::STEPS as i64).max(1);
        let mut told = 0;
        loop {
            let act = acts.peek().map(|act| act.at);
            let visit = visits.peek().map(|(at, _)| *at);
            let queued = self.queue.peek().map(|Reverse((at, _))| *at);
            let Some(next) = [act, visit, queued].into_iter().flatten().min() else { break };
            self.world.set_time(next);
            if act == Some(next) {
                if let Some(Act { deed, .. }) = acts.next() {
                    self.deed(next, deed).await?;
                }
            } else if queued == Some(next) {
                self.queued(next).await?;
            } else if let Some((at, visit)) = visits.next() {
                self.deed(at, Deed::Visit(visit)).await?;
            }
            let steps = (next - from).max(0) as u64 / step_ms as u64;
            if steps.min(super::STEPS) > told {
                heard(steps.min(super::STEPS) - told);
                told = steps.min(super::STEPS);
            }
        }
        heard(super::STEPS - told);
        Ok(())
    }

    pub(super) async fn close(self) -> Recorded {
        self.world.close().await;
        let Self { observations, labels, mut observer, .. } = self;
        Recorded { observations, names: std::mem::take(observer.names_mut()), labels }
    }

    async fn queued(&mut self, at: i64) -> anyhow::Result<()> {
        let Some(Reverse((_, order))) = self.queue.pop() else { return Ok(()) };
        match self.waiting.remove(&order) {
            Some(Later::Try(attempt)) => self.attempt(at, attempt).await,
            Some(Later::Reverse(terminal, undo)) => self.reverse(terminal, &undo).await,
            Some(Later::SignIn(terminal)) => self.sign_in(terminal).await,
            Some(Later::Deed(deed)) => self.deed(at, deed).await,
            None => Ok(()),
        }
    }

    async fn deed(&mut self, at: i64, deed: Deed) -> anyhow::Result<()> {
        match deed {
            Deed::Visit(visit) if !self.labels.day.is_open(visit.terminal) => Ok(()),
            Deed::SignIn(terminal) if !self.labels.day.is_open(terminal) => Ok(()),
            Deed::Visit(visit) => {
                let attempt = Attempt { visit, number: 1, visits: 0, copied: false };
                self.attempt(at, attempt).await
            }
            Deed::SignIn(terminal) => self.sign_in(terminal).await,
            Deed::Desk { card, action, agent } => {
                let actor = self.labels.day.fleet.agents[agent].clone();
                let kit = Arc::clone(&self.kit);
                self.world.desk(&kit.cards[card as usize].pan, action, &actor).await;
                self.hear(None, Touched::default());
                Ok(())
            }
        }
    }

    async fn sign_in(&mut self, terminal: u32) -> anyhow::Result<()> {
        let signed_in = self.terminals[terminal as usize].sign_in().await;
        self.terminals[terminal as usize].take_log();
        self.hear(None, Touched::default());
        match signed_in {
            Ok(_) => Ok(()),
            Err(error) => Err(error).context("a terminal cannot sign in"),
        }
    }

    async fn reverse(&mut self, terminal: u32, undo: &OwedReversal) -> anyhow::Result<()> {
        let till = terminal as usize;
        let frame = self.terminals[till].write_reversal(undo)?;
        let instance = self.labels.day.fleet.terminals[till].instance;
        self.world.module(instance).set(0.0, 0.0);
        self.world.ask(instance, &frame).await?;
        self.hear(None, Touched::default());
        Ok(())
    }

    /// Somebody enters a PIN.
    async fn attempt(&mut self, at: i64, attempt: Attempt) -> anyhow::Result<()> {
        if !self.labels.day.is_open(attempt.visit.terminal) {
            return Ok(());
        }
        let Visit { terminal, card, truth, .. } = attempt.visit;
        let faults = self.faults(at, terminal);
        let before = self.seen();
        let (answer, touched) = if self.gives_up(at, terminal, &faults, attempt) {
            (None, Touched::default())
        } else {
            let (answer, touched) = self.exchange(at, attempt, &faults).await?;
            (Some(answer), touched)
        };
        if attempt.number == 1 && !attempt.copied {
            let seen = self.seen();
            let looked_at = matches!(&answer, Some(Answer::Code(code)) if LOOKED_AT.contains(&code));
            self.labels.session(Visited { at, terminal, truth, before, seen }, card, looked_at);
        }
        match answer {
            Some(answer) => self.react(at, attempt, answer, touched),
            None => Ok(()),
        }
    }

    /// The faults of a terminal that show in its messages: place among the truths.
    fn faults(&self, at: i64, terminal: u32) -> Vec<u16> {
        let concerns = |truth: &&Truth| match &truth.mechanism {
            Mechanism::OwnSessions => false,
            Mechanism::Zone(_) => true,
            Mechanism::Binding(_) => truth.terminals.contains(&terminal),
            _ => truth.covers(terminal, 0, None, false),
        };
        let on = self.labels.day.truths.iter().filter(|truth| truth.is_on(at));
        on.filter(concerns).map(|truth| truth.id).collect()
    }

    /// Prompts that are cancelled or run out of time. Usually people begin again; at a dark screen they leave.
    fn gives_up(&mut self, at: i64, terminal: u32, faults: &[u16], attempt: Attempt) -> bool {
        if attempt.copied {
            return false;
        }
        let queues: f64 = self
            .labels
            .day
            .decoys
            .iter()
            .filter(|d| (d.from..d.until).contains(&at))
            .map(|d| d.kind.changes().cancels)
            .product();
        let told = &mut self.told[terminal as usize];
        told.cancels += u32::from(self.chance.happens(self.normal.cancels * queues));
        told.timeouts += u32::from(self.chance.happens(self.normal.runs_out_of_time));
        for fault in faults {
            let truth = &self.labels.day.truths[usize::from(*fault)];
            if truth.mechanism == Mechanism::Screen && self.chance.happens(truth.strength) {
                if self.chance.happens(0.6) {
                    told.cancels += 1
                } else {
                    told.timeouts += 1
                }
                return true;
            }
        }
        false
    }

    async fn exchange(
        &mut self,
        at: i64,
        attempt: Attempt,
        faults: &[u16],
    ) -> anyhow::Result<(Answer, Touched)> {
        let visit = attempt.visit;
        let (typed, mut touched) = self.typed(attempt);
        let mut digits = typed;
        for fault in faults {
            let truth = &self.labels.day.truths[usize::from(*fault)];
            if let Some(typed) = &digits
                && !attempt.copied
            {
                let arrived = pad::arrives(typed, &truth.mechanism, truth.strength, &mut self.chance);
                if arrived != *typed {
                    touched.by = Some(truth.id);
                    digits = Some(arrived);
                }
            }
        }
        let loss = self.line(at, visit.terminal, faults, &mut touched);
        let (kit, till) = (Arc::clone(&self.kit), visit.terminal as usize);
        let unknown = (visit.card >= cards::ALL).then(|| cards::number(visit.card));
        let pan = unknown.as_ref().unwrap_or_else(|| &kit.cards[visit.card as usize].pan);
        let mut varied = self.usual(at, attempt, pan, &kit);
        varied.digits = digits.as_deref();
        let other = neighbour(&kit, visit.card);
        let name;
        let faulty = self.disturb(&mut varied, attempt, faults, &mut touched, other);
        if let Some(other) = faulty {
            name = format!("{other:<40}");
            varied.name = Some(&name);
        }
        let text = std::mem::take(&mut self.text);
        varied.own = Some(&text);
        let written = self.terminals[till].write(&varied, loss.is_some());
        self.text = text;
        let written = match written {
            Ok(written) => written,
            Err(TerminalError::NothingToDo(_)) => {
                self.told[till].cancels += 1;
                return Ok((Answer::NotSent, touched));
            }
            Err(error) => return Err(error).context("a terminal cannot pay"),
        };
        if let Some(undo) = written.undo {
            self.told[till].no_answers += 1;
            self.told[till].reconnects += 1;
            self.later(at + 61_000, Later::Reverse(visit.terminal, Box::new(undo)));
        }
        if loss == Some(Lost::Question) {
            return Ok((Answer::Silence, touched));
        }
        let answer = self.send(visit, faults, &written.frame, touched).await?;
        if loss == Some(Lost::Answer) {
            return Ok((Answer::Silence, touched));
        }
        self.told[till].answered();
        Ok((answer, touched))
    }

    /// Bytes out and bytes in.
    async fn send(
        &mut self,
        visit: Visit,
        faults: &[u16],
        frame: &[u8],
        mut touched: Touched,
    ) -> anyhow::Result<Answer> {
        let instance = self.labels.day.fleet.terminals[visit.terminal as usize].instance;
        let (mut failing, mut stale) = (0.0, 0.0);
        for fault in faults {
            let truth = &self.labels.day.truths[usize::from(*fault)];
            match truth.mechanism {
                Mechanism::Module(at) if at == instance => failing = truth.strength,
                Mechanism::Zone(zone) if cards::zone(visit.card) == Some(zone) => stale = truth.strength,
                _ => continue,
            }
            // Whether it happened the answer tells: its reason is a fault of keys.
            touched.by = touched.by.or(Some(truth.id));
        }
        self.world.module(instance).set(failing, stale);
        let dialect = Arc::clone(&self.kit.dialect);
        let body = self.world.ask(instance, frame).await?;
        let (code, rrn) = read(&dialect, body).context("an answer that cannot be read")?;
        self.hear(Some((visit, rrn)), touched);
        Ok(Answer::Code(code))
    }

    /// Takes what was journalled meanwhile: the detector's part and the scorer's.
    pub(super) fn hear(&mut self, about: Option<(Visit, Option<Rrn>)>, touched: Touched) {
        for Journalled { place, entry } in self.world.journalled() {
            if let Some(mut observation) = self.observer.observe(place, &entry) {
                // The machine's own speed is no part of the day, which must come out the same on every machine.
                if let What::Payment(payment) = &mut observation.what {
                    payment.took_us = None;
                }
                self.observations.push(observation);
            }
            let truth = about.as_ref().and_then(|(visit, _)| visit.truth);
            if let Some(ruled) = self.rules.judge(place, &entry) {
                self.labels.ruled(ruled, truth, self.observations.len() as u32);
            }
            if let Some((visit, _)) = &about {
                self.judge(*visit, &entry, touched);
            }
        }
    }

    /// What fingers type.
    fn typed(&mut self, attempt: Attempt) -> (Option<String>, Touched) {
        let Visit { card, who, .. } = attempt.visit;
        let mut touched = Touched { by: None, right: true };
        if let Who::Tester { .. } = who {
            return (None, touched);
        }
        let right = &self.kit.cards[card as usize].pin;
        let typed = match who {
            Who::Holder { forgot: true, .. } | Who::Guesser => pad::guess(right, &mut self.chance),
            Who::Holder { slips: true, .. } if attempt.number == 1 && !attempt.copied => {
                pad::slip(right, &mut self.chance)
            }
            Who::Holder { .. } | Who::Thief | Who::Tester { .. } => right.clone(),
        };
        touched.right = typed == *right;
        (Some(typed), touched)
    }

    /// Is the question or the answer lost?
    fn line(&mut self, at: i64, terminal: u32, faults: &[u16], touched: &mut Touched) -> Option<Lost> {
        let till = &self.labels.day.fleet.terminals[terminal as usize];
        let mut rtt = CARRIERS[till.carrier].1;
        let mut lost = self.chance.happens(self.normal.loses);
        for decoy in self.labels.day.decoys.iter().filter(|d| (d.from..d.until).contains(&at)) {
            rtt *= decoy.kind.changes().rtt;
        }
        for fault in faults {
            let truth = &self.labels.day.truths[usize::from(*fault)];
            if truth.mechanism == Mechanism::Loss {
                rtt *= 1.5 + 2.0 * truth.strength;
                if self.chance.happens(truth.strength) {
                    lost = true;
                    touched.by = Some(truth.id);
                }
            }
        }
        let rtt = self.chance.log_normal(rtt, 0.3);
        self.told[terminal as usize].rtt_ms = Some(rtt as u32);
        lost.then(|| if self.chance.happens(0.5) { Lost::Question } else { Lost::Answer })
    }

    /// The message without faults, and the terminal's report.
    fn usual<'a>(&mut self, at: i64, attempt: Attempt, pan: &'a Pan, kit: &Kit) -> Varied<'a> {
        let visit = attempt.visit;
        let day = &self.labels.day;
        let till = &day.fleet.terminals[visit.terminal as usize];
        let shop = day.fleet.merchant_of(visit.terminal);
        let mut position = shop.position;
        let (mut ahead, mut slow) = (till.ahead_ms, 1.0);
        for truth in day.truths.iter().filter(|t| t.is_on(at) && t.terminals.contains(&visit.terminal)) {
            match truth.mechanism {
                Mechanism::Moved(north, east) => position = (north, east),
                Mechanism::Clock(ms) => ahead += ms,
                Mechanism::DeadKey(_) | Mechanism::BouncingKey(_) => slow = 1.6,
                _ => {}
            }
        }
        for decoy in day.decoys.iter().filter(|d| (d.from..d.until).contains(&at)) {
            slow *= decoy.kind.changes().entry;
        }
        let usual_ms = match visit.who {
            Who::Holder { .. } => f64::from(day.fleet.holders[visit.card as usize].entry_ms),
            Who::Guesser | Who::Thief | Who::Tester { .. } => 2_100.0,
        };
        let entry_ms = self.chance.log_normal(usual_ms * slow, 0.15) as u32;
        let entry_ms = (!matches!(visit.who, Who::Tester { .. }) && !attempt.copied).then_some(entry_ms);
        let firmware = day.firmware(visit.terminal, at);
        debug_assert!(
            MODELS[till.model].1.iter().any(|of| of.split('-').next() == firmware.split('-').next())
        );
        let carrier = CARRIERS[till.carrier].0;
        self.told[visit.terminal as usize].write(&mut self.text, firmware, carrier, position, entry_ms);
        let expired = visit.card < cards::ALL && day.fleet.holders[visit.card as usize].expired;
        let wrong_date = matches!(visit.who, Who::Tester { wrong_date: true });
        Varied {
            kind: visit.kind,
            pan,
            expiry: if expired != wrong_date { kit.expired } else { kit.expiry },
            amount: Amount(visit.amount),
            digits: None,
            bound_to: None,
            wrong_tpk: false,
            replayed_ksn: false,
            local_ms: at + ahead,
            entry: visit.entry,
            merchant: None,
            category: Some(shop.category),
            name: None,
            own: None,
        }
    }

    /// What the terminal's faults change on the message; returns another shop's name.
    fn disturb<'a>(
        &mut self,
        varied: &mut Varied<'a>,
        attempt: Attempt,
        faults: &[u16],
        touched: &mut Touched,
        other: &'a Pan,
    ) -> Option<String> {
        let mut name = None;
        for fault in faults {
            let truth = &self.labels.day.truths[usize::from(*fault)];
            let changes = match &truth.mechanism {
                Mechanism::Binding(bin) => *bin == cards::bin(attempt.visit.card),
                Mechanism::WrongKey | Mechanism::Jump | Mechanism::Replay => true,
                _ => false,
            };
            if !changes || !self.chance.happens(truth.strength) {
                continue;
            }
            touched.by = Some(truth.id);
            match &truth.mechanism {
                Mechanism::WrongKey => varied.wrong_tpk = varied.digits.is_some(),
                Mechanism::Replay => varied.replayed_ksn = attempt.number == 1,
                Mechanism::Binding(_) => varied.bound_to = Some(other),
                _ => name = self.jump(varied, attempt.visit.terminal),
            }
        }
        name
    }

    /// Another shop's category and name, or its number.
    fn jump(&mut self, varied: &mut Varied<'_>, terminal: u32) -> Option<String> {
        let fleet = &self.labels.day.fleet;
        let own = fleet.merchant_of(terminal);
        let other = &fleet.merchants[self.chance.below(fleet.merchants.len())];
        if self.chance.happens(0.4) && other.id != own.id {
            varied.merchant = Some(other.id);
            return None;
        }
        varied.category = Some(if own.category == 4900 { 8062 } else { 4900 });
        Some(other.name.clone())
    }

    pub(super) fn seen(&self) -> u32 {
        self.observations.len() as u32
    }
}

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Question,
    Answer,
}

/// Another card of the same kind: a token's number.
fn neighbour(kit: &Kit, card: u32) -> &Pan {
    let other = (card + 6 * 101) % cards::OWN;
    &kit.cards[other as usize].pan
}

/// DE 39 and DE 37.
fn read(dialect: &Dialect, body: &[u8]) -> Option<([u8; 2], Option<Rrn>)> {
    let message = dialect.decode(body).ok()?;
    let code = message.short(39)?.as_str().as_bytes().try_into().ok()?;
    let rrn = message.short(37).and_then(|text| Rrn::new(text.as_bytes()).ok());
    Some((code, rrn))
}
