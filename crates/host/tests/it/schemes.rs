//! Terminals with a key for every transaction (DUKPT), and terminals that move to other keys: own messages, own keys, own
//! arithmetic on this side of the wire.

use authorization::{
    key_set::{KeySet, KeySetEffect, Stage},
    terminal::{Site, TerminalEffect, TerminalRecord, TerminalState},
};
use hsm::soft::KeyAttributes;
use iso8583::MessageBuilder;
use model::{KeyScheme, Ksn, ReasonCode, TerminalId};
use paycrypto::{
    dukpt::tdes,
    key_block::KeyUsage,
    mac,
    pin::{PanForPin, Pin},
    pin_block::encode_format_0,
};
use store::{Entry, Event, Registration, Subject, journal::TerminalEvent};

use crate::{
    client::{Answer, Pos, Wire},
    world::{MERCHANT, PIN, WRONG, World, pan},
};

const BDK: [u8; 16] = *b"\x13\x2a\x4b\x3d\x4c\x5e\x6e\x70\x8f\x91\xa2\xb3\xc4\xd5\xe6\xf7";
const DEVICE: &str = "FFFF9876543210E00000";
/// On the listener of ISO 8583 hosts no session is needed.
const NUMBER: u32 = 77;

struct Device {
    pos: Pos,
    wire: Wire,
}

/// A key serial number of the device.
fn ksn(counter: u32) -> tdes::KeySerialNumber {
    let mut bytes: [u8; 10] = hex(DEVICE).try_into().unwrap();
    for (to, from) in bytes[6..].iter_mut().zip(counter.to_be_bytes()) {
        *to |= from;
    }
    tdes::KeySerialNumber::new(bytes).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn dukpt_keys(world: &World) -> KeySet {
    let bdk = world.module.soft.import_test_key(KeyAttributes::tdes(KeyUsage::BaseDerivation), &BDK).unwrap();
    KeySet {
        scheme: KeyScheme::TdesDukpt,
        key: bdk,
        format: KeyScheme::TdesDukpt.usual_format(),
        device: Some(DEVICE.parse::<Ksn>().unwrap()),
        check_value: "made up".to_owned(),
    }
}

async fn device(world: &World) -> Device {
    let pos = Pos::iso87(NUMBER);
    let record = TerminalRecord {
        id: pos.id.parse().unwrap(),
        merchant: MERCHANT.parse().unwrap(),
        merchant_name: "corner shop".to_owned(),
        site: Site::default(),
        keys: dukpt_keys(world),
    };
    world.engine.register(vec![Registration::Terminal(record)]).await.unwrap();
    let wire = Wire::open(world.host.addresses()[1], pos.clone()).await;
    Device { pos, wire }
}

impl Device {
    /// A sale under the keys of one transaction.
    fn sale(&self, stan: u32, counter: u32, card: usize, pin: &str) -> Vec<u8> {
        let key = tdes::BaseDerivationKey::new(&BDK).unwrap().transaction_key(&ksn(counter));
        let number = pan(card);
        let account = PanForPin::new(&number).unwrap().account12();
        let block =
            encode_format_0(&Pin::from_ascii(pin.as_bytes()).unwrap(), &account).encrypt(&key.pin_key());
        let mut sale: MessageBuilder = self.pos.sale(stan, 1000, card, pin);
        sale.set_bytes(52, &block).set(57, &hex::encode_upper(ksn(counter).bytes()));
        let mut body = Vec::new();
        let sign = |covered: &[u8]| mac::x9_19(&key.mac_request_key(), covered);
        sale.encode_signed(&self.pos.dialect, &mut body, sign).unwrap();
        self.pos.frame(&body)
    }

    async fn ask(&mut self, frame: &[u8]) -> Answer {
        self.wire.ask(frame).await
    }

    /// The answer is signed with the key for answers of the same transaction.
    #[track_caller]
    fn assert_genuine(&self, answer: &Answer, counter: u32) {
        let key = tdes::BaseDerivationKey::new(&BDK).unwrap().transaction_key(&ksn(counter));
        let (covered, mac) = answer.body().split_at(answer.body().len() - 8);
        assert_eq!(mac::x9_19(&key.mac_response_key(), covered), mac, "the answer's MAC");
    }
}

#[tokio::test]
async fn every_transaction_has_its_own_keys_both_ways() {
    let world = World::new().await;
    let mut device = device(&world).await;
    for (stan, pin, code) in [(1, PIN, "00"), (2, WRONG, "55"), (3, PIN, "00")] {
        let answer = device.ask(&device.sale(stan, stan, 0, pin)).await;
        assert_eq!(answer.code(), code);
        device.assert_genuine(&answer, stan);
    }
    assert_eq!(world.card(0).await.tries.used(), 0);
}

/// The replay of an encrypted PIN block: a number that was used is not used again, by whomever, also after a restart.
#[tokio::test]
async fn a_key_serial_number_is_used_once() {
    let world = World::new().await;
    let mut device = device(&world).await;
    let first = device.sale(1, 5, 0, WRONG);
    assert_eq!(device.ask(&first).await.code(), "55");
    let asked = world.module.asked_about_pins();
    let again = device.ask(&first).await;
    assert_eq!(again.code(), "55", "a repeat of the same transaction is answered as before");
    for stan in 2..40 {
        let answer = device.ask(&device.sale(stan, 5, 0, PIN)).await;
        assert_eq!(answer.code(), "63", "another transaction under the same number");
        device.assert_genuine(&answer, 5);
    }
    assert_eq!(
        (world.card(0).await.tries.used(), world.module.asked_about_pins()),
        (1, asked),
        "nobody looked"
    );
    let restarted = World::on(std::sync::Arc::clone(&world.engine), |_| {}).await;
    let mut late = Device {
        pos: device.pos.clone(),
        wire: Wire::open(restarted.host.addresses()[1], device.pos.clone()).await,
    };
    assert_eq!(late.ask(&late.sale(50, 5, 0, PIN)).await.code(), "63");
    assert_eq!(late.ask(&late.sale(51, 6, 0, PIN)).await.code(), "00");
}

#[tokio::test]
async fn numbers_may_overtake_each_other_a_little() {
    let world = World::new().await;
    let mut device = device(&world).await;
    for (stan, counter, code) in
        [(1, 200, "00"), (2, 137, "00"), (3, 136, "63"), (4, 137, "63"), (5, 201, "00")]
    {
        assert_eq!(device.ask(&device.sale(stan, counter, 0, PIN)).await.code(), code, "number {counter}");
    }
}

#[tokio::test]
async fn a_forged_message_uses_no_number_up() {
    let world = World::new().await;
    let mut device = device(&world).await;
    let genuine = device.sale(1, 9, 0, PIN);
    let mut forged = genuine.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(device.ask(&forged).await.code(), "A0");
    assert_eq!(world.module.asked_about_pins(), 0);
    assert_eq!(device.ask(&genuine).await.code(), "00");
}

#[tokio::test]
async fn a_number_of_no_known_device_or_no_number_at_all_is_refused() {
    let world = World::new().await;
    let device = device(&world).await;
    let mut wire = Wire::open(world.host.addresses()[1], device.pos.clone()).await;
    for (number, code) in [("FFFF9876543211E00001", "96"), ("FFFF9876", "30"), ("not hexadecimal", "30")] {
        let mut sale = device.pos.sale(3, 1000, 0, PIN);
        sale.set(57, number);
        assert_eq!(wire.ask(&device.pos.sealed(&sale)).await.code(), code, "{number}");
    }
    assert_eq!(world.card(0).await.tries.used(), 0);
}

async fn state(world: &World, id: &str) -> TerminalState {
    let id: TerminalId = id.parse().unwrap();
    world.engine.terminal(&id).await.unwrap().unwrap().state.clone()
}

/// Terminal 2 has a master key; new keys are staged, it moves by using them, falls back by using the old ones, and is
/// cut off from those when they are retired.
#[tokio::test]
async fn a_terminal_moves_to_new_keys_and_back_by_using_them() {
    let world = World::new().await;
    let (old, mut old_wire) = world.signed_in_host().await;
    let mut new = Device { pos: old.clone(), wire: Wire::open(world.host.addresses()[1], old.clone()).await };
    assert_eq!(new.ask(&new.sale(10, 1, 0, PIN)).await.code(), "96", "keys that were not staged");

    let step = async |effect: KeySetEffect| {
        let seq = state(&world, &old.id).await.seq + 1;
        let event = TerminalEvent {
            effect: TerminalEffect::KeySet(effect),
            merchant: MERCHANT.parse().unwrap(),
            stan: None,
            rrn: None,
            reason: ReasonCode::StaffAction,
            code: None,
            pan: None,
            amount: None,
        };
        let subject = Subject::Terminal(old.id.parse().unwrap());
        let entry =
            Entry { subject, seq, at: model::Timestamp(0), event: Event::Terminal(event), exchange: None };
        world.engine.append(entry).await.unwrap();
    };
    step(KeySetEffect::Stage { plan: "p".to_owned(), set: dukpt_keys(&world) }).await;
    let stage = async || state(&world, &old.id).await.key_sets.stage("p");
    assert_eq!(old_wire.ask(&old.sealed(&old.sale(11, 1000, 0, PIN))).await.code(), "00", "goes on paying");
    assert!(matches!(stage().await, Stage::Staged(_)));
    assert_eq!(new.ask(&new.sale(12, 2, 0, PIN)).await.code(), "00");
    assert!(matches!(stage().await, Stage::Moved(_)));
    assert_eq!(old_wire.ask(&old.sealed(&old.sale(13, 1000, 0, PIN))).await.code(), "00");
    assert!(matches!(stage().await, Stage::FellBack(_)), "and back");
    assert_eq!(new.ask(&new.sale(14, 3, 0, PIN)).await.code(), "00");
    step(KeySetEffect::Retire).await;
    assert_eq!(stage().await, Stage::Finished);
    let refused = old_wire.ask(&old.sealed(&old.sale(15, 1000, 0, PIN))).await.code();
    assert_eq!(refused, "A0", "the old keys are gone");
    assert_eq!(new.ask(&new.sale(16, 4, 0, PIN)).await.code(), "00");
}
