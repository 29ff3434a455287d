//! Short messages to cardholders: the gateway that the configuration names, on the store's book; in a sandbox with the made-up
//! numbers of its cards.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context as _;
use host::Clock as _;
use model::{CardId, Pan};
use sms::{
    Carrier, Contacts, Gateway, Outbox, PhoneNumber, Receipt, Settings, SmsService,
    http::{HttpGateway, ReceiptsKey},
    smpp::SmppGateway,
};
use store::Engine;
use tokio::sync::mpsc;

use crate::{command::Usage, seed::Seeded, storage::Storage};

/// Opens them.
pub(crate) async fn start(
    settings: &Settings,
    storage: &Storage,
    seeded: Option<&Seeded>,
) -> anyhow::Result<web::Messages> {
    let clock: sms::Clock = Arc::new(|| host::SystemClock.now());
    let Carried { gateway, outbox, receipts, key } = carried(settings, &clock).map_err(Usage)?;
    let service = SmsService::open(storage.book(), gateway, clock, settings.limits, &settings.bank)
        .await
        .context("cannot open the messages")?;
    if let Some(receipts) = receipts {
        tokio::spawn(service.clone().listen(receipts));
    }
    let made_up = seeded.map(|seeded| numbers(seeded, &*storage.engine())).transpose()?.unwrap_or_default();
    let contacts = Contacts::sandbox(storage.book(), made_up);
    Ok(web::Messages { service, outbox, contacts, address: String::new(), receipts: key })
}

/// What carries messages, and how it says what became of them.
struct Carried {
    gateway: Arc<dyn Gateway>,
    outbox: Option<Arc<Outbox>>,
    receipts: Option<mpsc::Receiver<Receipt>>,
    key: Option<Arc<ReceiptsKey>>,
}

fn carried(settings: &Settings, clock: &sms::Clock) -> Result<Carried, String> {
    let (mut outbox, mut receipts, mut key) = (None, None, None);
    let gateway: Arc<dyn Gateway> = match (settings.gateway, &settings.http, &settings.smpp) {
        (Carrier::Http, Some(http), _) => {
            key = http.receipts_file.as_deref().map(ReceiptsKey::read).transpose()?.map(Arc::new);
            HttpGateway::new(http, clock.clone())?
        }
        (Carrier::Smpp, _, Some(smpp)) => {
            let (gateway, told) = SmppGateway::start(smpp)?;
            receipts = Some(told);
            gateway
        }
        (Carrier::Outbox, _, _) => {
            let kept = Arc::new(Outbox::new(clock.clone()));
            outbox = Some(Arc::clone(&kept));
            kept
        }
        // The configuration was checked.
        (Carrier::Http, None, _) => return Err("sms.http: the gateway http needs it".to_owned()),
        (Carrier::Smpp, _, None) => return Err("sms.smpp: the gateway smpp needs it".to_owned()),
    };
    Ok(Carried { gateway, outbox, receipts, key })
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
