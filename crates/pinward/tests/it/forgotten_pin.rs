//! From a forgotten PIN to a payment, with the program as it runs: wrong PINs, a reset by staff, the link out of the outbox, a new
//! PIN encrypted as the holder's page does it, paid; then a PIN change at the terminal, where a guessable PIN is refused.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use model::{Amount, Kind, Stan, Timestamp};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    hkdf::{HKDF_SHA256, Salt},
    rand::SystemRandom,
};
use serde_json::{Value, json};
use simulator::{Outcome, Sandbox as Cards, Terminal, memory::Memory, sandbox::Card, terminal::Settings};
use stepup::totp;

use crate::{
    diagnosis::{api, ask},
    sandbox::Sandbox,
    step_up::card_id,
};

const AMOUNT: Amount = Amount(7_500);
const PATIENCE: Duration = Duration::from_secs(60);
const FORM: &str = "application/x-www-form-urlencoded";
/// The first that a card gets, and the one after it: neither is guessable, nor part of a made-up number.
const NEW: [&str; 2] = ["738295", "906174"];

/// What the newest message of a kind says.
pub(crate) fn newest(data: &Path, kind: &str) -> String {
    let began = Instant::now();
    loop {
        let outbox = api(data, "GET", "/api/v1/sandbox/outbox", &Value::Null);
        let found = outbox["data"].as_array().unwrap().iter().find(|message| message["kind"] == kind);
        if let Some(message) = found {
            return message["text"].as_str().unwrap().to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "no {kind} in {outbox}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The path of the newest link of a kind.
fn link(data: &Path, kind: &str) -> String {
    let text = newest(data, kind);
    let rest = &text[text.find("/holder/").unwrap()..];
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '/'));
    rest[..end.unwrap_or(rest.len())].to_owned()
}

/// Asks as somebody who signed in; without a body to read, with one to do.
fn as_staff(data: &Path, token: &str, path: &str, body: &Value, expected: u16) -> Value {
    let (method, text) = if body.is_null() { ("GET", String::new()) } else { ("POST", body.to_string()) };
    let headers = format!("application/json\r\nAuthorization: Bearer {token}");
    let (status, answer) = ask(data, method, path, &headers, &text);
    assert_eq!(status, expected, "{path}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

/// The sandbox's two supervisors, signed in.
fn supervisors(data: &Path) -> (String, String) {
    let public: Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("sandbox.json")).unwrap()).unwrap();
    let staff = public["staff"].as_array().unwrap().iter().filter(|one| one["role"] == "supervisor");
    let mut tokens = staff.map(|one| {
        let secret = totp::from_base32(one["totp_secret"].as_str().unwrap()).unwrap();
        let code = totp::code(&secret, totp::step(Timestamp(jiff::Timestamp::now().as_millisecond())));
        let words = json!({ "username": one["username"], "password": one["password"], "totp": code });
        api(data, "POST", "/api/v1/session", &words)["token"].as_str().unwrap().to_owned()
    });
    (tokens.next().unwrap(), tokens.next().unwrap())
}

/// Opens the page of a link and types, as `assets/holder.js` does.
fn typed(data: &Path, page: &str, tail: &str, pin: &str) -> (u16, String) {
    let (status, shown) = ask(data, "GET", page, "", "");
    assert_eq!(status, 200, "{shown}");
    let value = |name: &str| {
        let rest = shown.split(&format!("{name}=\"")).nth(1).unwrap();
        hex::decode(rest.split('"').next().unwrap()).unwrap()
    };
    let (id, theirs) = (value("data-entry"), value("data-key"));
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
    let key = own.compute_public_key().unwrap().as_ref().to_vec();
    let info = [&b"pinward pin entry v1"[..], &theirs, &key];
    let cipher = agree_ephemeral(own, &UnparsedPublicKey::new(&ECDH_P256, &theirs), |shared| {
        let derived = Salt::new(HKDF_SHA256, &id).extract(shared);
        LessSafeKey::new(UnboundKey::from(derived.expand(&info, &AES_256_GCM).unwrap()))
    });
    let mut text = hex::decode(format!("4{:X}{pin:A<14}0123456789ABCDEF", pin.len())).unwrap();
    let nonce = Nonce::assume_unique_for_key([1; 12]);
    cipher.unwrap().seal_in_place_append_tag(nonce, Aad::from(&id), &mut text).unwrap();
    let sealed = hex::encode([&[1; 12][..], &text].concat());
    let body = format!("tail={tail}&entry={}&key={}&sealed={sealed}", hex::encode(&id), hex::encode(&key));
    ask(data, "POST", page, FORM, &body)
}

fn code(outcome: &Outcome) -> String {
    outcome.answer.code().unwrap().as_str().to_owned()
}

struct Till {
    terminal: Terminal,
    card: Card,
}

impl Till {
    async fn pay(&mut self, pin: &str) -> String {
        code(&self.terminal.pay(Kind::Sale, &self.card, AMOUNT, Some(pin)).await.unwrap())
    }

    async fn change(&mut self, old: &str, new: &str) -> String {
        code(&self.terminal.change_pin(&self.card, old, new).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_pin_is_reset_set_anew_and_paid_with() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    let mut cards = Cards::read(&data.join("sandbox.json")).unwrap();
    let at = cards.cards.iter().position(|card| card.product == "debit-standard").unwrap();
    let card = cards.cards.swap_remove(at);
    let memory = Memory::volatile(Stan::new(1).unwrap());
    let terminal =
        Terminal::with_memory(&cards, cards.terminals[0].tid, Settings::default(), memory).unwrap();
    let mut till = Till { terminal, card };
    till.terminal.sign_in().await.unwrap();
    let (right, wrong) = (till.card.pin.reveal().clone(), till.card.wrong_pin().reveal().clone());
    for expected in ["55", "55", "75"] {
        assert_eq!(till.pay(&wrong).await, expected);
    }

    let told = link(&data, "pin-locked");
    let (status, page) = ask(&data, "GET", &told, "", "");
    assert_eq!(status, 200, "the message leads to the card's page: {page}");
    assert_eq!(till.pay(&right).await, "75");
    let outbox = api(&data, "GET", "/api/v1/sandbox/outbox", &Value::Null);
    let locks = outbox["data"].as_array().unwrap().iter().filter(|one| one["kind"] == "pin-locked").count();
    assert_eq!(locks, 1, "told once, not at each attempt: {outbox}");

    let id = card_id(&data, &till.card);
    let (maker, checker) = supervisors(&data);
    let reset = format!("/api/v1/cards/{id}/reset-pin");
    let asked = as_staff(&data, &maker, &reset, &json!({ "why": "forgotten" }), 202);
    assert_eq!(till.pay(&right).await, "75", "one person alone resets nothing");
    let proposal = asked["proposal"].as_str().unwrap();
    let waiting = as_staff(&data, &checker, "/api/v1/proposals", &Value::Null, 200);
    let shown = waiting["data"].as_array().unwrap().iter().find(|one| one["id"] == proposal).unwrap();
    let approve = format!("/api/v1/proposals/{proposal}/approve");
    as_staff(&data, &maker, &approve, &json!({ "shown": shown["shown"] }), 409);
    let done = as_staff(&data, &checker, &approve, &json!({ "shown": shown["shown"] }), 200);
    assert!(!done.to_string().contains("/holder/"), "staff see no link: {done}");
    assert_ne!(till.pay(&right).await, "00", "the old PIN is worth nothing");
    let page = link(&data, "pin-activation");
    let tail = till.card.pan.reveal()[till.card.pan.reveal().len() - 4..].to_owned();
    let other = if tail == "0000" { "0001" } else { "0000" };
    assert_eq!(typed(&data, &page, other, NEW[0]).0, 422);
    assert_eq!(typed(&data, &page, &tail, "123456").0, 422);
    let (status, shown) = typed(&data, &page, &tail, NEW[0]);
    assert_eq!(status, 200, "{shown}");
    assert_eq!(ask(&data, "GET", &page, "", "").0, 404, "used once");
    assert_eq!(till.pay(NEW[0]).await, "00");
    assert_eq!(till.pay(&right).await, "55", "the PIN before the reset");

    assert_ne!(till.change(NEW[0], "123456").await, "00", "guessable");
    assert_eq!(till.pay(NEW[0]).await, "00", "a refused change changes nothing");
    assert_eq!(till.change(NEW[0], NEW[1]).await, "00");
    assert_eq!(till.pay(NEW[1]).await, "00");
    sandbox.stop();
}
