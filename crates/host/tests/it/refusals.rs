//! Messages that are read and refused before any card is touched: the code, the order in the header, one line in the
//! terminal's journal, and a card that does not move.

use authorization::terminal::TerminalEffect;
use iso8583::MessageBuilder;
use model::ReasonCode;
use store::Event;

use crate::{
    client::{Pos, Wire},
    world::{PIN, WRONG, World},
};

/// 处理要求 3: sign in again.
const SIGN_IN: u8 = 3;

/// One sale with something wrong: what it is answered, and what the journal says of it.
struct Bad {
    what: &'static str,
    frame: fn(&Pos, MessageBuilder) -> Vec<u8>,
    code: &'static str,
    order: u8,
    journalled: Option<ReasonCode>,
}

const BAD: [Bad; 9] = [
    Bad {
        what: "unknown terminal",
        frame: |pos, mut sale| pos.sealed(sale.set(41, "99999999")),
        code: "97",
        order: 0,
        journalled: None,
    },
    Bad {
        what: "wrong merchant",
        frame: |pos, mut sale| pos.sealed(sale.set(42, "898510154110999")),
        code: "03",
        order: 0,
        journalled: Some(ReasonCode::UnknownMerchant),
    },
    Bad {
        what: "not signed in",
        frame: |pos, mut sale| pos.sealed(sale.set(41, "10000003")),
        code: "77",
        order: SIGN_IN,
        journalled: Some(ReasonCode::SignInRequired),
    },
    Bad {
        what: "wrong batch",
        frame: |pos, mut sale| pos.sealed(sale.set(60, "22999999000500")),
        code: "77",
        order: SIGN_IN,
        journalled: Some(ReasonCode::BatchMismatch),
    },
    Bad {
        what: "wrong MAC",
        frame: |pos, sale| {
            let mut frame = pos.sealed(&sale);
            let last = frame.len() - 1;
            frame[last] ^= 1;
            frame
        },
        code: "A0",
        order: SIGN_IN,
        journalled: Some(ReasonCode::MacInvalid),
    },
    Bad {
        what: "changed amount under an old MAC",
        frame: |pos, mut sale| {
            let honest = pos.signed(&sale);
            let mac = &honest[honest.len() - 8..];
            pos.frame(&pos.unsigned(sale.set(4, "000000000001").set_bytes(64, mac)))
        },
        code: "A0",
        order: SIGN_IN,
        journalled: Some(ReasonCode::MacInvalid),
    },
    Bad {
        what: "no MAC",
        frame: |pos, sale| pos.frame(&pos.unsigned(&sale)),
        code: "A0",
        order: SIGN_IN,
        journalled: Some(ReasonCode::MacInvalid),
    },
    Bad {
        what: "no amount",
        frame: |pos, mut sale| pos.sealed(sale.remove(4)),
        code: "30",
        order: 0,
        journalled: Some(ReasonCode::FormatError),
    },
    Bad {
        what: "unknown card",
        frame: |pos, mut sale| pos.sealed(sale.set(2, "9100019999999999")),
        code: "14",
        order: 0,
        journalled: Some(ReasonCode::UnknownCard),
    },
];

/// The wrong PIN is inside: if any of these were looked at, the counter would show it.
#[tokio::test]
async fn bad_input_is_answered_and_journalled_and_moves_no_card() {
    for bad in BAD {
        let world = World::new().await;
        let (pos, mut wire) = world.signed_in().await;
        let (card, entries) = (world.card(0).await, world.journal().await.len());
        let answer = wire.ask(&(bad.frame)(&pos, pos.sale(2, 1000, 0, WRONG))).await;
        assert_eq!((answer.code().as_str(), answer.order()), (bad.code, bad.order), "{}", bad.what);
        if answer.raw(64).is_some() {
            pos.assert_genuine(&answer);
        }
        assert_eq!(world.card(0).await, card, "{}", bad.what);
        assert_eq!(world.module.asked_about_pins(), 0, "{}", bad.what);
        let reasons: Vec<_> = world.journal().await.split_off(entries).iter().map(refusal).collect();
        assert_eq!(reasons, Vec::from_iter(bad.journalled), "{}", bad.what);
    }
}

/// The reason of an entry that must be a refusal at a terminal.
#[track_caller]
fn refusal(entry: &store::Entry) -> ReasonCode {
    match &entry.event {
        Event::Terminal(event) => {
            assert_eq!(event.effect, TerminalEffect::Refused { reason: event.reason });
            event.reason
        }
        other => panic!("not at the terminal: {other:?}"),
    }
}

#[tokio::test]
async fn hosts_hear_03_for_strangers() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in_host().await;
    let sale = |stan| pos.sale(stan, 1000, 0, PIN);
    assert_eq!(wire.ask(&pos.sealed(sale(2).set(41, "99999999"))).await.code(), "03");
    assert_eq!(wire.ask(&pos.sealed(sale(3).set(42, "898510154110999"))).await.code(), "03");
    let answer = wire.ask(&pos.sealed(&sale(4))).await;
    assert_eq!(answer.code(), "00");
    pos.assert_genuine(&answer);
}

#[tokio::test]
async fn single_length_keys_are_not_to_be_had() {
    let world = World::new().await;
    let pos = Pos::unionpay(1);
    let mut wire = world.wire().await;
    let asked = pos.frame(&pos.unsigned(&pos.network("0800", 1, "001")));
    let answer = wire.ask(&asked).await;
    assert_eq!((answer.code().as_str(), answer.raw(62)), ("40", None));
    assert_eq!(world.journal().await.iter().map(refusal).collect::<Vec<_>>(), [ReasonCode::NotSupported]);
}

/// A PIN block that decrypts to nothing: the card's journal knows of it, the counter does not.
#[tokio::test]
async fn an_undecipherable_pin_block_asks_for_a_sign_in() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let before = world.card(0).await;
    let answer = wire.ask(&pos.sealed(pos.sale(2, 1000, 0, WRONG).set_bytes(52, &[0x11; 8]))).await;
    assert_eq!((answer.code().as_str(), answer.order()), ("99", SIGN_IN));
    pos.assert_genuine(&answer);
    let after = world.card(0).await;
    assert_eq!((after.tries, after.lock, after.balance), (before.tries, before.lock, before.balance));
}

/// Garbage must not fill the disk: beyond the limit it is answered, not written.
#[tokio::test]
async fn a_terminal_writes_only_so_many_refusals_per_minute() {
    let world = World::with(|s| s.limits.refusals_per_minute = 5).await;
    let (pos, mut wire) = world.signed_in().await;
    let entries = world.journal().await.len();
    refused(&pos, &mut wire, 2..10).await;
    assert_eq!(world.journal().await.len() - entries, 5);
    world.clock.advance_ms(60_000);
    refused(&pos, &mut wire, 10..11).await;
    assert_eq!(world.journal().await.len() - entries, 6);
}

async fn refused(pos: &Pos, wire: &mut Wire, stans: std::ops::Range<u32>) {
    for stan in stans {
        let unsigned = pos.unsigned(&pos.sale(stan, 1000, 0, PIN));
        assert_eq!(wire.ask(&pos.frame(&unsigned)).await.code(), "A0");
    }
}
