//! A small town: terminals that differ, cards with habits, holders who slip and forget, and faults and attacks that are laid
//! over them. Made for these tests alone; the drills play days through the real host.

use diagnosis::{
    Diagnose, Diagnosis, Incident, Observation, What,
    observation::{Device, Entry, Payment, PinSeen, Position, Symbol, Telemetry},
};
use model::{
    Amount, BatchNumber, CardId, Currency, Kind, ReasonCode, ResponseCode, Rrn, Stan, Timestamp,
    TransactionKey, Unverifiable,
};

/// Random numbers by a seed: SplitMix64.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.share() < p
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// A terminal of the town.
#[derive(Clone)]
pub(crate) struct Till {
    pub device: Device,
    /// How often holders are wrong here.
    pub wrong: f64,
    pub stan: u32,
}

/// A card of the town.
#[derive(Clone)]
pub(crate) struct Holder {
    pub id: CardId,
    pub bin: u32,
    pub last_four: u16,
    pub zone: Symbol,
    pub home: usize,
    pub tries: u8,
}

/// What is wrong with a payment, laid over the holder's own doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Twist {
    /// The PIN block cannot be read.
    Unreadable,
    /// It cannot be read by the issuer.
    ZoneUnreadable,
    /// A block that cannot be read is answered as a wrong PIN.
    Masked,
    /// A dead key: cards whose PIN has the digit are wrong, always; this share of them.
    DeadKey(f64),
    /// A bouncing key: wrong now and then.
    Bounce(f64),
    /// Entries are cancelled before.
    Cancels(f64),
    /// Answers are lost.
    Loses(f64),
    /// Approved payments are submitted again.
    Doubles(f64),
    /// The module is away.
    ModuleAway(f64),
    /// The issuer is silent.
    Silent(f64),
    /// Holders are wrong more often, but succeed in the end.
    MoreWrong(f64),
}

/// The rule by which a twist concerns a payment.
type Concerns = Box<dyn Fn(&Till, &Holder) -> bool>;

pub(crate) struct World {
    pub dice: Dice,
    pub now: Timestamp,
    pub place: u64,
    pub tills: Vec<Till>,
    pub holders: Vec<Holder>,
    pub twists: Vec<(Twist, Concerns)>,
    pub diagnosis: Diagnosis,
    /// Everything that was told, when it is kept.
    pub tape: Option<Vec<Observation>>,
    pub told: u64,
    pub sessions: u64,
    rrn: u64,
}

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 3_600_000;

impl World {
    /// A town of so many terminals and cards, at a Tuesday's eight in the morning.
    pub(crate) fn new(seed: u64, tills: usize, holders: usize) -> Self {
        let mut dice = Dice(seed);
        let tills = (0..tills).map(|n| till(n, &mut dice)).collect::<Vec<_>>();
        let holders = (0..holders)
            .map(|n| {
                let mut id = [0; 16];
                id[..8].copy_from_slice(&dice.next().to_le_bytes());
                id[8..].copy_from_slice(&(n as u64).to_le_bytes());
                // two banks of our own, and one in five cards is another issuer's
                let foreign = n % 5 == 0;
                Holder {
                    id: CardId(id),
                    bin: if foreign { 940_000 + (n % 3) as u32 } else { 950_000 + (n % 2) as u32 },
                    last_four: (dice.next() % 10_000) as u16,
                    zone: if foreign { Symbol(100 + (n % 3) as u32) } else { Symbol::UNKNOWN },
                    home: dice.below(tills.len()),
                    tries: 3,
                }
            })
            .collect();
        Self {
            dice,
            now: Timestamp(1_700_000_000_000),
            place: 0,
            tills,
            holders,
            twists: Vec::new(),
            diagnosis: Diagnosis::new(diagnosis::Tuning::default()),
            tape: None,
            told: 0,
            sessions: 0,
            rrn: 0,
        }
    }

    pub(crate) fn twist(&mut self, twist: Twist, concerns: impl Fn(&Till, &Holder) -> bool + 'static) {
        self.twists.push((twist, Box::new(concerns)));
    }

    pub(crate) fn tell(&mut self, till: usize, what: What) {
        let observation = Observation {
            place: self.place,
            at: self.now,
            instance: Symbol(1),
            device: self.tills[till].device,
            what,
        };
        if let Some(tape) = &mut self.tape {
            tape.push(observation);
        }
        self.told += 1;
        self.diagnosis.observe(&observation);
    }

    /// Healthy or not, so many card sessions pass, `per_hour` of them in an hour, with a daily cycle.
    pub(crate) fn live(&mut self, sessions: usize, per_hour: f64) {
        for _ in 0..sessions {
            let hour = (self.now.0 / HOUR + 8) % 24;
            let cycle = if (8..22).contains(&hour) { 1.4 } else { 0.2 };
            let wait = -(1.0 - self.dice.share()).ln() * HOUR as f64 / (per_hour * cycle);
            self.now = self.now.plus_ms(wait as i64 + 1);
            let holder = self.dice.below(self.holders.len());
            let till = if self.dice.chance(0.7) {
                self.holders[holder].home
            } else {
                self.dice.below(self.tills.len())
            };
            self.pay(till, holder);
        }
    }

    /// The same at one terminal only: `holders` come from the whole town.
    pub(crate) fn live_at(&mut self, till: usize, sessions: usize, every: i64) {
        for _ in 0..sessions {
            let wait = (every as f64 * (0.5 + self.dice.share())) as i64;
            self.now = self.now.plus_ms(wait);
            let holder = self.dice.below(self.holders.len());
            self.pay(till, holder);
        }
    }

    fn twists_of(&self, till: usize, holder: usize) -> Vec<Twist> {
        let (till, holder) = (&self.tills[till], &self.holders[holder]);
        self.twists.iter().filter(|(_, concerns)| concerns(till, holder)).map(|(twist, _)| *twist).collect()
    }

    /// One holder pays: first entry, and retries as people do.
    pub(crate) fn pay(&mut self, till: usize, holder: usize) {
        self.sessions += 1;
        let twists = self.twists_of(till, holder);
        let mut wrong = self.tills[till].wrong;
        let mut forgets = self.dice.chance(0.002);
        let mut telemetry = Telemetry {
            pin_entry_ms: Some(2500 + (self.dice.share() * 2500.0) as u32),
            rtt_ms: Some(80 + (self.dice.share() * 60.0) as u32),
            ..Telemetry::default()
        };
        if self.dice.chance(0.012) {
            telemetry.cancels = 1;
        }
        for twist in &twists {
            match twist {
                Twist::DeadKey(share) if digit(&self.holders[holder].id) < *share => {
                    forgets = true;
                    telemetry.pin_entry_ms = Some(9000 + (self.dice.share() * 9000.0) as u32);
                }
                Twist::Bounce(share) | Twist::MoreWrong(share) => wrong += share,
                Twist::Cancels(share) if self.dice.chance(*share) => telemetry.cancels = 2,
                _ => {}
            }
        }
        let amount = 500 + (self.dice.share() * self.dice.share() * 50_000.0) as i64;
        for _ in 0..3 {
            let right = !(forgets || self.dice.chance(wrong));
            let done = self.attempt(till, holder, right, amount, telemetry, &twists);
            telemetry.cancels = 0;
            if done || !self.dice.chance(0.85) {
                break;
            }
            self.now = self.now.plus_ms(20_000);
            // the second time people take care, unless they do not know it
            wrong *= if twists.iter().any(|t| matches!(t, Twist::Bounce(_))) { 1.0 } else { 0.3 };
        }
    }

    /// One entry; true when the holder leaves.
    fn attempt(
        &mut self,
        till: usize,
        holder: usize,
        right: bool,
        amount: i64,
        telemetry: Telemetry,
        twists: &[Twist],
    ) -> bool {
        let foreign = self.holders[holder].zone != Symbol::UNKNOWN;
        let mut payment = self.payment(till, holder, amount);
        payment.telemetry = telemetry;
        let has = |twist| twists.contains(&twist);
        let happens = |dice: &mut Dice, of: fn(&Twist) -> Option<f64>| {
            twists.iter().filter_map(of).any(|share| dice.chance(share))
        };
        let away = happens(&mut self.dice, |t| if let Twist::ModuleAway(p) = t { Some(*p) } else { None });
        let silent = happens(&mut self.dice, |t| if let Twist::Silent(p) = t { Some(*p) } else { None });
        let odd = self.dice.chance(0.0003);
        let tries = self.holders[holder].tries;
        if tries == 0 {
            decline(&mut payment, ReasonCode::CardLocked, "75", PinSeen::NotAsked);
        } else if away {
            let pin = PinSeen::Unverifiable(Unverifiable::ModuleUnavailable);
            decline(&mut payment, ReasonCode::SecurityModuleAway, "96", pin);
        } else if has(Twist::Unreadable) || odd {
            let pin = PinSeen::Unverifiable(Unverifiable::PinBlockFormat);
            decline(&mut payment, ReasonCode::PinBlockUnreadable, "99", pin);
        } else if foreign && has(Twist::ZoneUnreadable) {
            decline(&mut payment, ReasonCode::IssuerKeyFault, "99", PinSeen::AtIssuer);
        } else if foreign && silent {
            decline(&mut payment, ReasonCode::IssuerTimeout, "98", PinSeen::AtIssuer);
        } else if has(Twist::Masked) {
            // only another network takes a block that it cannot read for a wrong PIN
            decline(&mut payment, ReasonCode::IssuerWrongPin, "55", PinSeen::AtIssuer);
        } else if !right {
            let left = tries - 1;
            self.holders[holder].tries = left;
            let (reason, pin) = match (foreign, left) {
                (true, _) => (ReasonCode::IssuerWrongPin, PinSeen::AtIssuer),
                (false, 0) => (ReasonCode::PinTriesExceeded, PinSeen::Mismatch),
                (false, _) => (ReasonCode::WrongPin, PinSeen::Mismatch),
            };
            decline(&mut payment, reason, if left == 0 { "75" } else { "55" }, pin);
            payment.try_charged = !foreign;
            payment.tries = (left, 3);
            payment.locked = left == 0;
        } else if self.dice.chance(0.03) {
            self.holders[holder].tries = 3;
            payment.code = "51".parse().unwrap();
            payment.reason = ReasonCode::InsufficientFunds;
        } else {
            self.holders[holder].tries = 3;
        }
        self.place += 1;
        self.tell(till, What::Payment(payment));
        if tries == 0 && self.dice.chance(0.5) {
            self.holders[holder].tries = 3;
        }
        let wrong_pin = payment.code.as_str() == "55";
        self.afterwards(till, holder, &payment, twists);
        !wrong_pin
    }

    /// What a bad line or a bad program makes of an answer.
    fn afterwards(&mut self, till: usize, holder: usize, payment: &Payment, twists: &[Twist]) {
        for twist in twists {
            match twist {
                Twist::Loses(share) if self.dice.chance(*share) => {
                    self.now = self.now.plus_ms(15_000);
                    let card = Some(self.holders[holder].id);
                    self.place += 1;
                    self.tell(till, What::Reversal { original: payment.key, card });
                }
                Twist::Doubles(share) if payment.code.is_approval() && self.dice.chance(*share) => {
                    self.now = self.now.plus_ms(4000);
                    let mut again = self.payment(till, holder, payment.amount.0);
                    again.telemetry = Telemetry::default();
                    self.place += 1;
                    self.tell(till, What::Payment(again));
                }
                _ => {}
            }
        }
        if self.dice.chance(0.004) {
            self.now = self.now.plus_ms(12_000);
            self.tell(till, What::Repeat { key: payment.key });
        }
    }

    /// A payment that is approved, to be changed.
    pub(crate) fn payment(&mut self, till: usize, holder: usize, amount: i64) -> Payment {
        self.rrn += 1;
        let till = &mut self.tills[till];
        till.stan += 1;
        let stan = Stan::new(till.stan % 1_000_000).unwrap();
        let holder = &self.holders[holder];
        let foreign = holder.zone != Symbol::UNKNOWN;
        Payment {
            rrn: format!("{:012}", self.rrn).parse::<Rrn>().unwrap(),
            key: TransactionKey { terminal: till.device.terminal, batch: BatchNumber::NONE, stan, day: 0 },
            card: holder.id,
            bin: holder.bin,
            last_four: holder.last_four,
            zone: holder.zone,
            kind: Kind::Sale,
            entry: Entry::Chip,
            amount: Amount(amount),
            currency: Currency(156),
            reason: ReasonCode::Approved,
            code: ResponseCode::APPROVED,
            pin: if foreign { PinSeen::AtIssuer } else { PinSeen::Verified },
            try_charged: false,
            tries: (3, 3),
            locked: false,
            stan,
            merchant_sent: None,
            category_sent: Some(5411),
            category_registered: Some(5411),
            name_differs: false,
            drift_s: Some(1),
            took_us: Some(800),
            telemetry: Telemetry::default(),
        }
    }

    /// Incidents that people hear of: not retracted, absorbed or only suspected.
    pub(crate) fn incidents(&self) -> Vec<Incident> {
        self.diagnosis
            .incidents()
            .into_iter()
            .filter(|i| {
                use diagnosis::Status as S;
                !matches!(i.status, S::Absorbed | S::Retracted | S::Provisional)
            })
            .cloned()
            .collect()
    }

    /// A healthy morning before anything happens.
    pub(crate) fn warmed(seed: u64) -> Self {
        let mut world = Self::new(seed, 60, 3000);
        world.live(3000, 1500.0);
        assert_eq!(world.incidents(), [], "a healthy morning");
        world
    }
}

/// A card's PIN, as far as a dead key is concerned.
fn digit(card: &CardId) -> f64 {
    f64::from(card.0[0]) / 256.0
}

pub(crate) fn decline(payment: &mut Payment, reason: ReasonCode, code: &str, pin: PinSeen) {
    payment.reason = reason;
    payment.code = code.parse().unwrap();
    payment.pin = pin;
}

fn till(n: usize, dice: &mut Dice) -> Till {
    let wrong = {
        // a mean of 0.03 and as much spread as the reference found among terminals
        let sum: f64 = (0..6).map(|_| -(1.0 - dice.share()).ln()).sum();
        (sum / 6.0 * 0.03).min(0.2)
    };
    let position =
        Position { latitude: 31.0 + (n % 10) as f32 * 0.02, longitude: 121.0 + (n / 10) as f32 * 0.02 };
    Till {
        device: Device {
            terminal: format!("T{n:07}").parse().unwrap(),
            merchant: format!("898310054110{:03}", n / 2).parse().unwrap(),
            model: Symbol(11 + (n % 2) as u32),
            firmware: Symbol(21),
            carrier: Symbol(31 + (n % 3) as u32),
            position: Some(position),
            registered: Some(position),
        },
        wrong,
        stan: 0,
    }
}
