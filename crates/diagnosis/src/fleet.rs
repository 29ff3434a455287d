//! What is remembered of each terminal: its last card sessions one by one, what is usual there, and short runs for the
//! exact rules. Terminals beyond the limit are forgotten, least recently used first.

use std::collections::VecDeque;

use model::{CardId, MerchantId, Stan, TerminalId, Timestamp};

use crate::{
    memory::QuickMap,
    observation::{Device, Symbol},
    pace::{Mean, Pace},
    session::{Family, Session},
    stats::Beta,
    tuning::Tuning,
};

/// A terminal's place in the fleet.
pub(crate) type Slot = u32;

/// Which incidents at one scope exclude each other: at most one of each group is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Group {
    /// PINs, keys, keypads, attacks on PINs.
    Pin,
    /// Screens and prompts.
    Screen,
    /// A spray at a terminal that has another incident of PINs already.
    Spray,
    /// The line.
    Line,
    /// Doubles.
    Double,
    /// Key serial numbers.
    Serial,
    /// Clocks.
    Clock,
    /// What is registered.
    Registration,
    /// Where it stands.
    Place,
    /// Numbers that are tried.
    Numbers,
    /// Sessions of terminals.
    SignIn,
    /// Fraud that is found at another place than where it began.
    Fraud,
}

impl Group {
    pub(crate) const COUNT: usize = 12;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Pin,
        Self::Screen,
        Self::Spray,
        Self::Line,
        Self::Double,
        Self::Serial,
        Self::Clock,
        Self::Registration,
        Self::Place,
        Self::Numbers,
        Self::SignIn,
        Self::Fraud,
    ];
}

/// A payment of the last few at a terminal, to find doubles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recent {
    pub card: CardId,
    pub amount: i64,
    pub at: Timestamp,
    pub stan: Stan,
    pub approved: bool,
    pub undone: bool,
}

/// Short runs and bits for the exact rules.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Runs {
    pub mac: u32,
    pub sign_in: u32,
    pub drift: u32,
    pub replayed: u32,
    /// The last messages, newest in the lowest bit.
    pub registration: u32,
    pub away: u8,
    /// Different merchant numbers on messages, as short hashes.
    pub merchants: [u32; 4],
}

/// One terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub id: TerminalId,
    pub merchant: MerchantId,
    pub firmware: Symbol,
    /// Its places among the cohorts: instance, carrier, firmware, merchant.
    pub cohorts: [u32; 4],
    pub cohorts_of: (Symbol, Symbol, Symbol),
    pub sessions: VecDeque<Session>,
    /// The number of the first of `sessions`; it only rises, also when the slot gets another terminal.
    pub base: u32,
    /// Sessions before this number belong to an incident that is over, or to before a gap.
    pub clean_from: u32,
    /// Signs and sessions of each family while nothing was wrong.
    pub usual: [(f32, f32); Family::COUNT],
    pub cusum: f32,
    pub cusum_onset: u32,
    pub changed_at: Timestamp,
    pub loaded_at: Timestamp,
    pub last_at: Timestamp,
    /// Different cards that were here, roughly.
    pub visitors: u32,
    pub epoch: u32,
    pub runs: Runs,
    pub recent: [Option<Recent>; 4],
    pub recent_next: u8,
    /// Moving means of ln milliseconds of PIN entries and of round trips.
    pub entry_ln_ms: f32,
    pub line_ln_ms: f32,
    /// The same, learnt late and slowly, for what looks odd over many sessions.
    pub paces: [Mean; Pace::COUNT],
    /// Open incidents, by group; 0: none.
    pub incidents: [u64; Group::COUNT],
    /// Progress towards "as usual again", by group.
    pub repair: [f32; Group::COUNT],
}

impl Terminal {
    fn new(device: &Device, base: u32, epoch: u32) -> Self {
        Self {
            id: device.terminal,
            merchant: device.merchant,
            firmware: device.firmware,
            cohorts: [0; 4],
            cohorts_of: (Symbol::UNKNOWN, Symbol::UNKNOWN, Symbol::UNKNOWN),
            sessions: VecDeque::new(),
            base,
            clean_from: base,
            usual: [(0.0, 0.0); Family::COUNT],
            cusum: 0.0,
            cusum_onset: base,
            changed_at: Timestamp(i64::MIN),
            loaded_at: Timestamp(i64::MIN),
            last_at: Timestamp(i64::MIN),
            visitors: 0,
            epoch,
            runs: Runs::default(),
            recent: [None; 4],
            recent_next: 0,
            entry_ln_ms: 0.0,
            line_ln_ms: 0.0,
            paces: [Mean::default(); Pace::COUNT],
            incidents: [0; Group::COUNT],
            repair: [0.0; Group::COUNT],
        }
    }

    /// The number that the next session gets.
    pub(crate) fn next(&self) -> u32 {
        self.base.wrapping_add(self.sessions.len() as u32)
    }

    pub(crate) fn session(&self, number: u32) -> Option<&Session> {
        self.sessions.get(number.wrapping_sub(self.base) as usize)
    }

    pub(crate) fn session_mut(&mut self, number: u32) -> Option<&mut Session> {
        self.sessions.get_mut(number.wrapping_sub(self.base) as usize)
    }

    pub(crate) fn push(&mut self, session: Session, limit: usize) -> u32 {
        if self.sessions.len() >= limit {
            self.sessions.pop_front();
            self.base = self.base.wrapping_add(1);
        }
        let number = self.next();
        self.sessions.push_back(session);
        number
    }

    /// Sessions that are not accounted for, newest first, with their numbers.
    pub(crate) fn open_sessions(&self) -> impl Iterator<Item = (u32, &Session)> {
        let (base, clean) = (self.base, self.clean_from);
        self.sessions
            .iter()
            .enumerate()
            .rev()
            .map(move |(n, session)| (base.wrapping_add(n as u32), session))
            .take_while(move |(number, _)| number.wrapping_sub(clean) as i32 >= 0)
    }

    /// What is usual here for a family: its own history, shrunk towards the fleet's.
    pub(crate) fn usual(&self, family: Family, fleet: Beta, tuning: &Tuning) -> Beta {
        let (k, n) = self.usual[family as usize];
        let weight = tuning.usual.spread_of(family);
        let mean = (f64::from(k) + fleet.mean() * weight) / (f64::from(n) + weight);
        Beta::around(mean, weight + f64::from(n).min(tuning.usual.weight_max) * 0.7)
    }

    /// Counts a session that is no part of an incident.
    pub(crate) fn learn(&mut self, session: &Session, limit: f64) {
        for (mean, took) in self.paces.iter_mut().zip(session.took) {
            mean.learn(took);
        }
        for family in Family::ALL {
            if session.counts(family) {
                let (k, n) = &mut self.usual[family as usize];
                *n += 1.0;
                *k += f32::from(u8::from(session.shows(family)));
                if f64::from(*n) > limit {
                    *n *= 0.5;
                    *k *= 0.5;
                }
            }
        }
    }

    /// What was before proves nothing any more: windows and runs begin anew, what is usual stays.
    pub(crate) fn forget_windows(&mut self, epoch: u32) {
        self.epoch = epoch;
        self.clean_from = self.next();
        self.cusum = 0.0;
        self.cusum_onset = self.next();
        self.runs = Runs { merchants: self.runs.merchants, ..Runs::default() };
        self.recent = [None; 4];
    }

    /// An incident is over or was none: its sessions raise no second one.
    pub(crate) fn settle(&mut self, group: Group) {
        self.incidents[group as usize] = 0;
        self.repair[group as usize] = 0.0;
        self.clean_from = self.next();
        self.cusum = 0.0;
        self.cusum_onset = self.next();
    }
}

/// All terminals that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    places: QuickMap<TerminalId, Slot>,
    terminals: Vec<Terminal>,
    hand: usize,
}

impl Fleet {
    /// Terminals that are looked at to find one to forget: the longest unused of them goes.
    const LOOK: usize = 16;

    pub(crate) fn slot(&mut self, device: &Device, limit: usize, epoch: u32) -> Slot {
        if let Some(slot) = self.places.get(&device.terminal) {
            return *slot;
        }
        let slot = if self.terminals.len() < limit {
            self.terminals.push(Terminal::new(device, 1, epoch));
            self.terminals.len() - 1
        } else {
            let slot = (0..Self::LOOK)
                .map(|n| (self.hand + n) % self.terminals.len())
                .min_by_key(|slot| self.terminals[*slot].last_at)
                .unwrap_or(0);
            self.hand = (self.hand + Self::LOOK) % self.terminals.len();
            let old = &self.terminals[slot];
            self.places.remove(&old.id);
            self.terminals[slot] = Terminal::new(device, old.next().wrapping_add(1), epoch);
            slot
        };
        self.places.insert(device.terminal, slot as Slot);
        slot as Slot
    }

    pub(crate) fn len(&self) -> usize {
        self.terminals.len()
    }

    /// Memory that all of them take.
    pub(crate) fn bytes(&self) -> usize {
        let sessions: usize = self.terminals.iter().map(|terminal| terminal.sessions.capacity()).sum();
        self.terminals.len() * size_of::<Terminal>() + sessions * size_of::<Session>()
    }

    /// Where a terminal is, if it is remembered.
    pub(crate) fn find(&self, id: &TerminalId) -> Option<Slot> {
        self.places.get(id).copied()
    }
}

impl std::ops::Index<Slot> for Fleet {
    type Output = Terminal;

    fn index(&self, slot: Slot) -> &Terminal {
        &self.terminals[slot as usize]
    }
}

impl std::ops::IndexMut<Slot> for Fleet {
    fn index_mut(&mut self, slot: Slot) -> &mut Terminal {
        &mut self.terminals[slot as usize]
    }
}
