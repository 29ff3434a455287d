//! Who and what there is on a day: shops in cities, terminals with models, firmware and carriers, cardholders with habits.

use model::{MerchantId, TerminalId};

use super::cards;
use crate::{
    chance::{Chance, Weighted},
    data::{Normal, normal},
};

/// Cities with degrees north and east.
pub const CITIES: [(&str, f32, f32); 6] = [
    ("shanghai", 31.23, 121.47),
    ("beijing", 39.90, 116.40),
    ("guangzhou", 23.13, 113.26),
    ("chengdu", 30.57, 104.07),
    ("xian", 34.34, 108.94),
    ("harbin", 45.80, 126.53),
];
/// Area codes of the cities in merchant numbers.
const AREAS: [u16; 6] = [2900, 1000, 5810, 6510, 7910, 2610];
/// Carriers with the usual round-trip time in milliseconds and the share of terminals.
pub const CARRIERS: [(&str, f64, f64); 4] =
    [("fibre", 45.0, 0.35), ("mobile-a", 140.0, 0.30), ("mobile-b", 160.0, 0.25), ("dial-up", 320.0, 0.10)];
/// Models, each with its versions of firmware, newest last, and what each version's terminals are a share of.
pub const MODELS: [(&str, [&str; 2]); 3] = [
    ("V200", ["V200-3.1.4", "V200-3.2.0"]),
    ("K9", ["K9-7.0.2", "K9-7.1.0"]),
    ("P60", ["P60-1.9.8", "P60-2.0.1"]),
];
/// Share of terminals that have the newest version.
const UPDATED: f64 = 0.6;
/// Host instances.
pub const INSTANCES: [&str; 2] = ["host-1", "host-2"];
/// Merchant categories (ISO 18245).
const CATEGORIES: [u16; 6] = [5411, 5812, 5541, 5311, 7011, 5912];

/// A shop.
#[derive(Debug, Clone)]
pub struct Merchant {
    /// DE 42.
    pub id: MerchantId,
    /// DE 43, as registered.
    pub name: String,
    /// Its category.
    pub category: u16,
    /// Place in [`CITIES`].
    pub city: usize,
    /// Degrees north and east.
    pub position: (f32, f32),
    /// Its terminals.
    pub terminals: Vec<u32>,
}

/// A terminal.
#[derive(Debug, Clone)]
pub struct Till {
    /// DE 41.
    pub id: TerminalId,
    /// Place among the merchants.
    pub merchant: u32,
    /// Place in [`MODELS`].
    pub model: usize,
    /// Its firmware in the morning.
    pub firmware: &'static str,
    /// Place in [`CARRIERS`].
    pub carrier: usize,
    /// Place in [`INSTANCES`].
    pub instance: usize,
    /// Does it have a key for each transaction?
    pub dukpt: bool,
    /// Share of PIN entries with a slip.
    pub slips: f64,
    /// How much is paid at it.
    pub weight: f64,
    /// How far its clock is ahead, in milliseconds.
    pub ahead_ms: i64,
}

/// A cardholder.
#[derive(Debug, Clone, Copy)]
pub struct Holder {
    /// Where the holder is today: place in [`CITIES`].
    pub city: u8,
    /// And lives there.
    pub at_home: bool,
    /// Has no money.
    pub poor: bool,
    /// The card's date is over.
    pub expired: bool,
    /// Milliseconds for a PIN.
    pub entry_ms: f32,
    /// Usual shops.
    pub usual: [u16; 3],
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Shops.
    pub merchants: Vec<Merchant>,
    /// Terminals.
    pub terminals: Vec<Till>,
    /// Cardholders, by card.
    pub holders: Vec<Holder>,
    /// Merchants of each city, by what is paid there.
    pub by_city: Vec<(Vec<u32>, Weighted)>,
    /// Service desk.
    pub agents: Vec<String>,
}

impl Fleet {
    /// Of a seed.
    ///
    /// # Errors
    /// Never for the numbers of `day.toml`: every number that is made up is one.
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        let day = normal();
        let mut chance = Chance::new(seed, "fleet");
        let mut merchants =
            (0..day.merchants).map(|at| merchant(at, &mut chance)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut terminals = Vec::with_capacity(day.terminals);
        for at in 0..day.terminals {
            // Every shop has one; the rest go where most is paid already.
            let shop = if at < day.merchants { at } else { chance.below(day.merchants / 3) };
            merchants[shop].terminals.push(at as u32);
            terminals.push(till(at, shop, day, &mut chance)?);
        }
        let by_city = (0..CITIES.len())
            .map(|city| {
                let of: Vec<u32> =
                    (0..merchants.len() as u32).filter(|m| merchants[*m as usize].city == city).collect();
                let weight = |m: &u32| {
                    merchants[*m as usize].terminals.iter().map(|t| terminals[*t as usize].weight).sum()
                };
                let weights = Weighted::new(of.iter().map(weight));
                (of, weights)
            })
            .collect::<Vec<_>>();
        let holders = (0..cards::ALL).map(|_| holder(day, &by_city, &mut chance)).collect();
        let agents = (1..=day.agents).map(|at| format!("agent-{at:02}")).collect();
        Ok(Self { merchants, terminals, holders, by_city, agents })
    }

    /// The shop of a terminal.
    #[must_use]
    pub fn merchant_of(&self, terminal: u32) -> &Merchant {
        &self.merchants[self.terminals[terminal as usize].merchant as usize]
    }

    /// A terminal of a shop, by what is paid at each.
    pub fn terminal_at(&self, merchant: u32, chance: &mut Chance) -> u32 {
        let of = &self.merchants[merchant as usize].terminals;
        let weights = Weighted::new(of.iter().map(|t| self.terminals[*t as usize].weight));
        of[weights.pick(chance)]
    }

    /// A terminal somewhere in a city.
    pub fn terminal_in(&self, city: usize, chance: &mut Chance) -> u32 {
        let (merchants, weights) = &self.by_city[city];
        self.terminal_at(merchants[weights.pick(chance)], chance)
    }

    /// Terminals by what is paid at them, most first.
    #[must_use]
    pub fn busiest(&self) -> Vec<u32> {
        let mut all: Vec<u32> = (0..self.terminals.len() as u32).collect();
        all.sort_by(|a, b| {
            let weight = |t: &u32| self.terminals[*t as usize].weight;
            weight(b).total_cmp(&weight(a))
        });
        all
    }
}

fn merchant(at: usize, chance: &mut Chance) -> anyhow::Result<Merchant> {
    // The first of each city are sure to be there.
    let city = if at < 2 * CITIES.len() { at % CITIES.len() } else { chance.below(CITIES.len()) };
    let (_, north, east) = CITIES[city];
    let category = CATEGORIES[chance.below(CATEGORIES.len())];
    Ok(Merchant {
        id: format!("898{:04}{category:04}{:04}", AREAS[city], at + 1).parse()?,
        name: format!("SHOP {:03} {}", at + 1, CITIES[city].0.to_uppercase()),
        category,
        city,
        position: (north + 0.08 * chance.normal() as f32, east + 0.08 * chance.normal() as f32),
        terminals: Vec::new(),
    })
}

fn till(at: usize, shop: usize, day: &Normal, chance: &mut Chance) -> anyhow::Result<Till> {
    let ab = 1.0 / day.slip_rho - 1.0;
    let model = chance.below(MODELS.len());
    Ok(Till {
        id: format!("D{:07}", at + 1).parse()?,
        merchant: shop as u32,
        model,
        firmware: MODELS[model].1[usize::from(chance.happens(UPDATED))],
        carrier: Weighted::new(CARRIERS.iter().map(|(_, _, share)| *share)).pick(chance),
        instance: chance.below(INSTANCES.len()),
        dukpt: at % (day.terminals / day.dukpt_terminals.max(1)).max(1) == 7,
        slips: chance.beta(day.slip_mean * ab, (1.0 - day.slip_mean) * ab),
        weight: chance.log_normal(1.0, 0.7),
        ahead_ms: (chance.normal() * day.drift_s * 1000.0) as i64,
    })
}

fn holder(day: &Normal, by_city: &[(Vec<u32>, Weighted)], chance: &mut Chance) -> Holder {
    let city = chance.below(CITIES.len());
    let (merchants, weights) = &by_city[city];
    Holder {
        city: city as u8,
        at_home: chance.happens(day.stays_in_town),
        poor: chance.happens(day.poor),
        expired: chance.happens(day.expired),
        entry_ms: chance.log_normal(day.entry_ms, day.entry_sigma) as f32,
        usual: std::array::from_fn(|_| merchants[weights.pick(chance)] as u16),
    }
}
