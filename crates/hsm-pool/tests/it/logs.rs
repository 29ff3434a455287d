//! What the pool logs, and what its errors say: devices, commands and codes; never a PIN block, an account number or a key.

use std::{
    io,
    sync::{Arc, Mutex},
};

use hsm::{MacAlgorithm, MacKey, SecurityModule, WorkKeyLayout};
use model::PinOutcome;

use crate::peer::{PIN, Peer, Under, pan, verification, world};

/// Everything that any test of this program logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_and_errors_tell_no_secrets() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let mut said = String::new();
    // Each fault finds the device in use.
    let recovered = async || {
        for _ in 0..100 {
            if world.pool.devices()[0].2 && world.pool.check().await.is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("not in use again");
    };
    for fault in ["none", "error=20", "error=A4", "error=15", "error=99", "wrong-header", "slow=3000", "dead"]
    {
        peer.fault(fault);
        for under in Under::ALL {
            let (ksn, pan) = (under.admitted(), pan());
            let request = verification(under, &world.keys, &ksn, &pan, under.block(PIN), &world.pvv);
            said += &format!("{:?}", request.block);
            let outcome = world.pool.verify_pin(request).await;
            assert!(
                fault == "none" || matches!(outcome, PinOutcome::Unverifiable(_)),
                "{fault}: {outcome:?}"
            );
        }
        let tak = MacKey::Key(&world.keys.tak);
        let mac = world.pool.generate_mac(tak, MacAlgorithm::X919, b"an ordinary message").await;
        let keys = world.pool.generate_work_keys(&world.keys.tmk, WorkKeyLayout::DoubleLength).await;
        said += &format!("{:?} {:?} {:?}", mac.as_ref().err(), keys.as_ref().err(), world.config);
        said += &mac.err().map(|e| e.to_string()).unwrap_or_default();
        said += &keys.err().map(|e| e.to_string()).unwrap_or_default();
        peer.fault("none");
        recovered().await;
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("connection to the HSM closed") && logged.contains("left alone"), "{logged}");
    assert!(said.contains("error A4 (key block altered"), "{said}");
    let text = format!("{logged}{said}").to_ascii_uppercase();
    let mut secrets =
        vec![pan().reveal().to_owned(), pan().reveal()[3..15].to_owned(), "AN ORDINARY".to_owned()];
    secrets.extend(Under::ALL.map(|under| hex::encode_upper(under.block(PIN).as_bytes())));
    let keys = [&world.keys.tpk, &world.keys.bdk, &world.keys.tak, &world.keys.tmk];
    secrets.extend(keys.map(|key| key.as_str()[17..].to_owned()));
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret}");
    }
}
