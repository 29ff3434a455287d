//! Commands that other programs sent to devices and simulators, as the published vectors have them: ours are the same
//! bytes, and the recorded replies are read.

use hsm::{
    EncryptedPinBlock,
    payshield::{
        Command, Content, Encoded, ErrorCode, HsmKey, Reply,
        command::{Comparison, KeyType, PinField, PinSource},
    },
};
use model::{Ksn, Pan, PinBlockFormat};

/// The fields of a recorded command.
struct Recorded<'a>(&'a str);

impl<'a> Recorded<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (field, rest) = self.0.split_at(length);
        self.0 = rest;
        field
    }

    fn key(&mut self) -> HsmKey<'a> {
        let (key, rest) = HsmKey::first_of(self.0.as_bytes()).unwrap();
        self.0 = std::str::from_utf8(rest).unwrap();
        key
    }

    fn block(&mut self) -> EncryptedPinBlock {
        EncryptedPinBlock::new(&hex::decode(self.take(16)).unwrap()).unwrap()
    }

    /// A PAN with these twelve digits; the check digit is in no command.
    fn pan(&mut self) -> Pan {
        format!("900{}0", self.take(12)).parse().unwrap()
    }
}

/// CA, CC: key, key, 12, block, formats, account.
fn translation(code: &str, fields: &mut Recorded<'_>, lmk: Option<u8>) -> Encoded {
    let (key, to) = (fields.key(), fields.key());
    assert_eq!(fields.take(2), "12");
    let block = fields.block();
    assert_eq!(fields.take(4), "0101");
    let source = if code == "CA" { PinSource::Terminal(key) } else { PinSource::Zone(key) };
    let pin = PinField { source, block: &block, format: PinBlockFormat::Iso0, pan: &fields.pan() };
    Command::Translate { pin, to, format: PinBlockFormat::Iso0 }.encode(lmk).unwrap()
}

/// DC, EC: key, PVK, block, format, account, PVKI, PVV. GQ: mode, BDK, PVK, KSN, then the same.
fn verification(code: &str, fields: &mut Recorded<'_>, lmk: Option<u8>) -> Encoded {
    if code == "GQ" {
        assert_eq!(fields.take(1), "0");
    }
    let (key, pvk) = (fields.key(), fields.key());
    let source = match code {
        "DC" => PinSource::Terminal(key),
        "EC" => PinSource::Zone(key),
        _ => {
            assert_eq!(fields.take(3), "A05");
            PinSource::Derived(key, fields.take(20).parse::<Ksn>().unwrap())
        }
    };
    let block = fields.block();
    assert_eq!(fields.take(2), "01");
    let pan = fields.pan();
    let pin = PinField { source, block: &block, format: PinBlockFormat::Iso0, pan: &pan };
    let pvki = fields.take(1).parse().unwrap();
    let pvv = fields.take(4).as_bytes().first_chunk().unwrap();
    Command::Verify { pin, with: Comparison::Pvv { pvk, pvki, pvv } }.encode(lmk).unwrap()
}

fn again(command: &str, lmk: Option<u8>) -> Option<Encoded> {
    let (code, fields) = command.split_at(2);
    let mut fields = Recorded(fields);
    let encoded = match code {
        "CA" | "CC" if command.contains("0101") => translation(code, &mut fields, lmk),
        "DC" | "EC" | "GQ" => verification(code, &mut fields, lmk),
        _ => return None,
    };
    assert_eq!(fields.0, "");
    Some(encoded)
}

#[test]
fn our_commands_are_the_recorded_ones() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../../vectors/crypto-vectors.json")).unwrap();
    let mut same = Vec::new();
    for vector in vectors["vectors"].as_array().unwrap() {
        let (Some(command), Some(response)) =
            (vector["inputs"]["command"].as_str(), vector["outputs"]["response"].as_str())
        else {
            continue;
        };
        let (fields, lmk) = match command.strip_suffix("%01") {
            Some(fields) => (fields, Some(1)),
            None => (command, None),
        };
        let Some(encoded) = again(fields, lmk) else { continue };
        assert_eq!(std::str::from_utf8(encoded.bytes()), Ok(command), "{}", vector["id"]);
        let reply = Reply::parse(&encoded, response.as_bytes()).unwrap();
        assert_eq!(reply.error, ErrorCode::DONE);
        same.push(encoded.code().to_owned());
    }
    same.sort();
    assert_eq!(
        same,
        ["CA", "CA", "CA", "DC", "DC", "EC", "EC", "GQ"],
        "which recorded commands are ours too"
    );
}

#[test]
fn recorded_replies_of_keys_and_codes_are_read() {
    let zpk = format!("U{}", "1EF828AA8F6B80EB83E19FBC373F3A85");
    let key = HsmKey::parse(&zpk).unwrap();
    let command = Command::CheckValue { key, key_type: KeyType::Zpk }.encode(None).unwrap();
    let reply = Reply::parse(&command, b"BV006F1E3F74F826B7EB").unwrap();
    assert!(matches!(reply.content, Content::CheckValue([0x6F, 0x1E, 0x3F, 0x74, ..])));
    let mac = Command::GenerateMac {
        key,
        kind: hsm::payshield::command::MacKind::Algorithm3,
        long: false,
        data: b"x",
    };
    let mac = mac.encode(None).unwrap();
    let with_length = Reply::parse(&mac, b"M70000085F1448EE").unwrap();
    assert!(matches!(with_length.content, Content::Mac(code) if code == [0x5F, 0x14, 0x48, 0xEE]));
}
