//! The cardholder's side, wired: holders are reached by short messages at the number on file. Who has no number there is not
//! reached, and a reset is refused before anything dies.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::Products;
use holder::{Contact, HolderDesk, NotSent, Parts, Reach, Settings};
use host::Clock as _;
use jiff::tz::TimeZone;
use model::{CardId, HolderDigits, PersonalDigits, Timestamp};
use sms::{Kind, Order, SmsError, Values};
use store::{Store, StoreError};
use zeroize::Zeroizing;

use crate::storage::Storage;

/// The desk; the host learns who knows holders. `address` is what links begin with.
pub(crate) fn desk(
    host: &host::Host,
    storage: &Storage,
    module: Arc<dyn hsm::SecurityModule>,
    products: &Products,
    telephones: Telephones,
    address: String,
) -> Arc<HolderDesk> {
    let reach: Arc<dyn Reach> = Arc::new(telephones);
    let desk = Arc::new(HolderDesk::new(Parts {
        store: Store::new(storage.engine()),
        book: storage.book(),
        module,
        products: products.clone(),
        reach: Arc::clone(&reach),
        clock: Arc::new(|| host::SystemClock.now()),
        settings: Settings { address, contact_hold_h: sms::contacts::HOLD_H, ..Settings::default() },
    }));
    host.know_holders(Arc::new(Known { reach, desk: Arc::clone(&desk) }));
    desk
}

/// What the host asks of the same people, and tells them.
struct Known {
    reach: Arc<dyn Reach>,
    desk: Arc<HolderDesk>,
}

#[async_trait]
impl host::holders::Holders for Known {
    async fn digits(&self, card: &CardId) -> HolderDigits {
        self.reach.digits(card).await
    }

    fn locked(&self, card: CardId, until: Option<Timestamp>) {
        let desk = Arc::clone(&self.desk);
        tokio::spawn(async move {
            if let Err(error) = desk.tell_of_lock(&card, until).await {
                tracing::warn!(%card, %error, "a holder was not told of a lock");
            }
        });
    }
}

/// Short messages to the numbers on file.
pub(crate) struct Telephones {
    pub(crate) messages: web::Messages,
    /// Whose clock stands in a message.
    pub(crate) zone: TimeZone,
}

impl Telephones {
    async fn send(&self, card: &CardId, kind: Kind, values: Values) -> Result<(), NotSent> {
        let not_sent = |error: &dyn std::fmt::Display| NotSent(error.to_string());
        let contact = self.messages.contacts.of(*card).await.map_err(|e| not_sent(&e))?;
        let contact = contact.ok_or_else(|| NotSent("there is no number on file".to_owned()))?;
        let order = Order { to: contact.number, card: Some(*card), kind, language: contact.language, values };
        self.messages.service.send(order).await.map(drop).map_err(|error: SmsError| not_sent(&error))
    }

    /// As the holder's clock shows it.
    fn moment(&self, at: Timestamp) -> Result<String, NotSent> {
        let at = jiff::Timestamp::from_millisecond(at.0).map_err(|error| NotSent(error.to_string()))?;
        Ok(at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
    }

    async fn send_link(
        &self,
        card: &CardId,
        kind: Kind,
        tail: &str,
        link: &str,
        minutes: u32,
    ) -> Result<(), NotSent> {
        let minutes = minutes.to_string();
        self.send(
            card,
            kind,
            vec![("link", value(link)), ("card", value(tail)), ("minutes", value(&minutes))],
        )
        .await
    }
}

fn value(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

#[async_trait]
impl Reach for Telephones {
    async fn contact(&self, card: &CardId) -> Result<Option<Contact>, StoreError> {
        let found = self.messages.contacts.of(*card).await?;
        Ok(found.map(|contact| Contact {
            masked: contact.number.masked(),
            since: contact.since,
            changed: contact.changed,
        }))
    }

    async fn digits(&self, card: &CardId) -> HolderDigits {
        let found = self.messages.contacts.of(*card).await;
        let found =
            found.inspect_err(|error| tracing::warn!(%card, %error, "a holder's number was not read"));
        let phone = found.ok().flatten().map(|contact| PersonalDigits::of(contact.number.reveal()));
        HolderDigits { phone: phone.unwrap_or_default(), ..HolderDigits::default() }
    }

    async fn activation(&self, card: &CardId, tail: &str, link: &str, minutes: u32) -> Result<(), NotSent> {
        self.send_link(card, Kind::PinActivation, tail, link, minutes).await
    }

    async fn page(&self, card: &CardId, tail: &str, link: &str, minutes: u32) -> Result<(), NotSent> {
        self.send_link(card, Kind::CardPage, tail, link, minutes).await
    }

    async fn locked(
        &self,
        card: &CardId,
        tail: &str,
        until: Option<Timestamp>,
        link: &str,
    ) -> Result<(), NotSent> {
        let mut values = vec![("card", value(tail)), ("link", value(link))];
        let kind = match until {
            Some(until) => {
                values.push(("until", value(&self.moment(until)?)));
                Kind::PinLocked
            }
            None => Kind::PinLockedByStaff,
        };
        self.send(card, kind, values).await
    }

    async fn changed(&self, card: &CardId, tail: &str) -> Result<(), NotSent> {
        let time = self.moment(host::SystemClock.now())?;
        self.send(card, Kind::PinChanged, vec![("card", value(tail)), ("time", value(&time))]).await
    }
}
