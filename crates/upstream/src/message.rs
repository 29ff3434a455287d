//! Messages between hosts in ISO 8583:1987: questions, reversals and network management out; answers in.

use std::sync::Arc;

use hsm::{EncryptedPinBlock, MacAlgorithm, MacKey, MacOutcome, ModuleError, SecurityModule};
use iso8583::{Composite, Dialect, EncodeError, FrameError, Framing, Message, MessageBuilder, Mti};
use model::{
    Amount, ApprovalCode, Currency, Expiry, KeyBlock, Kind, MerchantId, Pan, ReasonCode, ResponseCode, Rrn,
    Stan, TerminalId, Timestamp,
};
use zeroize::Zeroizing;

use crate::profile::Profile;

/// A question to an issuer.
#[derive(Debug)]
pub struct Ask<'a> {
    /// What is asked.
    pub kind: Kind,
    /// DE 2.
    pub pan: &'a Pan,
    /// DE 4.
    pub amount: Amount,
    /// DE 49.
    pub currency: Currency,
    /// DE 11.
    pub stan: Stan,
    /// DE 7.
    pub at: Timestamp,
    /// DE 14.
    pub expiry: Option<Expiry>,
    /// DE 22.
    pub entry_mode: Option<&'a str>,
    /// DE 23.
    pub sequence: Option<&'a str>,
    /// DE 35.
    pub track_2: Option<&'a str>,
    /// DE 37.
    pub rrn: Rrn,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 42.
    pub merchant: MerchantId,
    /// DE 52, under the zone's key.
    pub pin: Option<EncryptedPinBlock>,
    /// DE 55.
    pub chip: Option<&'a [u8]>,
    /// DE 90 and DE 38: what it undoes, completes or refunds.
    pub original: Option<Original>,
}

/// An earlier transaction as the issuer knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// What it was.
    pub kind: Kind,
    /// Its DE 11.
    pub stan: Stan,
    /// Its DE 7.
    pub at: Timestamp,
    /// DE 38 of its approval.
    pub approval: Option<ApprovalCode>,
}

/// A reversal to an issuer.
#[derive(Debug)]
pub struct UndoMessage<'a> {
    /// What is undone.
    pub original: Original,
    /// DE 2.
    pub pan: &'a Pan,
    /// DE 4 of the original.
    pub amount: Amount,
    /// DE 49.
    pub currency: Currency,
    /// DE 11 of the reversal: its own.
    pub stan: Stan,
    /// DE 7 of the reversal: its own.
    pub at: Timestamp,
    /// DE 37 of the original.
    pub rrn: Rrn,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 42.
    pub merchant: MerchantId,
    /// Why.
    pub why: ReasonCode,
    /// Was it sent before? Then it is 0421 and not 0420 (ISO 8583:1987 4.1, fourth digit).
    pub repeat: bool,
}

/// What an issuer answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// DE 39.
    pub code: ResponseCode,
    /// DE 38.
    pub approval: Option<ApprovalCode>,
    /// DE 4.
    pub amount: Option<Amount>,
    /// DE 54, first amount.
    pub balance: Option<(Amount, Currency)>,
}

/// Which question an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Message type of the answer.
    mti: Mti,
    stan: Stan,
    /// DE 7.
    at: [u8; 10],
}

#[cfg(test)]
impl Key {
    pub(crate) fn sample(stan: u32) -> Self {
        let mti = Mti::packed(0x0210).unwrap();
        Self { mti, stan: Stan::new(stan).unwrap(), at: *b"1118000000" }
    }
}

/// What came from the other side.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer to a question or a reversal.
    Answer(Key, Reply),
    /// An answer to our network management message: accepted?
    Network { accepted: bool },
    /// The other side's own network management message, and our answer to it.
    Asked(Vec<u8>),
    /// Anything else.
    Nonsense(&'static str),
}

/// A message that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsayable {
    #[error("cannot encode: {0}")]
    Encode(#[from] EncodeError),
    #[error("cannot frame: {0}")]
    Frame(#[from] FrameError),
    #[error("cannot sign: {0}")]
    Sign(#[from] ModuleError),
    #[error("{0} is not said on this route")]
    Kind(&'static str),
}

/// How one route speaks.
pub(crate) struct Speech {
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) framing: Framing,
    pub(crate) acquirer: String,
    pub(crate) forwarder: Option<String>,
    pub(crate) profile: Profile,
    pub(crate) mac: Option<(KeyBlock, MacAlgorithm)>,
    pub(crate) module: Arc<dyn SecurityModule>,
}

/// A frame ready for the wire, and the key of its answer. Wiped: it has a card number in it.
pub(crate) type Said = (Zeroizing<Vec<u8>>, Key);

impl Speech {
    /// A question.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Said, Unsayable> {
        let words = self.profile.words(ask.kind).ok_or(Unsayable::Kind(ask.kind.name()))?;
        let mut m = MessageBuilder::new(words.mti);
        self.identity(&mut m, ask.stan, ask.at);
        m.set(2, ask.pan.reveal()).set(3, &words.processing).set(25, &words.condition);
        if ask.kind.needs_amount() {
            m.set(4, &format!("{:012}", ask.amount.0));
        }
        m.set(37, ask.rrn.as_str()).set(41, ask.terminal.as_str()).set(42, ask.merchant.as_str());
        m.set(49, &format!("{:03}", ask.currency.0));
        if let Some(expiry) = ask.expiry {
            m.set(14, &format!("{:04}", expiry.yymm()));
        }
        for (n, text) in [(22, ask.entry_mode), (23, ask.sequence), (35, ask.track_2)] {
            if let Some(text) = text {
                m.set(n, text);
            }
        }
        if let Some(pin) = &ask.pin {
            m.set_bytes(52, pin.as_bytes());
        }
        if let Some(chip) = ask.chip.filter(|_| matches!(self.dialect.composite(55), Composite::Tlv)) {
            m.set_bytes(55, chip);
        }
        if let Some(original) = &ask.original {
            self.point(&mut m, original);
        }
        self.finish(&m, ask.stan, ask.at).await
    }

    /// A reversal.
    pub(crate) async fn undo(&self, undo: &UndoMessage<'_>) -> Result<Said, Unsayable> {
        let kind = undo.original.kind;
        let words = self.profile.words(kind).ok_or(Unsayable::Kind(kind.name()))?;
        let advice = Mti::packed(0x0420).ok_or(Unsayable::Kind("a reversal"))?;
        let mut m = MessageBuilder::new(if undo.repeat { advice.as_repeat() } else { advice });
        self.identity(&mut m, undo.stan, undo.at);
        m.set(2, undo.pan.reveal()).set(3, &words.processing).set(25, &words.condition);
        m.set(4, &format!("{:012}", undo.amount.0)).set(37, undo.rrn.as_str());
        m.set(41, undo.terminal.as_str()).set(42, undo.merchant.as_str());
        m.set(49, &format!("{:03}", undo.currency.0));
        if let Some(reason) = self.profile.undo_reason(undo.why) {
            m.set(39, reason);
        }
        self.point(&mut m, &undo.original);
        self.finish(&m, undo.stan, undo.at).await
    }

    /// A network management message, without a MAC.
    pub(crate) fn network(&self, code: &str, stan: Stan, at: Timestamp) -> Result<Vec<u8>, Unsayable> {
        let mut m = MessageBuilder::new(Mti::packed(0x0800).ok_or(Unsayable::Kind("network management"))?);
        m.set(7, &transmission(at)).set(11, &stan.to_string()).set(70, code);
        if let Some(forwarder) = &self.forwarder {
            m.set(33, forwarder);
        }
        self.plain(&m)
    }

    /// What a message of the other side is. A wrong MAC makes it nothing.
    pub(crate) async fn hear(&self, body: &[u8]) -> Heard {
        let Ok(message) = self.dialect.decode(body) else { return Heard::Nonsense("unreadable") };
        if message.mti().class() == iso8583::MessageClass::Network {
            return self.network_heard(&message);
        }
        if !self.is_genuine(&message).await {
            return Heard::Nonsense(MAC_INVALID);
        }
        self.answer(&message).map_or(Heard::Nonsense("no answer"), |(key, reply)| Heard::Answer(key, reply))
    }

    fn network_heard(&self, message: &Message<'_>) -> Heard {
        let Some(reply) = message.mti().reply() else {
            let accepted = message.short(39).is_some_and(|code| code.as_str() == "00");
            return Heard::Network { accepted };
        };
        let mut m = MessageBuilder::new(reply);
        for n in [7, 11, 33, 70] {
            m.copy(message, n);
        }
        m.set(39, "00");
        self.plain(&m).map_or(Heard::Nonsense("network management that cannot be answered"), Heard::Asked)
    }

    fn answer(&self, message: &Message<'_>) -> Option<(Key, Reply)> {
        if message.mti().reply().is_some() {
            return None;
        }
        if message.short(32).is_some_and(|acquirer| acquirer.as_str() != self.acquirer) {
            return None;
        }
        let key = Key {
            mti: message.mti(),
            stan: stan(message)?,
            at: message.short(7)?.as_bytes().try_into().ok()?,
        };
        let reply = Reply {
            code: message.short(39)?.as_str().parse().ok()?,
            approval: message.short(38).and_then(|text| ApprovalCode::new(text.as_bytes()).ok()),
            amount: message.digits(4).and_then(|minor| i64::try_from(minor).ok()).map(Amount),
            balance: message.short(54).and_then(|text| balance(text.as_str())),
        };
        Some((key, reply))
    }

    async fn is_genuine(&self, message: &Message<'_>) -> bool {
        let Some((key, algorithm)) = &self.mac else { return true };
        let Some(field) = message.mac_field() else { return false };
        let (Some(covered), Some(text)) = (message.before(field), message.text(field)) else { return false };
        // Binary or in hexadecimal characters: the dialect knows.
        let Ok(mac) = u64::from_str_radix(&text.to_string(), 16).map(u64::to_be_bytes) else { return false };
        let verified = self.module.verify_mac(MacKey::Key(key), *algorithm, covered, &mac).await;
        verified.is_ok_and(|outcome| outcome == MacOutcome::Valid)
    }

    fn identity(&self, m: &mut MessageBuilder, stan: Stan, at: Timestamp) {
        m.set(7, &transmission(at)).set(11, &stan.to_string()).set(32, &self.acquirer);
        if let Some(forwarder) = &self.forwarder {
            m.set(33, forwarder);
        }
    }

    /// DE 90: message type 4, trace 6, DE 7 10, acquirer 11, forwarder 11; and DE 38.
    fn point(&self, m: &mut MessageBuilder, original: &Original) {
        if let Some(words) = self.profile.words(original.kind) {
            let elements = format!(
                "{}{}{}{:0>11}{:0>11}",
                words.mti,
                original.stan,
                transmission(original.at),
                self.acquirer,
                self.forwarder.as_deref().unwrap_or_default()
            );
            m.set(90, &elements);
        }
        if let Some(approval) = original.approval {
            m.set(38, approval.as_str());
        }
    }

    async fn finish(&self, m: &MessageBuilder, stan: Stan, at: Timestamp) -> Result<Said, Unsayable> {
        let mut body = Zeroizing::new(Vec::with_capacity(512));
        match &self.mac {
            None => m.encode(&self.dialect, &mut body)?,
            Some((key, algorithm)) => {
                let slot = m.encode_for_mac(&self.dialect, &mut body)?;
                let covered = &body[slot.covered.clone()];
                let mac = self.module.generate_mac(MacKey::Key(key), *algorithm, covered).await?;
                slot.fill(&mut body, &mac);
            }
        }
        let mut frame = Zeroizing::new(Vec::with_capacity(body.len() + 4));
        self.framing.write(&mut frame, None, None, &body)?;
        let mti = m.mti().reply().ok_or(Unsayable::Kind("a message without an answer"))?;
        Ok((frame, Key { mti, stan, at: digits_10(at) }))
    }

    fn plain(&self, m: &MessageBuilder) -> Result<Vec<u8>, Unsayable> {
        let mut body = Vec::with_capacity(64);
        m.encode(&self.dialect, &mut body)?;
        let mut frame = Vec::with_capacity(body.len() + 4);
        self.framing.write(&mut frame, None, None, &body)?;
        Ok(frame)
    }
}

pub(crate) const MAC_INVALID: &str = "wrong MAC";

/// DE 7: month, day, hour, minute, second, in UTC.
fn transmission(at: Timestamp) -> String {
    let utc = jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(jiff::tz::TimeZone::UTC);
    format!("{:02}{:02}{:02}{:02}{:02}", utc.month(), utc.day(), utc.hour(), utc.minute(), utc.second())
}

fn digits_10(at: Timestamp) -> [u8; 10] {
    transmission(at).as_bytes().try_into().unwrap_or([b'0'; 10])
}

fn stan(message: &Message<'_>) -> Option<Stan> {
    Stan::new(u32::try_from(message.digits(11)?).ok()?).ok()
}

/// DE 54: account type 2, amount type 2, currency 3, sign 1, amount 12.
fn balance(text: &str) -> Option<(Amount, Currency)> {
    let minor: i64 = text.get(8..20)?.parse().ok()?;
    let sign = if text.get(7..8)? == "D" { -1 } else { 1 };
    Some((Amount(minor * sign), Currency(text.get(4..7)?.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use hsm::soft::{Configuration, KeyPolicy, MasterKey, SoftModule};

    use super::*;

    #[test]
    fn a_time_is_written_in_utc() {
        assert_eq!(transmission(Timestamp(1_795_000_000_000)), "1118110640");
    }

    fn speech(dialect: &str) -> Speech {
        Speech {
            dialect: Dialect::builtin(dialect).unwrap(),
            framing: Framing::Len2,
            acquirer: "01020000".to_owned(),
            forwarder: Some("01029999".to_owned()),
            profile: Profile::iso87().unwrap(),
            mac: None,
            module: Arc::new(SoftModule::new(
                MasterKey::new(&[7; 32]),
                KeyPolicy::Sandbox,
                Configuration::default(),
            )),
        }
    }

    fn stan_7() -> Stan {
        Stan::new(7).unwrap()
    }

    fn sale() -> Original {
        Original { kind: Kind::Sale, stan: stan_7(), at: Timestamp(1_795_000_000_000), approval: None }
    }

    const POINTER: &str = "020000000711181106400000102000000001029999";

    #[tokio::test]
    async fn a_question_says_everything_in_every_dialect_of_hosts() {
        let pan: Pan = "9555000000000012".parse().unwrap();
        for dialect in ["ascii87-bin", "ascii87", "bcd87", "ebcdic87"] {
            let ask = Ask {
                kind: Kind::SaleVoid,
                pan: &pan,
                amount: Amount(1234),
                currency: Currency::CNY,
                stan: stan_7(),
                at: sale().at,
                expiry: Some("3012".parse().unwrap()),
                entry_mode: Some("021"),
                sequence: Some("001"),
                track_2: Some("9555000000000012D3012101"),
                rrn: "632212345678".parse().unwrap(),
                terminal: "10000001".parse().unwrap(),
                merchant: "898510154110283".parse().unwrap(),
                pin: EncryptedPinBlock::new(&[0xAB; 8]),
                chip: None,
                original: Some(sale()),
            };
            let speech = speech(dialect);
            let (frame, key) = speech.ask(&ask).await.unwrap();
            assert_eq!(key, Key { mti: "0210".parse().unwrap(), stan: stan_7(), at: *b"1118110640" });
            let message = speech.dialect.decode(&frame[2..]).unwrap();
            for (n, text) in
                [(3, "020000"), (4, "000000001234"), (7, "1118110640"), (32, "01020000"), (90, POINTER)]
            {
                assert_eq!(message.short(n).unwrap().as_str(), text, "{dialect} DE {n}");
            }
            let block = message.text(52).unwrap().to_string();
            assert_eq!(block.to_uppercase(), "AB".repeat(8), "{dialect}");
        }
    }

    #[tokio::test]
    async fn a_reversal_repeats_itself_but_for_one_digit() {
        let pan: Pan = "9555000000000012".parse().unwrap();
        let speech = speech("ascii87-bin");
        let undo = |repeat| UndoMessage {
            original: sale(),
            pan: &pan,
            amount: Amount(1234),
            currency: Currency::CNY,
            stan: Stan::new(8).unwrap(),
            at: sale().at,
            rrn: "632212345678".parse().unwrap(),
            terminal: "10000001".parse().unwrap(),
            merchant: "898510154110283".parse().unwrap(),
            why: ReasonCode::IssuerTimeout,
            repeat,
        };
        let (first, key) = speech.undo(&undo(false)).await.unwrap();
        let (second, again) = speech.undo(&undo(true)).await.unwrap();
        assert_eq!(key, again, "one answer belongs to both");
        assert_eq!((&first[2..6], &second[2..6]), (&b"0420"[..], &b"0421"[..]));
        assert_eq!(first[6..], second[6..]);
        let message = speech.dialect.decode(&first[2..]).unwrap();
        assert_eq!(message.short(90).unwrap().as_str(), POINTER);
        assert_eq!(message.short(39).unwrap().as_str(), "68");
    }

    #[tokio::test]
    async fn what_the_other_side_says_is_told_apart() {
        let speech = speech("ascii87-bin");
        let body = |mti: &str, fields: &[(u8, &str)]| {
            let mut m = MessageBuilder::new(mti.parse().unwrap());
            for (n, text) in fields {
                m.set(*n, text);
            }
            let mut body = Vec::new();
            m.encode(&speech.dialect, &mut body).unwrap();
            body
        };
        let answer = [(7, "1118110640"), (11, "000007"), (39, "00")];
        assert!(matches!(speech.hear(&body("0210", &answer)).await, Heard::Answer(..)));
        let others = [&answer[..], &[(32, "09999999")]].concat();
        assert!(
            matches!(speech.hear(&body("0210", &others)).await, Heard::Nonsense(_)),
            "another acquirer's"
        );
        assert!(matches!(speech.hear(&body("0200", &answer)).await, Heard::Nonsense(_)), "a question");
        assert!(matches!(speech.hear(b"0210 nonsense").await, Heard::Nonsense(_)));
        let network = [(7, "1118110640"), (11, "000001"), (39, "00"), (70, "001")];
        assert_eq!(speech.hear(&body("0810", &network)).await, Heard::Network { accepted: true });
        assert!(matches!(speech.hear(&body("0800", &network)).await, Heard::Asked(_)));
    }

    #[test]
    fn a_balance_is_read_with_its_sign() {
        assert_eq!(balance("1002156C000000001234"), Some((Amount(1234), Currency(156))));
        assert_eq!(balance("1002156D000000000001"), Some((Amount(-1), Currency(156))));
        assert_eq!(balance("1002156C"), None);
    }
}
