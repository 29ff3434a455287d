//! A card, its policy and its journal, for the other tests.

use authorization::{
    CardRecord, CardState, Decision, Effect, Outcome, PinChangeOutcome, PinEvidence, ProductPolicy, Products,
    RiskVerdict, Second, Verdict,
    decide::{Case, References, decide},
    request::{OriginalRef, Request, ReversalRequest},
    reversal::decide_reversal,
};
use model::{
    Amount, CardId, Currency, Kind, PinOutcome, PinVerified, ReasonCode, Stan, Timestamp, TransactionKey,
    Unverifiable,
};

pub(crate) const CARD: CardId = CardId([1; 16]);

/// What the security module would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    Right,
    /// The right PIN, of another card.
    OfAnotherCard,
    Wrong,
    Fault(Unverifiable),
    None,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) reason: ReasonCode,
    pub(crate) repeat: bool,
    pub(crate) pin_asked: bool,
}

pub(crate) struct Bench {
    products: Products,
    pub(crate) record: CardRecord,
    pub(crate) state: CardState,
    pub(crate) now: Timestamp,
    /// Effects of the last decision.
    pub(crate) effects: Vec<Effect>,
    answers: Vec<ReasonCode>,
    /// What the rules say from now on.
    pub(crate) risk: RiskVerdict,
    /// What is brought along for a second proof from now on.
    pub(crate) second: Second,
}

impl Bench {
    pub(crate) fn new(product: &str) -> Self {
        Self::of(Products::builtin(), product)
    }

    pub(crate) fn of(products: Products, product: &str) -> Self {
        let record = CardRecord {
            pan: model::MaskedPan::new("910001******0001").unwrap(),
            expiry: "9912".parse().unwrap(),
            product: product.to_owned(),
            currency: Currency::CNY,
            opening_balance: Amount(1_000_000),
        };
        let state = CardState::new(&record);
        let now = Timestamp(1_795_000_000_000);
        Self {
            products,
            record,
            state,
            now,
            effects: Vec::new(),
            answers: Vec::new(),
            risk: RiskVerdict::Pass,
            second: Second::default(),
        }
    }

    pub(crate) fn request(kind: Kind, stan: u32, minor: i64) -> Request {
        Request {
            kind,
            key: key(stan),
            digest: u64::try_from(minor).unwrap(),
            amount: Amount(minor),
            currency: Currency::CNY,
            merchant: "898510154110283".parse().unwrap(),
            expiry: None,
            has_pin: kind.asks_for_pin(),
            original: None,
            overtaken: false,
            sandbox: None,
        }
    }

    pub(crate) fn pointing_at(stan: u32) -> Option<OriginalRef> {
        let key = key(stan);
        Some(OriginalRef { trace: Some((key.batch, key.stan)), ..OriginalRef::default() })
    }

    pub(crate) fn policy(&self) -> &ProductPolicy {
        self.products.get(&self.record.product).unwrap()
    }

    pub(crate) fn sale(&mut self, stan: u32, minor: i64, pin: Pin) -> Told {
        let mut request = Self::request(Kind::Sale, stan, minor);
        request.has_pin = pin != Pin::None;
        self.pay(&request, pin)
    }

    pub(crate) fn pay(&mut self, request: &Request, pin: Pin) -> Told {
        let outcome = match pin {
            Pin::Right => PinOutcome::Verified(PinVerified::attest(CARD)),
            Pin::OfAnotherCard => PinOutcome::Verified(PinVerified::attest(CardId([2; 16]))),
            Pin::Wrong => PinOutcome::Mismatch,
            Pin::Fault(cause) => PinOutcome::Unverifiable(cause),
            Pin::None => PinOutcome::Unverifiable(Unverifiable::PinBlockFormat),
        };
        let policy = self.products.get(&self.record.product).unwrap().clone();
        let (record, state) = (self.record.clone(), self.state.clone());
        let case = Case {
            card: CARD,
            policy: &policy,
            record: &record,
            state: &state,
            request,
            references: references(request.key.stan.get()),
            risk: self.risk,
            second: self.second,
            now: self.now,
        };
        let first = decide(&case, PinEvidence::NotAsked);
        let pin_asked = first == Outcome::NeedsPin;
        let second = if pin_asked { decide(&case, PinEvidence::Asked(&outcome)) } else { first };
        self.settle(second, pin_asked)
    }

    pub(crate) fn case<'c>(
        &'c self,
        policy: &'c ProductPolicy,
        record: &'c CardRecord,
        request: &'c Request,
    ) -> Case<'c> {
        Case {
            card: CARD,
            policy,
            record,
            state: &self.state,
            request,
            references: references(request.key.stan.get()),
            risk: self.risk,
            second: self.second,
            now: self.now,
        }
    }

    /// A PIN change; what the security module would say is given.
    pub(crate) fn change(&mut self, stan: u32, outcome: &PinChangeOutcome) -> Told {
        let (policy, record, state) = (self.policy().clone(), self.record.clone(), self.state.clone());
        let request = Self::request(Kind::PinChange, stan, 0);
        let case = Case { state: &state, ..self.case(&policy, &record, &request) };
        let first = decide(&case, PinEvidence::NotAsked);
        let pin_asked = first == Outcome::NeedsPin;
        let second = if pin_asked { decide(&case, PinEvidence::Changed(outcome)) } else { first };
        self.settle(second, pin_asked)
    }

    /// Effects of something else than a payment, journalled.
    pub(crate) fn act(&mut self, effects: Vec<Effect>) {
        self.state.apply(self.state.seq + 1, self.answers.len() as u64, self.now, &effects);
    }

    pub(crate) fn reverse(&mut self, stan: u32, minor: i64) -> Told {
        let request =
            ReversalRequest { key: key(stan), digest: 7, original: key(stan), amount: Amount(minor) };
        let state = self.state.clone();
        let outcome = decide_reversal(&state, &request, references(stan).rrn, self.now);
        self.settle(outcome, false)
    }

    fn settle(&mut self, outcome: Outcome<'_>, pin_asked: bool) -> Told {
        match outcome {
            Outcome::Repeat { journal_seq } => {
                let reason = self.answers[usize::try_from(journal_seq).unwrap() - 1];
                Told { reason, repeat: true, pin_asked }
            }
            Outcome::Decided(decision) => {
                self.append(&decision);
                Told { reason: decision.reason, repeat: false, pin_asked }
            }
            Outcome::NeedsPin => panic!("asked twice"),
        }
    }

    fn append(&mut self, decision: &Decision<'_>) {
        if let Verdict::Approved(approval) = &decision.verdict {
            let kind_asks = decision.pin == authorization::PinVerdict::Verified;
            assert_eq!(
                approval.evidence().is_some(),
                kind_asks,
                "an approval with a PIN carries its evidence"
            );
        }
        self.answers.push(decision.reason);
        self.effects.clone_from(&decision.effects);
        let journal_seq = self.answers.len() as u64;
        self.state.apply(self.state.seq + 1, journal_seq, self.now, &decision.effects);
        assert!(self.state.tries.used() <= 4, "tries never exceed the limit");
    }
}

pub(crate) fn key(stan: u32) -> TransactionKey {
    TransactionKey {
        terminal: "10000001".parse().unwrap(),
        batch: model::BatchNumber::new(1).unwrap(),
        stan: Stan::new(stan).unwrap(),
        day: 0,
    }
}

fn references(stan: u32) -> References {
    References {
        rrn: format!("{stan:012}").parse().unwrap(),
        approval: format!("{stan:06}").parse().unwrap(),
    }
}
