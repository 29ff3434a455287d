//! No file of the store holds a card number in any form that a search finds.

use std::{fs, path::Path};

use store::{Archive, Engine};

use crate::world::*;

const PLANTED: u32 = 4_711_000;

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Two digits a byte, starting with either half.
fn bcd(digits: &str) -> Vec<Vec<u8>> {
    [digits, &digits[1..]]
        .map(|digits| {
            let values: Vec<u8> = digits.bytes().map(|d| d - b'0').collect();
            values.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
        })
        .to_vec()
}

fn leaks(dir: &Path, needle: &[u8]) -> Vec<String> {
    let files = [dir.to_owned(), dir.join("journal")];
    let files = files.iter().flat_map(|dir| fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()));
    let leaking = files.filter(|path| path.is_file() && contains(&fs::read(path).unwrap(), needle));
    leaking.map(|path| path.display().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_card_number_is_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    engine.register(vec![card(PLANTED), terminal(1)]).await.unwrap();
    let card = get(&*engine, PLANTED).await;
    let number = pan(PLANTED).reveal().to_owned();
    let mut entry = sale(&card, Tx { stan: 77, ..Tx::default() });
    let exchange = entry.exchange.as_mut().unwrap();
    exchange.reply = [b"0210".to_vec(), number.as_bytes().to_vec(), bcd(&number).concat()].concat();
    exchange.request = b"0200 control sample".to_vec();
    let reply = exchange.reply.clone();
    let place = engine.append(entry).await.unwrap();

    // Both ways to the answer open it again.
    assert_eq!(engine.entry(place).await.unwrap().unwrap().exchange.unwrap().reply, reply);
    let detail = engine.transaction(&rrn(77).to_string()).await.unwrap().unwrap();
    assert_eq!(detail.reply.unwrap().bytes, reply);

    let search = |dir: &Path| {
        // What is not sealed is found: the search works.
        assert!(!leaks(dir, b"0200 control sample").is_empty());
        assert!(!leaks(dir, pan(PLANTED).masked().as_str().as_bytes()).is_empty());
        assert_eq!(leaks(dir, number.as_bytes()), [""; 0]);
        for digits in bcd(&number) {
            assert_eq!(leaks(dir, &digits), [""; 0]);
        }
    };
    search(dir.path());
    drop(engine);
    search(dir.path());
}
