//! A terminal of another make: messages from `iso8583`'s builder, keys and MACs from `paycrypto`, nothing of the
//! simulator. [`Pos`] is who it is and which keys it has; [`Wire`] is one connection. They are apart, so that one
//! terminal can speak on twenty connections at once, or with yesterday's keys.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use iso8583::{Dialect, MessageBuilder};
use paycrypto::{
    key::TdesKey,
    mac, mode,
    operator_field::{cover, labels},
    pin::{Account12, Pin},
    pin_block::encode_format_0,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::world::{MERCHANT, TMK, pan};

/// Longer than any answer takes here.
const PATIENCE: Duration = Duration::from_secs(10);
const TPDU: [u8; 5] = [0x60, 0x00, 0x03, 0x00, 0x00];
const HEADER: [u8; 6] = [0x60, 0x31, 0x00, 0x31, 0x00, 0x00];

#[derive(Clone)]
pub(crate) struct Pos {
    pub(crate) id: String,
    pub(crate) batch: String,
    /// PIN key and MAC key, when it has signed in.
    pub(crate) keys: Option<([u8; 16], [u8; 16])>,
    pub(crate) dialect: Arc<Dialect>,
    unionpay: bool,
}

impl Pos {
    pub(crate) fn unionpay(number: u32) -> Self {
        Self::speaking("cup-pos", number)
    }

    pub(crate) fn iso87(number: u32) -> Self {
        Self::speaking("ascii87-bin", number)
    }

    fn speaking(dialect: &str, number: u32) -> Self {
        Self {
            id: format!("{:08}", 10_000_000 + number),
            batch: "000000".to_owned(),
            keys: None,
            dialect: Dialect::builtin(dialect).unwrap(),
            unionpay: dialect == "cup-pos",
        }
    }

    fn message(&self, mti: &str, stan: u32) -> MessageBuilder {
        let mut message = MessageBuilder::new(mti.parse().unwrap());
        message.set(11, &format!("{stan:06}")).set(41, &self.id).set(42, MERCHANT);
        if !self.unionpay {
            message.set(7, "1118000000").set(13, "1118");
        }
        message
    }

    /// A network message: DE 60.3, or DE 70.
    pub(crate) fn network(&self, mti: &str, stan: u32, code: &str) -> MessageBuilder {
        let mut message = self.message(mti, stan);
        if self.unionpay {
            message.set(60, &format!("00{}{code}", self.batch)).set(63, "01 ");
        } else {
            message.set(70, code);
        }
        message
    }

    pub(crate) fn echo(&self, stan: u32) -> Vec<u8> {
        self.frame(&self.unsigned(&self.network("0820", stan, "301")))
    }

    /// A sale with card number and PIN.
    pub(crate) fn sale(&self, stan: u32, amount: i64, card: usize, pin: &str) -> MessageBuilder {
        let number = pan(card);
        let mut sale = self.message("0200", stan);
        sale.set(2, &number).set(3, "000000").set(4, &format!("{amount:012}")).set(14, "9912");
        sale.set(22, "021").set(25, "00").set(26, "12").set(49, "156").set(53, "2600000000000000");
        sale.set_bytes(52, &self.pin_block(&number, pin));
        if self.unionpay {
            sale.set(60, &format!("22{}", self.batch));
        }
        sale
    }

    /// One of the shop's own people, with the passwords that were typed.
    pub(crate) fn operator(&self, stan: u32, code: &str, who: &str, typed: &[&str]) -> MessageBuilder {
        let mut text = format!("PW03{who}");
        for (place, digits) in (0..).zip(typed) {
            let codes = labels(who.parse().unwrap(), stan, place).map(|label| self.mac(&label));
            text.push_str(&hex::encode_upper(cover(digits, &codes).unwrap()));
        }
        let mut message = self.network(if self.unionpay { "0820" } else { "0800" }, stan, code);
        message.set(47, &text);
        message
    }

    /// A reversal as UnionPay terminals send it: the original's trace, no card.
    pub(crate) fn reversal(&self, stan: u32, amount: i64) -> MessageBuilder {
        let mut reversal = self.message("0400", stan);
        reversal.set(3, "000000").set(4, &format!("{amount:012}")).set(22, "021").set(25, "00");
        reversal.set(39, "98").set(49, "156").set(60, &format!("22{}", self.batch));
        reversal
    }

    /// The PIN block under the session's key; without a session under any key.
    pub(crate) fn pin_block(&self, number: &str, pin: &str) -> [u8; 8] {
        let account = Account12::new(&number[number.len() - 13..number.len() - 1]).unwrap();
        let clear = encode_format_0(&Pin::from_ascii(pin.as_bytes()).unwrap(), &account);
        clear.encrypt(&TdesKey::double(&self.keys.map_or([0x11; 16], |(tpk, _)| tpk)))
    }

    pub(crate) fn unsigned(&self, message: &MessageBuilder) -> Vec<u8> {
        let mut body = Vec::new();
        message.encode(&self.dialect, &mut body).unwrap();
        body
    }

    /// The message with its MAC.
    pub(crate) fn signed(&self, message: &MessageBuilder) -> Vec<u8> {
        let mut body = Vec::new();
        message.encode_signed(&self.dialect, &mut body, |covered| self.mac(covered)).unwrap();
        body
    }

    /// The whole frame of a signed message.
    pub(crate) fn sealed(&self, message: &MessageBuilder) -> Vec<u8> {
        self.frame(&self.signed(message))
    }

    fn mac(&self, covered: &[u8]) -> [u8; 8] {
        let tak = TdesKey::double(&self.keys.map_or([0x22; 16], |(_, tak)| tak));
        if self.unionpay { mac::union_pay_ecb(&tak.first_part(), covered) } else { mac::x9_19(&tak, covered) }
    }

    pub(crate) fn frame(&self, body: &[u8]) -> Vec<u8> {
        self.frame_with(TPDU, body)
    }

    pub(crate) fn frame_with(&self, tpdu: [u8; 5], body: &[u8]) -> Vec<u8> {
        let fixed = if self.unionpay { [&tpdu[..], &HEADER[..]].concat() } else { Vec::new() };
        let length = u16::try_from(fixed.len() + body.len()).unwrap();
        [&length.to_be_bytes()[..], &fixed, body].concat()
    }

    /// Takes the keys of a sign-in reply (reference §2.4, NMIC 003).
    pub(crate) async fn sign_in(&mut self, wire: &mut Wire, stan: u32) {
        let code = if self.unionpay { "003" } else { "001" };
        let request = self.frame(&self.unsigned(&self.network("0800", stan, code)));
        let answer = wire.ask(&request).await;
        assert_eq!(answer.code(), "00");
        let download = answer.raw(62).unwrap();
        let download = if self.unionpay { download } else { from_hex(&download) };
        let key = |from: usize| {
            let mut key: [u8; 16] = download[from..from + 16].try_into().unwrap();
            mode::ecb_decrypt(&TdesKey::double(&TMK), &mut key);
            key
        };
        self.keys = Some((key(0), key(20)));
        if self.unionpay {
            self.batch = answer.text(60).unwrap()[2..8].to_owned();
        }
    }

    /// Is the answer's MAC ours?
    #[track_caller]
    pub(crate) fn assert_genuine(&self, answer: &Answer) {
        let (covered, mac) = answer.body().split_at(answer.body().len() - 8);
        assert_eq!(answer.raw(64).as_deref(), Some(mac), "the MAC is the last field");
        assert_eq!(self.mac(covered), mac, "the reply's MAC");
    }
}

fn from_hex(text: &[u8]) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// TCP, or TLS over it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    pos: Pos,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr, pos: Pos) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), pos)
    }

    pub(crate) fn over(stream: impl Stream + 'static, pos: Pos) -> Self {
        Self { stream: Box::new(stream), pos }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends, and waits for the answer.
    pub(crate) async fn ask(&mut self, frame: &[u8]) -> Answer {
        self.send(frame).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.read().await.expect("an answer, not the end")
    }

    /// `None` when the host has closed.
    pub(crate) async fn read(&mut self) -> Option<Answer> {
        timeout(PATIENCE, self.read_frame()).await.expect("neither an answer nor the end")
    }

    async fn read_frame(&mut self) -> Option<Answer> {
        let length = self.stream.read_u16().await.ok()?;
        let mut frame = vec![0; usize::from(length)];
        self.stream.read_exact(&mut frame).await.ok()?;
        Some(Answer { frame, pos: self.pos.clone() })
    }

    #[track_caller]
    pub(crate) fn expect_closed(&mut self) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move { assert!(self.read().await.is_none(), "answered where it should close: {caller}") }
    }

    /// A TLS alert (RFC 8446 §6) and the end.
    pub(crate) async fn expect_alert(&mut self) {
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.expect("no end");
        assert_eq!(bytes.first(), Some(&0x15), "an alert: {bytes:?}");
    }

    /// Nothing comes for so long, and the connection stays.
    pub(crate) async fn expect_silence(&mut self, ms: u64) {
        let came = timeout(Duration::from_millis(ms), self.read_frame()).await;
        assert!(came.is_err(), "answered or closed where it should be silent");
    }

    /// An answer within so long; `None` for the end or silence.
    pub(crate) async fn answer_within(&mut self, ms: u64) -> Option<Answer> {
        timeout(Duration::from_millis(ms), self.read_frame()).await.ok().flatten()
    }

    /// Tries to send to a host that may have closed.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok()
    }
}

/// An answer as it came, without the length.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) frame: Vec<u8>,
    pos: Pos,
}

impl Answer {
    pub(crate) fn body(&self) -> &[u8] {
        &self.frame[if self.pos.unionpay { TPDU.len() + HEADER.len() } else { 0 }..]
    }

    pub(crate) fn raw(&self, n: u8) -> Option<Vec<u8>> {
        self.pos.dialect.decode(self.body()).unwrap().raw(n).map(<[u8]>::to_vec)
    }

    pub(crate) fn text(&self, n: u8) -> Option<String> {
        self.pos.dialect.decode(self.body()).unwrap().short(n).map(|text| text.as_str().to_owned())
    }

    /// DE 39.
    pub(crate) fn code(&self) -> String {
        self.text(39).expect("a response code")
    }

    /// 处理要求: the seventh digit, after application, version and terminal state.
    pub(crate) fn order(&self) -> u8 {
        self.frame[TPDU.len() + 2] & 0x0f
    }
}
