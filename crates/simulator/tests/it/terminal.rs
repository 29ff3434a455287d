//! What a terminal sends, believes, and does when it is not answered.

use model::{Amount, Kind};
use simulator::{Answer, Faults, Outcome, Terminal};

use crate::fake_host::{Act, FakeHost};

const CUP: &str = "cup-pos";
const ISO: &str = "ascii87-bin";

async fn signed_in(host: &FakeHost) -> Terminal {
    let mut terminal = host.terminal("T0000001");
    assert!(terminal.sign_in().await.unwrap().answer.is_approval());
    terminal
}

async fn sale(host: &FakeHost, terminal: &mut Terminal, pin: &str) -> Outcome {
    terminal.pay(Kind::Sale, &host.sandbox().cards[0], Amount(128_000), Some(pin)).await.unwrap()
}

fn code(outcome: &Outcome) -> String {
    outcome.answer.to_string()
}

#[tokio::test]
async fn messages_have_the_bitmaps_of_the_reference() {
    let host = FakeHost::start(CUP, &[]).await;
    let mut terminal = signed_in(&host).await;
    let card = &host.sandbox().cards[0];
    terminal.pay(Kind::Sale, card, Amount(10_000), Some("123456")).await.unwrap();
    terminal.pay(Kind::Balance, card, Amount::ZERO, Some("123456")).await.unwrap();
    terminal.void(None).await.unwrap();
    terminal.pay(Kind::Refund, card, Amount(100), None).await.unwrap();
    terminal.echo().await.unwrap();
    terminal.settle().await.unwrap();
    assert_eq!(
        host.shapes(),
        [
            "0800 0020000000C00012", // sign-in
            "0200 302004C020C09811", // sale with PIN and track
            "0200 202004C020C09811", // balance
            "0200 702404800CC08019", // void: the reference's 3020048008C08019 with DE 2, 14 and 38
            "0220 7024048000C08013", // refund: without its original's DE 37 and 61, with DE 2 and 14
            "0820 0000000000C00010", // echo
            "0500 0020000000C18012", // settlement
        ]
    );
    assert_eq!(
        host.field(60)[..2],
        ["00000001003", "22000007000500"],
        "the batch is the one that the host named"
    );
    assert_eq!(host.field(61)[3], "0000070001241122", "batch, trace number and date of the sale");
}

#[tokio::test]
async fn the_settlement_carries_the_totals() {
    let host = FakeHost::start(CUP, &[]).await;
    let mut terminal = signed_in(&host).await;
    let card = &host.sandbox().cards[0];
    for amount in [10_000, 5_000, 128_000] {
        terminal.pay(Kind::Sale, card, Amount(amount), Some("123456")).await.unwrap();
    }
    terminal.void(None).await.unwrap();
    terminal.pay(Kind::Refund, card, Amount(700), None).await.unwrap();
    let settled = terminal.settle().await.unwrap();
    assert_eq!(settled.balanced, Some(true));
    let sent = host.field(48).pop().unwrap();
    assert_eq!(sent, format!("000000015000002000000000700001{}{:031}", 0, 0));
    assert!(!terminal.is_signed_in(), "a new batch begins with a sign-in");
}

#[tokio::test]
async fn keys_with_a_wrong_check_value_are_refused() {
    let host = FakeHost::start(CUP, &[]).await;
    host.script.lock().unwrap().wrong_check_value = true;
    let mut terminal = host.terminal("T0000001");
    let error = terminal.sign_in().await.unwrap_err();
    assert_eq!(error.to_string(), "the terminal refuses the keys");
    assert!(!terminal.is_signed_in());
}

#[tokio::test]
async fn a_wrong_pin_is_an_answer_and_owes_nothing() {
    let host = FakeHost::start(CUP, &[Act::Answer("55"), Act::Answer("75")]).await;
    let mut terminal = signed_in(&host).await;
    assert_eq!(code(&sale(&host, &mut terminal, "000001").await), "55");
    assert_eq!(code(&sale(&host, &mut terminal, "000001").await), "75");
    assert!(terminal.memory().reversal().is_none());
    assert_eq!(host.pins("6216261000000000018"), ["000001", "000001"]);
}

#[tokio::test]
async fn silence_is_reversed_before_the_next_payment() {
    let host = FakeHost::start(CUP, &[Act::Silence]).await;
    let mut terminal = signed_in(&host).await;
    let lost = sale(&host, &mut terminal, "123456").await;
    assert_eq!(lost.answer, Answer::Silence);
    assert!(terminal.memory().reversal().is_some());
    assert_eq!(code(&sale(&host, &mut terminal, "123456").await), "00");
    assert_eq!(
        host.shapes()[1..],
        ["0200 302004C020C09811", "0400 7024048002C08011", "0200 302004C020C09811"],
        "the reversal has no track, PIN block or DE 53"
    );
    assert_eq!(host.field(11)[1..], ["000124", "000124", "000125"], "the reversal keeps the trace number");
    assert_eq!(host.field(39)[2], "98");
    assert_eq!(host.field(60)[2], "22000007");
    assert!(terminal.memory().reversal().is_none());
}

#[tokio::test]
async fn an_approval_that_cannot_be_believed_is_reversed() {
    for (act, reason) in [(Act::BadMac, "A0"), (Act::OtherStan, "06"), (Act::Answer("68"), "98")] {
        let host = FakeHost::start(CUP, &[act]).await;
        let mut terminal = signed_in(&host).await;
        sale(&host, &mut terminal, "123456").await;
        terminal.send_owed_reversal().await.unwrap();
        assert_eq!(host.field(39).pop().unwrap(), reason, "{act:?}");
    }
}

#[tokio::test]
async fn the_mac_of_a_decline_is_not_looked_at() {
    let host = FakeHost::start(CUP, &[Act::Answer("55")]).await;
    let mut terminal = signed_in(&host).await;
    sale(&host, &mut terminal, "000001").await;
    assert!(terminal.memory().reversal().is_none());
}

#[tokio::test]
async fn a_reversal_is_sent_three_times_and_then_given_up() {
    let host = FakeHost::start(CUP, &[Act::Silence; 4]).await;
    let mut terminal = signed_in(&host).await;
    sale(&host, &mut terminal, "123456").await;
    assert_eq!(code(&sale(&host, &mut terminal, "123456").await), "00");
    let types = host.look(|m| m.mti().to_string());
    assert_eq!(types, ["0800", "0200", "0400", "0400", "0400", "0200"]);
    assert!(terminal.take_log().iter().any(|step| step.note.contains("given up")));
}

#[tokio::test]
async fn balance_and_refund_are_never_reversed() {
    let host = FakeHost::start(CUP, &[Act::Silence, Act::Silence]).await;
    let mut terminal = signed_in(&host).await;
    let card = &host.sandbox().cards[0];
    terminal.pay(Kind::Balance, card, Amount::ZERO, Some("123456")).await.unwrap();
    terminal.pay(Kind::Refund, card, Amount(100), None).await.unwrap();
    assert!(terminal.memory().reversal().is_none());
}

#[tokio::test]
async fn a_dead_key_makes_another_pin_of_the_right_one() {
    let host = FakeHost::start(CUP, &[Act::Answer("55")]).await;
    let mut terminal = host.terminal("T0000075");
    terminal.sign_in().await.unwrap();
    let card = &host.sandbox().cards[1];
    terminal.pay(Kind::Sale, card, Amount(100), Some("147258")).await.unwrap();
    assert_eq!(host.pins("6299990000000009"), ["14258"]);
    let short = terminal.pay(Kind::Sale, card, Amount(100), Some("7777")).await.unwrap();
    assert_eq!(code(&short), "!!", "nothing is sent when too few digits arrive");
    assert_eq!(host.shapes().len(), 2);
}

#[tokio::test]
async fn faults_happen_once() {
    let host = FakeHost::start(CUP, &[]).await;
    let mut terminal = signed_in(&host).await;
    terminal.faults = Faults { drop_request: true, ..Faults::default() };
    assert_eq!(code(&sale(&host, &mut terminal, "123456").await), "--");
    terminal.faults = Faults { drop_reply: true, ..Faults::default() };
    assert_eq!(code(&sale(&host, &mut terminal, "123456").await), "--");
    terminal.faults = Faults { duplicate: true, ..Faults::default() };
    assert_eq!(sale(&host, &mut terminal, "123456").await.same_bytes, Some(true));
    assert_eq!(terminal.repeat().await.unwrap().same_bytes, Some(true));
    terminal.faults = Faults { truncated_frame: true, ..Faults::default() };
    assert_eq!(code(&sale(&host, &mut terminal, "123456").await), "--");
    assert_eq!(code(&sale(&host, &mut terminal, "123456").await), "00");
    let types = host.look(|m| m.mti().to_string());
    assert_eq!(types, ["0800", "0400", "0200", "0400", "0200", "0200", "0200", "0400", "0200"]);
}

#[tokio::test]
async fn a_wrong_pin_key_leaves_no_pin_in_the_block() {
    let host = FakeHost::start(CUP, &[Act::Answer("99")]).await;
    let mut terminal = signed_in(&host).await;
    terminal.faults = Faults { wrong_tpk: true, ..Faults::default() };
    sale(&host, &mut terminal, "123456").await;
    assert!(host.pins("6216261000000000018")[0].starts_with("PIN block:"));
}

#[tokio::test]
async fn habits_show_on_the_wire() {
    let host = FakeHost::start(CUP, &[]).await;
    let mut jumper = host.terminal("T0000099");
    jumper.sign_in().await.unwrap();
    for _ in 0..3 {
        sale(&host, &mut jumper, "123456").await;
    }
    let jumped = host.field(42).iter().filter(|m| *m == "898290054110283").count();
    assert_eq!(jumped, 1);
    let mut late = host.terminal("T0000013");
    late.sign_in().await.unwrap();
    sale(&host, &mut late, "123456").await;
    assert_eq!(host.field(12).pop().unwrap().len(), 6, "a terminal with a wrong clock tells its time");
}

#[tokio::test]
async fn iso87_reverses_with_a_number_of_its_own() {
    let host = FakeHost::start(ISO, &[Act::Silence, Act::Silence]).await;
    let mut terminal = signed_in(&host).await;
    sale(&host, &mut terminal, "123456").await;
    assert_eq!(code(&sale(&host, &mut terminal, "123456").await), "00");
    let types = host.look(|m| m.mti().to_string());
    assert_eq!(types, ["0800", "0200", "0420", "0421", "0200"], "the second send is a repeat");
    let (stans, sent_at, original) = (host.field(11), host.field(7), host.field(90));
    assert_eq!(stans[1..4], ["000124", "000125", "000125"]);
    assert_eq!(original[2], format!("0200000124{}00000010200{:011}", sent_at[1], 0));
    assert_eq!(host.look(|m| m.mac_field())[1..4], [Some(64), Some(128), Some(128)]);
}

#[tokio::test]
async fn nobody_there_is_an_error_and_not_an_answer() {
    let host = FakeHost::start(CUP, &[]).await;
    let free = { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let mut gone = FakeHost { address: free.to_string(), ..host }.terminal("T0000001");
    let error = gone.sign_in().await.unwrap_err();
    assert!(error.to_string().starts_with("nothing listens on"), "{error}");
}
