//! Short messages to cardholders: the gateway that the configuration names, on the store's book; in a sandbox with the made-up
//! numbers of its cards.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context as _;
use host::Clock as _;
use model::{CardId, Pan};
use sms::{Contacts, Outbox, PhoneNumber, Settings, SmsService};
use store::Engine;

use crate::{seed::Seeded, storage::Storage};

/// Opens them.
pub(crate) async fn start(
    settings: &Settings,
    storage: &Storage,
    seeded: Option<&Seeded>,
) -> anyhow::Result<web::Messages> {
    let clock: sms::Clock = Arc::new(|| host::SystemClock.now());
    let outbox = Arc::new(Outbox::new(clock.clone()));
    let service = SmsService::open(storage.book(), outbox.clone(), clock, settings.limits, &settings.bank)
        .await
        .context("cannot open the messages")?;
    let made_up = seeded.map(|seeded| numbers(seeded, &*storage.engine())).transpose()?.unwrap_or_default();
    let contacts = Contacts::sandbox(storage.book(), made_up);
    Ok(web::Messages { service, outbox: Some(outbox), contacts })
}

/// The numbers of a sandbox's cards.
fn numbers(seeded: &Seeded, engine: &dyn Engine) -> anyhow::Result<HashMap<CardId, PhoneNumber>> {
    let mut numbers = HashMap::new();
    for card in seeded.public.cards.iter().chain(&seeded.opening.cards) {
        let Some(phone) = &card.phone else { continue };
        let pan: Pan = card.pan.parse().context("sandbox-seed.json: a card number")?;
        numbers.insert(engine.card_id(&pan), phone.parse().context("sandbox-seed.json: a phone number")?);
    }
    Ok(numbers)
}
