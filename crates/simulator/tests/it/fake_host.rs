//! A host with a script. It gives keys at sign-in, answers each payment and reversal with the next [`Act`] of its script (00 when
//! the script is over), and keeps every message for the test to look at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use iso8583::{Dialect, FrameLimit, Framing, Message, MessageBuilder};
use model::Stan;
use paycrypto::kcv::{KcvMethod, check_value};
use paycrypto::key::TdesKey;
use paycrypto::{mac, mode};
use simulator::Sandbox;
use simulator::memory::Memory;
use simulator::terminal::{Settings, Terminal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TMK: [u8; 16] =
    [0x0F, 0x1E, 0x2D, 0x3C, 0x4B, 0x5A, 0x69, 0x78, 0x87, 0x96, 0xA5, 0xB4, 0xC3, 0xD2, 0xE1, 0xF0];
pub(crate) const TPK: [u8; 16] = [0x11; 16];
pub(crate) const TAK: [u8; 16] = [0x23; 16];

/// What the host does with a payment or reversal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Answer(&'static str),
    /// Approves with a MAC that is wrong.
    BadMac,
    /// Approves another trace number.
    OtherStan,
    Silence,
}

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) acts: VecDeque<Act>,
    pub(crate) wrong_check_value: bool,
}

pub(crate) struct FakeHost {
    pub(crate) address: String,
    pub(crate) dialect: &'static str,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl FakeHost {
    pub(crate) async fn start(dialect: &'static str, acts: &[Act]) -> FakeHost {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let script =
            Arc::new(Mutex::new(Script { acts: acts.iter().copied().collect(), ..Script::default() }));
        let host = FakeHost { address, dialect, script, seen: Arc::default() };
        let (script, seen) = (Arc::clone(&host.script), Arc::clone(&host.seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, dialect, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        host
    }

    pub(crate) fn framing(dialect: &str) -> Framing {
        if dialect == "cup-pos" { Framing::Len2TpduHeader } else { Framing::Len2 }
    }

    pub(crate) fn sandbox(&self) -> Sandbox {
        let text = format!(
            r#"{{"listeners":[{{"address":"{}","dialect":"{}","framing":"{}","mac":"cup-ecb-8"}}],
            "terminals":[{{"tid":"T0000001","mid":"898510154110283","tmk":"{tmk}"}},
                         {{"tid":"T0000002","mid":"898510154110283","tmk":"{tmk}"}},
                         {{"tid":"T0000075","mid":"898510154110283","tmk":"{tmk}"}},
                         {{"tid":"T0000099","mid":"898510154110283","tmk":"{tmk}"}},
                         {{"tid":"T0000013","mid":"898510154110283","tmk":"{tmk}"}}],
            "cards":[{{"pan":"6216261000000000018","expiry":"3012","pin":"123456","product":"debit-standard"}},
                     {{"pan":"6299990000000009","expiry":"3012","pin":"147258","product":"debit-careful"}}]}}"#,
            self.address,
            self.dialect,
            FakeHost::framing(self.dialect),
            tmk = hex::encode(TMK)
        );
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn terminal(&self, id: &str) -> Terminal {
        let settings =
            Settings { reply_timeout: std::time::Duration::from_millis(150), ..Settings::default() };
        let memory = Memory::volatile(Stan::new(123).unwrap());
        Terminal::with_memory(&self.sandbox(), id.parse().unwrap(), settings, memory).unwrap()
    }

    /// `MTI bitmap` of every message so far.
    pub(crate) fn shapes(&self) -> Vec<String> {
        self.look(|m| format!("{} {}", m.mti(), m.bitmap()))
    }

    /// One field of every message so far.
    pub(crate) fn field(&self, n: u8) -> Vec<String> {
        self.look(|m| m.text(n).map(|t| t.to_string()).unwrap_or_default())
    }

    pub(crate) fn look<T>(&self, what: impl Fn(&Message<'_>) -> T) -> Vec<T> {
        let dialect = Dialect::builtin(self.dialect).unwrap();
        self.seen.lock().unwrap().iter().map(|body| what(&dialect.decode(body).unwrap())).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    dialect: &'static str,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let framing = FakeHost::framing(dialect);
    let compiled = Dialect::builtin(dialect).unwrap();
    let mut bytes = Vec::new();
    loop {
        while let Some(frame) = framing.split(&bytes, FrameLimit::default()).unwrap() {
            let request = compiled.decode(frame.body).unwrap();
            seen.lock().unwrap().push(frame.body.to_vec());
            let mut sent = Vec::new();
            if let Some(body) = answer(&compiled, &request, &mut script.lock().unwrap()) {
                framing.write(&mut sent, frame.tpdu.map(|t| t.swapped()), frame.header, &body).unwrap();
            }
            let consumed = frame.consumed;
            bytes.drain(..consumed);
            stream.write_all(&sent).await.unwrap();
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

fn answer(dialect: &Dialect, request: &Message<'_>, script: &mut Script) -> Option<Vec<u8>> {
    let mut reply = MessageBuilder::new(request.mti().reply().unwrap());
    [3, 4, 11, 41, 42, 60].into_iter().for_each(|n| {
        reply.copy(request, n);
    });
    reply.set(12, "101530").set(13, "1122").set(37, "112210153001").set(39, "00");
    let kind = request.mti().to_string();
    if kind.starts_with("08") {
        sign_in(dialect, request, &mut reply, script);
    }
    if kind == "0500" {
        let totals = request.text(48).unwrap().to_string();
        reply.set(48, &format!("{}1{}", &totals[..30], &totals[31..]));
    }
    let money = !(kind.starts_with("08") || kind == "0500");
    let act = if money { script.acts.pop_front().unwrap_or(Act::Answer("00")) } else { Act::Answer("00") };
    match act {
        Act::Silence => return None,
        Act::OtherStan => {
            reply.set(11, "999999");
        }
        Act::Answer(code) => {
            reply.set(39, code);
        }
        Act::BadMac => {}
    }
    if act_approves(act) {
        reply.set(38, "004417");
    }
    if request.text(3).is_some_and(|t| t.to_string() == "310000") {
        reply.set(54, "1002156C000000128000");
    }
    let mut body = Vec::new();
    if money {
        let flip = u8::from(matches!(act, Act::BadMac));
        let sign = |m: &[u8]| mac::union_pay_ecb(&TdesKey::double(&TAK).first_part(), m).map(|b| b ^ flip);
        reply.encode_signed(dialect, &mut body, sign).unwrap();
    } else {
        reply.encode(dialect, &mut body).unwrap();
    }
    Some(body)
}

fn act_approves(act: Act) -> bool {
    matches!(act, Act::Answer("00") | Act::BadMac | Act::OtherStan)
}

fn sign_in(dialect: &Dialect, request: &Message<'_>, reply: &mut MessageBuilder, script: &Script) {
    let code = request.sub(60, "3").map(|t| t.to_string());
    let code = code.or_else(|| request.text(70).map(|t| t.to_string())).unwrap_or_default();
    if !matches!(code.as_str(), "003" | "101") {
        return;
    }
    let mut keys = wrapped(&TPK);
    keys.extend(wrapped(&TAK));
    if script.wrong_check_value {
        keys[39] ^= 1;
    }
    if dialect.name() == "cup-pos" {
        reply.set(60, "00000007003").set_bytes(62, &keys);
    } else {
        reply.copy(request, 70).set(62, &hex::encode_upper(keys));
    }
}

fn wrapped(key: &[u8; 16]) -> Vec<u8> {
    let mut bytes = key.to_vec();
    mode::ecb_encrypt(&TdesKey::double(&TMK), &mut bytes);
    bytes.extend(check_value(KcvMethod::TdesZeros, &TdesKey::double(key), 4).unwrap().bytes());
    bytes
}
