//! The sandbox's other bank: an issuer that the simulator plays, beside the host, so that a card that is not ours has
//! somewhere to go. Its zone key and its cards' PINs are test values, made with the sandbox.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use hsm::soft::KeyAttributes;
use iso8583::Dialect;
use paycrypto::{
    key::{TdesKey, adjust_parity},
    key_block::Algorithm,
};
use serde::{Deserialize, Serialize};
use simulator::issuer::{Account, Issuer, Settings};
use zeroize::Zeroizing;

use crate::{seed::CardJson, test_module::TestModule};

const NAME: &str = "other-bank";
const BIN: &str = "9555";
const DIALECT: &str = "ascii87-bin";
const FRAMING: &str = "len2";
/// What its cards may spend, in minor units.
const BALANCE: i64 = 100_000_000;
/// Wrong PINs until it locks a card.
const TRIES: u32 = 3;

/// The other bank as the sandbox remembers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OtherBank {
    /// The zone PIN key, as a block under our master key.
    zone_pin_key: String,
    /// The same in clear, for the bank.
    zone_pin_key_clear: String,
    /// Its cards.
    pub(crate) cards: Vec<CardJson>,
}

impl OtherBank {
    /// A bank with these cards and a zone key of its own.
    pub(crate) async fn make(module: &TestModule, cards: Vec<CardJson>) -> anyhow::Result<Self> {
        let mut clear = Zeroizing::new([0; 16]);
        getrandom::fill(&mut *clear).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
        adjust_parity(&mut *clear);
        let block = module.import(KeyAttributes::zone_pin_out(Algorithm::Tdea), &*clear).await?;
        Ok(Self {
            zone_pin_key: block.as_str().to_owned(),
            zone_pin_key_clear: hex::encode_upper(*clear),
            cards,
        })
    }

    /// Its numbers without their check digits.
    pub(crate) fn numbers() -> impl Iterator<Item = String> {
        (1..=6).map(|serial| format!("{BIN}{serial:011}"))
    }

    /// The route to it.
    pub(crate) fn route(&self, address: SocketAddr) -> host::RouteConfig {
        let line = host::LineConfig { address, priority: 0 };
        let route = host::RouteConfig::new(NAME, &[BIN], DIALECT, FRAMING, self.zone_pin_key.clone());
        host::RouteConfig { line: vec![line], answer_ms: 5_000, ..route }
    }

    /// Opens it where a configuration says that it is. When something listens there already, such as the bank of another
    /// host of this sandbox, that is the bank.
    pub(crate) async fn open_for(&self, routes: &[host::RouteConfig]) -> anyhow::Result<Option<Issuer>> {
        let ours = routes.iter().find(|route| route.name == NAME).and_then(|route| route.line.first());
        let Some(line) = ours else { return Ok(None) };
        match self.open(line.address).await {
            Ok(bank) => Ok(Some(bank)),
            Err(error) if error.downcast_ref::<io::Error>().is_some_and(in_use) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens it.
    pub(crate) async fn open(&self, address: SocketAddr) -> anyhow::Result<Issuer> {
        let key = Zeroizing::new(hex::decode(&self.zone_pin_key_clear).context("the other bank's key")?);
        let account =
            |card: &CardJson| Ok((card.pan.parse()?, Account { pin: card.pin.clone(), balance: BALANCE }));
        let settings = Settings {
            address,
            dialect: Dialect::builtin(DIALECT).context("the other bank's dialect")?,
            framing: FRAMING.parse()?,
            zone_pin_key: Arc::new(TdesKey::new(&key)?),
            accounts: self.cards.iter().map(account).collect::<anyhow::Result<_>>()?,
            tries: TRIES,
            late: Duration::from_secs(8),
        };
        Ok(Issuer::start(settings).await?)
    }
}

fn in_use(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}
