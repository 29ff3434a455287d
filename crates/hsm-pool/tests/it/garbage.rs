//! A device that answers NC as it should and everything else as no device would. Nothing of it becomes an outcome.

use std::{sync::Arc, time::Duration};

use hsm::{EncryptedPinBlock, PinBlockFormat, PinKey, SecurityModule, VerifyPin};
use hsm_pool::{KeyText, Pool, PoolConfig};
use model::{KeyBlock, PinOutcome, PinReference, Unverifiable};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::peer::{CARD, pan};

const PVK: &str = "S00072V2TN00E0001E80A2926443C3AF11BF0317C669FA0EA0E100ABDF92BF7A3AF232D4C";
const TPK: &str = "S00072P0TB00E0001286A5156C05A48688C0820BE76872301EBC40F6F0452B2611331D8F7";

/// What is sent back for a command with this header.
type Answer = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

fn frame(header: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len() + body.len()).unwrap();
    [&length.to_be_bytes()[..], header, body].concat()
}

async fn serve(mut stream: TcpStream, answer: Answer) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut command = vec![0; usize::from(length)];
        stream.read_exact(&mut command).await?;
        let (header, body) = command.split_at(4);
        let reply = if body.starts_with(b"NC") {
            frame(header, b"ND0026860469000000000007-E000")
        } else {
            answer(header)
        };
        stream.write_all(&reply).await?;
    }
}

async fn device(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answer)));
        }
    });
    address
}

async fn outcome(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> PinOutcome {
    let mut config = PoolConfig {
        addresses: vec![device(Arc::new(answer)).await],
        connections: 1,
        timeout_ms: 300,
        deadline_ms: 1_000,
        ..PoolConfig::default()
    };
    config.pvv.insert("bank".to_owned(), KeyText(PVK.to_owned()));
    let pool = Pool::start(&config).await.unwrap();
    let tpk = KeyBlock::new(TPK.to_owned());
    let reference = PinReference::Pvv { key: "bank".to_owned(), pvki: 1, pvv: *b"1234" };
    let request = VerifyPin {
        card: CARD,
        pan: &pan(),
        key: PinKey::Key(&tpk),
        block: EncryptedPinBlock::new(&[7; 8]).unwrap(),
        format: PinBlockFormat::Iso0,
        reference: &reference,
    };
    let limit = Duration::from_secs(5);
    tokio::time::timeout(limit, pool.verify_pin(request)).await.unwrap()
}

#[tokio::test]
async fn no_garbage_is_an_outcome() {
    let away = PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable);
    // To begin with: this device can be believed.
    assert_eq!(outcome(|header| frame(header, b"DD01")).await, PinOutcome::Mismatch);
    assert!(matches!(outcome(|header| frame(header, b"DD00")).await, PinOutcome::Verified(_)));
    let bodies: [&[u8]; 12] = [
        b"ED00",
        b"ED01",
        b"DC00",
        b"dd00",
        b"DD0",
        b"DD",
        b"DD 1",
        b"DD011",
        b"DD00\0",
        b"DD0000",
        b"DD000001",
        b"01DD",
    ];
    for body in bodies {
        assert_eq!(outcome(|header| frame(header, body)).await, away, "{}", body.escape_ascii());
    }
    for headers in [&b"ZZZZ"[..], b"000", b"\0\0\0\0", b"-001", b"aaaa"] {
        assert_eq!(outcome(|_| frame(headers, b"DD01")).await, away, "{}", headers.escape_ascii());
    }
    assert_eq!(outcome(|header| [&[0xFF, 0xFF], header, b"DD01"].concat()).await, away);
    assert_eq!(outcome(|header| [header, b"DD01"].concat()).await, away);
    assert_eq!(outcome(|header| frame(header, b"DD01")[..7].to_vec()).await, away, "a frame without its end");
    assert_eq!(outcome(|_| Vec::new()).await, away);
}

#[tokio::test]
async fn a_reply_that_comes_twice_counts_once() {
    let twice = outcome(|header| [frame(header, b"DD01"), frame(header, b"DD00")].concat()).await;
    assert_eq!(twice, PinOutcome::Mismatch);
}
