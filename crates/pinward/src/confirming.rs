//! Second proofs of identity: what the host issues goes to the cardholder, and what the cardholder typed at the terminal is looked
//! at. The host knows no message and no book; this is where it meets them.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use confirmation::{Confirmations, Parts, Told};
use host::{
    Clock as _,
    second::{Asked, Asking},
};
use model::{CardId, Timestamp};
use stepup::CodeKey;
use store::Store;

use crate::storage::Storage;

/// Opens them on a store. `page` is where cardholders reach the console's page.
pub(crate) async fn open(
    storage: &Storage,
    store: Store,
    messages: &web::Messages,
    page: String,
) -> anyhow::Result<Confirmations> {
    let parts = Parts {
        store,
        book: storage.book(),
        messages: messages.service.clone(),
        contacts: messages.contacts.clone(),
        clock: Arc::new(|| host::SystemClock.now()),
        page,
    };
    Confirmations::open(parts).await.context("cannot open the second proofs")
}

/// The host's side of them.
pub(crate) struct Holders(pub(crate) Confirmations);

#[async_trait]
impl Asking for Holders {
    fn key(&self) -> &CodeKey {
        self.0.key()
    }

    async fn totp(&self, card: CardId, code: &str, now: Timestamp) -> Option<i64> {
        self.0.totp(card, code, now).await
    }

    fn issued(&self, asked: Asked) {
        let confirmations = self.0.clone();
        let Asked { card, pan, amount, challenge, code, .. } = asked;
        tokio::spawn(async move {
            confirmations.tell(&Told { card, pan, amount, challenge, code }).await;
        });
    }
}
