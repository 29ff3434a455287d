//! What must not be written down: neither the log, at its most talkative, nor any file of the store holds a card number,
//! a PIN block or a key that a terminal uses. Files are sealed, which would hide a leak from this test; so the entries are
//! also looked at as they were before sealing.

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use crate::world::{MERCHANT, PIN, TMK, WRONG, World, pan};

/// Every byte that was logged in this process.
static LOGGED: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();

#[derive(Clone)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen_to_the_log() -> Arc<Mutex<Vec<u8>>> {
    let start = || {
        let buffer = Buffer(Arc::default());
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing_subscriber::util::SubscriberInitExt::init(subscriber);
        buffer.0
    };
    Arc::clone(LOGGED.get_or_init(start))
}

#[tokio::test]
async fn neither_log_nor_store_holds_what_must_not_be_written_down() {
    let log = listen_to_the_log();
    let folder = tempfile::tempdir().unwrap();
    let engine = store_sql::open(folder.path()).unwrap();
    let world = World::on(Arc::<store_sql::SqliteEngine>::clone(&engine), |s| s.sandbox = true).await;
    let (pos, mut wire) = world.signed_in().await;
    let (tpk, tak) = pos.keys.unwrap();
    let card = pan(0);
    let mut secrets = vec![
        ("PAN in ASCII", card.as_bytes().to_vec()),
        ("PAN in BCD", bcd(&card)),
        ("TMK", TMK.to_vec()),
        ("TPK", tpk.to_vec()),
        ("TAK", tak.to_vec()),
    ];
    for pin in [PIN, WRONG] {
        secrets.push(("PIN block", pos.pin_block(&card, pin).to_vec()));
    }

    // Approved, wrong, refused, unreadable, reversed, unknown: each way into the log and the journal.
    let track = format!("{card}D9912201");
    let mut codes = Vec::new();
    for message in [
        pos.sale(2, 1000, 0, PIN).set(35, &track),
        pos.sale(3, 1000, 0, WRONG).set(35, &track),
        pos.sale(4, 1000, 0, PIN).set(42, "898510154110999"),
        pos.sale(5, 1000, 0, PIN).set_bytes(55, b"\x9f\x02\x06\x00"),
        pos.sale(6, 1000, 0, PIN).set(41, "99999999"),
        pos.sale(2, 2000, 0, PIN).remove(2).set(35, &track),
        pos.reversal(2, 1000).set(2, &card).set(42, MERCHANT),
    ] {
        codes.push(wire.ask(&pos.sealed(message)).await.code());
    }
    assert_eq!(codes, ["00", "55", "03", "30", "97", "94", "00"]);
    let mut broken = world.wire().await;
    broken.send(&pos.frame(&pos.signed(pos.sale(7, 1000, 0, PIN).set(35, &track))[..45])).await;
    broken.expect_closed().await;
    let (mut host, mut gateway) = world.signed_in_host().await;
    assert_eq!(gateway.ask(&host.sealed(&host.sale(2, 1000, 0, PIN))).await.code(), "00");
    host.sign_in(&mut gateway, 3).await;
    let journal = world.journal().await;
    world.host.shutdown().await;
    assert!(
        journal.iter().any(|entry| entry.exchange.as_ref().is_some_and(|e| find(&e.request, b"10000001")))
    );

    let log = log.lock().unwrap().clone();
    assert!(find(&log, b"refused"), "the log was listened to");
    for (what, secret) in &secrets {
        assert_absent(&log, what, secret, "the log");
        for entry in &journal {
            let asked = entry.exchange.as_ref().map_or(&[][..], |exchange| &exchange.request);
            assert_absent(asked, what, secret, "a journalled request");
            assert_absent(format!("{entry:?}").as_bytes(), what, secret, "a journal entry's debug form");
            if let Some(exchange) = entry.exchange.as_ref().filter(|e| e.dialect == "cup-pos") {
                assert_absent(&exchange.reply, what, secret, "a stored answer to a terminal");
            }
        }
        each_file(folder.path(), &mut |name, bytes| assert_absent(bytes, what, secret, name));
    }
}

/// As bytes, as hex in both cases, and as a list of numbers, as `Debug` prints bytes.
#[track_caller]
fn assert_absent(bytes: &[u8], what: &str, secret: &[u8], place: &str) {
    let upper: String = secret.iter().map(|b| format!("{b:02X}")).collect();
    let list = format!("{secret:?}");
    for form in
        [secret, upper.as_bytes(), upper.to_lowercase().as_bytes(), list.trim_matches(['[', ']']).as_bytes()]
    {
        assert!(!find(bytes, form), "{what} stands in {place}");
    }
}

fn find(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn bcd(digits: &str) -> Vec<u8> {
    digits.as_bytes().chunks(2).map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0')).collect()
}

fn each_file(folder: &Path, look: &mut dyn FnMut(&str, &[u8])) {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files += 1;
            look(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
    assert!(files >= 3, "the store's files are there");
}
