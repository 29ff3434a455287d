//! The protocol data units of SMPP 3.4 that a sender of messages needs, as bytes: bind, submit, deliver, enquire, unbind.
//!
//! Reading never fails half-way: what is too short, too long or unknown is a [`BadPdu`], and the caller ends the session, because
//! after it nobody knows where the next unit begins.

/// The longest unit that is read: the standard's fields with a message of 254 bytes and some optional parameters.
pub(crate) const PDU_MAX: usize = 4096;
/// Length, id, status, sequence number (SMPP 3.4, 3.2).
pub(crate) const HEADER_LEN: usize = 16;
/// The bit of an id that makes it a response (SMPP 3.4, 5.1.2.1).
const RESPONSE: u32 = 0x8000_0000;
/// `interface_version` (SMPP 3.4, 5.2.4).
const VERSION: u8 = 0x34;
/// `esm_class`: the message begins with a user data header (SMPP 3.4, 5.2.12).
pub(crate) const UDH_INDICATOR: u8 = 0x40;
/// `esm_class` of a delivery receipt, message type bits (SMPP 3.4, 5.2.12).
const RECEIPT: u8 = 0x04;
const MESSAGE_TYPE: u8 = 0x3c;
/// `registered_delivery`: a receipt is wanted whatever becomes of it (SMPP 3.4, 5.2.17).
const RECEIPT_WANTED: u8 = 0x01;
/// Optional parameters of a receipt (SMPP 3.4, 5.3.2.12, 5.3.2.35).
const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
const MESSAGE_STATE: u16 = 0x0427;

/// What a unit asks for (SMPP 3.4, 5.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    GenericNack,
    SubmitSm,
    DeliverSm,
    Unbind,
    BindTransceiver,
    EnquireLink,
}

impl Command {
    const ALL: [(Self, u32); 6] = [
        (Self::GenericNack, 0),
        (Self::SubmitSm, 4),
        (Self::DeliverSm, 5),
        (Self::Unbind, 6),
        (Self::BindTransceiver, 9),
        (Self::EnquireLink, 0x15),
    ];

    fn id(self) -> u32 {
        Self::ALL.iter().find(|(command, _)| *command == self).map_or(0, |(_, id)| *id)
    }
}

/// It is no unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPdu {
    /// Its length cannot be.
    #[error("a unit of {0} bytes")]
    Length(u32),
    /// A field goes beyond its end.
    #[error("it ends within {0}")]
    Ends(&'static str),
}

/// A unit as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pdu {
    /// What it asks for, or answers; an id that is not known here keeps its number.
    pub(crate) command: Result<Command, u32>,
    pub(crate) is_response: bool,
    /// `command_status`, 0 for well.
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: Vec<u8>,
}

/// The length that a unit says it has.
pub(crate) fn length(header: [u8; 4]) -> Result<usize, BadPdu> {
    let said = u32::from_be_bytes(header);
    match usize::try_from(said) {
        Ok(length) if (HEADER_LEN..=PDU_MAX).contains(&length) => Ok(length),
        _ => Err(BadPdu::Length(said)),
    }
}

impl Pdu {
    /// Reads a whole unit.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BadPdu> {
        let mut fields = Fields { rest: bytes };
        let said = fields.number("command_length")?;
        if usize::try_from(said) != Ok(bytes.len()) {
            return Err(BadPdu::Length(said));
        }
        let id = fields.number("command_id")?;
        let (status, sequence) = (fields.number("command_status")?, fields.number("sequence_number")?);
        let asked = id & !RESPONSE;
        let command = Command::ALL.iter().find(|(_, one)| *one == asked).map(|(command, _)| *command);
        Ok(Self {
            command: command.ok_or(id),
            is_response: id & RESPONSE != 0,
            status,
            sequence,
            body: fields.rest.to_vec(),
        })
    }
}

fn unit(id: u32, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_LEN + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
    for number in [length, id, status, sequence] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A request without a body: `enquire_link`, `unbind`.
pub(crate) fn request(command: Command, sequence: u32) -> Vec<u8> {
    unit(command.id(), 0, sequence, &[])
}

/// The answer to what the other side asked.
pub(crate) fn response(command: Command, sequence: u32) -> Vec<u8> {
    // deliver_sm_resp has a message_id that is not used, and empty (SMPP 3.4, 4.6.2).
    let body: &[u8] = if command == Command::DeliverSm { &[0] } else { &[] };
    unit(command.id() | RESPONSE, 0, sequence, body)
}

/// `generic_nack` for what is not known here (SMPP 3.4, 4.3).
pub(crate) fn nack(sequence: u32) -> Vec<u8> {
    /// `ESME_RINVCMDID`.
    const UNKNOWN: u32 = 3;
    unit(RESPONSE, UNKNOWN, sequence, &[])
}

/// `bind_transceiver` (SMPP 3.4, 4.1.5).
pub(crate) fn bind(sequence: u32, system_id: &str, password: &str, system_type: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for text in [system_id, password, system_type] {
        c_string(&mut body, text);
    }
    // Version, type of number and numbering plan of our addresses: not known; no range of addresses.
    body.extend_from_slice(&[VERSION, 0, 0, 0]);
    unit(Command::BindTransceiver.id(), 0, sequence, &body)
}

/// A message, or a part of one.
pub(crate) struct Submit<'a> {
    /// Our address: a number, or a name.
    pub(crate) from: &'a str,
    /// Digits with the country code, without `+`.
    pub(crate) to: &'a str,
    /// Has the message a user data header?
    pub(crate) has_header: bool,
    /// `data_coding` (SMPP 3.4, 5.2.19).
    pub(crate) coding: u8,
    /// At most 140 bytes.
    pub(crate) message: &'a [u8],
}

/// `submit_sm` (SMPP 3.4, 4.4.1).
pub(crate) fn submit(sequence: u32, submit: &Submit<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + submit.message.len());
    c_string(&mut body, ""); // service_type
    // International number in E.164's plan, or a name (SMPP 3.4, 5.2.5, 5.2.6).
    let is_number = !submit.from.is_empty() && submit.from.bytes().all(|byte| byte.is_ascii_digit());
    body.extend_from_slice(if is_number { &[1, 1] } else { &[5, 0] });
    c_string(&mut body, submit.from);
    body.extend_from_slice(&[1, 1]);
    c_string(&mut body, submit.to);
    body.push(if submit.has_header { UDH_INDICATOR } else { 0 });
    body.extend_from_slice(&[0, 0]); // protocol_id, priority_flag
    c_string(&mut body, ""); // schedule_delivery_time: at once
    c_string(&mut body, ""); // validity_period: the centre's
    body.extend_from_slice(&[RECEIPT_WANTED, 0, submit.coding, 0]); // no replacing, no stored message
    body.push(u8::try_from(submit.message.len()).unwrap_or(u8::MAX));
    body.extend_from_slice(submit.message);
    unit(Command::SubmitSm.id(), 0, sequence, &body)
}

/// The `message_id` of a `submit_sm_resp` (SMPP 3.4, 4.4.2).
pub(crate) fn message_id(body: &[u8]) -> Result<String, BadPdu> {
    Fields { rest: body }.c_string("message_id")
}

/// A delivery receipt in a `deliver_sm`; `None` for a message that somebody sent to us.
pub(crate) struct DeliveryReceipt {
    pub(crate) message_id: String,
    /// Such as `DELIVRD`.
    pub(crate) state: String,
}

/// Reads a `deliver_sm` (SMPP 3.4, 4.6.1) as a receipt: by its optional parameters, else by the text that centres write
/// (SMPP 3.4, appendix B).
pub(crate) fn receipt(body: &[u8]) -> Result<Option<DeliveryReceipt>, BadPdu> {
    let mut fields = Fields { rest: body };
    fields.c_string("service_type")?;
    for _ in 0..2 {
        fields.take(2, "address")?;
        fields.c_string("address")?;
    }
    let esm_class = fields.byte("esm_class")?;
    fields.take(2, "priority_flag")?;
    fields.c_string("schedule_delivery_time")?;
    fields.c_string("validity_period")?;
    fields.take(4, "data_coding")?;
    let length = usize::from(fields.byte("sm_length")?);
    let text = String::from_utf8_lossy(fields.take(length, "short_message")?).into_owned();
    if esm_class & MESSAGE_TYPE != RECEIPT {
        return Ok(None);
    }
    let said = |name: &str| {
        let rest = &text[text.find(name)? + name.len()..];
        rest.split_whitespace().next().map(str::to_owned)
    };
    let (mut id, mut state) = (said("id:"), said("stat:"));
    while !fields.rest.is_empty() {
        let tag = u16::from_be_bytes(fields.pair("tag")?);
        let length = usize::from(u16::from_be_bytes(fields.pair("length")?));
        let value = fields.take(length, "value")?;
        match tag {
            RECEIPTED_MESSAGE_ID => {
                let text = String::from_utf8_lossy(value);
                id = Some(text.trim_end_matches('\0').to_owned());
            }
            MESSAGE_STATE => state = value.first().map(|state| state_name(*state).to_owned()),
            _ => {}
        }
    }
    Ok(id.map(|message_id| DeliveryReceipt { message_id, state: state.unwrap_or_default() }))
}

/// SMPP 3.4, 5.2.28, in the words of appendix B.
fn state_name(state: u8) -> &'static str {
    match state {
        1 => "ENROUTE",
        2 => "DELIVRD",
        3 => "EXPIRED",
        4 => "DELETED",
        5 => "UNDELIV",
        6 => "ACCEPTD",
        8 => "REJECTD",
        _ => "UNKNOWN",
    }
}

/// Text with a zero at its end; what cannot stand in one is left out.
fn c_string(body: &mut Vec<u8>, text: &str) {
    body.extend(text.bytes().filter(|byte| byte.is_ascii() && *byte != 0));
    body.push(0);
}

/// The fields of a body, one after the other.
struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    fn take(&mut self, length: usize, name: &'static str) -> Result<&'b [u8], BadPdu> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(BadPdu::Ends(name))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self, name: &'static str) -> Result<u8, BadPdu> {
        self.take(1, name)?.first().copied().ok_or(BadPdu::Ends(name))
    }

    fn pair(&mut self, name: &'static str) -> Result<[u8; 2], BadPdu> {
        self.take(2, name)?.try_into().map_err(|_| BadPdu::Ends(name))
    }

    fn number(&mut self, name: &'static str) -> Result<u32, BadPdu> {
        let bytes = self.take(4, name)?.try_into().map_err(|_| BadPdu::Ends(name))?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn c_string(&mut self, name: &'static str) -> Result<String, BadPdu> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or(BadPdu::Ends(name))?;
        let text = String::from_utf8_lossy(self.take(end, name)?).into_owned();
        self.take(1, name)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bind_is_that_of_the_standard() {
        // The example of SMPP 3.4, 3.2.2: system_id SMPP3TEST, password secret08, system_type SUBMIT1, with transceiver's id.
        let expected = "0000002f00000009000000000000000153\
                        4d50503354455354007365637265743038005355424d49543100340000\
                        00";
        let bytes = bind(1, "SMPP3TEST", "secret08", "SUBMIT1");
        assert_eq!(hex::encode(&bytes), expected.replace(' ', ""));
    }

    #[test]
    fn a_receipt_is_read_from_its_parameters_or_its_text() {
        let mut body = vec![0, 1, 1, b'8', 0, 1, 1, b'9', 0, RECEIPT, 0, 0, 0, 0, 0, 0, 0, 0];
        let text =
            b"id:77 sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:UNDELIV err:005 text:";
        body.push(u8::try_from(text.len()).unwrap());
        body.extend_from_slice(text);
        let read = receipt(&body).unwrap().unwrap();
        assert_eq!((read.message_id.as_str(), read.state.as_str()), ("77", "UNDELIV"));
        body.extend_from_slice(&[0x00, 0x1e, 0, 3, b'7', b'8', 0, 0x04, 0x27, 0, 1, 2]);
        let read = receipt(&body).unwrap().unwrap();
        assert_eq!((read.message_id.as_str(), read.state.as_str()), ("78", "DELIVRD"));
        body[9] = 0;
        assert!(receipt(&body).unwrap().is_none(), "somebody's message is no receipt");
    }

    proptest! {
        /// Whatever comes, nothing ends the program, and what is written is read again.
        #[test]
        fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), sequence in 1_u32..0x7fff_ffff) {
            let _ = Pdu::read(&bytes);
            let _ = receipt(&bytes);
            let _ = message_id(&bytes);
            let written = response(Command::DeliverSm, sequence);
            let read = Pdu::read(&written).unwrap();
            prop_assert_eq!((read.command, read.is_response, read.sequence), (Ok(Command::DeliverSm), true, sequence));
        }
    }
}
