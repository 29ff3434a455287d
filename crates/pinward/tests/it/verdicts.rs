//! What staff do from a verdict reaches the terminal, and what the host could not see is said as such, and is no incident.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use model::{Amount, Kind, Timestamp};
use serde_json::Value;
use simulator::{Terminal, memory::Memory, terminal::Settings};
use testkit::{scenario::Scenario, wire};

use crate::{
    diagnosis::{WRONG_KEY, api, declined, found, incidents},
    hosts::prepared,
    rules::{form, until},
    sandbox::Sandbox,
};

/// From a verdict: the terminal hears in the header of its next answer that it has to sign in, and does; then it is suspended, and
/// pays no more.
#[test]
fn a_verdict_has_its_terminal_sign_in_and_suspends_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    sandbox.play_text(WRONG_KEY);
    let (_, _, terminal) = found(&data, "wrong-terminal-key");
    let rrn = declined(&data, "99").remove(0);
    let page = page(&data, &format!("/why/{rrn}"));
    for deed in ["sign-in", "suspend"] {
        assert!(page.contains(&format!("action=\"/terminals/{terminal}/{deed}\"")), "{deed} is not offered");
    }
    let shop = simulator::Sandbox::read(&data.join("sandbox.json")).unwrap();
    let memory = Memory::from_clock(now().0);
    let mut till =
        Terminal::with_memory(&shop, terminal.parse().unwrap(), Settings::default(), memory).unwrap();
    let card = shop.cards.iter().find(|card| card.product == "debit-standard").unwrap();
    let runtime = runtime();
    runtime.block_on(till.sign_in()).unwrap();
    till.take_log();
    let mut pays = || {
        let paid = till.pay(Kind::Balance, card, Amount::ZERO, Some(card.pin.reveal()));
        let paid = runtime.block_on(paid).unwrap();
        let signed_in = till.take_log().iter().any(|step| step.what == "sign-in");
        (paid.answer.to_string(), paid.step.note, signed_in)
    };
    let deed =
        |deed: &str| form(&data, &format!("/terminals/{terminal}/{deed}"), &format!("why=key&rrn={rrn}"));
    let usual = ("00".to_owned(), String::new(), false);
    assert_eq!(pays(), usual);
    deed("sign-in");
    let told = ("00".to_owned(), "host orders: sign in again".to_owned(), false);
    assert_eq!(pays(), told, "the order comes with the next answer");
    assert_eq!(pays(), (usual.0.clone(), usual.1.clone(), true), "and is obeyed before the payment after it");
    assert_eq!(pays(), usual, "once");
    deed("suspend");
    assert_eq!(pays().0, "58");
    sandbox.stop();
}

/// Two blocks in a row that cannot be read are at least suspected to be a wrong key. With silence or a clock that was set between
/// them they are not: nobody knows what was between. The page and the health say what could not be seen.
#[test]
fn no_incident_is_made_of_silence_or_of_a_clock_that_was_set() {
    for (name, clock, gap) in [
        ("control", "", None),
        ("silence", "clock +2h\n", Some("silence")),
        ("set", "clock -10m\n", Some("clock")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path(), None);
        play(&data, clock);
        let sandbox = Sandbox::start(&data, &[]);
        until("the journal was read", || health(&data).contains("follows the journal"));
        if gap.is_none() {
            found(&data, "wrong-terminal-key");
        } else {
            let named = incidents(&data, "wrong-terminal-key");
            assert!(named.is_empty(), "{name}: {named:?}");
            assert!(health(&data).contains("1 gaps"), "{name}: {}", health(&data));
        }
        let shown = page(&data, "/incidents").contains("id=\"gaps\"");
        assert_eq!(shown, gap.is_some(), "{name}");
        sandbox.stop();
    }
}

/// Terminals play to a host with a clock of its own, on the store of a sandbox that nobody serves: cards that are in order elsewhere, a
/// wrong key at one terminal, and something about the clock in the middle of it.
fn play(data: &Path, clock: &str) {
    let text = format!(
        "terminal T1\nterminal T2\ncard C1\ncard C2\nT1: sign-in -> 00\nT2: sign-in -> 00\n\
         T2: balance C1 pin right -> 00\nT2: balance C2 pin right -> 00\n\
         clock +1m\nT1: sale C1 41.00 pin right wrong-tpk -> 99\nclock +1m\n{clock}\
         T1: sale C2 42.00 pin right wrong-tpk -> 99\n"
    );
    let scenario = Scenario::parse("gap", &text).unwrap();
    let start = now().plus_ms(-6 * 3_600_000);
    runtime().block_on(async {
        let engine = store_sql::open(data).unwrap();
        wire::play(&scenario, Arc::clone(&engine) as Arc<dyn store::Engine>, start).await.unwrap();
        tokio::task::spawn_blocking(move || engine.close()).await.unwrap();
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn health(data: &Path) -> String {
    let health = api(data, "GET", "/api/v1/health", &Value::Null);
    let checks = health["checks"].as_array().unwrap();
    let ours = checks.iter().find(|check| check["name"] == "diagnosis").unwrap();
    ours["detail"].as_str().unwrap().to_owned()
}

/// A page of the console.
fn page(data: &Path, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let address = crate::diagnosis::console(data);
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept-Language: en\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{path}: {answer:.300}");
    answer
}
