//! From a refusal for want of a second proof to a payment, with the program as it runs: by the code of a message, typed at the
//! terminal or on the page behind its link, and by an authenticator app.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use model::{Amount, Kind, Stan, Timestamp};
use serde_json::{Value, json};
use simulator::{Sandbox as Cards, Terminal, memory::Memory, sandbox::Card, terminal::Settings};
use stepup::totp;

use crate::{
    diagnosis::{api, ask},
    sandbox::Sandbox,
};

const AMOUNT: Amount = Amount(7_500);
const PATIENCE: Duration = Duration::from_secs(60);

/// The newest message that asks for a code: code, path of the link.
fn message(data: &Path, count: usize) -> (String, String) {
    let began = Instant::now();
    loop {
        let outbox = api(data, "GET", "/api/v1/sandbox/outbox", &Value::Null);
        let messages = outbox["data"].as_array().unwrap();
        if messages.len() == count {
            let text = messages[0]["text"].as_str().unwrap();
            let is_code = |run: &&str| run.len() == 6 && run.bytes().all(|b| b.is_ascii_digit());
            let code = text.split(|c: char| !c.is_ascii_digit()).find(is_code).unwrap().to_owned();
            let link = text.split("/confirm/").nth(1).unwrap();
            let end = link.find(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
            return (code, format!("/confirm/{}", &link[..end.unwrap_or(link.len())]));
        }
        assert!(began.elapsed() < PATIENCE, "{} messages, not {count}", messages.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Till {
    terminal: Terminal,
    card: Card,
}

impl Till {
    async fn pay(&mut self, pin: &str, code: Option<&str>) -> String {
        self.terminal.code = code.map(str::to_owned);
        let outcome = self.terminal.pay(Kind::Sale, &self.card, AMOUNT, Some(pin)).await.unwrap();
        outcome.answer.code().unwrap().as_str().to_owned()
    }

    fn right(&self) -> String {
        self.card.pin.reveal().clone()
    }

    /// Wrong PINs until the ladder asks for a second proof.
    async fn up_the_ladder(&mut self) {
        let wrong = self.card.wrong_pin().reveal().clone();
        for _ in 0..3 {
            assert_eq!(self.pay(&wrong, None).await, "55");
        }
        assert_eq!(self.pay(&self.right(), None).await, "65");
    }
}

/// The id under which the console knows a card that has paid here: of the few that did, no two have the same masked number.
pub(crate) fn card_id(data: &Path, card: &Card) -> String {
    let masked = card.pan.masked().to_string();
    let began = Instant::now();
    loop {
        let list = api(data, "GET", "/api/v1/transactions?limit=50", &Value::Null);
        let row = list["data"].as_array().unwrap().iter().find(|row| row["pan"] == masked.as_str());
        if let Some(id) = row.and_then(|row| row["card"].as_str()) {
            return id.to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "{masked} in {list}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_needs_a_second_proof_is_paid_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let sandbox = Sandbox::start(&data, &[]);
    let mut cards = Cards::read(&data.join("sandbox.json")).unwrap();
    let careful: Vec<Card> =
        std::mem::take(&mut cards.cards).into_iter().filter(|card| card.product == "debit-careful").collect();
    let memory = Memory::volatile(Stan::new(1).unwrap());
    let terminal =
        Terminal::with_memory(&cards, cards.terminals[0].tid, Settings::default(), memory).unwrap();
    let mut careful = careful.into_iter();
    let mut till = Till { terminal, card: careful.next().unwrap() };
    till.terminal.sign_in().await.unwrap();

    // By message, typed at the terminal.
    till.up_the_ladder().await;
    let (code, _) = message(&data, 1);
    assert_eq!(till.pay(&till.right(), Some(&code)).await, "00");
    assert_eq!(till.pay(&till.right(), None).await, "00", "the right PIN gave the tries back");

    // By message, on the page behind the link.
    till.card = careful.next().unwrap();
    till.up_the_ladder().await;
    let (code, page) = message(&data, 2);
    let (status, shown) = ask(&data, "GET", &page, "", "");
    assert_eq!(status, 200, "{shown}");
    assert!(shown.contains("75.00") && !shown.contains(&code), "{shown}");
    let form = "application/x-www-form-urlencoded";
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(ask(&data, "POST", &page, form, &format!("code={wrong}")).0, 422);
    assert_eq!(till.pay(&till.right(), None).await, "65", "not yet");
    assert_eq!(ask(&data, "POST", &page, form, &format!("code={code}")).0, 200);
    assert_eq!(till.pay(&till.right(), None).await, "00");
    assert_eq!(ask(&data, "GET", &page, "", "").0, 404, "used up");
    assert_eq!(ask(&data, "GET", &format!("/confirm/{}", "A".repeat(64)), "", "").0, 404);

    // By an authenticator app.
    till.card = careful.next().unwrap();
    till.up_the_ladder().await;
    let id = card_id(&data, &till.card);
    let enrolled = api(&data, "POST", &format!("/api/v1/sandbox/cards/{id}/totp"), &json!(null));
    let secret = totp::from_base32(enrolled["secret"].as_str().unwrap()).unwrap();
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    assert_eq!(till.pay(&till.right(), Some(&totp::code(&secret, totp::step(now)))).await, "00");
    sandbox.stop();
}
