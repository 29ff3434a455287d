//! What is the same in every seed: two hundred cards with their PINs, the terminals with their master key, the soft
//! security module with the issuer's key. Made once, because making it takes longer than many a seed.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use authorization::{
    CardRecord,
    key_set::KeySet,
    terminal::{Site, TerminalRecord},
};
use host::{ListenerConfig, ListenerLimits};
use hsm::soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule};
use iso8583::Dialect;
use model::{Amount, Currency, KeyBlock, KeyScheme, Pan, PinReference, Secret, TerminalId};
use paycrypto::{key::TdesKey, key_block::KeyUsage};
use simulator::sandbox::{Card, Listener, MacAlgorithm, Sandbox, TerminalEntry};
use store::Registration;

/// The dialect in which terminals and hosts speak here.
pub const DIALECT: &str = "cup-pos";
const FRAMING: &str = "len2+tpdu+header";
const MAC: &str = "cup-ecb-8";
const MERCHANT: &str = "898510154110283";
const TMK: [u8; 16] = *b"\x0f\x1e\x2d\x3c\x4b\x5a\x69\x78\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0";
const ISSUER_KEY: [u8; 16] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10";
const CARDS: usize = 200;
const TERMINALS: usize = 16;
/// Low enough that money runs out now and then.
pub const OPENING: Amount = Amount(60_000);

/// Cards, terminals, keys.
pub struct Kit {
    /// What terminals know.
    pub sandbox: Sandbox,
    /// The dialect.
    pub dialect: Arc<Dialect>,
    /// The real module.
    pub soft: Arc<SoftModule>,
    /// The terminals' master key in clear.
    pub tmk: TdesKey,
    tmk_block: KeyBlock,
    references: Vec<PinReference>,
}

impl Kit {
    /// Makes it.
    ///
    /// # Errors
    /// A fixed value that its type refuses.
    pub fn new() -> anyhow::Result<Self> {
        let module = |with| SoftModule::new(MasterKey::new(&[5; 32]), KeyPolicy::Sandbox, with);
        let attributes = KeyAttributes::tdes(KeyUsage::PinVerificationIbm3624);
        let issuer = module(Configuration::default()).import_test_key(attributes, &ISSUER_KEY)?;
        let rule = Configuration::default().with_ibm3624("issuer", issuer, "0123456789012345", "1234567N")?;
        let soft = module(rule);
        let tmk_block = soft.import_test_key(KeyAttributes::tdes(KeyUsage::KeyEncryption), &TMK)?;
        let cards = (0..CARDS).map(card).collect::<anyhow::Result<Vec<_>>>()?;
        let method = ReferenceMethod::Ibm3624 { key: "issuer".to_owned() };
        let reference = |card: &Card| soft.test_reference(&method, &card.pan, card.pin.reveal());
        let references = cards.iter().map(reference).collect::<Result<_, _>>()?;
        let tmk = TdesKey::double(&TMK);
        let keys = simulator::sandbox::KeySet::tdes(TdesKey::double(&TMK));
        let terminals = (0..TERMINALS).map(|index| {
            Ok(TerminalEntry {
                tid: terminal_id(index)?,
                mid: MERCHANT.parse()?,
                merchant: None,
                listener: 0,
                keys: Arc::clone(&keys),
                next: None,
                device: None,
            })
        });
        let sandbox = Sandbox {
            listeners: vec![Listener {
                address: "any host".to_owned(),
                dialect: DIALECT.to_owned(),
                framing: FRAMING.parse()?,
                mac: MacAlgorithm::CupEcb8,
            }],
            console: None,
            terminals: terminals.collect::<anyhow::Result<_>>()?,
            scheme_terminals: Vec::new(),
            cards,
            foreign_cards: Vec::new(),
            directory: None,
        };
        let dialect = Dialect::builtin(DIALECT).context("a built-in dialect")?;
        Ok(Self { sandbox, dialect, soft: Arc::new(soft), tmk, tmk_block, references })
    }

    /// What the hosts' registers have.
    ///
    /// # Errors
    /// A fixed value that its type refuses.
    pub fn registrations(&self) -> anyhow::Result<Vec<Registration>> {
        let mut all = Vec::with_capacity(CARDS + TERMINALS);
        for (card, reference) in self.sandbox.cards.iter().zip(&self.references) {
            let record = CardRecord {
                pan: card.pan.masked(),
                expiry: card.expiry,
                product: card.product.clone(),
                currency: Currency::CNY,
                opening_balance: OPENING,
            };
            all.push(Registration::Card {
                pan: card.pan.clone(),
                record,
                reference: Some(reference.clone()),
            });
        }
        for terminal in &self.sandbox.terminals {
            all.push(Registration::Terminal(TerminalRecord {
                id: terminal.tid,
                merchant: terminal.mid,
                merchant_name: "corner shop".to_owned(),
                site: Site::default(),
                keys: KeySet {
                    scheme: KeyScheme::Tdes,
                    key: self.tmk_block.clone(),
                    format: KeyScheme::Tdes.usual_format(),
                    device: None,
                    check_value: "made up".to_owned(),
                },
            }));
        }
        Ok(all)
    }

    /// How the hosts are asked to serve.
    #[must_use]
    pub fn listener() -> ListenerConfig {
        ListenerConfig {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            dialect: DIALECT.to_owned(),
            framing: FRAMING.to_owned(),
            mac: MAC.to_owned(),
            profile: None,
            tls: None,
            limits: ListenerLimits::default(),
        }
    }
}

fn card(index: usize) -> anyhow::Result<Card> {
    let pan: Pan = format!("91000199{:08}", index + 1).parse()?;
    let pin = format!("{:06}", (index as u64 * 7_919 + 372_915) % 1_000_000);
    Ok(Card { pan, expiry: "9912".parse()?, pin: Secret::new(pin), product: "debit-standard".to_owned() })
}

/// The terminals, by their place.
///
/// # Errors
/// Never for a small number.
pub fn terminal_id(index: usize) -> anyhow::Result<TerminalId> {
    Ok(format!("{:08}", 10_000_001 + index).parse()?)
}
