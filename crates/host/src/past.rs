//! The journal as risk rules see it: each payment again as an event, with what was known about its card before it. For windows
//! that are rebuilt after a start, for rules that come after the decision, and for backtests.
//!
//! ```text
//! Entry ─► Observer ─► what was paid, where, with which PIN ─┐
//!                      trail of the card: when, where, changed ─┴─► PastPayment ─► RiskEvent
//! ```
//!
//! What only the authorization knew and the entry does not say is not made up: it is missing, and a rule that needs it is an
//! error there. An entry says the decision as it was; whether rules had a part in it is in its reason.

use std::{collections::HashMap, sync::Arc};

use authorization::CardRecord;
use diagnosis::{Observation, What, observation::Position};
use jiff::tz::TimeZone;
use model::{CardId, ReasonCode, Rrn};
use risk::RiskEvent;
use store::{Entry, Subject};

pub use crate::rules::TRAILS_MAX;
use crate::{
    config::ListenerConfig,
    observe::{Names, Observer},
    rules::{Facts, Trails},
};

/// Cards of which the product is remembered; with more, all are asked for anew.
const PRODUCTS_MAX: usize = 2_000_000;

/// Makes events of entries, oldest first.
pub struct Past {
    observer: Observer,
    following: Following,
}

/// Makes events of what an observer saw, where somebody observes the journal already.
pub struct Following {
    zone: TimeZone,
    trails: Trails,
    /// The cards' products, if rules ask for them.
    products: Option<HashMap<CardId, Arc<CardRecord>>>,
}

/// A payment of the past; lends itself as an event.
#[derive(Debug, Clone)]
pub struct PastPayment {
    pub(crate) facts: Facts,
    rrn: Rrn,
}

impl Past {
    /// For a host with these listeners, whose local time is that of `zone`.
    #[must_use]
    pub fn new(listeners: &[ListenerConfig], zone: TimeZone) -> Self {
        Self { observer: Observer::new(listeners, zone.clone()), following: Following::new(zone) }
    }

    /// The same, which knows the cards' products: [`needs_product_of`](Self::needs_product_of) has to be asked before each
    /// entry.
    #[must_use]
    pub fn with_products(mut self) -> Self {
        self.following.products = Some(HashMap::new());
        self
    }

    /// What reads the entries: it asks for terminals that it does not know ([`Observer::learn`]).
    pub fn observer(&mut self) -> &mut Observer {
        &mut self.observer
    }

    /// The card whose product has to be told ([`learn_product`](Self::learn_product)) before this entry is taken.
    #[must_use]
    pub fn needs_product_of(&self, entry: &Entry) -> Option<CardId> {
        let (products, Subject::Card(card)) = (self.following.products.as_ref()?, entry.subject) else {
            return None;
        };
        (!products.contains_key(&card)).then_some(card)
    }

    /// Tells what a card is.
    pub fn learn_product(&mut self, card: CardId, record: Arc<CardRecord>) {
        if let Some(products) = &mut self.following.products {
            if products.len() >= PRODUCTS_MAX {
                products.clear();
            }
            products.insert(card, record);
        }
    }

    /// The payment that an entry at a place of the journal is; `None` for everything else, which may still be part of a
    /// card's trail.
    pub fn payment(&mut self, place: u64, entry: &Entry) -> Option<PastPayment> {
        let observation = self.observer.observe(place, entry)?;
        let told = self.observer.told();
        self.following.payment(&observation, told, self.observer.names())
    }

    /// What is remembered about cards, for whoever goes on from here.
    pub(crate) fn into_trails(self) -> Trails {
        self.following.trails
    }

    /// The same, to go on with what somebody else observes.
    pub(crate) fn into_following(self) -> Following {
        self.following
    }
}

impl Following {
    /// For a host whose local time is that of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, trails: Trails::default(), products: None }
    }

    /// The payment that an observation is, if it is one. `told` is where the terminal said it is with this very message.
    pub fn payment(
        &mut self,
        observation: &Observation,
        told: Option<Position>,
        names: &Names,
    ) -> Option<PastPayment> {
        match observation.what {
            // Whoever uses a number again for something else gets an answer that nothing is decided by.
            What::Payment(payment) if payment.reason == ReasonCode::DuplicateTrace => None,
            What::Payment(payment) => {
                let device = observation.device;
                let here = told.or(device.registered);
                let of = (device.terminal, device.merchant);
                let mut facts = Facts::of_payment(observation.at, &payment, of, here, &self.zone);
                facts.zone = names.name(payment.zone).filter(|name| !name.is_empty()).map(Arc::from);
                facts.record =
                    self.products.as_ref().and_then(|products| products.get(&payment.card).cloned());
                facts.before = self.trails.before(&facts);
                self.trails.enter(&facts);
                Some(PastPayment { facts, rrn: payment.rrn })
            }
            What::Desk { card, .. } => {
                self.trails.changed(card, observation.at);
                None
            }
            _ => None,
        }
    }
}

impl PastPayment {
    /// As rules see it, with what became of it.
    #[must_use]
    pub fn event(&self) -> RiskEvent<'_> {
        self.facts.event()
    }

    /// DE 37 of its answer.
    #[must_use]
    pub fn rrn(&self) -> Rrn {
        self.rrn
    }
}
