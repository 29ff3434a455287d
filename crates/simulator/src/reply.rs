//! What a terminal reads in a reply, and whether it believes it (docs/reference/rules.md R14).

use iso8583::{Dialect, Message, MessageBuilder};
use model::{Amount, ResponseCode};
use paycrypto::mac;

use crate::keys::MacKey;

/// A reply that belongs to the request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) code: ResponseCode,
    pub(crate) rrn: Option<String>,
    pub(crate) approval: Option<String>,
    pub(crate) time: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) batch: Option<u32>,
    pub(crate) balance: Option<Amount>,
    pub(crate) settlement: Option<String>,
    pub(crate) keys: Vec<u8>,
}

/// Why a reply is not believed. The request is treated as if it had not been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Disbelief {
    /// It cannot be read.
    #[error("the reply cannot be read")]
    Unreadable,
    /// It answers something else.
    #[error("DE {0} of the reply is not that of the request")]
    OtherRequest(u8),
    /// It has another message type.
    #[error("the reply has the wrong message type")]
    OtherType,
    /// Approved, with a MAC that is missing or wrong.
    #[error("the MAC of the approval is missing or wrong")]
    Mac,
}

impl Disbelief {
    /// DE 39 of the reversal that follows.
    pub(crate) fn reversal_reason(self) -> &'static str {
        match self {
            Disbelief::Mac => "A0",
            Disbelief::Unreadable | Disbelief::OtherRequest(_) | Disbelief::OtherType => "06",
        }
    }
}

pub(crate) fn read(
    dialect: &Dialect,
    sent: &[u8],
    received: &[u8],
    mac_key: Option<&MacKey>,
) -> Result<Reply, Disbelief> {
    let request = dialect.decode(sent).map_err(|_| Disbelief::Unreadable)?;
    let reply = dialect.decode(received).map_err(|_| Disbelief::Unreadable)?;
    let code = text(&reply, 39).and_then(|t| t.parse::<ResponseCode>().ok()).ok_or(Disbelief::Unreadable)?;
    belongs(&request, &reply, code)?;
    if let Some(mac_key) = mac_key
        && code == ResponseCode::APPROVED
    {
        sealed(&reply, mac_key)?;
    }
    Ok(Reply {
        code,
        rrn: text(&reply, 37),
        approval: text(&reply, 38),
        time: text(&reply, 12),
        date: text(&reply, 13),
        batch: reply.sub(60, "2").and_then(|b| b.parse().ok()),
        balance: text(&reply, 54).and_then(|t| balance(&t)),
        settlement: text(&reply, 48),
        keys: downloaded(dialect, &reply),
    })
}

/// MTI+10, DE 3, 11 and 41 equal, DE 42 if approved, DE 4 unless part was approved.
fn belongs(request: &Message<'_>, reply: &Message<'_>, code: ResponseCode) -> Result<(), Disbelief> {
    if request.mti().reply() != Some(reply.mti()) {
        return Err(Disbelief::OtherType);
    }
    let approved = code == ResponseCode::APPROVED;
    let partial = code.as_str() == "10";
    let compared = [(3, true), (11, true), (41, true), (42, approved), (4, !partial)];
    for (n, wanted) in compared {
        let (sent, came) = (text(request, n), text(reply, n));
        // A host may leave out of a decline what it could not read.
        let differs = sent.is_some() && came != sent && (came.is_some() || (approved && n != 4));
        if wanted && differs {
            return Err(Disbelief::OtherRequest(n));
        }
    }
    Ok(())
}

pub(crate) fn sealed(reply: &Message<'_>, mac_key: &MacKey) -> Result<(), Disbelief> {
    let n = reply.mac_field().ok_or(Disbelief::Mac)?;
    let (Some(covered), Some(received)) = (reply.before(n), reply.raw(n)) else { return Err(Disbelief::Mac) };
    let computed = mac_key.mac(covered);
    mac::verify(&computed, received).map_err(|_| Disbelief::Mac)
}

fn text(message: &Message<'_>, n: u8) -> Option<String> {
    message.text(n).map(|t| t.to_string())
}

/// DE 54: account type 2, amount type 2, currency 3, sign 1, amount 12; the first of several.
fn balance(text: &str) -> Option<Amount> {
    let minor: i64 = text.get(8..20)?.parse().ok()?;
    Some(Amount(if text.get(7..8)? == "D" { -minor } else { minor }))
}

/// DE 62: bytes in the UnionPay dialect, hex digits where the field is text.
fn downloaded(dialect: &Dialect, reply: &Message<'_>) -> Vec<u8> {
    let binary = dialect.axes(62).is_some_and(|axes| axes.encoding == iso8583::Encoding::Binary);
    let raw = reply.raw(62).unwrap_or_default();
    if binary { raw.to_vec() } else { hex::decode(raw).unwrap_or_default() }
}

/// DE 48 of a settlement reply: the result after our own cards' totals; 1 balanced, 2 not.
pub(crate) fn settlement_result(totals: &str) -> Option<bool> {
    match totals.as_bytes().get(30)? {
        b'1' => Some(true),
        b'2' => Some(false),
        _ => None,
    }
}

/// A message with its MAC at the end, or without one where none is due.
pub(crate) fn sealed_body(
    dialect: &Dialect,
    message: &MessageBuilder,
    mac_key: Option<&MacKey>,
) -> Result<Vec<u8>, iso8583::EncodeError> {
    let mut body = Vec::with_capacity(256);
    match mac_key {
        Some(key) => {
            message.encode_signed(dialect, &mut body, |covered| key.mac(covered))?;
        }
        None => message.encode(dialect, &mut body)?,
    }
    Ok(body)
}
