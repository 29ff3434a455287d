//! Terminals under every key scheme: what they encrypt and sign, and which keys they never use twice.

use std::path::Path;

use model::{Amount, KeyScheme, Kind};
use simulator::memory::MemoryError;
use simulator::terminal::KeysError;
use simulator::{Answer, Faults, Outcome, Sandbox, Terminal, TerminalError};

use crate::fake_host::{Act, FakeHost};
use crate::host_side::{AES_DEVICE, Side, TDES_DEVICE};

const PAN: &str = "6216261000000000018";
const DERIVED: [Side; 5] =
    [Side::TdesDukpt, Side::TdesDukptIso3, Side::AesDukpt(16), Side::AesDukpt(24), Side::AesDukpt(32)];

async fn signed_in(host: &FakeHost) -> Terminal {
    let mut terminal = host.terminal("T0000001");
    assert!(terminal.sign_in().await.unwrap().answer.is_approval());
    terminal
}

async fn sale(sandbox: &Sandbox, terminal: &mut Terminal) -> Result<Outcome, TerminalError> {
    terminal.pay(Kind::Sale, &sandbox.cards[0], Amount(3000), Some("123456")).await
}

/// A sale that must be answered.
async fn sold(host: &FakeHost, terminal: &mut Terminal) -> String {
    sale(&host.sandbox(), terminal).await.unwrap().answer.to_string()
}

fn in_folder(host: &FakeHost, folder: &Path) -> Sandbox {
    Sandbox { directory: Some(folder.to_owned()), ..host.sandbox() }
}

fn opened(sandbox: &Sandbox) -> Result<Terminal, TerminalError> {
    Terminal::open(sandbox, "T0000001".parse().unwrap(), FakeHost::settings())
}

#[tokio::test]
async fn the_host_reads_the_pin_and_believes_the_message_under_every_scheme() {
    for side in Side::ALL {
        let host = FakeHost::of(side, &[]).await;
        let mut terminal = signed_in(&host).await;
        assert_eq!(terminal.scheme(), side.scheme());
        // The fake host has answered A0 if the MAC is wrong, and the terminal believes no other approval.
        assert_eq!(sold(&host, &mut terminal).await, "00", "{side:?}");
        assert_eq!(terminal.void(None).await.unwrap().answer.to_string(), "00", "{side:?}");
        assert_eq!(host.pins(PAN), ["123456"], "{side:?}");
        assert!(terminal.settle().await.unwrap().balanced == Some(true));
        assert!(!terminal.is_signed_in(), "{side:?}: the next batch begins with a sign-in");
    }
}

#[tokio::test]
async fn the_scheme_shows_in_the_messages() {
    for (side, control, function, sign_in, sold_as) in [
        (Side::Tdes, "2600000000000000", "003", "0800 0020000000C00012", "0200 302004C020C09811"),
        (Side::Sm4, "2300000000000000", "006", "0800 0020000000C00012", "0200 302004C020C09811"),
        (Side::TdesDukpt, "2600000000000000", "003", "0800 0020000000C00092", "0200 302004C020C09891"),
        (Side::AesDukpt(16), "2400000000000000", "003", "0800 0020000000C00092", "0200 302004C020C09891"),
    ] {
        let host = FakeHost::of(side, &[]).await;
        let mut terminal = signed_in(&host).await;
        sold(&host, &mut terminal).await;
        assert_eq!(host.shapes(), [sign_in, sold_as], "{side:?}");
        assert_eq!(host.field(53)[1], control, "{side:?}");
        assert_eq!(host.field(60)[0], format!("00000001{function}"), "{side:?}");
        assert_eq!(host.field(60)[1], "22000007000500", "{side:?}: the batch that the host named");
    }
}

#[tokio::test]
async fn every_message_with_a_mac_has_its_own_key_serial_number() {
    for (side, device) in [(Side::TdesDukpt, TDES_DEVICE), (Side::AesDukpt(16), AES_DEVICE)] {
        let host = FakeHost::of(side, &[Act::Answer("00"), Act::Silence, Act::Answer("00")]).await;
        let mut terminal = signed_in(&host).await;
        sold(&host, &mut terminal).await;
        assert_eq!(sold(&host, &mut terminal).await, "--");
        sold(&host, &mut terminal).await;
        let types = host.look(|m| m.mti().to_string());
        assert_eq!(types, ["0800", "0200", "0200", "0400", "0200"]);
        assert_eq!(
            host.counters(),
            [0, 1, 2, 3, 4],
            "{side:?}: the sign-in names the device and uses no key"
        );
        let sent = host.field(57);
        assert_eq!(sent[0], device);
        assert!(sent.iter().all(|ksn| ksn[..device.len() - 6] == device[..device.len() - 6]), "{sent:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_the_same_bytes_and_uses_no_key() {
    for side in DERIVED {
        let host = FakeHost::of(side, &[]).await;
        let mut terminal = signed_in(&host).await;
        terminal.faults = Faults { duplicate: true, ..Faults::default() };
        let twice = sale(&host.sandbox(), &mut terminal).await.unwrap();
        assert_eq!(twice.same_bytes, Some(true), "{side:?}");
        assert_eq!(terminal.repeat().await.unwrap().same_bytes, Some(true), "{side:?}");
        sold(&host, &mut terminal).await;
        assert_eq!(host.counters(), [0, 1, 1, 1, 2], "{side:?}");
        let seen = host.seen.lock().unwrap();
        assert!(seen[1] == seen[2] && seen[2] == seen[3], "{side:?}");
    }
}

#[tokio::test]
async fn a_reversal_that_is_sent_again_is_the_same_bytes() {
    for side in [Side::TdesDukpt, Side::AesDukpt(32)] {
        let host = FakeHost::of(side, &[Act::Silence; 3]).await;
        let mut terminal = signed_in(&host).await;
        sold(&host, &mut terminal).await;
        assert_eq!(sold(&host, &mut terminal).await, "00");
        assert_eq!(host.counters(), [0, 1, 2, 2, 2, 3], "{side:?}");
        let seen = host.seen.lock().unwrap();
        assert!(seen[2] == seen[3] && seen[3] == seen[4], "{side:?}");
    }
}

#[tokio::test]
async fn an_approval_is_believed_under_the_answers_key_only() {
    for side in DERIVED {
        for act in [Act::BadMac, Act::RequestMac] {
            let host = FakeHost::of(side, &[act]).await;
            let mut terminal = signed_in(&host).await;
            let outcome = sale(&host.sandbox(), &mut terminal).await.unwrap();
            assert!(matches!(outcome.answer, Answer::Unusable(_)), "{side:?} {act:?}");
            terminal.send_owed_reversal().await.unwrap();
            assert_eq!(host.field(39).pop().unwrap(), "A0", "{side:?} {act:?}");
        }
    }
    let host = FakeHost::of(Side::Sm4, &[Act::BadMac]).await;
    let mut terminal = signed_in(&host).await;
    assert_eq!(sold(&host, &mut terminal).await, "??");
}

#[tokio::test]
async fn wrong_keys_are_wrong_under_every_scheme() {
    for side in Side::ALL {
        let host = FakeHost::of(side, &[Act::Answer("99")]).await;
        let mut terminal = signed_in(&host).await;
        terminal.faults = Faults { wrong_tpk: true, ..Faults::default() };
        assert_eq!(sold(&host, &mut terminal).await, "99", "{side:?}: the MAC was right");
        assert!(host.pins(PAN)[0].starts_with("PIN block:"), "{side:?}");
        terminal.faults = Faults { wrong_tak: true, ..Faults::default() };
        assert_eq!(sold(&host, &mut terminal).await, "A0", "{side:?}");
        assert_eq!(host.pins(PAN)[1], "123456", "{side:?}: the PIN was right");
        assert_eq!(sold(&host, &mut terminal).await, "00", "{side:?}: both faults are over");
    }
}

#[tokio::test]
async fn a_key_serial_number_comes_again_when_a_story_says_so() {
    for side in [Side::TdesDukpt, Side::AesDukpt(16)] {
        let host = FakeHost::of(side, &[Act::Answer("00"), Act::Answer("63")]).await;
        let mut terminal = signed_in(&host).await;
        let again = Faults { replayed_ksn: true, ..Faults::default() };
        terminal.faults = again.clone();
        let error = sale(&host.sandbox(), &mut terminal).await.unwrap_err();
        assert!(matches!(error, TerminalError::NoKeys(KeysError::NothingToReplay)), "{error}");
        terminal.faults = Faults::default();
        sold(&host, &mut terminal).await;
        terminal.faults = again;
        assert_eq!(sold(&host, &mut terminal).await, "63", "{side:?}");
        sold(&host, &mut terminal).await;
        assert_eq!(host.counters(), [0, 1, 1, 2], "{side:?}");
        let stans = host.field(11);
        assert_ne!(stans[1], stans[2], "another transaction under the same key");
        assert!(terminal.take_log()[2].note.contains("used again"));
    }
    let host = FakeHost::start("cup-pos", &[]).await;
    let mut terminal = signed_in(&host).await;
    terminal.faults = Faults { replayed_ksn: true, ..Faults::default() };
    assert!(sale(&host.sandbox(), &mut terminal).await.is_err(), "fixed keys have no serial number");
}

#[tokio::test]
async fn the_counter_goes_on_after_a_restart() {
    for side in [Side::TdesDukpt, Side::AesDukpt(24)] {
        let folder = tempfile::tempdir().unwrap();
        let host = FakeHost::of(side, &[Act::Answer("00"), Act::Silence, Act::Silence]).await;
        let sandbox = in_folder(&host, folder.path());
        let mut terminal = opened(&sandbox).unwrap();
        terminal.sign_in().await.unwrap();
        sale(&sandbox, &mut terminal).await.unwrap();
        sale(&sandbox, &mut terminal).await.unwrap();
        drop(terminal);
        let mut terminal = opened(&sandbox).unwrap();
        terminal.sign_in().await.unwrap();
        sale(&sandbox, &mut terminal).await.unwrap();
        assert_eq!(host.counters(), [0, 1, 2, 0, 3, 3, 4], "{side:?}: sale, sale, reversal twice, sale");
        let text = std::fs::read_to_string(folder.path().join("pos/T0000001.json")).unwrap();
        let device = if side == Side::TdesDukpt { TDES_DEVICE } else { AES_DEVICE };
        assert!(text.contains(&format!("\"{device}\":4")), "{text}");
    }
}

#[tokio::test]
async fn the_counter_is_written_before_the_message_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let host = FakeHost::of(Side::TdesDukpt, &[]).await;
    let sandbox = in_folder(&host, folder.path());
    let mut terminal = opened(&sandbox).unwrap();
    terminal.sign_in().await.unwrap();
    terminal.faults = Faults { drop_request: true, ..Faults::default() };
    sale(&sandbox, &mut terminal).await.unwrap();
    let text = std::fs::read_to_string(folder.path().join("pos/T0000001.json")).unwrap();
    assert!(text.contains(&format!("\"{TDES_DEVICE}\":1")), "{text}");
    assert_eq!(host.counters(), [0], "nothing was sent under the key that is used up");
}

#[tokio::test]
async fn under_load_keys_are_passed_over_and_never_used_twice() {
    let folder = tempfile::tempdir().unwrap();
    let host = FakeHost::of(Side::TdesDukpt, &[]).await;
    let sandbox = in_folder(&host, folder.path());
    for _ in 0..2 {
        let mut terminal = opened(&sandbox).unwrap();
        terminal.reserve_trace_numbers(100);
        terminal.sign_in().await.unwrap();
        for _ in 0..3 {
            sale(&sandbox, &mut terminal).await.unwrap();
        }
    }
    assert_eq!(host.counters(), [0, 1, 2, 3, 0, 101, 102, 103]);
}

/// The memory of a terminal whose device has used this counter.
fn with_counter(folder: &Path, device: &str, counter: u32) {
    std::fs::create_dir_all(folder.join("pos")).unwrap();
    let text = format!(
        r#"{{"next_stan":7,"batch":1,"totals":{{"debit_sum":0,"debit_count":0,"credit_sum":0,"credit_count":0}},
        "reversal":null,"counters":{{"{device}":{counter}}}}}"#
    );
    std::fs::write(folder.join("pos/T0000001.json"), text).unwrap();
}

#[tokio::test]
async fn a_device_at_its_end_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // 1FF800 is the last counter with ten one-bits; 1FF400 the one before it.
    with_counter(folder.path(), TDES_DEVICE, 0x1F_F400);
    let host = FakeHost::of(Side::TdesDukpt, &[]).await;
    let sandbox = in_folder(&host, folder.path());
    let mut terminal = opened(&sandbox).unwrap();
    terminal.sign_in().await.unwrap();
    assert!(sale(&sandbox, &mut terminal).await.unwrap().answer.is_approval());
    assert_eq!(host.counters(), [0, 0x1F_F800]);
    let error = sale(&sandbox, &mut terminal).await.unwrap_err();
    assert!(matches!(error, TerminalError::NoKeys(KeysError::Exhausted(_))), "{error}");
    assert_eq!(
        error.to_string(),
        format!("DUKPT device {TDES_DEVICE} has used up its transaction keys and must be loaded anew")
    );
    assert!(terminal.memory().reversal().is_none(), "nothing was sent, so nothing is owed");
}

#[tokio::test]
async fn a_device_that_cannot_be_brought_to_its_counter_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let host = FakeHost::of(Side::TdesDukpt, &[]).await;
    let sandbox = in_folder(&host, folder.path());
    std::fs::create_dir_all(folder.path().join("pos")).unwrap();
    std::fs::write(folder.path().join("pos/T0000001.json"), r#"{"next_stan":7,"ba"#).unwrap();
    let Err(error) = opened(&sandbox) else { panic!("a device went back to its first key") };
    assert!(matches!(error, TerminalError::Memory(MemoryError::CounterLost(_))), "{error}");

    let host = FakeHost::of(Side::AesDukpt(16), &[]).await;
    with_counter(folder.path(), AES_DEVICE, 0x8000_0000);
    let opened = opened(&in_folder(&host, folder.path()));
    assert!(matches!(opened, Err(TerminalError::NoKeys(KeysError::TooFar { counter: 0x8000_0000, .. }))));
}

#[tokio::test]
async fn sm4_keys_with_a_wrong_check_value_are_refused() {
    let host = FakeHost::of(Side::Sm4, &[]).await;
    host.script.lock().unwrap().wrong_check_value = true;
    let mut terminal = host.terminal("T0000001");
    let error = terminal.sign_in().await.unwrap_err();
    assert_eq!(error.to_string(), "the terminal refuses the keys");
    assert!(!terminal.is_signed_in());
    assert!(matches!(sale(&host.sandbox(), &mut terminal).await, Err(TerminalError::NotSignedIn)));
}

#[tokio::test]
async fn a_device_needs_no_sign_in_where_there_are_no_batches() {
    let host = FakeHost::with_keys(Side::TdesDukpt, "ascii87-bin", &[Act::Silence, Act::Silence]).await;
    let mut terminal = host.terminal("T0000001");
    assert!(terminal.is_signed_in());
    assert_eq!(sold(&host, &mut terminal).await, "--");
    assert_eq!(sold(&host, &mut terminal).await, "00");
    assert_eq!(host.pins(PAN), ["123456", "123456"]);
    let types = host.look(|m| m.mti().to_string());
    assert_eq!(types, ["0200", "0420", "0421", "0200"]);
    assert_eq!(host.counters(), [1, 2, 2, 3], "the second send of the reversal is a repeat");
    let cup = FakeHost::of(Side::TdesDukpt, &[]).await;
    let mut terminal = cup.terminal("T0000001");
    assert!(!terminal.is_signed_in(), "the batch comes with the sign-in");
    assert!(matches!(sale(&cup.sandbox(), &mut terminal).await, Err(TerminalError::NotSignedIn)));
}

#[tokio::test]
async fn keys_and_dialect_must_go_together() {
    for (side, dialect) in
        [(Side::AesDukpt(16), "cup-pos"), (Side::Sm4, "ascii87-bin"), (Side::Tdes, "cup-pos-sm4")]
    {
        let host = FakeHost::with_keys(side, dialect, &[]).await;
        let id = "T0000001".parse().unwrap();
        let opened = Terminal::open(&host.sandbox(), id, FakeHost::settings());
        assert!(matches!(opened, Err(TerminalError::PinBlockWidth { .. })), "{side:?} {dialect}");
    }
}

/// A terminal of the first host with keys of the second under `next`.
fn migrating(from: &FakeHost, to: &FakeHost, folder: &Path) -> Sandbox {
    let mut sandbox = FakeHost::sandbox_of(&[from, to]);
    let (now, next) = (from.side.fields(), to.side.fields());
    let text =
        format!(r#"{{"tid":"T0000001","mid":"898510154110283",{now},"next":{{"listener":1,{next}}}}}"#);
    sandbox.terminals = vec![serde_json::from_str(&text).unwrap()];
    sandbox.directory = Some(folder.to_owned());
    sandbox
}

#[tokio::test]
async fn a_terminal_switches_to_its_next_keys_and_back() {
    for side in [Side::AesDukpt(16), Side::Sm4] {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (FakeHost::of(Side::Tdes, &[]).await, FakeHost::of(side, &[]).await);
        let sandbox = migrating(&old, &new, folder.path());
        let mut terminal = opened(&sandbox).unwrap();
        assert!(matches!(terminal.switch_back(), Err(TerminalError::NothingToDo(_))));
        terminal.sign_in().await.unwrap();
        sale(&sandbox, &mut terminal).await.unwrap();
        let switched = terminal.switch_to_next().unwrap();
        assert_eq!(switched.answer, Answer::NotSent(format!("keys in use: {}", side.scheme())));
        assert!(matches!(terminal.switch_to_next(), Err(TerminalError::NothingToDo(_))));
        assert!(!terminal.is_signed_in());
        terminal.sign_in().await.unwrap();
        sale(&sandbox, &mut terminal).await.unwrap();
        drop(terminal);

        let mut terminal = opened(&sandbox).unwrap();
        assert_eq!(terminal.scheme(), side.scheme(), "switching outlives a restart");
        terminal.sign_in().await.unwrap();
        sale(&sandbox, &mut terminal).await.unwrap();
        assert_eq!((old.pins(PAN).len(), new.pins(PAN)), (1, vec!["123456".to_owned(); 2]));
        terminal.switch_back().unwrap();
        assert_eq!(terminal.scheme(), KeyScheme::Tdes);
        terminal.sign_in().await.unwrap();
        assert!(terminal.void(None).await.unwrap().answer.is_approval(), "the payment of the other keys");
        assert_eq!(old.shapes().len(), 4);
    }
}

#[tokio::test]
async fn when_the_next_keys_have_become_the_usual_ones_nothing_is_switched() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (FakeHost::of(Side::Tdes, &[]).await, FakeHost::of(Side::TdesDukpt, &[]).await);
    let mut terminal = opened(&migrating(&old, &new, folder.path())).unwrap();
    terminal.switch_to_next().unwrap();
    drop(terminal);
    let third = FakeHost::of(Side::Sm4, &[]).await;
    let mut terminal = opened(&migrating(&new, &third, folder.path())).unwrap();
    assert_eq!(terminal.scheme(), KeyScheme::TdesDukpt);
    terminal.switch_to_next().unwrap();
    assert_eq!(terminal.scheme(), KeyScheme::Sm4);
}
