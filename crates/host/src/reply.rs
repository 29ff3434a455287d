//! The way out: an answer's data elements, its MAC, and the frame that is stored and sent.

use authorization::{decide::References, settlement::Totals};
use hsm::{MacAlgorithm, MacKey};
use iso8583::{EncodeError, Header, MacSlot, Message, MessageBuilder, Tpdu};
use model::{Amount, Currency, ResponseCode, Timestamp};

use crate::{Shared, listener::Link, references};

/// Elements that an answer repeats from its request, where they are there. The PAN is not repeated to UnionPay
/// terminals (public samples do without), so that it is on the wire once.
const REPEATED_TO_TERMINALS: &[u8] = &[3, 4, 11, 25, 41, 42, 49, 60];
const REPEATED_TO_HOSTS: &[u8] = &[2, 3, 4, 7, 11, 12, 13, 24, 32, 41, 42, 49, 70];
/// What stands before the message in a stored frame, where the framing has it.
const TPDU_AND_HEADER: usize = 11;

/// What an answer says beyond what it repeats.
#[derive(Default)]
pub(crate) struct Answer {
    /// DE 39.
    pub(crate) code: Option<ResponseCode>,
    /// DE 37, and DE 38 if approved.
    pub(crate) references: Option<References>,
    /// Is DE 38 sent?
    pub(crate) approved: bool,
    /// DE 54.
    pub(crate) balance: Option<(Amount, Currency)>,
    /// DE 62: working keys for the terminal.
    pub(crate) work_keys: Option<Vec<u8>>,
    /// DE 60.2: the batch to use.
    pub(crate) batch: Option<model::BatchNumber>,
    /// DE 48: our totals, and whether they agree.
    pub(crate) settlement: Option<(Totals, bool)>,
    /// Does the header order a sign-in?
    pub(crate) sign_in_again: bool,
}

/// An answer that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplyError {
    #[error("cannot encode the answer: {0}")]
    Encode(#[from] EncodeError),
    #[error("message type {0} has no answer")]
    NoReplyType(iso8583::Mti),
    #[error("cannot sign the answer: {0}")]
    Sign(#[from] hsm::ModuleError),
}

/// The request that is being answered.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) link: &'a Link,
    pub(crate) message: &'a Message<'a>,
    /// Was all of it readable?
    pub(crate) readable: bool,
    pub(crate) tpdu: Option<Tpdu>,
    pub(crate) header: Option<Header>,
    /// Have staff told the terminal to sign in again?
    pub(crate) sign_in_ordered: bool,
}

/// What an answer is signed with.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) key: MacKey<'a>,
    pub(crate) algorithm: MacAlgorithm,
}

/// Makes the answer's frame without its length prefix, signed when there is a key.
pub(crate) async fn compose(
    shared: &Shared,
    asked: Asked<'_>,
    answer: &Answer,
    now: Timestamp,
    signer: Option<Signer<'_>>,
) -> Result<Vec<u8>, ReplyError> {
    let reply_type = asked.message.mti().reply().ok_or(ReplyError::NoReplyType(asked.message.mti()))?;
    let mut builder = MessageBuilder::new(reply_type);
    repeat(&mut builder, asked);
    say(&mut builder, shared, asked, answer, now);
    let mut frame = Vec::with_capacity(256);
    if asked.link.framing.has_header() {
        frame.extend_from_slice(&asked.tpdu.map_or([0x60, 0, 0, 0, 0], |tpdu| tpdu.swapped().0));
        frame.extend_from_slice(&header(asked, answer).0);
    }
    match signer {
        None => builder.encode(&asked.link.dialect, &mut frame)?,
        Some(Signer { key, algorithm }) => {
            let slot = builder.encode_for_mac(&asked.link.dialect, &mut frame)?;
            let signing = shared.module.generate_mac(key, algorithm, &frame[slot.covered.clone()]);
            let mac = shared.patiently(signing).await?;
            slot.fill(&mut frame, &mac);
        }
    }
    Ok(frame)
}

/// A stored answer for somebody who asks again: what it says stays as it was, and it is signed with the keys under which the
/// new question was found genuine. While these are the same, so are the bytes; a terminal that has signed in since would
/// not believe the old code, and would repeat its reversal for ever.
pub(crate) async fn signed_again(shared: &Shared, link: &Link, stored: &[u8], signer: Signer<'_>) -> Vec<u8> {
    let mut frame = stored.to_vec();
    let Some(slot) = code_of(link, &frame) else { return frame };
    let signing = shared.module.generate_mac(signer.key, signer.algorithm, &frame[slot.covered.clone()]);
    match shared.patiently(signing).await {
        Ok(mac) => slot.fill(&mut frame, &mac),
        Err(error) => tracing::warn!(%error, "stored answer leaves with its old code"),
    }
    frame
}

/// Where the authentication code of a stored frame is.
fn code_of(link: &Link, frame: &[u8]) -> Option<MacSlot> {
    let start = if link.framing.has_header() { TPDU_AND_HEADER } else { 0 };
    let message = link.dialect.decode(frame.get(start..)?).ok()?;
    let field = message.mac_field()?;
    let at = start + message.offset_of(field)?;
    Some(MacSlot { covered: start..at, value: at..at + message.raw(field)?.len() })
}

fn header(asked: Asked<'_>, answer: &Answer) -> Header {
    const SIGN_IN_AGAIN: u8 = 3; // 处理要求
    let header = asked.header.unwrap_or(Header([0x60, 0, 0, 0, 0, 0]));
    let ordered = asked.sign_in_ordered && asked.link.profile.sign_in_again;
    if answer.sign_in_again || ordered { header.with_order(SIGN_IN_AGAIN) } else { header }
}

fn repeat(builder: &mut MessageBuilder, asked: Asked<'_>) {
    let repeated = if asked.link.profile.batches { REPEATED_TO_TERMINALS } else { REPEATED_TO_HOSTS };
    for n in repeated {
        if asked.readable || is_readable_alone(asked, *n) {
            builder.copy(asked.message, *n);
        }
    }
}

/// Of an unreadable message an answer repeats what is readable by itself, so that it is not unreadable too.
fn is_readable_alone(asked: Asked<'_>, n: u8) -> bool {
    let mut alone = Vec::new();
    let encoded = MessageBuilder::new(asked.message.mti())
        .copy(asked.message, n)
        .encode(&asked.link.dialect, &mut alone);
    encoded.is_ok() && asked.link.dialect.decode(&alone).is_ok()
}

fn say(builder: &mut MessageBuilder, shared: &Shared, asked: Asked<'_>, answer: &Answer, now: Timestamp) {
    let terminal = asked.link.profile.batches;
    if terminal {
        let here = references::at(now, &shared.zone);
        let (time, day) =
            (pairs([here.hour(), here.minute(), here.second()]), pairs([here.month(), here.day(), 0]));
        let (time, day) = (text(&time), text(&day[..4]));
        builder.set(12, time);
        builder.set(13, day);
        if answer.references.is_some() {
            builder.set(32, &shared.settings.acquirer);
        }
        if builder.has(4) {
            builder.set(15, day);
            builder.set(63, "CUP");
        }
    }
    if let Some(references) = &answer.references {
        builder.set(37, references.rrn.as_str());
        if answer.approved {
            builder.set(38, references.approval.as_str());
        }
    }
    if let Some(code) = answer.code {
        builder.set(39, code.as_str());
    }
    if let Some((amount, currency)) = answer.balance {
        let sign = if amount.0 < 0 { 'D' } else { 'C' };
        // Account type 10 (savings), amount type 02 (available): ISO 8583 DE 54.
        builder.set(54, &format!("1002{currency}{sign}{:012}", amount.0.unsigned_abs()));
    }
    if let Some(batch) = answer.batch {
        builder.set_sub(60, "1", "00");
        builder.set_sub(60, "2", &batch.to_string());
        if let Some(network) = asked.message.sub(60, "3") {
            builder.set_sub(60, "3", &network);
        }
    }
    if let Some(keys) = &answer.work_keys {
        if terminal {
            builder.set_bytes(62, keys);
        } else {
            let hex: String = keys.iter().map(|byte| format!("{byte:02X}")).collect();
            builder.set(62, &hex);
        }
    }
    if let Some((totals, balanced)) = &answer.settlement {
        builder.set(48, &settlement(totals, *balanced));
    }
}

/// Three numbers below a hundred, two digits each.
fn pairs(numbers: [i8; 3]) -> [u8; 6] {
    let mut digits = [0; 6];
    for (pair, number) in digits.as_chunks_mut::<2>().0.iter_mut().zip(numbers) {
        references::digits(pair, u64::from(number.unsigned_abs()));
    }
    digits
}

/// Digits are always text.
fn text(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

/// DE 48 of a settlement's answer: our totals and the result (1: they agree, 2: they do not), then none for foreign cards.
fn settlement(totals: &Totals, balanced: bool) -> String {
    let result = if balanced { 1 } else { 2 };
    let (debit, credit) = (totals.debit_sum.0.unsigned_abs(), totals.credit_sum.0.unsigned_abs());
    let ours = format!(
        "{debit:012}{:03}{credit:012}{:03}{result}",
        totals.debit_count % 1000,
        totals.credit_count % 1000
    );
    format!("{ours}{:030}{result}", 0)
}
