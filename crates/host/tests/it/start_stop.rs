//! A host that cannot start says why in one sentence and listens nowhere; one that stops answers what is under way.

use std::sync::atomic::Ordering::SeqCst;

use host::{Host, ListenerConfig, Settings};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{PIN, World, idle_parts, terminals};

/// A good listener first, then one with this wrong: the first must not be left listening.
async fn check(settings: Settings, wrong: ListenerConfig, expect: &str) {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let good = ListenerConfig { address: free, ..terminals() };
    let Err(error) = Host::start(idle_parts(settings), &[good, wrong]).await else {
        panic!("started in spite of: {expect}");
    };
    let sentence = error.to_string();
    assert!(sentence.contains(expect) && !sentence.contains('\n'), "{sentence}");
    assert!(TcpStream::connect(free).await.is_err(), "nothing listens after: {sentence}");
}

#[tokio::test]
async fn what_nobody_knows_is_named() {
    let with = |change: fn(&mut ListenerConfig)| {
        let mut config = terminals();
        change(&mut config);
        config
    };
    let cases = [
        (with(|c| c.dialect = "klingon".to_owned()), "unknown dialect \"klingon\": known are cup-pos"),
        (with(|c| c.dialect = "/nowhere/own.toml".to_owned()), "/nowhere/own.toml"),
        (with(|c| c.framing = "len3".to_owned()), "len3"),
        (with(|c| c.mac = "md5".to_owned()), "unknown MAC algorithm \"md5\": expected cup-ecb-8"),
        (with(|c| c.profile = Some("visa".to_owned())), "unknown profile \"visa\": known are unionpay"),
    ];
    for (config, expect) in cases {
        check(Settings::default(), config, expect).await;
    }
    let mars = Settings { time_zone: "Mars/Olympus".to_owned(), ..Settings::default() };
    check(mars, terminals(), "unknown time zone \"Mars/Olympus\"").await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let config = ListenerConfig { address, ..terminals() };
    check(Settings::default(), config, &format!("cannot listen on {address}")).await;
}

#[tokio::test]
async fn a_sandbox_stays_at_home() {
    let sandbox = Settings { sandbox: true, ..Settings::default() };
    let config = ListenerConfig { address: "0.0.0.0:0".parse().unwrap(), ..terminals() };
    check(sandbox, config, "in sandbox mode only loopback addresses are bound").await;
}

#[tokio::test]
async fn a_shutdown_answers_what_is_under_way() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let address = world.host.addresses()[0];
    world.module.pin_ms.store(200, SeqCst);
    wire.send(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await;
    while world.module.asked_about_pins() == 0 {
        tokio::task::yield_now().await;
    }
    world.host.shutdown().await;
    let answer = wire.answer().await;
    assert_eq!(answer.code(), "00");
    pos.assert_genuine(&answer);
    wire.expect_closed().await;
    assert!(TcpStream::connect(address).await.is_err());
}
