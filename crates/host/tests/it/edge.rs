//! Peers that take more than their share: too many connections, handshakes or frames, frames that never end, answers that
//! are never read. Each is refused as early as it can be, counted by its cause, and its neighbours go on.

use std::time::{Duration, Instant};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use crate::{
    client::{Pos, Wire},
    pki::{Authority, listener},
    world::World,
};

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let world = World::with(|s| s.limits.connections_per_source = 2).await;
    let pos = Pos::unionpay(1);
    let mut first = world.wire().await;
    let mut second = world.wire().await;
    assert_eq!(first.ask(&pos.echo(1)).await.code(), "00");
    assert_eq!(second.ask(&pos.echo(2)).await.code(), "00");
    for _ in 0..5 {
        world.wire().await.expect_closed().await;
    }
    assert_eq!((world.refused("source-full"), world.refused("listener-full")), (5, 0));
    drop(first);
    for _ in 0..1000 {
        let mut again = world.wire().await;
        if again.try_send(&pos.echo(3)).await && again.read().await.is_some() {
            return;
        }
    }
    panic!("a place that was left is not given away");
}

#[tokio::test]
async fn a_full_listener_is_counted() {
    let world = World::with(|s| s.limits.connections = 1).await;
    let (pos, mut wire) = world.signed_in().await;
    world.wire().await.expect_closed().await;
    assert_eq!(world.refused("listener-full"), 1);
    assert_eq!(wire.ask(&pos.echo(2)).await.code(), "00");
}

/// Connections that begin no handshake hold few places, and not for long.
#[tokio::test]
async fn handshakes_that_do_not_begin_are_few_and_short() {
    let authority = Authority::new();
    let limits = |s: &mut host::Settings| (s.limits.handshakes_per_source, s.limits.handshake_ms) = (2, 300);
    let world = World::at(listener(authority.tls()), limits).await;
    let mut silent = [world.wire().await, world.wire().await];
    // Both have begun when a third is refused.
    for _ in 0..100 {
        if world.refused("handshakes-full") > 0 {
            break;
        }
        drop(TcpStream::connect(world.host.addresses()[0]).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for silent in &mut silent {
        silent.expect_closed().await;
    }
    assert!(world.refused("handshakes-full") >= 1);
    world.until_refused("handshake-slow", 2).await;
    assert!(world.refused("plain-on-tls") == 0);
}

/// More than its rate is not refused: it waits, in the sender's own buffers.
#[tokio::test]
async fn who_sends_too_fast_waits() {
    let world = World::with(|s| s.limits.frames_per_second = 50).await;
    let pos = Pos::unionpay(1);
    let mut wire = world.wire().await;
    let heap: Vec<u8> = (1..=90).flat_map(|stan| pos.echo(stan)).collect();
    let begun = Instant::now();
    wire.send(&heap).await;
    for _ in 0..90 {
        assert_eq!(wire.answer().await.code(), "00");
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(780),
        "fifty at once, forty in 800 ms: {:?}",
        begun.elapsed()
    );
    assert!(world.refused("connection-rate") > 0);
}

#[tokio::test]
async fn an_address_that_sends_too_fast_waits_on_all_its_connections() {
    let world = World::with(|s| s.limits.frames_per_second_per_source = 50).await;
    let begun = Instant::now();
    let senders = (0..3_u32).map(|n| {
        let (pos, address) = (Pos::unionpay(n + 1), world.host.addresses()[0]);
        tokio::spawn(async move {
            let mut wire = Wire::open(address, pos.clone()).await;
            wire.send(&(1..=30).flat_map(|stan| pos.echo(stan)).collect::<Vec<u8>>()).await;
            for _ in 0..30 {
                assert_eq!(wire.answer().await.code(), "00");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(780), "{:?}", begun.elapsed());
    assert!(world.refused("source-rate") > 0 && world.refused("connection-rate") == 0);
}

/// Somebody asks and asks and never reads. Its neighbour does not notice; what the host holds for it is limited, and
/// then it is closed.
#[tokio::test]
async fn who_never_reads_is_closed() {
    let world = World::with(|s| {
        s.limits.reply_bytes = 2_000;
        s.limits.write_ms = 60_000;
        s.limits.frames_per_second = 0;
        s.limits.terminal_requests_per_second = Some(0);
    })
    .await;
    let pos = Pos::unionpay(1);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let mut deaf = socket.connect(world.host.addresses()[0]).await.unwrap();
    let heap: Vec<u8> = (1..=500).flat_map(|stan| pos.echo(stan)).collect();
    let shouting = async {
        // Ends when the host has closed: 60 megabytes are more than any buffer on the way.
        for _ in 0..2_000 {
            if deaf.write_all(&heap).await.is_err() {
                return;
            }
        }
        panic!("the host took everything");
    };
    tokio::time::timeout(Duration::from_secs(60), shouting).await.expect("neither closed nor taken");
    assert_eq!(world.refused("slow-reader"), 1);
    assert_eq!(world.wire().await.ask(&pos.echo(1)).await.code(), "00");
}

/// The same peer within `reply_bytes`: the time for an answer to be taken ends it.
#[tokio::test]
async fn an_answer_is_not_offered_for_ever() {
    let world = World::with(|s| {
        s.limits.write_ms = 200;
        s.limits.frames_per_second = 0;
        s.limits.terminal_requests_per_second = Some(0);
    })
    .await;
    let pos = Pos::unionpay(1);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let mut deaf = socket.connect(world.host.addresses()[0]).await.unwrap();
    let heap: Vec<u8> = (1..=500).flat_map(|stan| pos.echo(stan)).collect();
    let shouting = async { while deaf.write_all(&heap).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(60), shouting).await.expect("neither closed nor taken");
    assert_eq!(world.refused("slow-reader"), 1);
}

#[tokio::test]
async fn every_end_has_its_cause() {
    let world = World::with(|s| (s.limits.idle_ms, s.limits.frame_ms) = (150, 150)).await;
    let pos = Pos::unionpay(1);
    let echo = pos.echo(1);
    for (bytes, cause) in [
        (&[][..], "idle"),
        (&echo[..9], "slow-frame"),
        (&[0xFF; 40], "impossible-frame"),
        (&pos.frame(&[0xFF; 60]), "unanswerable"),
    ] {
        let mut wire = world.wire().await;
        wire.send(bytes).await;
        wire.expect_closed().await;
        world.until_refused(cause, 1).await;
        assert_eq!(world.refused(cause), 1, "{cause}");
    }
    let all: u64 = world.host.edge_refusals().map(|(_, count)| count).sum();
    assert_eq!(all, 4, "each once: {:?}", world.host.edge_refusals().collect::<Vec<_>>());
}

/// What a listener limits otherwise is limited there alone.
#[tokio::test]
async fn a_listener_has_limits_of_its_own() {
    let mut narrow = crate::world::terminals();
    narrow.limits.idle_ms = Some(150);
    let world = World::at(narrow, |_| {}).await;
    world.wire().await.expect_closed().await;
    let mut host = Wire::open(world.host.addresses()[1], Pos::iso87(1)).await;
    host.expect_silence(400).await;
}
