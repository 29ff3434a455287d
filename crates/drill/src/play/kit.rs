//! What is the same on every day and takes long to make: the soft security module with its keys, the cards with their PIN
//! references, the terminals' master key.

use std::sync::Arc;

use anyhow::Context;
use authorization::{
    CardRecord,
    key_set::KeySet,
    terminal::{Place, Site, TerminalRecord},
};
use hsm::soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule};
use iso8583::Dialect;
use model::{Amount, Currency, Expiry, KeyBlock, KeyScheme, Ksn, Pan, PinReference};
use paycrypto::{
    dukpt::tdes,
    key::TdesKey,
    key_block::{Algorithm, KeyUsage},
};
use serde_json::json;
use simulator::{Sandbox, sandbox::TerminalEntry};
use store::Registration;

use crate::day::{
    Fleet, cards,
    fleet::{INSTANCES, MODELS},
};

/// The dialect of terminals.
pub const DIALECT: &str = "cup-pos";
/// Their framing.
pub const FRAMING: &str = "len2+tpdu+header";
/// Their MAC.
pub const MAC: &str = "cup-ecb-8";
/// The dialect of other issuers.
pub const ISSUER_DIALECT: &str = "ascii87-bin";
/// Their framing.
pub const ISSUER_FRAMING: &str = "len2";
// Test keys, known to everybody who reads this.
const TMK: [u8; 16] = *b"\x0f\x1e\x2d\x3c\x4b\x5a\x69\x78\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0";
const ISSUER_KEY: [u8; 16] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10";
const BDK: [u8; 16] = *b"\x13\x2a\x4b\x3d\x4c\x5e\x6e\x70\x8f\x91\xa2\xb3\xc4\xd5\xe6\xf7";
const ZONE_KEY: [u8; 16] = *b"\x1a\x2b\x3d\x4c\x5e\x6d\x7f\x80\x91\xa2\xb3\xc4\xd5\xe6\xf7\x08";
const STALE_ZONE_KEY: [u8; 16] = *b"\x2a\x3b\x4c\x5d\x6e\x7f\x80\x91\xa2\xb3\xc4\xd5\xe6\xf7\x08\x19";
/// What a card may spend, in minor units.
const OPENING: Amount = Amount(1_000_000_000);
/// Cards are good until then.
const EXPIRY: &str = "3112";
/// Those of `expired` were good until then.
const EXPIRED: &str = "2609";

/// A card that was made.
#[derive(Debug)]
pub struct Made {
    /// Its number.
    pub pan: Pan,
    /// Its PIN.
    pub pin: String,
    reference: Option<PinReference>,
}

/// What every day needs.
pub struct Kit {
    /// The real module.
    pub soft: Arc<SoftModule>,
    /// The terminals' dialect.
    pub dialect: Arc<Dialect>,
    /// The cards, by number.
    pub cards: Vec<Made>,
    /// The zone keys' block, as it should be.
    pub zone_key: KeyBlock,
    /// The same for a key that the issuers do not have.
    pub stale_zone_key: KeyBlock,
    /// The zone key in clear, for the issuers.
    pub zone_key_clear: Arc<TdesKey>,
    /// The date on cards.
    pub expiry: Expiry,
    /// The date on cards that are over.
    pub expired: Expiry,
    tmk: KeyBlock,
    bdk: KeyBlock,
}

impl Kit {
    /// Makes it.
    ///
    /// # Errors
    /// A fixed value that its type refuses.
    pub fn new() -> anyhow::Result<Arc<Self>> {
        let module = |with| SoftModule::new(MasterKey::new(&[5; 32]), KeyPolicy::Sandbox, with);
        let verifies = KeyAttributes::tdes(KeyUsage::PinVerificationIbm3624);
        let issuer = module(Configuration::default()).import_test_key(verifies, &ISSUER_KEY)?;
        let rule = Configuration::default().with_ibm3624("issuer", issuer, "0123456789012345", "1234567N")?;
        let soft = module(rule);
        let method = ReferenceMethod::Ibm3624 { key: "issuer".to_owned() };
        let make = |card: u32| -> anyhow::Result<Made> {
            let (pan, pin) = (cards::number(card), cards::pin(card));
            let reference = match cards::zone(card) {
                None => Some(soft.test_reference(&method, &pan, &pin)?),
                Some(_) => None,
            };
            Ok(Made { pan, pin, reference })
        };
        let zone = |clear| soft.import_test_key(KeyAttributes::zone_pin_out(Algorithm::Tdea), clear);
        Ok(Arc::new(Self {
            cards: (0..cards::ALL).map(make).collect::<anyhow::Result<_>>()?,
            zone_key: zone(&ZONE_KEY)?,
            stale_zone_key: zone(&STALE_ZONE_KEY)?,
            zone_key_clear: Arc::new(TdesKey::double(&ZONE_KEY)),
            tmk: soft.import_test_key(KeyAttributes::tdes(KeyUsage::KeyEncryption), &TMK)?,
            bdk: soft.import_test_key(KeyAttributes::tdes(KeyUsage::BaseDerivation), &BDK)?,
            soft: Arc::new(soft),
            dialect: Dialect::builtin(DIALECT).context("a built-in dialect")?,
            expiry: EXPIRY.parse()?,
            expired: EXPIRED.parse()?,
        }))
    }

    /// What the host's registers have on a day.
    ///
    /// # Errors
    /// A fixed value that its type refuses.
    pub fn registrations(&self, fleet: &Fleet) -> anyhow::Result<Vec<Registration>> {
        let mut all = Vec::with_capacity(cards::OWN as usize + fleet.terminals.len());
        for (made, holder) in self.cards.iter().zip(&fleet.holders).take(cards::OWN as usize) {
            let record = CardRecord {
                pan: made.pan.masked(),
                expiry: if holder.expired { self.expired } else { self.expiry },
                product: "debit-standard".to_owned(),
                currency: Currency::CNY,
                opening_balance: if holder.poor { Amount::ZERO } else { OPENING },
            };
            all.push(Registration::Card { pan: made.pan.clone(), record, reference: made.reference.clone() });
        }
        for (at, till) in fleet.terminals.iter().enumerate() {
            let scheme = if till.dukpt { KeyScheme::TdesDukpt } else { KeyScheme::Tdes };
            let merchant = &fleet.merchants[till.merchant as usize];
            all.push(Registration::Terminal(TerminalRecord {
                id: till.id,
                merchant: merchant.id,
                merchant_name: merchant.name.clone(),
                site: Site {
                    category: Some(merchant.category),
                    place: Some(Place {
                        latitude_e6: (f64::from(merchant.position.0) * 1e6) as i32,
                        longitude_e6: (f64::from(merchant.position.1) * 1e6) as i32,
                    }),
                    model: Some(MODELS[till.model].0.to_owned()),
                },
                keys: KeySet {
                    scheme,
                    key: if till.dukpt { self.bdk.clone() } else { self.tmk.clone() },
                    format: scheme.usual_format(),
                    device: till.dukpt.then(|| device(at).parse::<Ksn>()).transpose()?,
                    check_value: "made up".to_owned(),
                },
            }));
        }
        Ok(all)
    }

    /// What the terminals know: one listener for each host instance.
    ///
    /// # Errors
    /// As [`Kit::registrations`].
    pub fn sandbox(&self, fleet: &Fleet) -> anyhow::Result<Sandbox> {
        let listener = |at: usize| json!({ "address": at.to_string(), "dialect": DIALECT, "framing": FRAMING, "mac": MAC });
        let terminals = fleet.terminals.iter().enumerate().map(|(at, till)| -> anyhow::Result<TerminalEntry> {
            let merchant = &fleet.merchants[till.merchant as usize];
            let mut entry = json!({ "tid": till.id.as_str(), "mid": merchant.id.as_str(), "listener": till.instance });
            if till.dukpt {
                let ksn: Ksn = device(at).parse()?;
                let named = tdes::KeySerialNumber::from_slice(ksn.as_bytes())?;
                let initial = tdes::BaseDerivationKey::new(&BDK)?.initial_key(&named);
                entry["scheme"] = json!("tdes-dukpt");
                entry["initial_key"] = json!(hex(&*initial.expose_bytes()));
                entry["ksn"] = json!(device(at));
            } else {
                entry["tmk"] = json!(hex(&TMK));
            }
            Ok(serde_json::from_value(entry)?)
        });
        Ok(Sandbox {
            listeners: (0..INSTANCES.len())
                .map(|at| serde_json::from_value(listener(at)))
                .collect::<Result<_, _>>()?,
            console: None,
            terminals: terminals.collect::<anyhow::Result<_>>()?,
            scheme_terminals: Vec::new(),
            cards: Vec::new(),
            foreign_cards: Vec::new(),
            directory: None,
        })
    }
}

/// The key serial number of a device with its counter, the last 21 bits, at zero.
fn device(at: usize) -> String {
    format!("FFFF98765{:06X}00000", 2 * (at + 1))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
