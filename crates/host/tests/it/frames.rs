//! What arrives on a connection before it is a message: lengths that cannot be, halves, drips, heaps, and TPDUs of
//! every acquirer. A connection that talks nonsense is closed; its neighbours do not notice.

use std::time::{Duration, Instant};

use crate::{
    client::{Pos, Wire},
    world::{PIN, World},
};

/// Bytes after which the host closes; a neighbour on the same port goes on.
async fn check_closed(bytes: Vec<u8>) {
    let world = World::new().await;
    let (pos, mut neighbour) = world.signed_in().await;
    let mut wire = world.wire().await;
    wire.send(&bytes).await;
    wire.expect_closed().await;
    let sale = pos.sealed(&pos.sale(2, 1000, 0, PIN));
    assert_eq!(neighbour.ask(&sale).await.code(), "00");
    assert_eq!(world.transactions().await, 1);
}

#[tokio::test]
async fn impossible_lengths_close_their_connection_alone() {
    for length in [0, 3, 11, 8193, 0xFFFF_u16] {
        check_closed([&length.to_be_bytes()[..], &[0x60; 40]].concat()).await;
    }
}

/// Messages of which nobody could say to whom an answer goes.
#[tokio::test]
async fn what_cannot_be_answered_closes_its_connection() {
    let pos = Pos::unionpay(1);
    let sale = pos.unsigned(&pos.sale(1, 1000, 0, PIN));
    let anonymous = pos.unsigned(pos.sale(1, 1000, 0, PIN).remove(41));
    let traceless = pos.unsigned(pos.sale(1, 1000, 0, PIN).remove(11).set_bytes(55, b"\x9f\x02\x06\x00"));
    let answers_itself = [&[0x02, 0x10], &sale[2..]].concat();
    for body in
        [&sale[..1], &sale[..9], &sale[..30], &anonymous, &traceless, &answers_itself, &[0xFF; 60][..]]
    {
        check_closed(pos.frame(body)).await;
    }
}

#[tokio::test]
async fn unreadable_messages_that_can_be_answered_get_30() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let before = world.card(0).await;
    let broken_chip_data = pos.signed(pos.sale(2, 1000, 0, PIN).set_bytes(55, b"\x9f\x02\x06\x00"));
    let mut broken_digit = pos.signed(&pos.sale(3, 1000, 0, PIN));
    let at = pos.dialect.decode(&broken_digit).unwrap().offset_of(4).unwrap();
    broken_digit[at] = 0xAB;
    let mut longer = pos.signed(&pos.sale(4, 1000, 0, PIN));
    longer.push(0);
    for body in [broken_chip_data, broken_digit, longer] {
        let answer = wire.ask(&pos.frame(&body)).await;
        assert_eq!((answer.code().as_str(), answer.text(41)), ("30", Some(pos.id.clone())));
    }
    assert_eq!(world.card(0).await, before);
}

/// The TPDUs seen in public code (reference §2.1): the host swaps whatever it gets and compares with nothing.
#[tokio::test]
async fn every_tpdu_comes_back_swapped() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let body = pos.unsigned(&pos.network("0820", 2, "301"));
    for tpdu in [
        [0x60, 0x00, 0x00, 0x00, 0x00],
        [0x60, 0x00, 0x03, 0x00, 0x00],
        [0x60, 0x00, 0x04, 0x00, 0x00],
        [0x60, 0x00, 0x06, 0x00, 0x00],
        [0x60, 0x00, 0x10, 0x00, 0x00],
        [0x60, 0x03, 0x01, 0x00, 0x00],
        [0x60, 0x10, 0x12, 0x00, 0x00],
        [0x60, 0x83, 0x81, 0x00, 0x05],
    ] {
        let answer = wire.ask(&pos.frame_with(tpdu, &body)).await;
        let [first, a, b, c, d] = tpdu;
        assert_eq!(answer.frame[..5], [first, c, d, a, b]);
        assert_eq!((answer.code().as_str(), answer.order()), ("00", 0));
    }
}

#[tokio::test]
async fn fifty_frames_in_one_write_are_all_answered() {
    for under_way in [64, 4] {
        fifty_frames(under_way).await;
    }
}

/// However few of them are worked on at once.
async fn fifty_frames(under_way: usize) {
    let world = World::with(|s| s.limits.in_flight_per_connection = under_way).await;
    let (pos, mut wire) = world.signed_in().await;
    let heap: Vec<u8> = (2..52).flat_map(|stan| pos.sealed(&pos.sale(stan, 1000, 0, PIN))).collect();
    wire.send(&heap).await;
    let mut traces = Vec::new();
    for _ in 2..52 {
        let answer = wire.answer().await;
        assert_eq!(answer.code(), "00");
        pos.assert_genuine(&answer);
        traces.push(answer.text(11).unwrap());
    }
    traces.sort();
    assert_eq!(traces, (2..52).map(|stan| format!("{stan:06}")).collect::<Vec<_>>());
    assert_eq!(world.transactions().await, 50);
}

#[tokio::test]
async fn a_full_listener_takes_no_more_and_keeps_what_it_has() {
    let world = World::with(|s| s.limits.connections = 1).await;
    let (pos, mut wire) = world.signed_in().await;
    world.wire().await.expect_closed().await;
    assert_eq!(wire.ask(&pos.echo(2)).await.code(), "00");
}

#[tokio::test]
async fn a_connection_without_a_frame_is_closed() {
    let world = World::with(|s| s.limits.idle_ms = 800).await;
    let (pos, mut wire) = world.signed_in().await;
    for stan in 2..5 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(wire.ask(&pos.echo(stan)).await.code(), "00", "each frame buys more time");
    }
    wire.expect_closed().await;
}

/// A frame that was begun: closed when no more comes, and also when more comes too slowly to ever end.
#[tokio::test]
async fn half_a_frame_holds_its_place_only_for_a_while() {
    let world = World::with(|s| s.limits.frame_ms = 250).await;
    let pos = Pos::unionpay(1);
    let frame = pos.echo(1);
    let mut silent = world.wire().await;
    silent.send(&frame[..frame.len() / 2]).await;
    silent.expect_closed().await;

    let mut dripping = world.wire().await;
    let begun = Instant::now();
    for byte in frame.chunks(1) {
        if !dripping.try_send(byte).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    dripping.expect_closed().await;
    assert!(begun.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn a_frame_in_pieces_is_a_frame() {
    let world = World::new().await;
    let pos = Pos::unionpay(1);
    let mut wire = Wire::open(world.host.addresses()[0], pos.clone()).await;
    let two = [pos.echo(1), pos.echo(2)].concat();
    for piece in two.chunks(7) {
        wire.send(piece).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for _ in 0..2 {
        assert_eq!(wire.answer().await.code(), "00");
    }
}
