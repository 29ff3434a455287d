//! A host with a script. It gives keys at sign-in, answers each payment and reversal with the next [`Act`] of its script (00 when
//! the script is over), and keeps every message for the test to look at. A request whose MAC is wrong is answered A0, whatever
//! the script says.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use iso8583::{Dialect, FrameLimit, Framing, Message, MessageBuilder};
use model::{KeyScheme, Stan};
use simulator::Sandbox;
use simulator::memory::Memory;
use simulator::terminal::{Settings, Terminal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::host_side::Side;

/// What the host does with a payment or reversal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Answer(&'static str),
    /// Approves with a MAC that is wrong.
    BadMac,
    /// Approves with a MAC under the key of requests.
    RequestMac,
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
    pub(crate) side: Side,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl FakeHost {
    pub(crate) async fn start(dialect: &'static str, acts: &[Act]) -> FakeHost {
        FakeHost::with_keys(Side::Tdes, dialect, acts).await
    }

    pub(crate) async fn of(side: Side, acts: &[Act]) -> FakeHost {
        FakeHost::with_keys(side, side.dialect(), acts).await
    }

    pub(crate) async fn with_keys(side: Side, dialect: &'static str, acts: &[Act]) -> FakeHost {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let script =
            Arc::new(Mutex::new(Script { acts: acts.iter().copied().collect(), ..Script::default() }));
        let host = FakeHost { address, dialect, side, script, seen: Arc::default() };
        let (script, seen) = (Arc::clone(&host.script), Arc::clone(&host.seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let compiled = Dialect::builtin(dialect).unwrap();
                tokio::spawn(serve(stream, compiled, side, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        host
    }

    pub(crate) fn framing(dialect: &str) -> Framing {
        if dialect.starts_with("cup-pos") { Framing::Len2TpduHeader } else { Framing::Len2 }
    }

    pub(crate) fn sandbox(&self) -> Sandbox {
        FakeHost::sandbox_of(&[self])
    }

    /// Several hosts as one, each with a listener: terminals T0000001 and so on of the first, T0100001 and so on of the second.
    pub(crate) fn sandbox_of(hosts: &[&FakeHost]) -> Sandbox {
        let (mut listeners, mut terminals, mut others) = (Vec::new(), String::new(), String::new());
        for (at, host) in hosts.iter().enumerate() {
            let (dialect, framing) = (host.dialect, FakeHost::framing(host.dialect));
            listeners.push(format!(
                r#"{{"address":"{}","dialect":"{dialect}","framing":"{framing}","mac":"cup-ecb-8"}}"#,
                host.address
            ));
            let list = if host.side.scheme() == KeyScheme::Tdes { &mut terminals } else { &mut others };
            for number in [1, 2, 75, 99, 13] {
                let comma = if list.is_empty() { "" } else { "," };
                let keys = host.side.fields();
                let _ = write!(
                    list,
                    r#"{comma}{{"tid":"T{:07}","mid":"898510154110283","listener":{at},{keys}}}"#,
                    at * 100_000 + number
                );
            }
        }
        let text = format!(
            r#"{{"listeners":[{}],"terminals":[{terminals}],"scheme_terminals":[{others}],
            "cards":[{{"pan":"6216261000000000018","expiry":"3012","pin":"123456","product":"debit-standard"}},
                     {{"pan":"6299990000000009","expiry":"3012","pin":"147258","product":"debit-careful"}}]}}"#,
            listeners.join(",")
        );
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn settings() -> Settings {
        Settings { reply_timeout: std::time::Duration::from_millis(150), ..Settings::default() }
    }

    pub(crate) fn terminal(&self, id: &str) -> Terminal {
        let memory = Memory::volatile(Stan::new(123).unwrap());
        Terminal::with_memory(&self.sandbox(), id.parse().unwrap(), FakeHost::settings(), memory).unwrap()
    }

    /// The PINs that arrived, decrypted.
    pub(crate) fn pins(&self, pan: &str) -> Vec<String> {
        let pin = |m: &Message<'_>| m.raw(52).map(|block| self.side.pin(&ksn(m), block, pan));
        self.look(pin).into_iter().flatten().collect()
    }

    /// The counters of the key serial numbers of all messages that have one.
    pub(crate) fn counters(&self) -> Vec<u32> {
        let counter = |text: String| text.parse::<model::Ksn>().ok().map(|ksn| ksn.counter());
        self.field(57).into_iter().filter_map(counter).collect()
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
    compiled: Arc<Dialect>,
    side: Side,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let framing = FakeHost::framing(compiled.name());
    let mut bytes = Vec::new();
    loop {
        while let Some(frame) = framing.split(&bytes, FrameLimit::default()).unwrap() {
            let request = compiled.decode(frame.body).unwrap();
            seen.lock().unwrap().push(frame.body.to_vec());
            let mut sent = Vec::new();
            if let Some(body) = answer(&compiled, side, &request, &mut script.lock().unwrap()) {
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

fn answer(dialect: &Dialect, side: Side, request: &Message<'_>, script: &mut Script) -> Option<Vec<u8>> {
    let mut reply = MessageBuilder::new(request.mti().reply().unwrap());
    [3, 4, 11, 41, 42, 60].into_iter().for_each(|n| {
        reply.copy(request, n);
    });
    reply.set(12, "101530").set(13, "1122").set(37, "112210153001").set(39, "00");
    let kind = request.mti().to_string();
    if kind.starts_with("08") {
        sign_in(dialect, side, request, &mut reply, script);
    }
    if kind == "0500" {
        let totals = request.text(48).unwrap().to_string();
        reply.set(48, &format!("{}1{}", &totals[..30], &totals[31..]));
    }
    let money = !(kind.starts_with("08") || kind == "0500");
    let act = match money {
        true if !is_genuine(side, request) => Act::Answer("A0"),
        true => script.acts.pop_front().unwrap_or(Act::Answer("00")),
        false => Act::Answer("00"),
    };
    match act {
        Act::Silence => return None,
        Act::OtherStan => {
            reply.set(11, "999999");
        }
        Act::Answer(code) => {
            reply.set(39, code);
        }
        Act::BadMac | Act::RequestMac => {}
    }
    if act_approves(act) {
        reply.set(38, "004417");
    }
    if request.text(3).is_some_and(|t| t.to_string() == "310000") {
        reply.set(54, "1002156C000000128000");
    }
    let mut body = Vec::new();
    if money {
        let sign = |covered: &[u8]| match act {
            Act::BadMac => side.answer_mac(&ksn(request), covered).map(|byte| byte ^ 1),
            Act::RequestMac => side.request_mac(&ksn(request), covered),
            Act::Answer(_) | Act::OtherStan | Act::Silence => side.answer_mac(&ksn(request), covered),
        };
        reply.encode_signed(dialect, &mut body, sign).unwrap();
    } else {
        reply.encode(dialect, &mut body).unwrap();
    }
    Some(body)
}

/// DE 57, as bytes.
fn ksn(message: &Message<'_>) -> Vec<u8> {
    message.text(57).map(|text| hex::decode(text.to_string()).unwrap()).unwrap_or_default()
}

fn is_genuine(side: Side, request: &Message<'_>) -> bool {
    let field = request.mac_field().unwrap();
    let covered = request.before(field).unwrap();
    request.raw(field).unwrap() == side.request_mac(&ksn(request), covered)
}

fn act_approves(act: Act) -> bool {
    matches!(act, Act::Answer("00") | Act::BadMac | Act::RequestMac | Act::OtherStan)
}

fn sign_in(
    dialect: &Dialect,
    side: Side,
    request: &Message<'_>,
    reply: &mut MessageBuilder,
    script: &Script,
) {
    let code = request.sub(60, "3").map(|t| t.to_string());
    let code = code.or_else(|| request.text(70).map(|t| t.to_string())).unwrap_or_default();
    let union_pay = dialect.name().starts_with("cup-pos");
    if union_pay && request.mti().to_string() == "0800" {
        reply.set(60, &format!("00000007{code}"));
    }
    let Some((asked, mut keys)) = side.download() else { return };
    if code != asked && code != "101" {
        return;
    }
    if script.wrong_check_value {
        keys[39] ^= 1;
    }
    if union_pay {
        reply.set_bytes(62, &keys);
    } else {
        reply.copy(request, 70).set(62, &hex::encode_upper(keys));
    }
}
