//! Gives tries back, through the same door as payments.

use async_trait::async_trait;
use authorization::{Products, desk::NotApplicable};
use host::{
    Clock, SystemClock,
    staff::{NotDone, Restoration},
};
use model::{CardId, TransactionKey};
use store::{Store, StoreError, WorkError};
use watch::{ChargedTry, Order, RestoreTries, Restored};

pub(crate) struct Tries {
    store: Store,
    products: Products,
}

impl Tries {
    pub(crate) fn new(store: Store, products: Products) -> Self {
        Self { store, products }
    }
}

#[async_trait]
impl RestoreTries for Tries {
    async fn charged(&self, card: &CardId) -> Result<Option<Vec<ChargedTry>>, StoreError> {
        let Some(card) = self.store.engine().card(card).await? else { return Ok(None) };
        let traces = &card.state.traces;
        let charged = card.state.charged().iter().map(|charged| ChargedTry {
            key: charged.key,
            rrn: traces.iter().find(|trace| trace.key == charged.key).map(|trace| trace.rrn),
            at: charged.at,
        });
        Ok(Some(charged.collect()))
    }

    async fn restore(
        &self,
        card: &CardId,
        transactions: &[TransactionKey],
        order: &Order,
    ) -> Result<Restored, StoreError> {
        // Both stand in the journal; one name alone says that nobody else was there.
        let actor = match order.reviewer.as_str() {
            "" => order.by.clone(),
            reviewer => format!("{}, reviewed by {reviewer}", order.by),
        };
        let why = format!("incident {}: {}", order.incident, order.why);
        let restoration =
            Restoration { card: *card, incident: order.incident, transactions, actor: &actor, why: &why };
        match host::staff::restore(&self.store, &self.products, restoration, SystemClock.now()).await {
            Ok(_) => Ok(Restored::Restored),
            Err(WorkError::Decide(NotDone::NotApplicable(NotApplicable::NothingToRestore))) => {
                Ok(Restored::NothingToRestore)
            }
            Err(WorkError::UnknownSubject) => Ok(Restored::UnknownCard),
            Err(WorkError::Store(error)) => Err(error),
            // Asked again, it is found to be done or not.
            Err(WorkError::Unknown(why)) => Err(StoreError::Away(why)),
            Err(WorkError::Decide(error)) => {
                tracing::warn!(%error, "tries are not given back");
                Ok(Restored::NothingToRestore)
            }
        }
    }
}
